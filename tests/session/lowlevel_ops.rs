//! Sessions that C makes, with C's loop or ours: all that a C program calls is called here, and nothing of
//! ours in its place.

use std::ffi::CString;
use std::ffi::c_int;
use std::ffi::c_void;
use std::fs;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::ptr;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use libfuse3::*;

use crate::common;
use crate::common::Gate;
use crate::common::MountDir;
use crate::common::TimeLimit;
use crate::fs::DATA;
use crate::fs::DATA_SIZE;
use crate::fs::Fs;

unsafe extern "C" {
    /// Of every version; the headers of newer ones hide it behind a macro.
    fn fuse_session_new(
        args: *mut sys::fuse_args,
        op: *const sys::fuse_lowlevel_ops,
        op_size: usize,
        userdata: *mut c_void,
    ) -> *mut sys::fuse_session;
}

/// `struct fuse_session *`, as C programs hand it around.
#[derive(Clone, Copy)]
pub(crate) struct CSession(NonNull<sys::fuse_session>);

// SAFETY: libfuse takes these calls from any thread.
unsafe impl Send for CSession {}

impl CSession {
    pub(crate) fn new<O: Operations>(ops: &LowlevelOps<O>) -> Self {
        let mut args = sys::fuse_args {
            argc: 0,
            argv: ptr::null_mut(),
            allocated: 0,
        };
        // SAFETY: it begins with nothing allocated, and the argument is copied.
        unsafe { sys::fuse_opt_add_arg(&mut args, c"test".as_ptr()) };
        let table = ops.as_raw();
        // SAFETY: the tests drop `ops` after they have destroyed the session, or else C may use it.
        let session =
            unsafe { fuse_session_new(&mut args, table, size_of_val(table), ops.userdata()) };
        // SAFETY: the arguments were allocated by libfuse.
        unsafe { sys::fuse_opt_free_args(&mut args) };
        Self(NonNull::new(session).expect("made"))
    }

    fn mount(self, dir: &MountDir) -> Self {
        let mounted = self.mount_at(dir.path());
        common::register_mount(dir.path().to_owned());
        mounted
    }

    pub(crate) fn mount_at(self, path: &Path) -> Self {
        let path = CString::new(path.as_os_str().as_bytes()).unwrap();
        // libfuse does that in one session after the other.
        static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());
        let guard = ONE_AT_A_TIME.lock();
        // SAFETY: the session is there and not mounted yet.
        let result = unsafe { sys::fuse_session_mount(self.0.as_ptr(), path.as_ptr()) };
        drop(guard);
        assert_eq!(result, 0);
        self
    }

    pub(crate) fn start_loop(self) -> JoinHandle<c_int> {
        // SAFETY: the tests destroy the session after they have joined this.
        thread::spawn(move || unsafe { sys::fuse_session_loop({ self }.0.as_ptr()) })
    }

    pub(crate) fn exit(self) {
        // SAFETY: the session is there.
        unsafe { sys::fuse_session_exit(self.0.as_ptr()) };
    }

    fn unmount(self) {
        // SAFETY: the session is there.
        unsafe { sys::fuse_session_unmount(self.0.as_ptr()) };
    }

    pub(crate) fn destroy(self) {
        // SAFETY: the session is there, and the tests do not use it again.
        unsafe { sys::fuse_session_destroy(self.0.as_ptr()) };
    }
}

/// A file system, a session that C has made with it and mounted.
fn mounted<O: Operations>(
    fs: O,
    configure: impl FnOnce(SessionBuilder<O>) -> SessionBuilder<O>,
) -> (LowlevelOps<O>, CSession, MountDir) {
    let dir = MountDir::new();
    let ops = configure(Session::builder(fs)).lowlevel_ops().unwrap();
    let session = CSession::new(&ops).mount(&dir);
    (ops, session, dir)
}

fn open(dir: &MountDir) -> File {
    let mut options = File::options();
    options.read(true).write(true);
    options.open(dir.join("data")).unwrap()
}

fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

#[test]
fn c_runs_its_loop() {
    common::require_fuse!();
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    let gate = Gate::new();
    let _open = gate.open_at_end();
    let fs = {
        let gate = Arc::clone(&gate);
        Fs::new(move |_| {
            let gate = Arc::clone(&gate);
            async move {
                gate.pass().await;
                Err(Errno::EDOM)
            }
        })
    };
    let dropped = Arc::clone(&fs.dropped);
    let (ops, session, dir) = mounted(fs, |builder| builder);
    let running = session.start_loop();

    let file = open(&dir);
    file.write_all_at(b"written", 1000).unwrap();
    let mut bytes = [0; 9];
    file.read_exact_at(&mut bytes, 999).unwrap();
    assert_eq!(&bytes, b"\0written\0");
    drop(file);
    // One handler waits, and the only thread of C's loop answers others.
    let waiting = {
        let path = dir.join("waits");
        thread::spawn(move || common::errno(fs::metadata(path)))
    };
    gate.wait_for(1);
    assert_eq!(fs::read(dir.join("data")).unwrap().len(), DATA_SIZE);
    gate.open();
    assert_eq!(waiting.join().unwrap(), libc::EDOM);

    common::unmount(dir.path(), false).unwrap();
    assert_eq!(running.join().unwrap(), 0);
    let fs = Arc::clone(ops.operations());
    assert!(!fs.destroyed.load(Ordering::Acquire));
    session.unmount();
    session.destroy();
    assert!(fs.destroyed.load(Ordering::Acquire), "destroy was called");
    drop(fs);
    assert!(!dropped.load(Ordering::Acquire));
    drop(ops);
    assert!(dropped.load(Ordering::Acquire), "leaked");
    common::assert_quiet();
}

#[test]
fn cached_data_is_written_back_before_lseek_in_a_loop_of_c() {
    common::require_fuse!();
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    let (ops, session, dir) = mounted(Fs::default().cached(), |builder| builder);
    // SAFETY: it is the one, and destroyed after `stop`.
    unsafe { ops.set_session(session.0) };
    let running = session.start_loop();
    let file = open(&dir);
    let mut mapping = common::Mapping::shared(&file, DATA_SIZE).unwrap();
    mapping.fill(b'D');
    let data = rustix::fs::seek(&file, rustix::fs::SeekFrom::Data(0));
    assert_eq!(data, Ok(0));
    drop((mapping, file));
    common::unmount(dir.path(), false).unwrap();
    assert_eq!(running.join().unwrap(), 0);
    ops.stop();
    session.unmount();
    session.destroy();
    drop(ops);
    common::assert_quiet();
}

/// Fails to make files without a name with an error of its own.
struct Nameless;

impl Operations for Nameless {
    async fn tmpfile(
        &self,
        _parent: Inode,
        _mode: u32,
        _flags: OpenFlags,
        _ctx: &RequestContext,
    ) -> Result<(FileInfo, EntryAttributes)> {
        Err(Errno::EDQUOT)
    }

    async fn getattr(
        &self,
        inode: Inode,
        _file: Option<FileRef>,
        _ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        Ok(common::attributes(inode, libc::S_IFDIR | 0o755))
    }
}

/// The error of `open` with `O_TMPFILE`. The kernel sends `FUSE_TMPFILE` since Linux 6.1.
fn tmpfile_error(dir: &MountDir) -> i32 {
    let flags = libc::O_TMPFILE | libc::O_RDWR;
    let mut options = File::options();
    options.read(true).write(true).custom_flags(flags);
    common::errno(options.open(dir.path()))
}

