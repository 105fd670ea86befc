//! News from a handler to its test.

use std::fmt::Debug;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::mpsc;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::Sender;
use std::time::Duration;

use super::PATIENCE;

/// What handlers have reported, in order: they [`record`](Self::record), the test expects.
pub(crate) struct Recorder<T> {
    sender: Sender<T>,
    receiver: Mutex<Receiver<T>>,
}

impl<T> Default for Recorder<T> {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel();
        Self {
            sender,
            receiver: Mutex::new(receiver),
        }
    }
}

impl<T: Debug> Recorder<T> {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Reports; for handlers.
    pub(crate) fn record(&self, news: T) {
        self.sender.send(news).expect("the receiver is here");
    }

    fn receiver(&self) -> MutexGuard<'_, Receiver<T>> {
        self.receiver.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next report, which may be still to come.
    #[track_caller]
    pub(crate) fn next(&self) -> T {
        self.next_within(PATIENCE)
            .expect("a report of a handler in time")
    }

    /// The next report, if it comes in time.
    pub(crate) fn next_within(&self, limit: Duration) -> Option<T> {
        self.receiver().recv_timeout(limit).ok()
    }

    /// The next report that is of interest; those before it are dropped.
    #[track_caller]
    pub(crate) fn find(&self, mut wanted: impl FnMut(&T) -> bool) -> T {
        loop {
            let news = self.next();
            if wanted(&news) {
                return news;
            }
        }
    }

    /// All that has been reported so far.
    pub(crate) fn drain(&self) -> Vec<T> {
        self.receiver().try_iter().collect()
    }

    /// Asserts what the next report is.
    #[track_caller]
    pub(crate) fn expect(&self, expected: T)
    where
        T: PartialEq,
    {
        assert_eq!(self.next(), expected);
    }

    /// Asserts that there is no report that the test has not seen.
    #[track_caller]
    pub(crate) fn expect_nothing(&self) {
        let news = self.drain();
        assert!(news.is_empty(), "unexpected: {news:?}");
    }
}
