//! An inode: all there is to a file but its names.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::RwLock;
use std::time::Duration;

use libfuse3::EntryAttributes;
use libfuse3::Errno;
use libfuse3::FallocateFlags;
use libfuse3::Inode;
use libfuse3::RequestContext;
use libfuse3::Result;
use libfuse3::SeekTarget;
use libfuse3::SetattrFields;
use libfuse3::TimeOrNow;
use libfuse3::Timestamp;
use libfuse3::WriteBuf;
use libfuse3::XattrFlags;

use crate::access_times::AccessTimes;
use crate::acl;
use crate::caller::keeps_set_group_id;
use crate::contents::Contents;
use crate::contents::PAGE;
use crate::space::Space;
use crate::xattr::Xattrs;

/// What a directory's `st_size` counts for each entry, as with the kernel's tmpfs.
const ENTRY_SIZE: u64 = 20;

/// Locks are taken in the order tree, contents, metadata.
///
/// # Invariants
///
/// - It is pinned in the table of inodes while `nlink` is above zero.
/// - It has taken one inode from `space`.
pub(crate) struct Node {
    pub(crate) inode: Inode,
    generation: u64,
    pub(crate) kind: Kind,
    metadata: Mutex<Metadata>,
    space: Arc<Space>,
}

pub(crate) enum Kind {
    /// Its entries are in the tree.
    Directory,
    File(RwLock<Contents>),
    Symlink(OsString),
    /// Device, FIFO or socket: the kernel does the work.
    Special {
        rdev: u64,
    },
}

struct Metadata {
    mode: u32,
    uid: u32,
    gid: u32,
    nlink: u32,
    /// It has never had a name, and may get one.
    is_linkable: bool,
    /// Number of entries, for a directory.
    entries: u64,
    atime: Timestamp,
    mtime: Timestamp,
    ctime: Timestamp,
    xattrs: Xattrs,
}

/// Whose a new inode is, and what its owner and others may do with it.
#[derive(Clone, Copy)]
pub(crate) struct Ownership {
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl Node {
    /// The caller has taken an inode from `space`.
    pub(crate) fn new(
        inode: Inode,
        generation: u64,
        kind: Kind,
        owner: Ownership,
        xattrs: Xattrs,
        space: &Arc<Space>,
    ) -> Self {
        let Ownership { mode, uid, gid } = owner;
        let now = Timestamp::now();
        let metadata = Metadata {
            mode,
            uid,
            gid,
            nlink: if matches!(kind, Kind::Directory) {
                2
            } else {
                1
            },
            is_linkable: false,
            entries: 0,
            atime: now,
            mtime: now,
            ctime: now,
            xattrs,
        };
        Self {
            inode,
            generation,
            kind,
            metadata: Mutex::new(metadata),
            space: Arc::clone(space),
        }
    }

    pub(crate) fn is_dir(&self) -> bool {
        matches!(self.kind, Kind::Directory)
    }

    /// No operation panics while it holds a lock, and if one did all the others should fail too.
    fn metadata(&self) -> MutexGuard<'_, Metadata> {
        self.metadata.lock().unwrap()
    }

    // ---- attributes ------------------------------------------------------------------------------

    /// The kernel may keep them for as long as it does by default: nothing changes but through it, and
    /// it drops what an operation changes by the way, such as the times of a parent directory. But it
    /// does not learn that a write has cleared the set-group-id bit.
    pub(crate) fn attributes(&self) -> EntryAttributes {
        let mut attributes = self.all_attributes();
        if attributes.mode & libc::S_ISGID != 0 && !self.is_dir() {
            attributes.attr_timeout = Duration::ZERO;
        }
        attributes
    }

    fn all_attributes(&self) -> EntryAttributes {
        match &self.kind {
            Kind::File(contents) => {
                let contents = contents.read().unwrap();
                let blocks = contents.allocated() / 512;
                EntryAttributes {
                    size: contents.size(),
                    blocks,
                    ..self.metadata_attributes()
                }
            }
            Kind::Directory => self.metadata_attributes(),
            Kind::Symlink(target) => EntryAttributes {
                size: target.len() as u64,
                ..self.metadata_attributes()
            },
            Kind::Special { rdev } => EntryAttributes {
                rdev: *rdev,
                ..self.metadata_attributes()
            },
        }
    }

    fn metadata_attributes(&self) -> EntryAttributes {
        let metadata = self.metadata();
        EntryAttributes {
            ino: self.inode,
            generation: self.generation,
            mode: metadata.mode,
            nlink: metadata.nlink,
            uid: metadata.uid,
            gid: metadata.gid,
            size: if self.is_dir() {
                (metadata.entries + 2) * ENTRY_SIZE
            } else {
                0
            },
            blksize: PAGE as u32,
            atime: metadata.atime,
            mtime: metadata.mtime,
            ctime: metadata.ctime,
            ..EntryAttributes::default()
        }
    }

