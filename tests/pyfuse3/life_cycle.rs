//! A session from beginning to end, and several of them.

use std::ffi::OsStr;
use std::fs;
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc;
use std::task::Context;
use std::task::Poll;
use std::task::Wake;
use std::thread;
use std::thread::Thread;
use std::time::Duration;

use libfuse3::EntryAttributes;
use libfuse3::Errno;
use libfuse3::Error;
use libfuse3::ExitReason;
use libfuse3::FileRef;
use libfuse3::Forget;
use libfuse3::InFlightReport;
use libfuse3::Inode;
use libfuse3::Operations;
use libfuse3::ROOT_INODE;
use libfuse3::RequestContext;
use libfuse3::Result;
use libfuse3::Session;
use libfuse3::Unmount;

use crate::common;
use crate::common::Gate;
use crate::common::MountDir;
use crate::common::Recorder;
use crate::common::TimeLimit;
use crate::common::Watch;
use crate::common::memfs::MemFs;

const DIR: Inode = Inode(2);

/// A root with the directory `dir`, in which looking up waits.
struct Waiting {
    gate: Arc<Gate>,
    forgotten: Watch<u64>,
    reports: Recorder<InFlightReport>,
    destroyed: Watch<u32>,
}

impl Waiting {
    fn new() -> Self {
        Self {
            gate: Gate::new(),
            forgotten: Watch::default(),
            reports: Recorder::new(),
            destroyed: Watch::default(),
        }
    }

    fn directory(ino: Inode) -> EntryAttributes {
        common::attributes(ino, libc::S_IFDIR | 0o755)
    }
}

impl Operations for Waiting {
    async fn lookup(
        &self,
        parent: Inode,
        name: &OsStr,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        match (parent, name.to_str()) {
            (ROOT_INODE, Some("dir")) => Ok(Self::directory(DIR)),
            (ROOT_INODE, Some("other")) => Ok(Self::directory(Inode(3))),
            (DIR, _) => {
                self.gate.pass().await;
                Err(Errno::ENOENT)
            }
            _ => Err(Errno::ENOENT),
        }
    }

    async fn getattr(
        &self,
        inode: Inode,
        _: Option<FileRef>,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        Ok(Self::directory(inode))
    }

    async fn forget(&self, inodes: &[Forget]) {
        let number: u64 = inodes.iter().map(|forget| forget.nlookup).sum();
        self.forgotten.update(|forgotten| *forgotten += number);
    }

    async fn destroy(&self) {
        self.destroyed.update(|times| *times += 1);
    }

    fn stacktrace(&self, report: &InFlightReport) {
        self.reports.record(report.clone());
    }
}

/// A session that does not run yet. What is dropped last comes first.
fn mount_only<O: Operations>(fs: O) -> (TimeLimit, MountDir, Session<O>) {
    let limit = TimeLimit::new(common::DEFAULT_LIMIT);
    let dir = MountDir::new();
    let session = Session::builder(fs).mount(dir.path()).unwrap();
    common::register_mount(dir.path().to_owned());
    (limit, dir, session)
}

#[test]
fn two_sessions_live_side_by_side_in_one_process() {
    common::require_fuse!();
    let first = common::mount(MemFs::default());
    let second = common::mount(MemFs::default());
    fs::write(first.join("file"), "first").unwrap();
    fs::write(second.join("file"), "second").unwrap();
    thread::scope(|scope| {
        for mounted in [&first, &second] {
            scope.spawn(|| {
                for number in 0..200 {
                    let path = mounted.join(number.to_string());
                    fs::write(&path, path.as_os_str().as_encoded_bytes()).unwrap();
                    assert_eq!(
                        fs::read(&path).unwrap(),
                        path.as_os_str().as_encoded_bytes()
                    );
                }
            });
        }
    });
    assert_eq!(fs::read(first.join("file")).unwrap(), b"first");
    let path = first.path().to_owned();
    assert_eq!(first.unmount(), ExitReason::Terminated);
    assert!(!common::is_mounted(&path));
    assert_eq!(fs::read(second.join("file")).unwrap(), b"second");
    assert_eq!(second.unmount(), ExitReason::Terminated);
    common::assert_quiet();
}

