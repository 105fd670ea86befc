//! Operations on names.

use std::ffi::OsString;
use std::pin::pin;

use super::Hold;
use crate::EntryAttributes;
use crate::Errno;
use crate::Forget;
use crate::Inode;
use crate::Operations;
use crate::Rename;
use crate::RenameFlags;
use crate::Result;
use crate::message::Name;
use crate::reply::send_entry;
use crate::request::Request;

impl<O: Operations> Hold<O> {
    pub(super) async fn lookup(self, request: Request, parent: Inode, name: Name) {
        let result = {
            let lookup = self
                .operations
                .lookup(parent, name.as_os_str(), request.context());
            self.unless_interrupted(&request, pin!(lookup)).await
        };
        if let Some(inode) = answer_entry(request, result) {
            self.take_back_lookup(inode).await;
        }
    }

    pub(super) async fn mknod(
        self,
        request: Request,
        parent: Inode,
        name: Name,
        mode: u32,
        rdev: u64,
    ) {
        let (name, ctx) = (name.as_os_str(), request.context());
        let result = self.operations.mknod(parent, name, mode, rdev, ctx).await;
        if let Some(inode) = answer_entry(request, result) {
            self.take_back_lookup(inode).await;
        }
    }

    pub(super) async fn mkdir(self, request: Request, parent: Inode, name: Name, mode: u32) {
        let (name, ctx) = (name.as_os_str(), request.context());
        let result = self.operations.mkdir(parent, name, mode, ctx).await;
        if let Some(inode) = answer_entry(request, result) {
            self.take_back_lookup(inode).await;
        }
    }

    pub(super) async fn unlink(self, request: Request, parent: Inode, name: Name) {
        let result = self
            .operations
            .unlink(parent, name.as_os_str(), request.context())
            .await;
        let _ = request.answer(result);
    }

    pub(super) async fn rmdir(self, request: Request, parent: Inode, name: Name) {
        let result = self
            .operations
            .rmdir(parent, name.as_os_str(), request.context())
            .await;
        let _ = request.answer(result);
    }

    pub(super) async fn symlink(
        self,
        request: Request,
        parent: Inode,
        name: Name,
        target: OsString,
    ) {
        let (name, ctx) = (name.as_os_str(), request.context());
        let result = self.operations.symlink(parent, name, &target, ctx).await;
        if let Some(inode) = answer_entry(request, result) {
            self.take_back_lookup(inode).await;
        }
    }

    pub(super) async fn rename(
        self,
        request: Request,
        parent: Inode,
        new_parent: Inode,
        names: Box<[Name; 2]>,
        flags: RenameFlags,
    ) {
        // The system call has refused what it does not know; a flag from a newer kernel must not
        // get past a file system that does not look.
        let known = RenameFlags::NOREPLACE | RenameFlags::EXCHANGE | RenameFlags::WHITEOUT;
        let result = if known.contains(flags) {
            let [name, new_name] = names.each_ref().map(Name::as_os_str);
            let rename = Rename {
                parent,
                name,
                new_parent,
                new_name,
                flags,
            };
            self.operations.rename(rename, request.context()).await
        } else {
            Err(Errno::EINVAL)
        };
        let _ = request.answer(result);
    }

    pub(super) async fn link(
        self,
        request: Request,
        inode: Inode,
        new_parent: Inode,
        new_name: Name,
    ) {
        let (new_name, ctx) = (new_name.as_os_str(), request.context());
        let result = self.operations.link(inode, new_parent, new_name, ctx).await;
        if let Some(inode) = answer_entry(request, result) {
            self.take_back_lookup(inode).await;
        }
    }

    /// Lowers a lookup count that the kernel knows nothing of.
    pub(super) async fn take_back_lookup(&self, inode: Inode) {
        if inode != Inode(0) {
            self.operations
                .forget(&[Forget { inode, nlookup: 1 }])
                .await;
        }
    }
}

/// Answers with an entry, whose lookup count has grown: unless the kernel does not take it, which
/// returns the inode.
#[inline]
fn answer_entry(request: Request, mut result: Result<EntryAttributes>) -> Option<Inode> {
    let inode = result.as_ref().map_or(Inode(0), |attr| attr.ino);
    let sent = request.answer_by(&mut result, send_entry);
    sent.err().map(|_| inode)
}