    /// The kernel has checked that the caller may do it.
    pub(crate) fn set_attributes(
        &self,
        fields: &SetattrFields,
        ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        let now = Timestamp::now();
        if let Some(size) = fields.size {
            let Kind::File(contents) = &self.kind else {
                return Err(if self.is_dir() {
                    Errno::EISDIR
                } else {
                    Errno::EINVAL
                });
            };
            let mut contents = contents.write().unwrap();
            contents.truncate(size)?;
            self.metadata().mtime = now;
        }
        self.metadata().set(fields, now, ctx);
        Ok(self.attributes())
    }

    /// Whose it is what the caller creates in this directory, and its extended attributes.
    pub(crate) fn passes_on(&self, mode: u32, ctx: &RequestContext) -> Result<(Ownership, Xattrs)> {
        let metadata = self.metadata();
        let mut owner = Ownership {
            mode,
            uid: ctx.uid,
            gid: ctx.gid,
        };
        let xattrs = acl::inherit(&metadata.xattrs, &mut owner, ctx.umask, &self.space)?;
        if metadata.mode & libc::S_ISGID != 0 {
            owner.gid = metadata.gid;
            if owner.mode & libc::S_IFMT == libc::S_IFDIR {
                owner.mode |= libc::S_ISGID;
            }
        }
        Ok((owner, xattrs))
    }

    // ---- contents --------------------------------------------------------------------------------

    pub(crate) fn read(&self, offset: u64, size: usize) -> Result<Vec<u8>> {
        let Kind::File(contents) = &self.kind else {
            return Err(Errno::EINVAL);
        };
        Ok(contents.read().unwrap().read(offset, size))
    }

    /// Returns how much was written; `append` puts it at the end, wherever that is.
    pub(crate) fn write(
        &self,
        offset: u64,
        data: &WriteBuf,
        append: bool,
        ctx: &RequestContext,
    ) -> Result<usize> {
        let Kind::File(contents) = &self.kind else {
            return Err(Errno::EINVAL);
        };
        let mut contents = contents.write().unwrap();
        // What comes out of the cache has its place, even if the file was opened for appending.
        let append = append && !data.is_from_cache();
        let offset = if append { contents.size() } else { offset };
        let written = contents.write(offset, data)?;
        let mut metadata = self.metadata();
        metadata.mtime = Timestamp::now();
        metadata.ctime = metadata.mtime;
        if !data.is_from_cache() {
            metadata.guard_set_group(ctx);
        }
        // `write(2)` can return less, and the program goes on with the rest; nobody would for a page.
        if data.is_from_cache() && written < data.len() {
            return Err(Errno::ENOSPC);
        }
        Ok(written)
    }

    pub(crate) fn allocate(
        &self,
        mode: FallocateFlags,
        offset: u64,
        len: u64,
        ctx: &RequestContext,
    ) -> Result<()> {
        const PUNCH: FallocateFlags = FallocateFlags::PUNCH_HOLE.union(FallocateFlags::KEEP_SIZE);
        let Kind::File(contents) = &self.kind else {
            return Err(Errno::EINVAL);
        };
        let mut contents = contents.write().unwrap();
        let keep_size = mode.contains(FallocateFlags::KEEP_SIZE);
        if mode == PUNCH {
            contents.punch_hole(offset, len);
        } else if (mode - FallocateFlags::KEEP_SIZE - FallocateFlags::ZERO_RANGE).is_empty() {
            contents.allocate(offset, len, keep_size)?;
            if mode.contains(FallocateFlags::ZERO_RANGE) {
                contents.fill_with_zeros(offset, len);
            }
        } else {
            return Err(Errno::EOPNOTSUPP);
        }
        let mut metadata = self.metadata();
        metadata.mtime = Timestamp::now();
        metadata.ctime = metadata.mtime;
        metadata.guard_set_group(ctx);
        Ok(())
    }

    pub(crate) fn seek(&self, offset: u64, target: SeekTarget) -> Result<u64> {
        let Kind::File(contents) = &self.kind else {
            return Err(Errno::EINVAL);
        };
        let contents = contents.read().unwrap();
        let found = match target {
            SeekTarget::Data => contents.next_data(offset),
            SeekTarget::Hole => contents.next_hole(offset),
        };
        found.ok_or(Errno::ENXIO)
    }

    pub(crate) fn read_link(&self) -> Result<OsString> {
        let Kind::Symlink(target) = &self.kind else {
            return Err(Errno::EINVAL);
        };
        Ok(target.clone())
    }

    /// A file, directory or symbolic link was read.
    pub(crate) fn accessed(&self, access_times: AccessTimes) {
        let now = Timestamp::now();
        let mut metadata = self.metadata();
        let last_change = metadata.mtime.max(metadata.ctime);
        if access_times.change(self.is_dir(), now, metadata.atime, last_change) {
            metadata.atime = now;
        }
    }

    // ---- names -----------------------------------------------------------------------------------

