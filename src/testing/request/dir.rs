//! Requests on open directories.

use super::super::types::DirEntry;
use super::super::types::OpenFile;
use super::Request;
use super::done;
use crate::Errno;
use crate::Inode;
use crate::OpenFlags;
use crate::ReleaseFlags;
use crate::wire::Opcode;

impl Request<OpenFile> {
    /// See [`MockKernel::opendir`](crate::testing::MockKernel::opendir).
    pub fn opendir(inode: Inode) -> Self {
        Self::opening(Opcode::Opendir, inode, OpenFlags::DIRECTORY)
    }
}

impl Request<Vec<DirEntry>> {
    /// See [`MockKernel::readdir`](crate::testing::MockKernel::readdir).
    pub fn readdir(dir: &OpenFile, start_id: u64, size: u32) -> Self {
        Self::listing(Opcode::Readdir, dir, start_id, size)
    }

    /// See [`MockKernel::readdirplus`](crate::testing::MockKernel::readdirplus).
    pub fn readdirplus(dir: &OpenFile, start_id: u64, size: u32) -> Self {
        Self::listing(Opcode::Readdirplus, dir, start_id, size)
    }

    fn listing(opcode: Opcode, dir: &OpenFile, start_id: u64, size: u32) -> Self {
        let body = dir.range(start_id, size);
        Self::new(opcode, dir.file.inode, body, move |body, counts| {
            if body.0.len() > size as usize {
                return Err(Errno::EIO);
            }
            let entries = body.entries(opcode == Opcode::Readdirplus)?;
            for entry in &entries {
                if let Some(attr) = &entry.attr
                    && entry.name != "."
                    && entry.name != ".."
                {
                    counts.add(attr);
                }
            }
            Ok(entries)
        })
    }
}

impl Request<()> {
    /// See [`MockKernel::releasedir`](crate::testing::MockKernel::releasedir).
    pub fn releasedir(dir: OpenFile) -> Self {
        let body = dir.closing(ReleaseFlags::empty());
        Self::new(Opcode::Releasedir, dir.file.inode, body, done)
    }

    /// See [`MockKernel::fsyncdir`](crate::testing::MockKernel::fsyncdir).
    pub fn fsyncdir(dir: &OpenFile, datasync: bool) -> Self {
        let body = dir.handle().u32(u32::from(datasync)).u32(0);
        Self::new(Opcode::Fsyncdir, dir.file.inode, body, done)
    }
}
