//! What the kernel offers at the start of a session, and what the file system asks for.

use std::time::Duration;

use bitflags::bitflags;

use crate::Errno;
use crate::Result;

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
        /// ([`Data::from_fd`](crate::Data::from_fd)).
        #[doc(alias = "FUSE_CAP_SPLICE_WRITE")]
        const SPLICE_WRITE = 1 << 7;
        /// Spliced pages may be moved instead of copied.
        #[doc(alias = "FUSE_CAP_SPLICE_MOVE")]
        const SPLICE_MOVE = 1 << 8;
        /// libfuse may splice requests out of the device. Of no use to this library, which receives
        /// into memory.
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
        /// [`ENABLE_WRITEBACK_CACHE`](crate::Operations::ENABLE_WRITEBACK_CACHE).
        #[doc(alias = "FUSE_CAP_WRITEBACK_CACHE")]
        const WRITEBACK_CACHE = 1 << 16;
        /// The kernel can do without `open`.
        #[doc(alias = "FUSE_CAP_NO_OPEN_SUPPORT")]
        const NO_OPEN_SUPPORT = 1 << 17;
        /// Several lookups and readdirs in one directory may be in flight at once. On by default.
        ///
        /// libfuse before 3.17 does not pass this wish on to the kernel; from 3.13 on this library
        /// does it in its place, before that such requests come one after the other.
        #[doc(alias = "FUSE_CAP_PARALLEL_DIROPS")]
        const PARALLEL_DIROPS = 1 << 18;
        /// The kernel enforces the access control lists that the file system stores. See
        /// [`ENABLE_ACL`](crate::Operations::ENABLE_ACL).
        #[doc(alias = "FUSE_CAP_POSIX_ACL")]
        const POSIX_ACL = 1 << 19;
        /// The file system clears set-user-id and set-group-id bits on `write`, `truncate` and
        /// `chown` by itself. Without it the kernel sends a `setattr`. No effect before libfuse
        /// 3.17.
        #[doc(alias = "FUSE_CAP_HANDLE_KILLPRIV")]
        const HANDLE_KILLPRIV = 1 << 20;
        /// As `HANDLE_KILLPRIV`, with the rules of version 2 of that. libfuse 3.17.
        #[doc(alias = "FUSE_CAP_HANDLE_KILLPRIV_V2")]
        const HANDLE_KILLPRIV_V2 = 1 << 21;
        /// The kernel caches the targets of symbolic links.
        #[doc(alias = "FUSE_CAP_CACHE_SYMLINKS")]
        const CACHE_SYMLINKS = 1 << 23;
        /// The kernel can do without `opendir`.
        #[doc(alias = "FUSE_CAP_NO_OPENDIR_SUPPORT")]
        const NO_OPENDIR_SUPPORT = 1 << 24;
        /// The kernel drops cached data only when told to.
        #[doc(alias = "FUSE_CAP_EXPLICIT_INVAL_DATA")]
        const EXPLICIT_INVAL_DATA = 1 << 25;
        /// An offer, not a wish: names can be made to expire
        /// ([`Notifier::expire_entry`](crate::Notifier::expire_entry)). libfuse 3.13, Linux 6.2.
        #[doc(alias = "FUSE_CAP_EXPIRE_ONLY")]
        const EXPIRE_ONLY = 1 << 26;
        const _ = !0;
    }
}

/// What this library can serve: the capabilities that have a name here.
const SERVED: Capabilities = Capabilities::named();

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

/// What the kernel said in INIT, and the answer to it.
///
/// Handed to [`Operations::init`](crate::Operations::init):
///
/// ```
/// use libfuse3::{Capabilities, ConnInfo, Operations, Result};
///
/// struct Fs;
///
/// impl Operations for Fs {
///     fn init(&self, conn: &mut ConnInfo) -> Result<()> {
///         if conn.capable().contains(Capabilities::CACHE_SYMLINKS) {
///             conn.want(Capabilities::CACHE_SYMLINKS)?;
///         }
///         conn.set_max_background(64);
///         Ok(())
///     }
/// }
/// ```
#[derive(Clone, Debug)]
#[doc(alias = "fuse_conn_info")]
pub struct ConnInfo {
    pub(crate) proto_major: u32,
    pub(crate) proto_minor: u32,
    pub(crate) capable: Capabilities,
    pub(crate) want: Capabilities,
    pub(crate) max_write: u32,
    pub(crate) max_readahead: u32,
    pub(crate) max_background: u32,
    pub(crate) congestion_threshold: u32,
    pub(crate) time_gran: u32,
}