#[test]
fn tmpfile_in_a_loop_of_c_takes_libfuse_3_17() {
    common::require_fuse!();
    common::require_linux!(6, 1);
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    let (ops, session, dir) = mounted(Nameless, |builder| builder);
    let running = session.start_loop();
    let expected = match cfg!(libfuse_since = "3.17") {
        true => libc::EDQUOT,
        false => libc::EOPNOTSUPP,
    };
    assert_eq!(tmpfile_error(&dir), expected);
    common::unmount(dir.path(), false).unwrap();
    assert_eq!(running.join().unwrap(), 0);
    session.unmount();
    session.destroy();
    drop(ops);
    common::assert_quiet();
}

#[test]
fn tmpfile_in_an_adopted_session_reaches_the_handler() {
    common::require_fuse!();
    common::require_linux!(6, 1);
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    let (ops, session, dir) = mounted(Nameless, |builder| builder);
    let running = adopt(&ops, session);
    assert_eq!(tmpfile_error(&dir), libc::EDQUOT);
    assert_eq!(running.unmount().unwrap(), ExitReason::Terminated);
    session.unmount();
    session.destroy();
    drop(ops);
    common::assert_quiet();
}

#[test]
fn a_panic_costs_one_request() {
    common::require_fuse!();
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    let fs = Fs::new(|name| {
        assert_ne!(name, "at once");
        async move {
            smol::future::yield_now().await;
            panic!("on purpose, on the thread for handlers")
        }
    });
    let (ops, session, dir) = mounted(fs, |builder| builder);
    let running = session.start_loop();
    for name in ["at once", "later"] {
        let result = fs::metadata(dir.join(name));
        assert_eq!(common::errno(result), libc::EIO, "{name}");
        common::assert_logged(&["lookup of inode 1", "panicked"]);
    }
    assert_eq!(
        fs::metadata(dir.join("data")).unwrap().len(),
        DATA_SIZE as u64
    );
    common::unmount(dir.path(), false).unwrap();
    assert_eq!(running.join().unwrap(), 0);
    session.unmount();
    session.destroy();
    drop(ops);
}

#[test]
fn no_thread_before_requests() {
    common::require_fuse!();
    crate::process::run_again("lowlevel_ops::tests_of_threads");
}

#[test]
fn tests_of_threads() {
    if !crate::process::is_started_again() {
        return;
    }
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    let before = threads();
    let (ops, session, dir) = mounted(Fs::default(), |builder| builder);
    // SAFETY: it is the one, and destroyed after `stop`.
    unsafe { ops.set_session(session.0) };
    let notifier = ops.notifier();
    let notified = smol::future::block_on(notifier.invalidate_inode(DATA, false));
    assert_eq!(notified, Err(Errno::ENOTCONN));
    notifier.invalidate_entry_async(ROOT_INODE, "data".as_ref(), None, false);
    assert_eq!(threads(), before);
    let running = session.start_loop();
    fs::metadata(dir.path()).unwrap();
    // C's, and at least the one for handlers.
    assert!(threads() >= before + 2);
    common::unmount(dir.path(), false).unwrap();
    assert_eq!(running.join().unwrap(), 0);
    ops.stop();
    session.unmount();
    session.destroy();
    drop(ops);
}

#[test]
fn several_sessions() {
    common::require_fuse!();
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    let all: Vec<_> = (0..3)
        .map(|_| mounted(Fs::default(), |builder| builder))
        .collect();
    let running: Vec<_> = all
        .iter()
        .map(|(_, session, _)| session.start_loop())
        .collect();
    for (_, _, dir) in &all {
        assert_eq!(fs::read(dir.join("data")).unwrap().len(), DATA_SIZE);
    }
    for ((ops, session, dir), running) in all.into_iter().zip(running) {
        common::unmount(dir.path(), false).unwrap();
        assert_eq!(running.join().unwrap(), 0);
        session.unmount();
        session.destroy();
        let requests = ops.operations().requests.load(Ordering::Relaxed);
        assert!(requests > 0);
        drop(ops);
    }
    common::assert_quiet();
}

