//! `PARALLEL_DIROPS` and `NO_EXPORT_SUPPORT` for libfuse before 3.17.
//!
//! These versions accept the first, but leave it out of the reply to INIT (libfuse issue 861): the kernel then
//! sends the lookups of one directory one after the other. They do not know the second. So the missing bits
//! are added to that reply on its way to the kernel:
//!
//! - from 3.13 on, `fuse_session_custom_io` lets us do the reading and writing. libfuse only stores
//!   the functions, so that this works on a session that is mounted the ordinary way;
//! - before that, a socket stands in for the connection while libfuse answers INIT.

#[cfg(all(libfuse_since = "3.13", not(libfuse_since = "3.17")))]
mod custom_io;
#[cfg(not(libfuse_since = "3.13"))]
mod detour;

#[cfg(not(libfuse_since = "3.13"))]
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use crate::Capabilities;
use crate::ConnInfo;

/// Flags of the kernel's protocol (linux/fuse.h), the second word of `flags` in the upper half.
const FUSE_PARALLEL_DIROPS: u64 = 1 << 18;
const FUSE_NO_EXPORT_SUPPORT: u64 = 1 << 38;
/// There is a second word of flags.
const FUSE_INIT_EXT: u64 = 1 << 30;
/// The protocol that has `FUSE_NO_EXPORT_SUPPORT`: Linux 6.9.
const NO_EXPORT_SUPPORT_SINCE: (u32, u32) = (7, 40);

/// Capabilities that libfuse must not see: before 3.17 it rejects those that it does not know.
pub(super) const UNKNOWN_TO_LIBFUSE: Capabilities = match cfg!(libfuse_since = "3.17") {
    true => Capabilities::empty(),
    false => Capabilities::NO_EXPORT_SUPPORT,
};

/// The words of `flags` in `struct fuse_init_out`: behind its `major`, `minor` and `max_readahead`, and
/// behind five more members.
#[cfg(not(libfuse_since = "3.17"))]
const FLAGS_OFFSETS: [usize; 2] = [12, 32];

/// The two words of these flags, each with its place.
#[cfg(not(libfuse_since = "3.17"))]
fn words(flags: u64) -> impl Iterator<Item = (usize, u32)> {
    FLAGS_OFFSETS
        .into_iter()
        .zip([flags as u32, (flags >> 32) as u32])
        .filter(|(_, word)| *word != 0)
}

/// What is known of the session's INIT.
#[derive(Default)]
pub(super) struct InitRepair {
    /// The flags to add to the reply, as long as it has not been written.
    pending: AtomicU64,
    /// INIT has been replied to.
    #[cfg(not(libfuse_since = "3.13"))]
    done: AtomicBool,
}

impl InitRepair {
    /// Offers the file system the capabilities that libfuse does not know.
    pub(super) fn offer(info: &mut ConnInfo) {
        if info.protocol() >= NO_EXPORT_SUPPORT_SINCE {
            info.capable |= UNKNOWN_TO_LIBFUSE;
        }
    }

    /// Called when the file system has said what it wants.
    pub(super) fn wanted(&self, info: &ConnInfo) {
        let mut flags = 0;
        if info.want.contains(Capabilities::PARALLEL_DIROPS) {
            flags |= FUSE_PARALLEL_DIROPS;
        }
        if (info.want & UNKNOWN_TO_LIBFUSE).contains(Capabilities::NO_EXPORT_SUPPORT) {
            flags |= FUSE_INIT_EXT | FUSE_NO_EXPORT_SUPPORT;
        }
        self.pending.store(flags, Ordering::Release);
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
