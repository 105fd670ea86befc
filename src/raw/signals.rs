//! SIGINT, SIGTERM and SIGHUP, for sessions that are asked to handle them.
//!
//! As with libfuse's `fuse_set_signal_handlers` and `fuse_remove_signal_handlers`, the handler is there
//! while a session is, and what was there before comes back. Unlike libfuse's it is for any number of
//! sessions, calls what was there before, and wakes them through a pipe. A child that the process has forked
//! without exec(3) dies by its signals, and leaves the sessions alone.

use std::ffi::c_int;
use std::ffi::c_void;
use std::io;
use std::mem;
use std::os::fd::AsRawFd;
use std::os::fd::FromRawFd;
use std::os::fd::OwnedFd;
use std::ptr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicI32;
use std::sync::atomic::AtomicPtr;
use std::sync::atomic::Ordering;

use async_channel::Receiver;
use async_channel::Sender;
use futures::future::Either;
use futures::future::select;
use smol::Async;

use super::sys;
use crate::logging;
use crate::wakers::wake_after;

const SIGNALS: [c_int; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];

/// The end of the pipe that the handler writes to; -1 before there is one. It stays open for ever, since
/// a handler may be running on another thread at any time.
static WRITE: AtomicI32 = AtomicI32::new(-1);

/// What was there before the handler, for each signal: NULL if the handler is not there. What it points to
/// is never freed, for the same reason.
static BEFORE: [AtomicPtr<libc::sigaction>; 3] = [const { AtomicPtr::new(ptr::null_mut()) }; 3];

/// The process that has installed the handler. A child that it forks inherits the handler and the pipe, but
/// runs no session.
static PROCESS: AtomicI32 = AtomicI32::new(0);

static STATE: Mutex<State> = Mutex::new(State {
    read: None,
    listeners: Vec::new(),
    found: Vec::new(),
});

struct State {
    /// The other end.
    read: Option<Arc<Async<OwnedFd>>>,
    /// One for each session. Whichever of them reads from the pipe tells the others.
    listeners: Vec<Sender<c_int>>,
    /// What [`BEFORE`] has ever pointed to.
    found: Vec<&'static libc::sigaction>,
}

impl State {
    /// The same, for as long as the process lives. The default action is kept once.
    fn keep(&mut self, action: libc::sigaction) -> *mut libc::sigaction {
        let is_default = |action: &libc::sigaction| action.sa_sigaction == libc::SIG_DFL;
        let mut known = self.found.iter().copied();
        let known = known.find(|found| is_default(found) && is_default(&action));
        let kept = known.unwrap_or_else(|| {
            let kept = &*Box::leak(Box::new(action));
            self.found.push(kept);
            kept
        });
        ptr::from_ref(kept).cast_mut()
    }
}

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A session's share in the handler, which is there as long as one of these is.
#[derive(Debug)]
pub(crate) struct Signals {
    read: Arc<Async<OwnedFd>>,
    receiver: Receiver<c_int>,
}

impl Signals {
    /// Has the signals handled from here on, but for those that the process ignores.
    pub(crate) fn handle() -> io::Result<Self> {
        let mut state = state();
        let process = current_process();
        if PROCESS.swap(process, Ordering::AcqRel) != process {
            // A forked child inherits these. Dropping the pipe would remove it from the parent's reactor.
            mem::forget(mem::take(&mut state.listeners));
            mem::forget(state.read.take());
        }
        let read = match &state.read {
            Some(read) => Arc::clone(read),
            None => Arc::clone(state.read.insert(Arc::new(Async::new(open_pipe()?)?))),
        };
        if state.listeners.is_empty() {
            // What came after the last session is nobody's concern any more.
            while read_signal(&read).is_some() {}
            let mut signals = SIGNALS.into_iter().zip(&BEFORE);
            signals
                .try_for_each(|(signal, before)| install(&mut state, signal, before))
                .inspect_err(|_| remove_all())?;
        }
        let (sender, receiver) = async_channel::unbounded();
        state.listeners.push(sender);
        Ok(Self { read, receiver })
    }

    /// Waits for the next signal: its number.
    pub(crate) async fn next(&self) -> c_int {
        loop {
            let told = std::pin::pin!(self.receiver.recv());
            let readable = std::pin::pin!(self.read.readable());
            match select(told, readable).await {
                Either::Left((Ok(signal), _)) => return signal,
                Either::Left((Err(_), _)) => std::future::pending().await,
                Either::Right((Ok(()), _)) => {
                    if let Some(signal) = read_signal(&self.read) {
                        let listeners = state().listeners.clone();
                        for listener in listeners {
                            // It fails for a session that has just ended.
                            let _sent = wake_after(|| listener.try_send(signal));
                        }
                    }
                }
                Either::Right((Err(error), _)) => {
                    logging::warn!("cannot wait for signals: {error}");
                    std::future::pending::<()>().await;
                }
            }
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        let mut state = state();
        self.receiver.close();
        state.listeners.retain(|listener| !listener.is_closed());
        if state.listeners.is_empty() {
            remove_all();
        }
    }
}

fn remove_all() {
    for (signal, before) in SIGNALS.into_iter().zip(&BEFORE) {
        remove(signal, before);
    }
}

/// Opens the pipe, neither end of which blocks. The handler has one, the other is returned.
fn open_pipe() -> io::Result<OwnedFd> {
    let mut ends = [-1; 2];
    // SAFETY: there is room for both.
    let result = unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC | libc::O_NONBLOCK) };
    sys::check(result as isize)?;
    // SAFETY: the descriptor is new, and nobody else's.
    let read = unsafe { OwnedFd::from_raw_fd(ends[0]) };
    WRITE.store(ends[1], Ordering::Release);
    Ok(read)
}

