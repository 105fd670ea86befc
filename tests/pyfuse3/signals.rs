//! Signals, which belong to a whole process: each of these sessions has one of its own.

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Lines;
use std::path::PathBuf;
use std::process::Child;
use std::process::ChildStdout;
use std::process::Command;
use std::process::Stdio;
use std::thread;

use async_signal::Signals;
use futures::StreamExt;
use libfuse3::ExitReason;
use rustix::process::Pid;
use rustix::process::Signal;
use rustix::process::kill_process;

use crate::common;
use crate::common::TimeLimit;
use crate::common::memfs::MemFs;

/// Tells the child what to do, and that it is one.
const ROLE: &str = "LIBFUSE3_TEST_ROLE";

/// A process that mounts a file system.
struct Server {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    mountpoint: PathBuf,
    _limit: TimeLimit,
}

impl Server {
    /// Starts this test binary once more, for the one test that is none.
    fn start(role: &str) -> Self {
        let limit = TimeLimit::new(common::DEFAULT_LIMIT);
        // What a test ignores is not for its children to ignore.
        let mut child = Command::new("env")
            .arg("--default-signal")
            .arg(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "signals::serves_in_a_process_of_its_own",
                "--ignored",
            ])
            .arg("--nocapture")
            .env(ROLE, role)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut server = Self {
            child,
            lines,
            mountpoint: PathBuf::new(),
            _limit: limit,
        };
        server.mountpoint = server.line("mounted on ").into();
        common::register_mount(server.mountpoint.clone());
        server
    }

    /// The rest of the line that the process says next with this at its beginning.
    fn line(&mut self, beginning: &str) -> String {
        let mut lines = self.lines.by_ref().map(Result::unwrap);
        lines
            .find_map(|line| Some(line.split_once(beginning)?.1.to_owned()))
            .expect("the process says it")
    }

    fn kill(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Asserts that the session ends as it shall, and that nothing of it is left.
    fn assert_ends(mut self, reason: ExitReason) {
        assert_eq!(self.line("ended: "), format!("{reason:?}"));
        assert!(self.child.wait().unwrap().success());
        assert!(!common::is_mounted(&self.mountpoint) && !self.mountpoint.exists());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        if !self.mountpoint.as_os_str().is_empty() && common::is_mounted(&self.mountpoint) {
            drop(common::unmount(&self.mountpoint, true));
            drop(fs::remove_dir(&self.mountpoint));
        }
    }
}

/// Whether this process has a handler for a signal.
fn is_caught(signal: Signal) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = u64::from_str_radix(caught.unwrap().trim(), 16).unwrap();
    caught >> (signal.as_raw() - 1) & 1 == 1
}

#[test]
#[ignore = "is run by the other tests, in a process of its own"]
fn serves_in_a_process_of_its_own() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let mounted = common::mount_with(MemFs::default(), |builder| {
        builder.handle_signals(role == "handles signals")
    });
    let own = match &role[..] {
        "has its own signal task" => Some(async_signal::Signal::Term),
        "is interrupted" => Some(async_signal::Signal::Usr1),
        _ => None,
    };
    if let Some(signal) = own {
        let mut signals = Signals::new([signal]).unwrap();
        let handle = mounted.handle();
        let task = async move {
            while signals.next().await.is_some() {
                if signal == async_signal::Signal::Term {
                    handle.terminate();
                }
            }
        };
        thread::spawn(|| smol::block_on(task));
    }
    let caught = match role == "is interrupted" {
        true => Signal::USR1,
        false => Signal::TERM,
    };
    assert!(common::wait_until(common::PATIENCE, || is_caught(caught)));
    fs::metadata(mounted.path()).unwrap();
    if role == "is interrupted" {
        interrupt_readers(|| drop(fs::metadata(mounted.join("missing")).unwrap_err()));
        common::assert_quiet();
        mounted.handle().terminate();
    }
    println!("\nmounted on {}", mounted.path().display());
    println!("ended: {:?}", mounted.join_session().unwrap());
}

/// Sends signals to the threads that wait for requests, which are made in between.
fn interrupt_readers(request: impl Fn()) {
    let process = rustix::process::getpid().as_raw_pid();
    let readers: Vec<i32> = fs::read_dir("/proc/self/task")
        .unwrap()
        .map(|task| task.unwrap().path())
        .filter(|task| fs::read(task.join("comm")).is_ok_and(|name| name.starts_with(b"fuse-r")))
        .map(|task| task.file_name().unwrap().to_str().unwrap().parse().unwrap())
        .collect();
    assert!(!readers.is_empty());
    for _ in 0..100 {
        for reader in &readers {
            // SAFETY: the signal has a handler, and the thread is this process's.
            let sent = unsafe { libc::syscall(libc::SYS_tgkill, process, *reader, libc::SIGUSR1) };
            assert_eq!(sent, 0);
        }
        request();
    }
}

#[test]
fn sigint_sigterm_and_sighup_end_a_session_that_was_asked_to_handle_them() {
    common::require_fuse!();
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let server = Server::start("handles signals");
        fs::write(server.mountpoint.join("file"), "text").unwrap();
        server.kill(signal);
        server.assert_ends(ExitReason::Signal(signal.as_raw()));
    }
}

#[test]
fn a_signal_task_of_the_programs_own_can_terminate() {
    common::require_fuse!();
    let server = Server::start("has its own signal task");
    fs::write(server.mountpoint.join("file"), "text").unwrap();
    server.kill(Signal::TERM);
    server.assert_ends(ExitReason::Terminated);
}

#[test]
fn readers_that_are_interrupted_by_signals_go_on() {
    common::require_fuse!();
    let mut server = Server::start("is interrupted");
    assert_eq!(server.line("ended: "), "Terminated");
    assert!(server.child.wait().unwrap().success());
}
