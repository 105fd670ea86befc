//! Attributes of an inode, and changes to them.

use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use super::Inode;
use super::TimeOrNow;
use super::Timestamp;

/// How long a cached answer is valid unless the file system says otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(300);

/// A directory entry's inode: its number, its attributes, and how long the kernel may keep both.
///
/// The defaults are pyfuse3's: a regular file without permissions, owned by root, one link,
/// timeouts of 300 seconds. Fill in what differs:
///
/// ```
/// use libfuse3::EntryAttributes;
/// use libfuse3::Inode;
///
/// let mode = libc::S_IFREG | 0o644;
/// let file = EntryAttributes { ino: Inode(2), mode, size: 6, ..Default::default() };
/// assert_eq!(file.blksize, 4096);
///
/// let metadata = std::fs::metadata("/").unwrap();
/// let mirrored = EntryAttributes { ino: Inode::ROOT, ..EntryAttributes::from(&metadata) };
/// assert_eq!(mirrored.nlink, metadata.st_nlink() as u32);
/// # use std::os::linux::fs::MetadataExt;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(alias = "fuse_entry_param")]
pub struct EntryAttributes {
    /// The inode's number towards the kernel, and `st_ino` too unless [`stat_ino`](Self::stat_ino)
    /// says otherwise.
    ///
    /// 0 in the answer to `lookup` means "no such entry, and remember that for
    /// [`entry_timeout`](Self::entry_timeout)".
    pub ino: Inode,
    /// The `st_ino` that `stat` shows, where it differs from [`ino`](Self::ino). Mirrors of several
    /// file systems need it, since two of them may use the same number.
    pub stat_ino: Option<u64>,
    /// Tells apart inodes that have the same number one after the other. NFS needs the pair to be
    /// unique for the life of the file system.
    ///
    /// File handles that a program has kept may come after the file system was mounted anew. If numbers
    /// begin anew then, use another generation for each mount. The kernel keeps 32 bits of it, and
    /// takes the root's to be 0.
    pub generation: u64,
    /// How long the kernel may use the name without asking `lookup` again: exact to the nanosecond, and
    /// for ever with [`Duration::MAX`]. Not used by `getattr` and `setattr`.
    pub entry_timeout: Duration,
    /// How long the kernel may use the attributes without asking `getattr` again. As exact, but for
    /// answers to `statx`.
    pub attr_timeout: Duration,
    /// File type and permissions, such as `libc::S_IFREG | 0o644`.
    pub mode: u32,
    /// Number of hard links.
    pub nlink: u32,
    /// User id of the owner.
    pub uid: u32,
    /// Group id of the owner.
    pub gid: u32,
    /// Device number, for character and block devices. The kernel's protocol has 32 bits for it.
    pub rdev: u64,
    /// Size in bytes.
    pub size: u64,
    /// Preferred size of reads and writes, in bytes.
    pub blksize: u32,
    /// Space taken, in units of 512 bytes.
    pub blocks: u64,
    /// Time of the last access.
    pub atime: Timestamp,
    /// Time of the last change of the contents.
    pub mtime: Timestamp,
    /// Time of the last change of the attributes.
    pub ctime: Timestamp,
}

impl EntryAttributes {
    /// The answer to `lookup` for a name that does not exist, to be remembered by the kernel for
    /// `timeout`.
    ///
    /// `Err(Errno::ENOENT)` says the same without being remembered. The lookup count of nothing
    /// grows.
    #[must_use]
    pub fn negative(timeout: Duration) -> Self {
        Self {
            ino: Inode(0),
            entry_timeout: timeout,
            ..Self::default()
        }
    }

    /// Sets both timeouts.
    #[must_use]
    pub fn with_timeouts(self, timeout: Duration) -> Self {
        Self {
            entry_timeout: timeout,
            attr_timeout: timeout,
            ..self
        }
    }

    /// The file type alone: `mode & S_IFMT`.
    #[must_use]
    pub fn file_type(&self) -> u32 {
        self.mode & libc::S_IFMT
    }

