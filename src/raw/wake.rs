//! Waking threads that block in read(2) on the FUSE device.
//!
//! libfuse has no way to (issue 997), closing the descriptor does not, and polling before each read
//! would cost every request a system call more. So a thread that shall stop gets a signal with a
//! handler that does nothing: its system call returns `EINTR`. The signal is a real-time signal that
//! nobody else has a handler for.

use std::ffi::c_int;
use std::mem;
use std::ptr;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::OnceLock;
use std::sync::PoisonError;

/// The reader threads of one session.
///
/// # Invariants
///
/// Each thread in the list is running: it leaves the list, under the lock, before it ends.
#[derive(Default)]
pub(crate) struct ReaderThreads {
    threads: Mutex<Vec<libc::pthread_t>>,
}

impl ReaderThreads {
    /// Lets this thread be woken while the returned value lives.
    pub(crate) fn enter(&self) -> Entered<'_> {
        if let Some(signal) = signal() {
            unblock(signal);
        }
        // SAFETY: no preconditions.
        let thread = unsafe { libc::pthread_self() };
        self.lock().push(thread);
        Entered {
            threads: self,
            thread,
        }
    }

    /// Makes the system call return that each of the threads is in. A thread that is about to make
    /// one misses it: call this again until the threads have noticed.
    pub(crate) fn wake(&self) {
        let Some(signal) = signal() else { return };
        for thread in self.lock().iter() {
            // SAFETY: the thread is running, by the invariants, and the signal has a handler.
            unsafe { libc::pthread_kill(*thread, signal) };
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<libc::pthread_t>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread's place in the list.
pub(crate) struct Entered<'a> {
    threads: &'a ReaderThreads,
    thread: libc::pthread_t,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.threads.lock().retain(|thread| *thread != self.thread);
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
            log::warn!("no real-time signal is free: sessions end with their next request only");
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
