//! File handles: what NFS servers know files by. `name_to_handle_at(2)` and `open_by_handle_at(2)`.

use std::ffi::CString;
use std::io;
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;
use std::os::fd::FromRawFd;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use libfuse3::Errno;

/// The identity of a file, which holds while nobody has it open.
#[repr(C)]
pub(crate) struct FileId {
    head: libc::file_handle,
    bytes: [u8; libc::MAX_HANDLE_SZ as usize],
}

impl FileId {
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let path = CString::new(path.as_os_str().as_bytes())?;
        // SAFETY: all-zero is a valid `struct file_handle`.
        let head = unsafe { std::mem::zeroed() };
        let bytes = [0; _];
        let mut id = Self { head, bytes };
        id.head.handle_bytes = libc::MAX_HANDLE_SZ as u32;
        let mut mount = 0;
        let handle = (&raw mut id).cast();
        // SAFETY: the path is NUL-terminated, and behind `head` is room for as many bytes as it says.
        let result = unsafe {
            libc::name_to_handle_at(libc::AT_FDCWD, path.as_ptr(), handle, &mut mount, 0)
        };
        match result {
            0 => Ok(id),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Opens it for reading, on the file system that `on` is of.
    pub(crate) fn open(&self, on: BorrowedFd<'_>) -> io::Result<OwnedFd> {
        let handle = (&raw const *self).cast_mut().cast();
        // SAFETY: the handle is as the kernel made it, which only reads it.
        let result = unsafe { libc::open_by_handle_at(on.as_raw_fd(), handle, libc::O_RDONLY) };
        if result < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just made this descriptor.
        Ok(unsafe { OwnedFd::from_raw_fd(result) })
    }
}

/// Asks for a file handle, as NFS servers do.
pub(crate) fn name_to_handle(path: &Path) -> Result<(), Errno> {
    Ok(FileId::of(path).map(drop)?)
}
