//! `PARALLEL_DIROPS` for libfuse before 3.17.
//!
//! These versions take the wish but leave it out of the answer to INIT (libfuse issue 861), and the
//! kernel then sends the lookups of one directory one after the other. So the missing bit is put into
//! that one answer, on its way to the kernel:
//!
//! - from 3.13 on, `fuse_session_custom_io` lets us do the reading and writing. libfuse only stores
//!   the functions, so that this works on a session that is mounted the ordinary way;
//! - before that, a socket stands in for the connection while libfuse answers INIT.

#[cfg(all(libfuse_since = "3.13", not(libfuse_since = "3.17")))]
mod custom_io;
#[cfg(not(libfuse_since = "3.13"))]
mod detour;

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use crate::Capabilities;
use crate::ConnInfo;

/// `FUSE_PARALLEL_DIROPS` of the kernel's protocol (linux/fuse.h).
#[cfg(not(libfuse_since = "3.17"))]
const FUSE_PARALLEL_DIROPS: u32 = 1 << 18;
/// The `flags` of `struct fuse_init_out`: behind its `major`, `minor` and `max_readahead`.
#[cfg(not(libfuse_since = "3.17"))]
const FLAGS_OFFSET: usize = 12;

/// What is known of the session's INIT.
#[derive(Default)]
pub(super) struct InitRepair {
    /// The file system wants the bit, and the answer has not been written yet.
    pending: AtomicBool,
    /// INIT has been answered.
    #[cfg(not(libfuse_since = "3.13"))]
    done: AtomicBool,
}

impl InitRepair {
    /// Called when the file system has said what it wants.
    pub(super) fn wanted(&self, info: &ConnInfo) {
        let wanted = info.want.contains(Capabilities::PARALLEL_DIROPS);
        self.pending.store(wanted, Ordering::Release);
    }
}

#[cfg(not(all(libfuse_since = "3.13", not(libfuse_since = "3.17"))))]
impl super::session::RawSession {
    /// Nothing to do on this libfuse when it sends.
    ///
    /// # Safety
    ///
    /// - None.
    pub(super) unsafe fn repair_init(
        &self,
        _iov: *mut libfuse_sys::iovec,
        _count: std::ffi::c_int,
    ) {
    }
}

#[cfg(libfuse_since = "3.13")]
impl super::session::RawSession {
    /// Has libfuse work on a request. Nothing to do about it on this libfuse.
    #[inline]
    pub(super) fn repair_answer(&self, _: &libfuse_sys::fuse_buf, process: impl FnOnce()) {
        process();
    }
}
