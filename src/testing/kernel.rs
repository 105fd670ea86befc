//! The mock kernel as a whole: its beginning, its end, and what it keeps account of.

use std::fmt;
use std::sync::Arc;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use super::builder::Agreement;
use super::builder::MockKernelBuilder;
use super::client::Client;
use super::client::Pending;
use super::counts::LookupProblem;
use super::counts::LookupReport;
use super::encode::Body;
use super::notification::Notification;
use super::request::Request;
use crate::BackgroundSession;
use crate::Capabilities;
use crate::Errno;
use crate::Error;
use crate::ExitReason;
use crate::Inode;
use crate::Notifier;
use crate::Operations;
use crate::Result as ErrnoResult;
use crate::Session;
use crate::SessionBuilder;
use crate::logging;
use crate::wire::Opcode;
use futures::FutureExt;
use smol::Timer;

/// How long a file system may take to forget.
const FORGETTING: Duration = Duration::from_secs(1);

/// A file system that runs without being mounted, and what plays the kernel for it. See the
/// [module](super) for what that is good for.
///
/// The methods that are named after requests send that one request and wait for the answer. They take
/// and return what the [`Operations`] of the same names return and take. Errors are what the file
/// system has answered, or
///
/// - `EIO`: the answer makes no sense to the kernel;
/// - `ETIMEDOUT`: there was no answer within [ten seconds](MockKernelBuilder::timeout);
/// - `ENOTCONN`: the session has ended.
///
/// Dropped, it ends the session, as [`unmount`](Self::unmount) does.
#[must_use = "the file system is unmounted when this is dropped"]
pub struct MockKernel<O: Operations> {
    operations: Arc<O>,
    session: Option<BackgroundSession>,
    pub(super) client: Arc<Client>,
    thread: Option<JoinHandle<()>>,
    pub(super) agreement: Agreement,
}

impl<O: Operations> MockKernel<O> {
    /// Runs a file system.
    ///
    /// # Errors
    ///
    /// As [`MockKernelBuilder::start`].
    pub fn new(operations: O) -> Result<Self, Error> {
        Self::builder(Session::builder(operations)).start()
    }

    /// For a file system whose session, or whose kernel, shall have other settings than the usual ones.
    ///
    /// ```
    /// use std::time::Duration;
    /// use libfuse3::testing::{Caller, MockKernel};
    /// use libfuse3::{Operations, Session};
    ///
    /// struct Fs;
    /// impl Operations for Fs {}
    ///
    /// let session = Session::builder(Fs).reader_threads(2);
    /// let nobody = Caller { uid: 65534, gid: 65534, pid: 1, umask: 0o077 };
    /// let kernel = MockKernel::builder(session)
    ///     .caller(nobody)
    ///     .timeout(Duration::from_secs(1))
    ///     .start()?;
    /// # Ok::<(), libfuse3::Error>(())
    /// ```
    pub fn builder(session: SessionBuilder<O>) -> MockKernelBuilder<O> {
        MockKernelBuilder::new(session)
    }

    pub(super) fn new_running(
        operations: Arc<O>,
        session: BackgroundSession,
        client: Arc<Client>,
        thread: JoinHandle<()>,
    ) -> Self {
        Self {
            operations,
            session: Some(session),
            client,
            thread: Some(thread),
            agreement: Agreement {
                capabilities: Capabilities::empty(),
                max_write: 0,
            },
        }
    }

    /// The file system.
    #[must_use]
    pub fn operations(&self) -> &Arc<O> {
        &self.operations
    }

    fn session(&self) -> &BackgroundSession {
        self.session.as_ref().expect("it is taken at the end only")
    }

    /// What ends the session from elsewhere.
    #[must_use]
    pub fn handle(&self) -> crate::SessionHandle {
        self.session().handle()
    }

    /// What the file system tells the kernel with. What comes of it:
    /// [`notification`](Self::notification).
    #[must_use]
    pub fn notifier(&self) -> Notifier {
        self.session().notifier()
    }

