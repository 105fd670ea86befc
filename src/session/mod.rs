//! One mounted file system, from mount to unmount.

mod builder;
mod custom_io;
mod dispatch;
mod handle;
mod in_flight;
mod lowlevel_ops;
mod mountpoint;
mod queue;
mod reactor;
mod receive;
mod report;
mod run;
mod spawn;

use std::fmt;
use std::io;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use async_channel::Receiver;
use async_channel::Sender;
use smol::Executor;

pub(crate) use builder::MAX_READER_THREADS;
pub use builder::SessionBuilder;
pub use custom_io::CustomIo;
pub use handle::SessionHandle;
pub(crate) use in_flight::current_inodes;
pub use lowlevel_ops::LowlevelOps;
pub use report::InFlightReport;
pub use report::InFlightRequest;
pub use run::ExitReason;
pub(crate) use run::Phase;
pub use spawn::BackgroundSession;

use self::builder::Limits;
use self::handle::Stop;
use self::in_flight::InFlight;
use self::mountpoint::Mountpoint;
use self::receive::ReaderEnd;
use crate::ConnInfoOpts;
use crate::Error;
use crate::MountOptions;
use crate::Notifier;
use crate::Operations;
use crate::logging;
use crate::message::Message;
use crate::raw;
use crate::raw::BusyPoll;
use crate::raw::InitHook;
use crate::raw::Lender;
use crate::raw::Lent;
use crate::raw::Parent;
use crate::raw::RawSession;
use crate::raw::Signals;

/// What readers, handlers and the session have in common.
///
/// What is looked at for each request is at the start, on one cache line.
#[repr(C, align(64))]
pub(crate) struct Shared<O> {
    operations: Arc<O>,
    raw: Arc<RawSession>,
    stop: Arc<Stop>,
    /// As in `limits`.
    cancel_on_interrupt: bool,
    in_flight: InFlight,
    /// From callbacks on threads that are no readers of ours.
    messages: Receiver<Message>,
    executor: Executor<'static>,
    limits: Limits,
    busy_poll: BusyPoll,
    mountpoint: Arc<Mountpoint>,
    notifier: Notifier,
    /// `Operations::destroy` has been called.
    destroyed: Flag,
}

impl<O> Shared<O> {
    fn report(&self) -> InFlightReport {
        self.in_flight.report()
    }
}

/// What a reader has in common with the others, and lends to the handlers of its requests.
///
/// Each reader has its own: threads that all count on one counter wait for each other.
pub(crate) struct Hold<O>(Lent<Arc<Shared<O>>>);

impl<O> Hold<O> {
    /// For the handlers of requests that come on any thread.
    fn new(shared: &Arc<Shared<O>>) -> Self {
        Self(Lent::by_nobody(Arc::clone(shared)))
    }

    /// For a reader, on its thread.
    fn of_reader(lender: &Lender<Arc<Shared<O>>>) -> Self {
        Self(lender.lend())
    }

    fn shared(&self) -> &Arc<Shared<O>> {
        &self.0
    }
}

impl<O> Clone for Hold<O> {
    #[inline]
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<O> Deref for Hold<O> {
    type Target = Shared<O>;

    fn deref(&self) -> &Shared<O> {
        &self.0
    }
}

/// What becomes of the mount when a session is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmount {
    /// It is unmounted.
    Yes,
    /// It stays, and whoever uses it gets `ENOTCONN`, until somebody unmounts it: so that nobody
    /// takes the empty directory below for the file system, after a crash for example.
    Leave,
}

/// A mounted file system.
///
/// ```text
///   Session::builder(fs).options(..).mount(path)     mounted; requests wait
///        |
///        |  daemonize()                              optional, before any thread exists
///        v
///   run().await     or   spawn()                     requests are answered
///        |
///        |  unmounted from outside, SessionHandle::terminate(), a signal, or an abort
///        v
///   close(Unmount::Yes)     or   drop                unmounted, freed
/// ```
///
/// Several sessions may live in one process. Dropping a session at any point unmounts it.
///
/// ```no_run
/// use libfuse3::{Operations, Session, Unmount};
///
/// struct Fs;
/// impl Operations for Fs {}
///
/// let mut session = Session::builder(Fs).mount("/mnt/example")?;
/// let reason = smol::block_on(session.run())?;
/// println!("ended: {reason:?}");
/// session.close(Unmount::Yes)?;
/// # Ok::<(), libfuse3::Error>(())
/// ```
#[doc(alias = "fuse_session")]
#[must_use = "a session that is dropped unmounts"]
pub struct Session<O: Operations> {
    shared: Arc<Shared<O>>,
    readers: Vec<JoinHandle<()>>,
    /// Where readers tell that they have ended; closed when all have.
    ended: Receiver<ReaderEnd>,
    /// Handled until the session is closed: another signal must not leave the mount behind.
    signals: Option<Arc<Signals>>,
    /// The parent of a background process, which waits for INIT.
    parent: Mutex<Option<Parent>>,
    closed: bool,
}

