//! The end of a session with handlers in it that do not want to end.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use futures::FutureExt;
use libfuse3::*;

use crate::common;
use crate::common::MountDir;
use crate::common::PATIENCE;
use crate::common::TimeLimit;
use crate::fs::Fs;

/// Ample time for what a session does beside waiting for handlers, also on a machine under load.
const SLACK: Duration = Duration::from_secs(20);

/// Longer than any test takes.
const FOR_EVER: Duration = Duration::from_secs(3600);

/// Looks up a name on a thread of its own; the error that it got.
fn look_up(path: PathBuf) -> JoinHandle<i32> {
    thread::spawn(move || common::errno(fs::metadata(path)))
}

/// What blocks a thread until the test is done with it.
#[derive(Clone, Default)]
struct Block(Arc<(Mutex<bool>, Condvar)>);

impl Block {
    fn wait(&self) {
        let (opened, changed) = &*self.0;
        let opened = opened.lock().unwrap();
        drop(changed.wait_while(opened, |opened| !*opened).unwrap());
    }

    fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.open();
    }
}

struct Running {
    dir: MountDir,
    ops: Arc<Fs>,
    session: Option<BackgroundSession>,
    _limit: TimeLimit,
}

fn start(ops: Fs, configure: impl FnOnce(SessionBuilder<Fs>) -> SessionBuilder<Fs>) -> Running {
    let limit = TimeLimit::new(Duration::from_secs(60));
    let dir = MountDir::new();
    let session = configure(Session::builder(ops)).mount(dir.path());
    let session = session.expect("mounted");
    common::register_mount(dir.path().to_owned());
    let ops = Arc::clone(session.operations());
    let session = session.spawn().expect("runs");
    Running {
        dir,
        ops,
        session: Some(session),
        _limit: limit,
    }
}

impl Running {
    /// Looks up a name, and waits until the handler has been called.
    fn look_up(&self, name: &str) -> JoinHandle<i32> {
        let caller = look_up(self.dir.join(name));
        self.ops.lookups.find(|found| found == name);
        caller
    }

    fn unmount(&mut self) -> (Result<ExitReason, Error>, Duration) {
        let start = Instant::now();
        let result = self.session.take().expect("runs").unmount();
        assert!(!common::is_mounted(self.dir.path()), "still mounted");
        (result, start.elapsed())
    }
}

#[test]
fn handlers_in_flight_come_to_their_end() {
    common::require_fuse!();
    let slow = |_| smol::Timer::after(Duration::from_millis(300)).map(|_| Err(Errno::EDOM));
    let mut running = start(Fs::new(slow), |builder| builder.shutdown_timeout(FOR_EVER));
    let callers: Vec<_> = ["a", "b", "c"].map(|name| running.look_up(name)).into();
    let (result, _) = running.unmount();
    assert_eq!(result.unwrap(), ExitReason::Terminated);
    for caller in callers {
        assert_eq!(caller.join().unwrap(), libc::EDOM);
    }
    assert!(
        running
            .ops
            .destroyed
            .load(std::sync::atomic::Ordering::Acquire)
    );
}

#[test]
fn handlers_that_never_end_are_dropped_in_time() {
    common::require_fuse!();
    let timeout = Duration::from_millis(300);
    let mut running = start(Fs::hanging(), |builder| builder.shutdown_timeout(timeout));
    let callers: Vec<_> = ["a", "b", "c"].map(|name| running.look_up(name)).into();
    let (result, took) = running.unmount();
    assert_eq!(result.unwrap(), ExitReason::Terminated);
    assert!((timeout..timeout + SLACK).contains(&took), "{took:?}");
    for caller in callers {
        assert_eq!(caller.join().unwrap(), libc::EIO);
    }
    common::assert_logged(&["3 requests have not ended in time: answered with EIO"]);
}

#[test]
fn queued_requests_are_served_or_answered_in_the_end() {
    common::require_fuse!();
    let slow = |name: String| async move {
        match name.as_str() {
            "hang" => std::future::pending().await,
            _ => smol::Timer::after(Duration::from_millis(50)).await,
        };
        Err(Errno::EDOM)
    };
    // One after the other: the last one begins when the session has been told to end.
    let mut running = start(Fs::new(slow), |builder| {
        builder
            .max_in_flight(1)
            .shutdown_timeout(Duration::from_secs(1))
    });
    let first = running.look_up("first");
    let queued: Vec<_> = ["b", "c", "d"]
        .map(|name| look_up(running.dir.join(name)))
        .into();
    running.ops.lookups.find(|name| name == "b");
    let (result, took) = running.unmount();
    assert_eq!(result.unwrap(), ExitReason::Terminated);
    assert!(took < SLACK, "{took:?}");
    assert_eq!(first.join().unwrap(), libc::EDOM);
    for caller in queued {
        let error = caller.join().unwrap();
        // Whoever has not got through to the session finds it unmounted.
        let expected = [libc::EDOM, libc::ECONNABORTED, libc::ENOTCONN, libc::ENOENT];
        assert!(expected.contains(&error), "{error}");
    }
}

