//! Receiving requests from a connection.

use std::ffi::c_int;
use std::ptr::NonNull;
use std::slice;
use std::sync::PoisonError;

use super::Connection;
use super::end::Kind;
use crate::Capabilities;
use crate::Errno;
use crate::logging;
use crate::raw::clones::let_go_of_interruption;
use crate::raw::session::RawSession;
use crate::wire;
use crate::wire::IN_HEADER;
use crate::wire::InHeader;
use crate::wire::Opcode;
use crate::wire::Verdict;

/// The state between two requests.
#[derive(Default)]
pub(super) struct Receiving {
    /// The beginning of a request, if a signal came before the rest.
    begun: Vec<u8>,
    /// DESTROY has come: the file system will not be initialized again.
    destroyed: bool,
}

/// The reason for which there is no request.
enum End {
    /// The other side has closed the connection.
    Closed,
    Failed(Errno),
}

impl Connection {
    /// Receives a request that libfuse may read. Returns, as `fuse_session_receive_buf` does, the number of
    /// bytes; 0 at the end of the connection; a negative error number on failure.
    ///
    /// INIT is not returned: this has libfuse process it, and returns `EINTR`.
    ///
    /// # Safety
    ///
    /// - `mem` has room for `capacity` bytes, which no other code uses.
    /// - This is the connection of `session`.
    pub(in crate::raw) unsafe fn receive(
        &self,
        session: &RawSession,
        mem: NonNull<u8>,
        capacity: usize,
    ) -> c_int {
        if let Some(errno) = self.failure.get() {
            return -errno.raw();
        }
        let mut receiving = self
            .receiving
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        loop {
            // SAFETY: `mem` has room for `capacity` bytes, as the caller guarantees.
            let len = match unsafe { self.receive_message(&mut receiving, mem, capacity) } {
                Ok(len) => len,
                Err(End::Closed) => return 0,
                Err(End::Failed(Errno::EINTR)) => return -libc::EINTR,
                Err(End::Failed(errno)) => {
                    let errno = *self.failure.get_or_init(|| errno);
                    return -errno.raw();
                }
            };
            // SAFETY: `len` bytes have just been received.
            let message = unsafe { bytes(mem, len) };
            if !self.admit(session, &mut receiving, message, capacity - len) {
                continue;
            }
            let overrun = wire::overrun(message);
            // SAFETY: `receive_message` returns no more than the capacity.
            let end = unsafe { mem.add(len) };
            // SAFETY: `admit` has checked that `overrun` bytes more have room.
            unsafe { end.write_bytes(0, overrun) };
            if wire::opcode(message) == Some(Opcode::Init) {
                // The lock is held meanwhile: libfuse must not process a second INIT, nor another request,
                // for which it would read what INIT is about to change.
                // SAFETY: `admit` has checked the message.
                unsafe { session.process_message(message) };
                return -libc::EINTR;
            }
            return c_int::try_from(len).unwrap_or(c_int::MAX);
        }
    }

    /// Whether libfuse may see this request, behind which `room` bytes are free. If not, sends the reply, if
    /// the request has one.
    fn admit(
        &self,
        session: &RawSession,
        receiving: &mut Receiving,
        message: &[u8],
        room: usize,
    ) -> bool {
        let Some(header) = InHeader::read(message) else {
            return false;
        };
        let verdict = match verdict(session, receiving, message) {
            Verdict::Accept if wire::overrun(message) > room => Verdict::Refuse(Errno::EINVAL),
            verdict => verdict,
        };
        match verdict {
            Verdict::Accept => return true,
            Verdict::Refuse(errno) => {
                logging::debug!("request {} is refused: {errno}", header.opcode);
                self.send_failure(header.unique, errno);
            }
            Verdict::Drop => logging::debug!("request {} makes no sense: dropped", header.opcode),
        }
        false
    }

    /// Receives one message, unchecked.
    ///
    /// # Safety
    ///
    /// - `mem` has room for `capacity` bytes, which no other code uses.
    unsafe fn receive_message(
        &self,
        receiving: &mut Receiving,
        mem: NonNull<u8>,
        capacity: usize,
    ) -> Result<usize, End> {
        match self.read.kind {
            // SAFETY: `mem` has room for `capacity` bytes, as the caller guarantees.
            Kind::PacketSocket => unsafe { self.receive_packet(mem, capacity) },
            // SAFETY: as for a packet socket.
            _ => unsafe { self.receive_from_stream(receiving, mem, capacity) },
        }
    }

