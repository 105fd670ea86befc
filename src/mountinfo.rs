//! The table of mounts: `/proc/thread-self/mountinfo`.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Seek;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;

/// The major and minor number of a device.
pub(crate) type Device = (u32, u32);

/// The name of a mount's connection in `/sys/fs/fuse/connections`: the device number as the kernel prints it.
/// That is the minor number, except for file systems on a block device (`fuseblk`).
pub(crate) fn connection((major, minor): Device) -> u32 {
    major << 20 | minor
}

/// The table of the mount namespace that the thread was in when it opened this.
///
/// The file is kept open: the end of a session must not depend on a free descriptor.
#[derive(Debug)]
pub(crate) struct MountTable(Mutex<File>);

impl MountTable {
    /// `None` without a /proc.
    pub(crate) fn open() -> io::Result<Option<Self>> {
        match File::open("/proc/thread-self/mountinfo") {
            Ok(file) => Ok(Some(Self(Mutex::new(file)))),
            Err(error) if is_shortage(&error) => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// Reads the table as it is at this moment.
    pub(crate) fn read(&self) -> io::Result<Mounts> {
        let mut table = Vec::new();
        // A read from an offset misses mounts if another one goes meanwhile, so only one thread reads.
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.rewind()?;
        file.read_to_end(&mut table)?;
        let lines = table.split(|byte| *byte == b'\n');
        Ok(Mounts(lines.filter_map(parse).collect()))
    }
}

/// Whether a file could not be opened because the process or the system has no room for a descriptor.
pub(crate) fn is_shortage(error: &io::Error) -> bool {
    let errno = error.raw_os_error();
    [libc::EMFILE, libc::ENFILE, libc::ENOMEM].contains(&errno.unwrap_or(0))
}

/// The mounts of a namespace at one moment. A mount comes after those that it covers.
#[derive(Debug, Default)]
pub(crate) struct Mounts(Vec<Mount>);

impl Mounts {
    /// The FUSE mount on top of this path, if there is one.
    pub(crate) fn fuse_mount(&self, path: &Path) -> Option<&Mount> {
        let mut mounts = self.0.iter().rev();
        mounts
            .find(|mount| mount.path == path)
            .filter(|mount| mount.is_fuse)
    }

    /// The mounts of the FUSE file system with this device number.
    pub(crate) fn of_fuse_device(self, device: Device) -> Vec<Mount> {
        let mounts = self.0.into_iter();
        mounts
            .filter(|mount| mount.is_fuse && mount.device == device)
            .collect()
    }
}

#[derive(Debug)]
pub(crate) struct Mount {
    /// When the mount is gone, the kernel gives the number to another one.
    pub(crate) id: u64,
    pub(crate) device: Device,
    pub(crate) path: PathBuf,
    /// The options of the mount, not those of the file system: `ro,nosuid,relatime`.
    pub(crate) options: Vec<u8>,
    is_fuse: bool,
}

/// A line of /proc/self/mountinfo (proc(5)): `36 35 98:0 /root /mountpoint options - type ...`.
fn parse(line: &[u8]) -> Option<Mount> {
    let text = |field| std::str::from_utf8(field).ok();
    let mut fields = line.split(|byte| *byte == b' ');
    let id = text(fields.next()?)?.parse().ok()?;
    let device = text(fields.nth(1)?)?;
    let path = unescape(fields.nth(1)?);
    let options = fields.next()?.to_owned();
    let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
    let is_fuse = [&b"fuse"[..], b"fuseblk"].contains(&kind.split(|byte| *byte == b'.').next()?);
    let (major, minor) = device.split_once(':')?;
    let device = (major.parse().ok()?, minor.parse().ok()?);
    Some(Mount {
        id,
        device,
        path,
        options,
        is_fuse,
    })
}

/// Replaces the octal escapes of space, tab, newline and backslash.
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
        assert_eq!(mount.options, b"rw,nosuid");
        assert_eq!((mount.id, mount.device, mount.is_fuse), (36, (0, 51), true));
        let line = b"36 35 8:1 / / rw - ext4 /dev/sda1 rw";
        assert!(!parse(line).unwrap().is_fuse);
        for (kind, is_fuse) in [
            ("fuse", true),
            ("fuseblk", true),
            ("fuseblk.x", true),
            ("fusectl", false),
        ] {
            let line = format!("36 35 7:3 / / rw - {kind} /dev/loop3 rw");
            let mount = parse(line.as_bytes()).unwrap();
            assert_eq!((mount.device, mount.is_fuse), ((7, 3), is_fuse), "{kind}");
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
        let mounts = lines.iter().filter_map(|line| parse(line.as_bytes()));
        let mounts = Mounts(mounts.collect());
        assert!(mounts.fuse_mount(Path::new("/mnt")).is_none());
        let mounts = mounts.of_fuse_device((0, 51));
        assert_eq!(mounts.len(), 1);
    }
}
