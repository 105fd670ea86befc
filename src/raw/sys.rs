//! System calls that the standard library does not have.

use std::ffi::CStr;
use std::io;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;
#[cfg(feature = "testing")]
use std::os::fd::FromRawFd;
use std::os::fd::OwnedFd;
use std::os::fd::RawFd;
use std::sync::OnceLock;

use crate::logging;

pub(super) fn check(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// What a C function leaves behind that fails.
pub(super) fn set_errno(number: i32) {
    // SAFETY: no preconditions.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: it is this thread's own.
    unsafe { *place = number };
}

/// The write end of a pipe that nothing reads from: poll(2) reports `POLLERR` for it, as it does for a
/// `/dev/fuse` whose connection has ended. One for the process, opened by the first session: the end of
/// a session must not depend on a free descriptor.
pub(super) fn disconnected_descriptor() -> io::Result<&'static OwnedFd> {
    static DESCRIPTOR: OnceLock<OwnedFd> = OnceLock::new();
    if let Some(descriptor) = DESCRIPTOR.get() {
        return Ok(descriptor);
    }
    let (_, write_end) = io::pipe()?;
    Ok(DESCRIPTOR.get_or_init(|| write_end.into()))
}

/// Closes this descriptor, but keeps its number in use: libfuse closes the number later, and must not
/// close a descriptor of another part of the program. Does nothing if the number is negative.
///
/// The caller makes sure that no thread uses the descriptor any more.
pub(super) fn close_but_keep_number(fd: RawFd) {
    if fd < 0 {
        return;
    }
    let disconnected = match disconnected_descriptor() {
        Ok(disconnected) => disconnected.as_raw_fd(),
        Err(error) => return logging::error!("cannot close descriptor {fd}: {error}"),
    };
    // SAFETY: both are open, and `fd` is a descriptor of the session, which is no longer used.
    let result = unsafe { libc::dup3(disconnected, fd, libc::O_CLOEXEC) };
    if let Err(error) = check(result as isize) {
        // The limit has been lowered below the number. libfuse closes it when it destroys the session.
        logging::debug!("descriptor {fd} stays open: {error}");
    }
}

/// Whether a descriptor of this number is open, of /dev/fuse, and so one that a session may have. From
/// here on no child inherits it, which would keep the connection alive.
pub(crate) fn take_fuse_device(fd: RawFd) -> Result<(), String> {
    let mut stat = MaybeUninit::uninit();
    // SAFETY: there is room for the structure; if the number is not that of a descriptor, that is an
    // error.
    if unsafe { libc::fstat(fd, stat.as_mut_ptr()) } != 0 {
        return Err(format!("descriptor {fd} is not open"));
    }
    // SAFETY: fstat(2) has filled it.
    let stat: libc::stat = unsafe { stat.assume_init() };
    if stat.st_mode & libc::S_IFMT != libc::S_IFCHR || stat.st_rdev != fuse_device_number() {
        return Err(format!("descriptor {fd} is not one of /dev/fuse"));
    }
    // SAFETY: the descriptor is open.
    unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    Ok(())
}

/// The number of the device /dev/fuse.
pub(crate) fn fuse_device_number() -> libc::dev_t {
    libc::makedev(10, 229)
}

pub(crate) fn umount2(path: &CStr, flags: i32) -> io::Result<()> {
    // SAFETY: the path is NUL-terminated.
    let result = unsafe { libc::umount2(path.as_ptr(), flags) };
    check(result as isize).map(drop)
}

/// Changes the flags of the mount on this path.
pub(crate) fn remount(path: &CStr, flags: libc::c_ulong) -> io::Result<()> {
    let none = std::ptr::null();
    let flags = flags | libc::MS_REMOUNT;
    // SAFETY: the path is NUL-terminated; the kernel takes no source, type or data for a remount.
    let result = unsafe { libc::mount(none, path.as_ptr(), none, flags, none.cast()) };
    check(result as isize).map(drop)
}

/// The user and group that system calls of this thread are checked for.
pub(crate) fn effective_ids() -> (u32, u32) {
    // SAFETY: no preconditions.
    (geteuid(), unsafe { libc::getegid() })
}

pub(crate) fn geteuid() -> u32 {
    // SAFETY: no preconditions.
    unsafe { libc::geteuid() }
}

#[cfg(feature = "testing")]
pub(crate) fn getegid() -> u32 {
    // SAFETY: no preconditions.
    unsafe { libc::getegid() }
}

/// Two ends of a connection over which each message is a packet.
#[cfg(feature = "testing")]
pub(crate) fn packet_socket_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds = [-1; 2];
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
    // SAFETY: there is room for two descriptors.
    let result = unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, fds.as_mut_ptr()) };
    check(result as isize)?;
    let [one, other] = fds.map(|fd| {
        // SAFETY: the descriptor is new, and nobody else's.
        unsafe { OwnedFd::from_raw_fd(fd) }
    });
    Ok((one, other))
}

/// Whether the effective user may access the path in this way.
pub(crate) fn may_access(path: &CStr, mode: i32) -> io::Result<()> {
    // SAFETY: the path is NUL-terminated.
    let result = unsafe { libc::faccessat(libc::AT_FDCWD, path.as_ptr(), mode, libc::AT_EACCESS) };
    check(result as isize).map(drop)
}

/// The mount on a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MountedAt {
    /// Major and minor number of the file system's device.
    pub(crate) device: (u32, u32),
    /// A number that no other mount ever gets; `None` before Linux 6.8.
    pub(crate) unique_id: Option<u64>,
}

