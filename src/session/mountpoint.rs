//! The directory that is mounted on: fit for it beforehand, free again afterwards.

use std::ffi::CString;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use crate::Error;
use crate::raw::RawSession;
use crate::raw::sys;

/// As many symbolic links as the kernel follows.
const MAX_SYMLINKS: usize = 40;

/// Where a session is mounted.
#[derive(Debug)]
pub(super) struct Mountpoint {
    /// As the caller spelled it.
    given: PathBuf,
    /// Absolute, without symbolic links.
    path: PathBuf,
    /// The device number of the mount, `major:minor`, once it is there.
    device: Option<(u32, u32)>,
}

impl Mountpoint {
    /// A directory that can be mounted on, as far as that can be told beforehand.
    ///
    /// The kernel is never asked about a path inside of a FUSE mount that may be our own: nobody
    /// would answer.
    pub(super) fn check(given: &Path) -> Result<Self, Error> {
        let fail = |reason: String| Error::Mountpoint {
            path: given.to_owned(),
            reason,
        };
        if given.as_os_str().as_bytes().contains(&0) {
            return Err(fail("the path has a NUL in it".to_owned()));
        }
        if given.starts_with("/dev/fd") {
            // libfuse takes an open descriptor, mounted by somebody else, under this name.
            return Ok(Self {
                given: given.to_owned(),
                path: given.to_owned(),
                device: None,
            });
        }
        let mut path = given.to_owned();
        for _ in 0..MAX_SYMLINKS {
            path = resolve_parent(&path).map_err(|error| fail(explain(&error)))?;
            if mounted_device(&path).is_some() {
                return Err(fail(format!(
                    "a FUSE file system is mounted there already; unmount it first: \
                     fusermount3 -u {}",
                    path.display()
                )));
            }
            let metadata = fs::symlink_metadata(&path).map_err(|error| fail(explain(&error)))?;
            if metadata.is_symlink() {
                let target = fs::read_link(&path).map_err(|error| fail(explain(&error)))?;
                path = path.parent().unwrap_or(Path::new("/")).join(target);
            } else if metadata.is_dir() {
                return Ok(Self {
                    given: given.to_owned(),
                    path,
                    device: None,
                });
            } else {
                return Err(fail("it is not a directory".to_owned()));
            }
        }
        Err(fail("too many symbolic links".to_owned()))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Mounts the session here.
    pub(super) fn mount(mut self, raw: &RawSession) -> Result<Self, Error> {
        raw.mount(&self.path).map_err(|libfuse| {
            let message = match (libfuse.is_empty(), self.diagnose()) {
                (_, Some(diagnosis)) if libfuse.is_empty() => diagnosis,
                (_, Some(diagnosis)) => format!("{libfuse} ({diagnosis})"),
                (true, None) => "libfuse gave no reason".to_owned(),
                (false, None) => libfuse,
            };
            Error::Mount {
                path: self.given.clone(),
                message,
            }
        })?;
        self.device = mounted_device(&self.path);
        Ok(self)
    }

    /// What is probably wrong when libfuse could not mount.
    fn diagnose(&self) -> Option<String> {
        let device = Path::new("/dev/fuse");
        if let Err(error) = fs::metadata(device) {
            return Some(format!(
                "/dev/fuse: {error}: load the kernel module `fuse`, or give the container the device"
            ));
        }
        if let Err(error) = sys::may_access(c"/dev/fuse", libc::R_OK | libc::W_OK) {
            return Some(format!("/dev/fuse may not be used: {error}"));
        }
        if sys::geteuid() == 0 {
            return None;
        }
        if find_fusermount().is_none() {
            return Some(
                "users other than root need the program fusermount3, set-user-id root: \
                 install the package fuse3"
                    .to_owned(),
            );
        }
        let path = CString::new(self.path.as_os_str().as_bytes()).ok()?;
        let metadata = fs::metadata(&self.path).ok()?;
        if sys::may_access(&path, libc::W_OK).is_err() {
            return Some("the mountpoint is not writable for this user".to_owned());
        }
        if metadata.mode() & libc::S_ISVTX != 0 && metadata.uid() != sys::geteuid() {
            return Some("the mountpoint is a sticky directory of another user".to_owned());
        }
        None
    }

    /// Whether the file system is still mounted, in this mount namespace.
    pub(super) fn is_mounted(&self) -> bool {
        self.device.is_some() && mounted_device(&self.path) == self.device
    }

    /// Ends the connection: all requests fail, and whoever waits in the kernel comes back.
    pub(super) fn abort(&self) {
        let Some((_, minor)) = self.device else {
            return;
        };
        let switch = format!("/sys/fs/fuse/connections/{minor}/abort");
        if fs::write(&switch, "1").is_err()
            && self.is_mounted()
            && let Ok(path) = CString::new(self.path.as_os_str().as_bytes())
            && let Err(error) = sys::umount2(&path, libc::MNT_FORCE)
        {
            // "Busy" is fine: the connection is aborted before the kernel finds out.
            log::debug!("{switch} is not there, and umount -f says: {error}");
        }
    }

    /// Takes the mount away if it is still there: libfuse leaves one whose connection was aborted.
    pub(super) fn detach(&self) {
        if !self.is_mounted() {
            return;
        }
        let Ok(path) = CString::new(self.path.as_os_str().as_bytes()) else {
            return;
        };
        if sys::umount2(&path, libc::MNT_DETACH).is_ok() {
            return;
        }
        let unmounted = find_fusermount().is_some_and(|fusermount| {
            Command::new(fusermount)
                .args(["-u", "-q", "-z", "--"])
                .arg(&self.path)
                .stdin(Stdio::null())
                .status()
                .is_ok_and(|status| status.success())
        });
        if !unmounted {
            log::error!("{:?} is still mounted: fusermount3 -u -z it", self.path);
        }
    }
}

/// Makes a path absolute and free of symbolic links, but for its last component.
fn resolve_parent(path: &Path) -> io::Result<PathBuf> {
    let absolute = std::path::absolute(path)?;
    match (absolute.parent(), absolute.file_name()) {
        (Some(parent), Some(name)) => Ok(parent.canonicalize()?.join(name)),
        _ => absolute.canonicalize(),
    }
}

fn explain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "it does not exist; create the directory first".to_owned(),
        io::ErrorKind::NotADirectory => "it is not a directory".to_owned(),
        _ => error.to_string(),
    }
}

