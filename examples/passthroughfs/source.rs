//! From a directory's path to a session that mirrors it.

use std::error::Error;
use std::ffi::OsStr;
use std::path::Path;

use libfuse3::MountOptions;
use libfuse3::Session;
use libfuse3::SessionBuilder;
use rustix::fs::FileType;
use rustix::process::Resource;
use rustix::process::Rlimit;

use crate::fs::Passthrough;
use crate::options::Options;
use crate::path_fd;
use crate::path_fd::PathFd;
use crate::path_fd::errno;

/// So many requests may wait for a disk at once.
const READER_THREADS: usize = 4;

/// A session that mirrors the directory `source` at `mountpoint`, and is named after it.
pub(crate) fn mirror(
    source: &OsStr,
    mountpoint: Option<&Path>,
    options: Options,
    mount_options: MountOptions,
) -> Result<SessionBuilder<Passthrough>, Box<dyn Error>> {
    let name = Path::new(source).canonicalize();
    let source = open(source)?;
    let mountpoint = mountpoint.and_then(|path| path.canonicalize().ok());
    // What the callers' umasks take off is all that shall be taken off.
    rustix::process::umask(rustix::fs::Mode::empty());
    // The other half is for open files.
    let max_held = raise_file_limit() / 2;
    let passthrough = Passthrough::new(source, mountpoint, options, max_held)?;
    // mount(8) finds out by the name whether it is mounted already.
    let mount_options = match name {
        Ok(name) if mount_options.get("fsname").is_none() => mount_options.fsname(name),
        Ok(_) | Err(_) => mount_options,
    };
    let builder = Session::builder(passthrough).options(mount_options);
    Ok(builder.reader_threads(READER_THREADS))
}

/// Opens the directory to mirror.
fn open(path: &OsStr) -> Result<PathFd, Box<dyn Error>> {
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
