//! Operations on one inode.

use std::pin::pin;

use super::Hold;
use crate::AccessFlags;
use crate::FileRef;
use crate::Inode;
use crate::Operations;
use crate::SetattrFields;
use crate::message::ForgetList;
use crate::reply::send_attributes;
use crate::request::Request;

impl<O: Operations> Hold<O> {
    pub(super) async fn forget(self, list: ForgetList) {
        self.operations.forget(&list).await;
    }

    pub(super) async fn getattr(self, request: Request, inode: Inode, file: Option<FileRef>) {
        let mut result = {
            let handler = pin!(self.operations.getattr(inode, file, request.context()));
            self.unless_interrupted(&request, handler).await
        };
        let _ = request.answer_by(&mut result, send_attributes);
    }

    #[cfg(libfuse_since = "3.18")]
    pub(super) async fn statx(
        self,
        request: Request,
        inode: Inode,
        flags: crate::StatxFlags,
        mask: crate::StatxMask,
        file: Option<FileRef>,
    ) {
        let result = {
            let (fs, ctx) = (&self.operations, request.context());
            let handler = pin!(fs.statx(inode, flags, mask, file, ctx));
            self.unless_interrupted(&request, handler).await
        };
        let _ = request.answer(result);
    }

    pub(super) async fn setattr(
        self,
        request: Request,
        inode: Inode,
        fields: Box<SetattrFields>,
        file: Option<FileRef>,
    ) {
        let mut result = self
            .operations
            .setattr(inode, *fields, file, request.context())
            .await;
        let _ = request.answer_by(&mut result, send_attributes);
    }

    pub(super) async fn readlink(self, request: Request, inode: Inode) {
        let result = {
            let handler = pin!(self.operations.readlink(inode, request.context()));
            self.unless_interrupted(&request, handler).await
        };
        let _ = request.answer(result);
    }

    pub(super) async fn access(self, request: Request, inode: Inode, mode: AccessFlags) {
        let result = {
            let handler = pin!(self.operations.access(inode, mode, request.context()));
            self.unless_interrupted(&request, handler).await
        };
        let _ = request.answer(result);
    }
}
