//! The file system: what it knows of the source.

mod operations;

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use libfuse3::EntryAttributes;
use libfuse3::Errno;
use libfuse3::FileInfo;
use libfuse3::Forget;
use libfuse3::Inode;
use libfuse3::InodeTable;
use libfuse3::OpenFlags;
use libfuse3::RequestContext;
use libfuse3::Result;
use rustix::fs::OFlags;
use rustix::fs::Statx;

use crate::credentials::Credentials;
use crate::dir::DirEntry;
use crate::dir::Directory;
use crate::file;
use crate::file::OpenFile;
use crate::handles::Handles;
use crate::node::Key;
use crate::node::Node;
use crate::options::Cache;
use crate::options::Options;
use crate::path_fd::PathFd;
use crate::path_fd::attributes;
use crate::path_fd::errno;
use crate::path_fd::is_regular;
use crate::path_fd::permissions;

/// The extended attributes that hold access control lists.
const ACCESS_ACL: &str = "system.posix_acl_access";
const DEFAULT_ACL: &str = "system.posix_acl_default";

/// A directory tree, mirrored.
///
/// An inode is held by a descriptor from its first lookup until the kernel forgets it, and all work is
/// done through descriptors. So it does not matter what is renamed or removed meanwhile, and by whom,
/// and no symbolic link of the source is ever followed.
///
/// Of more inodes than there may be descriptors, the later ones are found by name each time: see
/// [`Node`].
#[derive(Debug)]
pub(crate) struct Passthrough {
    nodes: InodeTable<Key, Node>,
    max_held: usize,
    /// Whether there are inodes that are not held, or were.
    some_not_held: AtomicBool,
    files: Handles<OpenFile>,
    directories: Handles<Directory>,
    credentials: Credentials,
    options: Options,
    /// Whether the kernel collects writes, which it does not with files that it reads and writes by itself.
    has_writeback: AtomicBool,
    /// Whether the kernel reads and writes files by itself.
    has_passthrough: AtomicBool,
    devices: Devices,
    mountpoint: Option<PathBuf>,
}

impl Passthrough {
    /// The tree below `source`, a directory. If its mirror is to appear somewhere below it, at
    /// `mountpoint`, that place is left out. Up to `max_held` inodes are held by a descriptor.
    pub(crate) fn new(
        source: PathFd,
        mountpoint: Option<PathBuf>,
        options: Options,
        max_held: usize,
    ) -> Result<Self> {
        let key = Key::from(&source.stat()?);
        Ok(Self {
            nodes: InodeTable::new(key, Node::held(key, source)),
            max_held,
            some_not_held: AtomicBool::new(false),
            files: Handles::default(),
            directories: Handles::default(),
            credentials: Credentials::of_this_process(),
            options,
            has_writeback: AtomicBool::new(options.writeback),
            has_passthrough: AtomicBool::new(false),
            devices: Devices::new(key.dev),
            mountpoint,
        })
    }

    /// A descriptor of an inode.
    fn fd(&self, inode: Inode) -> Result<Arc<PathFd>> {
        self.nodes.get(inode)?.fd()
    }

    /// The same for extended attributes, where there are any.
    fn fd_for_xattr(&self, inode: Inode) -> Result<Arc<PathFd>> {
        match self.options.xattr {
            true => self.fd(inode),
            false => Err(Errno::EOPNOTSUPP),
        }
    }

    /// The answer about an inode.
    fn entry(&self, inode: Inode, stat: &Statx) -> EntryAttributes {
        let stat_ino = self.devices.unique_ino(Key::from(stat).dev, stat.stx_ino);
        let mut entry = EntryAttributes {
            ino: inode,
            stat_ino: Some(stat_ino),
            ..attributes(stat)
        }
        .with_timeouts(self.options.timeout);
        // The kernel does not learn that a write which bypasses its cache has cleared the bits, nor that its own
        // write through a mapping has changed times and blocks of the source.
        let has_set_id = entry.mode & (libc::S_ISUID | libc::S_ISGID) != 0;
        if is_regular(stat) && (has_set_id || self.has_passthrough.load(Ordering::Relaxed)) {
            entry.attr_timeout = Duration::ZERO;
        }
        entry
    }

    /// The inode called `name`, with one more lookup.
    fn look_up(&self, directory: &Arc<Node>, name: &OsStr) -> Result<EntryAttributes> {
        let (fd, is_mount_point) = directory.fd()?.child(name)?;
        if is_mount_point && self.is_own_mount(&fd) {
            // To ask for its attributes would be to wait for an answer of our own.
            return Err(Errno::ELOOP);
        }
        self.remember(fd, directory, name)
    }

    /// Enters an inode in the table, or another lookup of it.
    fn remember(&self, fd: PathFd, directory: &Arc<Node>, name: &OsStr) -> Result<EntryAttributes> {
        let stat = fd.stat()?;
        let key = Key::from(&stat);
        // A directory's `..` is not the name to find its parent by.
        let is_parent = name == "..";
        let hold = is_parent || self.nodes.len() < self.max_held;
        // If the table has the inode already, this descriptor is not needed.
        let (inode, node) = self.nodes.remember(key, |_| {
            if hold {
                Node::held(key, fd)
            } else {
                Node::placed(key, directory, name)
            }
        });
        if !hold {
            self.some_not_held.store(true, Ordering::Relaxed);
        }
        if !is_parent {
            node.move_to(directory, name);
        }
        Ok(self.entry(inode, &stat))
    }

    /// Enters an inode in the table that has no name to find it by.
    fn remember_nameless(&self, fd: PathFd) -> Result<EntryAttributes> {
        let stat = fd.stat()?;
        let key = Key::from(&stat);
        let (inode, _) = self.nodes.remember(key, |_| Node::held(key, fd));
        Ok(self.entry(inode, &stat))
    }

