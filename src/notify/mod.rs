//! Telling the kernel about changes that did not come through the mount.

mod threads;

use std::collections::VecDeque;
use std::ffi::CString;
use std::ffi::OsStr;
use std::fmt;
use std::future::Future;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::Weak;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::Either;
use futures::future::select;
use smol::Timer;

use self::threads::Threads;
use crate::Errno;
use crate::Inode;
use crate::Result;
use crate::raw::RawSession;
use crate::session::current_inodes;

/// How long a handler waits for a notification about the inode of its own request. If it takes
/// longer, the kernel is waiting for the handler's answer.
const PATIENCE_OWN: Duration = Duration::from_millis(100);

/// How long a handler waits for a notification about another inode: the kernel may be waiting for a
/// handler that waits for this one.
const PATIENCE: Duration = Duration::from_secs(1);

/// Tells the kernel about changes that did not come through the mount, so that it drops or changes
/// what it has cached.
///
/// Cheap to clone, for any thread and any executor. It does not keep the session alive: after its
/// end the methods answer [`Errno::ENODEV`]. Before the session runs they answer an error, too:
/// [`Errno::ENOTCONN`] or [`Errno::ENOSYS`].
///
/// # Blocking
///
/// The kernel works on a notification right away, and may have to wait for locks: for the
/// directory's while a `lookup` or `create` in it has no answer yet, for pages while a `read` or
/// `write` of them has none. The methods therefore make the call on a thread of the session's that
/// may block, and wait for it by `.await`. At most eight do so at a time.
///
/// Inside of a handler waiting could last for ever, since the kernel may hold the lock until the
/// handler answers. There a method waits no longer than
///
/// - 100 milliseconds, about an inode that the handler's own request is about: it then returns `Ok`,
///   and the notification takes effect after the handler's answer;
/// - one second, about another inode: it then returns [`Errno::ETIMEDOUT`], and the notification goes
///   on.
///
/// [`invalidate_entry_async`](Self::invalidate_entry_async) does not wait at all.
///
/// ```no_run
/// use libfuse3::{Inode, Notifier, Result};
///
/// async fn changed_on_the_server(notifier: &Notifier, inode: Inode) -> Result<()> {
///     notifier.invalidate_inode(inode, false).await
/// }
/// ```
#[derive(Clone)]
pub struct Notifier {
    session: Weak<RawSession>,
    threads: Arc<Threads>,
    queue: Arc<Mutex<Queue>>,
}

/// What [`Notifier::invalidate_entry_async`] has taken and not yet sent.
#[derive(Default)]
struct Queue {
    entries: VecDeque<QueuedEntry>,
    /// A thread is at it.
    is_draining: bool,
}

struct QueuedEntry {
    entry: NamedEntry,
    ignore_enoent: bool,
}

struct NamedEntry {
    parent: Inode,
    name: CString,
    deleted: Option<Inode>,
}

impl Notifier {
    pub(crate) fn new(session: &Arc<RawSession>) -> Self {
        Self {
            session: Arc::downgrade(session),
            threads: Arc::default(),
            queue: Arc::default(),
        }
    }

    /// Drops the cached attributes of an inode, and its cached contents unless `attr_only`.
    ///
    /// Contents that the writeback cache has not written yet are written first. An inode that the
    /// kernel does not know is fine. See [Blocking](Self#blocking).
    #[doc(alias = "fuse_lowlevel_notify_inval_inode")]
    pub async fn invalidate_inode(&self, inode: Inode, attr_only: bool) -> Result<()> {
        let offset = if attr_only { -1 } else { 0 };
        let result = self
            .call([inode, Inode(0)], move |session| {
                session.notify_inval_inode(inode, offset, 0)
            })
            .await;
        ignore_enoent(result)
    }

    /// Makes the kernel look up a name again that it has cached, existing or not.
    ///
    /// With `deleted`, the inode that the name was of, the entry counts as removed: programs that
    /// watch the inode (inotify's `IN_DELETE_SELF`) are told, and a working directory there is gone.
    ///
    /// [`Errno::ENOENT`] if the kernel has nothing cached under that name, [`Errno::ENOTEMPTY`] if
    /// it is a directory that is in use. See [Blocking](Self#blocking).
    #[doc(alias = "fuse_lowlevel_notify_inval_entry")]
    #[doc(alias = "fuse_lowlevel_notify_delete")]
    pub async fn invalidate_entry(
        &self,
        parent: Inode,
        name: &OsStr,
        deleted: Option<Inode>,
    ) -> Result<()> {
        let entry = NamedEntry::new(parent, name, deleted)?;
        self.call([parent, deleted.unwrap_or(Inode(0))], move |session| {
            entry.send(session)
        })
        .await
    }