#[test]
fn an_init_that_fails_ends_the_loop() {
    common::require_fuse!();
    for panics in [false, true] {
        let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
        let fs = Fs::default().on_init(move || match panics {
            false => Err(Errno::ENOMEM),
            true => panic!("on purpose"),
        });
        let (ops, session, dir) = mounted(fs, |builder| builder);
        let result = session.start_loop().join().unwrap();
        assert_eq!(result, -libc::EPROTO, "panics: {panics}");
        // The kernel does not wait for anybody.
        let used = fs::metadata(dir.path());
        assert!(used.is_err(), "{used:?}");
        common::assert_logged(&["init failed"]);
        session.unmount();
        session.destroy();
        assert!(!ops.operations().destroyed.load(Ordering::Acquire));
        drop(ops);
    }
}

/// A request whose handler never ends, and what its caller gets.
fn waiting(dir: &MountDir, fs: &Fs) -> JoinHandle<i32> {
    let path = dir.join("hangs");
    let waiting = thread::spawn(move || common::errno(fs::metadata(path)));
    fs.lookups.expect("hangs".to_owned());
    waiting
}

const SHORT: Duration = Duration::from_millis(100);

#[test]
fn stop_answers_what_is_left() {
    common::require_fuse!();
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    let (ops, session, dir) = mounted(Fs::hanging(), |builder| builder.shutdown_timeout(SHORT));
    let running = session.start_loop();
    let waiting = waiting(&dir, ops.operations());
    ops.stop();
    assert_eq!(waiting.join().unwrap(), libc::EIO);
    assert!(ops.operations().destroyed.load(Ordering::Acquire));
    // C's loop goes on, and there is nobody to ask any more.
    assert_eq!(common::errno(fs::metadata(dir.join("data"))), libc::EIO);
    let notified = smol::block_on(ops.notifier().invalidate_inode(DATA, false));
    assert!(notified.is_err());
    ops.stop();
    common::unmount(dir.path(), false).unwrap();
    assert_eq!(running.join().unwrap(), 0);
    session.unmount();
    session.destroy();
    drop(ops);
}

#[test]
fn destroying_does_what_stop_does() {
    common::require_fuse!();
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    let (ops, session, dir) = mounted(Fs::hanging(), |builder| builder.shutdown_timeout(SHORT));
    let running = session.start_loop();
    let waiting = waiting(&dir, ops.operations());
    // Another request, so that the loop sees that it shall end. No lookup, which would wait for the other one.
    session.exit();
    let last = thread::spawn({
        let path = dir.path().to_owned();
        move || drop(fs::metadata(path))
    });
    assert_eq!(running.join().unwrap(), 0);
    session.unmount();
    session.destroy();
    assert!(ops.operations().destroyed.load(Ordering::Acquire));
    let error = waiting.join().unwrap();
    assert!(
        [libc::ECONNABORTED, libc::ENOTCONN].contains(&error),
        "{error}"
    );
    last.join().unwrap();
    drop(ops);
}

#[test]
fn dropped_too_early_it_answers_with_errors() {
    common::require_fuse!();
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    let fs = Fs::default();
    let dropped = Arc::clone(&fs.dropped);
    let (ops, session, dir) = mounted(fs, |builder| builder);
    let running = session.start_loop();
    fs::metadata(dir.join("data")).unwrap();
    drop(ops);
    common::assert_logged(&["freed before fuse_session_destroy"]);
    assert_eq!(common::errno(fs::metadata(dir.join("data"))), libc::EIO);
    common::unmount(dir.path(), false).unwrap();
    assert_eq!(running.join().unwrap(), 0);
    session.unmount();
    session.destroy();
    // What is kept is what libfuse has a pointer to, the file system among it.
    assert!(!dropped.load(Ordering::Acquire));
}

#[test]
fn never_run_it_leaves_nothing() {
    let fs = Fs::default();
    let dropped = Arc::clone(&fs.dropped);
    let ops = Session::builder(fs).lowlevel_ops().unwrap();
    let session = CSession::new(&ops);
    session.destroy();
    assert!(!ops.operations().destroyed.load(Ordering::Acquire));
    drop(ops);
    assert!(dropped.load(Ordering::Acquire));
}

