//! Messages to the kernel. Each call may block; none may be made by a thread that answers requests.

use std::ffi::CStr;

use libfuse_sys as sys;

use super::ret;
use super::session::RawSession;
use super::session::Use;
use crate::Errno;
use crate::Inode;
use crate::Result;

impl RawSession {
    /// Before INIT libfuse takes the protocol for too old to have notifications.
    fn begin_notify(&self) -> Result<Use<'_>> {
        self.init_result().ok_or(Errno::ENOTCONN)??;
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