    /// One more lookup of a known inode.
    fn look_up_again(&self, inode: Inode) -> Result<EntryAttributes> {
        let node = self.nodes.reference(inode)?;
        let stat = node.fd().and_then(|fd| fd.stat());
        stat.map(|stat| self.entry(inode, &stat))
            .inspect_err(|_| self.forget_one(inode))
    }

    /// Takes one lookup back.
    fn forget_one(&self, inode: Inode) {
        self.nodes.forget(&[Forget { inode, nlookup: 1 }]);
    }

    /// To be called before a name is removed: the inode may be in use, and is to be held from now on.
    fn hold(&self, directory: &PathFd, name: &OsStr) {
        if let Some((fd, node)) = self.not_held(directory, name) {
            node.hold(fd);
        }
    }

    /// To be called after an inode has got a new name.
    fn note_place(&self, directory: &Arc<Node>, name: &OsStr) {
        let fd = directory.fd().ok();
        if let Some((_, node)) = fd.and_then(|fd| self.not_held(&fd, name)) {
            node.move_to(directory, name);
        }
    }

    /// The known inode called `name`, where it may be one that is not held.
    fn not_held(&self, directory: &PathFd, name: &OsStr) -> Option<(PathFd, Arc<Node>)> {
        if !self.some_not_held.load(Ordering::Relaxed) {
            return None;
        }
        let (fd, is_mount_point) = directory.child(name).ok()?;
        if is_mount_point {
            // It cannot be removed or renamed.
            return None;
        }
        let (_, node) = self.nodes.find(&Key::from(&fd.stat().ok()?))?;
        Some((fd, node))
    }

    fn is_own_mount(&self, fd: &PathFd) -> bool {
        let Some(mountpoint) = &self.mountpoint else {
            return false;
        };
        let own = PathFd::open(mountpoint.as_os_str()).map_err(errno);
        own.and_then(|own| Ok(own.cached_dev()? == fd.cached_dev()?))
            .unwrap_or(false)
    }

    /// The permissions of a new inode: what the caller asked for, less its umask, for which a default
    /// access control list of the directory is the substitute.
    fn new_permissions(
        &self,
        directory: &PathFd,
        mode: u32,
        ctx: &RequestContext,
    ) -> rustix::fs::Mode {
        match directory.get_xattr(DEFAULT_ACL.as_ref()) {
            Ok(_) => permissions(mode),
            Err(_) => permissions(mode & !ctx.umask),
        }
    }

    /// Whether the kernel collects writes.
    fn has_writeback(&self) -> bool {
        self.has_writeback.load(Ordering::Relaxed)
    }

    /// `O_NOATIME`, if reading the mirror changes no time of access of the source.
    fn atime_flag(&self) -> OFlags {
        match self.options.noatime {
            true => OFlags::NOATIME,
            false => OFlags::empty(),
        }
    }

    /// The flags to open the source with, for a file that a program opens with `flags`.
    fn source_flags(&self, flags: OpenFlags) -> OFlags {
        file::source_flags(flags, self.has_writeback()) | self.atime_flag()
    }

    /// Whether files bypass the kernel's cache.
    fn is_uncached(&self) -> bool {
        self.options.cache == Cache::Never || self.options.direct_io
    }

    /// What an open file is told the kernel.
    fn file_info(&self, mut file: OpenFile, inode: Inode, ctx: &RequestContext) -> FileInfo {
        let uncached = self.is_uncached();
        // The kernel would change the time of access.
        if self.options.passthrough && !self.options.noatime {
            let node = self.nodes.get(inode);
            match node.and_then(|node| node.backing(&file, ctx)) {
                Ok(backing) => file.set_backing(backing),
                // Then it asks for reads and writes.
                #[expect(
                    clippy::disallowed_macros,
                    reason = "this is a program, with its own logger"
                )]
                Err(errno) => log::debug!("inode {inode} without passthrough: {errno}"),
            }
        }
        FileInfo {
            keep_cache: self.options.cache == Cache::Always,
            direct_io: uncached,
            parallel_direct_writes: uncached,
            backing_id: file.backing_id(),
            ..FileInfo::new(self.files.insert(file))
        }
    }

    /// An entry of a listing by its name and type alone.
    fn listed_by_name(&self, entry: &DirEntry, dev: (u32, u32)) -> EntryAttributes {
        EntryAttributes {
            ino: Inode(0),
            stat_ino: Some(self.devices.unique_ino(dev, entry.ino)),
            mode: entry.file_type.as_raw_mode(),
            ..EntryAttributes::default()
        }
    }
}

/// The file systems below the source, which may use the same inode numbers, while all of the mirror is
/// one device.
#[derive(Debug)]
struct Devices {
    root: (u32, u32),
    others: Mutex<HashMap<(u32, u32), u64>>,
}

impl Devices {
    /// Few file systems have inode numbers with more bits.
    const INO_BITS: u32 = 48;

    fn new(root: (u32, u32)) -> Self {
        Self {
            root,
            others: Mutex::default(),
        }
    }

    /// The `st_ino` to show for an inode: the source's own, unless it is on another device than the
    /// source's root. Programs take a file for a hard link of another by this number, and a directory
    /// for a loop.
    fn unique_ino(&self, dev: (u32, u32), ino: u64) -> u64 {
        if dev == self.root {
            return ino;
        }
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        let number = others.len() as u64 + 1;
        ino ^ (*others.entry(dev).or_insert(number) << Self::INO_BITS)
    }
}