#[test]
fn a_queued_request_that_is_interrupted_is_answered() {
    common::require_fuse!();
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    let (ops, session, dir) = mounted(Fs::hanging(), |builder| {
        builder.max_in_flight(1).shutdown_timeout(SHORT)
    });
    let running = session.start_loop();
    let waiting = waiting(&dir, ops.operations());
    // No lookup, which would wait for the other one with older versions of libfuse.
    let mut queued = Command::new("stat")
        .arg(dir.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // It cannot be seen when its request has come, so it is killed as often as it takes.
    let ended = common::wait_until(common::PATIENCE, || {
        queued.kill().unwrap();
        queued.try_wait().unwrap().is_some()
    });
    assert!(ended, "a killed program waits for the answer");
    ops.operations().lookups.expect_nothing();
    ops.stop();
    assert_eq!(waiting.join().unwrap(), libc::EIO);
    common::unmount(dir.path(), false).unwrap();
    running.join().unwrap();
    session.unmount();
    session.destroy();
    drop(ops);
}

#[test]
fn notifications_need_to_know_the_session() {
    common::require_fuse!();
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    let (ops, session, dir) = mounted(Fs::default(), |builder| builder);
    let running = session.start_loop();
    fs::metadata(dir.join("data")).unwrap();
    let notifier = ops.notifier();
    let notified = || smol::block_on(notifier.notify_store(DATA, 0, "stored"));
    assert_eq!(notified(), Err(Errno::ENOTCONN));
    // SAFETY: it is the one, and destroyed after `stop`.
    unsafe { ops.set_session(session.0) };
    assert_eq!(notified(), Ok(()));
    common::unmount(dir.path(), false).unwrap();
    running.join().unwrap();
    ops.stop();
    assert_eq!(notified(), Err(Errno::ENODEV));
    session.unmount();
    session.destroy();
    drop(ops);
}

/// Has us run C's session, in the background.
fn adopt<O: Operations>(ops: &LowlevelOps<O>, session: CSession) -> BackgroundSession {
    // SAFETY: it is the one, and the tests destroy it after it has ended.
    unsafe { ops.adopt(session.0) }.unwrap().spawn().unwrap()
}

#[test]
fn c_has_us_run_its_session_and_owns_it() {
    common::require_fuse!();
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    let fs = Fs::default();
    let dropped = Arc::clone(&fs.dropped);
    let (ops, session, dir) = mounted(fs, |builder| builder.reader_threads(2));
    let running = adopt(&ops, session);
    let file = open(&dir);
    file.write_all_at(&[1; DATA_SIZE], 0).unwrap();
    drop(file);
    assert_eq!(fs::read(dir.join("data")).unwrap(), [1; DATA_SIZE]);
    assert_eq!(
        smol::block_on(running.notifier().invalidate_inode(DATA, false)),
        Ok(())
    );

    assert_eq!(running.unmount().unwrap(), ExitReason::Terminated);
    assert!(ops.operations().destroyed.load(Ordering::Acquire));
    assert!(common::is_mounted(dir.path()), "it is C's to unmount");
    session.unmount();
    assert!(!common::is_mounted(dir.path()));
    session.destroy();
    assert!(!dropped.load(Ordering::Acquire));
    drop(ops);
    assert!(dropped.load(Ordering::Acquire), "leaked");
    common::assert_quiet();
}

#[test]
fn an_adopted_session_ends_when_it_is_unmounted() {
    common::require_fuse!();
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    let (ops, session, dir) = mounted(Fs::default(), |builder| builder);
    let running = adopt(&ops, session);
    fs::metadata(dir.join("data")).unwrap();
    common::unmount(dir.path(), false).unwrap();
    assert_eq!(running.join().unwrap(), ExitReason::Unmounted);
    session.unmount();
    session.destroy();
    drop(ops);
}

#[test]
fn an_adopted_session_ends_when_c_says_so() {
    common::require_fuse!();
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    let (ops, session, dir) = mounted(Fs::default(), |builder| builder);
    let running = adopt(&ops, session);
    fs::metadata(dir.join("data")).unwrap();
    session.exit();
    assert_eq!(running.join().unwrap(), ExitReason::Terminated);
    session.unmount();
    session.destroy();
    drop(ops);
}

#[test]
fn an_adopted_session_whose_init_fails() {
    common::require_fuse!();
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    let fs = Fs::default().on_init(|| Err(Errno::ENOMEM));
    let (ops, session, dir) = mounted(fs, |builder| builder);
    let error = adopt(&ops, session).join().unwrap_err();
    assert!(matches!(error, Error::Init(Errno::ENOMEM)), "{error}");
    let used = fs::metadata(dir.path());
    assert!(used.is_err(), "{used:?}");
    session.unmount();
    session.destroy();
    drop(ops);
}

#[test]
fn what_cannot_be_adopted() {
    common::require_fuse!();
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    let dir = MountDir::new();
    let ops = Session::builder(Fs::default()).lowlevel_ops().unwrap();
    let session = CSession::new(&ops);
    // SAFETY: it is the one, and not run.
    let refused = unsafe { ops.adopt(session.0) }.unwrap_err();
    assert!(
        refused.to_string().contains("fuse_session_mount"),
        "{refused}"
    );
    session.mount(&dir);
    // SAFETY: as above.
    let adopted = unsafe { ops.adopt(session.0) }.unwrap();
    assert_eq!(adopted.as_raw(), session.0.as_ptr());
    // SAFETY: as above.
    let refused = unsafe { ops.adopt(session.0) }.unwrap_err();
    assert!(refused.to_string().contains("adopted before"), "{refused}");
    drop(adopted);
    assert!(common::is_mounted(dir.path()), "it is C's to unmount");
    session.unmount();
    session.destroy();
    drop(ops);
}

#[test]
fn c_gives_its_session_away() {
    common::require_fuse!();
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    let fs = Fs::default();
    let dropped = Arc::clone(&fs.dropped);
    let (ops, session, dir) = mounted(fs, |builder| builder);
    // SAFETY: it is the one, and not used again.
    let session = unsafe { ops.into_session(session.0) }.unwrap();
    let running = session.spawn().unwrap();
    assert_eq!(fs::read(dir.join("data")).unwrap().len(), DATA_SIZE);
    assert_eq!(running.unmount().unwrap(), ExitReason::Terminated);
    assert!(!common::is_mounted(dir.path()));
    assert!(dropped.load(Ordering::Acquire), "leaked");
    common::assert_quiet();
}

/// Handlers of several threads of C's at once, each of which may wait.
#[test]
fn several_threads_of_c_at_once() {
    const CLIENTS: usize = 8;
    const ROUNDS: usize = 50;
    common::require_fuse!();
    let _limit = TimeLimit::new(Duration::from_secs(60));
    let count = Arc::new(AtomicUsize::new(0));
    let fs = {
        let count = Arc::clone(&count);
        Fs::new(move |_| {
            let waits = count.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
            async move {
                if waits {
                    smol::Timer::after(Duration::from_millis(1)).await;
                }
                Err(Errno::EDOM)
            }
        })
    };
    let (ops, session, dir) = mounted(fs, |builder| builder);
    let running: Vec<_> = (0..3).map(|_| session.start_loop()).collect();
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let dir = &dir;
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let name = format!("{client}-{round}");
                    assert_eq!(common::errno(fs::metadata(dir.join(name))), libc::EDOM);
                }
            });
        }
    });
    assert_eq!(count.load(Ordering::Relaxed), CLIENTS * ROUNDS);
    common::unmount(dir.path(), false).unwrap();
    for running in running {
        running.join().unwrap();
    }
    session.unmount();
    session.destroy();
    drop(ops);
    common::assert_quiet();
}
