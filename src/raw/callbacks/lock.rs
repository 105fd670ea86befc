//! Callbacks about locks.

use std::ffi::c_int;

use libfuse_sys::fuse_file_info;
use libfuse_sys::fuse_ino_t;
use libfuse_sys::fuse_req_t;

use super::deliver;
use super::open_file;
use crate::LockType;
use crate::message::Operation;
use crate::raw::lock;

/// C: `fuse_lowlevel_ops::getlk`.
///
/// # Safety
///
/// - Called by libfuse, which gives `req` away.
/// - `fi` and `flock` live until this function returns.
pub(super) unsafe extern "C" fn getlk(
    req: fuse_req_t,
    ino: fuse_ino_t,
    fi: *mut fuse_file_info,
    flock: *mut libc::flock,
) {
    // SAFETY: guaranteed by the caller, see above.
    let file = unsafe { open_file(ino, fi) };
    // SAFETY: guaranteed by the caller, see above.
    let lock = lock::from_c(unsafe { &*flock });
    // SAFETY: guaranteed by the caller, see above.
    unsafe { deliver(req, Operation::Getlk { file, lock }) };
}

/// C: `fuse_lowlevel_ops::setlk`.
///
/// # Safety
///
/// - Called by libfuse, which gives `req` away.
/// - `fi` and `flock` live until this function returns.
pub(super) unsafe extern "C" fn setlk(
    req: fuse_req_t,
    ino: fuse_ino_t,
    fi: *mut fuse_file_info,
    flock: *mut libc::flock,
    sleep: c_int,
) {
    // SAFETY: guaranteed by the caller, see above.
    let file = unsafe { open_file(ino, fi) };
    // SAFETY: guaranteed by the caller, see above.
    let lock = lock::from_c(unsafe { &*flock });
    let sleep = sleep != 0;
    // SAFETY: guaranteed by the caller, see above.
    unsafe { deliver(req, Operation::Setlk { file, lock, sleep }) };
}

/// C: `fuse_lowlevel_ops::flock`.
///
/// # Safety
///
/// - Called by libfuse, which gives `req` away.
/// - `fi` lives until this function returns.
pub(super) unsafe extern "C" fn flock(
    req: fuse_req_t,
    ino: fuse_ino_t,
    fi: *mut fuse_file_info,
    op: c_int,
) {
    // SAFETY: guaranteed by the caller, see above.
    let file = unsafe { open_file(ino, fi) };
    let lock_type = match op & !libc::LOCK_NB {
        libc::LOCK_SH => LockType::Shared,
        libc::LOCK_EX => LockType::Exclusive,
        _ => LockType::Unlock,
    };
    let sleep = op & libc::LOCK_NB == 0;
    // SAFETY: guaranteed by the caller, see above.
    unsafe {
        deliver(
            req,
            Operation::Flock {
                file,
                lock_type,
                sleep,
            },
        )
    };
}
