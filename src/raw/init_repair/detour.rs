//! libfuse before 3.13: a socket in place of the connection while libfuse answers INIT.
//!
//! libfuse writes to a number. While it works on INIT, that number leads to a socket; what arrives at
//! the other end goes to the connection, with the bit in it. No other request comes before the kernel
//! has the answer, and readers that are already waiting go on doing so: a system call keeps hold of
//! what it has begun with. One that begins meanwhile finds nothing to read, and tries again.

use std::fs::File;
use std::io;
use std::io::ErrorKind;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::Ordering;

use libfuse_sys::fuse_buf;

use super::super::callbacks;
use super::super::session::RawSession;
use super::super::sys;
use super::words;
use crate::logging;
use crate::wire;
use crate::wire::OUT_HEADER;
use crate::wire::Opcode;

impl RawSession {
    /// Has libfuse work on a request, and repairs what it answers if that is INIT.
    #[inline]
    pub(in super::super) fn repair_answer(&self, request: &fuse_buf, process: impl FnOnce()) {
        if self.repair.done.load(Ordering::Relaxed) || !is_init(request) {
            return process();
        }
        self.repair.done.store(true, Ordering::Relaxed);
        let detour = match Detour::begin(self.fd()) {
            Ok(detour) => detour,
            Err(error) => {
                logging::warn!("requests in one directory will come one after the other: {error}");
                return process();
            }
        };
        process();
        let flags = self.repair.pending.load(Ordering::Acquire);
        match detour.end(flags) {
            Ok(()) => (),
            // It was unmounted meanwhile. libfuse has nothing to say about that either.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENODEV)) => (),
            Err(error) => logging::error!("the answer to INIT cannot be sent: {error}"),
        }
    }
}

/// Whether this is `FUSE_INIT`.
fn is_init(request: &fuse_buf) -> bool {
    // SAFETY: so many bytes have been received into the memory, which libfuse only reads.
    let message = unsafe { callbacks::bytes(request.mem.cast(), request.size) };
    wire::opcode(message) == Some(Opcode::Init)
}

/// A descriptor that leads elsewhere for a while.
struct Detour {
    fd: i32,
    connection: File,
    arrival: UnixDatagram,
}

impl Detour {
    fn begin(fd: i32) -> io::Result<Self> {
        // SAFETY: the session is mounted, so its descriptor is open.
        let connection = unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned()?;
        let (socket, arrival) = UnixDatagram::pair()?;
        socket.set_nonblocking(true)?;
        arrival.set_nonblocking(true)?;
        lead(fd, &socket)?;
        Ok(Self {
            fd,
            connection: connection.into(),
            arrival,
        })
    }

    /// Leads back to the connection, and sends on what libfuse has written.
    fn end(mut self, flags: u64) -> io::Result<()> {
        lead(self.fd, &self.connection)?;
        let mut message = [0; 4096];
        loop {
            let len = match self.arrival.recv(&mut message) {
                Ok(0) => return Ok(()),
                Ok(len) => len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            let message = &mut message[..len];
            add_flags(message, flags);
            // A notification that another thread sends meanwhile is none of our business.
            let is_answer = unique(message) != 0;
            match self.connection.write(message) {
                Err(error) if is_answer => return Err(error),
                _ => {}
            }
        }
    }
}

/// Lets the number `fd` lead where `target` does.
fn lead(fd: i32, target: &impl AsRawFd) -> io::Result<()> {
    // SAFETY: both are open, and libfuse goes on owning `fd`.
    let result = unsafe { libc::dup3(target.as_raw_fd(), fd, libc::O_CLOEXEC) };
    sys::check(result as isize).map(drop)
}

/// The number of the request that is answered; 0 for notifications.
fn unique(message: &[u8]) -> u64 {
    let unique = message
        .get(8..OUT_HEADER)
        .and_then(|unique| unique.try_into().ok());
    unique.map_or(0, u64::from_ne_bytes)
}

/// Adds the flags to the reply to INIT, if this is it: a `fuse_out_header`, then a `fuse_init_out`.
/// An error has no body.
fn add_flags(message: &mut [u8], flags: u64) {
    if unique(message) == 0 {
        return;
    }
    for (offset, word) in words(flags) {
        let at = OUT_HEADER + offset;
        if let Some(bytes) = message.get_mut(at..at + size_of::<u32>()) {
            for (byte, bits) in bytes.iter_mut().zip(word.to_ne_bytes()) {
                *byte |= bits;
            }
        }
    }
}