    /// The entries of this directory changed: how many there are now, and how many more of them are
    /// directories, each of which has a link to it.
    pub(crate) fn entries_changed(&self, now: Timestamp, entries: u64, directories: i32) {
        let mut metadata = self.metadata();
        metadata.entries = entries;
        metadata.nlink = metadata.nlink.saturating_add_signed(directories);
        metadata.mtime = now;
        metadata.ctime = now;
    }

    /// It is a file without a name, which may get one later if it `is_linkable`.
    pub(crate) fn begin_without_name(&self, is_linkable: bool) {
        let mut metadata = self.metadata();
        metadata.nlink = 0;
        metadata.is_linkable = is_linkable;
    }

    /// It got one name more. Returns whether that is its first; `ENOENT` if it has lost its last one.
    pub(crate) fn name_added(&self, now: Timestamp) -> Result<bool> {
        let mut metadata = self.metadata();
        let is_first = metadata.nlink == 0;
        if !is_first {
            self.space.take_inode()?;
        } else if !metadata.is_linkable {
            return Err(Errno::ENOENT);
        }
        metadata.is_linkable = false;
        metadata.nlink += 1;
        metadata.ctime = now;
        Ok(is_first)
    }

    /// It lost a name. Returns whether it has others.
    pub(crate) fn name_removed(&self, now: Timestamp) -> bool {
        let mut metadata = self.metadata();
        metadata.nlink = if self.is_dir() { 0 } else { metadata.nlink - 1 };
        metadata.ctime = now;
        if metadata.nlink > 0 {
            self.space.give_inode();
        }
        metadata.nlink > 0
    }

    pub(crate) fn renamed(&self, now: Timestamp) {
        self.metadata().ctime = now;
    }

    // ---- extended attributes ---------------------------------------------------------------------

    pub(crate) fn get_xattr(&self, name: &OsStr) -> Result<Vec<u8>> {
        self.metadata().xattrs.get(name)
    }

    pub(crate) fn set_xattr(
        &self,
        name: &OsStr,
        value: &[u8],
        flags: XattrFlags,
        ctx: &RequestContext,
    ) -> Result<()> {
        let metadata = &mut *self.metadata();
        if acl::is_acl(name) {
            acl::set(&mut metadata.xattrs, name, value, &mut metadata.mode)?;
        } else {
            metadata.xattrs.set(name, value, flags)?;
        }
        if name == acl::ACCESS {
            metadata.guard_set_group(ctx);
        }
        metadata.ctime = Timestamp::now();
        Ok(())
    }

    pub(crate) fn list_xattrs(&self, administrator: bool) -> Vec<OsString> {
        self.metadata().xattrs.names(administrator)
    }

    pub(crate) fn remove_xattr(&self, name: &OsStr, ctx: &RequestContext) -> Result<()> {
        let mut metadata = self.metadata();
        match metadata.xattrs.remove(name) {
            // Without a list there is what the mode says, which is as good as one.
            Err(Errno::ENOATTR) if acl::is_acl(name) => {}
            result => result?,
        }
        if name == acl::ACCESS {
            metadata.guard_set_group(ctx);
        }
        metadata.ctime = Timestamp::now();
        Ok(())
    }
}

impl Metadata {
    /// Everything but the size.
    fn set(&mut self, fields: &SetattrFields, now: Timestamp, ctx: &RequestContext) {
        let resolve = |time: TimeOrNow| match time {
            TimeOrNow::Time(time) => time,
            TimeOrNow::Now => now,
        };
        if let Some(mode) = fields.mode {
            self.mode = self.mode & libc::S_IFMT | mode & !libc::S_IFMT;
            acl::chmod(&mut self.xattrs, mode);
        }
        // A `chown` that changes neither owner nor group comes without any field.
        let sets_times = fields.atime.is_some() || fields.mtime.is_some();
        let changes_times_alone = sets_times && fields.size.is_none();
        let is_dir = self.mode & libc::S_IFMT == libc::S_IFDIR;
        if !changes_times_alone && !is_dir {
            self.guard_set_group(ctx);
        }
        self.uid = fields.uid.unwrap_or(self.uid);
        self.gid = fields.gid.unwrap_or(self.gid);
        self.atime = fields.atime.map_or(self.atime, resolve);
        self.mtime = fields.mtime.map_or(self.mtime, resolve);
        self.ctime = fields.ctime.unwrap_or(now);
    }

    /// Takes the set-group-id bit off unless the caller may leave it.
    ///
    /// Where a change of owner or contents clears the set-user-id bit, or the set-group-id bit of a
    /// program, the kernel sees to it by a `setattr` with the new mode. It leaves out files that their
    /// group may not execute.
    fn guard_set_group(&mut self, ctx: &RequestContext) {
        if self.mode & libc::S_ISGID != 0 && !keeps_set_group_id(ctx, self.gid) {
            self.mode &= !libc::S_ISGID;
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.space.give_inode();
    }
}