#[test]
fn terminate_from_another_thread_ends_the_session() {
    common::require_fuse!();
    let mounted = common::mount(MemFs::default());
    fs::metadata(mounted.path()).unwrap();
    let handle = mounted.handle();
    let foreign = thread::spawn(move || {
        handle.terminate();
        handle.terminate();
        handle
    });
    assert_eq!(mounted.join_session().unwrap(), ExitReason::Terminated);
    // It is over, and nothing happens.
    foreign.join().unwrap().terminate();
    common::assert_quiet();
}

#[test]
fn terminate_before_run_ends_it_at_once() {
    common::require_fuse!();
    let (_limit, dir, mut session) = mount_only(Waiting::new());
    session.handle().terminate();
    assert_eq!(
        smol::block_on(session.run()).unwrap(),
        ExitReason::Terminated
    );
    session.close(Unmount::Yes).unwrap();
    assert!(!common::is_mounted(dir.path()));
}

#[test]
fn terminate_lets_handlers_in_flight_come_to_their_end() {
    common::require_fuse!();
    let mounted = common::mount(Waiting::new());
    let gate = Arc::clone(&mounted.ops.gate);
    let path = mounted.join("dir/slow");
    let client = thread::spawn(move || common::errno(fs::metadata(path)));
    gate.wait_for(1);
    let fs = Arc::clone(&mounted.ops);
    mounted.handle().terminate();
    gate.open();
    assert_eq!(mounted.join_session().unwrap(), ExitReason::Terminated);
    assert_eq!(
        client.join().unwrap(),
        libc::ENOENT,
        "what the handler says"
    );
    assert_eq!(fs.destroyed.read(|times| *times), 1);
    common::assert_quiet();
}

#[test]
fn handlers_that_do_not_end_in_time_are_dropped_and_answered_with_eio() {
    common::require_fuse!();
    let mounted = common::mount_with(Waiting::new(), |builder| {
        builder
            .shutdown_timeout(Duration::from_millis(100))
            .max_in_flight(1)
    });
    let gate = Arc::clone(&mounted.ops.gate);
    fs::metadata(mounted.join("dir")).unwrap();
    let clients = ["dir/waits", "dir/queued"].map(|name| {
        let path = mounted.join(name);
        thread::spawn(move || common::errno(fs::metadata(path)))
    });
    assert!(common::wait_until(common::PATIENCE, || {
        libfuse3::setxattr(mounted.path(), "fuse_stacktrace", "1").unwrap();
        mounted.ops.reports.next().requests().len() == 2
    }));
    assert_eq!(mounted.unmount(), ExitReason::Terminated);
    for client in clients {
        assert_eq!(client.join().unwrap(), libc::EIO);
    }
    assert_eq!(
        gate.arrived(),
        1,
        "the queued one is answered without its handler"
    );
    common::assert_logged(&["not ended in time", "EIO"]);
}

#[test]
fn unmounting_from_outside_ends_the_session_after_its_handlers() {
    common::require_fuse!();
    let mounted = common::mount(Waiting::new());
    let gate = Arc::clone(&mounted.ops.gate);
    let path = mounted.join("dir/slow");
    let client = thread::spawn(move || common::errno(fs::metadata(path)));
    gate.wait_for(1);
    common::unmount(mounted.path(), true).unwrap();
    assert!(!common::is_mounted(mounted.path()) && !mounted.is_finished());
    gate.open();
    assert_eq!(client.join().unwrap(), libc::ENOENT);
    assert_eq!(mounted.join_session().unwrap(), ExitReason::Unmounted);
    common::assert_quiet();
}

