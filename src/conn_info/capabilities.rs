//! `FUSE_CAP_*`: the features of kernel and libfuse.

#[cfg(doc)]
use crate::ConnInfo;
use std::fmt;

use bitflags::bitflags;
use bitflags::parser;

bitflags! {
    /// Features that kernel and file system agree upon in INIT.
    ///
    /// Each is on only if the kernel offers it ([`ConnInfo::capable`]) and the file system wants it
    /// ([`ConnInfo::want`]). The numbers are libfuse's, not the kernel's.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Capabilities: u64 {
        /// Several reads of one open file may be in flight at once. On by default.
        #[doc(alias = "FUSE_CAP_ASYNC_READ")]
        const ASYNC_READ = 1;
        /// POSIX locks (`fcntl`) are left to the file system:
        /// [`getlk`](crate::Operations::getlk) and [`setlk`](crate::Operations::setlk). Off by
        /// default, unlike in libfuse: the kernel keeps them.
        #[doc(alias = "FUSE_CAP_POSIX_LOCKS")]
        const POSIX_LOCKS = 1 << 1;
        /// `O_TRUNC` reaches `open`, which then has to cut the file off. Off by default, unlike in
        /// libfuse: a `setattr` with size 0 comes instead.
        ///
        /// The kernel then clears no set-user-id bits when a file is cut off: see
        /// [`RequestContext::kill_suidgid`](crate::RequestContext::kill_suidgid).
        #[doc(alias = "FUSE_CAP_ATOMIC_O_TRUNC")]
        const ATOMIC_O_TRUNC = 1 << 3;
        /// `lookup` knows `.` and `..`. On by default, see
        /// [`SUPPORTS_DOT_LOOKUP`](crate::Operations::SUPPORTS_DOT_LOOKUP).
        #[doc(alias = "FUSE_CAP_EXPORT_SUPPORT")]
        const EXPORT_SUPPORT = 1 << 4;
        /// The umask is left to the file system: [`RequestContext::umask`](crate::RequestContext).
        #[doc(alias = "FUSE_CAP_DONT_MASK")]
        const DONT_MASK = 1 << 6;
        /// libfuse may splice answers to `read` out of a file
        /// ([`Data::at_hand`](crate::Data::at_hand)).
        #[doc(alias = "FUSE_CAP_SPLICE_WRITE")]
        const SPLICE_WRITE = 1 << 7;
        /// Spliced pages may be moved instead of copied.
        #[doc(alias = "FUSE_CAP_SPLICE_MOVE")]
        const SPLICE_MOVE = 1 << 8;
        /// libfuse splices requests out of the device, and what is written waits in a pipe for
        /// [`WriteBuf::write_to`](crate::WriteBuf::write_to), if it is a page or more. Each request takes
        /// a system call more, so that this pays for large writes into files only.
        ///
        /// A pipe must have room for the largest request. Where that takes the privilege
        /// `CAP_SYS_RESOURCE`, and the program does not have it, the largest write
        /// ([`ConnInfo::max_write`]) becomes less: 1020 KiB unless `/proc/sys/fs/pipe-max-size` was
        /// changed.
        #[doc(alias = "FUSE_CAP_SPLICE_READ")]
        const SPLICE_READ = 1 << 9;
        /// Locks on whole files are left to the file system:
        /// [`flock`](crate::Operations::flock). Off by default, unlike in libfuse: the kernel keeps
        /// them.
        #[doc(alias = "FUSE_CAP_FLOCK_LOCKS")]
        const FLOCK_LOCKS = 1 << 10;
        /// `ioctl` is passed on for directories, too. Off by default, unlike in libfuse.
        #[doc(alias = "FUSE_CAP_IOCTL_DIR")]
        const IOCTL_DIR = 1 << 11;
        /// The kernel drops what it has cached of a file whose size or mtime changed. On by
        /// default.
        #[doc(alias = "FUSE_CAP_AUTO_INVAL_DATA")]
        const AUTO_INVAL_DATA = 1 << 12;
        /// `readdir` is asked for attributes along with names. On by default.
        #[doc(alias = "FUSE_CAP_READDIRPLUS")]
        const READDIRPLUS = 1 << 13;
        /// The kernel decides call by call whether `readdir` is asked for attributes.
        #[doc(alias = "FUSE_CAP_READDIRPLUS_AUTO")]
        const READDIRPLUS_AUTO = 1 << 14;
        /// Parts of one large direct read or write may be in flight at once. On by default.
        #[doc(alias = "FUSE_CAP_ASYNC_DIO")]
        const ASYNC_DIO = 1 << 15;
        /// The kernel collects writes in its cache. See
        /// [`ENABLE_WRITEBACK_CACHE`](crate::Operations::ENABLE_WRITEBACK_CACHE). Not for files with
        /// [`FileInfo::direct_io`](crate::FileInfo::direct_io), whose mtime would never change.
        #[doc(alias = "FUSE_CAP_WRITEBACK_CACHE")]
        const WRITEBACK_CACHE = 1 << 16;
        /// The kernel can do without `open`: after [`Errno::NOT_IMPLEMENTED`](crate::Errno::NOT_IMPLEMENTED)
        /// it opens files by itself. An offer; to want it changes nothing.
        #[doc(alias = "FUSE_CAP_NO_OPEN_SUPPORT")]
        const NO_OPEN_SUPPORT = 1 << 17;
        /// Several lookups and readdirs in one directory may be in flight at once. On by default.
        ///
        /// libfuse before 3.17 does not pass this wish on to the kernel; this library does it in its
        /// place.
        #[doc(alias = "FUSE_CAP_PARALLEL_DIROPS")]
        const PARALLEL_DIROPS = 1 << 18;
        /// The kernel enforces the access control lists that the file system stores. See
        /// [`ENABLE_ACL`](crate::Operations::ENABLE_ACL), and about files without a list
        /// [`getxattr`](crate::Operations::getxattr).
        #[doc(alias = "FUSE_CAP_POSIX_ACL")]
        const POSIX_ACL = 1 << 19;
        /// The file system clears set-user-id and set-group-id bits on `write`, `truncate` and
        /// `chown` by itself. Without it the kernel sends a `setattr`. No effect before libfuse
        /// 3.17.
        #[doc(alias = "FUSE_CAP_HANDLE_KILLPRIV")]
        const HANDLE_KILLPRIV = 1 << 20;
        /// As `HANDLE_KILLPRIV`, and capabilities in extended attributes, too; `write` and `truncate`
        /// clear the bits only for callers without `CAP_FSETID`. libfuse 3.17, Linux 5.11.
        ///
        /// Which of them have to is said by
        /// [`RequestContext::kill_suidgid`](crate::RequestContext::kill_suidgid) and
        /// [`SetattrFields::kill_suid`](crate::SetattrFields::kill_suid): the kernel sees to nothing
        /// any more, and a file system that asks for this and does not look there leaves programs with
        /// rights that they must not have.
        #[doc(alias = "FUSE_CAP_HANDLE_KILLPRIV_V2")]
        const HANDLE_KILLPRIV_V2 = 1 << 21;
        /// The kernel caches the targets of symbolic links. Linux 4.20.
        #[doc(alias = "FUSE_CAP_CACHE_SYMLINKS")]
        const CACHE_SYMLINKS = 1 << 23;
        /// The kernel can do without `opendir`, as without `open`. An offer; to want it changes nothing.
        #[doc(alias = "FUSE_CAP_NO_OPENDIR_SUPPORT")]
        const NO_OPENDIR_SUPPORT = 1 << 24;
        /// The kernel drops cached data only when told to
        /// ([`Notifier::invalidate_inode`](crate::Notifier::invalidate_inode)). Of no effect together
        /// with `AUTO_INVAL_DATA`, which is on by default. Linux 5.2.
        #[doc(alias = "FUSE_CAP_EXPLICIT_INVAL_DATA")]
        const EXPLICIT_INVAL_DATA = 1 << 25;
        /// An offer, not a wish: names can be made to expire
        /// ([`Notifier::expire_entry`](crate::Notifier::expire_entry)). libfuse 3.13, Linux 6.2.
        #[doc(alias = "FUSE_CAP_EXPIRE_ONLY")]
        const EXPIRE_ONLY = 1 << 26;
        /// The kernel sends the extended form of `setxattr`. libfuse does not hand on what it says
        /// more, so that nothing is gained. libfuse 3.15, Linux 5.13.
        #[doc(alias = "FUSE_CAP_SETXATTR_EXT")]
        const SETXATTR_EXT = 1 << 27;
        /// Files that are opened with [`FileInfo::direct_io`](crate::FileInfo::direct_io) can be mapped
        /// into memory that is shared. libfuse 3.17, Linux 6.6.
        #[doc(alias = "FUSE_CAP_DIRECT_IO_ALLOW_MMAP")]
        const DIRECT_IO_ALLOW_MMAP = 1 << 28;
        /// The kernel may read and write files by itself that the file system has opened elsewhere:
        /// [`RequestContext::passthrough_open`](crate::RequestContext::passthrough_open).
        /// Goes neither with `WRITEBACK_CACHE` nor without `CAP_SYS_ADMIN`. See
        /// [`ConnInfo::set_max_backing_stack_depth`]. libfuse 3.17, Linux 6.9.
        #[doc(alias = "FUSE_CAP_PASSTHROUGH")]
        const PASSTHROUGH = 1 << 29;
        /// There are no file handles (`name_to_handle_at`), and hence no export by NFS: for file systems that
        /// do not find an inode by its number after the kernel has forgotten it. Without this, handles of
        /// such inodes fail with `ESTALE`. Linux 6.9. libfuse has it since 3.17; before, this library passes
        /// the wish on in its place, except in sessions that C has made.
        #[doc(alias = "FUSE_CAP_NO_EXPORT_SUPPORT")]
        const NO_EXPORT_SUPPORT = 1 << 30;
        /// Requests come through io_uring. Not to be asked for here, and refused with a warning where
        /// the mount option `io_uring` or `FUSE_URING_ENABLE` asks for it: answers from other threads
        /// get lost in libfuse 3.18, and how a session ends with it cannot be shown before 3.19 is
        /// released. libfuse 3.18, Linux 6.14.
        #[doc(alias = "FUSE_CAP_OVER_IO_URING")]
        const OVER_IO_URING = 1 << 31;
        /// The mount may be bound elsewhere with other user and group ids. Needs
        /// `default_permissions`. libfuse 3.19, Linux 6.12.
        #[doc(alias = "FUSE_CAP_ALLOW_IDMAP")]
        const ALLOW_IDMAP = 1 << 32;
        /// The kernel says which security context a new file shall have
        /// ([`RequestContext::security_contexts`](crate::RequestContext::security_contexts)). libfuse
        /// 3.19, Linux 5.17.
        #[doc(alias = "FUSE_CAP_SECURITY_CTX")]
        const SECURITY_CTX = 1 << 33;
        const _ = !0;
    }
}

/// What a file system may ask for: what has a name here, but for what is the library's to decide.
pub(super) const SERVED: Capabilities =
    Capabilities::named().difference(Capabilities::OVER_IO_URING);

impl Capabilities {
    const fn named() -> Self {
        let mut bits = 0;
        let mut index = 0;
        let flags = <Self as bitflags::Flags>::FLAGS;
        while index < flags.len() {
            let value = flags[index].value().0.0;
            bits |= if flags[index].name().is_empty() {
                0
            } else {
                value
            };
            index += 1;
        }
        Self::from_bits_retain(bits)
    }
}

/// The names, such as `ASYNC_READ | POSIX_ACL`.
impl fmt::Display for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        parser::to_writer(self, f)
    }
}
