//! `struct fuse_bufvec`: bytes in memory or in a pipe.

use bytes::Bytes;
use libfuse_sys as sys;

use crate::Errno;
use crate::Result;

/// Copies what libfuse has received, which may still be in a pipe, into memory.
///
/// # Safety
///
/// - `source` is what libfuse has given to a callback that has not returned yet.
pub(super) unsafe fn copy_out(source: &mut sys::fuse_bufvec) -> Result<Bytes> {
    // SAFETY: guaranteed by the caller, see above.
    let len = unsafe { sys::fuse_buf_size(source) };
    let mut bytes = vec![0_u8; len];
    let mut destination = sys::fuse_bufvec {
        count: 1,
        ..sys::fuse_bufvec::default()
    };
    destination.buf[0].size = len;
    destination.buf[0].mem = bytes.as_mut_ptr().cast();
    // SAFETY: the source is valid, see above, and the destination has room for all of it.
    let copied = unsafe { sys::fuse_buf_copy(&mut destination, source, 0) };
    let Ok(copied) = usize::try_from(copied) else {
        return Err(Errno::from_negative(
            i32::try_from(copied).unwrap_or(-libc::EIO),
        ));
    };
    bytes.truncate(copied);
    Ok(bytes.into())
}
