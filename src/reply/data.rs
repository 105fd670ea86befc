//! Answers to `read`, `write` and other operations on ranges of files.

use super::Reply;
use super::refuse;
use crate::Data;
use crate::Errno;
use crate::Result;
use crate::raw::RawRequest;
use crate::request::RequestInfo;

/// Bytes in memory, no more of them than were asked for.
#[derive(Debug)]
pub(crate) struct Bounded {
    pub(crate) data: Data,
    pub(crate) size: usize,
}

impl Reply for Bounded {
    #[inline]
    fn send(&mut self, request: RawRequest, info: &RequestInfo) -> Result<()> {
        let (len, size) = (self.data.len(), self.size);
        if len > size {
            return refuse(
                request,
                info,
                format_args!("{len} bytes where {size} were asked for"),
            );
        }
        let Some(bytes) = self.data.as_slice() else {
            return request.reply_err(Errno::EIO); // Files are sent elsewhere.
        };
        request.reply_buf(bytes)
    }
}

/// Number of bytes written, no more than there were.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) count: usize,
    pub(crate) size: usize,
}

impl Reply for Written {
    #[inline]
    fn send(&mut self, request: RawRequest, info: &RequestInfo) -> Result<()> {
        if self.count > self.size {
            let Self { count, size } = self;
            return refuse(
                request,
                info,
                format_args!("{count} of {size} bytes written"),
            );
        }
        request.reply_write(self.count)
    }
}

/// Where data or a hole was found, not before where it was looked for.
#[derive(Debug)]
pub(crate) struct Sought {
    pub(crate) found: u64,
    pub(crate) offset: u64,
}

impl Reply for Sought {
    #[inline]
    fn send(&mut self, request: RawRequest, info: &RequestInfo) -> Result<()> {
        let Self { found, offset } = *self;
        match i64::try_from(found) {
            Ok(end) if found >= offset => request.reply_lseek(end),
            _ => refuse(
                request,
                info,
                format_args!("found at {found}, looked for from {offset} on"),
            ),
        }
    }
}
