//! `struct flock` to [`FileLock`] and back.

use std::ffi::c_int;
use std::mem;

use crate::FileLock;
use crate::LockType;

/// What the constants of `fcntl(2)` mean.
fn lock_type(number: c_int) -> LockType {
    match number {
        libc::F_RDLCK => LockType::Shared,
        libc::F_WRLCK => LockType::Exclusive,
        _ => LockType::Unlock,
    }
}

/// A lock as libfuse gives it: with `l_whence` `SEEK_SET`.
pub(super) fn from_c(flock: &libc::flock) -> FileLock {
    FileLock {
        lock_type: lock_type(flock.l_type.into()),
        start: flock.l_start.cast_unsigned(),
        len: flock.l_len.cast_unsigned(),
        pid: flock.l_pid.cast_unsigned(),
    }
}

/// A lock whose range is one that files can have.
pub(super) fn to_c(lock: &FileLock) -> libc::flock {
    // SAFETY: all-zero is a valid `struct flock`.
    let mut flock: libc::flock = unsafe { mem::zeroed() };
    flock.l_type = match lock.lock_type {
        LockType::Shared => libc::F_RDLCK,
        LockType::Exclusive => libc::F_WRLCK,
        LockType::Unlock => libc::F_UNLCK,
    } as _;
    flock.l_whence = libc::SEEK_SET as _;
    flock.l_start = lock.start.cast_signed();
    flock.l_len = lock.len.cast_signed();
    flock.l_pid = lock.pid.cast_signed();
    flock
}
