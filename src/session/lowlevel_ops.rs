//! A file system for a C program: the operations and the userdata of a session that C makes.

use std::convert::Infallible;
use std::ffi::c_void;
use std::fmt;
use std::io;
use std::mem;
use std::pin::pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use async_channel::Sender;
use futures::future::select;
use smol::Timer;

use super::Flag;
use super::Hold;
use super::Prepared;
use super::Session;
use super::builder::Limits;
use super::dispatch::dispatch;
use super::handle::Cause;
use super::mountpoint::Mountpoint;
use super::reactor;
use super::reactor::block_until;
use super::run::GRACE;
use crate::ConnInfoOpts;
use crate::Errno;
use crate::Error;
use crate::MountOptions;
use crate::Notifier;
use crate::Operations;
use crate::Result;
use crate::logging;
use crate::message::Message;
use crate::panics::dispose;
use crate::raw;
use crate::raw::ForeignLoop;
use crate::raw::RawSession;
use crate::raw::sys::block_signals;

/// How often requests that are queued are asked whether they were interrupted.
const INTERRUPT_INTERVAL: Duration = Duration::from_millis(20);

/// How often it is seen whether C's session is still needed.
const UNUSED_INTERVAL: Duration = Duration::from_millis(1);

/// A file system as a C program takes one: a table of operations and a pointer, for the session that it
/// makes by `fuse_session_new`, mounts and runs itself. From
/// [`SessionBuilder::lowlevel_ops`](crate::SessionBuilder::lowlevel_ops).
///
/// | C calls | here |
/// |---|---|
/// | `fuse_session_new(&args, ops, sizeof *ops, userdata)` | [`as_raw`](Self::as_raw), [`userdata`](Self::userdata); one session for each value |
/// | `fuse_session_mount`, `fuse_daemonize` | nothing happens, no thread is started |
/// | `fuse_session_loop` or `fuse_session_loop_mt` | handlers run on the calling threads up to their first wait, and go on on a thread of this value's, which begins with INIT; or [`adopt`](Self::adopt), which takes the place of that loop |
/// | | [`stop`](Self::stop), best before unmounting: handlers come to their end |
/// | `fuse_session_unmount` | |
/// | `fuse_session_destroy` | does the same as `stop` if that was not called, and waits until no request needs the session |
/// | | drop |
///
/// A handler that panics answers `EIO`, and one that is still there at the end and whose time is up
/// ([`shutdown_timeout`](crate::SessionBuilder::shutdown_timeout)); nothing unwinds into C. If
/// [`Operations::init`] returns an error, libfuse refuses INIT, and the loop returns `-EPROTO`. libfuse's
/// log function and the program's signals are left alone.
///
/// Of what a session of this library does beyond libfuse's own loop, this is missing: lookups of one
/// directory come one after the other with libfuse before 3.17, and what is written is copied once, since
/// C keeps its buffers.
///
/// ```no_run
/// use std::ffi::c_void;
/// use libfuse3::{LowlevelOps, Operations, Session, sys};
///
/// struct Fs;
/// impl Operations for Fs {}
///
/// type Exported = LowlevelOps<Fs>;
///
/// #[unsafe(no_mangle)]
/// pub extern "C" fn example_new() -> Option<Box<Exported>> {
///     Session::builder(Fs).lowlevel_ops().map(Box::new).ok()
/// }
///
/// #[unsafe(no_mangle)]
/// pub extern "C" fn example_ops(fs: &Exported) -> *const sys::fuse_lowlevel_ops {
///     fs.as_raw()
/// }
///
/// #[unsafe(no_mangle)]
/// pub extern "C" fn example_userdata(fs: &Exported) -> *mut c_void {
///     fs.userdata()
/// }
///
/// #[unsafe(no_mangle)]
/// pub extern "C" fn example_stop(fs: &Exported) {
///     fs.stop();
/// }
///
/// #[unsafe(no_mangle)]
/// pub extern "C" fn example_free(fs: Option<Box<Exported>>) {
///     drop(fs);
/// }
/// ```
///
/// A whole library with its header, and C programs that use it, is in `examples/hello_capi`.
#[doc(alias = "fuse_lowlevel_ops")]
#[must_use = "C needs it as long as its session lives"]
pub struct LowlevelOps<O: Operations> {
    exported: Arc<Exported<O>>,
}

