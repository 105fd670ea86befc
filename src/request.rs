//! A request between callback and answer.

use std::fmt;

use crate::Errno;
use crate::Inode;
use crate::RequestContext;
use crate::Result;
use crate::message::Kind;
use crate::message::Operation;
use crate::raw::RawRequest;
use crate::reply::Reply;

/// What is known of a request without its arguments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestInfo {
    pub(crate) kind: &'static Kind,
    /// See [`Operation::inodes`].
    pub(crate) inodes: [Inode; 2],
    pub(crate) uid: u32,
    pub(crate) pid: u32,
}

/// A request that waits for its answer. Dropped without one, it answers `EIO`, or `EINTR` if it was
/// interrupted.
pub(crate) struct Request {
    raw: RawRequest,
    info: RequestInfo,
}

impl Request {
    pub(crate) fn new(raw: RawRequest, operation: &Operation) -> Self {
        let info = RequestInfo {
            kind: operation.kind(),
            inodes: operation.inodes(),
            uid: raw.context.uid,
            pid: raw.context.pid,
        };
        Self { raw, info }
    }

    pub(crate) fn info(&self) -> RequestInfo {
        self.info
    }

    pub(crate) fn context(&self) -> &RequestContext {
        &self.raw.context
    }

    /// Sends the handler's answer. An error means that the kernel does not know of it: whatever the
    /// answer has given to the kernel must be taken back.
    pub(crate) fn answer<R: Reply>(self, result: Result<R>) -> Result<()> {
        let Self { raw, info } = self;
        log::trace!("{info}: {result:?}");
        let sent = match result {
            Ok(reply) => reply.send(raw, &info),
            Err(errno) => raw.reply_err(info.wire_errno(errno)),
        };
        if let Err(errno) = sent
            && ![Errno::ENOENT, Errno::ENODEV].contains(&errno)
        {
            log::warn!("{info}: the kernel refuses the answer: {errno}");
        }
        sent
    }

    /// Gives up what answers the request, for answers that are made on another thread.
    pub(crate) fn into_raw(self) -> RawRequest {
        self.raw
    }
}

impl RequestInfo {
    /// A `forget`, which has no caller.
    pub(crate) fn forget(inode: Inode) -> Self {
        let inodes = [inode, Inode(0)];
        Self {
            kind: &Kind::FORGET,
            inodes,
            uid: 0,
            pid: 0,
        }
    }

    /// One failing call must not switch an operation off for good.
    fn wire_errno(&self, errno: Errno) -> Errno {
        if errno == Errno::ENOSYS && self.kind.enosys_is_final {
            Errno::EOPNOTSUPP
        } else {
            errno
        }
    }
}

impl fmt::Display for RequestInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of inode {}", self.kind.name, self.inodes[0])?;
        if self.inodes[1] != Inode(0) {
            write!(f, " and {}", self.inodes[1])?;
        }
        write!(f, " by uid {} pid {}", self.uid, self.pid)
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.info, f)
    }
}
