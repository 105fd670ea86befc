//! `mount -o remount,ro`: mount(8) starts the program for it, as it does to mount.

use std::error::Error as StdError;
use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use libc::c_ulong;

use super::CommandLine;
use crate::raw::sys;

/// What sets a flag of mount(2), what clears it, and the flag.
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

/// These stay on: mount.fuse3 adds `dev,suid` by itself, also where a user has mounted without them.
const KEPT: c_ulong = libc::MS_NOSUID | libc::MS_NODEV;

/// Changes the flags of the mount on the mountpoint of this command line. What else is among the options is
/// left to the file system that is mounted there, as the kernel leaves it.
pub(super) fn remount(line: &CommandLine) -> Result<(), Box<dyn StdError>> {
    let given = line.mountpoint.as_deref().unwrap_or(Path::new(""));
    let fail = |reason: &str| format!("cannot remount {given:?}: {reason}");
    let path = given
        .canonicalize()
        .map_err(|error| fail(&error.to_string()))?;
    let table = fs::read("/proc/self/mountinfo").map_err(|error| fail(&error.to_string()))?;
    let present = fuse_flags(&table, &path);
    let present = present.ok_or_else(|| fail("no FUSE file system is mounted there"))?;
    let names = line.options.iter().map(OsStrExt::as_bytes);
    let flags = flags(names) | (present & KEPT);
    let path = CString::new(path.into_os_string().as_bytes())?;
    sys::remount(&path, flags).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => fail("it takes root"),
        _ => fail(&error.to_string()),
    })?;
    Ok(())
}

/// Of options that are contrary to each other the last counts.
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

/// The flags of the mount on top of this path, if it is one of FUSE.
fn fuse_flags(table: &[u8], path: &Path) -> Option<c_ulong> {
    let path = as_in_mountinfo(path);
    // 36 35 98:0 /root /mountpoint options tag.. - type source superoptions
    let mut lines = table.split(|byte| *byte == b'\n').rev();
    let line = lines.find(|line| line.split(|byte| *byte == b' ').nth(4) == Some(&path))?;
    let mut fields = line.split(|byte| *byte == b' ');
    let options = fields.nth(5)?;
    let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
    let is_fuse = [&b"fuse"[..], b"fuseblk"].contains(&kind.split(|byte| *byte == b'.').next()?);
    is_fuse.then(|| flags(options.split(|byte| *byte == b',')))
}

fn as_in_mountinfo(path: &Path) -> Vec<u8> {
    let mut escaped = Vec::new();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b' ' | b'\t' | b'\n' | b'\\' => escaped.extend(format!("\\{byte:03o}").bytes()),
            _ => escaped.push(*byte),
        }
    }
    escaped
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

    #[test]
    fn the_flags_are_those_of_the_fuse_mount_on_top() {
        let table = b"36 35 0:50 / /mnt/a\\040b rw,noexec - fuse.x src rw\n\
            37 36 0:51 / /mnt/a\\040b ro,nosuid,nodev shared:7 - fuse.x src rw,user_id=0\n\
            38 35 8:1 / /mnt rw - ext4 /dev/sda1 rw\n";
        let flags = |path: &str| fuse_flags(table, Path::new(path));
        assert_eq!(flags("/mnt/a b"), Some(libc::MS_RDONLY | KEPT));
        assert_eq!(flags("/mnt"), None);
        assert_eq!(flags("/other"), None);
    }
}
