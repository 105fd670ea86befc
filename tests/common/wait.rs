//! What a test and the handlers of its file system wait for each other with.

use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Instant;

use super::PATIENCE;

/// A value that threads wait for.
#[derive(Debug, Default)]
pub(crate) struct Watch<T> {
    value: Mutex<T>,
    changed: Condvar,
}

impl<T> Watch<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            value: Mutex::new(value),
            changed: Condvar::new(),
        }
    }

    pub(crate) fn update<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let result = change(&mut self.lock());
        self.changed.notify_all();
        result
    }

    pub(crate) fn read<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.lock())
    }

    /// Waits until the value is as it shall be. Panics if it never is.
    #[track_caller]
    pub(crate) fn wait_for(&self, what: &str, is_so: impl Fn(&T) -> bool) -> MutexGuard<'_, T> {
        let deadline = Instant::now() + PATIENCE;
        let mut value = self.lock();
        while !is_so(&value) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "not within {PATIENCE:?}: {what}");
            let waited = self.changed.wait_timeout(value, left);
            value = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        value
    }

    fn lock(&self) -> MutexGuard<'_, T> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What handlers wait at until it is opened.
#[derive(Debug)]
pub(crate) struct Gate {
    opener: Mutex<Option<async_channel::Sender<()>>>,
    opened: async_channel::Receiver<()>,
    waiting: Watch<usize>,
}

impl Gate {
    pub(crate) fn new() -> Arc<Self> {
        let (opener, opened) = async_channel::bounded(1);
        Arc::new(Self {
            opener: Mutex::new(Some(opener)),
            opened,
            waiting: Watch::default(),
        })
    }

    /// In a handler: waits until the gate is open.
    pub(crate) async fn pass(&self) {
        self.waiting.update(|waiting| *waiting += 1);
        let _closed = self.opened.recv().await;
    }

    /// Opens it when the returned value is dropped: so that a test that fails is not held up.
    pub(crate) fn open_at_end(self: &Arc<Self>) -> impl Drop {
        struct Opening(Arc<Gate>);
        impl Drop for Opening {
            fn drop(&mut self) {
                self.0.open();
            }
        }
        Opening(Arc::clone(self))
    }

    /// Waits until so many handlers have come here.
    #[track_caller]
    pub(crate) fn wait_for(&self, handlers: usize) {
        let what = format!("{handlers} handlers called");
        drop(self.waiting.wait_for(&what, |waiting| *waiting >= handlers));
    }

    /// How many have come here.
    pub(crate) fn arrived(&self) -> usize {
        self.waiting.read(|waiting| *waiting)
    }

    pub(crate) fn open(&self) {
        drop(
            self.opener
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.open();
    }
}
