//! Callbacks about names.

use std::ffi::CStr;
use std::ffi::OsStr;
use std::ffi::c_char;
use std::ffi::c_uint;
use std::os::unix::ffi::OsStrExt;

use libfuse_sys::fuse_ino_t;
use libfuse_sys::fuse_req_t;

use super::deliver;
use super::name as owned;
use crate::Inode;
use crate::RenameFlags;
use crate::message::Operation;

/// C: `fuse_lowlevel_ops::lookup`.
///
/// # Safety
///
/// - Called by libfuse, which gives `req` away.
/// - `name` is NUL-terminated and lives until this function returns.
pub(super) unsafe extern "C" fn lookup(req: fuse_req_t, parent: fuse_ino_t, name: *const c_char) {
    // SAFETY: guaranteed by the caller, see above.
    let name = unsafe { owned(name) };
    // SAFETY: guaranteed by the caller, see above.
    unsafe {
        deliver(
            req,
            Operation::Lookup {
                parent: Inode(parent),
                name,
            },
        )
    };
}

/// C: `fuse_lowlevel_ops::mknod`.
///
/// # Safety
///
/// - Called by libfuse, which gives `req` away.
/// - `name` is NUL-terminated and lives until this function returns.
pub(super) unsafe extern "C" fn mknod(
    req: fuse_req_t,
    parent: fuse_ino_t,
    name: *const c_char,
    mode: libc::mode_t,
    rdev: libc::dev_t,
) {
    // SAFETY: guaranteed by the caller, see above.
    let name = unsafe { owned(name) };
    #[allow(
        clippy::unnecessary_cast,
        reason = "the type differs between platforms"
    )]
    let rdev = rdev as u64;
    // SAFETY: guaranteed by the caller, see above.
    unsafe {
        deliver(
            req,
            Operation::Mknod {
                parent: Inode(parent),
                name,
                mode,
                rdev,
            },
        )
    };
}

/// C: `fuse_lowlevel_ops::mkdir`.
///
/// # Safety
///
/// - Called by libfuse, which gives `req` away.
/// - `name` is NUL-terminated and lives until this function returns.
pub(super) unsafe extern "C" fn mkdir(
    req: fuse_req_t,
    parent: fuse_ino_t,
    name: *const c_char,
    mode: libc::mode_t,
) {
    // SAFETY: guaranteed by the caller, see above.
    let name = unsafe { owned(name) };
    // The kernel leaves the type out.
    let mode = mode & !libc::S_IFMT | libc::S_IFDIR;
    // SAFETY: guaranteed by the caller, see above.
    unsafe {
        deliver(
            req,
            Operation::Mkdir {
                parent: Inode(parent),
                name,
                mode,
            },
        )
    };
}

/// C: `fuse_lowlevel_ops::unlink`.
///
/// # Safety
///
/// - Called by libfuse, which gives `req` away.
/// - `name` is NUL-terminated and lives until this function returns.
pub(super) unsafe extern "C" fn unlink(req: fuse_req_t, parent: fuse_ino_t, name: *const c_char) {
    // SAFETY: guaranteed by the caller, see above.
    let name = unsafe { owned(name) };
    // SAFETY: guaranteed by the caller, see above.
    unsafe {
        deliver(
            req,
            Operation::Unlink {
                parent: Inode(parent),
                name,
            },
        )
    };
}

/// C: `fuse_lowlevel_ops::rmdir`.
///
/// # Safety
///
/// - Called by libfuse, which gives `req` away.
/// - `name` is NUL-terminated and lives until this function returns.
pub(super) unsafe extern "C" fn rmdir(req: fuse_req_t, parent: fuse_ino_t, name: *const c_char) {
    // SAFETY: guaranteed by the caller, see above.
    let name = unsafe { owned(name) };
    // SAFETY: guaranteed by the caller, see above.
    unsafe {
        deliver(
            req,
            Operation::Rmdir {
                parent: Inode(parent),
                name,
            },
        )
    };
}

/// C: `fuse_lowlevel_ops::symlink`.
///
/// # Safety
///
/// - Called by libfuse, which gives `req` away.
/// - `link`, the target, and `name` are NUL-terminated and live until this function returns.
pub(super) unsafe extern "C" fn symlink(
    req: fuse_req_t,
    link: *const c_char,
    parent: fuse_ino_t,
    name: *const c_char,
) {
    // SAFETY: guaranteed by the caller, see above.
    let name = unsafe { owned(name) };
    // SAFETY: guaranteed by the caller, see above.
    let target = unsafe { CStr::from_ptr(link) }.to_bytes();
    let target = OsStr::from_bytes(target).to_owned();
    // SAFETY: guaranteed by the caller, see above.
    unsafe {
        deliver(
            req,
            Operation::Symlink {
                parent: Inode(parent),
                name,
                target,
            },
        )
    };
}

/// C: `fuse_lowlevel_ops::rename`.
///
/// # Safety
///
/// - Called by libfuse, which gives `req` away.
/// - `name` and `newname` are NUL-terminated and live until this function returns.
pub(super) unsafe extern "C" fn rename(
    req: fuse_req_t,
    parent: fuse_ino_t,
    name: *const c_char,
    newparent: fuse_ino_t,
    newname: *const c_char,
    flags: c_uint,
) {
    // SAFETY: guaranteed by the caller, see above.
    let name = unsafe { owned(name) };
    // SAFETY: guaranteed by the caller, see above.
    let new_name = unsafe { owned(newname) };
    let names = Box::new([name, new_name]);
    let flags = RenameFlags::from_bits_retain(flags);
    let (parent, new_parent) = (Inode(parent), Inode(newparent));
    // SAFETY: guaranteed by the caller, see above.
    unsafe {
        deliver(
            req,
            Operation::Rename {
                parent,
                new_parent,
                names,
                flags,
            },
        )
    };
}

/// C: `fuse_lowlevel_ops::link`.
///
/// # Safety
///
/// - Called by libfuse, which gives `req` away.
/// - `newname` is NUL-terminated and lives until this function returns.
pub(super) unsafe extern "C" fn link(
    req: fuse_req_t,
    ino: fuse_ino_t,
    newparent: fuse_ino_t,
    newname: *const c_char,
) {
    // SAFETY: guaranteed by the caller, see above.
    let new_name = unsafe { owned(newname) };
    let (inode, new_parent) = (Inode(ino), Inode(newparent));
    // SAFETY: guaranteed by the caller, see above.
    unsafe {
        deliver(
            req,
            Operation::Link {
                inode,
                new_parent,
                new_name,
            },
        )
    };
}
