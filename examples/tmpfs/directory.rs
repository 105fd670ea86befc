//! The names: which directory has which entries.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::ops::Bound;
use std::sync::Arc;

use libfuse3::Errno;
use libfuse3::Inode;
use libfuse3::Result;

/// Where `readdir` continues after `.` and `..`. NFS keeps 0, 1 and 2 for itself.
pub(crate) const COOKIE_DOT: u64 = 3;
pub(crate) const COOKIE_DOT_DOT: u64 = 4;
/// The first cookie of an entry. Programs whose `off_t` has 32 bits cannot list larger ones.
const COOKIE_FIRST: u64 = i32::MAX as u64;
/// The cookie after the last one of 32 bits.
const COOKIE_FIRST_LARGE: u64 = i64::MAX as u64;

/// All directories that have not been removed.
pub(crate) struct Tree {
    directories: HashMap<Inode, Directory>,
}

/// A directory's entries, but for `.` and `..`.
///
/// Each entry has a cookie, which is smaller than those of all earlier entries and never used again. A
/// listing goes from small cookies to large ones: the newest entry comes first, as in the kernel's tmpfs.
/// An entry that is added meanwhile lies behind the reader of the listing, so each listing ends. A name
/// that stays keeps its cookie, so each listing has it exactly once.
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

    /// Makes `name` lead to `inode`. A name that exists keeps its cookie.
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
        // Unique and decreasing in both ranges: a listing that gets from the small to the large cookies
        // still has only old entries ahead of it.
        self.next_cookie = match self.next_cookie - 1 {
            COOKIE_DOT_DOT => COOKIE_FIRST_LARGE,
            next => next,
        };
    }

    /// Renames an entry within the directory. A name that exists keeps its cookie and is replaced. A new
    /// name gets the cookie of the old one, so that a listing shows the entry once.
    pub(crate) fn rename(&mut self, name: &OsStr, new_name: &OsStr) {
        let Some(cookie) = self.cookies.remove(name) else {
            return;
        };
        let Some((_, inode)) = self.entries.remove(&cookie) else {
            return;
        };
        if self.cookies.contains_key(new_name) {
            return self.set(new_name, inode);
        }
        let new_name = Arc::<OsStr>::from(new_name);
        self.cookies.insert(Arc::clone(&new_name), cookie);
        self.entries.insert(cookie, (new_name, inode));
    }

    pub(crate) fn remove(&mut self, name: &OsStr) {
        if let Some(cookie) = self.cookies.remove(name) {
            self.entries.remove(&cookie);
        }
    }

    /// The entries after a cookie, each with its own.
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

    fn directory(names: &[&str]) -> Directory {
        let mut directory = Directory::new(Inode::ROOT);
        for (inode, text) in names.iter().enumerate() {
            directory.set(name(text), Inode(inode as u64));
        }
        directory
    }

    #[test]
    fn listing_continues_after_a_cookie_whose_entry_is_gone() {
        let mut directory = directory(&["d", "c", "b", "a"]);
        let (after_b, ..) = directory.after(0).nth(1).unwrap();
        directory.remove(name("a"));
        directory.remove(name("b"));
        directory.set(name("a"), Inode(10));
        directory.set(name("d"), Inode(11));
        assert_eq!(listing(&directory, after_b), [("c", 1), ("d", 11)]);
        assert_eq!(listing(&directory, 0), [("a", 10), ("c", 1), ("d", 11)]);
        assert_eq!(directory.get(name("b")), None);
        assert_eq!(directory.len(), 3);
    }

    #[test]
    fn entry_renamed_within_its_directory_keeps_its_cookie() {
        let mut directory = directory(&["c", "b", "a"]);
        let (after_a, ..) = directory.after(0).next().unwrap();
        directory.rename(name("a"), name("seen"));
        directory.rename(name("b"), name("ahead"));
        assert_eq!(listing(&directory, after_a), [("ahead", 1), ("c", 0)]);
        assert_eq!(listing(&directory, 0)[0], ("seen", 2));
        // A name that is replaced stays.
        directory.rename(name("seen"), name("c"));
        assert_eq!(listing(&directory, after_a), [("ahead", 1), ("c", 2)]);
        directory.rename(name("missing"), name("new"));
        assert_eq!(directory.len(), 2);
    }

    #[test]
    fn listing_ends_when_the_small_cookies_are_used_up() {
        let mut directory = directory(&["old"]);
        directory.next_cookie = COOKIE_DOT_DOT + 1;
        directory.set(name("last of 32 bits"), Inode(1));
        directory.set(name("large"), Inode(2));
        directory.set(name("larger"), Inode(3));
        let all = ["last of 32 bits", "old", "larger", "large"];
        let listed = listing(&directory, COOKIE_DOT_DOT);
        assert!(listed.iter().map(|(name, _)| *name).eq(all), "{listed:?}");
        let (after_old, ..) = directory.after(0).nth(1).unwrap();
        assert_eq!(
            listing(&directory, after_old),
            [("larger", 3), ("large", 2)]
        );
        assert!(
            directory
                .after(0)
                .all(|(cookie, ..)| i64::try_from(cookie).is_ok())
        );
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
