//! System calls that are interrupted.

use std::io;
use std::sync::Once;
use std::thread;
use std::thread::JoinHandle;

use rustix::process::Pid;

/// A system call on a thread of its own, which can be interrupted.
pub(crate) struct Client<T> {
    thread: JoinHandle<io::Result<T>>,
    pub(crate) id: Pid,
}

impl<T: Send + 'static> Client<T> {
    pub(crate) fn start(call: impl FnOnce() -> io::Result<T> + Send + 'static) -> Self {
        static HANDLE_SIGNAL: Once = Once::new();
        HANDLE_SIGNAL.call_once(handle_signal);
        let (tell, told) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            tell.send(rustix::thread::gettid()).unwrap();
            call()
        });
        let id = told.recv().unwrap();
        Self { thread, id }
    }

    /// Interrupts the call if the thread is in one.
    pub(crate) fn interrupt(&self) {
        let process = rustix::process::getpid().as_raw_pid();
        // SAFETY: there is a handler for the signal.
        let result = unsafe {
            libc::syscall(
                libc::SYS_tgkill,
                process,
                self.id.as_raw_pid(),
                libc::SIGUSR1,
            )
        };
        assert_eq!(result, 0, "{}", io::Error::last_os_error());
    }

    pub(crate) fn result(self) -> io::Result<T> {
        self.thread.join().unwrap()
    }

    #[track_caller]
    pub(crate) fn assert_eintr(self)
    where
        T: std::fmt::Debug,
    {
        assert_eq!(super::errno(self.result()), libc::EINTR);
    }
}

/// Has SIGUSR1 interrupt system calls, for good. Without `SA_RESTART`: those that wait for locks would
/// be made again.
fn handle_signal() {
    extern "C" fn nothing(_signal: libc::c_int) {}
    let handler: extern "C" fn(libc::c_int) = nothing;
    // SAFETY: all-zero is a valid `struct sigaction`.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as libc::sighandler_t;
    // SAFETY: the handler does nothing, so that it may run at any time.
    let result = unsafe { libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}
