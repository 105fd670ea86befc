//! A session over descriptors that are not /dev/fuse: `fuse_session_custom_io`.
//!
//! Requests are received by us, not by libfuse: it trusts what it reads, as it may the kernel, so each
//! request is checked before libfuse sees it (`crate::wire`). Answers are libfuse's to send; it does so
//! through functions of ours, which keep the messages of several threads apart.
//!
//! libfuse before 3.13, and later ones that are built without custom I/O, send answers by writev(2) and
//! by nothing else. That does for a packet socket, which keeps messages apart by itself: there the
//! session is told that the socket is a /dev/fuse that somebody else has mounted.

mod end;
mod receive;
mod send;

use std::ffi::c_int;
use std::ffi::c_void;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::fd::IntoRawFd;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;

use libfuse_sys as sys;

use self::end::End;
use self::end::Kind;
use self::receive::Receiving;
use super::log;
use super::session::RawSession;
use super::shim;
use super::sys::close_but_keep_number;
use super::version::libfuse_version;
use crate::Errno;

/// What requests come from and answers go to, in place of /dev/fuse.
pub(super) struct Connection {
    /// Where requests come from; kept open by `read_end`, or by libfuse as the session's descriptor.
    read: End,
    read_end: Option<OwnedFd>,
    /// The session's descriptor. libfuse closes it.
    write: End,
    receiving: Mutex<Receiving>,
    /// Held while a message is sent that may go out in several pieces.
    sending: Mutex<()>,
    /// Why nothing can be received any more, other than that the other side has gone away.
    failure: OnceLock<Errno>,
}

impl RawSession {
    /// Takes requests from `read`, or from `write` if that is the same, and sends answers to `write`.
    pub(crate) fn connect(
        self: &Arc<Self>,
        read: Option<OwnedFd>,
        write: OwnedFd,
    ) -> Result<(), String> {
        let write_kind = end::kind(write.as_fd(), libc::O_RDONLY)?;
        let read_kind = end::kind(read.as_ref().unwrap_or(&write).as_fd(), libc::O_WRONLY)?;
        if [read_kind, write_kind].contains(&Kind::Device) {
            return match read {
                None => self.attach(write),
                Some(_) => Err("/dev/fuse cannot be half of a pair".to_owned()),
            };
        }
        // While this libfuse answers INIT, the number of the session's descriptor leads elsewhere
        // (`super::init_repair`): whoever waited for requests there would wait for ever.
        #[cfg(not(libfuse_since = "3.13"))]
        let read = match read {
            Some(read) => Some(read),
            None => Some(write.try_clone().map_err(|error| error.to_string())?),
        };
        let read_fd = read.as_ref().unwrap_or(&write).as_raw_fd();
        let connection = Connection {
            read: End::new(read_fd, read_kind),
            read_end: read,
            write: End::new(write.as_raw_fd(), write_kind),
            receiving: Mutex::default(),
            sending: Mutex::default(),
            failure: OnceLock::new(),
        };
        if self.io.set(Box::new(connection)).is_err() {
            return Err("the session has a connection already".to_owned());
        }
        let io = shim::shim_custom_io {
            read: Some(receive),
            writev: Some(writev),
            // Without these libfuse does not splice.
            splice_receive: None,
            splice_send: None,
        };
        let (result, message) = log::capture(|| {
            // SAFETY: libfuse copies `io`; the functions live for ever, and expect the userdata that
            // the session has.
            unsafe { shim::shim_session_custom_io(self.as_ptr(), &io, write.as_raw_fd()) }
        });
        match -result {
            0 => {
                // It is libfuse's from here on.
                let _ = write.into_raw_fd();
                Ok(())
            }
            libc::ENOSYS | libc::ENOTSUP if write_kind == Kind::PacketSocket => self.attach(write),
            libc::ENOSYS => Err(format!(
                "libfuse takes it from 3.13 on, and this program was built with {}; a packet socket \
                 (SOCK_SEQPACKET) works with any",
                env!("LIBFUSE_HEADER_VERSION")
            )),
            libc::ENOTSUP => Err(format!(
                "this libfuse {} was built without custom I/O; a packet socket (SOCK_SEQPACKET) \
                 works with any",
                libfuse_version()
            )),
            errno if message.is_empty() => Err(Errno::from_negative(-errno).to_string()),
            _ => Err(message),
        }
    }

