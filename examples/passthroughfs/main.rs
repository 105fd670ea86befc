//! Mirrors a directory tree somewhere else.
//!
//! ```sh
//! mkdir -p /tmp/mirror
//! cargo run --release --example passthroughfs -- /usr/share/doc /tmp/mirror
//! ls /tmp/mirror                    # what `ls /usr/share/doc` shows
//! fusermount3 -u /tmp/mirror
//! ```
//!
//! What is done to the mirror is done to the source, and what happens in the source shows in the mirror
//! at once. Run by root, with `-o allow_other`, it serves all users with the permissions, owners and
//! access control lists of the source.
//!
//! `-o timeout=1` lets the kernel keep names and attributes for a second, which is several times as
//! fast; changes made to the source behind the mirror's back then show a second late.
//!
//! It needs Linux 5.8, and holds each inode that the kernel knows of by a file descriptor. It raises the
//! limit of these as far as it may (`ulimit -Hn`). Inodes beyond half of that are found by name each
//! time, which is slower, and does not see through renames behind the mirror's back.

#![forbid(unsafe_code)]

mod credentials;
mod dir;
mod file;
mod fs;
mod handles;
mod node;
mod options;
mod path_fd;

use std::error::Error;
use std::ffi::OsStr;
use std::path::Path;
use std::process::ExitCode;

use libfuse3::Program;
use libfuse3::Session;
use rustix::fs::FileType;
use rustix::process::Resource;
use rustix::process::Rlimit;

use crate::fs::Passthrough;
use crate::options::Options;
use crate::path_fd::PathFd;
use crate::path_fd::errno;

/// So many requests may wait for a disk at once.
const READER_THREADS: usize = 4;

fn main() -> ExitCode {
    env_logger::init();
    Program::new("SOURCE MOUNTPOINT", "Mirrors the directory SOURCE.")
        .option(
            "-o timeout=SECONDS",
            "how long the kernel may keep names and attributes (0)",
        )
        .option(
            "-o cache=KIND",
            "what it may keep of files: never anything; auto, till the next open;",
        )
        .option("", "always, in which case the timeout is a day")
        .option("-o writeback", "let the kernel collect writes")
        .run(|command_line| {
            let [source] = command_line.operands.as_slice() else {
                return Err("expected two arguments: SOURCE MOUNTPOINT".into());
            };
            let source = open_source(source)?;
            let mountpoint = command_line.mountpoint.as_deref();
            let mountpoint = mountpoint.and_then(|path| path.canonicalize().ok());
            let options = Options::take_from(&mut command_line.options)?;
            // What the callers' umasks take off is all that shall be taken off.
            rustix::process::umask(rustix::fs::Mode::empty());
            // The other half is for open files.
            let max_held = raise_file_limit() / 2;
            let passthrough = Passthrough::new(source, mountpoint, options, max_held)?;
            Ok(Session::builder(passthrough).reader_threads(READER_THREADS))
        })
}

/// Opens the directory to mirror.
fn open_source(path: &OsStr) -> Result<PathFd, Box<dyn Error>> {
    let shown = Path::new(path).display();
    let source = PathFd::open(path).map_err(|error| format!("{shown}: {}", errno(error)))?;
    let mode = source.stat()?.stx_mode;
    if FileType::from_raw_mode(mode.into()) != FileType::Directory {
        return Err(format!("{shown}: not a directory").into());
    }
    path_fd::open_proc_self_fd()
        .map_err(|error| format!("/proc/self/fd is needed: {}", errno(error)))?;
    Ok(source)
}

/// Raises the limit of open files: for root to what the system has, else as far as allowed. Returns it.
fn raise_file_limit() -> usize {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let largest = std::fs::read_to_string("/proc/sys/fs/nr_open").ok();
    let largest = largest.and_then(|number| number.trim().parse().ok());
    for limit in [largest.max(limit.maximum), limit.maximum] {
        let raised = Rlimit {
            current: limit,
            maximum: limit,
        };
        if rustix::process::setrlimit(Resource::Nofile, raised).is_ok() {
            break;
        }
    }
    let limit = rustix::process::getrlimit(Resource::Nofile).current;
    limit.map_or(usize::MAX, |limit| {
        usize::try_from(limit).unwrap_or(usize::MAX)
    })
}
