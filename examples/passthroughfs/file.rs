//! Open files.

use std::io::IoSlice;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use libfuse3::BackingFile;
use libfuse3::BackingId;
use libfuse3::Data;
use libfuse3::Errno;
use libfuse3::FallocateFlags;
use libfuse3::LockType;
use libfuse3::OpenFlags;
use libfuse3::RequestContext;
use libfuse3::Result;
use libfuse3::SeekTarget;
use libfuse3::WriteBuf;
use rustix::buffer::spare_capacity;
use rustix::fs::FileType;
use rustix::fs::FlockOperation;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::SeekFrom;
use rustix::io::ReadWriteFlags;

use crate::caller::Caller;
use crate::path_fd::PathFd;
use crate::path_fd::errno;
use crate::path_fd::may_be_forbidden;
use crate::path_fd::permissions;

#[derive(Debug)]
pub(crate) struct OpenFile {
    fd: Arc<OwnedFd>,
    /// For the kernel to keep it.
    backing: Option<Arc<BackingFile>>,
    /// Whether a lock on the source file is held.
    is_locked: AtomicBool,
    /// Whether a descriptor of the caller's was closed while it was.
    is_closed_locked: AtomicBool,
}

impl AsFd for OpenFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl From<OwnedFd> for OpenFile {
    fn from(fd: OwnedFd) -> Self {
        Self {
            fd: Arc::new(fd),
            backing: None,
            is_locked: AtomicBool::new(false),
            is_closed_locked: AtomicBool::new(false),
        }
    }
}

impl OpenFile {
    /// Opens a file that a program opens with `flags`, with `source_flags`.
    pub(crate) fn open(inode: &PathFd, flags: OpenFlags, source_flags: OFlags) -> Result<Self> {
        let fd = match inode.reopen(source_flags) {
            // A file with the attribute `a` can be opened for appending only.
            Err(Errno::EPERM) if flags.contains(OpenFlags::APPEND) => {
                inode.reopen(source_flags | OFlags::APPEND)
            }
            result => result,
        }?;
        Ok(fd.into())
    }

    /// Leaves reading and writing to the kernel.
    pub(crate) fn set_backing(&mut self, backing: Arc<BackingFile>) {
        self.backing = Some(backing);
    }

    /// By what the kernel knows the file that it reads and writes.
    pub(crate) fn backing_id(&self) -> Option<BackingId> {
        self.backing.as_ref().map(|backing| backing.id())
    }

    /// `size` bytes for the kernel to read; fewer at the end.
    pub(crate) fn splice_from(&self, offset: u64, size: usize) -> Data {
        // There are threads enough to wait for a disk.
        Data::from_fd(Arc::clone(&self.fd), offset, size).at_hand()
    }

    /// Reads `size` bytes; fewer only at the end, since the kernel takes less for the end.
    pub(crate) fn read(&self, offset: u64, size: usize) -> Result<Vec<u8>> {
        let mut data = Vec::with_capacity(size);
        while data.len() < size {
            let here = offset + data.len() as u64;
            match rustix::io::pread(&self.fd, spare_capacity(&mut data), here) {
                Ok(0) => break,
                Ok(_) | Err(rustix::io::Errno::INTR) => (),
                Err(error) => return Err(errno(error)),
            }
        }
        // The buffer may have become larger than it was asked to be.
        data.truncate(size);
        Ok(data)
    }

    /// Clears the set-user-id and set-group-id bits that the file must not keep when this caller writes, who
    /// has no `CAP_FSETID`.
    pub(crate) fn drop_set_id(&self, ctx: &RequestContext) -> Result<()> {
        let stat = rustix::fs::fstat(&self.fd).map_err(errno)?;
        let mode = permissions(stat.st_mode);
        let is_regular = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        if is_regular && mode.intersects(Mode::SUID | Mode::SGID) {
            let left = Caller::of(ctx).mode_after_write(mode, stat.st_gid);
            if left != mode {
                let result = rustix::fs::fchmod(&self.fd, left).map_err(errno);
                return may_be_forbidden(result);
            }
        }
        Ok(())
    }

    /// Writes all of `data` at `offset`; less only if that fails on the way.
    pub(crate) fn write(&self, offset: u64, mut data: WriteBuf) -> Result<usize> {
        data.write_to(&self.fd, offset, data.len())
    }

