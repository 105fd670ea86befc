//! What can be asked of a file system, and how its answers are read.

mod dir;
mod file;
mod inode;
mod lock;
mod tree;
mod xattr;

use std::fmt;

use super::counts::Counts;
use super::decode;
use super::encode::Body;
use super::types::Caller;
use super::types::OpenFile;
use crate::Errno;
use crate::Inode;
use crate::OpenFlags;
use crate::Result;
use crate::wire::Opcode;

/// What reads the answer; references of the kernel are counted there.
pub(super) type Decode<T> = Box<dyn FnOnce(&mut decode::Body<'_>, &Counts) -> Result<T> + Send>;

/// A request to be, whose answer is a `T`: for [`MockKernel::start`](crate::testing::MockKernel::start) and
/// [`MockKernel::call`](crate::testing::MockKernel::call).
///
/// The methods of [`MockKernel`](crate::testing::MockKernel) of the same names send it and wait for the answer.
/// What they say of arguments and answers holds here.
#[must_use = "nothing is sent before `MockKernel::start` or `MockKernel::call`"]
pub struct Request<T> {
    pub(super) opcode: u32,
    pub(super) node: Inode,
    pub(super) body: Vec<u8>,
    /// Where the caller's umask belongs in the body.
    pub(super) umask_at: Option<usize>,
    pub(super) caller: Option<Caller>,
    pub(super) decode: Decode<T>,
}

impl<T> fmt::Debug for Request<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Request");
        match Opcode::from_number(self.opcode) {
            Some(opcode) => debug.field("opcode", &opcode),
            None => debug.field("opcode", &self.opcode),
        };
        debug.field("node", &self.node).finish_non_exhaustive()
    }
}

impl<T> Request<T> {
    fn new(
        opcode: Opcode,
        node: Inode,
        body: Body,
        decode: impl FnOnce(&mut decode::Body<'_>, &Counts) -> Result<T> + Send + 'static,
    ) -> Self {
        Self {
            opcode: opcode as u32,
            node,
            body: body.0,
            umask_at: None,
            caller: None,
            decode: Box::new(decode),
        }
    }

    /// On behalf of somebody else than the mock kernel's usual caller.
    pub fn by(self, caller: Caller) -> Self {
        let caller = Some(caller);
        Self { caller, ..self }
    }

    fn with_umask_at(self, offset: usize) -> Self {
        let umask_at = Some(offset);
        Self { umask_at, ..self }
    }
}

impl Request<Vec<u8>> {
    /// Any request at all: its number in `enum fuse_opcode`, and what follows its header. The answer is
    /// what follows the header of the answer.
    ///
    /// Entries in the answer are not counted: [`MockKernel::forget`](crate::testing::MockKernel::forget) is up to
    /// the test.
    pub fn raw(opcode: u32, node: Inode, body: &[u8]) -> Self {
        Self {
            opcode,
            ..Self::new(Opcode::Destroy, node, Body::new().bytes(body), all)
        }
    }
}

/// The whole answer.
fn all(body: &mut decode::Body<'_>, _: &Counts) -> Result<Vec<u8>> {
    Ok(body.0.to_vec())
}

/// The whole answer, which must not be longer.
fn at_most(size: u32) -> impl FnOnce(&mut decode::Body<'_>, &Counts) -> Result<Vec<u8>> {
    move |body, _| match body.0.len() {
        len if len <= size as usize => Ok(body.0.to_vec()),
        _ => Err(Errno::EIO),
    }
}

/// An answer that says yes and no more.
fn done(body: &mut decode::Body<'_>, _: &Counts) -> Result<()> {
    body.end()
}

impl Request<OpenFile> {
    fn opening(opcode: Opcode, inode: Inode, flags: OpenFlags) -> Self {
        let body = Body::new().i32(flags.bits()).u32(0);
        Self::new(opcode, inode, body, move |body, _| {
            let info = body.file_info()?;
            body.end()?;
            Ok(OpenFile::new(inode, flags, info))
        })
    }
}

/// A number of bytes, followed by padding.
fn count(limit: usize) -> impl FnOnce(&mut decode::Body<'_>, &Counts) -> Result<usize> {
    move |body, _| {
        let (count, _) = (body.u32()? as usize, body.u32()?);
        body.end()?;
        if count > limit {
            return Err(Errno::EIO);
        }
        Ok(count)
    }
}