    /// Makes `fd` the session's descriptor, as one that somebody else has mounted.
    fn attach(self: &Arc<Self>, fd: OwnedFd) -> Result<(), String> {
        self.mount(Path::new(&format!("/dev/fd/{}", fd.as_raw_fd())), 0)?;
        // It is libfuse's from here on.
        let _ = fd.into_raw_fd();
        Ok(())
    }

    /// Whether the session's requests come from a connection in place of the kernel.
    pub(crate) fn is_custom_io(&self) -> bool {
        self.io.get().is_some()
    }

    /// Ends the connection: nothing is received or sent any more, and whoever waits for either comes
    /// back. Of pipes that can only be said when they are closed.
    pub(crate) fn shut_down(&self) {
        if let Some(io) = self.io.get() {
            io.read.shut_down();
            io.write.shut_down();
        }
    }
}

impl Connection {
    /// The descriptors that the session has beside libfuse's.
    pub(super) fn further_fd(&self) -> Option<&OwnedFd> {
        self.read_end.as_ref()
    }

    /// Closes the descriptor of replies. The caller makes sure that no other thread uses the session.
    pub(super) fn close(&self) {
        close_but_keep_number(self.write.fd);
    }
}

/// C: `fuse_custom_io::read`. Our own readers do not ask libfuse to receive, but a loop of its own does.
///
/// # Safety
///
/// - `buf` has room for `len` bytes.
/// - `userdata` is the session's, as [`RawSession::new`] has set it.
unsafe extern "C" fn receive(
    _fd: c_int,
    buf: *mut c_void,
    len: usize,
    userdata: *mut c_void,
) -> isize {
    // SAFETY: guaranteed by the caller, see above.
    let session = unsafe { &*userdata.cast::<RawSession>() };
    let received = match (session.io.get(), NonNull::new(buf.cast())) {
        (Some(io), Some(mem)) => {
            // SAFETY: libfuse's buffer has room for `len` bytes (fuse_custom_io::read), and the connection is the one
            // of `session`, whose userdata libfuse passes.
            unsafe { io.receive(session, mem, len) }
        }
        _ => 0,
    };
    match received {
        0 => super::sys::set_errno(libc::ENODEV),
        _ if received < 0 => super::sys::set_errno(-received),
        _ => return received as isize,
    }
    -1
}

/// C: `fuse_custom_io::writev`.
///
/// # Safety
///
/// - `iov` points to `count` valid elements.
/// - `userdata` is the session's, as [`RawSession::new`] has set it.
unsafe extern "C" fn writev(
    _fd: c_int,
    iov: *mut sys::iovec,
    count: c_int,
    userdata: *mut c_void,
) -> isize {
    // SAFETY: guaranteed by the caller, see above.
    let session = unsafe { &*userdata.cast::<RawSession>() };
    let Some(io) = session.io.get() else {
        super::sys::set_errno(libc::ENODEV);
        return -1;
    };
    // SAFETY: guaranteed by the caller, see above.
    unsafe { session.repair_init(iov, count) };
    let pieces = (0..usize::try_from(count).unwrap_or(0)).map(|index| {
        // SAFETY: guaranteed by the caller, see above.
        let piece = unsafe { iov.add(index) };
        // SAFETY: as above.
        unsafe { *piece }
    });
    // SAFETY: the elements are valid, see above.
    match unsafe { io.send(pieces.collect()) } {
        Ok(sent) => sent.cast_signed(),
        Err(errno) => {
            if errno == Errno::ENODEV {
                // Otherwise libfuse complains on standard error.
                session.exit();
            }
            super::sys::set_errno(errno.raw());
            -1
        }
    }
}