/// Asserts that a session whose handler blocks its thread ends within its limit and this slack, and that
/// what is left of it goes away with the handler.
#[track_caller]
fn assert_gives_up(ops: Fs, block: &Block, slack: Duration) {
    let timeout = Duration::from_millis(300);
    let mut running = start(ops, |builder| builder.shutdown_timeout(timeout));
    let caller = running.look_up("block");
    let (result, took) = running.unmount();
    let error = result.unwrap_err();
    assert!(matches!(error, Error::Busy(1)), "{error}");
    assert!(took < timeout + slack, "{took:?}");
    assert_eq!(caller.join().unwrap(), libc::ECONNABORTED);
    let dropped = Arc::clone(&running.ops.dropped);
    block.open();
    drop(running);
    assert!(common::wait_until(PATIENCE, || {
        dropped.load(std::sync::atomic::Ordering::Acquire)
    }));
}

#[test]
fn a_blocked_reader_does_not_keep_the_session() {
    common::require_fuse!();
    let block = Block::default();
    let blocked = block.clone();
    let ops = Fs::new(move |_| {
        blocked.wait();
        std::future::ready(Ok(()))
    });
    assert_gives_up(ops, &block, SLACK);
}

#[test]
fn a_blocked_executor_does_not_keep_the_session() {
    common::require_fuse!();
    let block = Block::default();
    let blocked = block.clone();
    let ops = Fs::new(move |_| {
        let blocked = blocked.clone();
        async move {
            smol::future::yield_now().await;
            blocked.wait();
            Ok(())
        }
    });
    assert_gives_up(ops, &block, 2 * SLACK);
}

#[test]
fn one_blocked_reader_of_several_does_not_hide_that_it_was_unmounted() {
    common::require_fuse!();
    let block = Block::default();
    let blocked = block.clone();
    let timeout = Duration::from_millis(300);
    let ops = Fs::new(move |_| {
        blocked.wait();
        std::future::ready(Ok(()))
    });
    let mut running = start(ops, |builder| {
        builder.shutdown_timeout(timeout).reader_threads(2)
    });
    let caller = running.look_up("block");
    crate::process::abort(&running.dir);
    assert_eq!(caller.join().unwrap(), libc::ECONNABORTED);
    let start = Instant::now();
    let error = running.session.take().unwrap().join().unwrap_err();
    assert!(matches!(error, Error::Busy(1)), "{error}");
    assert!(start.elapsed() < timeout + SLACK);
    block.open();
}

#[test]
fn a_long_destroy_is_waited_for() {
    common::require_fuse!();
    let timeout = Duration::from_millis(50);
    let ops = Fs::default().on_destroy(|| {
        // Longer than handlers and unmounting may take.
        smol::Timer::after(Duration::from_secs(4)).map(drop)
    });
    let mut running = start(ops, |builder| builder.shutdown_timeout(timeout));
    assert_eq!(running.look_up("x").join().unwrap(), libc::ENOENT);
    let (result, took) = running.unmount();
    assert_eq!(result.unwrap(), ExitReason::Terminated);
    assert!(took >= Duration::from_secs(4), "{took:?}");
    assert!(
        running
            .ops
            .destroyed
            .load(std::sync::atomic::Ordering::Acquire)
    );
}

/// A place where a test puts what a handler takes.
type Slot<T> = Arc<Mutex<Option<T>>>;

fn take<T>(slot: &Slot<T>) -> T {
    slot.lock().unwrap().take().expect("put there")
}

/// Has a handler do something with its own session: on a reader thread, or after a wait, on the
/// thread that runs the session.
fn in_its_own_handler(act: impl Fn(BackgroundSession) + Send + Sync + 'static) {
    common::require_fuse!();
    let act = Arc::new(act);
    for name in ["at once", "later"] {
        let slot: Slot<BackgroundSession> = Slot::default();
        let (of_handler, act) = (Arc::clone(&slot), Arc::clone(&act));
        let ops = Fs::new(move |name| {
            let (slot, act) = (Arc::clone(&of_handler), Arc::clone(&act));
            async move {
                if name == "later" {
                    smol::future::yield_now().await;
                }
                act(take(&slot));
                Err(Errno::EDOM)
            }
        });
        let mut running = start(ops, |builder| builder);
        let dropped = Arc::clone(&running.ops.dropped);
        *slot.lock().unwrap() = running.session.take();
        let begin = Instant::now();
        assert_eq!(running.look_up(name).join().unwrap(), libc::EDOM);
        // Nobody waits for it; it goes away by itself, and whole.
        let Running {
            dir, ops, _limit, ..
        } = running;
        drop(ops);
        assert!(common::wait_until(PATIENCE, || {
            dropped.load(std::sync::atomic::Ordering::Acquire)
        }));
        assert!(!common::is_mounted(dir.path()), "still mounted");
        assert!(begin.elapsed() < SLACK, "{:?}", begin.elapsed());
    }
    common::assert_quiet();
}