impl<O: Operations> Session<O> {
    /// A session for this file system, yet to be set up and mounted.
    pub fn builder(operations: O) -> SessionBuilder<O> {
        SessionBuilder::new(operations)
    }

    fn mount(
        operations: O,
        options: &MountOptions,
        conn_info_opts: Option<ConnInfoOpts>,
        limits: Limits,
        path: &Path,
    ) -> Result<Self, Error> {
        let mountpoint = Mountpoint::check(path)?;
        let prepared = Prepared::new(operations, options, conn_info_opts)?;
        let mountpoint = mountpoint.mount(&prepared.raw, options, limits.clones())?;
        Ok(Self::of(prepared.into_shared(limits, mountpoint)))
    }

    fn connect(
        operations: O,
        options: &MountOptions,
        conn_info_opts: Option<ConnInfoOpts>,
        limits: Limits,
        io: CustomIo,
    ) -> Result<Self, Error> {
        let prepared = Prepared::new(operations, options, conn_info_opts)?;
        let raw = &prepared.raw;
        raw.connect(io.requests, io.answers)
            .map_err(Error::CustomIo)?;
        Ok(Self::of(prepared.into_shared(limits, Mountpoint::none())))
    }

    /// A session that has not run yet.
    fn of(shared: Arc<Shared<O>>) -> Self {
        Self {
            shared,
            readers: Vec::new(),
            ended: async_channel::bounded(1).1,
            signals: None,
            parent: Mutex::new(None),
            closed: false,
        }
    }

    /// The file system.
    #[must_use]
    pub fn operations(&self) -> &Arc<O> {
        &self.shared.operations
    }

    /// The absolute path of the mountpoint; `/dev/fd/N` if it was mounted by somebody else, and empty
    /// without a mount ([`SessionBuilder::custom_io`]).
    #[must_use]
    pub fn mountpoint(&self) -> &Path {
        self.shared.mountpoint.path()
    }

    /// What ends the session from elsewhere.
    #[must_use]
    pub fn handle(&self) -> SessionHandle {
        SessionHandle::new(&self.shared.stop)
    }

    /// What tells the kernel about changes that did not come through the mount.
    #[must_use]
    pub fn notifier(&self) -> Notifier {
        self.shared.notifier.clone()
    }

    /// libfuse's own session, for its functions that this library does not have.
    ///
    /// Valid as long as this session is. It must not be run, unmounted or destroyed: that is this
    /// library's to do. Replies and notifications of the pointer's user come in between those of the
    /// session, which libfuse allows.
    #[doc(alias = "fuse_session")]
    #[must_use]
    pub fn as_raw(&self) -> *mut crate::sys::fuse_session {
        self.shared.raw.as_ptr()
    }

