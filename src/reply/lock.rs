//! The answer to `getlk`.

use super::Reply;
use super::refuse;
use crate::FileLock;
use crate::LockType;
use crate::Result;
use crate::raw::RawRequest;
use crate::request::RequestInfo;

/// A lock of somebody else's, if there is one.
#[derive(Debug)]
pub(crate) struct LockInTheWay(pub(crate) Option<FileLock>);

impl Reply for LockInTheWay {
    #[inline]
    fn send(&mut self, request: RawRequest, info: &RequestInfo) -> Result<()> {
        let nothing = FileLock {
            lock_type: LockType::Unlock,
            start: 0,
            len: 0,
            pid: 0,
        };
        let lock = self.0.unwrap_or(nothing);
        // The kernel would answer EIO, too, but nobody would know why.
        let end = lock.start.checked_add(lock.len.saturating_sub(1));
        if end.is_none_or(|end| end > i64::MAX.cast_unsigned()) {
            let FileLock { start, len, .. } = lock;
            return refuse(
                request,
                info,
                format_args!("a lock of {len} bytes from {start} on"),
            );
        }
        request.reply_lock(&lock)
    }
}
