//! Who asks, and what is open.

use std::ffi::OsString;

use super::encode::Body;
use crate::EntryAttributes;
use crate::FileInfo;
use crate::FileLock;
use crate::FileRef;
use crate::Inode;
use crate::LockOwner;
use crate::LockType;
use crate::OpenFlags;
use crate::ReleaseFlags;

/// On whose behalf a request is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Thread id.
    pub pid: u32,
    /// The umask, which goes along with what makes files. Take it off the mode yourself, as the kernel
    /// does unless [`Capabilities::DONT_MASK`](crate::Capabilities::DONT_MASK) was agreed upon.
    pub umask: u32,
}

/// A file or directory that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenFile {
    /// How requests name it. The flags are those that it was opened with; the lock owner may be changed.
    pub file: FileRef,
    /// What the file system has said of it.
    pub info: FileInfo,
}

impl OpenFile {
    pub(super) fn new(inode: Inode, flags: OpenFlags, info: FileInfo) -> Self {
        Self {
            file: FileRef {
                inode,
                fh: info.fh,
                flags,
                lock_owner: LockOwner(0),
            },
            info,
        }
    }

    pub(super) fn handle(&self) -> Body {
        Body::new().u64(self.file.fh.raw())
    }

    /// `struct fuse_read_in` or `struct fuse_write_in`.
    pub(super) fn range(&self, offset: u64, size: u32) -> Body {
        let FileRef {
            flags, lock_owner, ..
        } = self.file;
        let range = self.handle().u64(offset).u32(size).u32(0);
        range.u64(lock_owner.raw()).i32(flags.bits()).u32(0)
    }

    /// `struct fuse_release_in`.
    pub(super) fn closing(&self, flags: ReleaseFlags) -> Body {
        let body = self.handle().i32(self.file.flags.bits()).u32(flags.bits());
        body.u64(self.file.lock_owner.raw())
    }

    /// `struct fuse_lk_in`.
    pub(super) fn lock(&self, lock: FileLock, flags: u32) -> Body {
        let kind = match lock.lock_type {
            LockType::Shared => libc::F_RDLCK,
            LockType::Exclusive => libc::F_WRLCK,
            LockType::Unlock => libc::F_UNLCK,
        };
        let last = match lock.len {
            0 => i64::MAX.cast_unsigned(),
            len => lock.start.saturating_add(len - 1),
        };
        let body = self.handle().u64(self.file.lock_owner.raw());
        let body = body.u64(lock.start).u64(last).i32(kind).u32(lock.pid);
        body.u32(flags).u32(0)
    }
}

/// An entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirEntry {
    /// The number that programs see.
    pub ino: u64,
    /// Where to go on behind it.
    pub next_id: u64,
    /// The type bits of its mode, such as `S_IFDIR`.
    pub file_type: u32,
    /// Its name.
    pub name: OsString,
    /// Its attributes, where the file system was asked for them and has given them: then its lookup
    /// count has grown by one.
    pub attr: Option<EntryAttributes>,
}
