//! Answers to `getxattr` and `listxattr`: a size, or the bytes if there is room for them.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use super::Reply;
use super::refuse;
use crate::Errno;
use crate::Result;
use crate::raw::RawRequest;
use crate::request::RequestInfo;

/// The value of an attribute, for a caller with room for `size` bytes (0: who wants to know how
/// many).
#[derive(Debug)]
pub(crate) struct XattrValue {
    pub(crate) value: Vec<u8>,
    pub(crate) size: usize,
}

impl Reply for XattrValue {
    #[inline]
    fn send(&mut self, request: RawRequest, _info: &RequestInfo) -> Result<()> {
        if self.size == 0 {
            request.reply_xattr(self.value.len())
        } else if self.value.len() > self.size {
            request.reply_err(Errno::ERANGE)
        } else {
            request.reply_buf(&self.value)
        }
    }
}

/// The names of all attributes.
#[derive(Debug)]
pub(crate) struct XattrList {
    pub(crate) names: Vec<OsString>,
    pub(crate) size: usize,
}

impl Reply for XattrList {
    #[inline]
    fn send(&mut self, request: RawRequest, info: &RequestInfo) -> Result<()> {
        let mut value = Vec::new();
        for name in &self.names {
            let name = name.as_bytes();
            if name.is_empty() || name.contains(&0) {
                return refuse(
                    request,
                    info,
                    "the name of an attribute is empty or has a NUL",
                );
            }
            value.extend_from_slice(name);
            value.push(0);
        }
        XattrValue {
            value,
            size: self.size,
        }
        .send(request, info)
    }
}
