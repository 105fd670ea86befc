//! Bytes that come into a file system.

use std::fmt;
use std::ops::Deref;
use std::os::fd::AsFd;

use bytes::Bytes;

use crate::Errno;
use crate::Result;
use crate::raw;
use crate::raw::PipedBytes;
use crate::raw::ReceivedBytes;

/// The bytes that `write` was called with.
///
/// Reads as a slice. It is the very buffer that the kernel filled, so keeping it costs no copy; it
/// is used again when it is dropped. A buffer has room for the largest write (1 MiB
/// unless [`ConnInfo::set_max_write`](crate::ConnInfo::set_max_write) said less): copy small writes
/// that are kept for long.
///
/// ```
/// use libfuse3::WriteBuf;
///
/// let buf = WriteBuf::from(vec![1, 2, 3]);
/// assert_eq!(buf.len(), 3);
/// assert_eq!(&buf[1..], [2, 3]);
/// let kept: bytes::Bytes = buf.into_bytes();
/// assert_eq!(&kept[..], [1, 2, 3]);
/// ```
///
/// # Straight into a file
///
/// A file system that stores what is written in files of its own says so with
/// [`write_to`](Self::write_to). Where it has asked for
/// [`Capabilities::SPLICE_READ`](crate::Capabilities::SPLICE_READ), writes of a page and more then wait
/// in a pipe, and go from there into the file without passing through this program's memory. To look at
/// them reads them out of the pipe first: nothing else is different.
#[derive(Debug)]
pub struct WriteBuf {
    bytes: WriteSource,
    from_cache: bool,
}

enum WriteSource {
    Received(ReceivedBytes),
    /// Boxed to keep messages small.
    Elsewhere(Box<Elsewhere>),
}

enum Elsewhere {
    Piped(PipedBytes),
    Copied(Box<[u8]>),
}

impl fmt::Debug for WriteSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Received(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Elsewhere(bytes) => bytes.fmt(f),
        }
    }
}

impl fmt::Debug for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Piped(bytes) => write!(f, "{} bytes, from a pipe", bytes.len()),
            Self::Copied(bytes) => write!(f, "{} bytes, copied", bytes.len()),
        }
    }
}

impl AsRef<[u8]> for Elsewhere {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Piped(bytes) => bytes.as_ref(),
            Self::Copied(bytes) => bytes,
        }
    }
}

impl WriteBuf {
    pub(crate) fn received(bytes: ReceivedBytes, from_cache: bool) -> Self {
        Self::new(WriteSource::Received(bytes), from_cache)
    }

    pub(crate) fn piped(bytes: PipedBytes, from_cache: bool) -> Self {
        let bytes = Box::new(Elsewhere::Piped(bytes));
        Self::new(WriteSource::Elsewhere(bytes), from_cache)
    }

    pub(crate) fn copied(bytes: Box<[u8]>, from_cache: bool) -> Self {
        let bytes = Box::new(Elsewhere::Copied(bytes));
        Self::new(WriteSource::Elsewhere(bytes), from_cache)
    }

    /// The bytes where they are neither in the buffer of the request nor in other memory.
    fn piped_bytes(&mut self) -> Option<&mut PipedBytes> {
        let WriteSource::Elsewhere(bytes) = &mut self.bytes else {
            return None;
        };
        match &mut **bytes {
            Elsewhere::Piped(bytes) if !bytes.is_in_memory() => Some(bytes),
            _ => None,
        }
    }

    fn new(bytes: WriteSource, from_cache: bool) -> Self {
        Self { bytes, from_cache }
    }

