//! `fuse_req_t`: one request, answered exactly once.

use std::alloc::Layout;
use std::ffi::CStr;
use std::mem;
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;
use std::ptr;
use std::ptr::NonNull;
use std::sync::Arc;

use libfuse_sys as sys;

use super::bufvec;
use super::inbox::Inbox;
use super::interrupt::InterruptHook;
use super::lend::Lent;
use super::lock;
use super::memory::Purpose;
use super::ret;
use super::session::RawSession;
use crate::Errno;
use crate::FileLock;
use crate::IoctlRange;
use crate::PollEvents;
use crate::RequestContext;
use crate::Result;
use crate::StatvfsData;
use crate::message::Operation;
use crate::request::RequestInfo;

/// A request that waits for its answer. Each `reply_` method gives the answer; the error it returns
/// is the kernel's refusal of it, after which the request is gone all the same.
///
/// A pointer, since it is moved often.
///
/// # Invariants
///
/// The pointer is to a valid value, owned by this one, in memory for requests. `req` in it is an
/// unanswered request of `session`, and this value is the only one that may answer it.
pub(crate) struct RawRequest(NonNull<State>);

struct State {
    req: Option<NonNull<sys::fuse_req>>,
    /// Until its handler gets it.
    operation: Option<Operation>,
    session: Lent<Arc<RawSession>>,
    context: RequestContext,
    info: RequestInfo,
}

/// More is an allocation for each request.
const _: () = assert!(Purpose::REQUEST.suffices(Layout::new::<State>()));

/// What the compiler cannot see through the pointers.
const _: () = {
    const fn may_be_shared<T: Send + Sync>() {}
    may_be_shared::<Operation>();
    may_be_shared::<Lent<Arc<RawSession>>>();
    may_be_shared::<RequestContext>();
    may_be_shared::<RequestInfo>();
};

// SAFETY: it owns the state, all of which may be sent, as is checked above. libfuse lets any thread answer a request, at any time after the callback
// got it (fuse_lowlevel.h, "fuse_reply_*"), and `session` keeps the session alive until then.
unsafe impl Send for RawRequest {}
// SAFETY: a shared reference gives access to what is checked above, and not to the `req`.
unsafe impl Sync for RawRequest {}

impl RawRequest {
    /// Takes charge of a request.
    ///
    /// # Safety
    ///
    /// - `req` was given to a callback, which has not answered it and will not.
    #[inline(always)] // What the request is about is known in each callback.
    pub(super) unsafe fn new(req: sys::fuse_req_t, operation: Operation) -> Self {
        let session = match Inbox::current() {
            Some(inbox) => inbox.keep_session(),
            // SAFETY: guaranteed by the caller, see above.
            None => unsafe { keep_session_of(req) },
        };
        // SAFETY: the request is unanswered.
        let ctx = unsafe { sys::fuse_req_ctx(req) };
        // SAFETY: libfuse's context of an unanswered request is valid.
        let ctx = unsafe { &*ctx };
        let req = NonNull::new(req).expect("libfuse never makes a request without one");
        let pid = ctx.pid.cast_unsigned();
        let place = Purpose::REQUEST.allocate(Layout::new::<State>()).cast();
        let state = State {
            req: Some(req),
            session,
            context: RequestContext {
                uid: ctx.uid,
                gid: ctx.gid,
                pid,
                umask: ctx.umask,
                kill_suidgid: false,
                interrupt: InterruptHook::new(req),
            },
            info: RequestInfo {
                kind: operation.kind(),
                inodes: operation.inodes(),
                uid: ctx.uid,
                pid,
            },
            operation: Some(operation),
        };
        // SAFETY: the memory has room for the value.
        unsafe { place.write(state) };
        // INVARIANT: allocated and written just now; the caller gives the request away.
        Self(place)
    }

    #[inline]
    fn state(&self) -> &State {
        // SAFETY: the value is valid, by the invariants.
        unsafe { self.0.as_ref() }
    }

    pub(crate) fn session(&self) -> &Arc<RawSession> {
        &self.state().session
    }

    /// Says in the context that set-user-id bits are to be cleared.
    #[cold]
    pub(super) fn set_kill_suidgid(&mut self) {
        // SAFETY: the value is valid and owned by this one, by the invariants.
        let state = unsafe { self.0.as_mut() };
        state.context.kill_suidgid = true;
    }

    /// What is asked for; `None` once it was taken.
    #[inline]
    pub(crate) fn operation(&self) -> Option<&Operation> {
        self.state().operation.as_ref()
    }

    #[inline]
    pub(crate) fn take_operation(&mut self) -> Option<Operation> {
        // SAFETY: the value is valid and owned by this one, by the invariants.
        let state = unsafe { self.0.as_mut() };
        state.operation.take()
    }

    /// Who made the request.
    #[inline]
    pub(crate) fn context(&self) -> &RequestContext {
        &self.state().context
    }

    #[inline]
    pub(crate) fn info(&self) -> &RequestInfo {
        &self.state().info
    }

