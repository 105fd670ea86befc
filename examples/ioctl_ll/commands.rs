//! What `ioctl_ll` and `ioctl_ll_client` agree upon.

use rustix::ioctl::Opcode;
use rustix::ioctl::opcode;

/// Receives the size of the file: a `usize`.
pub(crate) const GET_SIZE: Opcode = opcode::read::<usize>(b'E', 0);
/// Sends the size that the file shall have.
pub(crate) const SET_SIZE: Opcode = opcode::write::<usize>(b'E', 1);
/// Reads from the file. Its argument is in memory that the number does not tell of.
pub(crate) const READ: Opcode = opcode::none(b'E', 2);
/// Writes to the file, likewise.
pub(crate) const WRITE: Opcode = opcode::none(b'E', 3);