    /// Whether this is a directory.
    #[must_use]
    pub fn is_dir(&self) -> bool {
        self.file_type() == libc::S_IFDIR
    }
}

impl Default for EntryAttributes {
    fn default() -> Self {
        Self {
            ino: Inode(0),
            stat_ino: None,
            generation: 0,
            entry_timeout: DEFAULT_TIMEOUT,
            attr_timeout: DEFAULT_TIMEOUT,
            mode: libc::S_IFREG,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            size: 0,
            blksize: 4096,
            blocks: 0,
            atime: Timestamp::EPOCH,
            mtime: Timestamp::EPOCH,
            ctime: Timestamp::EPOCH,
        }
    }
}

impl From<&libc::stat> for EntryAttributes {
    /// `ino` becomes the `st_ino` of the source; default timeouts.
    #[allow(
        clippy::unnecessary_cast,
        reason = "the types in struct stat differ between architectures"
    )]
    fn from(stat: &libc::stat) -> Self {
        Self {
            ino: Inode(stat.st_ino as u64),
            mode: stat.st_mode,
            nlink: u32::try_from(stat.st_nlink).unwrap_or(u32::MAX),
            uid: stat.st_uid,
            gid: stat.st_gid,
            rdev: stat.st_rdev as u64,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            blksize: u32::try_from(stat.st_blksize).unwrap_or(4096),
            blocks: u64::try_from(stat.st_blocks).unwrap_or(0),
            atime: Timestamp::new(stat.st_atime as i64, stat.st_atime_nsec as i64),
            mtime: Timestamp::new(stat.st_mtime as i64, stat.st_mtime_nsec as i64),
            ctime: Timestamp::new(stat.st_ctime as i64, stat.st_ctime_nsec as i64),
            ..Self::default()
        }
    }
}

impl From<&std::fs::Metadata> for EntryAttributes {
    /// `ino` becomes the `st_ino` of the source; default timeouts.
    fn from(metadata: &std::fs::Metadata) -> Self {
        Self {
            ino: Inode(metadata.ino()),
            mode: metadata.mode(),
            nlink: u32::try_from(metadata.nlink()).unwrap_or(u32::MAX),
            uid: metadata.uid(),
            gid: metadata.gid(),
            rdev: metadata.rdev(),
            size: metadata.size(),
            blksize: u32::try_from(metadata.blksize()).unwrap_or(4096),
            blocks: metadata.blocks(),
            atime: Timestamp::new(metadata.atime(), metadata.atime_nsec()),
            mtime: Timestamp::new(metadata.mtime(), metadata.mtime_nsec()),
            ctime: Timestamp::new(metadata.ctime(), metadata.ctime_nsec()),
            ..Self::default()
        }
    }
}

/// What `setattr` shall change: each field that is `Some`, and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[doc(alias = "fuse_set_attr")]
pub struct SetattrFields {
    /// New permissions, with the file type bits as they are (`chmod`).
    pub mode: Option<u32>,
    /// New owner (`chown`).
    pub uid: Option<u32>,
    /// New group (`chown`).
    pub gid: Option<u32>,
    /// New size in bytes (`truncate`): cut off, or filled up with zeros.
    pub size: Option<u64>,
    /// New time of access (`utimensat`).
    pub atime: Option<TimeOrNow>,
    /// New time of modification (`utimensat`).
    pub mtime: Option<TimeOrNow>,
    /// New time of change: only with the writeback cache, where the kernel keeps the times. Without
    /// it the file system sets its ctime to the current time by itself.
    pub ctime: Option<Timestamp>,
    /// The set-user-id bit, and the set-group-id bit of an executable file, must be cleared because
    /// of a write or a change of size or owner. Only with
    /// [`Capabilities::HANDLE_KILLPRIV_V2`](crate::Capabilities::HANDLE_KILLPRIV_V2); without it the
    /// kernel sends a new `mode`.
    #[doc(alias = "FUSE_SET_ATTR_KILL_SUID")]
    pub kill_suid: bool,
    /// The set-group-id bit must be cleared.
    #[doc(alias = "FUSE_SET_ATTR_KILL_SGID")]
    pub kill_sgid: bool,
}
