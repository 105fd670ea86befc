//! What changes the tree: new names, removed names, renamed ones.

use std::ffi::OsStr;
use std::sync::Arc;

use libfuse3::EntryAttributes;
use libfuse3::Errno;
use libfuse3::Forget;
use libfuse3::Inode;
use libfuse3::Rename;
use libfuse3::RenameFlags;
use libfuse3::RequestContext;
use libfuse3::Result;
use libfuse3::Timestamp;

use crate::directory::Tree;
use crate::fs::Tmpfs;
use crate::node::Kind;
use crate::node::Node;

/// The longest name, in bytes, as with the kernel's tmpfs.
pub(crate) const NAME_MAX: usize = 255;

/// Every method holds the tree's lock for writing from its first check to its last change, and changes
/// nothing before its last check: it happens as a whole or not at all.
impl Tmpfs {
    /// Creates an inode under a new name. Its lookup count is one.
    pub(crate) fn create_node(
        &self,
        parent: Inode,
        name: &OsStr,
        kind: Kind,
        mode: u32,
        ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        self.check_name(name)?;
        let mut tree = self.tree.write().unwrap();
        if tree.get(parent)?.get(name).is_some() {
            return Err(Errno::EEXIST);
        }
        let node = self.add_node(parent, kind, mode, ctx)?;
        self.inodes.pin(node.inode)?;
        if node.is_dir() {
            tree.add(node.inode, parent);
        }
        tree.get_mut(parent)?.set(name, node.inode);
        self.entries_changed(&tree, parent, Timestamp::now(), i32::from(node.is_dir()))?;
        Ok(node.attributes())
    }

    /// Creates a regular file without a name, which may get one later if it `is_linkable`. Its lookup
    /// count is one: the file is gone when the kernel forgets it.
    pub(crate) fn create_nameless(
        &self,
        parent: Inode,
        mode: u32,
        is_linkable: bool,
        ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        let tree = self.tree.read().unwrap();
        tree.get(parent)?;
        let node = self.add_node(parent, self.empty_file(), mode, ctx)?;
        node.begin_without_name(is_linkable);
        Ok(node.attributes())
    }

    /// Creates an inode that has no name yet. Its lookup count is one.
    fn add_node(
        &self,
        parent: Inode,
        kind: Kind,
        mode: u32,
        ctx: &RequestContext,
    ) -> Result<Arc<Node>> {
        let (owner, xattrs) = self.inodes.get(parent)?.passes_on(mode, ctx)?;
        self.space.take_inode()?;
        let (_, node) = self
            .inodes
            .insert(|inode| Node::new(inode, self.generation, kind, owner, xattrs, &self.space));
        Ok(node)
    }

    /// Gives an inode one more name. Its lookup count grows by one.
    pub(crate) fn add_link(
        &self,
        inode: Inode,
        parent: Inode,
        name: &OsStr,
    ) -> Result<EntryAttributes> {
        self.check_name(name)?;
        let now = Timestamp::now();
        let node = self.inodes.get(inode)?;
        if node.is_dir() {
            return Err(Errno::EPERM);
        }
        let mut tree = self.tree.write().unwrap();
        if tree.get(parent)?.get(name).is_some() {
            return Err(Errno::EEXIST);
        }
        if node.name_added(now)? {
            self.inodes.pin(inode)?;
        }
        tree.get_mut(parent)?.set(name, inode);
        self.entries_changed(&tree, parent, now, 0)?;
        Ok(self.inodes.reference(inode)?.attributes())
    }

    /// `unlink`, or `rmdir` if it has to be a directory.
    pub(crate) fn remove_name(&self, parent: Inode, name: &OsStr, directory: bool) -> Result<()> {
        let now = Timestamp::now();
        let mut tree = self.tree.write().unwrap();
        let inode = tree.get(parent)?.get(name).ok_or(Errno::ENOENT)?;
        let node = self.inodes.get(inode)?;
        match (directory, node.is_dir()) {
            (true, false) => return Err(Errno::ENOTDIR),
            (false, true) => return Err(Errno::EISDIR),
            (true, true) if !tree.is_empty(inode) => return Err(Errno::ENOTEMPTY),
            _ => {}
        }
        tree.get_mut(parent)?.remove(name);
        self.name_removed(&mut tree, &node, now);
        self.entries_changed(&tree, parent, now, -i32::from(directory))
    }

