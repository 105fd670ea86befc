//! Callbacks about the whole file system.

use std::ffi::c_void;

use libfuse_sys::fuse_conn_info;
use libfuse_sys::fuse_ino_t;
use libfuse_sys::fuse_req_t;

use super::deliver;
use crate::Inode;
use crate::message::Operation;
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
    let max_read = session.on_init(&mut info);
    conn_info::store(&info, max_read, conn);
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
