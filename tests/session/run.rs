//! Sessions on other executors, ended from everywhere, or never begun.

use std::fs;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use futures::FutureExt;
use libfuse3::*;

use crate::common;
use crate::common::MountDir;
use crate::common::TimeLimit;
use crate::fs::Fs;

struct Mounted {
    session: Session<Fs>,
    dropped: Arc<AtomicBool>,
    dir: MountDir,
    _limit: TimeLimit,
}

fn mount(ops: Fs) -> Mounted {
    let limit = TimeLimit::new(Duration::from_secs(30));
    let dir = MountDir::new();
    let dropped = Arc::clone(&ops.dropped);
    let builder = Session::builder(ops).shutdown_timeout(Duration::from_millis(300));
    let session = builder.mount(dir.path()).expect("mounted");
    common::register_mount(dir.path().to_owned());
    Mounted {
        session,
        dropped,
        dir,
        _limit: limit,
    }
}

/// Uses the mount from another thread, then terminates it.
fn use_and_terminate(mounted: &Mounted) -> thread::JoinHandle<i32> {
    let handle = mounted.session.handle();
    let path = mounted.dir.join("later");
    thread::spawn(move || {
        let error = common::errno(fs::metadata(path));
        handle.terminate();
        error
    })
}

/// Handlers wait, so that the caller's executor is needed.
fn waiting() -> Fs {
    Fs::new(|_| smol::Timer::after(Duration::from_millis(20)).map(|_| Err(Errno::EDOM)))
}

impl Mounted {
    fn assert_ended(self, user: thread::JoinHandle<i32>, reason: Result<ExitReason, Error>) {
        assert_eq!(reason.unwrap(), ExitReason::Terminated);
        assert_eq!(user.join().unwrap(), libc::EDOM);
        self.session.close(Unmount::Yes).unwrap();
        assert!(!common::is_mounted(self.dir.path()), "still mounted");
        assert!(self.dropped.load(Ordering::Acquire), "leaked");
    }
}

#[test]
fn on_the_block_on_of_futures() {
    common::require_fuse!();
    let mut mounted = mount(waiting());
    let user = use_and_terminate(&mounted);
    let reason = futures::executor::block_on(mounted.session.run());
    mounted.assert_ended(user, reason);
}

#[test]
fn on_a_local_executor() {
    common::require_fuse!();
    let mut mounted = mount(waiting());
    let user = use_and_terminate(&mounted);
    let executor = smol::LocalExecutor::new();
    let reason = smol::block_on(executor.run(async {
        let task = executor.spawn(async {
            let reason = mounted.session.run().await;
            (mounted, reason)
        });
        task.await
    }));
    let (mounted, reason) = reason;
    mounted.assert_ended(user, reason);
}

#[test]
fn on_an_executor_of_several_threads() {
    common::require_fuse!();
    let mut mounted = mount(waiting());
    let user = use_and_terminate(&mounted);
    let task = smol::spawn(async move {
        let reason = mounted.session.run().await;
        (mounted, reason)
    });
    let (mounted, reason) = smol::block_on(task);
    mounted.assert_ended(user, reason);
}

#[test]
fn dropped_inside_of_a_task() {
    common::require_fuse!();
    let mounted = mount(waiting());
    let user = use_and_terminate(&mounted);
    let Mounted {
        mut session,
        dropped,
        dir,
        _limit,
    } = mounted;
    smol::block_on(smol::spawn(async move {
        session.run().await.unwrap();
        drop(session);
    }));
    assert_eq!(user.join().unwrap(), libc::EDOM);
    assert!(!common::is_mounted(dir.path()), "still mounted");
    assert!(dropped.load(Ordering::Acquire), "leaked");
}

#[test]
fn never_run() {
    common::require_fuse!();
    for explicitly in [false, true] {
        let Mounted {
            session,
            dropped,
            dir,
            _limit,
        } = mount(Fs::default());
        // Nobody will answer.
        let path = dir.join("x");
        let caller = thread::spawn(move || common::errno(fs::metadata(path)));
        assert!(common::is_mounted(dir.path()));
        if explicitly {
            session.close(Unmount::Yes).unwrap();
        } else {
            drop(session);
        }
        assert!(!common::is_mounted(dir.path()), "still mounted");
        assert!(dropped.load(Ordering::Acquire), "leaked");
        let error = caller.join().unwrap();
        let expected = [libc::ECONNABORTED, libc::ENOTCONN, libc::ENOENT];
        assert!(expected.contains(&error), "{error}");
        common::assert_quiet();
    }
}

#[test]
fn terminated_before_it_runs() {
    common::require_fuse!();
    let mut mounted = mount(Fs::default());
    mounted.session.handle().terminate();
    mounted.session.handle().terminate();
    let reason = smol::block_on(mounted.session.run());
    assert_eq!(reason.unwrap(), ExitReason::Terminated);
    // A second time it has nothing to do.
    let reason = smol::block_on(mounted.session.run());
    assert_eq!(reason.unwrap(), ExitReason::Terminated);
    mounted.session.close(Unmount::Yes).unwrap();
    assert!(!common::is_mounted(mounted.dir.path()), "still mounted");
}

#[test]
fn unmounted_before_it_runs() {
    common::require_fuse!();
    let mut mounted = mount(Fs::default());
    // umount(8) would look at the mount first, and wait for an answer.
    let plainly = rustix::mount::UnmountFlags::empty();
    rustix::mount::unmount(mounted.dir.path(), plainly).expect("unmounted");
    let reason = smol::block_on(mounted.session.run());
    assert_eq!(reason.unwrap(), ExitReason::Unmounted);
    let reason = smol::block_on(mounted.session.run());
    assert_eq!(reason.unwrap(), ExitReason::Unmounted);
    mounted.session.close(Unmount::Yes).unwrap();
    assert!(mounted.dropped.load(Ordering::Acquire), "leaked");
    common::assert_quiet();
}

