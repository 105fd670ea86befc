//! A session on a thread of its own.

use std::fmt;
use std::path::Path;
use std::path::PathBuf;
use std::thread;
use std::thread::JoinHandle;

use super::ExitReason;
use super::Session;
use super::SessionHandle;
use super::Unmount;
use crate::Error;
use crate::Notifier;
use crate::Operations;

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
    pub fn spawn(mut self) -> Result<BackgroundSession, Error> {
        let handle = self.handle();
        let notifier = self.notifier();
        let mountpoint = self.mountpoint().to_owned();
        let thread = thread::Builder::new()
            .name("fuse-session".to_owned())
            .spawn(move || {
                let result = smol::block_on(self.run());
                result.and_then(|reason| self.close(Unmount::Yes).map(|()| reason))
            })
            .map_err(|error| Error::system("cannot start a thread for the session", error))?;
        Ok(BackgroundSession {
            handle,
            notifier,
            mountpoint,
            thread: Some(thread),
        })
    }
}

/// A session that runs on a thread of its own: from [`Session::spawn`]. Dropping it unmounts.
#[must_use = "a session that is dropped unmounts"]
pub struct BackgroundSession {
    handle: SessionHandle,
    notifier: Notifier,
    mountpoint: PathBuf,
    thread: Option<JoinHandle<Result<ExitReason, Error>>>,
}

impl BackgroundSession {
    /// The absolute path of the mountpoint.
    #[must_use]
    pub fn mountpoint(&self) -> &Path {
        &self.mountpoint
    }

    /// What ends the session from elsewhere.
    #[must_use]
    pub fn handle(&self) -> SessionHandle {
        self.handle.clone()
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
    pub fn join(mut self) -> Result<ExitReason, Error> {
        self.join_thread()
    }

    /// Ends the session and unmounts.
    pub fn unmount(mut self) -> Result<ExitReason, Error> {
        self.handle.terminate();
        self.join_thread()
    }

    fn join_thread(&mut self) -> Result<ExitReason, Error> {
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => Ok(ExitReason::Terminated),
        }
    }
}

impl Drop for BackgroundSession {
    fn drop(&mut self) {
        self.handle.terminate();
        if let Some(Ok(Err(error))) = self.thread.take().map(JoinHandle::join) {
            log::error!("{error}");
        }
    }
}

impl fmt::Debug for BackgroundSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackgroundSession")
            .field("mountpoint", &self.mountpoint)
            .finish_non_exhaustive()
    }
}
