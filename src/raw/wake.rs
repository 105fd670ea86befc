//! Waking threads that block in read(2) on the FUSE device.
//!
//! libfuse has no way to (issue 997), closing the descriptor does not, and polling before each read
//! would cost every request a system call more. So a thread that shall stop gets a signal with a
//! handler that does nothing: its system call returns `EINTR`. The signal is a real-time signal that
//! nobody else has a handler for, and is sent only while the thread receives: system calls of handlers
//! are left alone, but for those of one that begins at that very moment.

use std::ffi::c_int;
use std::mem;
use std::ptr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use crate::logging;

/// The reader threads of one session.
///
/// # Invariants
///
/// Each thread in the list is running: it leaves the list, under the lock, before it ends.
#[derive(Default)]
pub(crate) struct ReaderThreads {
    threads: Mutex<Vec<Arc<Reader>>>,
}

/// On a cache line of its own, since its thread writes to it for each request.
#[repr(align(128))]
struct Reader {
    thread: libc::pthread_t,
    /// It is in libfuse to receive a request, or about to be.
    receives: AtomicBool,
}

impl ReaderThreads {
    /// Lets this thread be woken while the returned value lives.
    pub(crate) fn enter(&self) -> Entered<'_> {
        if let Some(signal) = signal() {
            unblock(signal);
        }
        let reader = Arc::new(Reader {
            // SAFETY: no preconditions.
            thread: unsafe { libc::pthread_self() },
            receives: AtomicBool::new(false),
        });
        self.lock().push(Arc::clone(&reader));
        Entered {
            threads: self,
            reader,
        }
    }

    /// Makes the system call return in which threads wait for requests. A thread that is about to
    /// make one, or has just begun to, misses it: call this again until the threads have noticed.
    pub(crate) fn wake(&self) {
        let Some(signal) = signal() else { return };
        for reader in self.lock().iter() {
            if reader.receives.load(Ordering::Acquire) {
                // SAFETY: the thread is running, by the invariants, and the signal has a handler.
                unsafe { libc::pthread_kill(reader.thread, signal) };
            }
        }
    }

    /// Whether this thread is one of them.
    pub(crate) fn are_current(&self) -> bool {
        // SAFETY: no preconditions.
        let current = unsafe { libc::pthread_self() };
        self.lock().iter().any(|reader| {
            // SAFETY: both threads are running, by the invariants.
            unsafe { libc::pthread_equal(reader.thread, current) != 0 }
        })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Reader>>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread's place in the list.
pub(crate) struct Entered<'a> {
    threads: &'a ReaderThreads,
    reader: Arc<Reader>,
}

impl Entered<'_> {
    /// Calls `receive`, out of which [`ReaderThreads::wake`] brings this thread, unless
    /// `is_stopping`.
    pub(crate) fn receive<R>(
        &self,
        is_stopping: impl FnOnce() -> bool,
        receive: impl FnOnce() -> R,
    ) -> Option<R> {
        // Whoever stops the session says so first, and looks at `receives` then. Without a fence between
        // this store and the look at `is_stopping`, which would cost each request, both may miss each
        // other: as if this thread was about to make its system call. That is why `wake` is called
        // again, and the store is seen by then. Release: not before what the last handler did, whose
        // system calls are to be left alone.
        self.reader.receives.store(true, Ordering::Release);
        let result = (!is_stopping()).then(receive);
        self.reader.receives.store(false, Ordering::Release);
        result
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let this = &self.reader;
        self.threads
            .lock()
            .retain(|reader| !Arc::ptr_eq(reader, this));
    }
}

/// The signal, with its handler installed; `None` if the program uses all of them.
fn signal() -> Option<c_int> {
    static SIGNAL: OnceLock<Option<c_int>> = OnceLock::new();
    *SIGNAL.get_or_init(|| {
        let signal = (libc::SIGRTMIN()..=libc::SIGRTMAX())
            .rev()
            .find(|signal| install(*signal));
        if signal.is_none() {
            logging::warn!(
                "no real-time signal is free: sessions end with their next request only"
            );
        }
        signal
    })
}

/// Gives the signal a handler that does nothing. Whether it had none before.
fn install(signal: c_int) -> bool {
    extern "C" fn do_nothing(_: c_int) {}

    // SAFETY: all-zero is a valid `struct sigaction`: the default action, no flags, no signals.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    // SAFETY: `action` has room for the answer.
    let result = unsafe { libc::sigaction(signal, ptr::null(), &mut action) };
    if result != 0 || action.sa_sigaction != libc::SIG_DFL {
        return false;
    }
    action.sa_sigaction = do_nothing as extern "C" fn(c_int) as libc::sighandler_t;
    // Without SA_RESTART: system calls shall return.
    action.sa_flags = 0;
    // SAFETY: the handler does nothing, which is safe at any time.
    unsafe { libc::sigaction(signal, &action, ptr::null_mut()) == 0 }
}

/// The program may have blocked all signals before it made this thread.
fn unblock(signal: c_int) {
    // SAFETY: all-zero is a valid `sigset_t`.
    let mut set: libc::sigset_t = unsafe { mem::zeroed() };
    // SAFETY: `set` is valid.
    unsafe { libc::sigemptyset(&mut set) };
    // SAFETY: `set` is valid, and so is the number.
    unsafe { libc::sigaddset(&mut set, signal) };
    // SAFETY: `set` is valid; only this thread's mask changes.
    unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &set, ptr::null_mut()) };
}
