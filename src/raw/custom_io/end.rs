//! One end of a connection: a descriptor, and what can be done with it.

use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;
use std::os::fd::RawFd;

use crate::Errno;
use crate::raw::sys::fuse_device_number;

/// What comes and goes over a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// /dev/fuse itself.
    Device,
    /// A pipe, a terminal line: bytes.
    Stream,
    /// As above, with flags, and an end that can be declared.
    StreamSocket,
    /// A socket with one message at a time, whole or not at all.
    PacketSocket,
}

/// What `fd` is. Its mode must not be `unusable`.
pub(super) fn kind(fd: BorrowedFd<'_>, unusable: i32) -> Result<Kind, String> {
    let stat = status(fd).map_err(|errno| errno.to_string())?;
    let kind = match stat.st_mode & libc::S_IFMT {
        libc::S_IFSOCK => match socket_type(fd) {
            Some(libc::SOCK_STREAM) => Kind::StreamSocket,
            Some(libc::SOCK_SEQPACKET) => Kind::PacketSocket,
            _ => {
                return Err(
                    "a socket must be of type SOCK_STREAM or SOCK_SEQPACKET: others do not \
                            tell that the other side is gone"
                        .to_owned(),
                );
            }
        },
        libc::S_IFIFO => Kind::Stream,
        libc::S_IFCHR if stat.st_rdev == fuse_device_number() => Kind::Device,
        libc::S_IFCHR => Kind::Stream,
        _ => return Err("it must be a socket, a pipe, a character device or /dev/fuse".to_owned()),
    };
    // SAFETY: the descriptor is open.
    let flags = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) };
    match flags & libc::O_ACCMODE {
        mode if mode != unusable => Ok(kind),
        libc::O_RDONLY => Err("what answers go to is open for reading only".to_owned()),
        _ => Err("what requests come from is open for writing only".to_owned()),
    }
}

fn status(fd: BorrowedFd<'_>) -> Result<libc::stat, Errno> {
    let mut stat = MaybeUninit::uninit();
    // SAFETY: the descriptor is open, and there is room for the structure.
    let result = unsafe { libc::fstat(fd.as_raw_fd(), stat.as_mut_ptr()) };
    if result != 0 {
        return Err(Errno::last());
    }
    // SAFETY: fstat(2) has filled it.
    Ok(unsafe { stat.assume_init() })
}

fn socket_type(fd: BorrowedFd<'_>) -> Option<i32> {
    let mut kind: i32 = 0;
    let mut len = size_of_val(&kind) as libc::socklen_t;
    // SAFETY: the descriptor is open, and there is room for the number.
    let result = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_TYPE,
            (&raw mut kind).cast(),
            &mut len,
        )
    };
    (result == 0).then_some(kind)
}

/// A descriptor that the session keeps open, or libfuse for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) fd: RawFd,
    pub(super) kind: Kind,
}

impl End {
    pub(super) fn new(fd: RawFd, kind: Kind) -> Self {
        Self { fd, kind }
    }

    pub(super) fn is_socket(self) -> bool {
        matches!(self.kind, Kind::StreamSocket | Kind::PacketSocket)
    }

    /// Waits until something can be done with it. A signal ends that early with `EINTR`.
    pub(super) fn wait(self, events: libc::c_short) -> Result<(), Errno> {
        let mut poll = libc::pollfd {
            fd: self.fd,
            events,
            revents: 0,
        };
        // SAFETY: `poll` is one valid element.
        match unsafe { libc::poll(&mut poll, 1, -1) } {
            result if result < 0 => Err(Errno::last()),
            _ => Ok(()),
        }
    }

    pub(super) fn shut_down(self) {
        if self.is_socket() {
            // SAFETY: the descriptor is open; it does not matter whether the other side is.
            unsafe { libc::shutdown(self.fd, libc::SHUT_RDWR) };
        }
    }
}