#[test]
fn terminate_works_after_a_lazy_unmount_that_is_held_up() {
    common::require_fuse!();
    let mounted = common::mount(MemFs::default());
    fs::write(mounted.join("file"), "text").unwrap();
    let file = fs::File::open(mounted.join("file")).unwrap();
    common::unmount(mounted.path(), true).unwrap();
    assert!(
        fs::metadata(mounted.join("file")).is_err(),
        "not to be reached any more"
    );
    mounted.handle().terminate();
    assert_eq!(mounted.join_session().unwrap(), ExitReason::Terminated);
    assert_eq!(common::errno(file.sync_all()), libc::ENOTCONN);
    common::assert_quiet();
}

#[test]
fn no_more_handlers_wait_than_max_in_flight() {
    common::require_fuse!();
    const LIMIT: usize = 3;
    const CALLS: usize = 10;
    let mounted = common::mount_with(Waiting::new(), |builder| builder.max_in_flight(LIMIT));
    let gate = Arc::clone(&mounted.ops.gate);
    for name in ["dir", "other"] {
        fs::metadata(mounted.join(name)).unwrap();
    }
    thread::scope(|scope| {
        let _end = gate.open_at_end();
        for number in 0..CALLS {
            let path = mounted.join(format!("dir/{number}"));
            scope.spawn(move || assert_eq!(common::errno(fs::metadata(path)), libc::ENOENT));
        }
        gate.wait_for(LIMIT);
        // All have come, and wait here or there.
        let mut queued = 0;
        assert!(common::wait_until(common::PATIENCE, || {
            libfuse3::setxattr(mounted.path(), "fuse_stacktrace", "1").unwrap();
            let report = mounted.ops.reports.next();
            queued = report
                .requests()
                .iter()
                .filter(|request| request.queued)
                .count();
            report.requests().len() == CALLS
        }));
        assert_eq!((queued, gate.arrived()), (CALLS - LIMIT, LIMIT));
        // What needs no answer gets through.
        let notifier = mounted.notifier();
        let name = OsStr::new("other");
        smol::block_on(notifier.invalidate_entry(ROOT_INODE, name, None)).unwrap();
        let forgotten = &mounted.ops.forgotten;
        drop(forgotten.wait_for("the forget", |forgotten| *forgotten == 1));
        gate.open();
    });
    assert_eq!(gate.arrived(), CALLS);
    common::assert_quiet();
}

#[test]
fn close_can_leave_a_dead_mount_behind() {
    common::require_fuse!();
    let (_limit, dir, mut session) = mount_only(MemFs::default());
    let handle = session.handle();
    let path = dir.path().to_owned();
    let client = thread::spawn(move || {
        fs::metadata(path).unwrap();
        handle.terminate();
    });
    assert_eq!(
        smol::block_on(session.run()).unwrap(),
        ExitReason::Terminated
    );
    client.join().unwrap();
    session.close(Unmount::Leave).unwrap();
    assert!(common::is_mounted(dir.path()));
    let listed = fs::read_dir(dir.path());
    assert_eq!(
        common::errno(listed),
        libc::ENOTCONN,
        "nobody takes it for empty"
    );
    // What is left there is refused, not mounted over.
    let again = Session::builder(MemFs::default()).mount(dir.path());
    let message = again.unwrap_err().to_string();
    assert!(message.contains("mounted there already"), "{message}");
    common::unmount(dir.path(), true).unwrap();
    assert!(!common::is_mounted(dir.path()));
}

#[test]
fn a_session_that_never_ran_is_unmounted_when_it_is_dropped() {
    common::require_fuse!();
    let (_limit, dir, session) = mount_only(Waiting::new());
    let fs = Arc::clone(session.operations());
    assert!(common::is_mounted(dir.path()));
    drop(session);
    assert!(!common::is_mounted(dir.path()));
    assert_eq!(fs.destroyed.read(|times| *times), 0, "it was never begun");
}

