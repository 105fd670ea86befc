//! Requests from elsewhere than a mount.

use std::fs::File;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

/// Descriptors over which requests come and answers go, in place of a mount of this system's kernel:
/// for [`SessionBuilder::custom_io`](crate::SessionBuilder::custom_io).
///
/// The other side speaks the kernel's protocol: a virtual machine's kernel, a program that forwards
/// what it reads from /dev/fuse elsewhere, a test. It begins with INIT.
///
/// | descriptor | how messages are told apart |
/// |---|---|
/// | socket of type `SOCK_STREAM` | by the lengths in their headers |
/// | socket of type `SOCK_SEQPACKET` | by themselves; an answer that is too large for the socket becomes `EIO` |
/// | pipes, one for each direction; terminal lines and the like | by the lengths in their headers |
/// | `/dev/fuse`, mounted by somebody else | by the kernel |
///
/// The session owns the descriptors, and closes them at its end. They may be non-blocking.
///
/// ```no_run
/// use std::os::unix::net::UnixListener;
/// use libfuse3::{Operations, Session};
///
/// struct Fs;
/// impl Operations for Fs {}
///
/// let (client, _) = UnixListener::bind("/run/example.sock")?.accept()?;
/// let mut session = Session::builder(Fs).custom_io(client)?;
/// smol::block_on(session.run())?;    // Until the client hangs up.
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[doc(alias = "fuse_custom_io")]
pub struct CustomIo {
    /// If it is not the one that answers go to.
    pub(super) requests: Option<OwnedFd>,
    pub(super) answers: OwnedFd,
}

impl CustomIo {
    /// One descriptor for both directions.
    pub fn new(fd: impl Into<OwnedFd>) -> Self {
        Self {
            requests: None,
            answers: fd.into(),
        }
    }

    /// One descriptor that requests come from, another one that answers go to: the ends of two pipes,
    /// for example. Should a pipe's reader go away, the process gets SIGPIPE, which Rust programs
    /// ignore.
    pub fn pair(requests: impl Into<OwnedFd>, answers: impl Into<OwnedFd>) -> Self {
        Self {
            requests: Some(requests.into()),
            answers: answers.into(),
        }
    }
}

macro_rules! impl_from {
    ($($type:ty)*) => {
        $(
            impl From<$type> for CustomIo {
                fn from(fd: $type) -> Self {
                    Self::new(fd)
                }
            }
        )*
    };
}

impl_from! { OwnedFd UnixStream TcpStream File }
