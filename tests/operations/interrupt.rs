//! Callers that do not want to wait any more.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::fs;
use std::fs::File;
use std::future::Future;
use std::io;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Wake;
use std::task::Waker;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use libfuse3::AccessFlags;
use libfuse3::Capabilities;
use libfuse3::ConnInfo;
use libfuse3::Data;
use libfuse3::EntryAttributes;
use libfuse3::Errno;
use libfuse3::ExitReason;
use libfuse3::FileInfo;
use libfuse3::FileRef;
use libfuse3::Inode;
use libfuse3::MountOptions;
use libfuse3::OpenFlags;
use libfuse3::Operations;
use libfuse3::ReaddirToken;
use libfuse3::RequestContext;
use libfuse3::Result;
use libfuse3::Session;
use libfuse3::StatvfsData;
use libfuse3::Unmount;
use rustix::process::Pid;
use rustix::process::Signal;

use crate::common;
use crate::common::Client;
use crate::common::Gate;
use crate::common::MountDir;
use crate::common::Mounted;
use crate::common::Recorder;
use crate::common::TimeLimit;
use crate::common::assert_quiet;
use crate::common::require_fuse;
use crate::scripted::dir;
use crate::scripted::file;
use crate::scripted::node;

#[derive(Clone, Debug, PartialEq)]
enum News {
    Called(&'static str),
    Interrupted {
        flag: bool,
    },
    Done,
    /// The handler's future was dropped before it was ready.
    Cancelled(&'static str),
}

/// Its handlers wait for an interruption, a gate, or for ever.
struct Waiting {
    news: Arc<Recorder<News>>,
    gate: Arc<Gate>,
}

impl Default for Waiting {
    fn default() -> Self {
        Self {
            news: Arc::default(),
            gate: Gate::new(),
        }
    }
}

/// Tells when it is dropped early.
struct Guard {
    news: Arc<Recorder<News>>,
    operation: &'static str,
    armed: bool,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.armed {
            self.news.record(News::Cancelled(self.operation));
        }
    }
}

impl Waiting {
    /// Reports the call and waits until the gate is open.
    async fn wait(&self, operation: &'static str) {
        let mut guard = Guard {
            news: Arc::clone(&self.news),
            operation,
            armed: true,
        };
        self.news.record(News::Called(operation));
        self.gate.pass().await;
        guard.armed = false;
        self.news.record(News::Done);
    }

    async fn until_interrupted(&self, operation: &'static str, ctx: &RequestContext) -> Errno {
        assert!(!ctx.is_interrupted());
        self.news.record(News::Called(operation));
        ctx.interrupted().await;
        let flag = ctx.is_interrupted();
        self.news.record(News::Interrupted { flag });
        // It stays so.
        ctx.interrupted().await;
        Errno::EINTR
    }
}

impl Operations for Waiting {
    fn init(&self, conn: &mut ConnInfo) -> Result<()> {
        // So that a lookup holds no lock that others wait for.
        conn.want_if_capable(Capabilities::PARALLEL_DIROPS);
        Ok(())
    }

    async fn lookup(
        &self,
        _parent: Inode,
        name: &OsStr,
        ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        match name.to_str().unwrap() {
            "interruptible" => Err(self.until_interrupted("lookup", ctx).await),
            "flag-only" => {
                self.news.record(News::Called("lookup"));
                // Never waits for it, but looks now and then.
                while !ctx.is_interrupted() {
                    smol::Timer::after(Duration::from_millis(1)).await;
                }
                self.news.record(News::Interrupted { flag: true });
                Ok(file(2))
            }
            "gated" => {
                self.wait("lookup").await;
                Ok(file(2))
            }
            "quick" => {
                // Sometimes the one, sometimes the other.
                let soon = smol::Timer::after(Duration::from_micros(50));
                futures::future::select(soon, std::pin::pin!(ctx.interrupted())).await;
                Ok(file(2))
            }
            "file" => Ok(file(2)),
            "link" => Ok(node(3, libc::S_IFLNK | 0o777)),
            "dir" => Ok(dir(4)),
            "slow-attributes" => Ok(file(5)),
            _ => Err(Errno::ENOENT),
        }
    }

