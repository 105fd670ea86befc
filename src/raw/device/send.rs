//! Sending in place of libfuse, which takes functions for it from 3.13 on, and only stores them: so that
//! this works on a session that is mounted the ordinary way.
//!
//! libfuse gives each answer to the kernel in two pieces, the header and what follows. For the kernel a
//! second piece is more work than a copy of a few bytes is for us.

use std::ffi::c_int;
use std::ffi::c_uint;
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;

use libfuse_sys as sys;

use super::super::log::capture;
use super::super::session::RawSession;
use super::super::shim;
use crate::logging;
use crate::wire::OUT_HEADER;

/// Messages up to this size are sent in one piece: a header and 4 KiB.
const SMALL: usize = OUT_HEADER + PAGE;
/// Most are no larger than this, for which less of the stack is touched.
const USUAL: usize = 256;
/// Where pages are larger, theirs begin at these places, too.
const PAGE: usize = 4096;

/// Has libfuse send through us, if it was built so that it can.
///
/// # Safety
///
/// - The session is valid, its userdata is a [`RawSession`], and `fd` is its descriptor.
pub(in super::super) unsafe fn install_sending(session: *mut sys::fuse_session, fd: RawFd) {
    let io = shim::shim_custom_io {
        read: Some(read),
        writev: Some(writev),
        splice_receive: Some(splice),
        splice_send: Some(splice),
    };
    // One that cannot says so as an error, which it is not here.
    let (result, _) = capture(|| {
        // SAFETY: guaranteed by the caller, see above; libfuse copies `io`.
        unsafe { shim::shim_session_custom_io(session, &io, fd) }
    });
    if result != 0 && cfg!(not(libfuse_since = "3.17")) {
        // See `super::super::init_repair`.
        logging::warn!("requests in one directory will come one after the other: {result}");
    }
}

/// C: `fuse_custom_io::read`, for loops of libfuse's own. They cancel their threads.
///
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

/// C: `fuse_custom_io::writev`.
///
/// # Safety
///
/// - `iov` points to `count` valid elements, whose memory libfuse may still change.
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
    // SAFETY: libfuse sends no message without a header.
    let header = unsafe { *iov };
    if count == 1 {
        // SAFETY: the element is valid.
        return unsafe { write(fd, header.iov_base.cast(), header.iov_len) };
    }
    if count == 2 && header.iov_len == OUT_HEADER {
        let header = header.iov_base.cast::<Header>();
        // SAFETY: there are two elements.
        let body = unsafe { iov.add(1) };
        // SAFETY: as above.
        let body = unsafe { *body };
        if body.iov_len <= USUAL - OUT_HEADER {
            // SAFETY: both are valid, and there is room for them.
            return unsafe { send_usual(fd, header, body) };
        }
        if body.iov_len <= SMALL - OUT_HEADER {
            // SAFETY: as above.
            return unsafe { send_small(fd, header, body) };
        }
    }
    // SAFETY: guaranteed by the caller, see above.
    unsafe { libc::syscall(libc::SYS_writev, fd, iov, count) as isize }
}

/// As write(2).
///
/// # Safety
///
/// - There are `len` initialized bytes.
#[inline]
unsafe fn write(fd: RawFd, bytes: *const u8, len: usize) -> isize {
    // SAFETY: guaranteed by the caller, see above.
    unsafe { libc::syscall(libc::SYS_write, fd, bytes, len) as isize }
}

/// `struct fuse_out_header`.
type Header = [u8; OUT_HEADER];

/// A message on as few cache lines as can be.
#[repr(align(64))]
struct Usual {
    _bytes: [u8; USUAL],
}

/// # Safety
///
/// - Both pieces are valid, and together no longer than [`USUAL`].
#[inline(never)] // So that nobody else's stack has room for the message.
unsafe fn send_usual(fd: RawFd, header: *const Header, body: sys::iovec) -> isize {
    let mut message = MaybeUninit::<Usual>::uninit();
    // SAFETY: guaranteed by the caller, see above.
    unsafe { send_from(fd, message.as_mut_ptr().cast(), header, body) }
}

/// # Safety
///
/// - Both pieces are valid, and together no longer than [`SMALL`].
#[inline(never)]
unsafe fn send_small(fd: RawFd, header: *const Header, body: sys::iovec) -> isize {
    // A page too many, so that the message can begin at the right place.
    let mut message = MaybeUninit::<[u8; SMALL + PAGE]>::uninit();
    let start = message.as_mut_ptr().cast::<u8>();
    // The kernel looks each page up that the message is on, and copies it piece by piece. What is longer
    // than a page takes two, and its body remains one piece if it begins with the second.
    let before = match OUT_HEADER + body.iov_len {
        len if len <= PAGE => 0,
        _ => OUT_HEADER,
    };
    let to_page = (start.addr() + before).wrapping_neg() % PAGE;
    // SAFETY: less than a page further on there is still room for `SMALL` bytes.
    let start = unsafe { start.add(to_page) };
    // SAFETY: guaranteed by the caller, see above.
    unsafe { send_from(fd, start, header, body) }
}

/// # Safety
///
/// - Both pieces are valid, and there is room for them at `start`.
#[inline]
unsafe fn send_from(fd: RawFd, start: *mut u8, header: *const Header, body: sys::iovec) -> isize {
    // SAFETY: guaranteed by the caller, see above.
    unsafe { start.cast::<Header>().copy_from_nonoverlapping(header, 1) };
    // SAFETY: guaranteed by the caller, see above.
    let end = unsafe { start.add(OUT_HEADER) };
    // SAFETY: guaranteed by the caller, see above.
    unsafe { end.copy_from_nonoverlapping(body.iov_base.cast(), body.iov_len) };
    // SAFETY: so much of the message has been written.
    unsafe { write(fd, start, OUT_HEADER + body.iov_len) }
}

/// C: `fuse_custom_io::splice_receive` and `splice_send`.
///
/// # Safety
///
/// - As splice(2).
unsafe extern "C" fn splice(
    fd_in: c_int,
    off_in: *mut libc::off_t,
    fd_out: c_int,
    off_out: *mut libc::off_t,
    len: usize,
    flags: c_uint,
    _userdata: *mut c_void,
) -> isize {
    // SAFETY: guaranteed by the caller, see above.
    unsafe { libc::splice(fd_in, off_in, fd_out, off_out, len, flags) }
}
