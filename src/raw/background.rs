//! Into the background: a child process goes on, and its parent waits until the file system is served.

use std::fs::File;
use std::io;
use std::io::PipeReader;
use std::io::PipeWriter;
use std::io::Read;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use super::sys::check;

/// In the child: the parent, which waits.
///
/// If this is dropped before [`release`](Self::release), the parent waits for the end of the child, and ends
/// with its exit status.
#[derive(Debug)]
pub(crate) struct Parent {
    pipe: PipeWriter,
    null: File,
}

/// Goes on in a child process, in the directory `/`, with `/dev/null` for standard input and output.
///
/// Returns in the child. The parent exits with status 0 when it is released, and with the status of the
/// child if that fails before. It gets an error if the child fails without a status for that.
///
/// The caller makes sure that there is no other thread.
pub(crate) fn fork_and_wait() -> io::Result<Parent> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    let (reader, pipe) = io::pipe()?;
    // SAFETY: with a single thread the child can do whatever the parent could.
    let child = check(unsafe { libc::fork() } as isize)?;
    if child != 0 {
        drop(pipe);
        return Err(io::Error::other(wait(reader, child as libc::pid_t)));
    }
    drop(reader);
    let parent = Parent { pipe, null };
    std::env::set_current_dir("/")?;
    parent.silence(libc::STDIN_FILENO);
    parent.silence(libc::STDOUT_FILENO);
    Ok(parent)
}

impl Parent {
    /// Leaves the parent's session and terminal, and lets it go. Until then an interruption from the
    /// terminal ends both, and errors can be told there.
    pub(crate) fn release(mut self) {
        // SAFETY: no preconditions. It does not fail after fork(2).
        unsafe { libc::setsid() };
        self.silence(libc::STDERR_FILENO);
        // If it is gone, it need not be told.
        drop(self.pipe.write(&[0]));
    }

    fn silence(&self, descriptor: i32) {
        // SAFETY: the file is open, and the standard streams belong to nobody.
        unsafe { libc::dup2(self.null.as_raw_fd(), descriptor) };
    }
}

/// What the parent does. Returns what has happened to a child that does not tell by its exit status.
fn wait(mut reader: PipeReader, child: libc::pid_t) -> String {
    let mut released = Vec::new();
    if reader.read_to_end(&mut released).is_ok() && !released.is_empty() {
        exit(0);
    }
    let mut status = 0;
    // SAFETY: there is room for the status.
    while check(unsafe { libc::waitpid(child, &raw mut status, 0) } as isize)
        .is_err_and(|error| error.kind() == io::ErrorKind::Interrupted)
    {}
    let status = ExitStatus::from_raw(status);
    if let Some(status @ 1..) = status.code() {
        exit(status);
    }
    format!("the file system ended before it was served ({status})")
}

/// As after fork(2): what the child has to clean up is not cleaned up here.
fn exit(status: i32) -> ! {
    // SAFETY: no preconditions.
    unsafe { libc::_exit(status) }
}
