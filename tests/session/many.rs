//! Many sessions: at once, and one after the other, without anything left behind.

use std::fs;
use std::sync::Arc;
use std::sync::Barrier;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use libfuse3::*;

use crate::common;
use crate::common::MountDir;
use crate::common::TimeLimit;
use crate::fs::Fs;
use crate::process;

/// Mounts, uses and unmounts.
fn one_life(dir: &MountDir) {
    let ops = Fs::default();
    let dropped = Arc::clone(&ops.dropped);
    let session = Session::builder(ops).mount(dir.path()).expect("mounted");
    common::register_mount(dir.path().to_owned());
    let session = session.spawn().expect("runs");
    assert_eq!(
        fs::read(dir.join("data")).expect("read").len(),
        crate::fs::DATA_SIZE
    );
    assert_eq!(
        session.unmount().expect("unmounted"),
        ExitReason::Terminated
    );
    assert!(dropped.load(Ordering::Acquire), "leaked");
}

#[test]
fn sessions_side_by_side() {
    const SESSIONS: usize = 4;
    const ROUNDS: usize = 50;
    common::require_fuse!();
    let _limit = TimeLimit::new(Duration::from_secs(60));
    let together = Barrier::new(SESSIONS);
    thread::scope(|scope| {
        for _ in 0..SESSIONS {
            scope.spawn(|| {
                let dir = MountDir::new();
                for _ in 0..ROUNDS {
                    together.wait();
                    one_life(&dir);
                }
            });
        }
    });
}

#[test]
fn sessions_use_each_other() {
    common::require_fuse!();
    let _limit = TimeLimit::new(Duration::from_secs(30));
    let (lower, upper) = (MountDir::new(), MountDir::new());
    let session = Session::builder(Fs::default()).mount(lower.path()).unwrap();
    common::register_mount(lower.path().to_owned());
    let lower_session = session.spawn().unwrap();
    let data = lower.join("data");
    // Its handler makes a system call on the other one.
    let ops = Fs::new(move |_| {
        let len = fs::read(&data).map(|data| data.len());
        assert_eq!(len.expect("read"), crate::fs::DATA_SIZE);
        std::future::ready(Err(Errno::EDOM))
    });
    let session = Session::builder(ops).mount(upper.path()).unwrap();
    common::register_mount(upper.path().to_owned());
    let upper_session = session.spawn().unwrap();
    assert_eq!(common::errno(fs::metadata(upper.join("x"))), libc::EDOM);
    drop(upper_session);
    drop(lower_session);
}

/// Runs in a process of its own, where nobody else opens files.
#[test]
fn two_hundred_lives_leave_nothing_behind() {
    common::require_fuse!();
    process::run_again("many::tests_of_leaks");
}

#[test]
fn tests_of_leaks() {
    const WARM_UP: usize = 20;
    const LIVES: usize = 200;
    if !process::is_started_again() {
        return;
    }
    let _limit = TimeLimit::new(Duration::from_secs(60));
    let dir = MountDir::new();
    for _ in 0..WARM_UP {
        one_life(&dir);
    }
    let before = Usage::now();
    for _ in 0..LIVES {
        one_life(&dir);
    }
    // Threads of pools leave by and by.
    let settled = common::wait_until(common::PATIENCE, || {
        let now = Usage::now();
        now.threads <= before.threads && now.files <= before.files
    });
    let after = Usage::now();
    assert!(settled, "{before:?} became {after:?}");
    let kept = after.memory.saturating_sub(before.memory) / LIVES;
    assert!(
        kept < 4096,
        "{kept} bytes for each: {before:?} became {after:?}"
    );
    println!("{before:?}\n{after:?}");
}

#[derive(Debug)]
struct Usage {
    threads: usize,
    files: usize,
    /// Bytes in memory that no file is behind.
    memory: usize,
}

impl Usage {
    fn now() -> Self {
        let entries = |dir| fs::read_dir(dir).expect("/proc").count();
        let status = fs::read_to_string("/proc/self/status").expect("/proc");
        let memory = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"));
        let memory = memory.and_then(|line| line.split_whitespace().next());
        Self {
            threads: entries("/proc/self/task"),
            files: entries("/proc/self/fd"),
            memory: memory
                .and_then(|kib| kib.parse::<usize>().ok())
                .expect("RssAnon")
                * 1024,
        }
    }
}
