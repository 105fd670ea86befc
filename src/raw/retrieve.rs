//! Cached data that the kernel was asked for, and has not sent yet.

use std::collections::HashMap;
use std::ffi::c_void;
use std::ptr;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use bytes::Bytes;
use futures::channel::oneshot;

use crate::Errno;
use crate::Result;

/// What libfuse keeps for each retrieval: a number, which it hands back with the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Cookie(usize);

impl Cookie {
    pub(super) fn from_ptr(cookie: *mut c_void) -> Self {
        Self(cookie.addr())
    }

    pub(super) fn as_ptr(self) -> *mut c_void {
        ptr::without_provenance_mut(self.0)
    }
}

/// Who waits for which data.
#[derive(Default)]
pub(crate) struct Retrievals(Mutex<State>);

#[derive(Default)]
struct State {
    waiting: HashMap<Cookie, oneshot::Sender<Result<Bytes>>>,
    last: usize,
    /// The number of replies that may still come.
    unanswered: usize,
    /// Nothing is received any more.
    ended: bool,
}

impl Retrievals {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody begins to wait. After the end they are told so: `None`.
    pub(super) fn begin(&self, sender: oneshot::Sender<Result<Bytes>>) -> Option<Cookie> {
        let mut state = self.lock();
        if state.ended {
            drop(state);
            drop(sender.send(Err(Errno::ENODEV)));
            return None;
        }
        state.last = state.last.wrapping_add(1);
        let cookie = Cookie(state.last);
        state.waiting.insert(cookie, sender);
        state.unanswered += 1;
        Some(cookie)
    }

    /// The kernel has not been asked after all.
    pub(super) fn cancel(&self, cookie: Cookie, errno: Errno) {
        self.takes_reply();
        self.finish(cookie, Err(errno));
    }

    /// Whether a reply is expected, and may go to libfuse. Counts it. libfuse never frees the request that it
    /// makes of an unexpected one.
    pub(super) fn takes_reply(&self) -> bool {
        let mut state = self.lock();
        let left = state.unanswered.checked_sub(1);
        state.unanswered = left.unwrap_or(0);
        left.is_some()
    }

    /// Gives whoever waits what they wait for, or the error.
    pub(crate) fn finish(&self, cookie: Cookie, result: Result<Bytes>) {
        // The lock is released before anybody is woken.
        let sender = self.lock().waiting.remove(&cookie);
        if let Some(sender) = sender {
            // Whoever asked may have stopped waiting.
            drop(sender.send(result));
        }
    }

    /// Nothing is received any more: tells all who wait.
    pub(crate) fn end(&self) {
        let waiting = {
            let mut state = self.lock();
            state.ended = true;
            std::mem::take(&mut state.waiting)
        };
        for sender in waiting.into_values() {
            drop(sender.send(Err(Errno::ENODEV)));
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;

    #[test]
    fn each_gets_their_own() {
        let retrievals = Retrievals::default();
        let (sender, first) = oneshot::channel();
        let first_cookie = retrievals.begin(sender).unwrap();
        let (sender, second) = oneshot::channel();
        let second_cookie = retrievals.begin(sender).unwrap();
        retrievals.finish(second_cookie, Ok(Bytes::from_static(b"2")));
        retrievals.finish(first_cookie, Ok(Bytes::from_static(b"1")));
        // Twice, or for nobody: nothing happens.
        retrievals.finish(first_cookie, Ok(Bytes::new()));
        retrievals.finish(Cookie(99), Ok(Bytes::new()));
        assert_eq!(block_on(first).unwrap().unwrap(), "1");
        assert_eq!(block_on(second).unwrap().unwrap(), "2");
        assert_eq!(Cookie::from_ptr(first_cookie.as_ptr()), first_cookie);
    }

    #[test]
    fn as_many_replies_are_taken_as_retrievals_were_begun() {
        let retrievals = Retrievals::default();
        assert!(!retrievals.takes_reply());
        let begin = || retrievals.begin(oneshot::channel().0).unwrap();
        begin();
        let cancelled = begin();
        begin();
        retrievals.cancel(cancelled, Errno::ENOSYS);
        assert!(retrievals.takes_reply());
        assert!(retrievals.takes_reply());
        assert!(!retrievals.takes_reply());
    }

    #[test]
    fn nobody_waits_beyond_the_end() {
        let retrievals = Retrievals::default();
        let (sender, before) = oneshot::channel();
        assert!(retrievals.begin(sender).is_some());
        retrievals.end();
        assert_eq!(block_on(before).unwrap(), Err(Errno::ENODEV));
        let (sender, after) = oneshot::channel();
        assert_eq!(retrievals.begin(sender), None);
        assert_eq!(block_on(after).unwrap(), Err(Errno::ENODEV));
    }
}
