//! Flags, each a set of bits that keeps the ones it has no name for.

use bitflags::bitflags;

bitflags! {
    /// How a file is opened: the flags of `open(2)`.
    ///
    /// `O_CREAT`, `O_EXCL` and `O_NOCTTY` never reach `open`; `O_TRUNC` does only if
    /// [`Capabilities::ATOMIC_O_TRUNC`](crate::Capabilities::ATOMIC_O_TRUNC) was asked for, else a
    /// `setattr` with size 0 follows.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct OpenFlags: i32 {
        /// For writing only.
        const WRONLY = libc::O_WRONLY;
        /// For reading and writing.
        const RDWR = libc::O_RDWR;
        /// Writes go to the end of the file. With the writeback cache the kernel sees to it, and a
        /// handler that passes the flag on to another file must take it out.
        const APPEND = libc::O_APPEND;
        /// Create the file if it is missing.
        const CREAT = libc::O_CREAT;
        /// Fail if the file exists.
        const EXCL = libc::O_EXCL;
        /// Cut the file off to size 0.
        const TRUNC = libc::O_TRUNC;
        /// Fail unless it is a directory.
        const DIRECTORY = libc::O_DIRECTORY;
        /// Bypass the page cache.
        const DIRECT = libc::O_DIRECT;
        /// Do not wait.
        const NONBLOCK = libc::O_NONBLOCK;
        /// Each write is on the disk when it returns.
        const SYNC = libc::O_SYNC;
        /// The data of each write is on the disk when it returns.
        const DSYNC = libc::O_DSYNC;
        /// Reading does not change the time of access.
        const NOATIME = libc::O_NOATIME;
        /// Fail if it is a symbolic link.
        const NOFOLLOW = libc::O_NOFOLLOW;
        const _ = !0;
    }

    /// What `rename` shall do about an entry that is in the way.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct RenameFlags: u32 {
        /// Fail with `EEXIST` if the new name exists.
        #[doc(alias = "RENAME_NOREPLACE")]
        const NOREPLACE = libc::RENAME_NOREPLACE;
        /// Swap the two entries; both must exist.
        #[doc(alias = "RENAME_EXCHANGE")]
        const EXCHANGE = libc::RENAME_EXCHANGE;
        /// Leave a whiteout (a character device 0:0) under the old name. For overlay file systems.
        #[doc(alias = "RENAME_WHITEOUT")]
        const WHITEOUT = libc::RENAME_WHITEOUT;
        const _ = !0;
    }

    /// What `access` asks for. Empty: whether the file exists.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct AccessFlags: i32 {
        /// May it be read?
        const READ = libc::R_OK;
        /// May it be written?
        const WRITE = libc::W_OK;
        /// May it be executed, or searched?
        const EXECUTE = libc::X_OK;
        const _ = !0;
    }

    /// What `fallocate` shall do with the range. Empty: reserve space, and make the file longer if the
    /// range ends behind it.
    ///
    /// The kernel passes on those that have a name here, and answers `EOPNOTSUPP` to all others
    /// (`fuse_file_fallocate` in fs/fuse/file.c).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct FallocateFlags: i32 {
        /// The size of the file stays as it is.
        #[doc(alias = "FALLOC_FL_KEEP_SIZE")]
        const KEEP_SIZE = libc::FALLOC_FL_KEEP_SIZE;
        /// Give the space of the range back; it reads as zeros from now on. Always comes together
        /// with `KEEP_SIZE`.
        #[doc(alias = "FALLOC_FL_PUNCH_HOLE")]
        const PUNCH_HOLE = libc::FALLOC_FL_PUNCH_HOLE;
        /// The range reads as zeros from now on, and has its space. Linux 5.14.
        #[doc(alias = "FALLOC_FL_ZERO_RANGE")]
        const ZERO_RANGE = libc::FALLOC_FL_ZERO_RANGE;
        const _ = !0;
    }

    /// What `setxattr` shall do about an attribute that is there already, or is not.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct XattrFlags: i32 {
        /// Fail with `EEXIST` if it exists.
        const CREATE = libc::XATTR_CREATE;
        /// Fail with [`Errno::ENOATTR`](crate::Errno::ENOATTR) if it does not exist.
        const REPLACE = libc::XATTR_REPLACE;
        const _ = !0;
    }

    /// What an open file is ready for, as in `poll(2)`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct PollEvents: u32 {
        /// There is something to read.
        #[doc(alias = "POLLIN")]
        const IN = libc::POLLIN as u32;
        /// There is something urgent to read.
        #[doc(alias = "POLLPRI")]
        const PRI = libc::POLLPRI as u32;
        /// It can be written.
        #[doc(alias = "POLLOUT")]
        const OUT = libc::POLLOUT as u32;
        /// An error; reported whether or not it was asked for.
        #[doc(alias = "POLLERR")]
        const ERR = libc::POLLERR as u32;
        /// The other end has hung up; reported whether or not it was asked for.
        #[doc(alias = "POLLHUP")]
        const HUP = libc::POLLHUP as u32;
        /// As `IN`.
        #[doc(alias = "POLLRDNORM")]
        const RDNORM = libc::POLLRDNORM as u32;
        /// There is something of another priority to read.
        #[doc(alias = "POLLRDBAND")]
        const RDBAND = libc::POLLRDBAND as u32;
        /// As `OUT`.
        #[doc(alias = "POLLWRNORM")]
        const WRNORM = libc::POLLWRNORM as u32;
        /// Something of another priority can be written.
        #[doc(alias = "POLLWRBAND")]
        const WRBAND = libc::POLLWRBAND as u32;
        /// The other end will write no more.
        #[doc(alias = "POLLRDHUP")]
        const RDHUP = libc::POLLRDHUP as u32;
        const _ = !0;
    }

    /// What the kernel says about the end of an open file.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct ReleaseFlags: u32 {
        /// Data that was written should be flushed, as in `flush`.
        const FLUSH = 1;
        /// The `flock` lock of this open file ends.
        const FLOCK_RELEASE = 2;
        const _ = !0;
    }
}

impl OpenFlags {
    /// Whether the open file may be read.
    #[must_use]
    pub fn is_readable(self) -> bool {
        self.bits() & libc::O_ACCMODE != libc::O_WRONLY
    }

    /// Whether the open file may be written.
    #[must_use]
    pub fn is_writable(self) -> bool {
        self.bits() & libc::O_ACCMODE != libc::O_RDONLY
    }
}

/// [`RenameFlags::EXCHANGE`] under pyfuse3's name.
pub const RENAME_EXCHANGE: RenameFlags = RenameFlags::EXCHANGE;
/// [`RenameFlags::NOREPLACE`] under pyfuse3's name.
pub const RENAME_NOREPLACE: RenameFlags = RenameFlags::NOREPLACE;
