//! Ending a session from elsewhere.

use std::fmt;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::Weak;
use std::time::Duration;
use std::time::Instant;

use event_listener::Event;

use super::Flag;
use crate::raw::ReaderThreads;
use crate::wakers::wake_after;

/// What has made a session end: the first of what did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// A handle of ours, or the session's drop.
    Terminated,
    Signal(i32),
    /// A reader came to its end: nothing can be received any more.
    ReaderEnded,
}

/// The wish to end, and those who must hear of it.
#[derive(Default)]
pub(super) struct Stop {
    requested: OnceLock<(Cause, Instant)>,
    event: Event,
    readers: ReaderThreads,
    /// Handlers have come to their end, or were dropped; what is left is `destroy`.
    handlers_ended: Flag,
}

impl Stop {
    #[inline]
    pub(super) fn is_requested(&self) -> bool {
        self.requested.get().is_some()
    }

    pub(super) fn cause(&self) -> Option<Cause> {
        self.requested.get().map(|(cause, _)| *cause)
    }

    /// When handlers must have come to their end; called when the stop has been requested.
    pub(super) fn deadline(&self, timeout: Duration) -> Instant {
        let requested = self.requested.get().map(|(_, at)| *at);
        later(requested.unwrap_or_else(Instant::now), timeout)
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

    pub(super) fn request(&self, cause: Cause) {
        if self.requested.set((cause, Instant::now())).is_ok() {
            wake_after(|| self.event.notify(usize::MAX));
            self.readers.wake();
        }
    }

    pub(super) fn set_handlers_ended(&self) {
        self.handlers_ended.set();
    }

    pub(super) fn have_handlers_ended(&self) -> bool {
        self.handlers_ended.get()
    }

    /// Those who must be woken until they have left.
    pub(super) fn readers(&self) -> &ReaderThreads {
        &self.readers
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
            stop.request(Cause::Terminated);
        }
    }
}

impl fmt::Debug for SessionHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionHandle").finish_non_exhaustive()
    }
}

/// A time after `start`; for time-outs that mean "never", one that nobody lives to see.
pub(super) fn later(start: Instant, timeout: Duration) -> Instant {
    const NEVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
    start.checked_add(timeout.min(NEVER)).unwrap_or(start)
}
