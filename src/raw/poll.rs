//! `struct fuse_pollhandle`: by which those who poll a file are woken.

use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::Weak;

use libfuse_sys as sys;

use super::ret;
use super::session::RawSession;
use crate::Errno;
use crate::Result;

/// Wakes whoever polls an open file: from [`Operations::poll`](crate::Operations::poll).
///
/// Keep it until the file is ready for something else, then [`notify`](Self::notify). One is enough
/// for all who poll the same open file: drop the one before when the next comes. It does not keep
/// the session alive.
///
/// # Invariants
///
/// `handle` is one that libfuse has given to the callback `poll`, and not destroyed.
#[doc(alias = "fuse_pollhandle")]
pub struct PollHandle {
    handle: NonNull<sys::fuse_pollhandle>,
    session: Weak<RawSession>,
}

// SAFETY: libfuse lets any thread notify or destroy; the handle is memory of its own, with a number
// and a pointer to the session in it.
unsafe impl Send for PollHandle {}
// SAFETY: a shared reference gives access to nothing.
unsafe impl Sync for PollHandle {}

impl PollHandle {
    /// Takes charge of a handle; `None` for NULL, which is given where nobody waits.
    ///
    /// # Safety
    ///
    /// - `handle` is what libfuse has given to the callback `poll`, which does nothing else with it.
    /// - `session` is the session's userdata: the pointer that [`Arc::as_ptr`] has given.
    pub(super) unsafe fn new(
        handle: *mut sys::fuse_pollhandle,
        session: *const RawSession,
    ) -> Option<Self> {
        let handle = NonNull::new(handle)?;
        // SAFETY: the session lives in an Arc, see above.
        unsafe { Arc::increment_strong_count(session) };
        // SAFETY: the count has just been raised for this one.
        let session = unsafe { Arc::from_raw(session) };
        // INVARIANT: guaranteed by the caller, see above.
        Some(Self {
            handle,
            session: Arc::downgrade(&session),
        })
    }

    /// Wakes those who wait: the kernel calls `poll` again, for each of them.
    ///
    /// For any thread and any handler, since it waits for nothing. [`Errno::ENODEV`] after the end of
    /// the session.
    #[doc(alias = "fuse_lowlevel_notify_poll")]
    pub fn notify(self) -> Result<()> {
        let session = self.session.upgrade().ok_or(Errno::ENODEV)?;
        let _use = session.begin_use()?;
        // SAFETY: the handle is valid, by the invariants, and its session's descriptor is open, as
        // `_use` holds; libfuse makes one writev(2).
        ret(unsafe { sys::fuse_lowlevel_notify_poll(self.handle.as_ptr()) })
    }
}

impl Drop for PollHandle {
    fn drop(&mut self) {
        // SAFETY: the handle is valid, by the invariants, and not used again; libfuse frees memory
        // and does not look at the session, which may be gone.
        unsafe { sys::fuse_pollhandle_destroy(self.handle.as_ptr()) };
    }
}

impl fmt::Debug for PollHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PollHandle").finish_non_exhaustive()
    }
}
