//! Operations on open files.

use std::os::fd::AsFd;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::sync::Arc;

use super::Hold;
use super::by_default;
use crate::CopyFileRange;
use crate::Data;
use crate::EntryAttributes;
use crate::Errno;
use crate::FallocateFlags;
use crate::FileInfo;
use crate::FileRef;
use crate::Inode;
use crate::LockOwner;
use crate::OpenFlags;
use crate::Operations;
use crate::ReleaseFlags;
use crate::RequestContext;
use crate::Result;
use crate::SeekTarget;
use crate::WriteBuf;
use crate::logging;
use crate::message::Name;
use crate::reply::Bounded;
use crate::reply::Sought;
use crate::reply::Written;
use crate::request::Request;
use crate::types::DataSource;

/// The answer of libfuse to `open` and `opendir` where the file system has none: all zero.
pub(super) fn nothing_special() -> FileInfo {
    FileInfo {
        keep_cache: false,
        ..FileInfo::default()
    }
}

impl<O: Operations> Hold<O> {
    pub(super) async fn open(self, request: Request, inode: Inode, flags: OpenFlags) {
        let result = self.operations.open(inode, flags, request.context()).await;
        let opened = result.ok();
        if request.answer(by_default(result, nothing_special)).is_err()
            && let Some(info) = opened
        {
            self.take_back_open(inode, info, flags).await;
        }
    }

    pub(super) async fn create(
        self,
        request: Request,
        parent: Inode,
        name: Name,
        mode: u32,
        flags: OpenFlags,
    ) {
        let (name, ctx) = (name.as_os_str(), request.context());
        let result = self.operations.create(parent, name, mode, flags, ctx).await;
        if let Some((info, inode)) = answer_created(request, result) {
            self.take_back_open(inode, info, flags).await;
            self.take_back_lookup(inode).await;
        }
    }

    pub(super) async fn tmpfile(
        self,
        request: Request,
        parent: Inode,
        mode: u32,
        flags: OpenFlags,
    ) {
        let ctx = request.context();
        let result = self.operations.tmpfile(parent, mode, flags, ctx).await;
        if let Some((info, inode)) = answer_created(request, result) {
            self.take_back_open(inode, info, flags).await;
            self.take_back_lookup(inode).await;
        }
    }

    pub(super) async fn read(self, request: Request, file: FileRef, offset: u64, size: usize) {
        let result = {
            let handler = pin!(self.operations.read(file, offset, size, request.context()));
            self.unless_interrupted(&request, handler).await
        };
        match result {
            Ok(Data(DataSource::File {
                fd,
                offset,
                len,
                at_hand,
            })) if len <= size => {
                // libfuse keeps a pipe for each thread that splices, until that thread ends: readers do so
                // before the session, and others may not.
                let splice = at_hand && self.stop.readers().are_current();
                let answer = move || answer_from_file(request, fd, offset, len, splice);
                match at_hand {
                    true => answer(),
                    // Reading the file may wait for a disk, so this is done by a thread that may wait.
                    false => smol::unblock(answer).await,
                }
            }
            result => {
                let _ = request.answer(result.map(|data| Bounded { data, size }));
            }
        }
    }

    pub(super) async fn write(self, request: Request, file: FileRef, offset: u64, data: WriteBuf) {
        let size = data.len();
        let result = self
            .operations
            .write(file, offset, data, request.context())
            .await;
        let _ = request.answer(result.map(|count| Written { count, size }));
    }

    pub(super) async fn flush(self, request: Request, file: FileRef) {
        let result = self.operations.flush(file, request.context()).await;
        let _ = request.answer(result);
    }

    pub(super) async fn release(self, request: Request, file: FileRef, flags: ReleaseFlags) {
        let result = self
            .operations
            .release(file, flags, request.context())
            .await;
        let _ = request.answer(by_default(result, || ()));
    }

    pub(super) async fn fsync(self, request: Request, file: FileRef, datasync: bool) {
        let result = self
            .operations
            .fsync(file, datasync, request.context())
            .await;
        let _ = request.answer(result);
    }

    pub(super) async fn fallocate(
        self,
        request: Request,
        file: FileRef,
        mode: FallocateFlags,
        offset: u64,
        len: u64,
    ) {
        let result = self
            .operations
            .fallocate(file, mode, offset, len, request.context())
            .await;
        let _ = request.answer(result);
    }

    pub(super) async fn lseek(self, request: Request, file: FileRef, offset: u64, whence: i32) {
        let result = match whence {
            libc::SEEK_DATA => Ok(SeekTarget::Data),
            libc::SEEK_HOLE => Ok(SeekTarget::Hole),
            _ => Err(Errno::EINVAL),
        };
        let result = match result {
            Ok(target) => self.write_back(file.inode, offset).await.map(|()| target),
            Err(errno) => Err(errno),
        };
        let result = match result {
            Ok(target) => {
                let handler = self
                    .operations
                    .lseek(file, offset, target, request.context());
                handler.await
            }
            Err(errno) => Err(errno),
        };
        let _ = request.answer(result.map(|found| Sought { found, offset }));
    }

    /// Has the kernel write back the cached data of a file from `offset` on. It does not do so before LSEEK:
    /// data that the file system does not have yet would be taken for a hole.
    async fn write_back(&self, inode: Inode, offset: u64) -> Result<()> {
        // The writes, and reads that hold the lock of a page to be written, must not queue up behind this request.
        let _room = self.in_flight.make_room();
        let result = self.notifier.write_back(inode, offset).await;
        result.inspect_err(|errno| {
            logging::warn!("cannot have inode {inode} written back, so that lseek fails: {errno}");
        })
    }

    pub(super) async fn copy_file_range(self, request: Request, copy: CopyFileRange) {
        let size = copy.len;
        let result = self
            .operations
            .copy_file_range(copy, request.context())
            .await;
        let _ = request.answer(result.map(|count| Written { count, size }));
    }

    /// Closes a file that the kernel does not know to be open.
    async fn take_back_open(&self, inode: Inode, info: FileInfo, flags: OpenFlags) {
        let file = FileRef {
            inode,
            fh: info.fh,
            flags,
            lock_owner: LockOwner(0),
        };
        let nobody = RequestContext::detached(0, 0, 0);
        let _ = self
            .operations
            .release(file, ReleaseFlags::empty(), &nobody)
            .await;
    }
}

/// Answers with an open file, whose lookup count has grown: unless the kernel does not take it, which
/// returns them.
#[inline]
fn answer_created(
    request: Request,
    result: Result<(FileInfo, EntryAttributes)>,
) -> Option<(FileInfo, Inode)> {
    let created = result.as_ref().ok().map(|(info, attr)| (*info, attr.ino));
    let sent = request.answer(result);
    created.filter(|_| sent.is_err())
}

fn answer_from_file(request: Request, fd: Arc<OwnedFd>, offset: u64, len: usize, splice: bool) {
    let raw = request.into_raw();
    let session = Arc::clone(raw.session());
    // Without it the session has ended, and the request with it.
    if let Ok(_use) = session.begin_use() {
        let _ = raw.reply_fd(fd.as_fd(), offset, len, splice);
    }
}
