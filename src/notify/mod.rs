//! Telling the kernel about changes that did not come through the mount.

mod entry;
mod patience;
mod queue;
mod threads;

use std::ffi::OsStr;
use std::fmt;
use std::future::Future;
use std::ops::Bound;
use std::ops::RangeBounds;
use std::sync::Arc;
use std::sync::Weak;

use bytes::Bytes;
use futures::channel::oneshot;

use self::entry::NamedEntry;
use self::patience::Waited;
use self::queue::Queue;
use self::queue::QueuedEntry;
use self::threads::Threads;
use crate::Errno;
use crate::Inode;
use crate::Result;
use crate::logging;
use crate::raw::RawSession;

/// Tells the kernel about changes that did not come through the mount, so that it drops or changes
/// what it has cached.
///
/// | the kernel shall | method | libfuse |
/// |---|---|---|
/// | ask again about an inode | [`invalidate_inode`](Self::invalidate_inode), [`invalidate_range`](Self::invalidate_range) | |
/// | look up a name again | [`invalidate_entry`](Self::invalidate_entry), [`expire_entry`](Self::expire_entry) | 3.13 for the latter |
/// | look up all names again | [`increment_epoch`](Self::increment_epoch) | 3.18 |
/// | know that a name was removed | [`delete`](Self::delete) | |
/// | forget inodes that nobody uses | [`prune`](Self::prune) | 3.19 |
/// | cache contents that it has not asked for | [`notify_store`](Self::notify_store) | |
/// | tell what it has cached | [`retrieve`](Self::retrieve) | |
///
/// Cheap to clone, for any thread and any executor. It does not keep the session alive: after its
/// end the methods answer [`Errno::ENODEV`], before it runs [`Errno::ENOTCONN`]. What the loaded
/// kernel or this libfuse has not, is [`Errno::ENOSYS`].
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
/// [`retrieve`](Self::retrieve), which has nothing to return then, always returns
/// [`Errno::ETIMEDOUT`]. [`invalidate_entry_async`](Self::invalidate_entry_async) does not wait at
/// all.
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
    queue: Arc<Queue>,
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
        let (offset, len) = if attr_only { (-1, 0) } else { (0, 0) };
        self.inval_inode(inode, offset, len).await
    }

    /// Drops the cached attributes of an inode, and a part of its cached contents, in bytes: whole
    /// pages, those that are touched. An empty range drops nothing.
    ///
    /// Else as [`invalidate_inode`](Self::invalidate_inode).
    ///
    /// ```no_run
    /// # async fn example(notifier: libfuse3::Notifier, inode: libfuse3::Inode) -> libfuse3::Result<()> {
    /// notifier.invalidate_range(inode, 4096..8192).await?;
    /// notifier.invalidate_range(inode, 1_000_000..).await
    /// # }
    /// ```
    #[doc(alias = "fuse_lowlevel_notify_inval_inode")]
    pub async fn invalidate_range(&self, inode: Inode, range: impl RangeBounds<u64>) -> Result<()> {
        let Some((offset, len)) = offset_and_len(range) else {
            return Ok(());
        };
        self.inval_inode(inode, offset, len).await
    }

    async fn inval_inode(&self, inode: Inode, offset: i64, len: i64) -> Result<()> {
        let result = self
            .call([inode], move |session| {
                session.notify_inval_inode(inode, offset, len)
            })
            .await;
        ignore_enoent(result)
    }

    /// Makes the kernel look up a name again that it has cached, existing or not.
    ///
    /// The name is gone at once: what is mounted below it is unmounted. With `deleted`, the inode
    /// that the name was of, this is [`delete`](Self::delete).
    ///
    /// [`Errno::ENOENT`] if the kernel has nothing cached under that name. See
    /// [Blocking](Self#blocking).
    #[doc(alias = "fuse_lowlevel_notify_inval_entry")]
    pub async fn invalidate_entry(
        &self,
        parent: Inode,
        name: &OsStr,
        deleted: Option<Inode>,
    ) -> Result<()> {
        let entry = NamedEntry::new(parent, name)?;
        self.call([parent, deleted.unwrap_or(Inode(0))], move |session| {
            entry.invalidate(deleted, session)
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
        let entry = match NamedEntry::new(parent, name) {
            Ok(entry) => entry,
            Err(errno) => {
                return logging::warn!("cannot invalidate {name:?} in inode {parent}: {errno}");
            }
        };
        let entry = QueuedEntry {
            entry,
            deleted,
            ignore_enoent,
        };
        match may_notify(&self.session) {
            Ok(()) => self.queue.push(entry, &self.threads, &self.session),
            Err(errno) => entry.failed(errno),
        }
    }

    /// Makes the kernel look up a name again when it is used next.
    ///
    /// Unlike [`invalidate_entry`](Self::invalidate_entry) it leaves everything in place until
    /// then: if the name turns out to be of the same inode as before, what is mounted below it
    /// stays.
    ///
    /// [`Errno::ENOENT`] if the kernel has nothing cached under that name; [`Errno::ENOSYS`] before
    /// libfuse 3.13 and Linux 6.2. See [Blocking](Self#blocking).
    #[doc(alias = "fuse_lowlevel_notify_expire_entry")]
    pub async fn expire_entry(&self, parent: Inode, name: &OsStr) -> Result<()> {
        let entry = NamedEntry::new(parent, name)?;
        self.call([parent], move |session| {
            session.notify_expire_entry(entry.parent, &entry.name)
        })
        .await
    }

    /// Tells that a name of the inode `child` was removed.
    ///
    /// Programs that watch the inode (inotify's `IN_DELETE_SELF`) are told, and a working directory
    /// there is gone.
    ///
    /// [`Errno::ENOENT`] if the kernel has nothing cached under that name, or another inode, whose
    /// name is then looked up again; [`Errno::ENOTEMPTY`] if it is a directory that is in use, [`Errno::EBUSY`] if something is
    /// mounted on it. See [Blocking](Self#blocking).
    #[doc(alias = "fuse_lowlevel_notify_delete")]
    pub async fn delete(&self, parent: Inode, child: Inode, name: &OsStr) -> Result<()> {
        self.invalidate_entry(parent, name, Some(child)).await
    }

    /// Makes the kernel look up every name again that it has cached so far, when it is used next.
    ///
    /// [`Errno::ENOSYS`] before libfuse 3.18 and Linux 6.16.
    #[doc(alias = "fuse_lowlevel_notify_increment_epoch")]
    pub async fn increment_epoch(&self) -> Result<()> {
        self.call([], RawSession::notify_increment_epoch).await
    }

    /// Makes the kernel drop inodes that it has cached but nobody uses: it then sends `forget` for
    /// them. Those that are in use, or unknown, are passed over.
    ///
    /// [`Errno::ENOSYS`] before libfuse 3.19 and Linux 6.18. See [Blocking](Self#blocking).
    #[doc(alias = "fuse_lowlevel_notify_prune")]
    pub async fn prune(&self, inodes: &[Inode]) -> Result<()> {
        let inodes = inodes.to_vec();
        self.call(inodes.clone(), move |session| session.notify_prune(&inodes))
            .await
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
        self.call([inode], move |session| {
            session.notify_store(inode, offset, &data)
        })
        .await
    }

    /// Returns what the kernel has cached of the contents of a file, from `offset` on, up to `size`
    /// bytes, whether it has been written to the file system yet or not.
    ///
    /// It ends before the first page that is not cached, at the end of the file, and after
    /// [`max_write`](crate::ConnInfo::max_write) bytes; nothing may be cached at all. No request to
    /// read is made for it.
    ///
    /// [`Errno::ENOENT`] if the kernel does not know the inode, [`Errno::EINVAL`] if it is no
    /// regular file, [`Errno::ENODEV`] if the session ends before the answer comes. See
    /// [Blocking](Self#blocking).
    ///
    /// ```no_run
    /// # async fn example(notifier: libfuse3::Notifier, inode: libfuse3::Inode) -> libfuse3::Result<()> {
    /// let beginning = notifier.retrieve(inode, 0, 4096).await?;
    /// println!("{} bytes are cached", beginning.len());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "fuse_lowlevel_notify_retrieve")]
    #[doc(alias = "retrieve_reply")]
    pub async fn retrieve(&self, inode: Inode, offset: u64, size: usize) -> Result<Bytes> {
        may_notify(&self.session)?;
        let (sender, receiver) = oneshot::channel();
        let session = Weak::clone(&self.session);
        self.threads.submit(move || match session.upgrade() {
            Some(session) => session.notify_retrieve(inode, offset, size, sender),
            // Whoever asked may have stopped waiting.
            None => drop(sender.send(Err(Errno::ENODEV))),
        });
        match patience::wait(&[inode], received(receiver)).await {
            Waited::Done(result) => result,
            Waited::GaveUpOwn | Waited::GaveUp => Err(Errno::ETIMEDOUT),
        }
    }

    /// Has the kernel write back and drop the cached data of a file from `offset` on, and waits until it has. The
    /// caller holds no lock that the handlers of these writes need.
    ///
    /// Succeeds without a kernel (`custom_io`), and if the kernel cannot be notified.
    pub(crate) async fn write_back(&self, inode: Inode, offset: u64) -> Result<()> {
        let is_custom_io = |session: Arc<RawSession>| session.is_custom_io();
        let Some(offset) = i64::try_from(offset).ok() else {
            return Ok(());
        };
        if self.session.upgrade().is_some_and(is_custom_io) {
            return Ok(());
        }
        let call = move |session: &RawSession| session.notify_inval_inode(inode, offset, 0);
        match self.submit(call).await {
            // Nothing is cached; no such notification; a session of C's that it has not told of.
            Err(Errno::ENOENT | Errno::ENOSYS | Errno::ENOTCONN) => Ok(()),
            result => result,
        }
    }

    /// Makes a call about these inodes that may block; waits for it as far as that is safe here.
    fn call(
        &self,
        inodes: impl AsRef<[Inode]> + Send + 'static,
        call: impl FnOnce(&RawSession) -> Result<()> + Send + 'static,
    ) -> impl Future<Output = Result<()>> + Send + 'static {
        let made = self.submit(call);
        async move {
            match patience::wait(inodes.as_ref(), made).await {
                Waited::Done(result) => result,
                Waited::GaveUpOwn => Ok(()),
                Waited::GaveUp => Err(Errno::ETIMEDOUT),
            }
        }
    }

    /// Makes a call that may block, once this is polled, and waits for it.
    fn submit(
        &self,
        call: impl FnOnce(&RawSession) -> Result<()> + Send + 'static,
    ) -> impl Future<Output = Result<()>> + Send + 'static {
        let session = Weak::clone(&self.session);
        let threads = Arc::clone(&self.threads);
        async move {
            may_notify(&session)?;
            let (sender, receiver) = oneshot::channel();
            threads.submit(move || {
                let session = session.upgrade().ok_or(Errno::ENODEV);
                let result = session.and_then(|session| call(&session));
                // Whoever asked may have stopped waiting.
                let _ = sender.send(result);
            });
            received(receiver).await
        }
    }
}