    /// Number of bytes. Does not read them.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.bytes {
            WriteSource::Received(bytes) => bytes.len(),
            WriteSource::Elsewhere(bytes) => match &**bytes {
                Elsewhere::Piped(bytes) => bytes.len(),
                Elsewhere::Copied(bytes) => bytes.len(),
            },
        }
    }

    /// Whether there are no bytes (any more).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the bytes are in memory, so that to look at them costs nothing. Otherwise they are in a
    /// pipe: only with [`Capabilities::SPLICE_READ`](crate::Capabilities::SPLICE_READ).
    #[must_use]
    pub fn is_in_memory(&self) -> bool {
        match &self.bytes {
            WriteSource::Received(_) => true,
            WriteSource::Elsewhere(bytes) => match &**bytes {
                Elsewhere::Piped(bytes) => bytes.is_in_memory(),
                Elsewhere::Copied(_) => true,
            },
        }
    }

    /// Whether the kernel wrote this out of its cache, long after the program did: the context's
    /// user and group ids mean nothing then, and the handle may be that of another open file of the
    /// same inode. Only with the writeback cache, or for shared memory maps.
    #[doc(alias = "writepage")]
    #[must_use]
    pub fn is_from_cache(&self) -> bool {
        self.from_cache
    }

    /// Writes the first `len` bytes, or all if there are not so many, to `offset` of an open file, and
    /// returns how many: fewer only where that fails on the way. What has been written is no longer
    /// in this value, so that the rest can go elsewhere.
    ///
    /// Bytes that are in a pipe are spliced into the file. A file that does not take them from there,
    /// such as one opened with `O_APPEND`, gets them by way of memory. The call waits for the file as
    /// `pwrite(2)` does: use `smol::unblock` for a slow one, which this value may be moved to. Write before
    /// the request is answered: what is in a pipe are pages of the kernel's cache, which later writes
    /// to the file that is mounted here change.
    ///
    /// ```
    /// use std::fs::File;
    /// use libfuse3::{FileRef, Operations, RequestContext, Result, WriteBuf};
    ///
    /// struct OneFile(File);
    ///
    /// impl Operations for OneFile {
    ///     async fn write(
    ///         &self,
    ///         _file: FileRef,
    ///         offset: u64,
    ///         mut data: WriteBuf,
    ///         _ctx: &RequestContext,
    ///     ) -> Result<usize> {
    ///         data.write_to(&self.0, offset, data.len())
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// That of `pwrite(2)` or `splice(2)`; nothing has been written then. [`Errno::EFBIG`] for an offset
    /// that no file has.
    #[doc(alias = "fuse_buf_copy")]
    #[doc(alias = "write_buf")]
    pub fn write_to(&mut self, file: impl AsFd, offset: u64, len: usize) -> Result<usize> {
        let file = file.as_fd();
        let offset = i64::try_from(offset).map_err(|_| Errno::EFBIG)?;
        let len = len.min(self.len());
        if len == 0 {
            return Ok(0);
        }
        if let Some(bytes) = self.piped_bytes()
            && let Some(result) = bytes.splice_to(file, offset, len)
        {
            return result;
        }
        let written = raw::write_at(file, &self[..len], offset)?;
        match &mut self.bytes {
            WriteSource::Received(bytes) => bytes.advance(written),
            WriteSource::Elsewhere(bytes) => match &mut **bytes {
                Elsewhere::Piped(bytes) => bytes.advance(written),
                Elsewhere::Copied(bytes) => *bytes = bytes[written..].into(),
            },
        }
        Ok(written)
    }

    /// The same bytes as a value that can be cloned and cut, without a copy unless they are in a pipe.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        match self.bytes {
            WriteSource::Received(bytes) => Bytes::from_owner(bytes),
            WriteSource::Elsewhere(bytes) => match *bytes {
                Elsewhere::Piped(bytes) => bytes.into(),
                Elsewhere::Copied(bytes) => Bytes::from(bytes),
            },
        }
    }
}

impl Deref for WriteBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.bytes {
            WriteSource::Received(bytes) => bytes.as_ref(),
            WriteSource::Elsewhere(bytes) => (**bytes).as_ref(),
        }
    }
}

impl AsRef<[u8]> for WriteBuf {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl From<Vec<u8>> for WriteBuf {
    fn from(bytes: Vec<u8>) -> Self {
        Self::copied(bytes.into(), false)
    }
}
