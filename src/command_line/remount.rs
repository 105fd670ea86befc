//! `mount -o remount,ro`, for which mount(8) starts the program as it does to mount.

use std::error::Error as StdError;
use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::path::PathBuf;

use libc::c_ulong;

use super::CommandLine;
use crate::mountinfo::MountTable;
use crate::raw::sys;

/// Flags of mount(2): the option that sets one, the option that clears it, the flag.
const FLAGS: [(&str, &str, c_ulong); 12] = [
    ("ro", "rw", libc::MS_RDONLY),
    ("nosuid", "suid", libc::MS_NOSUID),
    ("nodev", "dev", libc::MS_NODEV),
    ("noexec", "exec", libc::MS_NOEXEC),
    ("sync", "async", libc::MS_SYNCHRONOUS),
    ("dirsync", "nodirsync", libc::MS_DIRSYNC),
    ("noatime", "atime", libc::MS_NOATIME),
    ("nodiratime", "diratime", libc::MS_NODIRATIME),
    ("relatime", "norelatime", libc::MS_RELATIME),
    ("strictatime", "nostrictatime", libc::MS_STRICTATIME),
    ("lazytime", "nolazytime", 1 << 25),
    ("nosymfollow", "symfollow", 1 << 8),
];

/// These stay set: mount.fuse3 adds `dev,suid`, even if the file system is mounted without them.
const KEPT: c_ulong = libc::MS_NOSUID | libc::MS_NODEV;

/// Changes the flags of the mount on the mountpoint of this command line. Other options have no effect: a
/// file system does not take them again.
pub(super) fn remount(line: &CommandLine) -> Result<(), Box<dyn StdError>> {
    let given = line.mountpoint.as_deref().unwrap_or(Path::new(""));
    let fail = |reason: &str| format!("cannot remount {given:?}: {reason}");
    let path = canonical(given).map_err(|error| fail(&error.to_string()))?;
    let table = MountTable::open().and_then(|table| {
        let mounts = table.as_ref().map(MountTable::read).transpose()?;
        mounts.ok_or(io::ErrorKind::NotFound.into())
    });
    let mounts = table
        .map_err(|error| fail(&format!("cannot read /proc/thread-self/mountinfo: {error}")))?;
    let mount = mounts.fuse_mount(&path);
    let mount = mount.ok_or_else(|| fail("no FUSE file system is mounted there"))?;
    let present = flags(mount.options.split(|byte| *byte == b','));
    let names = line.options.iter().map(OsStrExt::as_bytes);
    let flags = flags(names) | (present & KEPT);
    let path = CString::new(path.into_os_string().as_bytes())?;
    sys::remount(&path, flags).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => fail("only root may do so"),
        _ => fail(&error.to_string()),
    })?;
    Ok(())
}

/// The canonical path of a mountpoint, on which a file system may be mounted that denies this process all
/// access: even root gets `EACCES` without `allow_other`. glibc before 2.33 looks at the last component, too.
fn canonical(mountpoint: &Path) -> io::Result<PathBuf> {
    let mountpoint = std::path::absolute(mountpoint)?;
    match (mountpoint.parent(), mountpoint.file_name()) {
        (Some(parent), Some(name)) if is_denied(&mountpoint.symlink_metadata()) => {
            Ok(parent.canonicalize()?.join(name))
        }
        _ => mountpoint.canonicalize(),
    }
}

fn is_denied<T>(result: &io::Result<T>) -> bool {
    let error = result.as_ref().err();
    error.is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

/// The flags that these options set. Of two contrary options, the last counts.
fn flags<'a>(options: impl Iterator<Item = &'a [u8]>) -> c_ulong {
    options.fold(0, |flags, option| {
        let mut table = FLAGS.iter();
        table
            .find_map(|(set, clear, flag)| match option {
                _ if option == set.as_bytes() => Some(flags | flag),
                _ if option == clear.as_bytes() => Some(flags & !flag),
                _ => None,
            })
            .unwrap_or(flags)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_contrary_options_counts() {
        let flags = |list: &str| flags(list.split(',').map(str::as_bytes));
        assert_eq!(flags("ro,remount,allow_other,dev,suid"), libc::MS_RDONLY);
        assert_eq!(flags("ro,nosuid,rw"), libc::MS_NOSUID);
        assert_eq!(flags("rw"), 0);
    }
}
