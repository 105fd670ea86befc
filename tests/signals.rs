//! What is done about signals before, during and after sessions that handle them. It is one for the whole
//! process, so this test has a process for itself.

mod common;

use std::fs;

use async_signal::Signals;
use common::MountDir;
use common::TimeLimit;
use common::memfs::MemFs;
use futures::StreamExt;
use libfuse3::BackgroundSession;
use libfuse3::ExitReason;
use libfuse3::Session;
use rustix::process::Pid;
use rustix::process::Signal;
use rustix::process::WaitOptions;

/// Of this process, a set of signals.
fn set(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let set = status.lines().find_map(|line| line.strip_prefix(name));
    u64::from_str_radix(set.unwrap().trim(), 16).unwrap()
}

/// Whether this process has a handler for a signal.
fn is_caught(signal: Signal) -> bool {
    set("SigCgt:") >> (signal.as_raw() - 1) & 1 == 1
}

fn send(signal: Signal) {
    rustix::process::kill_process(rustix::process::getpid(), signal).unwrap();
}

/// A session that handles signals by now.
struct Handling {
    session: BackgroundSession,
    dir: MountDir,
}

impl Handling {
    fn new() -> Self {
        let dir = MountDir::new();
        let session = Session::builder(MemFs::default()).handle_signals(true);
        let session = session.mount(dir.path()).unwrap().spawn().unwrap();
        common::register_mount(dir.path().to_owned());
        // Nothing is answered before.
        fs::write(dir.join("file"), "text").unwrap();
        Self { session, dir }
    }

    /// Whether requests are answered.
    fn is_serving(&self) -> bool {
        fs::read(self.dir.join("file")).is_ok_and(|text| text == b"text")
    }

    fn assert_ends_by(self, signal: Signal) {
        let reason = self.session.join().unwrap();
        assert_eq!(reason, ExitReason::Signal(signal.as_raw()));
    }

    fn unmount(self) {
        assert_eq!(self.session.unmount().unwrap(), ExitReason::Terminated);
    }
}

/// Forks a child that only waits for signals. It ends with this thread at the latest.
fn fork_waiting_child() -> Pid {
    // SAFETY: the child makes two system calls, prctl(2) and pause(2), which a child of a process with threads
    // may make.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: this request takes a number.
        unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
        loop {
            // SAFETY: no preconditions.
            unsafe { libc::pause() };
        }
    }
    Pid::from_raw(child).expect("forked")
}

/// A signal for a forked child kills the child, and the session of its parent goes on.
fn assert_forked_child_dies_alone() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let session = Handling::new();
        let child = fork_waiting_child();
        rustix::process::kill_process(child, signal).unwrap();
        let mut status = None;
        common::wait_until(common::PATIENCE, || {
            status = rustix::process::waitpid(Some(child), WaitOptions::NOHANG).unwrap();
            status.is_some()
        });
        let (_, status) = status.expect("the child dies by its signal");
        assert_eq!(status.terminating_signal(), Some(signal.as_raw()));
        assert!(session.is_serving());
        session.unmount();
    }
}

#[test]
fn what_was_done_about_signals_comes_back() {
    common::require_fuse!();
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    const ALL: [Signal; 3] = [Signal::INT, Signal::TERM, Signal::HUP];
    let is_ignored = |signal: Signal| set("SigIgn:") >> (signal.as_raw() - 1) & 1 == 1;
    let signals: Vec<_> = ALL
        .into_iter()
        .filter(|signal| !is_ignored(*signal))
        .collect();
    if signals != ALL {
        return common::skip("started with signals ignored");
    }
    assert_eq!(ALL.map(is_caught), [false; 3]);

    // With the last session.
    let (first, second) = (Handling::new(), Handling::new());
    assert_eq!(ALL.map(is_caught), [true; 3]);
    first.unmount();
    assert_eq!(ALL.map(is_caught), [true; 3]);
    second.unmount();
    assert_eq!(ALL.map(is_caught), [false; 3]);

    // One signal is for all of them; the next ones are none the wiser.
    for signal in ALL {
        let both = [Handling::new(), Handling::new()];
        send(signal);
        for session in both {
            session.assert_ends_by(signal);
        }
        assert_eq!(ALL.map(is_caught), [false; 3]);
    }
    Handling::new().unmount();

    assert_forked_child_dies_alone();

    // A handler that was there before is called meanwhile, and comes back.
    let mut own = Signals::new([async_signal::Signal::Term]).unwrap();
    let session = Handling::new();
    send(Signal::TERM);
    session.assert_ends_by(Signal::TERM);
    smol::block_on(own.next()).unwrap().unwrap();
    assert_eq!(ALL.map(is_caught), [false, true, false]);
    send(Signal::TERM);
    smol::block_on(own.next()).unwrap().unwrap();

    // One that comes meanwhile stays, and so does ours beneath it.
    let session = Handling::new();
    let mut later = Signals::new([async_signal::Signal::Int]).unwrap();
    session.unmount();
    assert_eq!(ALL.map(is_caught), [true, true, false]);
    send(Signal::INT);
    smol::block_on(later.next()).unwrap().unwrap();
    let session = Handling::new();
    send(Signal::INT);
    session.assert_ends_by(Signal::INT);
    smol::block_on(later.next()).unwrap().unwrap();
    assert_eq!(ALL.map(is_caught), [true, true, false]);
}
