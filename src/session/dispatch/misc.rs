//! Operations that belong nowhere else.

use std::pin::pin;

use super::Hold;
use super::by_default;
use crate::FileRef;
use crate::Inode;
use crate::Ioctl;
use crate::Operations;
use crate::PollEvents;
use crate::PollHandle;
use crate::StatvfsData;
use crate::message::OwnedIoctl;
use crate::reply::Block;
use crate::reply::IoctlAnswer;
use crate::request::Request;

impl<O: Operations> Hold<O> {
    pub(super) async fn statfs(self, request: Request, inode: Inode) {
        let result = {
            let handler = pin!(self.operations.statfs(inode, request.context()));
            self.unless_interrupted(&request, handler).await
        };
        let _ = request.answer(by_default(result, StatvfsData::default));
    }

    #[cfg(libfuse_has = "syncfs")]
    pub(super) async fn syncfs(self, request: Request, inode: Inode) {
        let result = self.operations.syncfs(inode, request.context()).await;
        let _ = request.answer(result);
    }

    pub(super) async fn ioctl(self, request: Request, ioctl: Box<OwnedIoctl>) {
        let arguments = Ioctl {
            file: ioctl.file,
            cmd: ioctl.cmd,
            arg: ioctl.arg,
            flags: ioctl.flags,
            input: &ioctl.input,
            output_size: ioctl.output_size,
        };
        let result = self.operations.ioctl(arguments, request.context()).await;
        let _ = request.answer(result.map(|reply| IoctlAnswer {
            reply,
            flags: ioctl.flags,
            output_size: ioctl.output_size,
        }));
    }

    pub(super) async fn poll(
        self,
        request: Request,
        file: FileRef,
        events: PollEvents,
        handle: Option<PollHandle>,
    ) {
        let result = self
            .operations
            .poll(file, events, handle, request.context())
            .await;
        let _ = request.answer(result);
    }

    pub(super) async fn bmap(self, request: Request, inode: Inode, blocksize: u32, index: u64) {
        let result = self
            .operations
            .bmap(inode, blocksize, index, request.context())
            .await;
        let _ = request.answer(result.map(Block));
    }
}
