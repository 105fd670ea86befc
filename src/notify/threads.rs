//! Threads for calls that may block in the kernel.
//!
//! They are the session's own. On a pool that handlers use, too, blocked notifications could take
//! all threads, and the handlers that the kernel waits for would find none.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;

use crate::logging;
use crate::panics::catch;

/// How many notifications of a session may block in the kernel at a time; others wait behind them.
const MAX_THREADS: usize = 8;

/// How long a thread waits for something to do before it ends.
const LINGER: Duration = Duration::from_secs(1);

type Job = Box<dyn FnOnce() + Send>;

/// Jobs, and the threads that do them.
#[derive(Default)]
pub(super) struct Threads {
    state: Mutex<State>,
    added: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
}

impl Threads {
    /// Queues a job; drops it if no thread can be started.
    pub(super) fn submit(self: &Arc<Self>, job: impl FnOnce() + Send + 'static) {
        let mut state = self.lock();
        state.jobs.push_back(Box::new(job));
        if state.idle >= state.jobs.len() {
            drop(state);
            self.added.notify_one();
        } else if state.threads < MAX_THREADS {
            state.threads += 1;
            drop(state);
            let this = Arc::clone(self);
            let name = "fuse-notify".to_owned();
            if let Err(error) = thread::Builder::new().name(name).spawn(move || this.work()) {
                logging::error!("cannot start a thread for notifications: {error}");
                let mut state = self.lock();
                state.threads -= 1;
                if state.threads == 0 {
                    let lost = std::mem::take(&mut state.jobs);
                    drop(state);
                    drop(lost);
                }
            }
        }
    }

    fn work(&self) {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                drop(state);
                // A panic, of a waker for example, must not end this thread.
                drop(catch(job));
                state = self.lock();
                continue;
            }
            state.idle += 1;
            let waited = self.added.wait_timeout(state, LINGER);
            let timeout;
            (state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
            if timeout.timed_out() && state.jobs.is_empty() {
                state.threads -= 1;
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