    async fn getattr(
        &self,
        inode: Inode,
        _file: Option<FileRef>,
        _ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        match inode {
            // Known once and for all, so that nothing on the root waits for this.
            Inode::ROOT => Ok(dir(1).with_timeouts(Duration::from_secs(100))),
            Inode(3) => Ok(node(3, libc::S_IFLNK | 0o777)),
            Inode(4) => Ok(dir(4)),
            Inode(5) => {
                self.wait("getattr").await;
                Ok(file(5))
            }
            inode => Ok(file(inode.raw())),
        }
    }

    async fn readlink(&self, _inode: Inode, _ctx: &RequestContext) -> Result<OsString> {
        self.wait("readlink").await;
        Ok("target".into())
    }

    async fn access(&self, inode: Inode, _mode: AccessFlags, _ctx: &RequestContext) -> Result<()> {
        if inode != Inode::ROOT {
            self.wait("access").await;
        }
        Ok(())
    }

    async fn mkdir(
        &self,
        _parent: Inode,
        _name: &OsStr,
        _mode: u32,
        _ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        self.wait("mkdir").await;
        Ok(dir(9))
    }

    async fn open(
        &self,
        _inode: Inode,
        _flags: OpenFlags,
        _ctx: &RequestContext,
    ) -> Result<FileInfo> {
        Ok(FileInfo {
            direct_io: true,
            ..FileInfo::default()
        })
    }

    async fn read(
        &self,
        _file: FileRef,
        offset: u64,
        _size: usize,
        ctx: &RequestContext,
    ) -> Result<Data> {
        if offset == 1000 {
            self.wait("read").await;
            return Ok("contents".into());
        }
        let errno = self.until_interrupted("read", ctx).await;
        match offset {
            2000 => Ok("part".into()),
            _ => Err(errno),
        }
    }

    async fn readdir(
        &self,
        _dir: FileRef,
        _start_id: u64,
        _reply: &mut ReaddirToken,
        _ctx: &RequestContext,
    ) -> Result<()> {
        self.wait("readdir").await;
        Ok(())
    }

    async fn statfs(&self, _inode: Inode, _ctx: &RequestContext) -> Result<StatvfsData> {
        self.wait("statfs").await;
        Ok(StatvfsData::default())
    }

    async fn getxattr(
        &self,
        _inode: Inode,
        _name: &OsStr,
        _ctx: &RequestContext,
    ) -> Result<Vec<u8>> {
        self.wait("getxattr").await;
        Ok(Vec::new())
    }

