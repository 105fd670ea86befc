//! Callbacks about open directories.

use std::ffi::c_int;

use libfuse_sys::fuse_file_info;
use libfuse_sys::fuse_ino_t;
use libfuse_sys::fuse_req_t;

use super::deliver;
use super::open_file;
use super::open_flags;
use crate::Inode;
use crate::message::Operation;

/// C: `fuse_lowlevel_ops::opendir`.
///
/// # Safety
///
/// - Called by libfuse, which gives `req` away.
/// - `fi` lives until this function returns.
pub(super) unsafe extern "C" fn opendir(req: fuse_req_t, ino: fuse_ino_t, fi: *mut fuse_file_info) {
    // SAFETY: guaranteed by the caller, see above.
    let flags = unsafe { open_flags(fi) };
    // SAFETY: guaranteed by the caller, see above.
    unsafe {
        deliver(
            req,
            Operation::Opendir {
                inode: Inode(ino),
                flags,
            },
        )
    };
}

/// C: `fuse_lowlevel_ops::readdir`.
///
/// # Safety
///
/// - Called by libfuse, which gives `req` away.
/// - `fi` lives until this function returns.
pub(super) unsafe extern "C" fn readdir(
    req: fuse_req_t,
    ino: fuse_ino_t,
    size: usize,
    off: libc::off_t,
    fi: *mut fuse_file_info,
) {
    // SAFETY: guaranteed by the caller, see above.
    let dir = unsafe { open_file(ino, fi) };
    let start_id = off.cast_unsigned();
    // SAFETY: guaranteed by the caller, see above.
    unsafe {
        deliver(
            req,
            Operation::Readdir {
                dir,
                start_id,
                size,
                plus: false,
            },
        )
    };
}

/// C: `fuse_lowlevel_ops::readdirplus`.
///
/// # Safety
///
/// - Called by libfuse, which gives `req` away.
/// - `fi` lives until this function returns.
pub(super) unsafe extern "C" fn readdirplus(
    req: fuse_req_t,
    ino: fuse_ino_t,
    size: usize,
    off: libc::off_t,
    fi: *mut fuse_file_info,
) {
    // SAFETY: guaranteed by the caller, see above.
    let dir = unsafe { open_file(ino, fi) };
    let start_id = off.cast_unsigned();
    // SAFETY: guaranteed by the caller, see above.
    unsafe {
        deliver(
            req,
            Operation::Readdir {
                dir,
                start_id,
                size,
                plus: true,
            },
        )
    };
}

/// C: `fuse_lowlevel_ops::releasedir`.
///
/// # Safety
///
/// - Called by libfuse, which gives `req` away.
/// - `fi` lives until this function returns.
pub(super) unsafe extern "C" fn releasedir(
    req: fuse_req_t,
    ino: fuse_ino_t,
    fi: *mut fuse_file_info,
) {
    // SAFETY: guaranteed by the caller, see above.
    let dir = unsafe { open_file(ino, fi) };
    // SAFETY: guaranteed by the caller, see above.
    unsafe { deliver(req, Operation::Releasedir { dir }) };
}

/// C: `fuse_lowlevel_ops::fsyncdir`.
///
/// # Safety
///
/// - Called by libfuse, which gives `req` away.
/// - `fi` lives until this function returns.
pub(super) unsafe extern "C" fn fsyncdir(
    req: fuse_req_t,
    ino: fuse_ino_t,
    datasync: c_int,
    fi: *mut fuse_file_info,
) {
    // SAFETY: guaranteed by the caller, see above.
    let dir = unsafe { open_file(ino, fi) };
    // SAFETY: guaranteed by the caller, see above.
    unsafe {
        deliver(
            req,
            Operation::Fsyncdir {
                dir,
                datasync: datasync != 0,
            },
        )
    };
}
