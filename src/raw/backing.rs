//! Files that the kernel reads and writes in place of the file system: `fuse_passthrough_open` and
//! `fuse_passthrough_close`.
//!
//! Here are the two system calls that libfuse's functions make. Those keep the number of an error to
//! themselves, and closing takes a request, while a file is given back whenever it is dropped.

use std::num::NonZeroI32;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::Weak;

use super::interrupt::InterruptHook;
use super::session::RawSession;
use super::sys::check;
use crate::Capabilities;
use crate::Errno;
use crate::RequestContext;
use crate::Result;
use crate::logging;

/// `struct fuse_backing_map` (linux/fuse.h).
#[repr(C)]
struct BackingMap {
    fd: i32,
    flags: u32,
    padding: u64,
}

/// `FUSE_DEV_IOC_BACKING_OPEN` and `FUSE_DEV_IOC_BACKING_CLOSE`.
const BACKING_OPEN: libc::Ioctl = libc::_IOW::<BackingMap>(229, 1);
const BACKING_CLOSE: libc::Ioctl = libc::_IOW::<u32>(229, 2);

/// The number under which the kernel knows a [`BackingFile`]: for [`FileInfo`](crate::FileInfo).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BackingId(NonZeroI32);

impl BackingId {
    /// The plain number.
    #[must_use]
    pub fn raw(self) -> i32 {
        self.0.get()
    }

    /// None for 0.
    #[cfg(all(test, libfuse_since = "3.17"))]
    pub(super) fn numbered(number: i32) -> Option<Self> {
        NonZeroI32::new(number).map(Self)
    }
}

/// An open file that the kernel reads, writes and maps in place of the file system, which does not see
/// these requests: from [`RequestContext::passthrough_open`].
///
/// Answer `open` or `create` with its [`id`](Self::id) in
/// [`FileInfo::backing_id`](crate::FileInfo::backing_id), and keep it until the `release` of that
/// open file: the kernel looks the number up only when it has the answer. Dropping it gives the number
/// back, from any thread, and waits for nobody; files that are open with it go on.
///
/// All opens of an inode at a time must have the same number, or none: the kernel answers `EIO` to whoever
/// opens it otherwise. So keep one value for each inode that is open:
///
/// ```
/// use std::sync::{Arc, Mutex, Weak};
/// use libfuse3::{BackingFile, RequestContext, Result};
///
/// #[derive(Default)]
/// struct OpenInode(Mutex<Weak<BackingFile>>);
///
/// impl OpenInode {
///     /// For each open file to keep.
///     fn backing(&self, file: &std::fs::File, ctx: &RequestContext) -> Result<Arc<BackingFile>> {
///         let mut shared = self.0.lock().unwrap();
///         if let Some(backing) = shared.upgrade() {
///             return Ok(backing);
///         }
///         let backing = Arc::new(ctx.passthrough_open(file)?);
///         *shared = Arc::downgrade(&backing);
///         Ok(backing)
///     }
/// }
/// ```
///
/// It does not keep the session alive; when that ends, the kernel closes all of them.
#[derive(Debug)]
#[doc(alias = "fuse_passthrough_close")]
#[must_use = "dropping it closes it"]
pub struct BackingFile {
    id: BackingId,
    session: Weak<RawSession>,
}

impl BackingFile {
    /// The number that the answer to `open` or `create` takes.
    #[must_use]
    pub fn id(&self) -> BackingId {
        self.id
    }
}

