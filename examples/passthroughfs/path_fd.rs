//! An inode of the source, and what is done to it, by a descriptor.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::sync::OnceLock;

use libfuse3::EntryAttributes;
use libfuse3::Errno;
use libfuse3::RequestContext;
use libfuse3::Result;
use libfuse3::SetattrFields;
use libfuse3::TimeOrNow;
use libfuse3::Timestamp;
use libfuse3::XattrFlags;
use rustix::buffer::spare_capacity;
use rustix::fs::AtFlags;
use rustix::fs::CWD;
use rustix::fs::FileType;
use rustix::fs::Gid;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::ResolveFlags;
use rustix::fs::Statx;
use rustix::fs::StatxFlags;
use rustix::fs::StatxTimestamp;
use rustix::fs::Timespec;
use rustix::fs::Timestamps;
use rustix::fs::Uid;
use rustix::path::DecInt;

use crate::caller::Caller;

/// The kernel's limits for the value of an extended attribute and for the list of names.
const XATTR_SIZE_MAX: usize = 64 * 1024;
/// Most values fit in here.
const XATTR_SIZE_USUAL: usize = 512;

/// The types of file systems that may be stacked on another: overlayfs, eCryptfs, FUSE (linux/magic.h).
const STACKED: [rustix::fs::FsWord; 3] = [0x794c_7630, 0xf15f, 0x6573_5546];

/// The answer for a system call that failed.
pub(crate) fn errno(error: rustix::io::Errno) -> Errno {
    Errno::from_raw(error.raw_os_error()).unwrap_or(Errno::EIO)
}

/// An `O_PATH` descriptor: it reads and writes nothing, but names the inode whatever happens to its
/// paths.
#[derive(Debug)]
pub(crate) struct PathFd {
    fd: OwnedFd,
}