#[test]
fn a_handler_terminates_its_session() {
    in_its_own_handler(|session| {
        session.handle().terminate();
        std::mem::forget(session);
    });
}

#[test]
fn a_handler_drops_its_session() {
    in_its_own_handler(drop);
}

#[test]
fn a_handler_cannot_wait_for_its_session() {
    in_its_own_handler(|session| {
        let error = session.unmount().unwrap_err().to_string();
        assert!(error.contains("its own session"), "{error}");
    });
    in_its_own_handler(|session| {
        session.handle().terminate();
        let error = session.join().unwrap_err().to_string();
        assert!(error.contains("its own session"), "{error}");
    });
}

/// A file system that holds the session which serves it.
struct Owner {
    inner: Fs,
    session: Mutex<Option<BackgroundSession>>,
}

impl Operations for Owner {
    async fn lookup(
        &self,
        parent: Inode,
        name: &std::ffi::OsStr,
        ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        self.inner.lookup(parent, name, ctx).await
    }

    async fn getattr(
        &self,
        inode: Inode,
        file: Option<FileRef>,
        ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        self.inner.getattr(inode, file, ctx).await
    }
}

#[test]
fn a_file_system_may_hold_its_session() {
    common::require_fuse!();
    let _limit = TimeLimit::new(PATIENCE);
    let dir = MountDir::new();
    let owner = Owner {
        inner: Fs::default(),
        session: Mutex::default(),
    };
    let dropped = Arc::clone(&owner.inner.dropped);
    let session = Session::builder(owner).mount(dir.path()).expect("mounted");
    let ops = Arc::clone(session.operations());
    let session = session.spawn().expect("runs");
    let handle = session.handle();
    *ops.session.lock().unwrap() = Some(session);
    drop(ops);
    assert_eq!(look_up(dir.join("x")).join().unwrap(), libc::ENOENT);
    handle.terminate();
    assert!(common::wait_until(PATIENCE, || {
        dropped.load(std::sync::atomic::Ordering::Acquire)
    }));
}

#[test]
fn a_session_whose_handlers_drop_things_that_panic_lives_on() {
    common::require_fuse!();
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("as the test has asked for");
        }
    }
    let ops = Fs::new(|name| async move {
        if name == "hang" {
            let _panics = Panics;
            std::future::pending::<()>().await;
        }
        Ok(())
    });
    let timeout = Duration::from_millis(100);
    let mut running = start(ops, |builder| builder.shutdown_timeout(timeout));
    let caller = running.look_up("hang");
    assert_eq!(running.look_up("x").join().unwrap(), libc::ENOENT);
    let (result, _) = running.unmount();
    assert_eq!(result.unwrap(), ExitReason::Terminated);
    assert_eq!(caller.join().unwrap(), libc::EIO);
    common::assert_logged(&["the handler panicked when it was dropped"]);
}

#[test]
fn a_destroy_that_panics_is_no_obstacle() {
    common::require_fuse!();
    let ops = Fs::default().on_destroy(|| async { panic!("as the test has asked for") });
    let mut running = start(ops, |builder| builder);
    assert_eq!(running.look_up("x").join().unwrap(), libc::ENOENT);
    assert_eq!(running.unmount().0.unwrap(), ExitReason::Terminated);
}

#[test]
fn notifications_that_block_in_the_kernel_are_freed() {
    common::require_fuse!();
    let timeout = Duration::from_millis(300);
    // While the lookup has no answer the kernel holds the lock of the directory...
    let mut running = start(Fs::hanging(), |builder| builder.shutdown_timeout(timeout));
    let notifier = running.session.as_ref().unwrap().notifier();
    let caller = running.look_up("x");
    // ... which this needs.
    let notified = thread::spawn(move || {
        let name = std::ffi::OsStr::new("x");
        smol::block_on(notifier.invalidate_entry(Inode::ROOT, name, None))
    });
    let blocked = common::wait_until(Duration::from_millis(200), || notified.is_finished());
    assert!(!blocked, "the notification waits");
    let (result, took) = running.unmount();
    assert_eq!(result.unwrap(), ExitReason::Terminated);
    assert!(took < timeout + SLACK, "{took:?}");
    assert_eq!(caller.join().unwrap(), libc::EIO);
    let _any = notified.join().unwrap();
}
