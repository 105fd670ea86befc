//! Requests about one inode.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use super::super::counts::Counts;
use super::super::decode;
use super::super::encode::Body;
use super::super::types::OpenFile;
use super::Request;
use super::done;
use crate::AccessFlags;
use crate::EntryAttributes;
use crate::Inode;
use crate::Result;
use crate::SetattrFields;
use crate::StatvfsData;
use crate::wire::Opcode;

impl Request<EntryAttributes> {
    /// See [`MockKernel::getattr`](crate::testing::MockKernel::getattr); with an open file as the kernel asks
    /// about one.
    pub fn getattr(inode: Inode, file: Option<&OpenFile>) -> Self {
        // FUSE_GETATTR_FH
        let flags = u32::from(file.is_some());
        let fh = file.map_or(0, |file| file.file.fh.raw());
        let body = Body::new().u32(flags).u32(0).u64(fh);
        Self::new(Opcode::Getattr, inode, body, attributes(inode))
    }

    /// See [`MockKernel::setattr`](crate::testing::MockKernel::setattr).
    pub fn setattr(inode: Inode, fields: &SetattrFields, file: Option<&OpenFile>) -> Self {
        let fh = file.map(|file| file.file.fh.raw());
        let owner = file.map_or(0, |file| file.file.lock_owner.raw());
        let body = Body::new().setattr(fields, fh, owner);
        Self::new(Opcode::Setattr, inode, body, attributes(inode))
    }
}

impl Request<OsString> {
    /// See [`MockKernel::readlink`](crate::testing::MockKernel::readlink).
    pub fn readlink(inode: Inode) -> Self {
        Self::new(Opcode::Readlink, inode, Body::new(), |body, _| {
            Ok(OsString::from_vec(body.0.to_vec()))
        })
    }
}

impl Request<StatvfsData> {
    /// See [`MockKernel::statfs`](crate::testing::MockKernel::statfs).
    pub fn statfs(inode: Inode) -> Self {
        Self::new(Opcode::Statfs, inode, Body::new(), |body, _| {
            let statfs = body.statfs()?;
            body.end()?;
            Ok(statfs)
        })
    }
}

impl Request<()> {
    /// See [`MockKernel::access`](crate::testing::MockKernel::access).
    pub fn access(inode: Inode, mode: AccessFlags) -> Self {
        let body = Body::new().i32(mode.bits()).u32(0);
        Self::new(Opcode::Access, inode, body, done)
    }
}

fn attributes(
    inode: Inode,
) -> impl FnOnce(&mut decode::Body<'_>, &Counts) -> Result<EntryAttributes> {
    move |body, _| {
        let attr = body.attributes(inode)?;
        body.end()?;
        Ok(attr)
    }
}
