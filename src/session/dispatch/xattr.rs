//! Operations on extended attributes.

use std::ffi::OsStr;
use std::pin::pin;

use super::Hold;
use crate::Capabilities;
use crate::Errno;
use crate::Inode;
use crate::Operations;
use crate::XattrFlags;
use crate::message::Name;
use crate::message::Operation;
use crate::reply::XattrList;
use crate::reply::XattrValue;
use crate::request::Request;

/// The attribute of the root whose setting calls [`Operations::stacktrace`].
const STACKTRACE: &str = "fuse_stacktrace";

/// Whether this is the setting of that attribute.
pub(super) fn asks_for_stacktrace(operation: &Operation) -> bool {
    match operation {
        Operation::Setxattr { inode, name, .. } => is_stacktrace(*inode, name.as_os_str()),
        _ => false,
    }
}

fn is_stacktrace(inode: Inode, name: &OsStr) -> bool {
    inode == Inode::ROOT && name == OsStr::new(STACKTRACE)
}

/// The extended attributes with access control lists.
const ACLS: [&str; 2] = ["system.posix_acl_access", "system.posix_acl_default"];

impl<O: Operations> Hold<O> {
    /// Whether the kernel checks permissions by the access control list in this attribute.
    #[cold]
    fn asks_for_acl(&self, name: &OsStr) -> bool {
        self.raw.wants(Capabilities::POSIX_ACL) && ACLS.iter().any(|acl| name == *acl)
    }

    pub(super) async fn setxattr(
        self,
        request: Request,
        inode: Inode,
        name: Name,
        value: Box<[u8]>,
        flags: XattrFlags,
    ) {
        let name = name.as_os_str();
        if is_stacktrace(inode, name) {
            self.operations.stacktrace(&self.report());
            let _ = request.answer(Ok(()));
            return;
        }
        let known = XattrFlags::CREATE | XattrFlags::REPLACE;
        let result = if known.contains(flags) {
            self.operations
                .setxattr(inode, name, &value, flags, request.context())
                .await
        } else {
            Err(Errno::EINVAL)
        };
        let _ = request.answer(result);
    }

    pub(super) async fn getxattr(self, request: Request, inode: Inode, name: Name, size: usize) {
        let result = {
            let (name, ctx) = (name.as_os_str(), request.context());
            let handler = pin!(self.operations.getxattr(inode, name, ctx));
            self.unless_interrupted(&request, handler).await
        };
        let result = match result {
            // After EOPNOTSUPP the kernel denies access to all users but the owner.
            Err(Errno::EOPNOTSUPP) if self.asks_for_acl(name.as_os_str()) => Err(Errno::ENOATTR),
            result => result,
        };
        let _ = request.answer(result.map(|value| XattrValue { value, size }));
    }

    pub(super) async fn listxattr(self, request: Request, inode: Inode, size: usize) {
        let result = {
            let handler = pin!(self.operations.listxattr(inode, request.context()));
            self.unless_interrupted(&request, handler).await
        };
        let _ = request.answer(result.map(|names| XattrList { names, size }));
    }

    pub(super) async fn removexattr(self, request: Request, inode: Inode, name: Name) {
        let result = self
            .operations
            .removexattr(inode, name.as_os_str(), request.context())
            .await;
        let _ = request.answer(result);
    }
}
