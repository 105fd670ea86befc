//! Messages to the kernel. Each call may block; none may be made by a thread that answers requests.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use libfuse_sys as sys;

use super::ret;
use super::session::RawSession;
use crate::Inode;
use crate::Result;

impl RawSession {
    /// A negative `offset` is for attributes alone; `len` 0 is to the end.
    pub(crate) fn notify_inval_inode(&self, inode: Inode, offset: i64, len: i64) -> Result<()> {
        let _use = self.begin_use()?;
        // SAFETY: any thread may notify.
        ret(unsafe {
            sys::fuse_lowlevel_notify_inval_inode(self.as_ptr(), inode.raw(), offset, len)
        })
    }

    pub(crate) fn notify_inval_entry(&self, parent: Inode, name: &OsStr) -> Result<()> {
        let _use = self.begin_use()?;
        let name = name.as_bytes();
        // SAFETY: any thread may notify; the kernel reads the name before the call returns.
        ret(unsafe {
            sys::fuse_lowlevel_notify_inval_entry(
                self.as_ptr(),
                parent.raw(),
                name.as_ptr().cast(),
                name.len(),
            )
        })
    }

    pub(crate) fn notify_delete(&self, parent: Inode, child: Inode, name: &OsStr) -> Result<()> {
        let _use = self.begin_use()?;
        let name = name.as_bytes();
        // SAFETY: any thread may notify; the kernel reads the name before the call returns.
        ret(unsafe {
            sys::fuse_lowlevel_notify_delete(
                self.as_ptr(),
                parent.raw(),
                child.raw(),
                name.as_ptr().cast(),
                name.len(),
            )
        })
    }

    pub(crate) fn notify_store(&self, inode: Inode, offset: u64, data: &[u8]) -> Result<()> {
        let _use = self.begin_use()?;
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