    pub(crate) fn rename_entry(&self, rename: Rename<'_>, ctx: &RequestContext) -> Result<()> {
        let Rename {
            parent,
            name,
            new_parent,
            new_name,
            flags,
        } = rename;
        let exchange = flags.contains(RenameFlags::EXCHANGE);
        let whiteout = flags.contains(RenameFlags::WHITEOUT);
        let no_replace = flags.contains(RenameFlags::NOREPLACE);
        let known = RenameFlags::EXCHANGE | RenameFlags::WHITEOUT | RenameFlags::NOREPLACE;
        if !known.contains(flags) || exchange && (whiteout || no_replace) {
            return Err(Errno::EINVAL);
        }
        self.check_name(new_name)?;

        let now = Timestamp::now();
        let mut tree = self.tree.write().unwrap();
        let moved = tree.get(parent)?.get(name).ok_or(Errno::ENOENT)?;
        let moved = self.inodes.get(moved)?;
        let target = tree.get(new_parent)?.get(new_name);
        let target = target.map(|inode| self.inodes.get(inode)).transpose()?;
        match &target {
            None if exchange => return Err(Errno::ENOENT),
            Some(_) if no_replace => return Err(Errno::EEXIST),
            // Two names of one file: POSIX wants nothing to happen.
            Some(target) if target.inode == moved.inode => return Ok(()),
            Some(target) if exchange && tree.is_within(parent, target.inode) => {
                return Err(Errno::EINVAL);
            }
            Some(target) if !exchange => check_replaceable(&tree, &moved, target)?,
            _ => {}
        }
        if tree.is_within(new_parent, moved.inode) {
            return Err(Errno::EINVAL);
        }

        // What the old name leads to from now on, and whether that is a directory.
        let (left, left_is_dir) = match &target {
            Some(target) if exchange => (Some(target.inode), target.is_dir()),
            _ if whiteout => (Some(self.add_whiteout(parent, ctx)?), false),
            _ => (None, false),
        };
        if left.is_none() && parent == new_parent {
            tree.get_mut(parent)?.rename(name, new_name);
        } else {
            match left {
                Some(inode) => tree.get_mut(parent)?.set(name, inode),
                None => tree.get_mut(parent)?.remove(name),
            }
            tree.get_mut(new_parent)?.set(new_name, moved.inode);
        }
        tree.moved(moved.inode, new_parent);
        moved.renamed(now);
        if let Some(target) = &target {
            if exchange {
                tree.moved(target.inode, parent);
                target.renamed(now);
            } else {
                self.name_removed(&mut tree, target, now);
            }
        }
        let moved_is_dir = i32::from(moved.is_dir());
        let target_is_dir = i32::from(target.is_some_and(|target| target.is_dir()));
        self.entries_changed(&tree, parent, now, i32::from(left_is_dir) - moved_is_dir)?;
        self.entries_changed(&tree, new_parent, now, moved_is_dir - target_is_dir)
    }

    /// What an overlay file system puts where a file of the layer below is to be hidden. The kernel
    /// hears of it when it looks the name up.
    fn add_whiteout(&self, parent: Inode, ctx: &RequestContext) -> Result<Inode> {
        let kind = Kind::Special { rdev: 0 };
        let node = self.add_node(parent, kind, libc::S_IFCHR, ctx)?;
        self.inodes.pin(node.inode)?;
        self.inodes.forget(&[Forget {
            inode: node.inode,
            nlookup: 1,
        }]);
        Ok(node.inode)
    }

    /// An inode lost a name; with the last one its pin, so that the kernel's `forget` can drop it.
    fn name_removed(&self, tree: &mut Tree, node: &Node, now: Timestamp) {
        if !node.name_removed(now) {
            tree.remove(node.inode);
            self.inodes.unpin(node.inode);
        }
    }

    fn entries_changed(
        &self,
        tree: &Tree,
        inode: Inode,
        now: Timestamp,
        directories: i32,
    ) -> Result<()> {
        let entries = tree.get(inode)?.len();
        self.inodes
            .get(inode)?
            .entries_changed(now, entries, directories);
        Ok(())
    }

    fn check_name(&self, name: &OsStr) -> Result<()> {
        if name.len() > self.name_max {
            Err(Errno::ENAMETOOLONG)
        } else {
            Ok(())
        }
    }
}

/// A directory replaces an empty directory only, and anything else no directory.
fn check_replaceable(tree: &Tree, moved: &Node, target: &Node) -> Result<()> {
    match (moved.is_dir(), target.is_dir()) {
        (true, false) => Err(Errno::ENOTDIR),
        (false, true) => Err(Errno::EISDIR),
        (true, true) if !tree.is_empty(target.inode) => Err(Errno::ENOTEMPTY),
        _ => Ok(()),
    }
}
