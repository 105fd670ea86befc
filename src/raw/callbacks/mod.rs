//! [2] C callbacks: copy the arguments, hand on a message, return.
//!
//! Nothing is decided here, nothing blocks, and nothing can panic but for lack of memory, which
//! ends the process anyway: no unwinding can reach C.

mod dir;
mod file;
mod inode;
mod lock;
mod misc;
mod retrieve;
mod tree;
mod xattr;

use std::ffi::CStr;
use std::ffi::c_char;
use std::slice;

use libfuse_sys as sys;

use super::inbox::Inbox;
use super::request::RawRequest;
use super::session::RawSession;
use super::shim;
use crate::Capabilities;
use crate::FileHandle;
use crate::FileRef;
use crate::Inode;
use crate::LockOwner;
use crate::OpenFlags;
use crate::message::Message;
use crate::message::Name;
use crate::message::Operation;
use crate::request::Request;

/// The slots that are filled in sessions that C makes. They have one more: C may destroy such a session at
/// any time.
pub(super) fn foreign_operations() -> sys::fuse_lowlevel_ops {
    sys::fuse_lowlevel_ops {
        destroy: Some(misc::destroy),
        ..operations()
    }
}

/// The slots of `fuse_lowlevel_ops` that are filled.
///
/// Some switch something on by being there: `getlk`, `setlk` and `flock` locks that the kernel leaves
/// to the file system, `write_buf` splicing. `ConnInfo::apply_defaults` switches that off again. Left out is
/// `write`, which libfuse does not call where it finds `write_buf`.
pub(super) fn operations() -> sys::fuse_lowlevel_ops {
    sys::fuse_lowlevel_ops {
        init: Some(misc::init),
        // inode
        forget: Some(inode::forget),
        forget_multi: Some(inode::forget_multi),
        getattr: Some(inode::getattr),
        setattr: Some(inode::setattr),
        #[cfg(libfuse_since = "3.18")]
        statx: Some(inode::statx),
        readlink: Some(inode::readlink),
        access: Some(inode::access),
        // tree
        lookup: Some(tree::lookup),
        mknod: Some(tree::mknod),
        mkdir: Some(tree::mkdir),
        unlink: Some(tree::unlink),
        rmdir: Some(tree::rmdir),
        symlink: Some(tree::symlink),
        rename: Some(tree::rename),
        link: Some(tree::link),
        // file
        open: Some(file::open),
        create: Some(file::create),
        #[cfg(libfuse_since = "3.17")]
        tmpfile: Some(file::tmpfile),
        read: Some(file::read),
        write_buf: Some(file::write_buf),
        flush: Some(file::flush),
        release: Some(file::release),
        fsync: Some(file::fsync),
        fallocate: Some(file::fallocate),
        lseek: Some(file::lseek),
        copy_file_range: Some(file::copy_file_range),
        // lock
        getlk: Some(lock::getlk),
        setlk: Some(lock::setlk),
        flock: Some(lock::flock),
        // dir
        opendir: Some(dir::opendir),
        readdir: Some(dir::readdir),
        readdirplus: Some(dir::readdirplus),
        releasedir: Some(dir::releasedir),
        fsyncdir: Some(dir::fsyncdir),
        // misc
        statfs: Some(misc::statfs),
        #[cfg(libfuse_has = "syncfs")]
        syncfs: Some(misc::syncfs),
        ioctl: Some(misc::ioctl),
        poll: Some(misc::poll),
        bmap: Some(misc::bmap),
        retrieve_reply: Some(retrieve::retrieve_reply),
        // xattr
        setxattr: Some(xattr::setxattr),
        getxattr: Some(xattr::getxattr),
        listxattr: Some(xattr::listxattr),
        removexattr: Some(xattr::removexattr),
        ..sys::fuse_lowlevel_ops::default()
    }
}

/// Hands a request on.
///
/// # Safety
///
/// - `req` was given to a callback by libfuse, and the callback does nothing else with it.
#[inline(always)] // What the request is about is known in each callback.
unsafe fn deliver(req: sys::fuse_req_t, operation: Operation) {
    // SAFETY: guaranteed by the caller, see above.
    unsafe { deliver_killing(req, operation, false) };
}

/// Hands a request on that has to clear set-user-id bits, or not.
///
/// # Safety
///
/// - `req` was given to a callback by libfuse, and the callback does nothing else with it.
#[inline(always)] // As above.
unsafe fn deliver_killing(req: sys::fuse_req_t, operation: Operation, kill_suidgid: bool) {
    // SAFETY: guaranteed by the caller, see above.
    let mut request = unsafe { RawRequest::new(req, operation) };
    if kill_suidgid {
        request.set_kill_suidgid();
    }
    RawSession::deliver(Message::Request(Request::new(request)), || {
        // SAFETY: guaranteed by the caller, see above.
        unsafe { session(req) }
    });
}

