//! The answers of a file system, as the kernel reads them.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use super::types::DirEntry;
use crate::EntryAttributes;
use crate::Errno;
use crate::FileHandle;
use crate::FileInfo;
use crate::FileLock;
use crate::Inode;
use crate::LockType;
use crate::Result;
use crate::StatvfsData;
use crate::Timestamp;

/// `struct fuse_attr`.
const ATTR_LEN: usize = 88;
/// `struct fuse_entry_out`.
pub(super) const ENTRY_LEN: usize = 40 + ATTR_LEN;
/// `struct fuse_dirent` without its name.
const DIRENT_LEN: usize = 24;

/// The body of an answer, read from its beginning. What is too short is answered with `EIO`, as by the
/// kernel.
pub(super) struct Body<'a>(pub(super) &'a [u8]);

impl<'a> Body<'a> {
    pub(super) fn bytes(&mut self, len: usize) -> Result<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(len).ok_or(Errno::EIO)?;
        self.0 = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(Errno::EIO)?;
        self.0 = rest;
        Ok(*bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16> {
        self.array().map(u16::from_ne_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_ne_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_ne_bytes)
    }

    /// Nothing may be left.
    pub(super) fn end(&self) -> Result<()> {
        match self.0 {
            [] => Ok(()),
            _ => Err(Errno::EIO),
        }
    }

    /// A name up to its NUL.
    pub(super) fn name(&mut self, len: usize) -> Result<OsString> {
        Ok(OsString::from_vec(self.bytes(len)?.to_vec()))
    }

    /// `struct fuse_attr`, for this inode.
    fn attr(&mut self, inode: Inode, timeouts: [Duration; 2]) -> Result<EntryAttributes> {
        let stat_ino = Some(self.u64()?).filter(|number| *number != inode.raw());
        let (size, blocks) = (self.u64()?, self.u64()?);
        let seconds = [self.u64()?, self.u64()?, self.u64()?];
        let nanos = [self.u32()?, self.u32()?, self.u32()?];
        let [atime, mtime, ctime] = [0, 1, 2].map(|index| {
            let secs = seconds[index].cast_signed();
            Timestamp::new(secs, i64::from(nanos[index]))
        });
        let (mode, nlink, uid, gid) = (self.u32()?, self.u32()?, self.u32()?, self.u32()?);
        let (rdev, blksize, _flags) = (self.u32()?, self.u32()?, self.u32()?);
        Ok(EntryAttributes {
            ino: inode,
            stat_ino,
            generation: 0,
            entry_timeout: timeouts[0],
            attr_timeout: timeouts[1],
            mode,
            nlink,
            uid,
            gid,
            rdev: u64::from(rdev),
            size,
            blksize,
            blocks,
            atime,
            mtime,
            ctime,
        })
    }

    /// `struct fuse_attr_out`.
    pub(super) fn attributes(&mut self, inode: Inode) -> Result<EntryAttributes> {
        let (secs, nanos, _) = (self.u64()?, self.u32()?, self.u32()?);
        let timeout = duration(secs, nanos);
        self.attr(inode, [Duration::ZERO, timeout])
    }

    /// `struct fuse_entry_out`.
    pub(super) fn entry(&mut self) -> Result<EntryAttributes> {
        let (node, generation) = (self.u64()?, self.u64()?);
        let secs = [self.u64()?, self.u64()?];
        let nanos = [self.u32()?, self.u32()?];
        let timeouts = [0, 1].map(|index| duration(secs[index], nanos[index]));
        let attr = self.attr(Inode(node), timeouts)?;
        Ok(EntryAttributes { generation, ..attr })
    }

    /// As [`entry`](Self::entry), of something that is there.
    pub(super) fn new_entry(&mut self) -> Result<EntryAttributes> {
        let entry = self.entry()?;
        match entry.ino {
            Inode(0) => Err(Errno::EIO),
            _ => Ok(entry),
        }
    }

    /// `struct fuse_open_out`.
    pub(super) fn file_info(&mut self) -> Result<FileInfo> {
        let fh = FileHandle(self.u64()?);
        let (flags, _backing_id) = (self.u32()?, self.u32()?);
        // FOPEN_*
        let is_set = |bit: u32| flags & 1 << bit != 0;
        Ok(FileInfo {
            fh,
            direct_io: is_set(0),
            keep_cache: is_set(1),
            nonseekable: is_set(2),
            cache_readdir: is_set(3),
            noflush: is_set(5),
            parallel_direct_writes: is_set(6),
            // Never offered here.
            backing_id: None,
        })
    }

    /// `struct fuse_kstatfs`.
    pub(super) fn statfs(&mut self) -> Result<StatvfsData> {
        let (blocks, bfree, bavail) = (self.u64()?, self.u64()?, self.u64()?);
        let (files, ffree) = (self.u64()?, self.u64()?);
        let (bsize, namemax, frsize) = (self.u32()?, self.u32()?, self.u32()?);
        self.bytes(28)?;
        Ok(StatvfsData {
            bsize,
            frsize,
            blocks,
            bfree,
            bavail,
            files,
            ffree,
            favail: ffree,
            namemax,
        })
    }

    /// `struct fuse_file_lock`; `None` if it is that of no lock.
    pub(super) fn lock(&mut self) -> Result<Option<FileLock>> {
        let (start, end) = (self.u64()?, self.u64()?);
        let (lock_type, pid) = (self.u32()?.cast_signed(), self.u32()?);
        let lock_type = match lock_type {
            libc::F_RDLCK => LockType::Shared,
            libc::F_WRLCK => LockType::Exclusive,
            libc::F_UNLCK => return Ok(None),
            _ => return Err(Errno::EIO),
        };
        // The end of the largest file that there can be.
        let is_open = end >= i64::MAX.cast_unsigned();
        let len = if is_open {
            0
        } else {
            end.wrapping_sub(start).wrapping_add(1)
        };
        Ok(Some(FileLock {
            lock_type,
            start,
            len,
            pid,
        }))
    }

    /// The entries of a directory; with `plus`, each with its attributes before it.
    pub(super) fn entries(&mut self, plus: bool) -> Result<Vec<DirEntry>> {
        let mut entries = Vec::new();
        while !self.0.is_empty() {
            let attr = plus.then(|| self.entry()).transpose()?;
            let (ino, next_id) = (self.u64()?, self.u64()?);
            let (name_len, kind) = (self.u32()? as usize, self.u32()?);
            let name = self.name(name_len)?;
            let is_plain = !name.is_empty() && !name.as_encoded_bytes().contains(&b'/');
            if !is_plain || next_id == 0 {
                return Err(Errno::EIO);
            }
            let padding = (DIRENT_LEN + name_len).next_multiple_of(8) - DIRENT_LEN - name_len;
            self.bytes(padding)?;
            entries.push(DirEntry {
                ino,
                next_id,
                file_type: kind << 12,
                name,
                attr: attr.filter(|attr| attr.ino != Inode(0)),
            });
        }
        Ok(entries)
    }
}

fn duration(secs: u64, nanos: u32) -> Duration {
    // Which an impossible number of nanoseconds could overflow.
    Duration::from_secs(secs).saturating_add(Duration::from_nanos(u64::from(nanos)))
}
