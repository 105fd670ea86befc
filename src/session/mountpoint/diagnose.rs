//! What is to be done when libfuse could not mount.

use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;

use crate::MountOptions;
use crate::raw::sys;

/// Where fusermount3 is on most systems. libfuse first looks in the directory that it was installed
/// to, then in the PATH.
const HELPER_DIRS: [&str; 3] = ["/usr/bin", "/bin", "/usr/local/bin"];

/// Where fusermount3 looks whether users may let others in.
const FUSE_CONF: &str = "/etc/fuse.conf";

/// The device numbers of /dev/fuse.
const FUSE_DEVICE: (u32, u32) = (10, 229);

/// The capability that mounting takes: its bit in /proc/self/status.
const CAP_SYS_ADMIN: u64 = 1 << 21;

/// libfuse's message, with what is to be done about it.
pub(super) fn explain(libfuse: String, path: &Path, options: &MountOptions) -> String {
    let advice = match sys::geteuid() {
        0 => device_advice()
            .or_else(root_advice)
            .or_else(|| namespace_advice(&libfuse))
            .or_else(|| helper_advice(options).filter(|_| options.get("auto_unmount").is_some())),
        user => device_advice()
            .or_else(|| namespace_advice(&libfuse))
            .or_else(|| user_advice(user, path, options))
            .or_else(|| helper_advice(options)),
    };
    match (libfuse.is_empty(), advice) {
        (true, Some(advice)) => advice,
        (true, None) => {
            "libfuse gave no reason; fusermount3 may have, on standard error".to_owned()
        }
        // It has said so itself.
        (false, Some(_)) if libfuse.contains(FUSE_CONF) => libfuse,
        (false, Some(advice)) => format!("{libfuse}: {advice}"),
        (false, None) => libfuse,
    }
}

fn device_advice() -> Option<String> {
    let device = match fs::metadata("/dev/fuse") {
        Ok(device) => device,
        Err(error) => {
            let why = match error.kind() {
                std::io::ErrorKind::NotFound => "/dev/fuse does not exist".to_owned(),
                _ => format!("/dev/fuse: {error}"),
            };
            return Some(format!(
                "{why}: `modprobe fuse`, or give the container the device"
            ));
        }
    };
    let number = (libc::major(device.rdev()), libc::minor(device.rdev()));
    if !device.file_type().is_char_device() || number != FUSE_DEVICE {
        let (major, minor) = FUSE_DEVICE;
        return Some(format!(
            "/dev/fuse is something else: remove it, and `mknod /dev/fuse c {major} {minor}`"
        ));
    }
    if sys::may_access(c"/dev/fuse", libc::R_OK | libc::W_OK).is_err() {
        return Some(
            "this user may not use /dev/fuse: run as root, or have its mode made 0666".to_owned(),
        );
    }
    None
}

fn root_advice() -> Option<String> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let capabilities = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))?;
    let capabilities = u64::from_str_radix(capabilities.trim(), 16).ok()?;
    (capabilities & CAP_SYS_ADMIN == 0)
        .then(|| "root may not mount here: give the container the capability SYS_ADMIN".to_owned())
}

/// In a user namespace the kernel lets only its root mount, and only in a mount namespace that belongs to
/// it; fusermount3 has no privileges of the root outside.
fn namespace_advice(libfuse: &str) -> Option<String> {
    let map = fs::read_to_string("/proc/self/uid_map").ok()?;
    let mut first = map.split_ascii_whitespace();
    let why = match [first.next(), first.next(), first.next()] {
        // All user ids: no namespace but the first.
        [_, Some("0"), Some("4294967295")] => return None,
        [None, ..] => "this user namespace has no map of user ids",
        _ if !libfuse.contains("Operation not permitted") => return None,
        _ if sys::geteuid() != 0 => "this user namespace lets only its root mount",
        _ => "the mount namespace does not belong to this user namespace",
    };
    Some(format!(
        "{why}: make one with a map and a mount namespace, as `unshare --map-root-user --mount` does"
    ))
}

/// What fusermount3 does not know, but libfuse hands on to it.
fn helper_advice(options: &MountOptions) -> Option<String> {
    let context = ["context", "fscontext", "defcontext", "rootcontext"];
    let option = context
        .into_iter()
        .find(|option| options.get(option).is_some())?;
    Some(format!(
        "`{option}` takes root, without `auto_unmount` before libfuse 3.15: fusermount3 does not know it"
    ))
}

fn user_advice(user: u32, path: &Path, options: &MountOptions) -> Option<String> {
    let Some(fusermount) = find_fusermount() else {
        return Some(
            "users other than root need the program fusermount3: install the package fuse3"
                .to_owned(),
        );
    };
    let helper = fs::metadata(&fusermount).ok()?;
    if helper.mode() & libc::S_ISUID == 0 || helper.uid() != 0 {
        return Some(format!(
            "{} must belong to root and be set-user-id: chmod u+s it",
            fusermount.display()
        ));
    }
    let lets_others_in = ["allow_other", "allow_root"]
        .into_iter()
        .find(|option| options.get(option).is_some());
    if let Some(option) = lets_others_in
        && !others_may_be_let_in()
    {
        return Some(format!(
            "`{option}` takes root, or the line `user_allow_other` in {FUSE_CONF}"
        ));
    }
    let c_path = CString::new(path.as_os_str().as_bytes()).ok()?;
    let mountpoint = fs::metadata(path).ok()?;
    let is_sticky = mountpoint.mode() & libc::S_ISVTX != 0;
    if sys::may_access(&c_path, libc::W_OK).is_err() || (is_sticky && mountpoint.uid() != user) {
        return Some(
            "users other than root must mount on a directory or file of their own".to_owned(),
        );
    }
    None
}

fn others_may_be_let_in() -> bool {
    let conf = fs::read_to_string(FUSE_CONF).unwrap_or_default();
    conf.lines().any(|line| line.trim() == "user_allow_other")
}

/// The program that mounts and unmounts for users other than root.
pub(super) fn find_fusermount() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs = HELPER_DIRS.into_iter().map(PathBuf::from);
    dirs.chain(std::env::split_paths(&path))
        .map(|dir| dir.join("fusermount3"))
        .find(|file| file.is_file())
}
