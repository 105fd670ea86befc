//! Files that are mapped into memory.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::ptr;

/// A shared, writable mapping of a file.
pub(crate) struct Mapping {
    start: *mut libc::c_void,
    len: usize,
}

impl Mapping {
    /// Maps the first `len` bytes. The mapping outlives the descriptor.
    pub(crate) fn shared(file: &File, len: usize) -> io::Result<Self> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: the kernel chooses an address that is free.
        let start = unsafe {
            let fd = file.as_raw_fd();
            libc::mmap(ptr::null_mut(), len, protection, libc::MAP_SHARED, fd, 0)
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { start, len })
    }

    /// Writes this byte everywhere.
    pub(crate) fn fill(&mut self, byte: u8) {
        // SAFETY: `len` bytes are mapped for writing, and nothing in this process refers to them.
        unsafe { ptr::write_bytes(self.start.cast::<u8>(), byte, self.len) };
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: `shared` has mapped this range, and nothing refers to it.
        unsafe { libc::munmap(self.start, self.len) };
    }
}
