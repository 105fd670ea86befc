//! File handles: what NFS servers know files by.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use libfuse3::Errno;

/// Asks for a file handle, as NFS servers do.
pub(crate) fn name_to_handle(path: &Path) -> Result<(), Errno> {
    /// `struct file_handle`, with room for any.
    #[repr(C)]
    struct Handle {
        bytes: u32,
        kind: i32,
        handle: [u8; 128],
    }
    let path = CString::new(path.as_os_str().as_bytes()).unwrap();
    let mut handle = Handle {
        bytes: 128,
        kind: 0,
        handle: [0; 128],
    };
    let mut mount = 0;
    // SAFETY: the path is NUL-terminated, and there is room for the handle and the mount's number.
    let result = unsafe {
        libc::syscall(
            libc::SYS_name_to_handle_at,
            libc::AT_FDCWD,
            path.as_ptr(),
            &raw mut handle,
            &raw mut mount,
            0,
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error().into()),
    }
}
