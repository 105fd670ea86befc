//! Arguments and answer of `ioctl`.

use bitflags::bitflags;

use super::FileRef;

/// The arguments of [`Operations::ioctl`](crate::Operations::ioctl).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ioctl<'a> {
    /// The open file, or the directory if the flags have [`IoctlFlags::DIR`].
    pub file: FileRef,
    /// The command. Direction and size of its argument are encoded in it (`_IOR`, `_IOW`, ...).
    pub cmd: u32,
    /// The third argument of `ioctl(2)`: a number, or an address in the caller's memory. Do not
    /// read there: what the command sends is in [`input`](Self::input).
    pub arg: u64,
    /// How it was called.
    pub flags: IoctlFlags,
    /// What the command sends: as many bytes as its number says.
    pub input: &'a [u8],
    /// Room for the answer, in bytes.
    pub output_size: usize,
}

bitflags! {
    /// How `ioctl` was called.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct IoctlFlags: u32 {
        /// By a 32 bit program on a 64 bit kernel.
        #[doc(alias = "FUSE_IOCTL_COMPAT")]
        const COMPAT = 1;
        /// Any memory of the caller can be asked for: see [`IoctlReply::Retry`]. Never on a mount.
        #[doc(alias = "FUSE_IOCTL_UNRESTRICTED")]
        const UNRESTRICTED = 1 << 1;
        /// Comes again after [`IoctlReply::Retry`].
        #[doc(alias = "FUSE_IOCTL_RETRY")]
        const RETRY = 1 << 2;
        /// Numbers and addresses have 32 bits.
        #[doc(alias = "FUSE_IOCTL_32BIT")]
        const BITS_32 = 1 << 3;
        /// On a directory. Only with
        /// [`Capabilities::IOCTL_DIR`](crate::Capabilities::IOCTL_DIR).
        #[doc(alias = "FUSE_IOCTL_DIR")]
        const DIR = 1 << 4;
        /// By an x32 program.
        #[doc(alias = "FUSE_IOCTL_COMPAT_X32")]
        const COMPAT_X32 = 1 << 5;
        const _ = !0;
    }
}

/// The answer to [`Operations::ioctl`](crate::Operations::ioctl).
///
/// ```
/// use libfuse3::IoctlReply;
///
/// let size: u64 = 4096;
/// let reply = IoctlReply::with_output(0, size.to_ne_bytes());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IoctlReply {
    /// It is done.
    Done {
        /// What `ioctl(2)` returns: 0 or more. A failure is an [`Errno`](crate::Errno).
        result: i32,
        /// What the command receives, no longer than [`Ioctl::output_size`].
        output: Vec<u8>,
    },
    /// Call again, with the contents of these pieces of the caller's memory as input, and with room
    /// for the others. Only if [`IoctlFlags::UNRESTRICTED`] is set, which the kernel never does on a
    /// mount: the answer is `EIO` otherwise.
    #[doc(alias = "fuse_reply_ioctl_retry")]
    Retry {
        /// What to read.
        input: Vec<IoctlRange>,
        /// What will be written.
        output: Vec<IoctlRange>,
    },
}

/// A piece of the memory of the process that called `ioctl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(alias = "iovec")]
pub struct IoctlRange {
    /// Where it begins.
    pub address: u64,
    /// Its length in bytes.
    pub len: usize,
}

impl IoctlReply {
    /// Done, with nothing to receive.
    #[must_use]
    pub fn new(result: i32) -> Self {
        Self::with_output(result, Vec::new())
    }

    /// Done, with something to receive.
    #[must_use]
    pub fn with_output(result: i32, output: impl Into<Vec<u8>>) -> Self {
        Self::Done {
            result,
            output: output.into(),
        }
    }
}
