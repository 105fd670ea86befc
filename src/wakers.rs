//! Wakers of the executor that runs a session: they are called while this crate, the crates that it uses,
//! and libfuse hold no lock.
//!
//! An executor may poll inside of `wake`. A handler that is polled there replies, locks, and spawns. So
//! what wakes with a lock held does so inside of [`wake_after`], and the future of a session is polled with
//! a waker that waits for the end of that.

use std::cell::RefCell;
use std::future::Future;
use std::future::poll_fn;
use std::panic::resume_unwind;
use std::pin::pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Wake;
use std::task::Waker;

use crate::panics::Panicked;
use crate::panics::catch;

thread_local! {
    /// The wakers to call at the end of [`wake_after`]; `None` outside of it.
    static LATER: RefCell<Option<Vec<Waker>>> = const { RefCell::new(None) };
}

/// Calls `call`. Executors that it wakes are woken when it has returned.
pub(crate) fn wake_after<R>(call: impl FnOnce() -> R) -> R {
    if LATER.with_borrow(Option::is_some) {
        return call(); // The outer call wakes.
    }
    let (result, wakers) = hold(call);
    let mut woken = Ok(());
    for waker in wakers {
        woken = woken.and(catch(|| waker.wake()));
    }
    match (result, woken) {
        (Ok(result), Ok(())) => result,
        (result, Err(Panicked(message))) => {
            // Its destructor may wake, and a second panic during the unwinding would abort.
            drop(hold(|| drop(result)));
            resume_unwind(Box::new(message))
        }
        (Err(Panicked(message)), Ok(())) => resume_unwind(Box::new(message)),
    }
}

/// Calls `call`; returns the wakers that were called meanwhile.
fn hold<R>(call: impl FnOnce() -> R) -> (Result<R, Panicked>, Vec<Waker>) {
    LATER.set(Some(Vec::new()));
    let result = catch(call);
    (result, LATER.take().unwrap_or_default())
}

/// Polls `future` with wakers that [`wake_after`] holds back.
pub(crate) async fn hold_back<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut last: Option<Arc<HeldBack>> = None;
    poll_fn(|cx| {
        let known = last.take().filter(|last| last.0.will_wake(cx.waker()));
        let waker = known.unwrap_or_else(|| Arc::new(HeldBack(cx.waker().clone())));
        last = Some(Arc::clone(&waker));
        let waker = Waker::from(waker);
        future.as_mut().poll(&mut Context::from_waker(&waker))
    })
    .await
}

struct HeldBack(Waker);

impl Wake for HeldBack {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let hold = |later: &RefCell<Option<Vec<Waker>>>| match &mut *later.borrow_mut() {
            Some(later) => {
                later.push(self.0.clone());
                true
            }
            None => false,
        };
        // A thread that is about to end holds no lock of ours.
        if !LATER.try_with(hold).unwrap_or(false) {
            self.0.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::AtomicUsize;
    use std::sync::atomic::Ordering;

    use event_listener::Event;
    use futures::FutureExt;

    use super::*;

    /// Locks when it is woken, as an executor does that polls there.
    #[derive(Default)]
    struct Locks {
        lock: Mutex<()>,
        woken: AtomicUsize,
    }

    impl Wake for Locks {
        fn wake(self: Arc<Self>) {
            drop(self.lock.try_lock().expect("woken while a lock is held"));
            self.woken.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn waker_of_session_is_called_after_lock_is_released() {
        let (locks, event) = (Arc::new(Locks::default()), Event::new());
        let woken = || locks.woken.load(Ordering::Relaxed);
        let waker = Waker::from(Arc::clone(&locks));
        let mut future = pin!(hold_back(event.listen()));
        let mut poll = || future.poll_unpin(&mut Context::from_waker(&waker));
        assert!(poll().is_pending());
        wake_after(|| {
            let _locked = locks.lock.lock().unwrap();
            wake_after(|| event.notify(1));
            assert_eq!(woken(), 0);
        });
        assert_eq!(woken(), 1);
        assert!(poll().is_ready());
    }

    #[test]
    fn waker_of_session_is_called_after_panic() {
        let (locks, event) = (Arc::new(Locks::default()), Event::new());
        let waker = Waker::from(Arc::clone(&locks));
        let mut future = pin!(hold_back(event.listen()));
        let poll = future.poll_unpin(&mut Context::from_waker(&waker));
        assert!(poll.is_pending());
        let panicked = catch(|| {
            wake_after(|| {
                event.notify(1);
                panic!("as the test has asked for");
            })
        });
        assert!(panicked.is_err());
        assert_eq!(locks.woken.load(Ordering::Relaxed), 1);
    }
}
