//! Bytes that go out of a file system.

use std::fmt;
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;
use std::os::fd::RawFd;
use std::sync::Arc;

use bytes::Bytes;

use super::WriteBuf;

/// The answer to `read`.
///
/// Made with `into()` from whatever holds the bytes; none of these copies them:
///
/// ```
/// use libfuse3::Data;
///
/// let owned: Data = vec![1, 2, 3].into();
/// let fixed: Data = b"hello\n".as_slice().into();
/// let shared: Data = std::sync::Arc::<[u8]>::from([1, 2, 3]).into();
/// assert_eq!((owned.len(), fixed.len(), shared.len()), (3, 6, 3));
/// assert!(Data::empty().is_empty());
/// ```
#[derive(Clone)]
pub struct Data(pub(crate) DataSource);

#[derive(Clone)]
pub(crate) enum DataSource {
    Static(&'static [u8]),
    Vec(Vec<u8>),
    Bytes(Bytes),
    Shared(Arc<[u8]>),
    File {
        fd: Arc<OwnedFd>,
        offset: u64,
        len: usize,
        at_hand: bool,
    },
}

impl Data {
    /// No bytes: the end of the file.
    #[must_use]
    pub const fn empty() -> Self {
        Self(DataSource::Static(&[]))
    }

    /// `len` bytes of an open file, from `offset` on; fewer where the file ends before.
    ///
    /// Reading may wait for a disk and is therefore done on a thread of its own, unless they are
    /// [`at_hand`](Self::at_hand). If the file cannot be read, the caller of `read` gets the error. If it
    /// has become shorter meanwhile, that is where the answer ends, and where the kernel takes the end of
    /// the file to be until it asks for attributes again.
    #[doc(alias = "fuse_reply_data")]
    #[must_use]
    pub fn from_fd(fd: Arc<OwnedFd>, offset: u64, len: usize) -> Self {
        Self(DataSource::File {
            fd,
            offset,
            len,
            at_hand: false,
        })
    }

    /// Has bytes of a file sent by the thread that the handler is on, as bytes in memory are: for a file
    /// that is not waited for, or where the session has threads enough to wait
    /// ([`SessionBuilder::reader_threads`](crate::SessionBuilder::reader_threads)).
    ///
    /// That saves the way to another thread; and where
    /// [`Capabilities::SPLICE_WRITE`](crate::Capabilities::SPLICE_WRITE) is on and the handler had not to
    /// wait, libfuse splices the bytes into the kernel, without passing them through this program's
    /// memory.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// use libfuse3::Data;
    ///
    /// # fn answer(fd: Arc<std::os::fd::OwnedFd>) -> Data {
    /// Data::from_fd(fd, 4096, 65536).at_hand()
    /// # }
    /// ```
    #[must_use]
    pub fn at_hand(mut self) -> Self {
        if let DataSource::File { at_hand, .. } = &mut self.0 {
            *at_hand = true;
        }
        self
    }

    /// Number of bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            DataSource::File { len, .. } => *len,
            _ => self.as_slice().map_or(0, <[u8]>::len),
        }
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes, if they are in memory.
    #[must_use]
    pub fn as_slice(&self) -> Option<&[u8]> {
        match &self.0 {
            DataSource::Static(bytes) => Some(bytes),
            DataSource::Vec(bytes) => Some(bytes),
            DataSource::Bytes(bytes) => Some(bytes),
            DataSource::Shared(bytes) => Some(bytes),
            DataSource::File { .. } => None,
        }
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            DataSource::File {
                fd, offset, len, ..
            } => {
                let fd: RawFd = fd.as_raw_fd();
                write!(f, "Data({len} bytes at {offset} of descriptor {fd})")
            }
            _ => write!(f, "Data({} bytes)", self.len()),
        }
    }
}

impl Default for Data {
    fn default() -> Self {
        Self::empty()
    }
}

impl From<Vec<u8>> for Data {
    fn from(bytes: Vec<u8>) -> Self {
        Self(DataSource::Vec(bytes))
    }
}

impl From<Bytes> for Data {
    fn from(bytes: Bytes) -> Self {
        Self(DataSource::Bytes(bytes))
    }
}

impl From<&'static [u8]> for Data {
    fn from(bytes: &'static [u8]) -> Self {
        Self(DataSource::Static(bytes))
    }
}

impl From<&'static str> for Data {
    fn from(text: &'static str) -> Self {
        Self(DataSource::Static(text.as_bytes()))
    }
}

impl From<Arc<[u8]>> for Data {
    fn from(bytes: Arc<[u8]>) -> Self {
        Self(DataSource::Shared(bytes))
    }
}

impl From<WriteBuf> for Data {
    fn from(buf: WriteBuf) -> Self {
        Self(DataSource::Bytes(buf.into_bytes()))
    }
}
