//! System calls that the standard library does not have.

use std::ffi::CStr;
use std::io;
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;

fn check(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

pub(crate) fn umount2(path: &CStr, flags: i32) -> io::Result<()> {
    // SAFETY: the path is NUL-terminated.
    let result = unsafe { libc::umount2(path.as_ptr(), flags) };
    check(result as isize).map(drop)
}

pub(crate) fn geteuid() -> u32 {
    // SAFETY: no preconditions.
    unsafe { libc::geteuid() }
}

/// Whether the effective user may access the path in this way.
pub(crate) fn may_access(path: &CStr, mode: i32) -> io::Result<()> {
    // SAFETY: the path is NUL-terminated.
    let result = unsafe { libc::faccessat(libc::AT_FDCWD, path.as_ptr(), mode, libc::AT_EACCESS) };
    check(result as isize).map(drop)
}

pub(crate) fn syncfs(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the descriptor is open.
    let result = unsafe { libc::syncfs(fd.as_raw_fd()) };
    check(result as isize).map(drop)
}

pub(crate) fn setxattr(path: &CStr, name: &CStr, value: &[u8]) -> io::Result<()> {
    // SAFETY: path and name are NUL-terminated, and `value` has the length given.
    let result = unsafe {
        libc::setxattr(
            path.as_ptr(),
            name.as_ptr(),
            value.as_ptr().cast(),
            value.len(),
            0,
        )
    };
    check(result as isize).map(drop)
}

/// Number of bytes of the value; with an empty `value`, that would be needed.
pub(crate) fn getxattr(path: &CStr, name: &CStr, value: &mut [u8]) -> io::Result<usize> {
    // SAFETY: path and name are NUL-terminated, and `value` has room for the length given.
    let result = unsafe {
        libc::getxattr(
            path.as_ptr(),
            name.as_ptr(),
            value.as_mut_ptr().cast(),
            value.len(),
        )
    };
    check(result)
}
