//! Messages to the kernel. Each call may block; none may be made by a thread that answers requests.

use std::ffi::CStr;

use bytes::Bytes;
use futures::channel::oneshot;
use libfuse_sys as sys;

use super::ret;
use super::session::RawSession;
use super::session::Use;
use super::shim;
use crate::Capabilities;
use crate::Errno;
use crate::Inode;
use crate::Result;

impl RawSession {
    /// Before INIT libfuse takes the protocol for too old to have notifications.
    pub(crate) fn may_notify(&self) -> Result<()> {
        self.init_result().ok_or(Errno::ENOTCONN)??;
        self.is_known()
    }

    fn begin_notify(&self) -> Result<Use<'_>> {
        self.may_notify()?;
        self.begin_use()
    }

    /// A negative `offset` is for attributes alone; `len` 0 is to the end.
    pub(crate) fn notify_inval_inode(&self, inode: Inode, offset: i64, len: i64) -> Result<()> {
        let _use = self.begin_notify()?;
        // SAFETY: the session is valid and its descriptor open, as `_use` holds; libfuse makes one
        // writev(2) out of values.
        ret(unsafe {
            sys::fuse_lowlevel_notify_inval_inode(self.as_ptr(), inode.raw(), offset, len)
        })
    }

    pub(crate) fn notify_inval_entry(&self, parent: Inode, name: &CStr) -> Result<()> {
        let _use = self.begin_notify()?;
        // SAFETY: the session is valid and its descriptor open, as `_use` holds. libfuse sends the
        // name with its NUL before it returns, which is why it must be a C string.
        ret(unsafe {
            sys::fuse_lowlevel_notify_inval_entry(
                self.as_ptr(),
                parent.raw(),
                name.as_ptr(),
                name.count_bytes(),
            )
        })
    }

    pub(crate) fn notify_delete(&self, parent: Inode, child: Inode, name: &CStr) -> Result<()> {
        let _use = self.begin_notify()?;
        // SAFETY: the session is valid and its descriptor open, as `_use` holds. libfuse sends the
        // name with its NUL before it returns, which is why it must be a C string.
        ret(unsafe {
            sys::fuse_lowlevel_notify_delete(
                self.as_ptr(),
                parent.raw(),
                child.raw(),
                name.as_ptr(),
                name.count_bytes(),
            )
        })
    }

    /// `ENOSYS` where kernel or libfuse have no such thing.
    pub(crate) fn notify_expire_entry(&self, parent: Inode, name: &CStr) -> Result<()> {
        let _use = self.begin_notify()?;
        // libfuse before 3.16 does not look, and an older kernel would take it for an invalidation.
        if !self.capable().contains(Capabilities::EXPIRE_ONLY) {
            return Err(Errno::ENOSYS);
        }
        // SAFETY: the session is valid and its descriptor open, as `_use` holds. libfuse sends the
        // name with its NUL before it returns, which is why it must be a C string.
        ret(unsafe {
            shim::shim_notify_expire_entry(
                self.as_ptr(),
                parent.raw(),
                name.as_ptr(),
                name.count_bytes(),
            )
        })
    }

    /// `ENOSYS` where kernel or libfuse have no such thing.
    pub(crate) fn notify_increment_epoch(&self) -> Result<()> {
        let _use = self.begin_notify()?;
        // SAFETY: the session is valid and its descriptor open, as `_use` holds.
        ret(unsafe { shim::shim_notify_increment_epoch(self.as_ptr()) })
    }

    /// `ENOSYS` where kernel or libfuse have no such thing.
    pub(crate) fn notify_prune(&self, inodes: &[Inode]) -> Result<()> {
        let _use = self.begin_notify()?;
        let mut inodes: Vec<u64> = inodes.iter().map(|inode| inode.raw()).collect();
        let count = u32::try_from(inodes.len()).map_err(|_| Errno::EINVAL)?;
        // SAFETY: the session is valid and its descriptor open, as `_use` holds; libfuse sends the
        // `count` numbers before it returns.
        ret(unsafe { shim::shim_notify_prune(self.as_ptr(), inodes.as_mut_ptr(), count) })
    }

    /// Asks for cached data; `sender` gets them, or the error.
    pub(crate) fn notify_retrieve(
        &self,
        inode: Inode,
        offset: u64,
        size: usize,
        sender: oneshot::Sender<Result<Bytes>>,
    ) {
        // libfuse sends it as a u32. The kernel sends no more than `max_write` at a time anyway.
        let size = size.min(u32::MAX as usize);
        let Some(cookie) = self.retrievals.begin(sender) else {
            return;
        };
        let result = self.begin_notify().and_then(|_use| {
            // SAFETY: the session is valid and its descriptor open, as `_use` holds; the cookie is
            // a mere number.
            ret(unsafe {
                sys::fuse_lowlevel_notify_retrieve(
                    self.as_ptr(),
                    inode.raw(),
                    size,
                    i64::try_from(offset).unwrap_or(i64::MAX),
                    cookie.as_ptr(),
                )
            })
        });
        if let Err(errno) = result {
            self.retrievals.cancel(cookie, errno);
        }
    }

    pub(crate) fn notify_store(&self, inode: Inode, offset: u64, data: &[u8]) -> Result<()> {
        let _use = self.begin_notify()?;
        let mut bufvec = sys::fuse_bufvec {
            count: 1,
            ..sys::fuse_bufvec::default()
        };
        bufvec.buf[0].size = data.len();
        bufvec.buf[0].mem = data.as_ptr().cast_mut().cast();
        // SAFETY: any thread may notify; the kernel reads the data before the call returns, and
        // libfuse does not write to a source.
        ret(unsafe {
            sys::fuse_lowlevel_notify_store(
                self.as_ptr(),
                inode.raw(),
                i64::try_from(offset).unwrap_or(i64::MAX),
                &mut bufvec,
                0,
            )
        })
    }
}
