//! Requests on names.

use std::ffi::OsStr;

use super::super::counts::Counts;
use super::super::decode;
use super::super::decode::ENTRY_LEN;
use super::super::encode::Body;
use super::super::types::OpenFile;
use super::Request;
use super::done;
use crate::EntryAttributes;
use crate::Inode;
use crate::OpenFlags;
use crate::RenameFlags;
use crate::Result;
use crate::wire::Opcode;

impl Request<EntryAttributes> {
    /// See [`MockKernel::lookup`](crate::testing::MockKernel::lookup).
    pub fn lookup(parent: Inode, name: impl AsRef<OsStr>) -> Self {
        let body = Body::new().name(name.as_ref());
        Self::new(Opcode::Lookup, parent, body, |body, counts| {
            let entry = body.entry()?;
            body.end()?;
            counts.add(&entry);
            Ok(entry)
        })
    }

    /// See [`MockKernel::mknod`](crate::testing::MockKernel::mknod).
    pub fn mknod(parent: Inode, name: impl AsRef<OsStr>, mode: u32, rdev: u32) -> Self {
        let body = Body::new().u32(mode).u32(rdev).u64(0).name(name.as_ref());
        Self::new(Opcode::Mknod, parent, body, entry).with_umask_at(8)
    }

    /// See [`MockKernel::mkdir`](crate::testing::MockKernel::mkdir).
    pub fn mkdir(parent: Inode, name: impl AsRef<OsStr>, mode: u32) -> Self {
        let body = Body::new().u32(mode).u32(0).name(name.as_ref());
        Self::new(Opcode::Mkdir, parent, body, entry).with_umask_at(4)
    }

    /// See [`MockKernel::symlink`](crate::testing::MockKernel::symlink).
    pub fn symlink(parent: Inode, name: impl AsRef<OsStr>, target: impl AsRef<OsStr>) -> Self {
        let body = Body::new().name(name.as_ref()).name(target.as_ref());
        Self::new(Opcode::Symlink, parent, body, entry)
    }

    /// See [`MockKernel::link`](crate::testing::MockKernel::link).
    pub fn link(inode: Inode, new_parent: Inode, new_name: impl AsRef<OsStr>) -> Self {
        let body = Body::new().u64(inode.raw()).name(new_name.as_ref());
        Self::new(Opcode::Link, new_parent, body, entry)
    }
}

impl Request<(OpenFile, EntryAttributes)> {
    /// See [`MockKernel::create`](crate::testing::MockKernel::create).
    pub fn create(parent: Inode, name: impl AsRef<OsStr>, mode: u32, flags: OpenFlags) -> Self {
        Self::creation(Opcode::Create, parent, name.as_ref(), mode, flags)
    }

    /// See [`MockKernel::tmpfile`](crate::testing::MockKernel::tmpfile).
    pub fn tmpfile(parent: Inode, mode: u32, flags: OpenFlags) -> Self {
        Self::creation(Opcode::Tmpfile, parent, OsStr::new("/"), mode, flags)
    }

    fn creation(opcode: Opcode, parent: Inode, name: &OsStr, mode: u32, flags: OpenFlags) -> Self {
        let mode = mode | libc::S_IFREG;
        let body = Body::new().i32(flags.bits()).u32(mode).u64(0).name(name);
        let decode = move |body: &mut decode::Body<'_>, counts: &Counts| {
            let mut part = decode::Body(body.bytes(ENTRY_LEN)?);
            let entry = part.new_entry()?;
            let info = body.file_info()?;
            body.end()?;
            counts.add(&entry);
            Ok((OpenFile::new(entry.ino, flags, info), entry))
        };
        Self::new(opcode, parent, body, decode).with_umask_at(8)
    }
}

impl Request<()> {
    /// See [`MockKernel::unlink`](crate::testing::MockKernel::unlink).
    pub fn unlink(parent: Inode, name: impl AsRef<OsStr>) -> Self {
        let body = Body::new().name(name.as_ref());
        Self::new(Opcode::Unlink, parent, body, done)
    }

    /// See [`MockKernel::rmdir`](crate::testing::MockKernel::rmdir).
    pub fn rmdir(parent: Inode, name: impl AsRef<OsStr>) -> Self {
        let body = Body::new().name(name.as_ref());
        Self::new(Opcode::Rmdir, parent, body, done)
    }

    /// See [`MockKernel::rename`](crate::testing::MockKernel::rename).
    pub fn rename(
        from: (Inode, impl AsRef<OsStr>),
        to: (Inode, impl AsRef<OsStr>),
        flags: RenameFlags,
    ) -> Self {
        let body = Body::new().u64(to.0.raw());
        let (opcode, body) = match flags.is_empty() {
            true => (Opcode::Rename, body),
            false => (Opcode::Rename2, body.u32(flags.bits()).u32(0)),
        };
        let body = body.name(from.1.as_ref()).name(to.1.as_ref());
        Self::new(opcode, from.0, body, done)
    }
}

/// An entry that has come to be.
fn entry(body: &mut decode::Body<'_>, counts: &Counts) -> Result<EntryAttributes> {
    let entry = body.new_entry()?;
    body.end()?;
    counts.add(&entry);
    Ok(entry)
}
