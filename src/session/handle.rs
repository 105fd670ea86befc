//! Ending a session from elsewhere.

use std::fmt;
use std::sync::Arc;
use std::sync::Weak;
use std::time::Duration;

use event_listener::Event;
use smol::Timer;

use super::Flag;
use crate::raw::ReaderThreads;

/// The wish to end.
#[derive(Default)]
pub(super) struct Stop {
    requested: Flag,
    event: Event,
    readers: ReaderThreads,
}

impl Stop {
    /// The threads that must notice.
    pub(super) fn readers(&self) -> &ReaderThreads {
        &self.readers
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
        if self.requested.set() {
            self.event.notify(usize::MAX);
            self.readers.wake();
        }
    }

    /// Wakes the readers until they have noticed, which the caller finds out: one that was about to
    /// block has missed the first call.
    pub(super) async fn keep_waking(&self) {
        let mut pause = Duration::from_millis(1);
        loop {
            Timer::after(pause).await;
            self.readers.wake();
            pause = (pause * 2).min(Duration::from_millis(100));
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
