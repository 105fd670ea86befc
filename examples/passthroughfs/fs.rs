//! The file system: what it knows of the source.

mod operations;

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;

use libfuse3::EntryAttributes;
use libfuse3::Errno;
use libfuse3::FileInfo;
use libfuse3::Forget;
use libfuse3::Inode;
use libfuse3::InodeTable;
use libfuse3::RequestContext;
use libfuse3::Result;
use rustix::fs::Statx;

use crate::credentials::Credentials;
use crate::dir::DirEntry;
use crate::dir::Directory;
use crate::file::OpenFile;
use crate::handles::Handles;
use crate::node::Key;
use crate::node::Node;
use crate::node::attributes;
use crate::node::errno;
use crate::node::permissions;
use crate::options::Cache;
use crate::options::Options;

/// The extended attributes that hold access control lists.
const ACL_PREFIX: &str = "system.posix_acl_";
const DEFAULT_ACL: &str = "system.posix_acl_default";

/// A directory tree, mirrored.
///
/// An inode is held by a descriptor from its first lookup until the kernel forgets it, and all work is
/// done through descriptors. So it does not matter what is renamed or removed meanwhile, and by whom,
/// and no symbolic link of the source is ever followed.
#[derive(Debug)]
pub(crate) struct Passthrough {
    nodes: InodeTable<Key, Node>,
    files: Handles<OpenFile>,
    directories: Handles<Directory>,
    credentials: Credentials,
    options: Options,
    devices: Devices,
    mountpoint: Option<PathBuf>,
}

impl Passthrough {
    /// The tree below `source`, a directory. If its mirror is to appear somewhere below it, at
    /// `mountpoint`, that place is left out.
    pub(crate) fn new(source: Node, mountpoint: Option<PathBuf>, options: Options) -> Result<Self> {
        let key = Key::from(&source.stat()?);
        Ok(Self {
            nodes: InodeTable::new(key, source),
            files: Handles::default(),
            directories: Handles::default(),
            credentials: Credentials::of_this_process(),
            options,
            devices: Devices::new(key.dev),
            mountpoint,
        })
    }

    /// The answer about an inode.
    fn entry(&self, inode: Inode, stat: &Statx) -> EntryAttributes {
        let stat_ino = self.devices.unique_ino(Key::from(stat).dev, stat.stx_ino);
        EntryAttributes {
            ino: inode,
            stat_ino: Some(stat_ino),
            ..attributes(stat)
        }
        .with_timeouts(self.options.timeout)
    }

    /// The inode called `name`, with one more lookup.
    fn look_up(&self, directory: &Node, name: &OsStr) -> Result<EntryAttributes> {
        let (node, is_mount_point) = directory.child(name)?;
        if is_mount_point && self.is_own_mount(&node) {
            // To ask for its attributes would be to wait for an answer of our own.
            return Err(Errno::ELOOP);
        }
        self.remember(node)
    }

    /// Enters an inode in the table, or another lookup of it.
    fn remember(&self, node: Node) -> Result<EntryAttributes> {
        let stat = node.stat()?;
        // If the table has the inode already, it keeps its own descriptor.
        let (inode, _) = self.nodes.remember(Key::from(&stat), |_| node);
        Ok(self.entry(inode, &stat))
    }

    /// One more lookup of a known inode.
    fn look_up_again(&self, inode: Inode) -> Result<EntryAttributes> {
        let node = self.nodes.reference(inode)?;
        node.stat()
            .map(|stat| self.entry(inode, &stat))
            .inspect_err(|_| {
                self.nodes.forget(&[Forget { inode, nlookup: 1 }]);
            })
    }

    fn is_own_mount(&self, node: &Node) -> bool {
        let Some(mountpoint) = &self.mountpoint else {
            return false;
        };
        let own = Node::open(mountpoint.as_os_str()).map_err(errno);
        own.and_then(|own| Ok(own.cached_dev()? == node.cached_dev()?))
            .unwrap_or(false)
    }

    /// The permissions of a new inode: what the caller asked for, less its umask, for which a default
    /// access control list of the directory is the substitute.
    fn new_permissions(
        &self,
        directory: &Node,
        mode: u32,
        ctx: &RequestContext,
    ) -> rustix::fs::Mode {
        match directory.get_xattr(DEFAULT_ACL.as_ref()) {
            Ok(_) => permissions(mode),
            Err(_) => permissions(mode & !ctx.umask),
        }
    }

    /// What an open file is told the kernel.
    fn file_info(&self, file: OpenFile) -> FileInfo {
        let uncached = self.options.cache == Cache::Never;
        FileInfo {
            keep_cache: self.options.cache == Cache::Always,
            direct_io: uncached,
            parallel_direct_writes: uncached,
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
