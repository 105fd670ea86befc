//! How a mock kernel is set up, and what it agrees upon with the file system.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::client::Client;
use super::decode;
use super::encode;
use super::kernel::MockKernel;
use super::request::Request;
use super::types::Caller;
use crate::Capabilities;
use crate::Error;
use crate::Inode;
use crate::Operations;
use crate::Result as ErrnoResult;
use crate::SessionBuilder;
use crate::raw;
use crate::wire::MAJOR;
use crate::wire::Opcode;

/// The minor version of the protocol that the mock kernel speaks: Linux 5.10's.
const MINOR: u32 = 32;
/// Most that one request writes or reads: what a kernel without `FUSE_MAX_PAGES` does.
const MAX_READAHEAD: u32 = 128 * 1024;
/// How long to wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// `FUSE_BIG_WRITES`, which libfuse wants to see.
const BIG_WRITES: u32 = 1 << 5;
/// Capabilities whose bit in INIT is another than libfuse's.
const MOVED: [(Capabilities, u32); 3] = [
    (Capabilities::POSIX_ACL, 20),
    (Capabilities::HANDLE_KILLPRIV, 19),
    (Capabilities::HANDLE_KILLPRIV_V2, 28),
];

/// What the kernel offers: all that Linux has, but for what concerns splicing, and what the protocol of
/// this version has not.
const OFFERED: Capabilities = Capabilities::empty()
    .union(Capabilities::ASYNC_READ)
    .union(Capabilities::POSIX_LOCKS)
    .union(Capabilities::ATOMIC_O_TRUNC)
    .union(Capabilities::EXPORT_SUPPORT)
    .union(Capabilities::DONT_MASK)
    .union(Capabilities::FLOCK_LOCKS)
    .union(Capabilities::IOCTL_DIR)
    .union(Capabilities::AUTO_INVAL_DATA)
    .union(Capabilities::READDIRPLUS)
    .union(Capabilities::READDIRPLUS_AUTO)
    .union(Capabilities::ASYNC_DIO)
    .union(Capabilities::WRITEBACK_CACHE)
    .union(Capabilities::NO_OPEN_SUPPORT)
    .union(Capabilities::PARALLEL_DIROPS)
    .union(Capabilities::POSIX_ACL)
    .union(Capabilities::HANDLE_KILLPRIV)
    .union(Capabilities::HANDLE_KILLPRIV_V2)
    .union(Capabilities::CACHE_SYMLINKS)
    .union(Capabilities::NO_OPENDIR_SUPPORT)
    .union(Capabilities::EXPLICIT_INVAL_DATA);

/// What the mock kernel and the file system have agreed upon in INIT.
#[derive(Clone, Copy, Debug)]
pub(super) struct Agreement {
    pub(super) capabilities: Capabilities,
    pub(super) max_write: u32,
}

/// A mock kernel in the making: from [`MockKernel::builder`].
#[derive(Debug)]
#[must_use = "nothing runs before `start`"]
pub struct MockKernelBuilder<O: Operations> {
    session: SessionBuilder<O>,
    capabilities: Capabilities,
    caller: Caller,
    timeout: Duration,
}

impl<O: Operations> MockKernelBuilder<O> {
    pub(super) fn new(session: SessionBuilder<O>) -> Self {
        let (uid, gid) = (raw::sys::geteuid(), raw::sys::getegid());
        Self {
            session,
            capabilities: OFFERED,
            caller: Caller {
                uid,
                gid,
                pid: std::process::id(),
                umask: 0o022,
            },
            timeout: TIMEOUT,
        }
    }

    /// What the kernel offers; by default, and at most, what Linux 5.10 does, but for what concerns
    /// splicing.
    pub fn capabilities(mut self, capabilities: Capabilities) -> Self {
        self.capabilities = capabilities & OFFERED;
        self
    }

