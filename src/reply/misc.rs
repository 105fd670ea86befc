//! Answers to `ioctl`, `poll` and `bmap`.

use super::Reply;
use super::refuse;
use crate::IoctlFlags;
use crate::IoctlReply;
use crate::PollEvents;
use crate::Result;
use crate::raw::RawRequest;
use crate::request::RequestInfo;

/// Most pieces of memory that `ioctl` may ask for (`FUSE_IOCTL_MAX_IOV`).
const MAX_RANGES: usize = 256;

/// What `ioctl` returns, no longer than there is room for.
#[derive(Debug)]
pub(crate) struct IoctlAnswer {
    pub(crate) reply: IoctlReply,
    pub(crate) flags: IoctlFlags,
    pub(crate) output_size: usize,
}

impl Reply for IoctlAnswer {
    fn send(&mut self, request: RawRequest, info: &RequestInfo) -> Result<()> {
        let room = self.output_size;
        match &self.reply {
            IoctlReply::Done { result, .. } if *result < 0 => refuse(
                request,
                info,
                format_args!("the handler returned {result}, which is less than 0"),
            ),
            IoctlReply::Done { output, .. } if output.len() > room => {
                let len = output.len();
                refuse(
                    request,
                    info,
                    format_args!("{len} bytes where there is room for {room}"),
                )
            }
            IoctlReply::Done { result, output } => request.reply_ioctl(*result, output),
            IoctlReply::Retry { .. } if !self.flags.contains(IoctlFlags::UNRESTRICTED) => {
                refuse(request, info, "the kernel does not let it ask for memory")
            }
            IoctlReply::Retry { input, output } => {
                let count = input.len() + output.len();
                if count > MAX_RANGES {
                    return refuse(
                        request,
                        info,
                        format_args!("{count} pieces of memory are too many"),
                    );
                }
                request.reply_ioctl_retry(input, output)
            }
        }
    }
}

impl Reply for PollEvents {
    fn send(&mut self, request: RawRequest, _info: &RequestInfo) -> Result<()> {
        request.reply_poll(*self)
    }
}

/// The number of a block on the device.
#[derive(Debug)]
pub(crate) struct Block(pub(crate) u64);

impl Reply for Block {
    fn send(&mut self, request: RawRequest, _info: &RequestInfo) -> Result<()> {
        request.reply_bmap(self.0)
    }
}
