//! [6] What a handler returns, on its way to the kernel.

mod data;
mod directory;
mod lock;
mod misc;
mod xattr;

use std::ffi::CString;
use std::ffi::OsString;
use std::fmt;
use std::mem;
use std::os::unix::ffi::OsStringExt;

pub(crate) use data::Bounded;
pub(crate) use data::Sought;
pub(crate) use data::Written;
pub use directory::ReaddirToken;
pub(crate) use lock::LockInTheWay;
pub(crate) use misc::Block;
pub(crate) use misc::IoctlAnswer;
pub(crate) use xattr::XattrList;
pub(crate) use xattr::XattrValue;

use crate::EntryAttributes;
use crate::Errno;
use crate::FileInfo;
use crate::Inode;
use crate::Result;
use crate::StatvfsData;
use crate::logging;
use crate::raw::RawRequest;
use crate::request::RequestInfo;
use crate::wire;

/// Something that answers a request.
pub(crate) trait Reply: fmt::Debug {
    /// Sends it, or `EIO` if it cannot be sent. The error is the kernel's refusal. Called once: by
    /// reference only so that it is not moved.
    fn send(&mut self, request: RawRequest, info: &RequestInfo) -> Result<()>;
}

/// Answers `EIO` for a mistake of the file system's, and says which.
#[cold]
fn refuse(request: RawRequest, info: &RequestInfo, why: impl fmt::Display) -> Result<()> {
    logging::error!("{info}: {why}: answered with EIO");
    // Whether or not the kernel takes the error: it has taken nothing of what the handler returned.
    request.reply_err(Errno::EIO).and(Err(Errno::EIO))
}

impl Reply for () {
    #[inline]
    fn send(&mut self, request: RawRequest, _info: &RequestInfo) -> Result<()> {
        request.reply_ok()
    }
}

/// The kernel would answer `EIO` for it, too, but nobody would know why.
const NO_TYPE: &str = "the handler returned a mode without a file type, such as S_IFREG";

/// Sends attributes as the answer to an operation that makes the kernel know an inode.
#[inline]
pub(crate) fn send_entry(
    attr: &mut EntryAttributes,
    request: RawRequest,
    info: &RequestInfo,
) -> Result<()> {
    if attr.ino == Inode(0) && info.kind.name != "lookup" {
        return refuse(request, info, "the handler returned inode 0");
    }
    if attr.ino != Inode(0) && attr.file_type() == 0 {
        return refuse(request, info, NO_TYPE);
    }
    request.reply_buf(wire::entry_out(attr).as_bytes())
}

/// Sends attributes alone.
#[inline]
pub(crate) fn send_attributes(
    attr: &mut EntryAttributes,
    request: RawRequest,
    _info: &RequestInfo,
) -> Result<()> {
    request.reply_buf(wire::attr_out(attr).as_bytes())
}

#[cfg(libfuse_since = "3.18")]
impl Reply for crate::StatxData {
    fn send(&mut self, request: RawRequest, info: &RequestInfo) -> Result<()> {
        if self.attr.file_type() == 0 {
            return refuse(request, info, NO_TYPE);
        }
        request.reply_statx(self)
    }
}

impl Reply for FileInfo {
    #[inline]
    fn send(&mut self, request: RawRequest, _info: &RequestInfo) -> Result<()> {
        request.reply_buf(wire::open_out(self).as_bytes())
    }
}

impl Reply for (FileInfo, EntryAttributes) {
    #[inline]
    fn send(&mut self, request: RawRequest, info: &RequestInfo) -> Result<()> {
        let (file, attr) = self;
        if attr.ino == Inode(0) {
            return refuse(request, info, "the handler returned inode 0");
        }
        if attr.file_type() != libc::S_IFREG {
            return refuse(
                request,
                info,
                "the handler created something else than a regular file",
            );
        }
        request.reply_buf(wire::create_out(file, attr).as_bytes())
    }
}

impl Reply for OsString {
    #[inline]
    fn send(&mut self, request: RawRequest, info: &RequestInfo) -> Result<()> {
        /// What the kernel has room for: a page, with the NUL.
        const PATH_MAX: usize = 4096;
        match CString::new(mem::take(self).into_vec()) {
            Ok(target) if target.count_bytes() < PATH_MAX => request.reply_readlink(&target),
            Ok(target) => {
                let len = target.count_bytes();
                refuse(
                    request,
                    info,
                    format_args!("a target of {len} bytes is too long"),
                )
            }
            Err(_) => refuse(request, info, "the target has a NUL in it"),
        }
    }
}

impl Reply for StatvfsData {
    #[inline]
    fn send(&mut self, request: RawRequest, _info: &RequestInfo) -> Result<()> {
        request.reply_statfs(self)
    }
}
