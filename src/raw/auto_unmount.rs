//! The `fusermount3` that stays for the option `auto_unmount`, until its socket is closed.
//!
//! libfuse keeps this process's end of the socket open to the end of the process, and forgets both its
//! number and the child. A program that is started meanwhile inherits it, so that the mount stays when this
//! process is killed. And each mount and unmount leaves a descriptor, a process, and at the end of this
//! process a message that there is nothing to unmount.

use std::ffi::c_int;
use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::os::fd::FromRawFd;
use std::os::fd::OwnedFd;
use std::os::fd::RawFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::fs::MetadataExt;
use std::ptr;

use super::sys::check;
use crate::logging;

/// How long fusermount3 may take to exit, in milliseconds.
const PATIENCE: c_int = 2000;

/// A `fusermount3` that waits for the end of this process. libfuse may have tried more than once: then
/// there are remains of the others, too.
#[derive(Debug)]
pub(super) struct AutoUnmount {
    /// libfuse's; they stay open unless [`end`](Self::end) is called.
    sockets: Vec<RawFd>,
    /// Descriptors of the child processes, as far as they could be found.
    children: Vec<OwnedFd>,
}

/// Calls `mount`, which has libfuse mount with `auto_unmount`, and finds what libfuse leaves behind. The
/// caller holds the lock for mounting.
pub(super) fn watch<R>(mount: impl FnOnce() -> R) -> (R, Option<AutoUnmount>) {
    let before = remains();
    let result = mount();
    let found = before.and_then(|before| find(&before));
    let found = found.inspect_err(|error| {
        logging::warn!("programs that are started from here on keep fusermount3 alive: {error}");
    });
    (result, found.ok())
}

/// The sockets of this process and the children of this thread.
struct Remains {
    /// Descriptor and inode number.
    sockets: Vec<(RawFd, u64)>,
    /// `None` if the kernel does not tell.
    children: Option<Vec<libc::pid_t>>,
}

fn remains() -> io::Result<Remains> {
    Ok(Remains {
        sockets: sockets()?,
        children: children().ok(),
    })
}

/// What libfuse has left since then: one end of a socket pair for each child.
///
/// Those of libfuse are among the new ends, whatever other threads do. So they are all of the new ones, if
/// there are not more of these than of libfuse's children; which this thread has started.
fn find(before: &Remains) -> io::Result<AutoUnmount> {
    let now = remains()?;
    let is_new = |inode| before.sockets.iter().all(|(_, known)| *known != inode);
    let sockets = now.sockets.into_iter();
    let sockets = sockets.filter(|(fd, inode)| is_new(*inode) && is_end_of_pair(*fd));
    let sockets: Vec<_> = sockets.map(|(fd, _)| fd).collect();
    let children = now.children.zip(before.children.as_ref());
    let children = children.map(|(now, before)| {
        let children = now.into_iter();
        let children = children.filter(|child| !before.contains(child));
        children.collect::<Vec<_>>()
    });
    if sockets.len() != children.as_ref().map_or(1, Vec::len) {
        let message = "its socket is not to be told apart from those of other threads";
        return Err(io::Error::other(message));
    }
    for socket in &sockets {
        // SAFETY: libfuse leaves the descriptor open.
        unsafe { libc::fcntl(*socket, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    let children = children.unwrap_or_default();
    let children = children.into_iter().flat_map(open_process).collect();
    Ok(AutoUnmount { sockets, children })
}

fn sockets() -> io::Result<Vec<(RawFd, u64)>> {
    let mut sockets = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")?.flatten() {
        let fd = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        if let (Some(fd), Ok(metadata)) = (fd, fs::metadata(entry.path()))
            && metadata.file_type().is_socket()
        {
            sockets.push((fd, metadata.ino()));
        }
    }
    Ok(sockets)
}

/// Whether the socket is what socketpair(2) has made in this process, as far as can be told.
fn is_end_of_pair(socket: RawFd) -> bool {
    let mut peer = libc::ucred {
        pid: 0,
        uid: 0,
        gid: 0,
    };
    let mut length = size_of_val(&peer) as libc::socklen_t;
    // SAFETY: there is room for the structure, whose size is given.
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

/// A descriptor of the child, which stands for no other process even when the child is gone.
fn open_process(child: libc::pid_t) -> io::Result<OwnedFd> {
    // SAFETY: no preconditions.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, child, 0) };
    let fd = check(fd as isize)? as RawFd;
    // SAFETY: the system has just opened it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

impl AutoUnmount {
    /// Lets fusermount3 exit, and waits for it. It unmounts before, unless that has been done.
    pub(super) fn end(self, is_unmounted: bool) {
        if is_unmounted {
            // Otherwise it looks for the mount, and complains.
            self.children.iter().for_each(kill);
        }
        for socket in self.sockets {
            // SAFETY: libfuse has left it open, and does not use it any more.
            unsafe { libc::close(socket) };
        }
        self.children.iter().for_each(wait);
    }
}

fn kill(process: &OwnedFd) {
    let info = ptr::null::<libc::siginfo_t>();
    let fd = process.as_raw_fd();
    // SAFETY: the descriptor is open, and the information on the signal may be left out.
    unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, libc::SIGKILL, info, 0) };
}

/// Waits until the process has exited, for a while, and takes note of it.
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
    // This fails after the session has gone into the background: it is no child of that process.
    // SAFETY: the descriptor is open, and the information may be left out.
    unsafe { libc::waitid(libc::P_PIDFD, fd as libc::id_t, ptr::null_mut(), options) };
}