    /// Writes all of `data` at the end of the file; less only if that fails on the way.
    pub(crate) fn append(&self, data: &[u8]) -> Result<usize> {
        // The descriptor lacks O_APPEND, which would send what the kernel writes out of its cache to
        // the end as well; and a program may switch the flag on and off.
        let flags = ReadWriteFlags::APPEND;
        let mut written = 0;
        while written < data.len() {
            let rest = IoSlice::new(&data[written..]);
            match rustix::io::pwritev2(&self.fd, &[rest], 0, flags) {
                Ok(0) => break,
                Ok(count) => written += count,
                Err(rustix::io::Errno::INTR) => (),
                Err(_) if written > 0 => break,
                Err(error) => return Err(errno(error)),
            }
        }
        Ok(written)
    }

    /// Reserves or frees space. May take long.
    pub(crate) fn allocate(&self, mode: FallocateFlags, offset: u64, len: u64) -> Result<()> {
        let mode = rustix::fs::FallocateFlags::from_bits_retain(mode.bits().cast_unsigned());
        rustix::fs::fallocate(&self.fd, mode, offset, len).map_err(errno)
    }

    /// Where the next data or hole is. The descriptor's own position, which this moves, is not used.
    pub(crate) fn seek(&self, offset: u64, target: SeekTarget) -> Result<u64> {
        let target = match target {
            SeekTarget::Data => SeekFrom::Data(offset),
            SeekTarget::Hole => SeekFrom::Hole(offset),
        };
        rustix::fs::seek(&self.fd, target).map_err(errno)
    }

    /// Copies within the source, which may do so without reading. May take long.
    pub(crate) fn copy_to(
        &self,
        mut from: u64,
        target: &Self,
        mut to: u64,
        len: usize,
    ) -> Result<usize> {
        rustix::fs::copy_file_range(&self.fd, Some(&mut from), &target.fd, Some(&mut to), len)
            .map_err(errno)
    }

    /// Locks the source file if nobody else's lock is in the way; closing it gives the lock back.
    pub(crate) fn lock(&self, lock_type: LockType) -> Result<()> {
        let operation = match lock_type {
            LockType::Shared => FlockOperation::NonBlockingLockShared,
            LockType::Exclusive => FlockOperation::NonBlockingLockExclusive,
            LockType::Unlock => FlockOperation::Unlock,
        };
        rustix::fs::flock(&self.fd, operation).map_err(errno)?;
        let is_locked = lock_type != LockType::Unlock;
        self.is_locked.store(is_locked, Ordering::Relaxed);
        self.is_closed_locked.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Whether the last descriptor may be closed already, and the lock about to be released with it.
    pub(crate) fn may_be_about_to_unlock(&self) -> bool {
        self.is_closed_locked.load(Ordering::Relaxed)
    }

    /// Reports what closing the source file reports: some file systems tell of lost data there.
    ///
    /// The lock stays: other descriptors of the open file may be left.
    pub(crate) fn flush(&self) -> Result<()> {
        let is_locked = self.is_locked.load(Ordering::Relaxed);
        self.is_closed_locked.store(is_locked, Ordering::Relaxed);
        let duplicate = rustix::io::fcntl_dupfd_cloexec(&self.fd, 0).map_err(errno)?;
        nix::unistd::close(duplicate)
            .map_err(|error| Errno::from_raw(error as i32).unwrap_or(Errno::EIO))
    }
}

/// `fsync` or `fdatasync`. May take long.
pub(crate) fn sync(fd: impl AsFd, datasync: bool) -> Result<()> {
    if datasync {
        rustix::fs::fdatasync(fd)
    } else {
        rustix::fs::fsync(fd)
    }
    .map_err(errno)
}

/// The flags to open the source with, for a file that a program opened with `flags`.
///
/// `O_APPEND` is left to [`OpenFile::append`]. `O_DIRECT` would put conditions on our buffers, and the
/// cache that it is to bypass is the mirror's.
pub(crate) fn source_flags(flags: OpenFlags, writeback: bool) -> OFlags {
    let passed_on = OpenFlags::WRONLY
        | OpenFlags::RDWR
        | OpenFlags::TRUNC
        | OpenFlags::SYNC
        | OpenFlags::DSYNC
        | OpenFlags::NOATIME
        | OpenFlags::NONBLOCK;
    let mut source = OFlags::from_bits_retain((flags & passed_on).bits().cast_unsigned());
    if writeback && source.contains(OFlags::WRONLY) {
        // The kernel reads the pages that it is to write parts of.
        source.remove(OFlags::WRONLY);
        source.insert(OFlags::RDWR);
    }
    source | OFlags::CLOEXEC
}
