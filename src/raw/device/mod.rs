//! Receiving from /dev/fuse, and sending to it, with less than libfuse and the C library need for it.
//!
//! System calls are made through syscall(2): read(2) and writev(2) of the C library are cancellation
//! points, which cost a program with threads two atomic instructions each. Nobody cancels our readers.

use std::ffi::c_int;
use std::os::fd::RawFd;
use std::ptr::NonNull;

use crate::Errno;
use crate::wire::IN_HEADER;

pub(super) mod busy_poll;
#[cfg(libfuse_since = "3.13")]
mod send;

#[cfg(libfuse_since = "3.13")]
pub(super) use send::install_sending;

/// As `fuse_session_receive_buf`, but never into a pipe: how many bytes were received, or minus an error
/// number.
///
/// # Safety
///
/// - `mem` has room for `len` bytes, which nobody else uses.
pub(super) unsafe fn receive(fd: RawFd, mem: NonNull<u8>, len: usize) -> c_int {
    // SAFETY: guaranteed by the caller, see above.
    let received = unsafe { libc::syscall(libc::SYS_read, fd, mem.as_ptr(), len) };
    match usize::try_from(received) {
        Ok(received) if received < IN_HEADER => -libc::EIO,
        Ok(received) => c_int::try_from(received).unwrap_or(c_int::MAX),
        Err(_) => -Errno::last().raw(),
    }
}

/// This libfuse sends by itself.
///
/// # Safety
///
/// - None.
#[cfg(not(libfuse_since = "3.13"))]
pub(super) unsafe fn install_sending(_: *mut libfuse_sys::fuse_session, _: RawFd) {}
