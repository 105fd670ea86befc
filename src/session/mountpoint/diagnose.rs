//! What is to be done when libfuse could not mount.

use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;

use crate::raw::sys;

/// Where fusermount3 is on most systems. libfuse first looks in the directory that it was installed
/// to, then in the PATH.
const HELPER_DIRS: [&str; 3] = ["/usr/bin", "/bin", "/usr/local/bin"];

/// libfuse's message, with what is to be done about it.
pub(super) fn explain(libfuse: String, path: &Path) -> String {
    match (libfuse.is_empty(), advice(path)) {
        (true, Some(advice)) => advice,
        (true, None) => "libfuse gave no reason".to_owned(),
        (false, Some(advice)) => format!("{libfuse}: {advice}"),
        (false, None) => libfuse,
    }
}

fn advice(path: &Path) -> Option<String> {
    if let Err(error) = fs::metadata("/dev/fuse") {
        let why = match error.kind() {
            std::io::ErrorKind::NotFound => "/dev/fuse does not exist".to_owned(),
            _ => format!("/dev/fuse: {error}"),
        };
        return Some(format!(
            "{why}: `modprobe fuse`, or give the container the device"
        ));
    }
    if sys::may_access(c"/dev/fuse", libc::R_OK | libc::W_OK).is_err() {
        return Some(
            "this user may not use /dev/fuse: run as root, or have its mode made 0666".to_owned(),
        );
    }
    let Some(fusermount) = find_fusermount() else {
        return (sys::geteuid() != 0).then(|| {
            "users other than root need the program fusermount3: install the package fuse3"
                .to_owned()
        });
    };
    if sys::geteuid() == 0 {
        return None;
    }
    let helper = fs::metadata(&fusermount).ok()?;
    if helper.mode() & libc::S_ISUID == 0 || helper.uid() != 0 {
        return Some(format!(
            "{} must belong to root and be set-user-id: chmod u+s it",
            fusermount.display()
        ));
    }
    let c_path = CString::new(path.as_os_str().as_bytes()).ok()?;
    let mountpoint = fs::metadata(path).ok()?;
    let is_foreign = mountpoint.uid() != sys::geteuid();
    if sys::may_access(&c_path, libc::W_OK).is_err()
        || (mountpoint.mode() & libc::S_ISVTX != 0 && is_foreign)
    {
        return Some("users other than root must mount on a directory of their own".to_owned());
    }
    None
}

/// The program that mounts and unmounts for users other than root.
pub(super) fn find_fusermount() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs = HELPER_DIRS.into_iter().map(PathBuf::from);
    dirs.chain(std::env::split_paths(&path))
        .map(|dir| dir.join("fusermount3"))
        .find(|file| file.is_file())
}