impl AsFd for PathFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl PathFd {
    /// The inode that `path` leads to, by way of symbolic links.
    pub(crate) fn open(path: &OsStr) -> rustix::io::Result<Self> {
        let fd = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { fd })
    }

    /// The inode that a descriptor of any kind is open on.
    pub(crate) fn of(fd: impl AsFd) -> Result<Self> {
        reopen(fd, OFlags::PATH).map(|fd| Self { fd })
    }

    /// The inode called `name` in this directory, and whether the way there led into another mount.
    pub(crate) fn child(&self, name: &OsStr) -> Result<(Self, bool)> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let inside = ResolveFlags::NO_XDEV;
        match rustix::fs::openat2(self, name, flags, Mode::empty(), inside) {
            Ok(fd) => Ok((Self { fd }, false)),
            // A mount point; or no openat2, which some sandboxes forbid.
            Err(rustix::io::Errno::XDEV | rustix::io::Errno::NOSYS | rustix::io::Errno::PERM) => {
                let fd = rustix::fs::openat(self, name, flags, Mode::empty()).map_err(errno)?;
                Ok((Self { fd }, true))
            }
            Err(error) => Err(errno(error)),
        }
    }

    pub(crate) fn stat(&self) -> Result<Statx> {
        self.statx(AtFlags::STATX_SYNC_AS_STAT, StatxFlags::empty())
    }

    /// Along with the time of creation, which [`btime`] finds in it.
    pub(crate) fn stat_with_btime(&self, flags: libfuse3::StatxFlags) -> Result<Statx> {
        let sync = AtFlags::from_bits_truncate(flags.bits().cast_unsigned());
        self.statx(sync, StatxFlags::BTIME)
    }

    /// The device, without a request to the file system that it belongs to.
    pub(crate) fn cached_dev(&self) -> Result<(u32, u32)> {
        let stat = self.statx(AtFlags::STATX_DONT_SYNC, StatxFlags::empty())?;
        Ok((stat.stx_dev_major, stat.stx_dev_minor))
    }

    fn statx(&self, sync: AtFlags, more: StatxFlags) -> Result<Statx> {
        let wanted = StatxFlags::BASIC_STATS | StatxFlags::MNT_ID | more;
        rustix::fs::statx(self, "", AtFlags::EMPTY_PATH | sync, wanted).map_err(errno)
    }

    /// Whether the inode's file system passes reads and writes on to another one, or may do so.
    pub(crate) fn is_on_stacked_file_system(&self) -> Result<bool> {
        let stat = rustix::fs::fstatfs(self).map_err(errno)?;
        Ok(STACKED.contains(&stat.f_type))
    }

    /// Opens the inode itself. Not for symbolic links.
    ///
    /// `O_NOATIME` is granted to the owner and to root, and left out for others.
    pub(crate) fn reopen(&self, flags: OFlags) -> Result<OwnedFd> {
        match reopen(self, flags) {
            Err(Errno::EPERM) if flags.contains(OFlags::NOATIME) => {
                reopen(self, flags - OFlags::NOATIME)
            }
            result => result,
        }
    }

    /// The target of a symbolic link.
    pub(crate) fn target(&self) -> Result<OsString> {
        let target = rustix::fs::readlinkat(self, "", Vec::new()).map_err(errno)?;
        Ok(OsString::from_vec(target.into_bytes()))
    }

    /// Gives the inode one more name.
    pub(crate) fn link(&self, directory: &Self, name: &OsStr) -> Result<()> {
        // AT_EMPTY_PATH would need CAP_DAC_READ_SEARCH.
        let number = DecInt::from_fd(self);
        rustix::fs::linkat(
            proc_self_fd()?,
            number,
            directory,
            name,
            AtFlags::SYMLINK_FOLLOW,
        )
        .map_err(errno)
    }

    /// Clears the set-group-id bit of a regular file after a caller outside of `group` has changed
    /// attributes.
    ///
    /// The kernel leaves that to the file system if the group may not execute the file. Before a write it
    /// then sends a `setattr` without any field.
    pub(crate) fn drop_set_group_id(&self, group: u32, ctx: &RequestContext) -> Result<()> {
        let stat = self.stat()?;
        let mode = permissions(stat.stx_mode.into());
        if is_regular(&stat) && mode.contains(Mode::SGID) {
            let left = Caller::of(ctx).mode_after_change(mode, group);
            if left != mode {
                return may_be_forbidden(self.chmod(left));
            }
        }
        Ok(())
    }

    /// Changes all that `fields` ask for. `file` is an open descriptor of this inode, if there is one.
    pub(crate) fn set_attributes(
        &self,
        fields: &SetattrFields,
        file: Option<BorrowedFd<'_>>,
    ) -> Result<()> {
        // The owner first: a change of it clears the set-user-id bit, which `mode` may set.
        if fields.uid.is_some() || fields.gid.is_some() {
            let uid = fields.uid.map(Uid::from_raw);
            let gid = fields.gid.map(Gid::from_raw);
            rustix::fs::chownat(self, "", uid, gid, AtFlags::EMPTY_PATH).map_err(errno)?;
        }
        if let Some(mode) = fields.mode {
            self.chmod(permissions(mode))?;
        }
        if let Some(size) = fields.size {
            match file {
                Some(file) => rustix::fs::ftruncate(file, size).map_err(errno)?,
                None => self.truncate(size)?,
            }
        }
        if fields.atime.is_some() || fields.mtime.is_some() {
            let times = Timestamps {
                last_access: timespec(fields.atime),
                last_modification: timespec(fields.mtime),
            };
            rustix::fs::utimensat(self, "", &times, AtFlags::EMPTY_PATH).map_err(errno)?;
        }
        Ok(())
    }

    fn chmod(&self, mode: Mode) -> Result<()> {
        let number = DecInt::from_fd(self);
        rustix::fs::chmodat(proc_self_fd()?, number, mode, AtFlags::empty()).map_err(errno)
    }

    fn truncate(&self, size: u64) -> Result<()> {
        let size = i64::try_from(size).map_err(|_| Errno::EFBIG)?;
        nix::unistd::truncate(self.proc_path().as_str(), size)
            .map_err(|error| Errno::from_raw(error as i32).unwrap_or(Errno::EIO))
    }

    pub(crate) fn get_xattr(&self, name: &OsStr) -> Result<Vec<u8>> {
        let path = self.proc_path();
        read_xattr(|buffer| rustix::fs::getxattr(&path, name, spare_capacity(buffer)))
    }

    pub(crate) fn set_xattr(&self, name: &OsStr, value: &[u8], flags: XattrFlags) -> Result<()> {
        let flags = rustix::fs::XattrFlags::from_bits_retain(flags.bits().cast_unsigned());
        rustix::fs::setxattr(self.proc_path(), name, value, flags).map_err(errno)
    }

    pub(crate) fn list_xattrs(&self) -> Result<Vec<OsString>> {
        let path = self.proc_path();
        let list = read_xattr(|buffer| rustix::fs::listxattr(&path, spare_capacity(buffer)))?;
        let names = list
            .split(|&byte| byte == 0)
            .filter(|name| !name.is_empty());
        Ok(names
            .map(|name| OsString::from_vec(name.to_vec()))
            .collect())
    }

    pub(crate) fn remove_xattr(&self, name: &OsStr) -> Result<()> {
        rustix::fs::removexattr(self.proc_path(), name).map_err(errno)
    }

    /// A path for the calls that know no descriptor of a directory. It leads to the inode itself, even
    /// if that is a symbolic link.
    fn proc_path(&self) -> String {
        format!("/proc/self/fd/{}", self.fd.as_raw_fd())
    }
}

