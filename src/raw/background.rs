//! Background processes: a child runs the file system, and its parent waits until it is served.

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

/// The child's handle of its parent, which waits.
///
/// If the handle is dropped without [`release`](Self::release), the parent waits for the end of the child, and
/// exits with the child's status.
#[derive(Debug)]
pub(crate) struct Parent {
    pipe: PipeWriter,
    null: File,
}

/// Forks, and returns in the child, whose directory is `/` and whose standard input and output are `/dev/null`.
///
/// The parent exits with status 0 when the child releases it, and with the child's status if the child fails
/// first. If that status is 0, or the child dies by a signal, this returns an error in the parent.
///
/// The caller makes sure that the process has no other thread.
pub(crate) fn fork_and_wait() -> io::Result<Parent> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    let (reader, pipe) = io::pipe()?;
    // SAFETY: the caller makes sure that there is one thread, so that the child has no lock of another.
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
    /// Leaves the parent's session and terminal, and has the parent exit. Until then Ctrl-C on the terminal
    /// ends both processes, and the child's errors are shown there.
    pub(crate) fn release(mut self) {
        // SAFETY: no preconditions. It cannot fail, since the child leads no process group.
        unsafe { libc::setsid() };
        self.silence(libc::STDERR_FILENO);
        // Fails if the parent has ended, which then does not wait.
        drop(self.pipe.write(&[0]));
    }

    fn silence(&self, descriptor: i32) {
        // SAFETY: the file is open, and no Rust value owns the descriptor of a standard stream.
        unsafe { libc::dup2(self.null.as_raw_fd(), descriptor) };
    }
}

/// Waits in the parent. Returns a message if the child's exit status is not one of failure.
fn wait(mut reader: PipeReader, child: libc::pid_t) -> String {
    // Not up to the end of the pipe: a process that the child has forked may hold it open.
    if reader.read_exact(&mut [0]).is_ok() {
        exit(0);
    }
    let mut status = 0;
    // SAFETY: `status` has room for the status.
    while check(unsafe { libc::waitpid(child, &raw mut status, 0) } as isize)
        .is_err_and(|error| error.kind() == io::ErrorKind::Interrupted)
    {}
    let status = ExitStatus::from_raw(status);
    if let Some(status @ 1..) = status.code() {
        exit(status);
    }
    format!("the file system ended before it was served ({status})")
}

/// Exits without the clean-up that is the child's.
fn exit(status: i32) -> ! {
    // SAFETY: no preconditions.
    unsafe { libc::_exit(status) }
}
