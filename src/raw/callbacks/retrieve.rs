//! The callback with cached data that the session has asked for itself.

use std::ffi::c_void;

use libfuse_sys::fuse_bufvec;
use libfuse_sys::fuse_ino_t;
use libfuse_sys::fuse_reply_none;
use libfuse_sys::fuse_req_t;

use super::RawSession;
use super::session;
use crate::message::Message;
use crate::raw::Cookie;
use crate::raw::bufvec;

/// C: `fuse_lowlevel_ops::retrieve_reply`.
///
/// # Safety
///
/// - Called by libfuse, which gives `req` away.
/// - `bufv` lives until this function returns.
pub(super) unsafe extern "C" fn retrieve_reply(
    req: fuse_req_t,
    cookie: *mut c_void,
    _ino: fuse_ino_t,
    _offset: libc::off_t,
    bufv: *mut fuse_bufvec,
) {
    // SAFETY: guaranteed by the caller, see above.
    let bufv = unsafe { &mut *bufv };
    // SAFETY: guaranteed by the caller, see above.
    let data = unsafe { bufvec::copy_out(bufv) };
    // SAFETY: guaranteed by the caller, see above.
    let session = unsafe { session(req) };
    // SAFETY: the request is unanswered, and this is its only answer.
    unsafe { fuse_reply_none(req) };
    RawSession::deliver(Message::Retrieved(Cookie::from_ptr(cookie), data), || {
        session
    });
}