/// The device number of the FUSE mount on top of this path, if there is one.
fn mounted_device(path: &Path) -> Option<(u32, u32)> {
    let mounts = fs::read("/proc/self/mountinfo").ok()?;
    let lines = mounts.rsplit(|byte| *byte == b'\n');
    // The last one is on top of the others.
    lines
        .filter_map(parse_mountinfo)
        .find(|mount| mount.path == path)?
        .fuse_device
}

struct Mount {
    path: PathBuf,
    fuse_device: Option<(u32, u32)>,
}

/// A line of /proc/self/mountinfo (proc(5)): `36 35 98:0 /root /mountpoint options - type ...`.
fn parse_mountinfo(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ');
    let device = std::str::from_utf8(fields.nth(2)?).ok()?;
    let path = unescape(fields.nth(1)?);
    let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
    let is_fuse = kind == b"fuse" || kind == b"fuseblk" || kind.starts_with(b"fuse.");
    let (major, minor) = device.split_once(':')?;
    let device = (major.parse().ok()?, minor.parse().ok()?);
    Some(Mount {
        path,
        fuse_device: is_fuse.then_some(device),
    })
}

/// Undoes the octal escapes of space, tab, newline and backslash.
fn unescape(field: &[u8]) -> PathBuf {
    let mut path = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, tail @ ..] = rest {
        match rest {
            [
                b'\\',
                a @ b'0'..=b'3',
                b @ b'0'..=b'7',
                c @ b'0'..=b'7',
                tail @ ..,
            ] => {
                path.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = tail;
            }
            _ => {
                path.push(*first);
                rest = tail;
            }
        }
    }
    PathBuf::from(OsString::from_vec(path))
}

/// Where libfuse looks for its helper: the PATH.
fn find_fusermount() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join("fusermount3"))
        .find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mountinfo_is_read_with_its_escapes() {
        let line = b"36 35 0:51 / /mnt/a\\040b\\134 rw,nosuid shared:7 - fuse.x src rw,user_id=0";
        let mount = parse_mountinfo(line).unwrap();
        assert_eq!(mount.path, Path::new("/mnt/a b\\"));
        assert_eq!(mount.fuse_device, Some((0, 51)));
        let line = b"36 35 8:1 / / rw - ext4 /dev/sda1 rw";
        assert_eq!(parse_mountinfo(line).unwrap().fuse_device, None);
    }

    #[test]
    fn bad_mountpoints_are_named() {
        let message = |path: &str| Mountpoint::check(Path::new(path)).unwrap_err().to_string();
        assert!(message("/no/such/dir").contains("\"/no/such/dir\": it does not exist"));
        assert!(message("/etc/passwd").contains("not a directory"));
        assert!(message("/etc/passwd/x").contains("not a directory"));
        assert!(message("a\0b").contains("NUL"));
    }
}
