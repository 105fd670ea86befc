//! What the kernel offers at the start of a session, and what the file system asks for.

mod capabilities;

use std::fmt;
use std::time::Duration;

pub use self::capabilities::Capabilities;
use self::capabilities::SERVED;
use crate::Errno;
use crate::Result;
use crate::logging;

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
    /// 0: as much as the kernel likes.
    pub(crate) max_read: u32,
    pub(crate) max_backing_stack_depth: u32,
    pub(crate) no_interrupt: bool,
    /// In seconds; 0: none.
    pub(crate) request_timeout: u16,
    /// What was asked for in vain, for the message of the session's error.
    pub(crate) refused: Option<String>,
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
    /// [`Errno::EOPNOTSUPP`] if one is not offered; none of them is asked for then. A log line names
    /// it, and so does the error of the session if `init` returns this one
    /// ([`Error::NotOffered`](crate::Error::NotOffered)).
    pub fn want(&mut self, capabilities: Capabilities) -> Result<()> {
        let missing = capabilities - (self.capable & SERVED);
        if !missing.is_empty() {
            return self.refuse(missing);
        }
        self.want |= capabilities;
        Ok(())
    }

    fn refuse(&mut self, what: impl fmt::Display) -> Result<()> {
        let (major, minor) = self.protocol();
        let libfuse = crate::libfuse_version();
        logging::error!(
            "the kernel (protocol {major}.{minor}), or libfuse {libfuse}, does not offer {what}"
        );
        self.refused = Some(what.to_string());
        Err(Errno::EOPNOTSUPP)
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
    ///
    /// Multiples of a page make sense. It also limits what
    /// [`Notifier::retrieve`](crate::Notifier::retrieve) returns at a time.
    pub fn set_max_write(&mut self, bytes: u32) {
        self.max_write = bytes.clamp(4096, self.max_write.max(4096));
    }

    /// Largest read, in bytes; 0 for as much as the kernel likes. Set by the mount option
    /// [`max_read`](crate::MountOptions::max_read), since the kernel wants it that early.
    #[must_use]
    pub fn max_read(&self) -> u32 {
        self.max_read
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

    /// Sets the number of background requests, at most 65535; for a mount by an ordinary user, at most
    /// what `/sys/module/fuse/parameters/max_user_bgreq` says.
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
    ///
    /// At most [`max_background`](Self::max_background): without that, libfuse ignores it.
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

    /// On how many file systems a backing file for [`Capabilities::PASSTHROUGH`] may itself be stacked.
    #[must_use]
    pub fn max_backing_stack_depth(&self) -> u32 {
        self.max_backing_stack_depth
    }

    /// Sets how deep backing files may be stacked: 0, the default, for files of ordinary file systems;
    /// 1 also for those of overlayfs and the like, on top of which nothing else can be stacked then.
    ///
    /// [`Errno::EOPNOTSUPP`] before libfuse 3.17 and Linux 6.9, [`Errno::EINVAL`] for more than 1.
    #[doc(alias = "FUSE_BACKING_STACKED_UNDER")]
    #[doc(alias = "FUSE_BACKING_STACKED_OVER")]
    pub fn set_max_backing_stack_depth(&mut self, depth: u32) -> Result<()> {
        if !cfg!(libfuse_since = "3.17") || self.protocol() < (7, 40) {
            return self.refuse("max_backing_stack_depth");
        }
        if depth > 1 {
            return Err(Errno::EINVAL);
        }
        self.max_backing_stack_depth = depth;
        Ok(())
    }

    /// Whether the kernel shall keep interruptions to itself.
    #[must_use]
    pub fn no_interrupt(&self) -> bool {
        self.no_interrupt
    }

    /// Makes the kernel keep interruptions to itself, which saves libfuse a lock for each request:
    /// [`RequestContext::interrupted`](crate::RequestContext::interrupted) never comes then.
    ///
    /// The caller of a request that is interrupted waits on, unless it is killed.
    /// [`Errno::EOPNOTSUPP`] before libfuse 3.17.
    pub fn set_no_interrupt(&mut self, no_interrupt: bool) -> Result<()> {
        if !cfg!(libfuse_since = "3.17") && no_interrupt {
            return self.refuse("no_interrupt");
        }
        self.no_interrupt = no_interrupt;
        Ok(())
    }

    /// After which time without an answer the kernel aborts the connection; `None` for never.
    #[must_use]
    pub fn request_timeout(&self) -> Option<Duration> {
        (self.request_timeout > 0).then(|| Duration::from_secs(self.request_timeout.into()))
    }

    /// Has the kernel abort the connection when a request gets no answer in time: in seconds, 1 to
    /// 65535, rounded up. The kernel looks every 15 seconds, and takes less for that.
    ///
    /// All handlers count, those that wait for a lock or for another file system included.
    /// [`Errno::EOPNOTSUPP`] before libfuse 3.18 and Linux 6.15, [`Errno::EINVAL`] for what is no such
    /// time.
    pub fn set_request_timeout(&mut self, timeout: Duration) -> Result<()> {
        if !cfg!(libfuse_since = "3.18") || self.protocol() < (7, 43) {
            return self.refuse("request_timeout");
        }
        let rounded_up = timeout.as_nanos().div_ceil(1_000_000_000);
        let seconds = u16::try_from(rounded_up).map_err(|_| Errno::EINVAL)?;
        if seconds == 0 {
            return Err(Errno::EINVAL);
        }
        self.request_timeout = seconds;
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
