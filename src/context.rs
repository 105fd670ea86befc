//! Who asks, and whether they still want to know.

use std::fmt;

use crate::Errno;
use crate::Result;
use crate::SecurityContext;
use crate::raw::InterruptHook;

/// On whose behalf a request is made.
///
/// The ids are those of the process that made the system call, as seen from the mount's user and
/// pid namespaces. They mean nothing in `forget`, in writes out of the kernel's cache
/// ([`WriteBuf::is_from_cache`](crate::WriteBuf::is_from_cache)) and in readahead.
#[doc(alias = "fuse_ctx")]
pub struct RequestContext {
    /// User id, as for file access (fsuid).
    pub uid: u32,
    /// Group id, as for file access (fsgid).
    pub gid: u32,
    /// Thread id of the caller; 0 if it is in a pid namespace that this one does not see.
    pub pid: u32,
    /// The caller's umask. Valid in `create`, `mkdir` and `mknod`; 0 elsewhere.
    pub umask: u32,
    /// Whether this request must clear the set-user-id bit, and the set-group-id bit of a file that
    /// its group may execute, since the caller has no `CAP_FSETID`:
    ///
    /// - a `write` to a file that was opened with [`direct_io`](crate::FileInfo::direct_io), with any
    ///   capabilities. Before other writes the kernel sends a `setattr`;
    /// - with [`Capabilities::HANDLE_KILLPRIV_V2`](crate::Capabilities::HANDLE_KILLPRIV_V2) all writes, and
    ///   `open` and `create` with [`OpenFlags::TRUNC`](crate::OpenFlags::TRUNC). In `setattr`,
    ///   [`SetattrFields::kill_suid`](crate::SetattrFields::kill_suid) says it;
    /// - with the same capability each `fallocate` and `copy_file_range`; with
    ///   [`Capabilities::ATOMIC_O_TRUNC`](crate::Capabilities::ATOMIC_O_TRUNC) but without that capability each
    ///   `open` with that flag: the kernel does not say whether the caller has the privilege.
    ///
    /// If a handler ignores this, a program keeps rights that it must not have. The kernel keeps the mode that
    /// it has cached: return an `attr_timeout` of zero for files with these bits, or drop the mode with
    /// [`Notifier::invalidate_inode`](crate::Notifier::invalidate_inode).
    ///
    /// The library reads this out of the request. In a session that C runs it cannot do so for a write that was
    /// received into a pipe, nor for `open` and `create` with libfuse before 3.18.3: then this is true for each
    /// of them.
    pub kill_suidgid: bool,
    pub(crate) interrupt: InterruptHook,
}

impl RequestContext {
    /// A context without a request behind it, for tests that call handlers themselves. It is never
    /// interrupted.
    ///
    /// ```
    /// let ctx = libfuse3::RequestContext::detached(1000, 1000, 1);
    /// assert!(!ctx.is_interrupted());
    /// ```
    #[must_use]
    pub fn detached(uid: u32, gid: u32, pid: u32) -> Self {
        Self {
            uid,
            gid,
            pid,
            umask: 0o022,
            kill_suidgid: false,
            interrupt: InterruptHook::detached(),
        }
    }

    /// Whether the caller has been interrupted by a signal and waits for an answer only to return
    /// `EINTR`.
    #[doc(alias = "fuse_req_interrupted")]
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.interrupt.is_interrupted()
    }

    /// Waits until the caller is interrupted; for ever if it never is.
    ///
    /// The interruption cancels nothing by itself: race it against the work and answer
    /// [`Errno::EINTR`], or what has been done so far. Mind that some programs
    /// are interrupted all the time (timers, the runtime of Go) and expect the call to go on unless
    /// it would wait for long.
    ///
    /// ```
    /// use futures::future::{Either, select};
    /// use libfuse3::{Errno, RequestContext, Result};
    ///
    /// async fn fetch() -> Vec<u8> { Vec::new() }
    ///
    /// async fn fetch_unless_interrupted(ctx: &RequestContext) -> Result<Vec<u8>> {
    ///     let work = std::pin::pin!(fetch());
    ///     match select(work, std::pin::pin!(ctx.interrupted())).await {
    ///         Either::Left((bytes, _)) => Ok(bytes),
    ///         Either::Right(((), _)) => Err(Errno::EINTR),
    ///     }
    /// }
    /// ```
    #[doc(alias = "fuse_req_interrupt_func")]
    pub async fn interrupted(&self) {
        self.interrupt.interrupted().await;
    }
}

impl RequestContext {
    /// The supplementary groups of the caller, as the system's tables have them now.
    ///
    /// [`Errno::EIO`] if the caller is gone, or in a pid namespace that this one does not see. libfuse
    /// reads a small file of `/proc`, which takes some microseconds and waits for nobody.
    #[doc(alias = "fuse_req_getgroups")]
    #[doc(alias = "get_sup_groups")]
    pub fn groups(&self) -> Result<Vec<u32>> {
        self.interrupt.groups().unwrap_or_else(|| {
            let groups = crate::get_sup_groups(self.pid).map_err(|_| Errno::EIO)?;
            Ok(groups.into_iter().collect())
        })
    }

    /// The security contexts that a new file shall have, from `create`, `tmpfile`, `mkdir`, `mknod` or
    /// `symlink` on: extended attributes, such as `security.selinux`, that the file system sets on it
    /// in the same step.
    ///
    /// None in other requests, nor without
    /// [`Capabilities::SECURITY_CTX`](crate::Capabilities::SECURITY_CTX), which libfuse has since 3.19.
    #[doc(alias = "fuse_req_secctx_count")]
    #[doc(alias = "fuse_req_secctx_reset")]
    #[doc(alias = "fuse_req_secctx_next")]
    #[must_use]
    pub fn security_contexts(&self) -> Vec<SecurityContext> {
        self.interrupt.security_contexts()
    }

    /// libfuse's own request, for its functions that this library does not have; NULL for one that is
    /// [`detached`](Self::detached).
    ///
    /// Valid as long as this context is borrowed. It must not be answered, and no function be
    /// registered for its interruption: that is this library's to do. The pointer is not `Send`: use it
    /// between two `.await`s.
    ///
    /// ```
    /// use libfuse3::{RequestContext, sys};
    ///
    /// fn gid_of(ctx: &RequestContext) -> u32 {
    ///     let req = ctx.as_raw();
    ///     assert!(!req.is_null());
    ///     // SAFETY: the request is valid while its context is borrowed.
    ///     unsafe { (*sys::fuse_req_ctx(req)).gid }
    /// }
    /// ```
    #[doc(alias = "fuse_req_t")]
    #[must_use]
    pub fn as_raw(&self) -> crate::sys::fuse_req_t {
        self.interrupt.as_ptr()
    }
}

impl fmt::Debug for RequestContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestContext")
            .field("uid", &self.uid)
            .field("gid", &self.gid)
            .field("pid", &self.pid)
            .field("umask", &format_args!("{:#o}", self.umask))
            .field("kill_suidgid", &self.kill_suidgid)
            .finish_non_exhaustive()
    }
}
