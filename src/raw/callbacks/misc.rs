//! Callbacks that belong nowhere else.

use std::ffi::c_uint;
use std::ffi::c_void;

use libfuse_sys::fuse_conn_info;
use libfuse_sys::fuse_file_info;
use libfuse_sys::fuse_ino_t;
use libfuse_sys::fuse_pollhandle;
use libfuse_sys::fuse_req_t;
use libfuse_sys::fuse_req_userdata;

use super::bytes;
use super::deliver;
use super::open_file;
use crate::Inode;
use crate::IoctlFlags;
use crate::PollEvents;
use crate::PollHandle;
use crate::message::Operation;
use crate::message::OwnedIoctl;
use crate::raw::conn_info;
use crate::raw::session::RawSession;

/// C: `fuse_lowlevel_ops::init`. The only callback that runs the file system's code: libfuse reads
/// `conn` when this returns.
///
/// # Safety
///
/// - Called by libfuse with the session's userdata and its own `conn`.
pub(super) unsafe extern "C" fn init(userdata: *mut c_void, conn: *mut fuse_conn_info) {
    // SAFETY: the userdata of each session is its `RawSession`, which lives as long as the session.
    let session = unsafe { &*userdata.cast::<RawSession>() };
    // SAFETY: guaranteed by the caller, see above.
    let conn = unsafe { &mut *conn };
    let mut info = conn_info::load(conn);
    session.on_init(&mut info, conn);
    conn_info::store(&info, conn);
}

/// C: `fuse_lowlevel_ops::destroy`, for sessions that C has made.
///
/// # Safety
///
/// - Called by libfuse with the session's userdata.
pub(super) unsafe extern "C" fn destroy(userdata: *mut c_void) {
    // SAFETY: the userdata of each session is its `RawSession`, which lives as long as the session.
    let session = unsafe { &*userdata.cast::<RawSession>() };
    session.on_destroy();
}

/// C: `fuse_lowlevel_ops::statfs`.
///
/// # Safety
///
/// - Called by libfuse, which gives `req` away.
pub(super) unsafe extern "C" fn statfs(req: fuse_req_t, ino: fuse_ino_t) {
    // SAFETY: guaranteed by the caller, see above.
    unsafe { deliver(req, Operation::Statfs { inode: Inode(ino) }) };
}

/// C: `fuse_lowlevel_ops::syncfs`.
///
/// # Safety
///
/// - Called by libfuse, which gives `req` away.
#[cfg(libfuse_has = "syncfs")]
pub(super) unsafe extern "C" fn syncfs(req: fuse_req_t, ino: fuse_ino_t) {
    // SAFETY: guaranteed by the caller, see above.
    unsafe { deliver(req, Operation::Syncfs { inode: Inode(ino) }) };
}

/// C: `fuse_lowlevel_ops::ioctl`.
///
/// # Safety
///
/// - Called by libfuse, which gives `req` away.
/// - `in_buf` points to `in_bufsz` bytes, which live until this function returns, as does `fi`.
pub(super) unsafe extern "C" fn ioctl(
    req: fuse_req_t,
    ino: fuse_ino_t,
    cmd: c_uint,
    arg: *mut c_void,
    fi: *mut fuse_file_info,
    flags: c_uint,
    in_buf: *const c_void,
    in_bufsz: usize,
    out_bufsz: usize,
) {
    // SAFETY: guaranteed by the caller, see above.
    let file = unsafe { open_file(ino, fi) };
    // SAFETY: guaranteed by the caller, see above.
    let input = unsafe { bytes(in_buf.cast(), in_bufsz) };
    let ioctl = Box::new(OwnedIoctl {
        file,
        cmd,
        arg: arg.addr() as u64,
        flags: IoctlFlags::from_bits_retain(flags),
        input: input.into(),
        output_size: out_bufsz,
    });
    // SAFETY: guaranteed by the caller, see above.
    unsafe { deliver(req, Operation::Ioctl(ioctl)) };
}

/// C: `fuse_lowlevel_ops::poll`.
///
/// # Safety
///
/// - Called by libfuse, which gives `req` and `ph` away.
/// - `fi` lives until this function returns.
pub(super) unsafe extern "C" fn poll(
    req: fuse_req_t,
    ino: fuse_ino_t,
    fi: *mut fuse_file_info,
    ph: *mut fuse_pollhandle,
) {
    // SAFETY: guaranteed by the caller, see above.
    let file = unsafe { open_file(ino, fi) };
    // SAFETY: guaranteed by the caller, see above.
    let events = unsafe { fi.as_ref() }.map_or(0, |fi| fi.poll_events);
    // SAFETY: guaranteed by the caller, see above.
    let session = unsafe { fuse_req_userdata(req) }.cast::<RawSession>();
    // SAFETY: as above; every session's userdata is the pointer to its `RawSession` in an Arc.
    let handle = unsafe { PollHandle::new(ph, session) };
    // SAFETY: guaranteed by the caller, see above.
    unsafe {
        deliver(
            req,
            Operation::Poll {
                file,
                events: PollEvents::from_bits_retain(events),
                handle,
            },
        )
    };
}

/// C: `fuse_lowlevel_ops::bmap`.
///
/// # Safety
///
/// - Called by libfuse, which gives `req` away.
pub(super) unsafe extern "C" fn bmap(req: fuse_req_t, ino: fuse_ino_t, blocksize: usize, idx: u64) {
    // SAFETY: guaranteed by the caller, see above.
    unsafe {
        deliver(
            req,
            Operation::Bmap {
                inode: Inode(ino),
                // The kernel's protocol has 32 bits for it.
                blocksize: u32::try_from(blocksize).unwrap_or(u32::MAX),
                index: idx,
            },
        )
    };
}
