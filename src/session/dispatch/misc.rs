//! Operations on the whole file system.

use std::pin::pin;
use std::sync::Arc;

use super::Shared;
use super::by_default;
use crate::Inode;
use crate::Operations;
use crate::StatvfsData;
use crate::request::Request;

impl<O: Operations> Shared<O> {
    pub(super) async fn statfs(self: Arc<Self>, request: Request, inode: Inode) {
        let result = {
            let handler = pin!(self.operations.statfs(inode, request.context()));
            self.unless_interrupted(&request, handler).await
        };
        let _ = request.answer(by_default(result, StatvfsData::default));
    }
}
