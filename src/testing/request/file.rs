//! Requests on open files.

use super::super::encode::Body;
use super::super::types::OpenFile;
use super::Request;
use super::at_most;
use super::count;
use super::done;
use crate::FallocateFlags;
use crate::Inode;
use crate::OpenFlags;
use crate::PollEvents;
use crate::ReleaseFlags;
use crate::SeekTarget;
use crate::wire::Opcode;

impl Request<OpenFile> {
    /// See [`MockKernel::open`](crate::testing::MockKernel::open).
    pub fn open(inode: Inode, flags: OpenFlags) -> Self {
        Self::opening(
            Opcode::Open,
            inode,
            flags - OpenFlags::CREAT - OpenFlags::EXCL,
        )
    }
}

impl Request<Vec<u8>> {
    /// At most `size` bytes from `offset` on.
    pub fn read(file: &OpenFile, offset: u64, size: u32) -> Self {
        let body = file.range(offset, size);
        Self::new(Opcode::Read, file.file.inode, body, at_most(size))
    }
}

impl Request<usize> {
    /// Writes all of `data`, which must not be longer than
    /// [`MockKernel::max_write`](crate::testing::MockKernel::max_write); the number of bytes written.
    pub fn write(file: &OpenFile, offset: u64, data: &[u8]) -> Self {
        let size = u32::try_from(data.len()).unwrap_or(u32::MAX);
        let body = file.range(offset, size).bytes(data);
        let decode = count(data.len());
        Self::new(Opcode::Write, file.file.inode, body, decode)
    }

    /// See [`MockKernel::copy_file_range`](crate::testing::MockKernel::copy_file_range).
    pub fn copy_file_range(from: (&OpenFile, u64), to: (&OpenFile, u64), len: usize) -> Self {
        let ((file_in, offset_in), (file_out, offset_out)) = (from, to);
        let body = Body::new()
            .u64(file_in.file.fh.raw())
            .u64(offset_in)
            .u64(file_out.file.inode.raw())
            .u64(file_out.file.fh.raw())
            .u64(offset_out)
            .u64(len as u64)
            .u64(0);
        Self::new(Opcode::CopyFileRange, file_in.file.inode, body, count(len))
    }
}

impl Request<()> {
    /// See [`MockKernel::flush`](crate::testing::MockKernel::flush).
    pub fn flush(file: &OpenFile) -> Self {
        let body = file.handle().u64(0).u64(file.file.lock_owner.raw());
        Self::new(Opcode::Flush, file.file.inode, body, done)
    }

    /// See [`MockKernel::release`](crate::testing::MockKernel::release).
    pub fn release(file: OpenFile, flags: ReleaseFlags) -> Self {
        let body = file.closing(flags);
        Self::new(Opcode::Release, file.file.inode, body, done)
    }

    /// See [`MockKernel::fsync`](crate::testing::MockKernel::fsync).
    pub fn fsync(file: &OpenFile, datasync: bool) -> Self {
        let body = file.handle().u32(u32::from(datasync)).u32(0);
        Self::new(Opcode::Fsync, file.file.inode, body, done)
    }

    /// See [`MockKernel::fallocate`](crate::testing::MockKernel::fallocate).
    pub fn fallocate(file: &OpenFile, mode: FallocateFlags, offset: u64, len: u64) -> Self {
        let body = file.handle().u64(offset).u64(len).i32(mode.bits()).u32(0);
        Self::new(Opcode::Fallocate, file.file.inode, body, done)
    }
}

impl Request<u64> {
    /// See [`MockKernel::lseek`](crate::testing::MockKernel::lseek).
    pub fn lseek(file: &OpenFile, offset: u64, target: SeekTarget) -> Self {
        let whence = match target {
            SeekTarget::Data => libc::SEEK_DATA,
            SeekTarget::Hole => libc::SEEK_HOLE,
        };
        let body = file.handle().u64(offset).i32(whence).u32(0);
        Self::new(Opcode::Lseek, file.file.inode, body, |body, _| {
            let offset = body.u64()?;
            body.end()?;
            Ok(offset)
        })
    }
}

impl Request<PollEvents> {
    /// See [`MockKernel::poll`](crate::testing::MockKernel::poll).
    pub fn poll(file: &OpenFile, events: PollEvents, wake_up: Option<u64>) -> Self {
        // FUSE_POLL_SCHEDULE_NOTIFY
        let flags = u32::from(wake_up.is_some());
        let handle = file.handle().u64(wake_up.unwrap_or(0));
        let body = handle.u32(flags).u32(events.bits());
        Self::new(Opcode::Poll, file.file.inode, body, |body, _| {
            let (events, _) = (body.u32()?, body.u32()?);
            body.end()?;
            Ok(PollEvents::from_bits_retain(events))
        })
    }
}