    /// # Safety
    ///
    /// - `mem` has room for `limit` bytes, which nobody else uses.
    unsafe fn receive_packet(&self, mem: NonNull<u8>, limit: usize) -> Result<usize, End> {
        loop {
            // SAFETY: the descriptor is open, and the memory has room, see above. With this flag the
            // result is the length of the whole packet.
            let received =
                unsafe { libc::recv(self.read.fd, mem.as_ptr().cast(), limit, libc::MSG_TRUNC) };
            match usize::try_from(received) {
                Ok(0) => return Err(End::Closed),
                Ok(len) if len > limit => return Err(End::Failed(Errno::EMSGSIZE)),
                Ok(len) => {
                    // SAFETY: so much has just been received.
                    return match InHeader::read(unsafe { bytes(mem, len) }) {
                        Some(header) if header.len as usize == len => Ok(len),
                        _ => Err(End::Failed(Errno::EPROTO)),
                    };
                }
                Err(_) => self.retry_after(Errno::last())?,
            }
        }
    }

    /// # Safety
    ///
    /// - `mem` has room for `limit` bytes, which nobody else uses.
    unsafe fn receive_from_stream(
        &self,
        receiving: &mut Receiving,
        mem: NonNull<u8>,
        limit: usize,
    ) -> Result<usize, End> {
        let mut have = receiving.begun.len();
        for (index, byte) in receiving.begun.drain(..).enumerate() {
            // SAFETY: what has begun is shorter than a message may be.
            let place = unsafe { mem.add(index) };
            // SAFETY: as above.
            unsafe { place.write(byte) };
        }
        let mut want = IN_HEADER;
        loop {
            while have < want {
                // SAFETY: `have` is less than `want`, and that is no more than the limit.
                let place = unsafe { mem.add(have) };
                // SAFETY: the descriptor is open, and the memory has room, as above.
                let read = unsafe { libc::read(self.read.fd, place.as_ptr().cast(), want - have) };
                match usize::try_from(read) {
                    Ok(0) => {
                        if have > 0 {
                            logging::warn!("the connection was closed in the middle of a request");
                        }
                        return Err(End::Closed);
                    }
                    Ok(read) => have += read,
                    Err(_) => {
                        if let Err(end) = self.retry_after(Errno::last()) {
                            // SAFETY: so much has been received.
                            receiving.begun = unsafe { bytes(mem, have) }.to_vec();
                            return Err(end);
                        }
                    }
                }
            }
            // SAFETY: so much has been received.
            let header = InHeader::read(unsafe { bytes(mem, have) });
            match header.map_or(0, |header| header.len as usize) {
                len if len < IN_HEADER => return Err(End::Failed(Errno::EPROTO)),
                len if len > limit => return Err(End::Failed(Errno::EMSGSIZE)),
                len if len == have => return Ok(len),
                len => want = len,
            }
        }
    }

    /// After a call that has received nothing: whether to try again, now that there is something.
    fn retry_after(&self, errno: Errno) -> Result<(), End> {
        let result = match errno {
            Errno::EAGAIN => self.read.wait(libc::POLLIN),
            Errno::ECONNRESET => return Err(End::Closed),
            errno => Err(errno),
        };
        result.map_err(End::Failed)
    }
}

/// Checks a message against the state of the session.
fn verdict(session: &RawSession, receiving: &mut Receiving, message: &[u8]) -> Verdict {
    let setxattr_ext = session.wanted().contains(Capabilities::SETXATTR_EXT);
    let verdict = wire::check(message, setxattr_ext);
    let (Verdict::Accept, Some(opcode)) = (verdict, wire::opcode(message)) else {
        return verdict;
    };
    match opcode {
        Opcode::Init if receiving.destroyed || session.init_result().is_some() => {
            Verdict::Refuse(Errno::EIO)
        }
        Opcode::Init => Verdict::Accept,
        _ if session.init_result().is_none() => match opcode.wants_reply() {
            true => Verdict::Refuse(Errno::EIO),
            false => Verdict::Drop,
        },
        Opcode::NotifyReply if !session.retrievals.takes_reply() => Verdict::Drop,
        Opcode::Interrupt => {
            // libfuse keeps interruptions of requests that it does not have, and compares each new one with
            // all of them. This leaves it one at most.
            let_go_of_interruption(session.as_ptr());
            Verdict::Accept
        }
        Opcode::Destroy => {
            receiving.destroyed = true;
            Verdict::Accept
        }
        _ => Verdict::Accept,
    }
}

/// # Safety
///
/// - The first `len` bytes from `mem` on are initialized, and stay as they are while `'a` lasts.
#[expect(
    clippy::disallowed_methods,
    reason = "the pointer is not null, and the memory initialized"
)]
unsafe fn bytes<'a>(mem: NonNull<u8>, len: usize) -> &'a [u8] {
    // SAFETY: the caller guarantees `len` initialized bytes that do not change.
    unsafe { slice::from_raw_parts(mem.as_ptr(), len) }
}