/// A signal out of the pipe, if there is one.
fn read_signal(read: &Async<OwnedFd>) -> Option<c_int> {
    let mut byte = 0_u8;
    let fd = read.get_ref().as_raw_fd();
    // SAFETY: there is room for one byte.
    let length = unsafe { libc::read(fd, ptr::from_mut(&mut byte).cast(), 1) };
    (length == 1).then_some(byte.into())
}

/// What is done about a signal now.
fn action(signal: c_int) -> io::Result<libc::sigaction> {
    // SAFETY: all-zero is a valid `struct sigaction`.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    // SAFETY: nothing is changed, and there is room for the answer.
    let result = unsafe { libc::sigaction(signal, ptr::null(), &mut action) };
    sys::check(result as isize)?;
    Ok(action)
}

fn handler() -> libc::sighandler_t {
    let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = on_signal;
    handler as libc::sighandler_t
}

/// Installs the handler, unless the signal is ignored.
fn install(
    state: &mut State,
    signal: c_int,
    before: &AtomicPtr<libc::sigaction>,
) -> io::Result<()> {
    let found = action(signal)?;
    let is_there = !before.load(Ordering::Acquire).is_null();
    // Left in place by `remove`, below somebody else's, who calls it.
    if found.sa_sigaction == libc::SIG_IGN || is_there {
        return Ok(());
    }
    before.store(state.keep(found), Ordering::Release);
    // SAFETY: all-zero is a valid `struct sigaction`: no flags, no signals.
    let mut ours: libc::sigaction = unsafe { mem::zeroed() };
    ours.sa_sigaction = handler();
    ours.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
    // SAFETY: the handler does nothing but what a signal handler may do.
    let result = unsafe { libc::sigaction(signal, &ours, ptr::null_mut()) };
    if result != 0 {
        before.store(ptr::null_mut(), Ordering::Release);
    }
    sys::check(result as isize).map(drop)
}

/// Brings back what was there before the handler; leaves it if somebody else has put theirs in its place,
/// since they may call it.
fn remove(signal: c_int, before: &AtomicPtr<libc::sigaction>) {
    let is_ours = action(signal).is_ok_and(|action| action.sa_sigaction == handler());
    let found = before.load(Ordering::Acquire);
    if !is_ours || found.is_null() {
        return;
    }
    // SAFETY: what was found when the handler was installed, and is never freed.
    let result = unsafe { libc::sigaction(signal, found, ptr::null_mut()) };
    if result == 0 {
        before.store(ptr::null_mut(), Ordering::Release);
    }
}

fn current_process() -> libc::pid_t {
    // SAFETY: no preconditions.
    unsafe { libc::getpid() }
}

/// Writes the signal's number into the pipe, and calls the previous handler. In a forked child, does only what
/// was done before.
extern "C" fn on_signal(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: no preconditions.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: it is this thread's own.
    let number = unsafe { *errno };
    let is_own_process = current_process() == PROCESS.load(Ordering::Acquire);
    if is_own_process {
        let byte = signal as u8;
        let fd = WRITE.load(Ordering::Acquire);
        // SAFETY: the pipe stays open, there is one byte, and write(2) is safe here. If the pipe is full, the
        // sessions have been told often enough.
        unsafe { libc::write(fd, ptr::from_ref(&byte).cast(), 1) };
    }
    let index = SIGNALS.iter().position(|handled| *handled == signal);
    let before = index.map_or(ptr::null_mut(), |index| {
        BEFORE[index].load(Ordering::Acquire)
    });
    // SAFETY: NULL, or never freed.
    if let Some(before) = unsafe { before.as_ref() } {
        if !is_own_process && before.sa_sigaction == libc::SIG_DFL {
            raise_by_default(signal, before);
        } else {
            call(before, signal, info, context);
        }
    }
    // SAFETY: as above.
    unsafe { *errno = number };
}

/// Has the signal's default action taken when the handler returns, unless the program has installed a handler
/// of its own above.
fn raise_by_default(signal: c_int, default: &libc::sigaction) {
    if action(signal).is_ok_and(|action| action.sa_sigaction == handler()) {
        // SAFETY: the action is valid, and sigaction(2) is safe here.
        unsafe { libc::sigaction(signal, default, ptr::null_mut()) };
        // SAFETY: raise(3) is safe here. The signal is blocked until the handler returns.
        unsafe { libc::raise(signal) };
    }
}

/// Calls the program's own handler, if it is one.
fn call(action: &libc::sigaction, signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    let address = action.sa_sigaction;
    if [libc::SIG_DFL, libc::SIG_IGN].contains(&address) {
        return;
    }
    if action.sa_flags & libc::SA_SIGINFO != 0 {
        type Handler = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);
        // SAFETY: with this flag, sigaction(2) takes a function of three arguments.
        let handler = unsafe { mem::transmute::<libc::sighandler_t, Handler>(address) };
        handler(signal, info, context);
    } else {
        type Handler = extern "C" fn(c_int);
        // SAFETY: without the flag, sigaction(2) takes a function of one argument.
        let handler = unsafe { mem::transmute::<libc::sighandler_t, Handler>(address) };
        handler(signal);
    }
}