    /// On whose behalf requests are made that do not say otherwise; by default this process, with a
    /// umask of 022.
    pub fn caller(mut self, caller: Caller) -> Self {
        self.caller = caller;
        self
    }

    /// How long [`Pending::wait`](super::Pending::wait), and so each method of the mock kernel, waits
    /// for an answer; ten seconds by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Runs the file system, on threads of its own, and sends INIT.
    ///
    /// # Errors
    ///
    /// As [`SessionBuilder::custom_io`] and [`Session::run`](crate::Session::run): the file system's
    /// `init` has failed, for example.
    pub fn start(self) -> Result<MockKernel<O>, Error> {
        let system = |error: io::Error| Error::system("cannot start the mock kernel", error);
        let (ours, theirs) = raw::sys::packet_socket_pair().map_err(system)?;
        let session = self.session.custom_io(theirs)?;
        let operations = Arc::clone(session.operations());
        let session = session.spawn()?;
        let client = Client::new(ours, self.caller, self.timeout).map_err(system)?;
        let client = Arc::new(client);
        let receiving = Arc::clone(&client);
        let thread = thread::Builder::new()
            .name("mock-kernel".to_owned())
            .spawn(move || receiving.receive_all())
            .map_err(system)?;
        let init = client.start(init(self.capabilities)).wait();
        // One that failed in the file system is answered well all the same.
        let init = init.and_then(|agreement| session.init_result().map(|()| agreement));
        let mut kernel = MockKernel::new_running(operations, session, client, thread);
        match init {
            Ok(agreement) => {
                kernel.agreement = agreement;
                Ok(kernel)
            }
            // What was wrong the session knows better.
            Err(errno) => Err(kernel.end().err().unwrap_or(Error::Init(errno))),
        }
    }
}

fn init(capabilities: Capabilities) -> Request<Agreement> {
    let flags = to_wire(capabilities) | BIG_WRITES;
    let body = encode::Body::new().u32(MAJOR).u32(MINOR);
    let body = body.u32(MAX_READAHEAD).u32(flags);
    Request {
        opcode: Opcode::Init as u32,
        node: Inode(0),
        body: body.0,
        umask_at: None,
        caller: None,
        decode: Box::new(|body, _| agreement(body)),
    }
}

/// `struct fuse_init_out`.
fn agreement(body: &mut decode::Body<'_>) -> ErrnoResult<Agreement> {
    let (_major, _minor, _max_readahead) = (body.u32()?, body.u32()?, body.u32()?);
    let flags = body.u32()?;
    let (_max_background, _congestion_threshold) = (body.u16()?, body.u16()?);
    let max_write = body.u32()?;
    Ok(Agreement {
        capabilities: from_wire(flags),
        max_write,
    })
}

fn to_wire(capabilities: Capabilities) -> u32 {
    let moved = MOVED.iter().map(|(capability, _)| *capability).collect();
    let same = capabilities - moved;
    let moved = MOVED
        .iter()
        .filter(|(capability, _)| capabilities.contains(*capability))
        .map(|(_, bit)| 1 << bit);
    moved.fold(same.bits() as u32, |flags, flag| flags | flag)
}

fn from_wire(flags: u32) -> Capabilities {
    let moved = MOVED
        .iter()
        .fold(BIG_WRITES, |all, (_, bit)| all | 1 << bit);
    let same = Capabilities::from_bits_retain(u64::from(flags & !moved));
    let known = same & OFFERED;
    MOVED
        .iter()
        .filter(|(_, bit)| flags & 1 << bit != 0)
        .fold(known, |all, (capability, _)| all | *capability)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_go_to_the_wire_and_back() {
        assert_eq!(from_wire(to_wire(OFFERED)), OFFERED);
        assert_eq!(to_wire(Capabilities::POSIX_ACL), 1 << 20);
        assert_eq!(to_wire(Capabilities::PARALLEL_DIROPS), 1 << 18);
    }
}
