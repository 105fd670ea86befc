//! The protocol between kernel and file system, as far as this library has to know it beside libfuse:
//! the names and layouts of linux/fuse.h.
//!
//! All numbers are in the byte order of this machine.

mod attr;
mod check;
mod dirents;
mod extensions;
mod opcode;
mod open;
mod words;

pub(crate) use attr::attr_out;
pub(crate) use attr::entry_out;
pub(crate) use check::Verdict;
pub(crate) use check::check;
pub(crate) use check::overrun;
pub(crate) use dirents::Dirents;
pub(crate) use opcode::Opcode;
pub(crate) use open::create_out;
pub(crate) use open::open_out;

/// `struct fuse_in_header`: length, opcode, unique number, node id, user, group, process, lengths.
pub(crate) const IN_HEADER: usize = 40;
/// `struct fuse_out_header`: length, error, unique number.
pub(crate) const OUT_HEADER: usize = 16;
/// The major version of the protocol.
pub(crate) const MAJOR: u32 = 7;

/// What stands before the body of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InHeader {
    pub(crate) len: u32,
    pub(crate) opcode: u32,
    pub(crate) unique: u64,
    pub(crate) node: u64,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) pid: u32,
    /// How many bytes of extensions follow the body.
    pub(crate) extensions: usize,
}

impl InHeader {
    /// `None` if there is less than a header.
    pub(crate) fn read(message: &[u8]) -> Option<Self> {
        Some(Self {
            len: u32_at(message, 0)?,
            opcode: u32_at(message, 4)?,
            unique: u64_at(message, 8)?,
            node: u64_at(message, 16)?,
            uid: u32_at(message, 24)?,
            gid: u32_at(message, 28)?,
            pid: u32_at(message, 32)?,
            extensions: usize::from(u16_at(message, 36)?) * 8,
        })
        .filter(|_| message.len() >= IN_HEADER)
    }
}

/// What a request asks for; `None` if libfuse does not know that either.
#[inline]
pub(crate) fn opcode(message: &[u8]) -> Option<Opcode> {
    Opcode::from_number(u32_at(message, 4)?)
}

/// Whether a request says that set-user-id bits are to be cleared; `None` if the message is too short.
#[inline]
pub(crate) fn kills_suidgid(message: &[u8]) -> Option<bool> {
    /// Offset of the flags in `struct fuse_open_in`, `fuse_create_in` and `fuse_write_in`, and the bit:
    /// `FUSE_OPEN_KILL_SUIDGID` or `FUSE_WRITE_KILL_SUIDGID`.
    const OPEN: (usize, u32) = (4, 1);
    const CREATE: (usize, u32) = (12, 1);
    const WRITE: (usize, u32) = (20, 1 << 2);
    let (offset, bit) = match opcode(message)? {
        Opcode::Open => OPEN,
        Opcode::Create => CREATE,
        Opcode::Write => WRITE,
        _ => return Some(false),
    };
    Some(u32_at(message, IN_HEADER + offset)? & bit != 0)
}

/// An answer without a body: a failure, with the number of the error.
pub(crate) fn failure(unique: u64, errno: i32) -> [u8; OUT_HEADER] {
    let mut message = [0; OUT_HEADER];
    message[..4].copy_from_slice(&(OUT_HEADER as u32).to_ne_bytes());
    message[4..8].copy_from_slice(&errno.wrapping_neg().to_ne_bytes());
    message[8..].copy_from_slice(&unique.to_ne_bytes());
    message
}

/// A `BATCH_FORGET` of nothing, which nobody answers: from root, whom libfuse refuses nothing.
pub(crate) fn empty_batch_forget() -> [u8; IN_HEADER + 8] {
    let mut message = [0; IN_HEADER + 8];
    let len = message.len() as u32;
    message[..4].copy_from_slice(&len.to_ne_bytes());
    message[4..8].copy_from_slice(&(Opcode::BatchForget as u32).to_ne_bytes());
    message
}

fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(offset..)?.first_chunk()?))
}

pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(offset..)?.first_chunk()?))
}

pub(crate) fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(*bytes.get(offset..)?.first_chunk()?))
}
