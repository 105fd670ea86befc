//! The names: which directory has which entries.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::ops::Bound;
use std::sync::Arc;

use libfuse3::Errno;
use libfuse3::Inode;
use libfuse3::Result;

/// Where `readdir` goes on behind `.`, `..`, and the first entry. NFS keeps 0, 1 and 2 for itself.
pub(crate) const COOKIE_DOT: u64 = 3;
pub(crate) const COOKIE_DOT_DOT: u64 = 4;
const COOKIE_FIRST: u64 = 5;

/// All directories that have not been removed.
pub(crate) struct Tree {
    directories: HashMap<Inode, Directory>,
}

/// A directory's entries, but for `.` and `..`.
///
/// Each has a number, its cookie, which grows from entry to entry and is never used again: a `readdir`
/// that goes on behind a cookie misses and repeats nothing, whatever came and went in between.
pub(crate) struct Directory {
    pub(crate) parent: Inode,
    entries: BTreeMap<u64, (Arc<OsStr>, Inode)>,
    cookies: HashMap<Arc<OsStr>, u64>,
    next_cookie: u64,
}

impl Tree {
    pub(crate) fn new() -> Self {
        Self {
            directories: HashMap::from([(Inode::ROOT, Directory::new(Inode::ROOT))]),
        }
    }

    /// The directory; `ENOENT` if it was removed, though somebody still has it open.
    pub(crate) fn get(&self, inode: Inode) -> Result<&Directory> {
        self.directories.get(&inode).ok_or(Errno::ENOENT)
    }

    pub(crate) fn get_mut(&mut self, inode: Inode) -> Result<&mut Directory> {
        self.directories.get_mut(&inode).ok_or(Errno::ENOENT)
    }

    pub(crate) fn add(&mut self, inode: Inode, parent: Inode) {
        self.directories.insert(inode, Directory::new(parent));
    }

    pub(crate) fn remove(&mut self, inode: Inode) {
        self.directories.remove(&inode);
    }

    /// Tells a directory, if it is one, its new parent.
    pub(crate) fn moved(&mut self, inode: Inode, parent: Inode) {
        if let Some(directory) = self.directories.get_mut(&inode) {
            directory.parent = parent;
        }
    }

    pub(crate) fn is_empty(&self, inode: Inode) -> bool {
        self.directories
            .get(&inode)
            .is_none_or(|directory| directory.len() == 0)
    }

    /// Whether `inode` is the directory `ancestor`, or somewhere below it.
    pub(crate) fn is_within(&self, mut inode: Inode, ancestor: Inode) -> bool {
        loop {
            if inode == ancestor {
                return true;
            }
            match self.directories.get(&inode) {
                Some(directory) if inode != Inode::ROOT => inode = directory.parent,
                _ => return false,
            }
        }
    }
}

impl Directory {
    fn new(parent: Inode) -> Self {
        let (entries, cookies) = (BTreeMap::new(), HashMap::new());
        Self {
            parent,
            entries,
            cookies,
            next_cookie: COOKIE_FIRST,
        }
    }

    pub(crate) fn len(&self) -> u64 {
        self.entries.len() as u64
    }

    pub(crate) fn get(&self, name: &OsStr) -> Option<Inode> {
        let cookie = self.cookies.get(name)?;
        self.entries.get(cookie).map(|(_, inode)| *inode)
    }

    /// Makes `name` lead to `inode`. A name that exists keeps its place, so that no `readdir` in
    /// progress can miss it.
    pub(crate) fn set(&mut self, name: &OsStr, inode: Inode) {
        if let Some(cookie) = self.cookies.get(name)
            && let Some(entry) = self.entries.get_mut(cookie)
        {
            entry.1 = inode;
            return;
        }
        let name = Arc::<OsStr>::from(name);
        self.cookies.insert(Arc::clone(&name), self.next_cookie);
        self.entries.insert(self.next_cookie, (name, inode));
        self.next_cookie += 1;
    }

    pub(crate) fn remove(&mut self, name: &OsStr) {
        if let Some(cookie) = self.cookies.remove(name) {
            self.entries.remove(&cookie);
        }
    }

    /// The entries behind a cookie, each with its own.
    pub(crate) fn after(&self, cookie: u64) -> impl Iterator<Item = (u64, &OsStr, Inode)> {
        let entries = self
            .entries
            .range((Bound::Excluded(cookie), Bound::Unbounded));
        entries.map(|(cookie, (name, inode))| (*cookie, &**name, *inode))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> &OsStr {
        OsStr::new(text)
    }

    fn listing(directory: &Directory, cookie: u64) -> Vec<(&str, u64)> {
        let entries = directory.after(cookie);
        entries
            .map(|(_, name, inode)| (name.to_str().unwrap(), inode.raw()))
            .collect()
    }

    #[test]
    fn a_listing_goes_on_where_it_stopped_whatever_happened_meanwhile() {
        let mut directory = Directory::new(Inode::ROOT);
        for (inode, text) in ["a", "b", "c", "d"].into_iter().enumerate() {
            directory.set(name(text), Inode(inode as u64));
        }
        let (behind_b, ..) = directory.after(0).nth(1).unwrap();
        directory.remove(name("a"));
        directory.remove(name("b"));
        directory.set(name("a"), Inode(10));
        directory.set(name("d"), Inode(11));
        assert_eq!(
            listing(&directory, behind_b),
            [("c", 2), ("d", 11), ("a", 10)]
        );
        assert_eq!(directory.get(name("b")), None);
        assert_eq!(directory.len(), 3);
    }

    #[test]
    fn within_means_at_any_depth() {
        let mut tree = Tree::new();
        tree.add(Inode(2), Inode::ROOT);
        tree.add(Inode(3), Inode(2));
        tree.add(Inode(4), Inode::ROOT);
        assert!(tree.is_within(Inode(3), Inode(2)) && tree.is_within(Inode(3), Inode::ROOT));
        assert!(tree.is_within(Inode(2), Inode(2)) && !tree.is_within(Inode(4), Inode(2)));
        tree.moved(Inode(2), Inode(4));
        assert!(tree.is_within(Inode(3), Inode(4)));
    }
}
