//! Locks on open files.

use std::pin::pin;

use super::Hold;
use crate::FileLock;
use crate::FileRef;
use crate::LockType;
use crate::Operations;
use crate::reply::LockInTheWay;
use crate::request::Request;

impl<O: Operations> Hold<O> {
    pub(super) async fn getlk(self, request: Request, file: FileRef, lock: FileLock) {
        let result = self.operations.getlk(file, lock, request.context()).await;
        let _ = request.answer(result.map(LockInTheWay));
    }

    pub(super) async fn setlk(self, request: Request, file: FileRef, lock: FileLock, sleep: bool) {
        let result = {
            let (fs, ctx) = (&self.operations, request.context());
            let handler = pin!(fs.setlk(file, lock, sleep, ctx));
            if sleep {
                self.unless_interrupted(&request, handler).await
            } else {
                handler.await
            }
        };
        let _ = request.answer(result);
    }

    pub(super) async fn flock(
        self,
        request: Request,
        file: FileRef,
        lock_type: LockType,
        sleep: bool,
    ) {
        let result = {
            let (fs, ctx) = (&self.operations, request.context());
            let handler = pin!(fs.flock(file, lock_type, sleep, ctx));
            if sleep {
                self.unless_interrupted(&request, handler).await
            } else {
                handler.await
            }
        };
        let _ = request.answer(result);
    }
}
