//! Answers into a connection.

use std::mem;
use std::sync::PoisonError;

use libc::iovec;
use smallvec::SmallVec;

use super::Connection;
use super::end::Kind;
use crate::Errno;
use crate::Result;
use crate::logging;
use crate::wire;

/// The pieces of a message: a header and what belongs to it.
pub(super) type Pieces = SmallVec<[iovec; 4]>;

/// As many pieces as the kernel takes at once (`IOV_MAX`).
const MAX_PIECES: usize = 1024;

impl Connection {
    /// Sends a whole message; returns its length. `ENODEV` if nobody is there to receive it, `ENOENT` if
    /// it has not been sent for another reason, which the log says.
    ///
    /// # Safety
    ///
    /// - The pieces are valid, and begin with a `fuse_out_header`.
    pub(super) unsafe fn send(&self, pieces: Pieces) -> Result<usize> {
        let header = pieces.first().map(|piece| piece.iov_base.cast::<u64>());
        // SAFETY: guaranteed by the caller, see above.
        match unsafe { self.send_now(pieces) } {
            Err(errno @ (Errno::EMSGSIZE | Errno::ENOBUFS)) => {
                // A packet socket takes no more than its buffer holds. Nobody shall wait for ever.
                logging::warn!(
                    "a reply is too large for the socket; EIO is sent in its place: {errno}"
                );
                if let Some(header) = header {
                    // SAFETY: the number is in the last 8 of the header's 16 bytes.
                    let unique = unsafe { header.add(1) };
                    // SAFETY: as above.
                    self.send_failure(unsafe { unique.read_unaligned() }, Errno::EIO);
                }
                Err(Errno::ENOENT)
            }
            Err(Errno::EPIPE | Errno::ECONNRESET | Errno::ENOTCONN) => Err(Errno::ENODEV),
            result => result,
        }
    }

    /// Replies to a request with an error, without libfuse. A failure to send it is logged only.
    pub(super) fn send_failure(&self, unique: u64, errno: Errno) {
        let mut message = wire::failure(unique, errno.raw());
        let piece = iovec {
            iov_base: message.as_mut_ptr().cast(),
            iov_len: message.len(),
        };
        // SAFETY: the message lives until this returns.
        let sent = unsafe { self.send_now(SmallVec::from_slice(&[piece])) };
        if let Err(errno) = sent {
            logging::debug!("cannot send the reply to request {unique}: {errno}");
        }
    }

    /// # Safety
    ///
    /// - The pieces are valid.
    unsafe fn send_now(&self, mut pieces: Pieces) -> Result<usize> {
        let is_whole = self.write.kind == Kind::PacketSocket;
        let _turn =
            (!is_whole).then(|| self.sending.lock().unwrap_or_else(PoisonError::into_inner));
        let mut left = &mut pieces[..];
        let mut total = 0;
        while !left.is_empty() {
            // SAFETY: guaranteed by the caller, see above.
            let sent = match unsafe { self.send_some(left) } {
                Ok(sent) => sent,
                Err(Errno::EINTR) => continue,
                Err(Errno::EAGAIN) => {
                    // What this waits for may be an end, which the next attempt finds.
                    let _ = self.write.wait(libc::POLLOUT);
                    continue;
                }
                Err(errno) => return Err(errno),
            };
            total += sent;
            left = advance(left, sent);
        }
        Ok(total)
    }

    /// # Safety
    ///
    /// - The pieces are valid.
    unsafe fn send_some(&self, pieces: &mut [iovec]) -> Result<usize> {
        let count = pieces.len().min(MAX_PIECES);
        let sent = if self.write.is_socket() {
            // SAFETY: all-zero is a valid `struct msghdr`: no address, nothing beside the data.
            let mut message: libc::msghdr = unsafe { mem::zeroed() };
            message.msg_iov = pieces.as_mut_ptr();
            message.msg_iovlen = count as _;
            // SAFETY: the descriptor is open, and the message valid. The flag: no SIGPIPE.
            unsafe { libc::sendmsg(self.write.fd, &message, libc::MSG_NOSIGNAL) }
        } else {
            // SAFETY: the descriptor is open, and the pieces are valid.
            unsafe { libc::writev(self.write.fd, pieces.as_ptr(), count as libc::c_int) }
        };
        usize::try_from(sent).map_err(|_| Errno::last())
    }
}

/// What is left of the pieces when so many bytes have been sent.
fn advance(mut pieces: &mut [iovec], mut sent: usize) -> &mut [iovec] {
    while let Some(first) = pieces.first_mut() {
        if sent < first.iov_len {
            first.iov_base = first.iov_base.wrapping_byte_add(sent);
            first.iov_len -= sent;
            break;
        }
        sent -= first.iov_len;
        pieces = &mut pieces[1..];
    }
    pieces
}