    /// The request, for the one call that answers it.
    #[inline]
    fn answer(&mut self) -> sys::fuse_req_t {
        // SAFETY: the value is valid and owned by this one, by the invariants.
        let state = unsafe { self.0.as_mut() };
        state.context.interrupt.unregister();
        state.req.take().map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    #[cold]
    fn answer_unanswered(&mut self) {
        let errno = if self.context().is_interrupted() {
            Errno::EINTR
        } else {
            Errno::EIO
        };
        let req = self.answer();
        // SAFETY: the request is unanswered, by the invariants. Nobody is left to be told that the
        // kernel does not want the answer.
        unsafe { sys::fuse_reply_err(req, errno.raw()) };
    }

    pub(crate) fn reply_err(mut self, errno: Errno) -> Result<()> {
        let req = self.answer();
        // SAFETY: the request is unanswered, by the invariants, and the number a positive one.
        ret(unsafe { sys::fuse_reply_err(req, errno.raw()) })
    }

    /// Success without anything to say.
    pub(crate) fn reply_ok(mut self) -> Result<()> {
        let req = self.answer();
        // SAFETY: the request is unanswered, by the invariants.
        ret(unsafe { sys::fuse_reply_err(req, 0) })
    }

    #[cfg(libfuse_since = "3.18")]
    pub(crate) fn reply_statx(mut self, data: &crate::StatxData) -> Result<()> {
        let mut statx = statx(data);
        let mut timeout = data.attr.attr_timeout.as_secs_f64();
        if timeout >= u64::MAX as f64 {
            // libfuse takes the largest number of seconds for 0, and what is above for the largest.
            timeout = f64::INFINITY;
        }
        let req = self.answer();
        // SAFETY: the request is unanswered, by the invariants; libfuse copies `statx`.
        ret(unsafe { sys::fuse_reply_statx(req, 0, &mut statx, timeout) })
    }

    pub(crate) fn reply_readlink(mut self, target: &CStr) -> Result<()> {
        let req = self.answer();
        // SAFETY: the request is unanswered, by the invariants; the target is sent before the call
        // returns.
        ret(unsafe { sys::fuse_reply_readlink(req, target.as_ptr()) })
    }

    pub(crate) fn reply_buf(mut self, bytes: &[u8]) -> Result<()> {
        let req = self.answer();
        // SAFETY: the request is unanswered, by the invariants; the bytes are sent before the call
        // returns.
        ret(unsafe { sys::fuse_reply_buf(req, bytes.as_ptr().cast(), bytes.len()) })
    }

    /// Sends `len` bytes of an open file, spliced if that is agreed upon. May wait for the disk.
    pub(crate) fn reply_fd(
        mut self,
        fd: BorrowedFd<'_>,
        offset: u64,
        len: usize,
        splice: bool,
    ) -> Result<()> {
        let offset = i64::try_from(offset).unwrap_or(i64::MAX);
        let mut bufvec = bufvec::at(fd.as_raw_fd(), offset, len);
        let flags = match splice {
            true => sys::FUSE_BUF_SPLICE_MOVE,
            false => sys::FUSE_BUF_NO_SPLICE,
        };
        let req = self.answer();
        // SAFETY: the request is unanswered, by the invariants; the descriptor is open during the
        // call, after which libfuse has no more use for it.
        ret(unsafe { sys::fuse_reply_data(req, &mut bufvec, flags) })
    }

    pub(crate) fn reply_write(mut self, count: usize) -> Result<()> {
        let req = self.answer();
        // SAFETY: the request is unanswered, by the invariants.
        ret(unsafe { sys::fuse_reply_write(req, count) })
    }

    pub(crate) fn reply_lseek(mut self, offset: i64) -> Result<()> {
        let req = self.answer();
        // SAFETY: the request is unanswered, by the invariants.
        ret(unsafe { sys::fuse_reply_lseek(req, offset) })
    }

    pub(crate) fn reply_lock(mut self, lock: &FileLock) -> Result<()> {
        let flock = lock::to_c(lock);
        let req = self.answer();
        // SAFETY: the request is unanswered, by the invariants; libfuse copies the structure.
        ret(unsafe { sys::fuse_reply_lock(req, &flock) })
    }

    pub(crate) fn reply_ioctl(mut self, result: i32, output: &[u8]) -> Result<()> {
        let req = self.answer();
        // SAFETY: the request is unanswered, by the invariants; the bytes are sent before the call
        // returns.
        ret(unsafe { sys::fuse_reply_ioctl(req, result, output.as_ptr().cast(), output.len()) })
    }

    pub(crate) fn reply_ioctl_retry(
        mut self,
        input: &[IoctlRange],
        output: &[IoctlRange],
    ) -> Result<()> {
        let iovecs = |ranges: &[IoctlRange]| -> Vec<libc::iovec> {
            let ranges = ranges.iter();
            ranges
                .map(|range| libc::iovec {
                    iov_base: ptr::without_provenance_mut(range.address as usize),
                    iov_len: range.len,
                })
                .collect()
        };
        let (input, output) = (iovecs(input), iovecs(output));
        let req = self.answer();
        // SAFETY: the request is unanswered, by the invariants; libfuse copies the addresses, which
        // are the caller's, and does not look there.
        ret(unsafe {
            sys::fuse_reply_ioctl_retry(
                req,
                input.as_ptr(),
                input.len(),
                output.as_ptr(),
                output.len(),
            )
        })
    }

    pub(crate) fn reply_poll(mut self, events: PollEvents) -> Result<()> {
        let req = self.answer();
        // SAFETY: the request is unanswered, by the invariants.
        ret(unsafe { sys::fuse_reply_poll(req, events.bits()) })
    }

    pub(crate) fn reply_bmap(mut self, index: u64) -> Result<()> {
        let req = self.answer();
        // SAFETY: the request is unanswered, by the invariants.
        ret(unsafe { sys::fuse_reply_bmap(req, index) })
    }

    pub(crate) fn reply_xattr(mut self, size: usize) -> Result<()> {
        let req = self.answer();
        // SAFETY: the request is unanswered, by the invariants.
        ret(unsafe { sys::fuse_reply_xattr(req, size) })
    }

    pub(crate) fn reply_statfs(mut self, data: &StatvfsData) -> Result<()> {
        let statvfs = statvfs(data);
        let req = self.answer();
        // SAFETY: the request is unanswered, by the invariants; libfuse copies the structure.
        ret(unsafe { sys::fuse_reply_statfs(req, &statvfs) })
    }
}

/// Keeps the session of a request alive that came on a thread which is no reader of ours.
///
/// # Safety
///
/// - `req` was given to a callback, which runs.
#[cold]
unsafe fn keep_session_of(req: sys::fuse_req_t) -> Lent<Arc<RawSession>> {
    // SAFETY: guaranteed by the caller, see above.
    let session = unsafe { sys::fuse_req_userdata(req) }.cast::<RawSession>();
    // SAFETY: every session's userdata is the pointer to its `RawSession` in an Arc, which lives while
    // libfuse works on a request of it.
    unsafe { Arc::increment_strong_count(session) };
    // SAFETY: the count has just been raised for this one.
    Lent::by_nobody(unsafe { Arc::from_raw(session) })
}

impl Drop for RawRequest {
    #[inline]
    fn drop(&mut self) {
        if self.state().req.is_some() {
            self.answer_unanswered();
        }
        // SAFETY: the value is not used after this, the last use of `self`. Nothing in it panics when
        // it is dropped.
        unsafe { self.0.drop_in_place() };
        // SAFETY: `new` has allocated it so, and its value is gone.
        unsafe { Purpose::REQUEST.free(self.0.cast(), Layout::new::<State>()) };
    }
}

/// `StatxData` as `struct statx`.
#[cfg(libfuse_since = "3.18")]
fn statx(data: &crate::StatxData) -> libc::statx {
    let time = |time: crate::Timestamp| {
        // SAFETY: all-zero is a valid `struct statx_timestamp`.
        let mut statx_time: libc::statx_timestamp = unsafe { mem::zeroed() };
        statx_time.tv_sec = time.secs();
        statx_time.tv_nsec = time.subsec_nanos();
        statx_time
    };
    let attr = &data.attr;
    // SAFETY: all-zero is a valid `struct statx`.
    let mut statx: libc::statx = unsafe { mem::zeroed() };
    statx.stx_mask = libc::STATX_BASIC_STATS;
    statx.stx_blksize = attr.blksize;
    statx.stx_nlink = attr.nlink;
    statx.stx_uid = attr.uid;
    statx.stx_gid = attr.gid;
    // A file type and twelve bits of permissions.
    statx.stx_mode = attr.mode as u16;
    statx.stx_ino = attr.stat_ino.unwrap_or(attr.ino.raw());
    statx.stx_size = attr.size;
    statx.stx_blocks = attr.blocks;
    statx.stx_atime = time(attr.atime);
    statx.stx_mtime = time(attr.mtime);
    statx.stx_ctime = time(attr.ctime);
    statx.stx_rdev_major = libc::major(attr.rdev);
    statx.stx_rdev_minor = libc::minor(attr.rdev);
    if let Some(btime) = data.btime {
        statx.stx_mask |= libc::STATX_BTIME;
        statx.stx_btime = time(btime);
    }
    statx
}

#[allow(
    clippy::unnecessary_cast,
    reason = "the types differ between architectures"
)]
fn statvfs(data: &StatvfsData) -> libc::statvfs {
    // SAFETY: all-zero is a valid `struct statvfs`.
    let mut statvfs: libc::statvfs = unsafe { mem::zeroed() };
    statvfs.f_bsize = data.bsize as _;
    statvfs.f_frsize = data.frsize as _;
    statvfs.f_blocks = data.blocks;
    statvfs.f_bfree = data.bfree;
    statvfs.f_bavail = data.bavail;
    statvfs.f_files = data.files;
    statvfs.f_ffree = data.ffree;
    statvfs.f_favail = data.favail;
    statvfs.f_namemax = data.namemax as _;
    statvfs
}