/// An executor of somebody else's: it polls on the thread that it is on.
fn block_on_foreign_executor<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(thread::current())).into();
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        thread::park();
    }
}

#[test]
fn run_works_on_an_executor_that_is_not_smols() {
    common::require_fuse!();
    let (_limit, dir, mut session) = mount_only(Waiting::new());
    let gate = Arc::clone(&session.operations().gate);
    let handle = session.handle();
    let path = dir.path().join("dir/slow");
    thread::scope(|scope| {
        let _end = gate.open_at_end();
        scope.spawn(|| {
            let client = scope.spawn(|| common::errno(fs::metadata(path)));
            gate.wait_for(1);
            gate.open();
            assert_eq!(client.join().unwrap(), libc::ENOENT);
            handle.terminate();
        });
        let reason = block_on_foreign_executor(session.run());
        assert_eq!(reason.unwrap(), ExitReason::Terminated);
    });
    session.close(Unmount::Yes).unwrap();
    assert!(!common::is_mounted(dir.path()));
}

#[test]
fn dropping_the_future_of_run_ends_the_session() {
    common::require_fuse!();
    let (_limit, dir, mut session) = mount_only(Waiting::new());
    let fs = Arc::clone(session.operations());
    let (answered, has_answered) = mpsc::channel();
    let path = dir.path().join("dir");
    let client = thread::spawn(move || {
        let result = fs::metadata(path);
        answered.send(()).unwrap();
        result
    });
    let answered = smol::unblock(move || has_answered.recv().unwrap());
    smol::block_on(smol::future::or(
        async { drop(session.run().await) },
        answered,
    ));
    client.join().unwrap().unwrap();
    assert_eq!(fs.destroyed.read(|times| *times), 0);
    drop(session);
    assert_eq!(fs.destroyed.read(|times| *times), 1);
    assert!(!common::is_mounted(dir.path()));
}

#[test]
fn a_notifier_outlives_its_session_and_says_so() {
    common::require_fuse!();
    let mounted = common::mount(MemFs::default());
    fs::metadata(mounted.path()).unwrap();
    let notifier = mounted.notifier();
    smol::block_on(notifier.invalidate_inode(ROOT_INODE, false)).unwrap();
    mounted.unmount();
    let name = OsStr::new("name");
    let result = smol::block_on(notifier.invalidate_inode(ROOT_INODE, false));
    assert_eq!(result, Err(Errno::ENODEV));
    let result = smol::block_on(notifier.invalidate_entry(ROOT_INODE, name, None));
    assert_eq!(result, Err(Errno::ENODEV));
    let result = smol::block_on(notifier.notify_store(ROOT_INODE, 0, vec![0]));
    assert_eq!(result, Err(Errno::ENODEV));
    notifier.invalidate_entry_async(ROOT_INODE, name, None, false);
    common::assert_quiet();
}

#[test]
fn many_queued_notifications_do_not_hold_up_the_end() {
    common::require_fuse!();
    for _ in 0..20 {
        let mounted = common::mount_with(MemFs::default(), |builder| {
            // The time limit of the test comes first.
            builder.shutdown_timeout(Duration::from_secs(3600))
        });
        let paths: Vec<_> = (0..50)
            .map(|number| mounted.join(number.to_string()))
            .collect();
        for path in &paths {
            fs::write(path, "text").unwrap();
        }
        let notifier = mounted.notifier();
        for path in &paths {
            let name = path.file_name().unwrap();
            notifier.invalidate_entry_async(ROOT_INODE, name, None, true);
        }
        mounted.unmount();
    }
    common::assert_quiet();
}

#[test]
fn daemonize_is_refused_once_there_are_threads() {
    common::require_fuse!();
    let (_limit, _dir, session) = mount_only(MemFs::default());
    let error = session.daemonize().unwrap_err();
    assert!(matches!(error, Error::Daemonize(_)), "{error}");
    assert!(error.to_string().contains("threads"), "{error}");
}