/// Calls `read` with a buffer that is large enough.
fn read_xattr(mut read: impl FnMut(&mut Vec<u8>) -> rustix::io::Result<usize>) -> Result<Vec<u8>> {
    let mut buffer = Vec::with_capacity(XATTR_SIZE_USUAL);
    match read(&mut buffer) {
        Err(rustix::io::Errno::RANGE) => {
            buffer.reserve_exact(XATTR_SIZE_MAX);
            read(&mut buffer)
        }
        result => result,
    }
    .map_err(errno)?;
    Ok(buffer)
}

/// `/proc/self/fd`, by which an `O_PATH` descriptor turns into one for reading or writing.
///
/// It is opened at the first request and not before, since `self` means the process that opens it, and
/// the program goes into the background by a fork.
fn proc_self_fd() -> Result<BorrowedFd<'static>> {
    static DIRECTORY: OnceLock<OwnedFd> = OnceLock::new();
    if DIRECTORY.get().is_none() {
        // If two threads come here at once, the loser's descriptor is closed.
        drop(DIRECTORY.set(open_proc_self_fd().map_err(errno)?));
    }
    DIRECTORY.get().map(AsFd::as_fd).ok_or(Errno::EIO)
}

/// Opens `/proc/self/fd` of this very process.
pub(crate) fn open_proc_self_fd() -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(CWD, "/proc/self/fd", flags, Mode::empty())
}

fn reopen(fd: impl AsFd, flags: OFlags) -> Result<OwnedFd> {
    let number = DecInt::from_fd(fd);
    rustix::fs::openat(
        proc_self_fd()?,
        number,
        flags | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .map_err(errno)
}

/// The permission bits of `mode`, without the file type.
pub(crate) fn permissions(mode: u32) -> Mode {
    Mode::from_raw_mode(mode & 0o7777)
}

pub(crate) fn is_regular(stat: &Statx) -> bool {
    FileType::from_raw_mode(stat.stx_mode.into()) == FileType::RegularFile
}

/// Takes it for a success if this process may not change the permissions of a file that is another user's.
/// Then the kernel that serves the source clears the bits: this process has no privileges to keep them.
pub(crate) fn may_be_forbidden(chmod: Result<()>) -> Result<()> {
    match chmod {
        Err(Errno::EPERM) => Ok(()),
        result => result,
    }
}

/// The attributes that `stat` shows of an inode: all but `ino` and the timeouts.
pub(crate) fn attributes(stat: &Statx) -> EntryAttributes {
    EntryAttributes {
        stat_ino: Some(stat.stx_ino),
        mode: u32::from(stat.stx_mode),
        nlink: stat.stx_nlink,
        uid: stat.stx_uid,
        gid: stat.stx_gid,
        rdev: rustix::fs::makedev(stat.stx_rdev_major, stat.stx_rdev_minor),
        size: stat.stx_size,
        blksize: stat.stx_blksize,
        blocks: stat.stx_blocks,
        atime: timestamp(stat.stx_atime),
        mtime: timestamp(stat.stx_mtime),
        ctime: timestamp(stat.stx_ctime),
        ..EntryAttributes::default()
    }
}

/// When an inode was created, if that is known.
pub(crate) fn btime(stat: &Statx) -> Option<Timestamp> {
    let is_there = stat.stx_mask & StatxFlags::BTIME.bits() != 0;
    is_there.then(|| timestamp(stat.stx_btime))
}

fn timestamp(time: StatxTimestamp) -> Timestamp {
    Timestamp::new(time.tv_sec, i64::from(time.tv_nsec))
}

fn timespec(time: Option<TimeOrNow>) -> Timespec {
    match time {
        None => Timespec {
            tv_sec: 0,
            tv_nsec: rustix::fs::UTIME_OMIT,
        },
        Some(TimeOrNow::Now) => Timespec {
            tv_sec: 0,
            tv_nsec: rustix::fs::UTIME_NOW,
        },
        Some(TimeOrNow::Time(time)) => Timespec {
            tv_sec: time.secs(),
            tv_nsec: time.subsec_nanos().into(),
        },
    }
}
