//! Callbacks about extended attributes.

use std::ffi::c_char;
use std::ffi::c_int;

use libfuse_sys::fuse_ino_t;
use libfuse_sys::fuse_req_t;

use super::deliver;
use super::name as owned;
use crate::Inode;
use crate::XattrFlags;
use crate::message::Operation;

/// C: `fuse_lowlevel_ops::setxattr`.
///
/// # Safety
///
/// - Called by libfuse, which gives `req` away.
/// - `name` is NUL-terminated and lives until this function returns.
/// - `value` points to `size` bytes that live until this function returns.
pub(super) unsafe extern "C" fn setxattr(
    req: fuse_req_t,
    ino: fuse_ino_t,
    name: *const c_char,
    value: *const c_char,
    size: usize,
    flags: c_int,
) {
    // SAFETY: guaranteed by the caller, see above.
    let name = unsafe { owned(name) };
    // SAFETY: guaranteed by the caller, see above.
    let value = unsafe { super::bytes(value, size) }.into();
    let flags = XattrFlags::from_bits_retain(flags);
    // SAFETY: guaranteed by the caller, see above.
    unsafe {
        deliver(
            req,
            Operation::Setxattr {
                inode: Inode(ino),
                name,
                value,
                flags,
            },
        )
    };
}

/// C: `fuse_lowlevel_ops::getxattr`.
///
/// # Safety
///
/// - Called by libfuse, which gives `req` away.
/// - `name` is NUL-terminated and lives until this function returns.
pub(super) unsafe extern "C" fn getxattr(
    req: fuse_req_t,
    ino: fuse_ino_t,
    name: *const c_char,
    size: usize,
) {
    // SAFETY: guaranteed by the caller, see above.
    let name = unsafe { owned(name) };
    // SAFETY: guaranteed by the caller, see above.
    unsafe {
        deliver(
            req,
            Operation::Getxattr {
                inode: Inode(ino),
                name,
                size,
            },
        )
    };
}

/// C: `fuse_lowlevel_ops::listxattr`.
///
/// # Safety
///
/// - Called by libfuse, which gives `req` away.
pub(super) unsafe extern "C" fn listxattr(req: fuse_req_t, ino: fuse_ino_t, size: usize) {
    // SAFETY: guaranteed by the caller, see above.
    unsafe {
        deliver(
            req,
            Operation::Listxattr {
                inode: Inode(ino),
                size,
            },
        )
    };
}

/// C: `fuse_lowlevel_ops::removexattr`.
///
/// # Safety
///
/// - Called by libfuse, which gives `req` away.
/// - `name` is NUL-terminated and lives until this function returns.
pub(super) unsafe extern "C" fn removexattr(req: fuse_req_t, ino: fuse_ino_t, name: *const c_char) {
    // SAFETY: guaranteed by the caller, see above.
    let name = unsafe { owned(name) };
    // SAFETY: guaranteed by the caller, see above.
    unsafe {
        deliver(
            req,
            Operation::Removexattr {
                inode: Inode(ino),
                name,
            },
        )
    };
}
