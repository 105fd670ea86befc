//! libfuse 3.13 to 3.16: reading and writing in place of libfuse.

use std::ffi::c_int;
use std::ffi::c_void;
use std::sync::atomic::Ordering;

use libfuse_sys as sys;

use super::super::session::RawSession;
use super::super::shim;
use super::FLAGS_OFFSET;
use super::FUSE_PARALLEL_DIROPS;

impl RawSession {
    /// Puts our functions in place of libfuse's read and write.
    pub(in super::super) fn install_repair(&self) {
        let io = shim::shim_custom_io {
            read: Some(read),
            writev: Some(writev),
            splice_receive: Some(splice_receive),
            splice_send: Some(splice_send),
        };
        // SAFETY: libfuse copies `io`; the descriptor is the session's own.
        let result = unsafe { shim::shim_session_custom_io(self.as_ptr(), &io, self.fd()) };
        if result != 0 {
            log::warn!("requests in one directory will come one after the other: {result}");
        }
    }

    /// Called with each message before it is sent: mends it if it is the answer to INIT.
    ///
    /// # Safety
    ///
    /// - `iov` points to `count` valid elements, whose memory libfuse may still change.
    #[inline]
    pub(in super::super) unsafe fn repair_init(&self, iov: *mut sys::iovec, count: c_int) {
        if self.repair.pending.load(Ordering::Relaxed) {
            // SAFETY: guaranteed by the caller, see above.
            let done = unsafe { add_flag(iov, count) };
            self.repair.pending.store(!done, Ordering::Release);
        }
    }
}

/// # Safety
///
/// - `buf` has room for `len` bytes.
unsafe extern "C" fn read(
    fd: c_int,
    buf: *mut c_void,
    len: usize,
    _userdata: *mut c_void,
) -> isize {
    // SAFETY: guaranteed by the caller, see above.
    unsafe { libc::read(fd, buf, len) }
}

/// # Safety
///
/// - `iov` points to `count` valid elements.
/// - `userdata` is the session's, as [`RawSession::new`] has set it.
unsafe extern "C" fn writev(
    fd: c_int,
    iov: *mut sys::iovec,
    count: c_int,
    userdata: *mut c_void,
) -> isize {
    // SAFETY: guaranteed by the caller, see above.
    let session = unsafe { &*userdata.cast::<RawSession>() };
    // SAFETY: guaranteed by the caller, see above.
    unsafe { session.repair_init(iov, count) };
    // SAFETY: guaranteed by the caller, see above.
    unsafe { libc::writev(fd, iov, count) }
}

/// Puts the flag into the answer to INIT, if this is it: a `fuse_out_header` (length, error,
/// unique), then a `fuse_init_out`. While INIT is not answered nothing else is, and a
/// notification, which another thread may send meanwhile, has the unique number 0.
///
/// # Safety
///
/// - `iov` points to `count` valid elements, whose memory libfuse may still change.
unsafe fn add_flag(iov: *mut sys::iovec, count: c_int) -> bool {
    if count < 1 {
        return false;
    }
    // SAFETY: there is at least one element.
    let header = unsafe { *iov };
    // SAFETY: libfuse begins each message with a `fuse_out_header`: 4 + 4 + 8 bytes.
    let unique = unsafe { header.iov_base.cast::<u64>().add(1) };
    // SAFETY: as above.
    let unique = unsafe { unique.read_unaligned() };
    if unique == 0 {
        return false;
    }
    if count != 2 {
        return true; // An error, which has no body.
    }
    // SAFETY: there are two elements.
    let body = unsafe { iov.add(1) };
    // SAFETY: as above.
    let body = unsafe { *body };
    if body.iov_len < FLAGS_OFFSET + size_of::<u32>() {
        return true;
    }
    // SAFETY: the body is long enough, as just checked.
    let flags = unsafe { body.iov_base.cast::<u8>().add(FLAGS_OFFSET) }.cast::<u32>();
    // SAFETY: `fuse_init_out` is a variable of libfuse's on this thread's stack, with the
    // alignment of its members.
    unsafe { *flags |= FUSE_PARALLEL_DIROPS };
    true
}

/// # Safety
///
/// - As splice(2).
unsafe extern "C" fn splice_receive(
    fd_in: c_int,
    off_in: *mut libc::off_t,
    fd_out: c_int,
    off_out: *mut libc::off_t,
    len: usize,
    flags: libc::c_uint,
    _userdata: *mut c_void,
) -> isize {
    // SAFETY: guaranteed by the caller, see above.
    unsafe { libc::splice(fd_in, off_in, fd_out, off_out, len, flags) }
}

/// # Safety
///
/// - As splice(2).
unsafe extern "C" fn splice_send(
    fd_in: c_int,
    off_in: *mut libc::off_t,
    fd_out: c_int,
    off_out: *mut libc::off_t,
    len: usize,
    flags: libc::c_uint,
    _userdata: *mut c_void,
) -> isize {
    // SAFETY: guaranteed by the caller, see above.
    unsafe { libc::splice(fd_in, off_in, fd_out, off_out, len, flags) }
}