    /// Goes on in the background: this returns in a child process, whose working directory is `/`, and
    /// whose standard input and output are `/dev/null`.
    ///
    /// The calling process waits until [`Operations::init`] has succeeded, in [`run`](Self::run), and then exits
    /// with status 0. The child leaves the terminal at that moment, and its standard error becomes `/dev/null`.
    /// If the child ends before that, the calling process exits with the same status. So the process that
    /// started the program learns of an error or a panic in `init`, and of a capability that is not offered.
    /// With libfuse's own `fuse_daemonize` it does not.
    ///
    /// The calling process does not wait for sessions without a mount of their own: those of
    /// [`custom_io`](SessionBuilder::custom_io), and of a `/dev/fd/N` that is not mounted yet.
    ///
    /// # Errors
    ///
    /// [`Error::Daemonize`] if the process has other threads, which the child would lack: call this between
    /// `mount` and `run`, and start no thread before. Also, in the calling process, if the child ends by a
    /// signal, or with status 0 before `init` has succeeded.
    #[doc(alias = "fuse_daemonize")]
    pub fn daemonize(&self) -> Result<(), Error> {
        let threads = match std::fs::read_dir("/proc/self/task") {
            Ok(threads) => threads.count(),
            // There is no /proc.
            Err(error) if error.kind() == io::ErrorKind::NotFound => 1,
            Err(error) => {
                let message = format!("cannot count the threads of the process: {error}");
                return Err(Error::Daemonize(message));
            }
        };
        if threads > 1 {
            return Err(Error::Daemonize(format!(
                "{threads} threads are running, and would be lost; daemonize before they start"
            )));
        }
        let parent = raw::fork_and_wait().map_err(|error| Error::Daemonize(error.to_string()))?;
        let raw = &self.shared.raw;
        if raw.is_custom_io() || raw.init_result().is_some() || raw.is_connected() == Some(false) {
            // INIT has come already, or the peer that sends it may wait for the parent.
            parent.release();
            return Ok(());
        }
        *self.parent.lock().unwrap_or_else(PoisonError::into_inner) = Some(parent);
        Ok(())
    }

    /// Ends the session if it has not ended yet, unmounts or leaves the mount as it is, and frees
    /// everything.
    ///
    /// # Errors
    ///
    /// [`Error::StillMounted`] if the file system could not be unmounted. [`Error::Busy`] if a
    /// notification or a read of a file is still under way after all.
    pub fn close(mut self, unmount: Unmount) -> Result<(), Error> {
        self.close_now(unmount)
    }
}

/// A session that has neither a mount nor a connection yet.
struct Prepared<O> {
    operations: Arc<O>,
    raw: Arc<RawSession>,
    messages: Receiver<Message>,
}

impl<O: Operations> Prepared<O> {
    fn new(
        operations: O,
        options: &MountOptions,
        conn_info_opts: Option<ConnInfoOpts>,
    ) -> Result<Self, Error> {
        let arguments = options.to_arguments()?;
        let max_read = options.max_read_value()?;
        Self::make(operations, |sender, init| {
            let conn_info_opts = conn_info_opts.map(|opts| opts.0);
            let raw = RawSession::new(&arguments, max_read, sender, init, conn_info_opts);
            raw.map_err(|error| options.explain(error))
        })
    }

    fn make(
        operations: O,
        make: impl FnOnce(Sender<Message>, InitHook) -> Result<Arc<RawSession>, Error>,
    ) -> Result<Self, Error> {
        let operations = Arc::new(operations);
        let for_init = Arc::clone(&operations);
        let init = move |conn: &mut crate::ConnInfo| {
            conn.apply_defaults(
                O::SUPPORTS_DOT_LOOKUP,
                O::ENABLE_WRITEBACK_CACHE,
                O::ENABLE_ACL,
            );
            for_init.init(conn)
        };
        let (sender, messages) = async_channel::unbounded();
        let raw = make(sender, Box::new(init))?;
        Ok(Self {
            operations,
            raw,
            messages,
        })
    }

    fn into_shared(self, limits: Limits, mountpoint: Mountpoint) -> Arc<Shared<O>> {
        let Self {
            operations,
            raw,
            messages,
        } = self;
        let is_from_kernel = raw.is_from_kernel();
        Arc::new(Shared {
            operations,
            stop: Arc::default(),
            mountpoint: Arc::new(mountpoint),
            notifier: Notifier::new(&raw),
            raw,
            messages,
            executor: Executor::new(),
            in_flight: InFlight::new(limits.max_in_flight, is_from_kernel),
            cancel_on_interrupt: limits.cancel_on_interrupt,
            busy_poll: BusyPoll::new(limits.busy_poll),
            limits,
            destroyed: Flag::default(),
        })
    }
}

impl<O: Operations> Drop for Session<O> {
    fn drop(&mut self) {
        if let Err(error) = self.close_now(Unmount::Yes) {
            logging::error!("{error}");
        }
    }
}

impl<O: Operations> fmt::Debug for Session<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("mountpoint", &self.mountpoint())
            .field("in_flight", &self.shared.in_flight.len())
            .finish_non_exhaustive()
    }
}

/// A flag that many threads look at.
#[derive(Debug, Default)]
struct Flag(AtomicBool);

impl Flag {
    fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Whether this call has set it.
    fn set(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }
}
