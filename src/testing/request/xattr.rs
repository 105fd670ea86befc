//! Requests on extended attributes.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use super::super::encode::Body;
use super::Request;
use super::at_most;
use super::count;
use super::done;
use crate::Errno;
use crate::Inode;
use crate::XattrFlags;
use crate::wire::Opcode;

impl Request<Vec<u8>> {
    /// The value of an extended attribute, of at most `size` bytes.
    pub fn getxattr(inode: Inode, name: impl AsRef<OsStr>, size: u32) -> Self {
        let body = Body::new().u32(size).u32(0).name(name.as_ref());
        Self::new(Opcode::Getxattr, inode, body, at_most(size))
    }
}

impl Request<Vec<OsString>> {
    /// See [`MockKernel::listxattr`](crate::testing::MockKernel::listxattr); of at most `size` bytes, NULs
    /// included.
    pub fn listxattr(inode: Inode, size: u32) -> Self {
        let body = Body::new().u32(size).u32(0);
        Self::new(Opcode::Listxattr, inode, body, move |body, counts| {
            let list = at_most(size)(body, counts)?;
            let names = list.split_inclusive(|byte| *byte == 0);
            names
                .map(|name| match name {
                    [name @ .., 0] => Ok(OsString::from_vec(name.to_vec())),
                    _ => Err(Errno::EIO),
                })
                .collect()
        })
    }
}

impl Request<usize> {
    /// The length of an extended attribute's value.
    pub fn getxattr_size(inode: Inode, name: impl AsRef<OsStr>) -> Self {
        let body = Body::new().u64(0).name(name.as_ref());
        Self::new(Opcode::Getxattr, inode, body, count(usize::MAX))
    }
}

impl Request<()> {
    /// See [`MockKernel::setxattr`](crate::testing::MockKernel::setxattr).
    pub fn setxattr(
        inode: Inode,
        name: impl AsRef<OsStr>,
        value: &[u8],
        flags: XattrFlags,
    ) -> Self {
        let size = u32::try_from(value.len()).unwrap_or(u32::MAX);
        let body = Body::new().u32(size).i32(flags.bits());
        let body = body.name(name.as_ref()).bytes(value);
        Self::new(Opcode::Setxattr, inode, body, done)
    }

    /// See [`MockKernel::removexattr`](crate::testing::MockKernel::removexattr).
    pub fn removexattr(inode: Inode, name: impl AsRef<OsStr>) -> Self {
        let body = Body::new().name(name.as_ref());
        Self::new(Opcode::Removexattr, inode, body, done)
    }
}