/// The session that a request belongs to.
///
/// # Safety
///
/// - `req` was given to a callback by libfuse, which runs.
#[inline]
unsafe fn session<'a>(req: sys::fuse_req_t) -> &'a RawSession {
    // SAFETY: guaranteed by the caller, see above.
    let userdata = unsafe { sys::fuse_req_userdata(req) };
    // SAFETY: the userdata of each session is its `RawSession`, which lives as long as the session.
    unsafe { &*userdata.cast::<RawSession>() }
}

/// # Safety
///
/// - `bytes` is NUL-terminated and lives until this function returns.
unsafe fn name(bytes: *const c_char) -> Name {
    // SAFETY: guaranteed by the caller, see above.
    Name::new(unsafe { CStr::from_ptr(bytes) }.to_bytes())
}

/// # Safety
///
/// - `fi` is NULL or what libfuse has given to the callback.
unsafe fn file_ref(inode: sys::fuse_ino_t, fi: *const sys::fuse_file_info) -> Option<FileRef> {
    // SAFETY: guaranteed by the caller, see above.
    let fi = unsafe { fi.as_ref() }?;
    Some(FileRef {
        inode: Inode(inode),
        fh: FileHandle(fi.fh),
        flags: OpenFlags::from_bits_retain(fi.flags),
        lock_owner: LockOwner(fi.lock_owner),
    })
}

/// As [`file_ref`], for operations that always have an open file.
///
/// # Safety
///
/// - `fi` is what libfuse has given to the callback.
unsafe fn open_file(inode: sys::fuse_ino_t, fi: *const sys::fuse_file_info) -> FileRef {
    // SAFETY: guaranteed by the caller, see above.
    let file = unsafe { file_ref(inode, fi) };
    file.unwrap_or(FileRef {
        inode: Inode(inode),
        fh: FileHandle(0),
        flags: OpenFlags::empty(),
        lock_owner: LockOwner(0),
    })
}

/// The input bit fields of `fuse_file_info`, as `SHIM_` bits.
///
/// # Safety
///
/// - `fi` is what libfuse has given to the callback.
unsafe fn file_bits(fi: *const sys::fuse_file_info) -> u32 {
    // SAFETY: guaranteed by the caller, see above.
    unsafe { shim::shim_file_info_get(fi) }
}

/// Whether an `open` or `create` says that set-user-id bits are to be cleared. `None` in sessions that C runs
/// with libfuse before 3.18.3, which does not hand that on.
///
/// # Safety
///
/// - `req` was given to a callback by libfuse, which runs, and so was `fi`.
#[inline]
unsafe fn kills_suidgid(req: sys::fuse_req_t, fi: *const sys::fuse_file_info) -> Option<bool> {
    let says = Inbox::current().and_then(Inbox::kills_suidgid);
    says.or_else(|| {
        // SAFETY: libfuse has given `req` to a callback, which runs: the item of `# Safety`.
        let session = unsafe { session(req) };
        session.tells_kill_suidgid.then(|| {
            // SAFETY: guaranteed by the caller, see above.
            let bits = unsafe { file_bits(fi) };
            bits & shim::SHIM_KILL_SUIDGID != 0
        })
    })
}

/// Whether the file system has asked for `HANDLE_KILLPRIV_V2`.
///
/// # Safety
///
/// - `req` was given to a callback by libfuse, which runs.
unsafe fn is_killpriv_wanted(req: sys::fuse_req_t) -> bool {
    // SAFETY: libfuse has given `req` to a callback, which runs: the item of `# Safety`.
    let session = unsafe { session(req) };
    session.wanted().contains(Capabilities::HANDLE_KILLPRIV_V2)
}

/// The open flags in `fi`.
///
/// # Safety
///
/// - `fi` is what libfuse has given to the callback.
unsafe fn open_flags(fi: *const sys::fuse_file_info) -> OpenFlags {
    // SAFETY: guaranteed by the caller, see above.
    let fi = unsafe { fi.as_ref() };
    fi.map_or(OpenFlags::empty(), |fi| {
        OpenFlags::from_bits_retain(fi.flags)
    })
}

/// # Safety
///
/// - `data` points to `len` bytes that live as long as `'a`; NULL will do if `len` is 0.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the helper that takes NULL"
)]
pub(super) unsafe fn bytes<'a>(data: *const c_char, len: usize) -> &'a [u8] {
    if data.is_null() {
        return &[];
    }
    // SAFETY: guaranteed by the caller, see above.
    unsafe { slice::from_raw_parts(data.cast(), len) }
}
