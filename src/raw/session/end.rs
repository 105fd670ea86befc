//! How a session ends: who still uses its descriptor, and when that is closed.

use std::os::fd::AsRawFd;
use std::os::fd::RawFd;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use libfuse_sys as sys;

use super::super::auto_unmount::AutoUnmount;
use super::super::clones::let_go_of_interruptions;
use super::super::mount_lock::MOUNT_LOCK;
use super::super::sys::close_but_keep_number;
use super::RawSession;
use crate::Errno;
use crate::Result;

impl RawSession {
    /// Whether the kernel still sends requests: it does until the file system is unmounted and all
    /// its files are closed, or the connection is aborted. `None` if that cannot be found out.
    pub(crate) fn is_connected(&self) -> Option<bool> {
        // A session that is disconnected may still know the number of its descriptor.
        if self.is_disconnected.load(Ordering::Acquire) {
            return Some(false);
        }
        has_poll_error(self.fd()).map(|error| !error)
    }

    /// From here on libfuse keeps quiet about replies that the kernel does not want.
    pub(crate) fn exit(&self) {
        if self.is_of_c() {
            return; // Which may have it run again.
        }
        // SAFETY: any thread may set the flag.
        unsafe { sys::fuse_session_exit(self.as_ptr()) };
        if let Some(clones) = self.clones.get() {
            clones.exit();
        }
    }

    /// Keeps the session's descriptor open while the value lives. `ENODEV` once it is closed.
    pub(crate) fn begin_use(&self) -> Result<Use<'_>> {
        let closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        if *closed {
            return Err(Errno::ENODEV);
        }
        self.users.fetch_add(1, Ordering::AcqRel);
        Ok(Use(self))
    }

    /// Lets nobody begin to use the descriptor any more; the number of those who still do.
    pub(crate) fn refuse_use(&self) -> usize {
        *self.closed.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.users.load(Ordering::Acquire)
    }

    /// Waits until nobody uses the descriptor any more. Nobody may begin to.
    pub(crate) async fn unused(&self) {
        loop {
            let listener = self.unused.listen();
            if self.refuse_use() == 0 {
                return;
            }
            listener.await;
        }
    }

    pub(super) fn auto_unmount(&self) -> MutexGuard<'_, Option<AutoUnmount>> {
        let guard = self.auto_unmount.lock();
        guard.unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the fusermount3 of the option `auto_unmount` exit, if there is one; it unmounts before, unless
    /// that has been done.
    pub(crate) fn end_auto_unmount(&self, is_unmounted: bool) {
        let auto_unmount = self.auto_unmount().take();
        if let Some(auto_unmount) = auto_unmount {
            auto_unmount.end(is_unmounted);
        }
    }

    /// Whether libfuse has mounted the session, which then is to be unmounted.
    pub(crate) fn has_mounted(&self) -> bool {
        self.is_mounted.load(Ordering::Acquire)
    }

    /// Closes the session's descriptors, which ends the connection unless another process has copies of
    /// them. The caller makes sure that no thread uses them any more.
    ///
    /// Does not unmount, unless C has mounted: then libfuse alone knows where.
    pub(crate) fn disconnect(&self) {
        if self.is_of_c() || self.is_disconnected.swap(true, Ordering::AcqRel) {
            return;
        }
        let _guard = MOUNT_LOCK.lock_to_unmount();
        if self.foreign.is_some() {
            // SAFETY: the session is valid, and is used by no other thread, as the caller has made sure.
            unsafe { sys::fuse_session_unmount(self.as_ptr()) };
            return;
        }
        if let Some(clones) = self.clones.get() {
            clones.close();
        }
        let further = self.io.get().and_then(|io| io.further_fd());
        close_but_keep_number(further.map_or(-1, AsRawFd::as_raw_fd));
        close_but_keep_number(self.fd());
        if self.has_mounted() && has_poll_error(self.fd()) == Some(true) {
            // libfuse frees the path of the mountpoint nowhere else. By that path, where another file
            // system may be mounted by now, it unmounts only if poll(2) reports no error.
            // SAFETY: the session is valid, and is used by no other thread, as the caller has made sure.
            unsafe { sys::fuse_session_unmount(self.as_ptr()) };
        }
    }
}

/// Whether poll(2) reports an error for the descriptor; `None` if it cannot be called.
fn has_poll_error(fd: RawFd) -> Option<bool> {
    let mut poll = libc::pollfd {
        fd,
        events: 0,
        revents: 0,
    };
    // SAFETY: `poll` is one valid element.
    let result = unsafe { libc::poll(&mut poll, 1, 0) };
    // A process may not have one descriptor: then `result` is negative.
    (result >= 0).then_some(fd < 0 || poll.revents & (libc::POLLERR | libc::POLLNVAL) != 0)
}

impl Drop for RawSession {
    fn drop(&mut self) {
        let session = self.as_ptr();
        if !session.is_null() && !self.is_of_c() {
            // What C has mounted, and is to be left mounted, libfuse must not unmount.
            if self.has_mounted() && !(self.foreign.is_some() && self.is_connected() != Some(false))
            {
                self.disconnect();
            }
            if let Some(io) = self.io.get() {
                // A peer that reads no replies must not block the end.
                io.close();
            }
            if self.init_result().is_some() {
                let_go_of_interruptions(session);
            }
            // SAFETY: this was the last reference, so no request is unanswered and nobody reads.
            unsafe { sys::fuse_session_destroy(session) };
        }
    }
}

/// A promise to the session that its descriptor is in use.
pub(crate) struct Use<'a>(&'a RawSession);

impl Drop for Use<'_> {
    fn drop(&mut self) {
        self.0.users.fetch_sub(1, Ordering::AcqRel);
        self.0.unused.notify(usize::MAX);
    }
}
