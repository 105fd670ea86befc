//! `O_TMPFILE` on libfuse before 3.17, which has no `fuse_lowlevel_ops::tmpfile` and replies ENOSYS to
//! TMPFILE.
//!
//! TMPFILE and CREATE have the same body and the same reply. The kernel sends the name `/` in TMPFILE,
//! which cannot occur in CREATE. So a reader hands TMPFILE to libfuse as CREATE, and the callback `create`
//! tells them apart by the name.

use std::ffi::CStr;
use std::ptr;

use libfuse_sys::FUSE_BUF_IS_FD;
use libfuse_sys::fuse_buf;

use super::callbacks;
use crate::logging;
use crate::wire;
use crate::wire::IN_HEADER;
use crate::wire::Opcode;

/// The name in TMPFILE.
pub(super) const NAME: &CStr = c"/";
/// The offset of the opcode in a request.
const OPCODE: usize = 4;
/// The length of `struct fuse_create_in`, which the name follows.
const CREATE_IN: usize = 16;

/// Changes TMPFILE to CREATE. Called with each request before libfuse processes it.
///
/// # Safety
///
/// - If `request` is not in a pipe, `size` bytes have been received into its memory, which no other code uses.
#[inline]
pub(super) unsafe fn show_as_create(request: &fuse_buf) {
    // TMPFILE is not in a pipe: libfuse leaves there only requests of more than a page.
    if request.flags & FUSE_BUF_IS_FD != 0 {
        return;
    }
    // SAFETY: the caller guarantees `size` received bytes.
    let message = unsafe { callbacks::bytes(request.mem.cast(), request.size) };
    if wire::opcode(message) != Some(Opcode::Tmpfile) {
        return;
    }
    // SAFETY: the caller's guarantee is the same, and the request is in memory, as just checked.
    unsafe { change_opcode(request) };
}

/// # Safety
///
/// - As [`show_as_create`], and the request is in memory.
#[cold]
unsafe fn change_opcode(request: &fuse_buf) {
    // SAFETY: the caller guarantees `size` received bytes.
    let message = unsafe { callbacks::bytes(request.mem.cast(), request.size) };
    let name = message.get(IN_HEADER + CREATE_IN..);
    if !name.is_some_and(|name| name.starts_with(NAME.to_bytes_with_nul())) {
        return;
    }
    logging::debug!("TMPFILE is handed to libfuse as CREATE of the name `/`");
    let create = (Opcode::Create as u32).to_ne_bytes();
    // SAFETY: the message is longer than a header, since it has a name.
    let opcode = unsafe { request.mem.cast::<u8>().add(OPCODE) };
    // SAFETY: four bytes are there, as above; no other code uses the memory, as the caller guarantees.
    unsafe { ptr::copy_nonoverlapping(create.as_ptr(), opcode, create.len()) };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The opcode and the name that libfuse is shown of a request.
    fn shown(opcode: Opcode, name: &[u8], flags: u32) -> (u32, Vec<u8>) {
        let mut message = vec![0; IN_HEADER + CREATE_IN];
        message[OPCODE..OPCODE + 4].copy_from_slice(&(opcode as u32).to_ne_bytes());
        message.extend(name);
        let request = fuse_buf {
            mem: message.as_mut_ptr().cast(),
            size: message.len(),
            flags,
            ..<_>::default()
        };
        // SAFETY: `message` has `size` bytes, which no other code uses.
        unsafe { show_as_create(&request) };
        let opcode = message[OPCODE..OPCODE + 4].try_into().expect("4 bytes");
        let name = message.split_off(IN_HEADER + CREATE_IN);
        (u32::from_ne_bytes(opcode), name)
    }

    #[test]
    fn tmpfile_is_shown_as_create_of_a_slash() {
        let (create, tmpfile) = (Opcode::Create as u32, Opcode::Tmpfile as u32);
        assert_eq!(shown(Opcode::Tmpfile, b"/\0", 0), (create, b"/\0".into()));
        // With a security context behind the name.
        let extended = b"/\0\0\0\0\0\0\0more";
        assert_eq!(
            shown(Opcode::Tmpfile, extended, 0),
            (create, extended.into())
        );
        for name in [&b""[..], b"/", b"\0", b"a\0", b"/a\0"] {
            assert_eq!(shown(Opcode::Tmpfile, name, 0), (tmpfile, name.into()));
        }
        assert_eq!(shown(Opcode::Create, b"a\0", 0), (create, b"a\0".into()));
        let in_pipe = shown(Opcode::Tmpfile, b"/\0", FUSE_BUF_IS_FD);
        assert_eq!(in_pipe, (tmpfile, b"/\0".into()));
    }
}