impl RequestContext {
    /// Has the kernel read and write an open file by itself, in place of requests to this file system.
    ///
    /// Wants [`Capabilities::PASSTHROUGH`], asked for in [`init`](crate::Operations::init): libfuse 3.17,
    /// Linux 6.9, and a process with `CAP_SYS_ADMIN` in the initial user namespace, each time. The file
    /// should be a regular one; with which access it is open does not matter. The kernel opens it again for
    /// each open file of the mount, with the flags of that.
    ///
    /// # Errors
    ///
    /// | | |
    /// |---|---|
    /// | [`Errno::EOPNOTSUPP`] | `PASSTHROUGH` was not agreed upon, as libfuse or the kernel are too old or nobody has asked for it, or along with [`WRITEBACK_CACHE`](Capabilities::WRITEBACK_CACHE), which the kernel prefers; or the file cannot be read and written at all |
    /// | [`Errno::EISDIR`] | the file is a directory |
    /// | [`Errno::EPERM`] | this process lacks `CAP_SYS_ADMIN` |
    /// | [`Errno::ELOOP`] | the file is on a file system that is itself stacked on another, such as overlayfs: see [`ConnInfo::set_max_backing_stack_depth`](crate::ConnInfo::set_max_backing_stack_depth) |
    /// | [`Errno::ENODEV`] | the session has ended |
    /// | [`Errno::ENOTCONN`] | C has made the session, and [`LowlevelOps::set_session`](crate::LowlevelOps::set_session) was not called |
    ///
    /// Each of these leaves the way open to answer without a number, and be asked for each read and write.
    #[doc(alias = "fuse_passthrough_open")]
    pub fn passthrough_open(&self, file: impl AsFd) -> Result<BackingFile> {
        let session = self.interrupt.session().ok_or(Errno::EOPNOTSUPP)?;
        session.passthrough_open(file.as_fd())
    }
}

impl RawSession {
    fn passthrough_open(self: &Arc<Self>, file: BorrowedFd<'_>) -> Result<BackingFile> {
        let wanted = self.wanted();
        let agreed = wanted.contains(Capabilities::PASSTHROUGH)
            && !wanted.contains(Capabilities::WRITEBACK_CACHE);
        if !agreed {
            return Err(Errno::EOPNOTSUPP);
        }
        self.is_known()?;
        let _use = self.begin_use()?;
        let map = BackingMap {
            fd: file.as_raw_fd(),
            flags: 0,
            padding: 0,
        };
        // SAFETY: the session's descriptor is open, as `_use` holds; the kernel reads `map`.
        let id = check(unsafe { libc::ioctl(self.fd(), BACKING_OPEN, &map) } as isize)?;
        let id = i32::try_from(id).ok().and_then(NonZeroI32::new);
        Ok(BackingFile {
            // The kernel counts from 1.
            id: BackingId(id.ok_or(Errno::EIO)?),
            session: Arc::downgrade(self),
        })
    }
}

impl Drop for BackingFile {
    fn drop(&mut self) {
        let Some(session) = self.session.upgrade() else {
            return;
        };
        // Without it the session has ended, and the kernel has closed the file.
        let Ok(_use) = session.begin_use() else {
            return;
        };
        let id = self.id.raw().cast_unsigned();
        // SAFETY: the session's descriptor is open, as `_use` holds; the kernel reads `id`.
        let result = unsafe { libc::ioctl(session.fd(), BACKING_CLOSE, &id) };
        if let Err(error) = check(result as isize)
            && session.is_connected() != Some(false)
        {
            logging::warn!("backing file {id} stays open until the end of the mount: {error}");
        }
    }
}

impl InterruptHook {
    /// The session of the request; `None` without one.
    fn session(&self) -> Option<Arc<RawSession>> {
        let req = std::ptr::NonNull::new(self.as_ptr())?;
        // SAFETY: the request is unanswered, by the invariants of the hook.
        let session = unsafe { libfuse_sys::fuse_req_userdata(req.as_ptr()) };
        let session = session.cast::<RawSession>();
        // SAFETY: the userdata of each session is the pointer to its `RawSession` in an Arc, which lives
        // as long as its requests do.
        unsafe { Arc::increment_strong_count(session) };
        // SAFETY: the count has just been raised for this one.
        Some(unsafe { Arc::from_raw(session) })
    }
}