    /// As [`invalidate_entry`](Self::invalidate_entry), without waiting for it: queues it and
    /// returns.
    ///
    /// The queue is worked off in order, one entry at a time. Errors are logged, except `ENOENT`
    /// with `ignore_enoent`.
    pub fn invalidate_entry_async(
        &self,
        parent: Inode,
        name: &OsStr,
        deleted: Option<Inode>,
        ignore_enoent: bool,
    ) {
        let entry = match NamedEntry::new(parent, name, deleted) {
            Ok(entry) => entry,
            Err(errno) => {
                return log::warn!("cannot invalidate {name:?} in inode {parent}: {errno}");
            }
        };
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.entries.push_back(QueuedEntry {
            entry,
            ignore_enoent,
        });
        if !std::mem::replace(&mut queue.is_draining, true) {
            drop(queue);
            let this = self.clone();
            self.threads.submit(move || this.drain_queue());
        }
    }

    /// Puts `data` into the kernel's cache as the contents of an inode, from `offset` on.
    ///
    /// If the file is shorter for the kernel, it asks `getattr` for the new size.
    ///
    /// [`Errno::ENOENT`] if the kernel does not know the inode. On an error a part may have been
    /// stored. See [Blocking](Self#blocking).
    #[doc(alias = "fuse_lowlevel_notify_store")]
    pub async fn notify_store(
        &self,
        inode: Inode,
        offset: u64,
        data: impl Into<Bytes>,
    ) -> Result<()> {
        let data = data.into();
        self.call([inode, Inode(0)], move |session| {
            session.notify_store(inode, offset, &data)
        })
        .await
    }

    /// Makes a call that may block; waits for it if that is safe here.
    fn call(
        &self,
        inodes: [Inode; 2],
        call: impl FnOnce(&RawSession) -> Result<()> + Send + 'static,
    ) -> impl Future<Output = Result<()>> + Send + 'static {
        let session = Weak::clone(&self.session);
        let threads = Arc::clone(&self.threads);
        async move {
            let (sender, receiver) = oneshot::channel();
            threads.submit(move || {
                let session = session.upgrade().ok_or(Errno::ENODEV);
                let result = session.and_then(|session| call(&session));
                // Whoever asked may have stopped waiting.
                let _ = sender.send(result);
            });
            let result = receiver.map(|result| result.unwrap_or(Err(Errno::EAGAIN)));
            let Some(own) = current_inodes() else {
                return result.await;
            };
            let is_own = inodes
                .iter()
                .any(|inode| inode.raw() != 0 && own.contains(inode));
            let patience = if is_own { PATIENCE_OWN } else { PATIENCE };
            match select(result, Timer::after(patience)).await {
                Either::Left((result, _)) => result,
                Either::Right(_) if is_own => Ok(()),
                Either::Right(_) => Err(Errno::ETIMEDOUT),
            }
        }
    }

    fn drain_queue(&self) {
        loop {
            let entry = {
                let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
                let entry = queue.entries.pop_front();
                queue.is_draining = entry.is_some();
                entry
            };
            let Some(entry) = entry else { return };
            let QueuedEntry {
                entry,
                ignore_enoent,
            } = entry;
            let session = self.session.upgrade().ok_or(Errno::ENODEV);
            match session.and_then(|session| entry.send(&session)) {
                Ok(()) | Err(Errno::ENODEV) => {}
                Err(Errno::ENOENT) if ignore_enoent => {}
                Err(errno) => {
                    let NamedEntry { parent, name, .. } = entry;
                    log::warn!("cannot invalidate {name:?} in inode {parent}: {errno}");
                }
            }
        }
    }
}

impl NamedEntry {
    /// `EINVAL` for what cannot be a name.
    fn new(parent: Inode, name: &OsStr, deleted: Option<Inode>) -> Result<Self> {
        let bytes = name.as_bytes();
        if bytes.is_empty() || bytes.contains(&b'/') {
            return Err(Errno::EINVAL);
        }
        Ok(Self {
            parent,
            name: CString::new(bytes).map_err(|_| Errno::EINVAL)?,
            deleted,
        })
    }

    fn send(&self, session: &RawSession) -> Result<()> {
        match self.deleted {
            Some(child) => session.notify_delete(self.parent, child, &self.name),
            None => session.notify_inval_entry(self.parent, &self.name),
        }
    }
}

impl fmt::Debug for Notifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notifier").finish_non_exhaustive()
    }
}

fn ignore_enoent(result: Result<()>) -> Result<()> {
    match result {
        Err(Errno::ENOENT) => Ok(()),
        result => result,
    }
}
