//! Operations on open directories.

use std::pin::pin;

use super::Hold;
use super::by_default;
use super::file::nothing_special;
use crate::FileRef;
use crate::Inode;
use crate::LockOwner;
use crate::OpenFlags;
use crate::Operations;
use crate::ReaddirToken;
use crate::RequestContext;
use crate::request::Request;

impl<O: Operations> Hold<O> {
    pub(super) async fn opendir(self, request: Request, inode: Inode, flags: OpenFlags) {
        let result = self
            .operations
            .opendir(inode, flags, request.context())
            .await;
        let opened = result.ok();
        if request.answer(by_default(result, nothing_special)).is_err()
            && let Some(info) = opened
        {
            let dir = FileRef {
                inode,
                fh: info.fh,
                flags,
                lock_owner: LockOwner(0),
            };
            let nobody = RequestContext::detached(0, 0, 0);
            let _ = self.operations.releasedir(dir, &nobody).await;
        }
    }

    pub(super) async fn readdir(
        self,
        request: Request,
        dir: FileRef,
        start_id: u64,
        size: usize,
        plus: bool,
    ) {
        let mut token = ReaddirToken::new(size, plus);
        let result = {
            let (fs, ctx) = (&self.operations, request.context());
            let handler = pin!(fs.readdir(dir, start_id, &mut token, ctx));
            self.unless_interrupted(&request, handler).await
        };
        let listed = result.is_ok();
        let sent = request.answer(result.map(|()| &token)).is_ok() && listed;
        let counted = token.take_back(sent);
        if !counted.is_empty() {
            self.operations.forget(&counted).await;
        }
    }

    pub(super) async fn releasedir(self, request: Request, dir: FileRef) {
        let result = self.operations.releasedir(dir, request.context()).await;
        let _ = request.answer(by_default(result, || ()));
    }

    pub(super) async fn fsyncdir(self, request: Request, dir: FileRef, datasync: bool) {
        let result = self
            .operations
            .fsyncdir(dir, datasync, request.context())
            .await;
        let _ = request.answer(result);
    }
}