/// Asks before there is a thread for it: a program that is about to go into the background must not have
/// one.
fn may_notify(session: &Weak<RawSession>) -> Result<()> {
    session.upgrade().ok_or(Errno::ENODEV)?.may_notify()
}

/// What a thread has sent; `EAGAIN` if there was none.
async fn received<T>(receiver: oneshot::Receiver<Result<T>>) -> Result<T> {
    receiver.await.unwrap_or(Err(Errno::EAGAIN))
}

/// A range in libfuse's terms, where a length of 0 means up to the end; `None` for an empty one.
fn offset_and_len(range: impl RangeBounds<u64>) -> Option<(i64, i64)> {
    let start = match range.start_bound() {
        Bound::Included(start) => *start,
        Bound::Excluded(before) => before.checked_add(1)?,
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(last) => last.checked_add(1),
        Bound::Excluded(end) => Some(*end),
        Bound::Unbounded => None,
    };
    // No file reaches farther than an i64 does.
    let offset = i64::try_from(start).ok()?;
    let Some(end) = end.and_then(|end| i64::try_from(end).ok()) else {
        return Some((offset, 0));
    };
    (end > offset).then(|| (offset, end - offset))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_offset_and_length() {
        assert_eq!(offset_and_len(..), Some((0, 0)));
        assert_eq!(offset_and_len(5..), Some((5, 0)));
        assert_eq!(offset_and_len(5..8), Some((5, 3)));
        assert_eq!(offset_and_len(5..=8), Some((5, 4)));
        assert_eq!(offset_and_len(..=u64::MAX), Some((0, 0)));
        assert_eq!(offset_and_len(0..u64::MAX), Some((0, 0)));
        assert_eq!(
            offset_and_len((Bound::Excluded(4), Bound::Unbounded)),
            Some((5, 0))
        );
        assert_eq!(offset_and_len(5..5), None);
        assert_eq!(offset_and_len(0..0), None);
        assert_eq!(offset_and_len(u64::MAX..), None);
    }
}