#[test]
fn what_is_mounted_in_its_place_is_left_alone() {
    common::require_fuse!();
    // Earlier kernels reuse the numbers of mounts.
    common::require_linux!(6, 8);
    let lazily = rustix::mount::UnmountFlags::DETACH;
    for round in 0..100 {
        let mut mounted = mount(Fs::default());
        let path = mounted.dir.path().to_owned();
        let connection = mounted.dir.connection();
        rustix::mount::unmount(&path, lazily).expect("unmounted");
        let other = Session::builder(Fs::default())
            .mount(&path)
            .expect("mounted");
        let reason = smol::block_on(mounted.session.run());
        assert_eq!(reason.unwrap(), ExitReason::Unmounted);
        mounted.session.close(Unmount::Yes).unwrap();
        assert!(common::is_mounted(&path), "unmounted in round {round}");
        // The kernel gives the number of the old one to the new one; unless somebody else was faster.
        let is_alike = mounted.dir.connection() == connection;
        drop(other);
        if is_alike {
            return;
        }
    }
    panic!("the number of a connection is never used again");
}

#[test]
fn run_dropped_midway() {
    common::require_fuse!();
    for close in [false, true] {
        let mut mounted = mount(Fs::hanging());
        let path = mounted.dir.join("x");
        let caller = thread::spawn(move || common::errno(fs::metadata(path)));
        {
            // Polled until a handler waits, then given up.
            let ops = Arc::clone(mounted.session.operations());
            let run = pin!(mounted.session.run());
            let called = pin!(smol::unblock(move || ops.lookups.next()));
            let first = smol::block_on(futures::future::select(run, called));
            assert!(matches!(first, futures::future::Either::Right(_)));
        }
        if close {
            mounted.session.close(Unmount::Yes).unwrap();
        } else {
            drop(mounted.session);
        }
        assert!(!common::is_mounted(mounted.dir.path()), "still mounted");
        assert_eq!(caller.join().unwrap(), libc::EIO);
        assert!(mounted.dropped.load(Ordering::Acquire), "leaked");
    }
}

#[test]
fn left_mounted_on_request() {
    common::require_fuse!();
    let mut mounted = mount(waiting());
    let user = use_and_terminate(&mounted);
    let reason = smol::block_on(mounted.session.run());
    assert_eq!(reason.unwrap(), ExitReason::Terminated);
    assert_eq!(user.join().unwrap(), libc::EDOM);
    mounted.session.close(Unmount::Leave).unwrap();
    assert!(mounted.dropped.load(Ordering::Acquire), "leaked");
    assert!(common::is_mounted(mounted.dir.path()));
    let error = common::errno(fs::metadata(mounted.dir.join("x")));
    assert_eq!(error, libc::ENOTCONN);
    crate::process::unmount("fusermount3", &["-u"], mounted.dir.path());
}

/// libfuse has a copy of the path, which it frees when it unmounts.
#[cfg(target_env = "gnu")]
#[test]
fn session_left_mounted_while_connected_does_not_leak_the_path() {
    const ROUNDS: usize = 100;
    common::require_fuse!();
    if !crate::process::is_started_again() {
        let test = "run::session_left_mounted_while_connected_does_not_leak_the_path";
        crate::process::run_again(test);
        return;
    }
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    let dir = tempfile::tempdir().unwrap();
    let path = (0..18).fold(dir.path().canonicalize().unwrap(), |path, _| {
        path.join("x".repeat(200))
    });
    fs::create_dir_all(&path).unwrap();
    let mut used = Vec::new();
    for _ in 0..ROUNDS {
        let session = Session::builder(Fs::default()).mount(&path).unwrap();
        session.close(Unmount::Leave).unwrap();
        crate::process::unmount("fusermount3", &["-u"], &path);
        // SAFETY: no preconditions.
        used.push(unsafe { libc::mallinfo() }.uordblks as usize);
    }
    // The allocator keeps pieces at first. Then less than half of what the paths take.
    let growth = used[ROUNDS - 1].saturating_sub(used[ROUNDS / 2]);
    assert!(growth < ROUNDS / 2 * path.as_os_str().len() / 2, "{used:?}");
}

#[test]
fn left_mounted_though_a_handler_hangs() {
    common::require_fuse!();
    let mut mounted = mount(Fs::hanging());
    let path = mounted.dir.join("x");
    let caller = thread::spawn(move || common::errno(fs::metadata(path)));
    let handle = mounted.session.handle();
    let ops = Arc::clone(mounted.session.operations());
    let ender = thread::spawn(move || {
        ops.lookups.next();
        handle.terminate();
    });
    let reason = smol::block_on(mounted.session.run());
    assert_eq!(reason.unwrap(), ExitReason::Terminated);
    assert_eq!(caller.join().unwrap(), libc::EIO);
    ender.join().unwrap();
    mounted.session.close(Unmount::Leave).unwrap();
    assert!(common::is_mounted(mounted.dir.path()));
    crate::process::unmount("fusermount3", &["-u"], mounted.dir.path());
}

/// What users may do with these types.
#[test]
fn may_be_sent_to_other_threads() {
    fn send<T: Send>(value: T) -> T {
        value
    }
    fn send_and_sync<T: Send + Sync>() {}
    send_and_sync::<SessionHandle>();
    send_and_sync::<Notifier>();
    send_and_sync::<BackgroundSession>();
    let _never_called = |mut session: Session<Fs>| {
        drop(send(session.run()));
        drop(send(session));
    };
}
