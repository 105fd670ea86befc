//! What child processes of libfuse write to standard error.
//!
//! fusermount3, which mounts for users other than root, says why it refuses there and nowhere else.

use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Seek;
use std::os::fd::AsRawFd;
use std::os::fd::FromRawFd;
use std::os::fd::OwnedFd;

use crate::logging;

/// Runs `f`, which must not panic, and returns, along with its result, what was written to standard
/// error meanwhile.
///
/// Nothing is caught while the process has other threads: what they and their children write would go
/// astray. A thread with a table of descriptors of its own could catch it (unshare(2), `CLONE_FILES`), but
/// libfuse would open the session's descriptor in that table, where no other thread can use it.
pub(super) fn capture<R>(f: impl FnOnce() -> R) -> (R, String) {
    let Ok(redirection) = Redirection::begin() else {
        return (f(), String::new());
    };
    let result = f();
    (result, redirection.end())
}

struct Redirection {
    original: OwnedFd,
    written: File,
}

impl Redirection {
    fn begin() -> io::Result<Self> {
        if fs::read_dir("/proc/self/task")?.count() != 1 {
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        // SAFETY: no preconditions.
        let original =
            owned(unsafe { libc::fcntl(libc::STDERR_FILENO, libc::F_DUPFD_CLOEXEC, 3) })?;
        // SAFETY: the name is NUL-terminated.
        let written = owned(unsafe { libc::memfd_create(c"stderr".as_ptr(), libc::MFD_CLOEXEC) })?;
        replace(&written)?;
        Ok(Self {
            original,
            written: written.into(),
        })
    }

    fn end(mut self) -> String {
        let mut bytes = Vec::new();
        let result = replace(&self.original)
            .and_then(|()| self.written.rewind())
            .and_then(|()| self.written.read_to_end(&mut bytes));
        if let Err(error) = result {
            logging::warn!("cannot read what was written to standard error: {error}");
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// Makes `file` standard error.
fn replace(file: &OwnedFd) -> io::Result<()> {
    // SAFETY: `file` is open, and standard error belongs to nobody.
    let result = unsafe { libc::dup2(file.as_raw_fd(), libc::STDERR_FILENO) };
    super::sys::check(result as isize).map(drop)
}

fn owned(fd: i32) -> io::Result<OwnedFd> {
    super::sys::check(fd as isize)?;
    // SAFETY: the system has just opened it for the caller.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