    /// What the file system has asked for, of what was
    /// [offered](MockKernelBuilder::capabilities).
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        self.agreement.capabilities
    }

    /// How many bytes one request writes at most.
    #[must_use]
    pub fn max_write(&self) -> usize {
        self.agreement.max_write as usize
    }

    /// Sends a request, without waiting for the answer.
    ///
    /// One that is longer than [`max_write`](Self::max_write) allows is not sent, and fails with
    /// `EINVAL`.
    pub fn start<T: Send + 'static>(&self, request: Request<T>) -> Pending<T> {
        self.client.start(request)
    }

    /// Sends a request and waits for the answer.
    pub fn call<T: Send + 'static>(&self, request: Request<T>) -> ErrnoResult<T> {
        self.start(request).wait()
    }

    // ---- lookup counts -----------------------------------------------------------------------------

    /// How many references the kernel has to an inode: how often it was given the inode, less what it
    /// has forgotten. Always 0 for the root.
    #[must_use]
    pub fn lookup_count(&self, inode: Inode) -> u64 {
        self.client.counts.get(inode)
    }

    /// All inodes that the kernel refers to, and how often.
    #[must_use]
    pub fn lookup_counts(&self) -> Vec<(Inode, u64)> {
        self.client.counts.all()
    }

    /// Has the file system forget so many references to an inode. There is no answer: the file system
    /// will have seen it before what is sent next, if it has one reader thread.
    ///
    /// That these are no more than the kernel has is up to the test; a real kernel would see to it.
    #[doc(alias = "FUSE_FORGET")]
    pub fn forget(&self, inode: Inode, nlookup: u64) {
        self.client.counts.subtract(inode, nlookup);
        // One that does not listen any more has forgotten everything.
        let _ = self
            .client
            .tell(Opcode::Forget, inode, &nlookup.to_ne_bytes());
    }

    /// As [`forget`](Self::forget), several inodes in one request.
    #[doc(alias = "FUSE_BATCH_FORGET")]
    pub fn batch_forget(&self, inodes: &[(Inode, u64)]) {
        for part in inodes.chunks(1000) {
            let mut body = Body::new().u32(part.len() as u32).u32(0);
            for (inode, nlookup) in part {
                self.client.counts.subtract(*inode, *nlookup);
                body = body.u64(inode.raw()).u64(*nlookup);
            }
            let _ = self.client.tell(Opcode::BatchForget, Inode(0), &body.0);
        }
    }

    /// Has the file system forget all that the kernel refers to.
    pub fn forget_all(&self) {
        self.batch_forget(&self.lookup_counts());
    }

    /// Compares what the kernel has counted with what the file system says that it has: inodes, the root
    /// left out, and their lookup counts.
    ///
    /// ```
    /// # use libfuse3::testing::*;
    /// # use libfuse3::*;
    /// struct Fs(InodeTable<String, ()>);
    ///
    /// impl Operations for Fs {
    ///     async fn lookup(&self, _: Inode, name: &std::ffi::OsStr, _: &RequestContext) -> Result<EntryAttributes> {
    ///         let (ino, _) = self.0.remember(name.display().to_string(), |_| ());
    ///         Ok(EntryAttributes { ino, ..Default::default() })
    ///     }
    ///     // And no `forget`.
    /// }
    ///
    /// # fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    /// let kernel = MockKernel::new(Fs(InodeTable::new("/".to_owned(), ())))?;
    /// let ino = kernel.lookup(ROOT_INODE, "a")?.ino;
    /// let counted = || kernel.operations().0.lookup_counts();
    /// assert!(kernel.compare_lookup_counts(counted()).is_balanced());
    ///
    /// kernel.forget(ino, 1);
    /// let report = kernel.compare_lookup_counts(counted());
    /// let differs = LookupProblem::Differs { inode: ino, kernel: 0, file_system: 1 };
    /// assert_eq!(report.problems(), [differs]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn compare_lookup_counts(
        &self,
        file_system: impl IntoIterator<Item = (Inode, u64)>,
    ) -> LookupReport {
        self.client.counts.compare(file_system)
    }

    // ---- notifications -----------------------------------------------------------------------------

    /// The next notification that the file system has sent or will send. `None` if none comes in
    /// [time](MockKernelBuilder::timeout), or the session has ended.
    #[must_use]
    pub fn notification(&self) -> Option<Notification> {
        let next = self.client.notifications.recv();
        let timer = Timer::after(self.client.timeout);
        smol::block_on(async {
            futures::select_biased! {
                notification = next.fuse() => notification.ok(),
                _ = timer.fuse() => None,
            }
        })
    }

    /// A notification that has come already, if there is one.
    #[must_use]
    pub fn try_notification(&self) -> Option<Notification> {
        self.client.notifications.try_recv().ok()
    }

    /// Answers [`Notification::Retrieve`] with what is in the cache.
    ///
    /// # Errors
    ///
    /// `EINVAL` if that is too much for one message, `ENOTCONN` if the session has ended.
    #[doc(alias = "FUSE_NOTIFY_REPLY")]
    pub fn retrieved(
        &self,
        unique: u64,
        inode: Inode,
        offset: u64,
        data: &[u8],
    ) -> ErrnoResult<()> {
        let size = u32::try_from(data.len()).map_err(|_| Errno::EINVAL)?;
        let body = Body::new().u64(0).u64(offset).u32(size).u32(0);
        let body = body.u64(0).u64(0).bytes(data);
        self.client.answer_retrieve(unique, inode, &body.0)
    }

    // ---- the end -----------------------------------------------------------------------------------

    /// Ends the session, and reports inodes whose lookup counts do not balance.
    ///
    /// First the inodes that the kernel still refers to are asked for their attributes: they must be
    /// known. Then all is forgotten, and those that had no names left (`nlookup` 0) are asked for once
    /// more: they must be gone. A file system without `getattr` has no such report.
    ///
    /// # Errors
    ///
    /// As [`Session::run`] and [`Session::close`].
    pub fn unmount(mut self) -> Result<LookupReport, Error> {
        let mut report = LookupReport::default();
        let mut nameless = Vec::new();
        for (inode, count) in self.lookup_counts() {
            match self.getattr(inode) {
                Ok(attr) if attr.nlink == 0 => nameless.push(inode),
                Err(errno @ (Errno::ENOENT | Errno::ESTALE)) => {
                    report.problems.push(LookupProblem::Lost {
                        inode,
                        count,
                        errno,
                    });
                }
                Ok(_) | Err(_) => (),
            }
        }
        self.forget_all();
        let deadline = Instant::now() + FORGETTING;
        for inode in nameless {
            // There is no answer to wait for when it is about to forget.
            while self.getattr(inode).is_ok() {
                if Instant::now() > deadline {
                    report.problems.push(LookupProblem::Kept { inode });
                    break;
                }
                thread::sleep(Duration::from_millis(1));
            }
        }
        self.end()?;
        Ok(report)
    }

    /// Hangs up, and waits for the end of the session and of all threads.
    pub(super) fn end(&mut self) -> Result<Option<ExitReason>, Error> {
        self.client.hang_up();
        let session = self.session.take();
        let reason = session.map(BackgroundSession::join).transpose();
        self.client.shut_down();
        if let Some(thread) = self.thread.take() {
            // It does not panic.
            drop(thread.join());
        }
        reason
    }
}

impl<O: Operations> Drop for MockKernel<O> {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            logging::error!("{error}");
        }
    }
}

impl<O: Operations> fmt::Debug for MockKernel<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockKernel")
            .field("agreement", &self.agreement)
            .field("lookup_counts", &self.lookup_counts())
            .finish_non_exhaustive()
    }
}
