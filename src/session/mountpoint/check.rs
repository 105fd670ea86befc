//! Checks of a mountpoint before the mount.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

use super::Mountpoint;
use super::unserved;
use crate::Errno;
use crate::Error;
use crate::mountinfo::MountTable;
use crate::mountinfo::Mounts;
use crate::raw::sys;

/// The number of symbolic links that the kernel follows.
const MAX_SYMLINKS: usize = 40;

impl Mountpoint {
    /// Checks a directory or file, or a descriptor that another program mounts.
    ///
    /// Makes no system call for a path that leads through a mount of this process without readers: it would
    /// wait for ever.
    pub(in crate::session) fn check(given: &Path) -> Result<Self, Error> {
        let fail = |reason: String| Error::Mountpoint {
            path: given.to_owned(),
            reason,
        };
        if given.as_os_str().as_bytes().contains(&0) {
            return Err(fail("the path has a NUL in it".to_owned()));
        }
        if let Some(number) = descriptor(given) {
            sys::take_fuse_device(number).map_err(fail)?;
            return Ok(Self::new(given, given.to_owned(), None));
        }
        let cannot_look =
            |error: io::Error| fail(format!("cannot read /proc/thread-self/mountinfo: {error}"));
        let table = MountTable::open().map_err(cannot_look)?;
        let mounts = table.as_ref().map(MountTable::read).transpose();
        let mounts = mounts.map_err(cannot_look)?.unwrap_or_default();
        let path = resolve(given, &mounts).map_err(fail)?;
        Ok(Self::new(given, path, table))
    }
}

/// The descriptor that libfuse takes this mountpoint for: `/dev/fd/N`.
fn descriptor(given: &Path) -> Option<RawFd> {
    let digits = given.as_os_str().as_bytes().strip_prefix(b"/dev/fd/")?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Makes the path of a mountpoint absolute and free of symbolic links, step by step.
fn resolve(given: &Path, mounts: &Mounts) -> Result<PathBuf, String> {
    let mut path = match std::path::absolute(given) {
        Ok(_) if given.is_absolute() => PathBuf::from("/"),
        Ok(_) => std::env::current_dir().map_err(|error| explain(&error, given))?,
        Err(error) => return Err(explain(&error, given)),
    };
    // The last one is next.
    let mut ahead = Vec::new();
    push(&mut ahead, given);
    let mut links = 0;
    while let Some(name) = ahead.pop() {
        if name == ".." {
            path.pop();
            continue;
        }
        path.push(name);
        look_ahead(mounts, &path, ahead.is_empty())?;
        let metadata = fs::symlink_metadata(&path).map_err(|error| explain(&error, &path))?;
        if metadata.is_symlink() {
            links += 1;
            if links > MAX_SYMLINKS {
                return Err("too many symbolic links".to_owned());
            }
            let target = fs::read_link(&path).map_err(|error| explain(&error, &path))?;
            path.pop();
            if target.is_absolute() {
                path = PathBuf::from("/");
            }
            push(&mut ahead, &target);
        } else if !metadata.is_dir() {
            if !ahead.is_empty() {
                return Err(format!("{path:?} is not a directory"));
            }
            if !metadata.is_file() {
                return Err("it is neither a directory nor a regular file".to_owned());
            }
        }
    }
    look_ahead(mounts, &path, true)?;
    Ok(path)
}

fn push(ahead: &mut Vec<OsString>, path: &Path) {
    let names = path
        .components()
        .rev()
        .filter_map(|component| match component {
            Component::Normal(_) | Component::ParentDir => Some(component.as_os_str().to_owned()),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => None,
        });
    ahead.extend(names);
}

/// Whether the next step may be taken.
fn look_ahead(mounts: &Mounts, path: &Path, is_last: bool) -> Result<(), String> {
    let Some(mount) = mounts.fuse_mount(path) else {
        return Ok(());
    };
    if is_last {
        return Err(format!(
            "a FUSE file system is mounted there already; unmount it first: fusermount3 -u {}",
            path.display()
        ));
    }
    if unserved().contains(&mount.device) {
        return Err(format!(
            "it is inside of {path:?}, a file system of this process that is not running"
        ));
    }
    Ok(())
}

fn explain(error: &io::Error, path: &Path) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "it does not exist; create the directory first".to_owned(),
        io::ErrorKind::NotADirectory => "it is not a directory".to_owned(),
        io::ErrorKind::InvalidInput => "the path is empty".to_owned(),
        io::ErrorKind::NotConnected => {
            format!(
                "{path:?} is a mount whose server is gone; unmount it first: fusermount3 -u {path:?}"
            )
        }
        _ if error.raw_os_error() == Some(libc::EACCES) => {
            format!("this user may not look at {path:?}")
        }
        _ => match error.raw_os_error().and_then(Errno::from_raw) {
            Some(errno) => format!("{path:?}: {errno}"),
            None => error.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_mountpoints_are_named() {
        let message = |path: &str| Mountpoint::check(Path::new(path)).unwrap_err().to_string();
        assert!(message("/no/such/dir").contains("\"/no/such/dir\": it does not exist"));
        assert!(message("/dev/null").contains("neither a directory nor a regular file"));
        assert!(message("/etc/passwd/x").contains("not a directory"));
        assert!(message("a\0b").contains("NUL"));
        assert!(message("").contains("empty"));
        assert!(message("/dev/fd/1000000").contains("not open"));
        assert!(message("/dev/fd/x").contains("does not exist"));
        assert!(message(&"x".repeat(300)).contains("name too long"));
    }

    #[test]
    fn paths_become_absolute_and_plain() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("a/b")).unwrap();
        std::os::unix::fs::symlink("a/b/../b", root.join("relative")).unwrap();
        std::os::unix::fs::symlink(root.join("relative"), root.join("absolute")).unwrap();
        std::os::unix::fs::symlink("loop", root.join("loop")).unwrap();
        let resolve = |path: &Path| resolve(path, &Mounts::default());
        let resolved = |path: &str| resolve(&root.join(path));
        assert_eq!(resolved("relative"), Ok(root.join("a/b")));
        assert_eq!(resolved("./absolute/.//"), Ok(root.join("a/b")));
        assert_eq!(resolved("absolute/.."), Ok(root.join("a")));
        fs::write(root.join("a/file"), "").unwrap();
        assert_eq!(resolved("a/file"), Ok(root.join("a/file")));
        assert_eq!(resolved("../../../../.."), Ok(PathBuf::from("/")));
        assert_eq!(
            resolve(Path::new("src")),
            Ok(std::env::current_dir().unwrap().join("src"))
        );
        assert!(resolved("loop").unwrap_err().contains("symbolic links"));
        assert!(
            resolved("absolute/missing")
                .unwrap_err()
                .contains("does not exist")
        );
    }
}