/// What callbacks on C's threads find.
struct Exported<O: Operations> {
    hold: Hold<O>,
    executor: Mutex<Option<Executor>>,
    adopted: Flag,
    /// Held while somebody stops it.
    stopping: Mutex<()>,
}

/// The thread on which handlers go on that have to wait.
struct Executor {
    thread: JoinHandle<()>,
    /// The thread ends when this is dropped.
    running: Sender<Infallible>,
}

impl<O: Operations> LowlevelOps<O> {
    pub(super) fn new(
        operations: O,
        options: &MountOptions,
        conn_info_opts: Option<ConnInfoOpts>,
        limits: Limits,
    ) -> Result<Self, Error> {
        let max_read = options.max_read_value()?;
        let is_debugging = options.get("debug").is_some();
        let conn_info_opts = conn_info_opts.map(|opts| opts.0);
        let prepared = Prepared::make(operations, |sender, init| {
            RawSession::foreign(max_read, sender, init, conn_info_opts, is_debugging)
        })?;
        let shared = prepared.into_shared(limits, Mountpoint::none());
        let exported = Arc::new(Exported {
            hold: Hold::new(&shared),
            executor: Mutex::default(),
            adopted: Flag::default(),
            stopping: Mutex::default(),
        });
        let weak = Arc::downgrade(&exported);
        shared.raw.set_foreign_loop(weak);
        Ok(Self { exported })
    }

    /// The operations, for `fuse_session_new`: the same for all file systems, and there for ever. Its size,
    /// which `fuse_session_new` also wants, is that of the type in the headers that both sides were compiled
    /// with.
    #[must_use]
    pub fn as_raw(&self) -> &'static crate::sys::fuse_lowlevel_ops {
        raw::lowlevel_ops()
    }

    /// The userdata, for `fuse_session_new`. It must outlive the session that is made with it: this value
    /// is dropped after `fuse_session_destroy`.
    ///
    /// If it is dropped before, but after INIT, its memory is kept, since libfuse goes on using it, and
    /// requests are answered with `EIO`.
    #[must_use]
    pub fn userdata(&self) -> *mut c_void {
        Arc::as_ptr(self.raw()).cast_mut().cast()
    }

    /// The file system.
    #[must_use]
    pub fn operations(&self) -> &Arc<O> {
        &self.exported.hold.operations
    }

    /// What tells the kernel about changes that did not come through the mount, once it is told which
    /// session is meant: by [`set_session`](Self::set_session) or [`adopt`](Self::adopt).
    #[must_use]
    pub fn notifier(&self) -> Notifier {
        self.exported.hold.notifier.clone()
    }

    /// Lets handlers come to their end, answers with `EIO` what is left when
    /// [`shutdown_timeout`](crate::SessionBuilder::shutdown_timeout) is over, and calls
    /// [`Operations::destroy`]. From here on requests are answered with `EIO`, and notifications are not
    /// made. Further calls do nothing.
    ///
    /// For the time between C's loop and `fuse_session_unmount`, which closes the descriptor that answers go
    /// to. Not for handlers. A handler that blocks its thread is waited for.
    pub fn stop(&self) {
        self.exported.stop();
        let raw = self.raw();
        if block_until(Instant::now() + GRACE, unused(raw)).is_none() {
            logging::warn!("a request, a notification or a read of a file is still under way");
        }
    }

    pub(crate) fn raw(&self) -> &Arc<RawSession> {
        &self.exported.hold.raw
    }

    /// The session that runs what C has made; which session that is, is known.
    pub(crate) fn session(&self) -> Result<Session<O>, Error> {
        if !self.raw().is_mounted_by_c() {
            return Err(Error::Adopt(
                "it is not mounted: call fuse_session_mount before",
            ));
        }
        if !self.exported.adopted.set() {
            return Err(Error::Adopt("it was adopted before, and runs once"));
        }
        Ok(Session::of(Arc::clone(self.exported.hold.shared())))
    }
}

