//! Ending a session from elsewhere.

use std::fmt;
use std::sync::Arc;
use std::sync::Weak;

use event_listener::Event;

use super::Flag;
use super::Mountpoint;
use crate::Errno;
use crate::raw::RawSession;

/// The wish to end.
pub(super) struct Stop {
    requested: Flag,
    event: Event,
    raw: Weak<RawSession>,
    mountpoint: Mountpoint,
    readers: usize,
}

impl Stop {
    pub(super) fn new(raw: &Arc<RawSession>, mountpoint: Mountpoint, readers: usize) -> Self {
        Self {
            requested: Flag::default(),
            event: Event::new(),
            raw: Arc::downgrade(raw),
            mountpoint,
            readers,
        }
    }

    pub(super) fn is_requested(&self) -> bool {
        self.requested.get()
    }

    /// Waits until the session shall end.
    pub(super) async fn requested(&self) {
        loop {
            let listener = self.event.listen();
            if self.is_requested() {
                return;
            }
            listener.await;
        }
    }

    pub(super) fn request(&self) {
        if !self.requested.set() {
            return;
        }
        self.event.notify(usize::MAX);
        let Some(raw) = self.raw.upgrade() else {
            return;
        };
        // Each reader receives at most one more request, sees the flag, and leaves.
        for _ in 0..self.readers {
            if self.mountpoint.knock() {
                continue;
            }
            // It was unmounted, perhaps lazily.
            match raw.knock() {
                Ok(()) => {}
                // Before INIT, which wakes the reader by itself; or the connection has ended.
                Err(Errno::ENOTCONN | Errno::ENODEV | Errno::EBADF) => return,
                Err(errno) => {
                    log::warn!("cannot wake a reader: {errno}; it ends with the next request");
                    return;
                }
            }
        }
    }
}

/// Ends a session, from any thread: a handler's, a signal handler's task, or another program part.
///
/// Cheap to clone. Outlives the session, and does nothing then.
#[derive(Clone)]
pub struct SessionHandle {
    stop: Weak<Stop>,
}

impl SessionHandle {
    pub(super) fn new(stop: &Arc<Stop>) -> Self {
        Self {
            stop: Arc::downgrade(stop),
        }
    }

    /// Asks the session to end: [`Session::run`](crate::Session::run) stops receiving, lets
    /// handlers come to their end, and returns. Does not wait for that. Further calls do nothing.
    ///
    /// Not to be called from within a signal handler itself, which may not take locks.
    #[doc(alias = "fuse_session_exit")]
    pub fn terminate(&self) {
        if let Some(stop) = self.stop.upgrade() {
            stop.request();
        }
    }
}

impl fmt::Debug for SessionHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionHandle").finish_non_exhaustive()
    }
}
