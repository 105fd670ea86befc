//! How a session ends: who still uses its descriptor, and when that is closed.

use std::os::fd::AsRawFd;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use libfuse_sys as sys;

use super::super::mount_lock::MOUNT_LOCK;
use super::super::sys::close_but_keep_number;
use super::RawSession;
use crate::Errno;
use crate::Result;

impl RawSession {
    /// Whether the kernel still sends requests: it does until the file system is unmounted and all
    /// its files are closed, or the connection is aborted.
    pub(crate) fn is_connected(&self) -> bool {
        let fd = self.fd();
        let mut poll = libc::pollfd {
            fd,
            events: 0,
            revents: 0,
        };
        // SAFETY: `poll` is one valid element.
        unsafe { libc::poll(&mut poll, 1, 0) };
        fd >= 0 && poll.revents & (libc::POLLERR | libc::POLLNVAL) == 0
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

    /// Unmounts, if that is still to be done, and closes the descriptor. Nobody may use it any
    /// more.
    pub(crate) fn unmount(&self) {
        if self.is_of_c() {
            return;
        }
        let _guard = MOUNT_LOCK.lock_to_unmount();
        if let Some(clones) = self.clones.get() {
            // First: where the kernel has somebody told of the end (DESTROY), it waits for an answer as long
            // as a descriptor is open.
            clones.close();
        }
        if self.is_mounted.load(Ordering::Acquire) {
            // SAFETY: readers and handlers are gone, as the caller has made sure of; libfuse does
            // nothing when called twice.
            unsafe { sys::fuse_session_unmount(self.as_ptr()) };
            return;
        }
        // libfuse would leave the descriptor open, or close it and then unmount whatever /dev/fd/N is
        // by that time.
        let further = self.io.get().and_then(|io| io.further_fd());
        for fd in [self.fd(), further.map_or(-1, AsRawFd::as_raw_fd)] {
            close_but_keep_number(fd);
        }
    }
}

impl Drop for RawSession {
    fn drop(&mut self) {
        let session = self.as_ptr();
        if !session.is_null() && !self.is_of_c() {
            if self.is_mounted.load(Ordering::Acquire) && !self.is_connected() {
                // libfuse frees the mountpoint's path nowhere else. Where the connection has ended it does
                // not unmount: it looks, as was done just now.
                // SAFETY: as below.
                unsafe { sys::fuse_session_unmount(session) };
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