impl<O: Operations> Drop for LowlevelOps<O> {
    fn drop(&mut self) {
        let raw = self.raw();
        if self.exported.adopted.get() && !raw.is_of_c() {
            return;
        }
        self.exported.stop();
        if raw.is_needed_by_c() {
            logging::error!(
                "freed before fuse_session_destroy: the memory that libfuse uses is kept"
            );
            mem::forget(Arc::clone(raw));
        }
    }
}

impl<O: Operations> Exported<O> {
    fn executor(&self) -> MutexGuard<'_, Option<Executor>> {
        self.executor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start_executor(&self) -> io::Result<()> {
        let mut executor = self.executor();
        if executor.is_some() {
            return Ok(());
        }
        reactor::start()?;
        // They are for C's threads: libfuse's handler ends a loop by interrupting its read.
        let signals = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM];
        let _blocked = block_signals(&signals)?;
        let shared = Arc::clone(self.hold.shared());
        let (running, ended) = async_channel::bounded(1);
        let thread = thread::Builder::new().name("fuse-executor".to_owned());
        let thread = thread.spawn(move || {
            let interrupted = shared
                .in_flight
                .keep_answering_interrupted(INTERRUPT_INTERVAL);
            let (ended, interrupted) = (pin!(ended.recv()), pin!(interrupted));
            smol::block_on(shared.executor.run(select(ended, interrupted)));
        })?;
        *executor = Some(Executor { thread, running });
        Ok(())
    }

    fn stop(&self) {
        let shared = self.hold.shared();
        shared.stop.request(Cause::Terminated);
        let own = self.executor().as_ref().map(|own| own.thread.thread().id());
        if own == Some(thread::current().id()) {
            return logging::error!("a handler cannot wait for the end of its own session");
        }
        let _stopping = self.stopping.lock().unwrap_or_else(PoisonError::into_inner);
        smol::future::block_on(shared.finish());
        let executor = self.executor().take();
        if let Some(Executor { thread, running }) = executor {
            drop(running);
            // It has no panics: those of handlers are caught.
            drop(thread.join().map_err(dispose));
        }
    }
}

impl<O: Operations> ForeignLoop for Exported<O> {
    fn init(&self) -> Result<()> {
        if self.adopted.get() {
            return Ok(());
        }
        self.start_executor().map_err(|error| {
            logging::error!("cannot start a thread for handlers: {error}");
            Errno::from(error)
        })
    }

    fn message(&self, message: Message) {
        // Dropped, it is answered with EIO.
        if !self.hold.stop.is_requested() {
            dispatch(&self.hold, message);
        }
    }

    fn destroy(&self) {
        self.stop();
        let raw = &self.hold.raw;
        if block_until(Instant::now() + GRACE, unused(raw)).is_none() {
            logging::warn!(
                "fuse_session_destroy waits for a request, a notification or a read of a file"
            );
            smol::future::block_on(unused(raw));
        }
    }
}

/// Waits until no request, reader or notification needs the session.
async fn unused(raw: &Arc<RawSession>) {
    raw.unused().await;
    // Each request holds on to the session until it is answered.
    while Arc::strong_count(raw) > 1 {
        Timer::after(UNUSED_INTERVAL).await;
    }
}

impl<O: Operations> fmt::Debug for LowlevelOps<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LowlevelOps")
            .field("in_flight", &self.exported.hold.in_flight.len())
            .finish_non_exhaustive()
    }
}
