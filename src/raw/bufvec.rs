//! `struct fuse_bufvec`: bytes in memory or behind a descriptor.

use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;
use std::os::fd::RawFd;

use bytes::Bytes;
use libfuse_sys as sys;

use crate::Errno;
use crate::Result;

/// `len` bytes of a descriptor, from where it is.
pub(super) fn of_fd(fd: RawFd, len: usize, flags: sys::fuse_buf_flags) -> sys::fuse_bufvec {
    let mut bufvec = sys::fuse_bufvec {
        count: 1,
        ..sys::fuse_bufvec::default()
    };
    bufvec.buf[0].size = len;
    bufvec.buf[0].flags = sys::FUSE_BUF_IS_FD | flags;
    bufvec.buf[0].fd = fd;
    bufvec
}

/// `len` bytes of a file, from `offset` on; all of them, even if it takes several calls.
pub(super) fn at(fd: RawFd, offset: i64, len: usize) -> sys::fuse_bufvec {
    let mut bufvec = of_fd(fd, len, sys::FUSE_BUF_FD_SEEK | sys::FUSE_BUF_FD_RETRY);
    bufvec.buf[0].pos = offset;
    bufvec
}

/// Copies from one to the other, and returns how many bytes: fewer than both have room for if that fails
/// on the way.
///
/// # Safety
///
/// - The memory, or the descriptors, of both are valid, and nobody else uses the memory.
pub(super) unsafe fn copy(
    destination: &mut sys::fuse_bufvec,
    source: &mut sys::fuse_bufvec,
    flags: sys::fuse_buf_copy_flags,
) -> Result<usize> {
    loop {
        // SAFETY: guaranteed by the caller, see above.
        let copied = unsafe { sys::fuse_buf_copy(destination, source, flags) };
        if let Ok(copied) = usize::try_from(copied) {
            return Ok(copied);
        }
        // Nothing has been copied.
        match Errno::from_negative(i32::try_from(copied).unwrap_or(-libc::EIO)) {
            Errno::EINTR => (),
            errno => return Err(errno),
        }
    }
}

/// Copies what libfuse has received, which may still be in a pipe, into memory.
///
/// # Safety
///
/// - `source` is what libfuse has given to a callback that has not returned yet.
pub(super) unsafe fn copy_out(source: &mut sys::fuse_bufvec) -> Result<Bytes> {
    // SAFETY: guaranteed by the caller, see above.
    let len = unsafe { sys::fuse_buf_size(source) };
    let mut bytes = vec![0_u8; len];
    let mut destination = sys::fuse_bufvec {
        count: 1,
        ..sys::fuse_bufvec::default()
    };
    destination.buf[0].size = len;
    destination.buf[0].mem = bytes.as_mut_ptr().cast();
    // SAFETY: the source is valid, see above, and the destination has room for all of it.
    let copied = unsafe { copy(&mut destination, source, 0) }?;
    bytes.truncate(copied);
    Ok(bytes.into())
}

/// Writes all of `bytes` at `offset` of a file; less only if that fails on the way.
pub(crate) fn write_at(file: BorrowedFd<'_>, bytes: &[u8], offset: i64) -> Result<usize> {
    let mut source = sys::fuse_bufvec {
        count: 1,
        ..sys::fuse_bufvec::default()
    };
    source.buf[0].size = bytes.len();
    source.buf[0].mem = bytes.as_ptr().cast_mut().cast();
    let mut destination = at(file.as_raw_fd(), offset, bytes.len());
    // SAFETY: the descriptor is open, and libfuse only reads the memory of a source.
    unsafe { copy(&mut destination, &mut source, 0) }
}
