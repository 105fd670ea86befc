//! Readers that wait for a request notice that their session shall end.

use std::fs;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use libfuse3::*;

use crate::common;
use crate::common::MountDir;
use crate::common::TimeLimit;
use crate::fs::Fs;
use crate::process;
use crate::process::Client;
use crate::process::Load;

/// How long a session waits for readers that are not woken: the time limit of the test comes first.
const FOR_EVER: Duration = Duration::from_secs(3600);

/// Runs a session with so many readers, and ends it while something goes on.
fn ends(threads: usize, meanwhile: impl FnOnce(&MountDir)) {
    let _limit = TimeLimit::new(Duration::from_secs(30));
    let dir = MountDir::new();
    let builder = Session::builder(Fs::default())
        .reader_threads(threads)
        .shutdown_timeout(FOR_EVER);
    let session = builder.mount(dir.path()).expect("mounted");
    common::register_mount(dir.path().to_owned());
    let session = session.spawn().expect("runs");
    meanwhile(&dir);
    assert_eq!(session.unmount().unwrap(), ExitReason::Terminated);
    common::assert_quiet();
}

#[test]
fn idle_readers() {
    common::require_fuse!();
    for threads in [1, 4, 16] {
        ends(threads, |dir| {
            assert!(fs::metadata(dir.join("data")).expect("served").is_file());
        });
    }
}

#[test]
fn readers_that_have_just_begun() {
    common::require_fuse!();
    for threads in [1, 4].repeat(20) {
        ends(threads, |_| {});
    }
}

#[test]
fn busy_readers() {
    common::require_fuse!();
    for threads in [1, 4] {
        let mut load = None;
        ends(threads, |dir| {
            load = Some(Load::start(&dir.join("data"), Client::Holding));
        });
        let errors = load.take().expect("started").ends();
        let expected = [libc::ENOTCONN, libc::ECONNABORTED];
        assert!(
            errors.iter().all(|error| expected.contains(error)),
            "{errors:?}"
        );
    }
}

#[test]
fn readers_of_a_mount_that_is_lazily_unmounted() {
    common::require_fuse!();
    for threads in [1, 4] {
        let mut file = None;
        ends(threads, |dir| {
            // It keeps the connection, and is not used: the readers sleep.
            file = Some(fs::File::open(dir.join("data")).expect("opened"));
            process::unmount("umount", &["-l"], dir.path());
        });
        drop(file);
    }
}

#[test]
fn terminating_in_init() {
    common::require_fuse!();
    for threads in [1, 4] {
        let _limit = TimeLimit::new(Duration::from_secs(20));
        let dir = MountDir::new();
        let handle: Arc<OnceLock<SessionHandle>> = Arc::default();
        let of_init = Arc::clone(&handle);
        let ops = Fs::default().on_init(move || {
            of_init.wait().terminate();
            Ok(())
        });
        let builder = Session::builder(ops)
            .reader_threads(threads)
            .shutdown_timeout(FOR_EVER);
        let session = builder.mount(dir.path()).expect("mounted");
        common::register_mount(dir.path().to_owned());
        assert!(handle.set(session.handle()).is_ok());
        let reason = session.spawn().expect("runs").join().unwrap();
        assert_eq!(reason, ExitReason::Terminated);
    }
}

#[test]
fn terminating_from_elsewhere_while_init_goes_on() {
    common::require_fuse!();
    for threads in [1, 4] {
        let _limit = TimeLimit::new(Duration::from_secs(20));
        let dir = MountDir::new();
        let (begun, terminated) = (common::Gate::new(), common::Gate::new());
        let gates = (Arc::clone(&begun), Arc::clone(&terminated));
        let ops = Fs::default().on_init(move || {
            gates.0.open();
            smol::block_on(gates.1.pass());
            Ok(())
        });
        let builder = Session::builder(ops)
            .reader_threads(threads)
            .shutdown_timeout(FOR_EVER);
        let session = builder.mount(dir.path()).expect("mounted");
        common::register_mount(dir.path().to_owned());
        let session = session.spawn().expect("runs");
        smol::block_on(begun.pass());
        session.handle().terminate();
        terminated.open();
        assert_eq!(session.join().unwrap(), ExitReason::Terminated);
    }
}

#[test]
fn a_refused_or_panicking_init_ends_all_readers() {
    common::require_fuse!();
    for threads in [1, 4] {
        for panics in [false, true] {
            let _limit = TimeLimit::new(Duration::from_secs(20));
            let dir = MountDir::new();
            let ops = Fs::default().on_init(move || {
                assert!(!panics, "as the test has asked for");
                Err(Errno::EDOM)
            });
            let builder = Session::builder(ops)
                .reader_threads(threads)
                .shutdown_timeout(FOR_EVER);
            let session = builder.mount(dir.path()).expect("mounted");
            common::register_mount(dir.path().to_owned());
            let error = session.spawn().expect("runs").join().unwrap_err();
            let expected = if panics { Errno::EIO } else { Errno::EDOM };
            assert!(
                matches!(error, Error::Init(errno) if errno == expected),
                "{error}"
            );
            assert!(!common::is_mounted(dir.path()), "still mounted");
        }
    }
}

#[test]
fn system_calls_of_handlers_are_not_interrupted() {
    common::require_fuse!();
    let _limit = TimeLimit::new(Duration::from_secs(20));
    let dir = MountDir::new();
    let interrupted: Arc<OnceLock<bool>> = Arc::default();
    let of_handler = Arc::clone(&interrupted);
    // Blocks its reader in a system call, which says when a signal cuts it short.
    let ops = Fs::new(move |_| {
        let pause = rustix::time::Timespec {
            tv_sec: 0,
            tv_nsec: 300_000_000,
        };
        let slept = rustix::thread::nanosleep(&pause);
        let cut_short = !matches!(slept, rustix::thread::NanosleepRelativeResult::Ok);
        assert!(of_handler.set(cut_short).is_ok());
        std::future::ready(Err(Errno::EDOM))
    });
    let session = Session::builder(ops).mount(dir.path()).expect("mounted");
    common::register_mount(dir.path().to_owned());
    let ops = Arc::clone(session.operations());
    let session = session.spawn().expect("runs");
    let path = dir.join("x");
    let caller = thread::spawn(move || common::errno(fs::metadata(path)));
    ops.lookups.expect("x".to_owned());
    assert_eq!(session.unmount().unwrap(), ExitReason::Terminated);
    assert_eq!(interrupted.get(), Some(&false));
    assert_eq!(caller.join().unwrap(), libc::EDOM);
    assert!(ops.destroyed.load(Ordering::Acquire));
}
