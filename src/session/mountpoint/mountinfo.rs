//! What is mounted where: /proc/self/mountinfo.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::path::PathBuf;

/// Major and minor number of a device.
pub(super) type Device = (u32, u32);

/// The name of a mount's connection in /sys/fs/fuse/connections: its device number as the kernel writes
/// it, which is the minor number, but for file systems on a block device (`fuseblk`).
pub(super) fn connection((major, minor): Device) -> u32 {
    major << 20 | minor
}

/// The mounts of this process's namespace, as of one moment.
pub(super) struct MountTable(Vec<Mount>);

impl MountTable {
    /// Empty if there is no /proc.
    pub(super) fn read() -> Self {
        let table = fs::read("/proc/self/mountinfo").unwrap_or_default();
        let lines = table.split(|byte| *byte == b'\n');
        Self(lines.filter_map(parse).collect())
    }

    /// The device number of the FUSE mount on top of this path, if there is one.
    pub(super) fn fuse_device(&self, path: &Path) -> Option<Device> {
        // The last one is on top of the others.
        let mut mounts = self.0.iter().rev();
        mounts.find(|mount| mount.path == path)?.fuse_device
    }
}

struct Mount {
    path: PathBuf,
    fuse_device: Option<Device>,
}

/// A line of /proc/self/mountinfo (proc(5)): `36 35 98:0 /root /mountpoint options - type ...`.
fn parse(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ');
    let device = std::str::from_utf8(fields.nth(2)?).ok()?;
    let path = unescape(fields.nth(1)?);
    let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
    let is_fuse = [&b"fuse"[..], b"fuseblk"].contains(&kind.split(|byte| *byte == b'.').next()?);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_with_their_escapes() {
        let line = b"36 35 0:51 / /mnt/a\\040b\\134 rw,nosuid shared:7 - fuse.x src rw,user_id=0";
        let mount = parse(line).unwrap();
        assert_eq!(mount.path, Path::new("/mnt/a b\\"));
        assert_eq!(mount.fuse_device, Some((0, 51)));
        let line = b"36 35 8:1 / / rw - ext4 /dev/sda1 rw";
        assert_eq!(parse(line).unwrap().fuse_device, None);
        for (kind, is_fuse) in [
            ("fuse", true),
            ("fuseblk", true),
            ("fuseblk.x", true),
            ("fusectl", false),
        ] {
            let line = format!("36 35 7:3 / / rw - {kind} /dev/loop3 rw");
            let device = parse(line.as_bytes()).unwrap().fuse_device;
            assert_eq!(device, is_fuse.then_some((7, 3)), "{kind}");
        }
    }

    #[test]
    fn a_block_device_does_not_have_the_connection_of_another_mount() {
        assert_eq!(connection((0, 51)), 51);
        assert_eq!(connection((7, 51)), 7 * 0x10_0000 + 51);
    }

    #[test]
    fn the_mount_on_top_counts() {
        let lines = [
            "1 0 0:51 / /mnt rw - fuse.x s rw",
            "2 1 8:1 / /mnt rw - ext4 s rw",
        ];
        let table = MountTable(
            lines
                .iter()
                .filter_map(|line| parse(line.as_bytes()))
                .collect(),
        );
        assert_eq!(table.fuse_device(Path::new("/mnt")), None);
    }
}