impl ConnInfo {
    /// The version of the kernel's FUSE protocol, such as `(7, 38)`.
    #[must_use]
    pub fn protocol(&self) -> (u32, u32) {
        (self.proto_major, self.proto_minor)
    }

    /// What the kernel (and this libfuse) offers.
    #[must_use]
    pub fn capable(&self) -> Capabilities {
        self.capable
    }

    /// What is asked for so far.
    #[must_use]
    pub fn wanted(&self) -> Capabilities {
        self.want
    }

    /// Asks for capabilities.
    ///
    /// [`Errno::EOPNOTSUPP`], and a log line that names them, if one is not offered; none of them
    /// is asked for then.
    pub fn want(&mut self, capabilities: Capabilities) -> Result<()> {
        let missing = capabilities - self.capable;
        if !missing.is_empty() {
            log::error!("the kernel, or this libfuse, does not offer {missing:?}");
            return Err(Errno::EOPNOTSUPP);
        }
        self.want |= capabilities;
        Ok(())
    }

    /// Asks for those of the capabilities that are offered.
    pub fn want_if_capable(&mut self, capabilities: Capabilities) {
        self.want |= capabilities & self.capable & SERVED;
    }

    /// Does without capabilities that are on by default.
    pub fn unwant(&mut self, capabilities: Capabilities) {
        self.want -= capabilities;
    }

    /// Largest write, in bytes.
    #[must_use]
    pub fn max_write(&self) -> u32 {
        self.max_write
    }

    /// Sets the largest write, in bytes: at most the value before (256 pages), at least one page.
    pub fn set_max_write(&mut self, bytes: u32) {
        self.max_write = bytes.clamp(4096, self.max_write.max(4096));
    }

    /// How far the kernel reads ahead at most, in bytes.
    #[must_use]
    pub fn max_readahead(&self) -> u32 {
        self.max_readahead
    }

    /// Sets how far the kernel reads ahead, in bytes: at most the value before.
    pub fn set_max_readahead(&mut self, bytes: u32) {
        self.max_readahead = bytes.min(self.max_readahead);
    }

    /// How many background requests (readahead, writeback, asynchronous I/O) the kernel keeps in
    /// flight; 0 for its own default, 12.
    #[must_use]
    pub fn max_background(&self) -> u32 {
        self.max_background
    }

    /// Sets the number of background requests, at most 65535.
    pub fn set_max_background(&mut self, requests: u32) {
        self.max_background = requests.min(u32::from(u16::MAX));
    }

    /// From how many background requests on the kernel takes the file system for congested; 0 for
    /// three quarters of [`max_background`](Self::max_background).
    #[must_use]
    pub fn congestion_threshold(&self) -> u32 {
        self.congestion_threshold
    }

    /// Sets the number of background requests from which on the file system is congested.
    pub fn set_congestion_threshold(&mut self, requests: u32) {
        self.congestion_threshold = requests.min(u32::from(u16::MAX));
    }

    /// The step in which the file system keeps times; the kernel rounds to it where it sets times.
    #[must_use]
    pub fn time_granularity(&self) -> Duration {
        Duration::from_nanos(u64::from(self.time_gran))
    }

    /// Sets the step in which the file system keeps times: a power of ten, one nanosecond to one
    /// second.
    #[doc(alias = "time_gran")]
    pub fn set_time_granularity(&mut self, step: Duration) -> Result<()> {
        let nanos = u32::try_from(step.as_nanos()).map_err(|_| Errno::EINVAL)?;
        let power_of_ten = (0..=9).any(|exponent| 10_u32.pow(exponent) == nanos);
        if !power_of_ten {
            return Err(Errno::EINVAL);
        }
        self.time_gran = nanos;
        Ok(())
    }

    /// The defaults of this library on what libfuse proposes: nothing that changes what handlers
    /// see, but for what the file system's constants ask for.
    pub(crate) fn apply_defaults(&mut self, dot_lookup: bool, writeback: bool, acl: bool) {
        self.want = Capabilities::empty();
        self.want_if_capable(
            Capabilities::ASYNC_READ
                | Capabilities::AUTO_INVAL_DATA
                | Capabilities::ASYNC_DIO
                | Capabilities::PARALLEL_DIROPS
                | Capabilities::READDIRPLUS,
        );
        for (asked, capability) in [
            (dot_lookup, Capabilities::EXPORT_SUPPORT),
            (writeback, Capabilities::WRITEBACK_CACHE),
            (acl, Capabilities::POSIX_ACL),
        ] {
            if asked {
                self.want_if_capable(capability);
            }
        }
    }
}
