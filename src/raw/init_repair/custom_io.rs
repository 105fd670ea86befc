//! libfuse 3.13 to 3.16: the answer to INIT passes through our own writing (`super::super::device`).

use std::ffi::c_int;
use std::sync::atomic::Ordering;

use libfuse_sys as sys;

use super::super::session::RawSession;
use super::words;

impl RawSession {
    /// Called with each message before it is sent: mends it if it is the answer to INIT.
    ///
    /// # Safety
    ///
    /// - `iov` points to `count` valid elements, whose memory libfuse may still change.
    #[inline]
    pub(in super::super) unsafe fn repair_init(&self, iov: *mut sys::iovec, count: c_int) {
        let flags = self.repair.pending.load(Ordering::Relaxed);
        // SAFETY: `iov` points to `count` valid elements: the item of `# Safety`.
        if flags != 0 && unsafe { add_flags(iov, count, flags) } {
            self.repair.pending.store(0, Ordering::Release);
        }
    }
}

/// Adds the flags to the reply to INIT, if this is it: a `fuse_out_header` (length, error, unique), then a
/// `fuse_init_out`. Before it there is no other reply. A notification, which another thread may send
/// meanwhile, has the unique number 0. Returns whether this is the reply.
///
/// # Safety
///
/// - `iov` points to `count` valid elements, whose memory libfuse may still change.
unsafe fn add_flags(iov: *mut sys::iovec, count: c_int, flags: u64) -> bool {
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
    for (offset, word) in words(flags) {
        if body.iov_len < offset + size_of::<u32>() {
            continue;
        }
        // SAFETY: the body is long enough, as just checked.
        let flags = unsafe { body.iov_base.cast::<u8>().add(offset) }.cast::<u32>();
        // SAFETY: `fuse_init_out` is a variable of libfuse's on this thread's stack, with the
        // alignment of its members.
        unsafe { *flags |= word };
    }
    true
}
