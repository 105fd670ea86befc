//! A session on a thread of its own.

use std::convert::Infallible;
use std::fmt;
use std::future::pending;
use std::io;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::Weak;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use async_channel::Receiver;
use futures::future::Either;
use futures::future::select;
use smol::Timer;

use super::ExitReason;
use super::Mountpoint;
use super::Session;
use super::SessionHandle;
use super::Unmount;
use super::handle::Cause;
use super::handle::Stop;
use super::handle::later;
use super::run::GRACE;
use super::run::until;
use crate::Error;
use crate::Notifier;
use crate::Operations;
use crate::logging;
use crate::panics::dispose;
use crate::raw::RawSession;

/// How long a session may take to unmount, once its handlers' time is up.
const CLOSE_TIME: Duration = Duration::from_secs(3);

impl<O: Operations> Session<O> {
    /// Runs the session on a thread of its own; unmounts when it ends, or when the returned value
    /// is dropped.
    ///
    /// ```no_run
    /// use libfuse3::{Operations, Session};
    ///
    /// struct Fs;
    /// impl Operations for Fs {}
    ///
    /// let mounted = Session::builder(Fs).mount("/mnt/example")?.spawn()?;
    /// // Use the files in /mnt/example.
    /// mounted.unmount()?;
    /// # Ok::<(), libfuse3::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::System`] if the threads of the session cannot be started. The file system is unmounted
    /// then.
    pub fn spawn(mut self) -> Result<BackgroundSession, Error> {
        if let Err(error) = self.start() {
            self.close_now(Unmount::Yes)?;
            return Err(error);
        }
        let notifier = self.notifier();
        let stop = Arc::clone(&self.shared.stop);
        let mountpoint = Arc::clone(&self.shared.mountpoint);
        let raw = Arc::downgrade(&self.shared.raw);
        let shutdown_timeout = self.shared.limits.shutdown_timeout;
        let (running, ended) = async_channel::bounded(1);
        let thread = thread::Builder::new()
            .name("fuse-session".to_owned())
            .spawn(move || {
                let _running = running;
                let result = smol::block_on(self.run());
                result.and_then(|reason| self.close(Unmount::Yes).map(|()| reason))
            })
            .map_err(|error| Error::system("cannot start a thread for the session", error))?;
        Ok(BackgroundSession {
            notifier,
            stop,
            mountpoint,
            raw,
            shutdown_timeout,
            ended,
            thread: Some(thread),
        })
    }
}

/// A session that runs on a thread of its own: from [`Session::spawn`]. Dropping it unmounts.
///
/// The end of a session is waited for by whoever drops, unmounts or joins it. One of its own handlers
/// would wait for itself: there the session ends once the handler has, and `unmount` and `join` return
/// an error.
#[must_use = "a session that is dropped unmounts"]
pub struct BackgroundSession {
    notifier: Notifier,
    stop: Arc<Stop>,
    mountpoint: Arc<Mountpoint>,
    raw: Weak<RawSession>,
    shutdown_timeout: Duration,
    /// Closed when the thread has come to its end.
    ended: Receiver<Infallible>,
    thread: Option<JoinHandle<Result<ExitReason, Error>>>,
}

impl BackgroundSession {
    /// The absolute path of the mountpoint; see [`Session::mountpoint`].
    #[must_use]
    pub fn mountpoint(&self) -> &Path {
        self.mountpoint.path()
    }

    /// What ends the session from elsewhere.
    #[must_use]
    pub fn handle(&self) -> SessionHandle {
        SessionHandle::new(&self.stop)
    }

    /// What tells the kernel about changes that did not come through the mount.
    #[must_use]
    pub fn notifier(&self) -> Notifier {
        self.notifier.clone()
    }

    /// Whether the session has ended by itself.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits until the session ends: by [`SessionHandle::terminate`], or because it was unmounted.
    ///
    /// # Errors
    ///
    /// As [`Session::run`] and [`Session::close`]. [`Error::Busy`] if a handler blocks the session's
    /// thread for ever: then the connection is aborted, and the thread is left behind.
    pub fn join(mut self) -> Result<ExitReason, Error> {
        self.join_thread()
    }

    /// Ends the session and unmounts.
    ///
    /// # Errors
    ///
    /// As [`join`](Self::join).
    pub fn unmount(mut self) -> Result<ExitReason, Error> {
        self.stop.request(Cause::Terminated);
        self.join_thread()
    }

    /// How INIT went; `ENOTCONN` if the session has ended, or INIT has not come.
    #[cfg(feature = "testing")]
    pub(crate) fn init_result(&self) -> crate::Result<()> {
        let raw = self.raw.upgrade();
        let result = raw.and_then(|raw| raw.init_result());
        result.unwrap_or(Err(crate::Errno::ENOTCONN))
    }

    /// Whether this thread is one that the session needs in order to end.
    fn is_own_thread(&self) -> bool {
        let own = self.thread.as_ref().map(|thread| thread.thread().id());
        own == Some(thread::current().id()) || self.stop.readers().are_current()
    }

    fn join_thread(&mut self) -> Result<ExitReason, Error> {
        if self.is_own_thread() {
            return Err(Error::system(
                "a handler cannot wait for the end of its own session",
                io::Error::from_raw_os_error(libc::EDEADLK),
            ));
        }
        smol::block_on(self.wait_for_end());
        if !self.ended.is_closed() {
            self.thread = None;
            return Err(Error::Busy(1));
        }
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => Ok(ExitReason::Terminated),
        }
    }

    /// Waits until the session's thread has come to its end. Once the session is asked to end, that
    /// takes no longer than it may; but for a handler that blocks that very thread.
    async fn wait_for_end(&self) {
        let ended = pin!(self.ended.recv());
        let overdue = async {
            self.stop.requested().await;
            let deadline = self.stop.deadline(self.shutdown_timeout);
            Timer::at(later(deadline, CLOSE_TIME)).await;
            if self.stop.have_handlers_ended() {
                // The file system's `destroy` may take its time.
                pending::<()>().await;
            }
        };
        if let Either::Left(_) = select(ended, pin!(overdue)).await {
            return;
        }
        if let Some(raw) = self.raw.upgrade() {
            self.mountpoint.abort(&raw, Unmount::Yes);
            if let Err(error) = self.mountpoint.unmount(&raw) {
                logging::error!("{error}");
            }
        }
        until(Instant::now() + GRACE, self.ended.recv()).await;
    }
}

impl Drop for BackgroundSession {
    fn drop(&mut self) {
        self.stop.request(Cause::Terminated);
        if self.thread.is_none() || self.is_own_thread() {
            return;
        }
        smol::block_on(self.wait_for_end());
        let error = match self.thread.take().filter(|_| self.ended.is_closed()) {
            Some(thread) => match thread.join() {
                Ok(Err(error)) => error,
                Ok(Ok(_)) => return,
                Err(payload) => return drop(dispose(payload)),
            },
            None => Error::Busy(1),
        };
        logging::error!("{error}");
    }
}

impl fmt::Debug for BackgroundSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackgroundSession")
            .field("mountpoint", &self.mountpoint())
            .finish_non_exhaustive()
    }
}
