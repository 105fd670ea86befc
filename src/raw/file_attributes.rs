//! `ioctl` commands of lsattr(1) and chattr(1), passed on to another file.

use std::os::fd::AsFd;
use std::os::fd::AsRawFd;

use super::sys::check;
use crate::Errno;
use crate::Ioctl;
use crate::IoctlReply;
use crate::Result;

/// Room for the argument of each command: the size of `struct fsxattr` (linux/fs.h).
const LARGEST: usize = 28;
/// `FS_IOC_GETFLAGS` and `FS_IOC_SETFLAGS` take an `int`, whatever their numbers say.
const FLAGS: usize = size_of::<libc::c_int>();

const GET_FLAGS: u32 = libc::FS_IOC_GETFLAGS as u32;
const SET_FLAGS: u32 = libc::FS_IOC_SETFLAGS as u32;
const GET_XATTR: u32 = libc::_IOR::<[u8; LARGEST]>(b'X' as u32, 31) as u32;
const SET_XATTR: u32 = libc::_IOW::<[u8; LARGEST]>(b'X' as u32, 32) as u32;

/// The argument, aligned as the kernel's structures are.
#[repr(C, align(8))]
struct Argument([u8; LARGEST]);

impl Ioctl<'_> {
    /// Passes a command of lsattr(1) or chattr(1) on to another file or directory, for file systems that
    /// mirror one: `FS_IOC_GETFLAGS`, `FS_IOC_SETFLAGS`, `FS_IOC_FSGETXATTR` and `FS_IOC_FSSETXATTR`.
    ///
    /// [`Errno::ENOTTY`] for every other command. Before a command that sets, the kernel has checked that the
    /// caller owns the inode and may change these attributes. What only the file system of `file` knows, such
    /// as `CAP_SYS_RESOURCE` for `chattr +j` on ext4, is checked there, for this process. On directories, the
    /// commands come only with [`Capabilities::IOCTL_DIR`](crate::Capabilities::IOCTL_DIR).
    ///
    /// ```no_run
    /// # use libfuse3::{Ioctl, IoctlReply, Result};
    /// fn ioctl(ioctl: Ioctl<'_>, source: &std::fs::File) -> Result<IoctlReply> {
    ///     ioctl.forward_file_attributes(source)
    /// }
    /// ```
    #[doc(alias = "FS_IOC_GETFLAGS")]
    #[doc(alias = "FS_IOC_SETFLAGS")]
    #[doc(alias = "FS_IOC_FSGETXATTR")]
    #[doc(alias = "FS_IOC_FSSETXATTR")]
    pub fn forward_file_attributes(&self, file: impl AsFd) -> Result<IoctlReply> {
        let (size, is_set) = match self.cmd {
            GET_FLAGS => (FLAGS, false),
            SET_FLAGS => (FLAGS, true),
            GET_XATTR => (LARGEST, false),
            SET_XATTR => (LARGEST, true),
            _ => return Err(Errno::ENOTTY),
        };
        let mut argument = Argument([0; LARGEST]);
        if is_set {
            let input = self.input.get(..size).ok_or(Errno::EINVAL)?;
            argument.0[..size].copy_from_slice(input);
        }
        let fd = file.as_fd().as_raw_fd();
        // SAFETY: the descriptor is open, and the argument has room for what each of the four commands reads or
        // writes: an `int`, or a `struct fsxattr` (linux/fs.h).
        let result = unsafe { libc::ioctl(fd, self.cmd as libc::Ioctl, &mut argument) };
        check(result as isize).map_err(Errno::from)?;
        let output = match is_set {
            true => &[],
            false => argument.0.get(..size.min(self.output_size)).unwrap_or(&[]),
        };
        Ok(IoctlReply::with_output(0, output))
    }
}
