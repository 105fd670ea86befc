//! Requests for locks.

use super::super::types::OpenFile;
use super::Request;
use super::done;
use crate::FileLock;
use crate::LockType;
use crate::wire::Opcode;

impl Request<Option<FileLock>> {
    /// See [`MockKernel::getlk`](crate::testing::MockKernel::getlk).
    pub fn getlk(file: &OpenFile, lock: FileLock) -> Self {
        let body = file.lock(lock, 0);
        Self::new(Opcode::Getlk, file.file.inode, body, |body, _| {
            let lock = body.lock()?;
            body.end()?;
            Ok(lock)
        })
    }
}

impl Request<()> {
    /// See [`MockKernel::setlk`](crate::testing::MockKernel::setlk).
    pub fn setlk(file: &OpenFile, lock: FileLock, sleep: bool) -> Self {
        let opcode = if sleep { Opcode::Setlkw } else { Opcode::Setlk };
        Self::new(opcode, file.file.inode, file.lock(lock, 0), done)
    }

    /// See [`MockKernel::flock`](crate::testing::MockKernel::flock).
    pub fn flock(file: &OpenFile, lock_type: LockType, sleep: bool) -> Self {
        const FUSE_LK_FLOCK: u32 = 1;
        let opcode = if sleep { Opcode::Setlkw } else { Opcode::Setlk };
        let lock = FileLock {
            lock_type,
            start: 0,
            len: 0,
            pid: 0,
        };
        let body = file.lock(lock, FUSE_LK_FLOCK);
        Self::new(opcode, file.file.inode, body, done)
    }
}
