//! A name in a directory, as notifications speak of it.

use std::ffi::CString;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::Errno;
use crate::Inode;
use crate::Result;
use crate::raw::RawSession;

pub(super) struct NamedEntry {
    pub(super) parent: Inode,
    pub(super) name: CString,
}

impl NamedEntry {
    /// `EINVAL` for what cannot be a name.
    pub(super) fn new(parent: Inode, name: &OsStr) -> Result<Self> {
        let bytes = name.as_bytes();
        if bytes.is_empty() || bytes.contains(&b'/') {
            return Err(Errno::EINVAL);
        }
        Ok(Self {
            parent,
            name: CString::new(bytes).map_err(|_| Errno::EINVAL)?,
        })
    }

    /// Invalidates it; with `deleted`, as the name of that inode, which is removed.
    pub(super) fn invalidate(&self, deleted: Option<Inode>, session: &RawSession) -> Result<()> {
        match deleted {
            Some(child) => session.notify_delete(self.parent, child, &self.name),
            None => session.notify_inval_entry(self.parent, &self.name),
        }
    }
}