/// The topmost mount on the path. Sends no request to the file system there, and takes no descriptor.
///
/// Fails before Linux 5.8, which may send a request. `EACCES` may mean that the kernel does not let this user look
/// at the mount.
pub(crate) fn mounted_at(path: &CStr) -> io::Result<MountedAt> {
    /// `STATX_MNT_ID`.
    const MOUNT_ID: u32 = 0x1000;
    if statx(c"/", MOUNT_ID)?.mask & MOUNT_ID == 0 {
        return Err(io::ErrorKind::Unsupported.into());
    }
    // Linux 6.8 knows it, and older ones ignore it.
    const UNIQUE_MOUNT_ID: u32 = 0x4000;
    let found = statx(path, UNIQUE_MOUNT_ID)?;
    Ok(MountedAt {
        device: (found.device_major, found.device_minor),
        unique_id: (found.mask & UNIQUE_MOUNT_ID != 0).then_some(found.mount_id),
    })
}

/// `struct statx`, as far as it matters here.
#[repr(C)]
struct Statx {
    mask: u32,
    unused: [u32; 33],
    device_major: u32,
    device_minor: u32,
    mount_id: u64,
    spare: [u64; 13],
}

fn statx(path: &CStr, mask: u32) -> io::Result<Statx> {
    let mut statx = MaybeUninit::<Statx>::zeroed();
    // SAFETY: the path is NUL-terminated, and there is room for the 256 bytes of a `struct statx`.
    let result = unsafe {
        libc::syscall(
            libc::SYS_statx,
            libc::AT_FDCWD,
            path.as_ptr(),
            libc::AT_STATX_DONT_SYNC | libc::AT_SYMLINK_NOFOLLOW | libc::AT_NO_AUTOMOUNT,
            mask,
            statx.as_mut_ptr(),
        )
    };
    check(result as isize)?;
    // SAFETY: every member is a number, which is zero unless the kernel has set it.
    Ok(unsafe { statx.assume_init() })
}

pub(crate) fn syncfs(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the descriptor is open.
    let result = unsafe { libc::syncfs(fd.as_raw_fd()) };
    check(result as isize).map(drop)
}

pub(crate) fn setxattr(path: &CStr, name: &CStr, value: &[u8]) -> io::Result<()> {
    // SAFETY: path and name are NUL-terminated, and `value` has the length given.
    let result = unsafe {
        libc::setxattr(
            path.as_ptr(),
            name.as_ptr(),
            value.as_ptr().cast(),
            value.len(),
            0,
        )
    };
    check(result as isize).map(drop)
}

/// Number of bytes of the value; with an empty `value`, that would be needed.
pub(crate) fn getxattr(path: &CStr, name: &CStr, value: &mut [u8]) -> io::Result<usize> {
    // SAFETY: path and name are NUL-terminated, and `value` has room for the length given.
    let result = unsafe {
        libc::getxattr(
            path.as_ptr(),
            name.as_ptr(),
            value.as_mut_ptr().cast(),
            value.len(),
        )
    };
    check(result)
}

/// Signals that this thread does not receive: they wait until this is dropped.
#[must_use = "they are received again when this is dropped"]
pub(crate) struct BlockedSignals {
    before: libc::sigset_t,
    /// Bound to the thread.
    not_send: PhantomData<*const ()>,
}

/// Blocks these signals for this thread, and for those that it starts meanwhile.
pub(crate) fn block_signals(signals: &[i32]) -> io::Result<BlockedSignals> {
    let set = signal_set(signals)?;
    let mut before = MaybeUninit::uninit();
    // SAFETY: both are sets, the first initialized, the second to be.
    let result = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &set, before.as_mut_ptr()) };
    if result != 0 {
        return Err(io::Error::from_raw_os_error(result));
    }
    Ok(BlockedSignals {
        // SAFETY: pthread_sigmask(3) has initialized it.
        before: unsafe { before.assume_init() },
        not_send: PhantomData,
    })
}

fn signal_set(signals: &[i32]) -> io::Result<libc::sigset_t> {
    let mut set = MaybeUninit::uninit();
    // SAFETY: there is room for a set.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    for signal in signals {
        // SAFETY: the set has been initialized.
        check(unsafe { libc::sigaddset(set.as_mut_ptr(), *signal) } as isize)?;
    }
    // SAFETY: sigemptyset(3) has initialized it.
    Ok(unsafe { set.assume_init() })
}

/// Calls `call`. A write to a descriptor that nothing reads from raises no `SIGPIPE` meanwhile, which would
/// end a program that neither ignores nor handles it.
pub(super) fn without_sigpipe(call: impl FnOnce()) -> io::Result<()> {
    let _blocked = block_signals(&[libc::SIGPIPE])?;
    let mut pending = signal_set(&[])?;
    // SAFETY: there is room for a set.
    unsafe { libc::sigpending(&mut pending) };
    // SAFETY: the set is initialized.
    let is_pending = unsafe { libc::sigismember(&pending, libc::SIGPIPE) } == 1;
    call();
    if !is_pending {
        // write(2) raises it for the thread that calls it, so that this thread can take it back.
        let set = signal_set(&[libc::SIGPIPE])?;
        // SAFETY: all-zero is a valid `struct timespec`: no time.
        let at_once = unsafe { std::mem::zeroed() };
        // SAFETY: the set and the time are initialized, and sigtimedwait(2) takes NULL for the information.
        unsafe { libc::sigtimedwait(&set, std::ptr::null_mut(), &at_once) };
    }
    Ok(())
}

impl Drop for BlockedSignals {
    fn drop(&mut self) {
        let unused = std::ptr::null_mut();
        // SAFETY: the set is one that pthread_sigmask(3) has returned.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.before, unused) };
    }
}