    async fn listxattr(&self, _inode: Inode, _ctx: &RequestContext) -> Result<Vec<OsString>> {
        self.wait("listxattr").await;
        Ok(Vec::new())
    }
}

/// `stat` of a name, on a thread of its own.
fn stat(mounted: &Mounted<Waiting>, name: &str) -> Client<u64> {
    let path = mounted.join(name);
    Client::start(move || fs::metadata(path).map(|metadata| metadata.len()))
}

// ---- a signal ----------------------------------------------------------------------------------

#[test]
fn a_signal_interrupts_a_handler_that_waits_for_that() {
    require_fuse!();
    let mounted = common::mount(Waiting::default());
    let client = stat(&mounted, "interruptible");
    mounted.ops.news.expect(News::Called("lookup"));
    client.interrupt();
    mounted.ops.news.expect(News::Interrupted { flag: true });
    client.assert_eintr();
    mounted.ops.news.expect_nothing();
    assert_quiet();
}

#[test]
fn an_interrupted_handler_may_answer_with_what_it_has() {
    require_fuse!();
    let mounted = common::mount(Waiting::default());
    let opened = File::open(mounted.join("file")).unwrap();
    let client = Client::start(move || {
        let mut bytes = [0; 100];
        let count = opened.read_at(&mut bytes, 2000)?;
        Ok(bytes[..count].to_vec())
    });
    mounted.ops.news.expect(News::Called("read"));
    client.interrupt();
    mounted.ops.news.expect(News::Interrupted { flag: true });
    assert_eq!(client.result().unwrap(), b"part");
    assert_quiet();
}

#[test]
fn a_handler_may_look_whether_it_is_interrupted() {
    require_fuse!();
    let mounted = common::mount(Waiting::default());
    let client = stat(&mounted, "flag-only");
    mounted.ops.news.expect(News::Called("lookup"));
    client.interrupt();
    mounted.ops.news.expect(News::Interrupted { flag: true });
    client.result().unwrap();
    assert_quiet();
}

#[test]
fn an_interruption_cancels_nothing_by_itself() {
    require_fuse!();
    let mounted = common::mount(Waiting::default());
    // The first is interrupted; the second shows that the interruption has arrived.
    let (client, witness) = (stat(&mounted, "gated"), stat(&mounted, "interruptible"));
    mounted.ops.news.expect(News::Called("lookup"));
    mounted.ops.news.expect(News::Called("lookup"));
    client.interrupt();
    witness.interrupt();
    mounted.ops.news.expect(News::Interrupted { flag: true });
    witness.assert_eintr();
    mounted.ops.gate.open();
    mounted.ops.news.expect(News::Done);
    client.result().unwrap();
    assert_quiet();
}

#[test]
fn signals_at_any_time_do_no_harm() {
    require_fuse!();
    let _limit = TimeLimit::new(Duration::from_secs(60));
    for cancel in [false, true] {
        let mounted = common::mount_with(Waiting::default(), |builder| {
            builder
                .cancel_on_interrupt(cancel)
                .reader_threads(2)
                .max_in_flight(2)
        });
        let stop = Arc::new(AtomicBool::new(false));
        let clients: Vec<_> = (0..4)
            .map(|_| {
                let (path, stop) = (mounted.join("quick"), Arc::clone(&stop));
                Client::start(move || {
                    let mut answers = 0;
                    while !stop.load(Ordering::Relaxed) {
                        match fs::metadata(&path) {
                            Ok(_) => answers += 1,
                            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                            Err(error) => return Err(error),
                        }
                    }
                    Ok(answers)
                })
            })
            .collect();
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(1) {
            for client in &clients {
                client.interrupt();
            }
            thread::sleep(Duration::from_micros(200));
        }
        stop.store(true, Ordering::Relaxed);
        for client in clients {
            assert!(client.result().unwrap() > 0);
        }
        drop(mounted);
        assert_quiet();
    }
}

/// An executor for one future: polls it inside of `wake`, on whichever thread calls that.
struct PollsInWake {
    future: Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
    /// It was woken while another thread, or this one, polls.
    again: AtomicBool,
}

impl PollsInWake {
    fn start(future: impl Future<Output = ()> + Send + 'static) {
        let this = Self {
            future: Mutex::new(Some(Box::pin(future))),
            again: AtomicBool::new(false),
        };
        Arc::new(this).wake();
    }
}

impl Wake for PollsInWake {
    fn wake(self: Arc<Self>) {
        self.again.store(true, Ordering::SeqCst);
        while self.again.load(Ordering::SeqCst) {
            // Who polls looks again afterwards.
            let Ok(mut slot) = self.future.try_lock() else {
                return;
            };
            self.again.store(false, Ordering::SeqCst);
            let waker = Waker::from(Arc::clone(&self));
            let mut context = Context::from_waker(&waker);
            let future = slot.as_mut();
            if future.is_some_and(|future| future.as_mut().poll(&mut context).is_ready()) {
                *slot = None;
            }
        }
    }
}

#[test]
fn interrupted_request_is_answered_on_an_executor_that_polls_in_wake() {
    require_fuse!();
    for readers in [1, 3] {
        let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
        let dir = MountDir::new();
        let builder = Session::builder(Waiting::default()).reader_threads(readers);
        let mut session = builder.mount(dir.path()).unwrap();
        common::register_mount(dir.path().to_owned());
        let (ops, handle) = (Arc::clone(session.operations()), session.handle());
        let (sender, ended) = std::sync::mpsc::channel();
        PollsInWake::start(async move {
            let result = session.run().await;
            // Closing waits for the readers, one of which may poll this.
            sender.send((session, result)).unwrap();
        });
        for _ in 0..20 {
            let path = dir.join("interruptible");
            let client = Client::start(move || fs::metadata(path));
            ops.news.expect(News::Called("lookup"));
            client.interrupt();
            ops.news.expect(News::Interrupted { flag: true });
            client.assert_eintr();
        }
        handle.terminate();
        let (session, result) = ended.recv_timeout(common::PATIENCE).unwrap();
        assert_eq!(result.unwrap(), ExitReason::Terminated);
        session.close(Unmount::Yes).unwrap();
        assert_quiet();
    }
}

// ---- a program that is killed ------------------------------------------------------------------

/// A program that reads a file, and can be killed.
fn cat(path: PathBuf) -> std::process::Child {
    // A background job of a shell ignores SIGINT, and so would all that it starts.
    let mut cat = Command::new("env");
    cat.args(["--default-signal=INT", "cat"]).arg(path);
    cat.stdout(Stdio::null()).spawn().unwrap()
}

#[test]
fn killing_a_program_interrupts_its_requests() {
    require_fuse!();
    for signal in [Signal::KILL, Signal::INT] {
        let mounted = common::mount(Waiting::default());
        let mut cat = cat(mounted.join("file"));
        mounted.ops.news.expect(News::Called("read"));
        rustix::process::kill_process(Pid::from_child(&cat), signal).unwrap();
        mounted.ops.news.expect(News::Interrupted { flag: true });
        assert_eq!(cat.wait().unwrap().signal(), Some(signal.as_raw()));
        assert_quiet();
    }
}

// ---- cancelling --------------------------------------------------------------------------------

type Blocked = Box<dyn FnOnce() -> io::Result<()> + Send>;

/// System calls that end up in a handler that waits.
fn blocked_calls(mounted: &Mounted<Waiting>) -> Vec<(&'static str, Blocked)> {
    let path = |name: &str| mounted.join(name);
    let (gated, link, file, dir, slow) = (
        path("gated"),
        path("link"),
        path("file"),
        path("dir"),
        path("slow-attributes"),
    );
    let opened = File::open(&file).unwrap();
    let root = mounted.path().to_owned();
    let (for_get, for_list) = (file.clone(), file.clone());
    vec![
        ("lookup", Box::new(move || fs::metadata(gated).map(drop))),
        ("getattr", Box::new(move || fs::metadata(slow).map(drop))),
        ("readlink", Box::new(move || fs::read_link(link).map(drop))),
        (
            "access",
            Box::new(move || Ok(rustix::fs::access(file, rustix::fs::Access::READ_OK)?)),
        ),
        (
            "read",
            Box::new(move || opened.read_at(&mut [0; 10], 1000).map(drop)),
        ),
        (
            "readdir",
            Box::new(move || fs::read_dir(dir)?.next().transpose().map(drop)),
        ),
        (
            "statfs",
            Box::new(move || Ok(rustix::fs::statfs(root).map(drop)?)),
        ),
        (
            "getxattr",
            Box::new(
                move || Ok(rustix::fs::getxattr(for_get, "user.a", &mut [0_u8; 9]).map(drop)?),
            ),
        ),
        (
            "listxattr",
            Box::new(move || Ok(rustix::fs::listxattr(for_list, &mut [0_u8; 9]).map(drop)?)),
        ),
    ]
}

/// So that `access` is asked.
fn without_default_permissions() -> MountOptions {
    MountOptions::empty()
}

#[test]
fn cancel_on_interrupt_drops_handlers_that_nothing_is_lost_by() {
    require_fuse!();
    let mounted = common::mount_with(Waiting::default(), |builder| {
        builder
            .options(without_default_permissions())
            .cancel_on_interrupt(true)
    });
    for (operation, call) in blocked_calls(&mounted) {
        let client = Client::start(call);
        mounted.ops.news.expect(News::Called(operation));
        client.interrupt();
        mounted.ops.news.expect(News::Cancelled(operation));
        client.assert_eintr();
        mounted.ops.news.expect_nothing();
    }
    assert_quiet();
}

#[test]
fn cancel_on_interrupt_leaves_handlers_that_are_not_interrupted() {
    require_fuse!();
    let mounted = common::mount_with(Waiting::default(), |builder| {
        builder.cancel_on_interrupt(true)
    });
    let client = stat(&mounted, "gated");
    mounted.ops.news.expect(News::Called("lookup"));
    mounted.ops.gate.open();
    mounted.ops.news.expect(News::Done);
    client.result().unwrap();
    assert_quiet();
}

#[test]
fn cancel_on_interrupt_leaves_handlers_that_change_something() {
    require_fuse!();
    let mounted = common::mount_with(Waiting::default(), |builder| {
        builder.cancel_on_interrupt(true)
    });
    let path = mounted.join("new");
    // The directory is locked: only what is open can be asked about.
    let opened = File::open(mounted.join("file")).unwrap();
    let client = Client::start(move || fs::create_dir(path));
    mounted.ops.news.expect(News::Called("mkdir"));
    client.interrupt();
    // A request that comes later is answered: by then the interruption has been read.
    opened.metadata().unwrap();
    mounted.ops.news.expect_nothing();
    mounted.ops.gate.open();
    mounted.ops.news.expect(News::Done);
    client.result().unwrap();
    assert_quiet();
}

#[test]
fn without_cancel_on_interrupt_no_handler_is_dropped() {
    require_fuse!();
    let mounted = common::mount_with(Waiting::default(), |builder| {
        builder.options(without_default_permissions())
    });
    let calls = blocked_calls(&mounted);
    let count = calls.len();
    let clients: Vec<_> = calls
        .into_iter()
        .map(|(operation, call)| {
            let client = Client::start(call);
            mounted.ops.news.expect(News::Called(operation));
            client.interrupt();
            client
        })
        .collect();
    mounted.ops.gate.open();
    for _ in 0..count {
        mounted.ops.news.expect(News::Done);
    }
    for client in clients {
        client.result().unwrap();
    }
    assert_quiet();
}

// ---- the queue ---------------------------------------------------------------------------------

#[test]
fn a_queued_request_that_is_interrupted_never_reaches_its_handler() {
    require_fuse!();
    let mounted = common::mount_with(Waiting::default(), |builder| builder.max_in_flight(1));
    fs::metadata(mounted.path()).unwrap();
    let opened = Arc::new(File::open(mounted.join("file")).unwrap());
    let read_at = |offset| {
        let opened = Arc::clone(&opened);
        Client::start(move || {
            let mut bytes = [0; 8];
            opened.read_at(&mut bytes, offset).map(|_| bytes)
        })
    };
    // The only place is taken.
    let first = read_at(1000);
    mounted.ops.news.expect(News::Called("read"));
    let queued = read_at(0);
    // Only a report can tell when it is in the queue; asked for until then.
    let root = mounted.path().to_owned();
    let is_queued = || {
        libfuse3::setxattr(&root, "fuse_stacktrace", b"1").unwrap();
        let lines = common::log_lines();
        lines.iter().any(|line| line.text.contains("is queued"))
    };
    assert!(common::wait_until(common::PATIENCE, is_queued));
    queued.interrupt();
    queued.assert_eintr();
    mounted.ops.gate.open();
    mounted.ops.news.expect(News::Done);
    assert_eq!(&first.result().unwrap(), b"contents");
    mounted.ops.news.expect_nothing();
    // There is room again.
    fs::metadata(mounted.join("file")).unwrap();
}

#[test]
fn the_queue_goes_on_when_a_handler_was_cancelled() {
    require_fuse!();
    let mounted = common::mount_with(Waiting::default(), |builder| {
        builder.max_in_flight(1).cancel_on_interrupt(true)
    });
    let first = stat(&mounted, "gated");
    mounted.ops.news.expect(News::Called("lookup"));
    let path = mounted.join("file");
    let second = Client::start(move || File::open(path)?.read(&mut [0; 10]));
    first.interrupt();
    mounted.ops.news.expect(News::Cancelled("lookup"));
    first.assert_eintr();
    mounted.ops.news.expect(News::Called("read"));
    second.interrupt();
    // The handler or the session sees it first.
    second.assert_eintr();
    assert_quiet();
}
