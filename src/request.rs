//! A request between callback and answer.

use std::fmt;

use crate::Errno;
use crate::Inode;
use crate::RequestContext;
use crate::Result;
use crate::logging;
use crate::message::Kind;
use crate::message::Operation;
use crate::raw::RawRequest;
use crate::raw::request_line;
use crate::reply::Reply;

/// What is known of a request without its arguments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestInfo {
    pub(crate) kind: &'static Kind,
    /// See [`Operation::inodes`](crate::message::Operation::inodes).
    pub(crate) inodes: [Inode; 2],
    pub(crate) uid: u32,
    pub(crate) pid: u32,
}

/// A request that waits for its answer. Dropped without one, it answers `EIO`, or `EINTR` if it was
/// interrupted.
pub(crate) struct Request(RawRequest);

impl Request {
    #[inline]
    pub(crate) fn new(raw: RawRequest) -> Self {
        Self(raw)
    }

    #[inline]
    pub(crate) fn info(&self) -> RequestInfo {
        *self.0.info()
    }

    /// What is asked for; `None` once it was taken.
    #[inline]
    pub(crate) fn operation(&self) -> Option<&Operation> {
        self.0.operation()
    }

    /// How many bytes it writes, if its handler has not taken them.
    pub(crate) fn payload_len(&self) -> usize {
        match self.operation() {
            Some(Operation::Write { data, .. }) => data.len(),
            _ => 0,
        }
    }

    #[inline]
    pub(crate) fn take_operation(&mut self) -> Option<Operation> {
        self.0.take_operation()
    }

    #[inline]
    pub(crate) fn context(&self) -> &RequestContext {
        self.0.context()
    }

    /// Sends the handler's answer. An error means that the kernel does not know of it: whatever the
    /// answer has given to the kernel must be taken back.
    #[inline]
    pub(crate) fn answer<R: Reply>(self, mut result: Result<R>) -> Result<()> {
        self.answer_by(&mut result, R::send)
    }

    /// As [`answer`](Self::answer), for what can be sent in more than one way. It stays where the handler
    /// has left it.
    #[inline]
    pub(crate) fn answer_by<R: fmt::Debug>(
        self,
        result: &mut Result<R>,
        send: impl FnOnce(&mut R, RawRequest, &RequestInfo) -> Result<()>,
    ) -> Result<()> {
        let info = self.info();
        if self.is_traced() {
            self.trace("->", result);
        }
        let sent = match result {
            Ok(reply) => send(reply, self.0, &info),
            Err(errno) => self.0.reply_err(info.wire_errno(*errno)),
        };
        if let Err(errno) = sent {
            info.warn_of_refusal(errno);
        }
        sent
    }

    /// Whether somebody wants to see each request and its answer.
    #[inline]
    pub(crate) fn is_traced(&self) -> bool {
        logging::is_enabled(module_path!(), log::Level::Trace) || self.0.session().is_debugging()
    }

    /// Shows what is asked for.
    #[cold]
    pub(crate) fn trace_operation(&self) {
        if let Some(operation) = self.operation() {
            self.trace("<-", operation);
        }
    }

    #[cold]
    fn trace(&self, direction: &str, what: &dyn fmt::Debug) {
        let (info, is_debugging) = (self.info(), self.0.session().is_debugging());
        request_line(is_debugging, format_args!("{direction} {info}: {what:?}"));
    }

    /// Gives up what answers the request, for answers that are made on another thread.
    pub(crate) fn into_raw(self) -> RawRequest {
        self.0
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

    #[cold]
    fn warn_of_refusal(&self, errno: Errno) {
        // The caller was interrupted, or everybody is gone.
        if ![Errno::ENOENT, Errno::ENODEV].contains(&errno) {
            logging::warn!("{self}: the kernel refuses the answer: {errno}");
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
        fmt::Display::fmt(self.0.info(), f)
    }
}
