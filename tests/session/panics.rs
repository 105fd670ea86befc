//! Panics outside of handlers, and payloads of panics that panic when they are dropped.

use std::ffi::OsStr;
use std::fs;
use std::fs::File;
use std::future::Future;
use std::panic::panic_any;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::task::Wake;
use std::task::Waker;
use std::thread;
use std::thread::Thread;
use std::time::Duration;

use futures::FutureExt;
use libfuse3::*;
use smol::Timer;

use crate::common;
use crate::common::MountDir;
use crate::common::TimeLimit;
use crate::fs::Fs;

/// The payload of a panic, which panics when it is dropped, with another one of its kind.
struct PanicsOnDrop;

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        panic_any(Self);
    }
}

fn panic_twice() -> ! {
    panic_any(PanicsOnDrop)
}

/// Panics wherever it is called, but for the requests that lead there.
struct Panicking {
    in_init: bool,
}

impl Operations for Panicking {
    fn init(&self, _: &mut ConnInfo) -> Result<()> {
        match self.in_init {
            true => panic_twice(),
            false => Ok(()),
        }
    }

    async fn destroy(&self) {
        panic_twice()
    }

    async fn lookup(&self, _: Inode, name: &OsStr, _: &RequestContext) -> Result<EntryAttributes> {
        match name.to_str() {
            Some("at-once") => panic_twice(),
            Some("later") => {
                smol::future::yield_now().await;
                panic_twice()
            }
            _ => Ok(common::attributes(Inode(2), libc::S_IFREG | 0o644)),
        }
    }

    async fn getattr(
        &self,
        inode: Inode,
        _: Option<FileRef>,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        let mode = match inode {
            ROOT_INODE => libc::S_IFDIR | 0o755,
            _ => libc::S_IFREG | 0o644,
        };
        Ok(common::attributes(inode, mode))
    }

    async fn forget(&self, _: &[Forget]) {
        panic_twice()
    }

    async fn release(&self, _: FileRef, _: ReleaseFlags, _: &RequestContext) -> Result<()> {
        panic_twice()
    }
}

#[test]
fn payload_that_panics_when_dropped_fails_its_own_request() {
    common::require_fuse!();
    for readers in [1, 3] {
        let ops = Panicking { in_init: false };
        let mounted = common::mount_with(ops, |builder| builder.reader_threads(readers));
        for _ in 0..2 * readers {
            for name in ["at-once", "later"] {
                let result = fs::metadata(mounted.join(name));
                assert_eq!(common::errno(result), libc::EIO);
            }
            drop(File::open(mounted.join("file")).unwrap());
            common::assert_logged(&["release of inode 2", "panicked"]);
        }
        // The kernel forgets the inode.
        let notifier = mounted.notifier();
        let name = OsStr::new("file");
        smol::block_on(notifier.invalidate_entry(ROOT_INODE, name, None)).unwrap();
        common::assert_logged(&["forget of inode 2", "panicked"]);
        assert_eq!(mounted.unmount(), ExitReason::Terminated);
        common::assert_logged(&["destroy panicked"]);
    }
}

#[test]
fn payload_of_init_that_panics_when_dropped_ends_the_session() {
    common::require_fuse!();
    let mounted = common::mount(Panicking { in_init: true });
    let error = mounted.join_session().unwrap_err();
    assert!(matches!(error, Error::Init(Errno::EIO)), "{error}");
}

#[test]
fn payload_of_future_that_panics_when_dropped_does_not_escape_destroy() {
    common::require_fuse!();
    /// Panics when it is polled, and when it is dropped.
    struct Panics;
    impl Future for Panics {
        type Output = ();

        fn poll(self: std::pin::Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            panic_twice()
        }
    }
    impl Drop for Panics {
        fn drop(&mut self) {
            panic_twice()
        }
    }
    struct ItsDestroy;
    impl Operations for ItsDestroy {
        fn destroy(&self) -> impl Future<Output = ()> + Send {
            Panics
        }

        async fn getattr(
            &self,
            inode: Inode,
            _: Option<FileRef>,
            _: &RequestContext,
        ) -> Result<EntryAttributes> {
            Ok(common::attributes(inode, libc::S_IFDIR | 0o755))
        }
    }
    let mounted = common::mount(ItsDestroy);
    fs::metadata(mounted.path()).unwrap();
    assert_eq!(mounted.unmount(), ExitReason::Terminated);
    common::assert_logged(&["destroy panicked"]);
}

/// Wakes a thread that polls a future; panics on a reader thread, if it is to.
struct WakesThread {
    thread: Thread,
    panics: AtomicBool,
    /// It goes on panicking.
    again: bool,
}

impl Wake for WakesThread {
    fn wake(self: Arc<Self>) {
        let is_reader = thread::current()
            .name()
            .is_some_and(|name| name.starts_with("fuse-reader"));
        if is_reader && self.panics.load(Ordering::SeqCst) {
            self.panics.store(self.again, Ordering::SeqCst);
            panic!("a waker that panics");
        }
        self.thread.unpark();
    }
}

/// Runs a session on an executor whose waker panics on a reader thread, once or always. The error of a
/// client that waits for its handler then, and what the session returned.
fn run_with_panicking_waker(readers: usize, again: bool) -> (i32, Result<ExitReason, Error>) {
    let limit = TimeLimit::new(common::DEFAULT_LIMIT);
    let dir = MountDir::new();
    let waits = |_| Timer::after(Duration::from_millis(1)).map(|_| Ok(()));
    let builder = Session::builder(Fs::new(waits)).reader_threads(readers);
    let mut session = builder.mount(dir.path()).unwrap();
    common::register_mount(dir.path().to_owned());
    let waker = Arc::new(WakesThread {
        thread: thread::current(),
        panics: AtomicBool::new(false),
        again,
    });
    let client = {
        let (path, waker) = (dir.path().to_owned(), Arc::clone(&waker));
        thread::spawn(move || {
            fs::metadata(path.join("data")).expect("served");
            waker.panics.store(true, Ordering::SeqCst);
            // A reader wakes for a handler that waits, unless the session is polled at that moment.
            let errnos = (0..).map(|name: u32| {
                let result = fs::metadata(path.join(name.to_string()));
                common::errno(result)
            });
            let errno = errnos.into_iter().find(|errno| *errno != libc::ENOENT);
            // Otherwise nothing polls the session any more.
            waker.panics.store(false, Ordering::SeqCst);
            waker.thread.unpark();
            errno.unwrap()
        })
    };
    let result = {
        let std_waker = Waker::from(Arc::clone(&waker));
        let mut run = pin!(session.run());
        loop {
            match run.as_mut().poll(&mut Context::from_waker(&std_waker)) {
                Poll::Ready(result) => break result,
                Poll::Pending => thread::park(),
            }
        }
    };
    session.close(Unmount::Yes).unwrap();
    let errno = client.join().unwrap();
    assert!(!common::is_mounted(dir.path()));
    drop(limit);
    (errno, result)
}

#[test]
fn panic_of_reader_ends_session_with_error_that_names_it() {
    common::require_fuse!();
    for readers in [1, 3] {
        for again in [false, true] {
            let (errno, result) = run_with_panicking_waker(readers, again);
            let expected = [libc::EIO, libc::ECONNABORTED, libc::ENOTCONN];
            assert!(expected.contains(&errno), "{errno}");
            let error = result.unwrap_err();
            assert!(
                matches!(&error, Error::ReaderPanicked(message) if message == "a waker that panics"),
                "{error}"
            );
        }
    }
}
