//! The `fusermount3` process of the option `auto_unmount`: it unmounts when its socket is closed.
//!
//! libfuse keeps this process's end of the socket open until the process ends, and forgets both the
//! descriptor and the child process. A program that this process starts inherits the descriptor: the mount
//! stays when this process is killed. Each mount and unmount leaves a descriptor, a process, and at the end
//! of this process a message that nothing is mounted.

use std::ffi::c_int;
use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::os::fd::FromRawFd;
use std::os::fd::OwnedFd;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::ptr;

use super::sys::check;
use crate::logging;

/// How long fusermount3 may take to exit, in milliseconds.
const PATIENCE: c_int = 2000;

/// The `fusermount3` processes that wait for the end of this process: one, and one more for each failed
/// attempt of libfuse to mount.
#[derive(Debug)]
pub(super) struct AutoUnmount {
    /// Sockets that libfuse has left open; [`end`](Self::end) closes them.
    sockets: Vec<RawFd>,
    /// Descriptors of the child processes (`pidfd_open`); none where the kernel does not list children.
    children: Vec<OwnedFd>,
}

/// Calls `mount`, which mounts with `auto_unmount`, and finds the sockets and processes that libfuse leaves
/// behind. The caller holds the lock for mounting.
pub(super) fn watch<R>(mount: impl FnOnce() -> R) -> (R, Option<AutoUnmount>) {
    let before = remains();
    let result = mount();
    let found = before.and_then(|before| find(&before));
    let found = found.inspect_err(|error| {
        logging::warn!(
            "auto_unmount: while a program that this process starts runs, the mount stays if this process is \
             killed: {error}"
        );
    });
    (result, found.ok())
}

/// The sockets of this process and the children of this thread.
struct Remains {
    sockets: Vec<(RawFd, Socket)>,
    /// `None` if the kernel does not list them.
    children: Option<Vec<libc::pid_t>>,
}

fn remains() -> io::Result<Remains> {
    Ok(Remains {
        sockets: sockets()?,
        children: children().ok(),
    })
}

/// Finds the sockets and processes that libfuse has left since `before`: one end of a socket pair for each
/// child of this thread.
///
/// The new sockets include libfuse's, and may include those of other threads. If there are as many as new
/// children, all of them are libfuse's.
fn find(before: &Remains) -> io::Result<AutoUnmount> {
    let now = remains()?;
    let is_new = |socket: &Socket| before.sockets.iter().all(|(_, known)| known != socket);
    let sockets = now.sockets.into_iter();
    let sockets = sockets.filter(|(fd, socket)| is_new(socket) && is_end_of_pair(*fd));
    let sockets: Vec<_> = sockets.map(|(fd, _)| fd).collect();
    let children = now.children.zip(before.children.as_ref());
    let children = children.map(|(now, before)| {
        let children = now.into_iter();
        let children = children.filter(|child| !before.contains(child));
        children.collect::<Vec<_>>()
    });
    if sockets.len() != children.as_ref().map_or(1, Vec::len) {
        let message = "its socket cannot be told from those that other threads have opened";
        return Err(io::Error::other(message));
    }
    for socket in &sockets {
        // SAFETY: no preconditions; libfuse leaves the descriptor open.
        unsafe { libc::fcntl(*socket, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    let children = children.unwrap_or_default();
    let children = children.into_iter().flat_map(open_process).collect();
    Ok(AutoUnmount { sockets, children })
}

/// A socket as /proc shows it, which tells it from all others: `socket:[N]`.
type Socket = PathBuf;

/// The sockets of this process. stat(2) would send a request to the file system of an open file, which may
/// not be running; readlink(2) does not.
fn sockets() -> io::Result<Vec<(RawFd, Socket)>> {
    let mut sockets = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")?.flatten() {
        let fd = entry.file_name();
        let fd = fd.to_str().and_then(|name| name.parse().ok());
        if let (Some(fd), Ok(target)) = (fd, fs::read_link(entry.path()))
            && target.as_os_str().as_bytes().starts_with(b"socket:")
        {
            sockets.push((fd, target));
        }
    }
    Ok(sockets)
}

/// Whether socketpair(2) has made this socket in this process: the kernel names the process as the peer.
fn is_end_of_pair(socket: RawFd) -> bool {
    let mut peer = libc::ucred {
        pid: 0,
        uid: 0,
        gid: 0,
    };
    let mut length = size_of_val(&peer) as libc::socklen_t;
    // SAFETY: `peer` has room for `length` bytes.
    let result = unsafe {
        libc::getsockopt(
            socket,
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            ptr::from_mut(&mut peer).cast(),
            &mut length,
        )
    };
    result == 0 && u32::try_from(peer.pid) == Ok(std::process::id())
}

fn children() -> io::Result<Vec<libc::pid_t>> {
    let children = fs::read_to_string("/proc/thread-self/children")?;
    let children = children.split_whitespace().flat_map(str::parse);
    Ok(children.collect())
}

/// Opens a descriptor of the child, which stays the child's when its number is used again.
fn open_process(child: libc::pid_t) -> io::Result<OwnedFd> {
    // SAFETY: no preconditions.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, child, 0) };
    let fd = check(fd as isize)? as RawFd;
    // SAFETY: the kernel has just opened the descriptor, which has no other owner.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

impl AutoUnmount {
    /// Ends fusermount3, and waits for its exit. Unless `is_unmounted`, it unmounts first.
    pub(super) fn end(self, is_unmounted: bool) {
        if is_unmounted {
            // If its socket were closed first, it would complain that nothing is mounted.
            self.children.iter().for_each(kill);
        }
        for socket in self.sockets {
            // SAFETY: libfuse has left the descriptor open, and has forgotten it (lib/mount.c).
            unsafe { libc::close(socket) };
        }
        self.children.iter().for_each(wait);
    }
}

fn kill(process: &OwnedFd) {
    let info = ptr::null::<libc::siginfo_t>();
    let fd = process.as_raw_fd();
    // SAFETY: the descriptor is open, and pidfd_send_signal(2) takes NULL for the information.
    unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, libc::SIGKILL, info, 0) };
}

/// Waits until the process has exited, for up to [`PATIENCE`], and reaps it.
fn wait(process: &OwnedFd) {
    let fd = process.as_raw_fd();
    let mut poll = libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: `poll` is one valid element.
    unsafe { libc::poll(&mut poll, 1, PATIENCE) };
    let options = libc::WEXITED | libc::WNOHANG;
    // Fails in a session that has gone into the background: the process is a child of its parent.
    // SAFETY: the descriptor is open, and waitid(2) takes NULL for the information.
    unsafe { libc::waitid(libc::P_PIDFD, fd as libc::id_t, ptr::null_mut(), options) };
}
