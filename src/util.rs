//! Functions that go with a file system.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::raw::sys;

/// The names in a directory, in the order of the file system, without `.` and `..`.
pub fn listdir(path: impl AsRef<Path>) -> io::Result<Vec<OsString>> {
    fs::read_dir(path)?
        .map(|entry| Ok(entry?.file_name()))
        .collect()
}

/// Writes everything to the disk that is cached of the file system which the directory `path` is
/// on.
#[doc(alias = "syncfs(2)")]
pub fn syncfs(path: impl AsRef<Path>) -> io::Result<()> {
    let dir = fs::OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_DIRECTORY)
        .open(path)?;
    sys::syncfs(dir.as_fd())
}

/// Sets an extended attribute of a file; follows symbolic links.
pub fn setxattr(
    path: impl AsRef<Path>,
    name: impl AsRef<OsStr>,
    value: impl AsRef<[u8]>,
) -> io::Result<()> {
    sys::setxattr(
        &c_string(path.as_ref().as_os_str())?,
        &c_string(name.as_ref())?,
        value.as_ref(),
    )
}

/// The value of an extended attribute of a file; follows symbolic links.
///
/// The error is that of the system: `ENODATA` ([`Errno::ENOATTR`](crate::Errno::ENOATTR)) for an
/// attribute that is not there.
pub fn getxattr(path: impl AsRef<Path>, name: impl AsRef<OsStr>) -> io::Result<Vec<u8>> {
    let (path, name) = (
        c_string(path.as_ref().as_os_str())?,
        c_string(name.as_ref())?,
    );
    let mut value = vec![0; 128];
    loop {
        match sys::getxattr(&path, &name, &mut value) {
            Ok(len) => {
                value.truncate(len);
                return Ok(value);
            }
            // It may grow again between the two calls.
            Err(error) if error.raw_os_error() == Some(libc::ERANGE) => {
                value.resize(sys::getxattr(&path, &name, &mut [])?.max(1), 0);
            }
            Err(error) => return Err(error),
        }
    }
}

/// The supplementary groups of the thread `pid`
/// ([`RequestContext::pid`](crate::RequestContext::pid)), as `/proc` has them. The thread may have
/// changed or ended since it made its request.
pub fn get_sup_groups(pid: u32) -> io::Result<BTreeSet<u32>> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let invalid = || io::Error::new(io::ErrorKind::InvalidData, "no groups in /proc/PID/status");
    let groups = status
        .lines()
        .find_map(|line| line.strip_prefix("Groups:"))
        .ok_or_else(invalid)?;
    groups
        .split_whitespace()
        .map(|group| group.parse().map_err(|_| invalid()))
        .collect()
}

fn c_string(text: &OsStr) -> io::Result<CString> {
    CString::new(text.as_bytes())
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "there is a NUL in it"))
}

/// The version of the libfuse that is loaded, such as `"3.14.0"`.
#[doc(alias = "fuse_pkgversion")]
#[must_use]
pub fn libfuse_version() -> String {
    crate::raw::libfuse_version()
}
