//! The requests of a mock kernel, one by one.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Component;
use std::path::Path;

use super::kernel::MockKernel;
use super::request::Request;
use super::types::DirEntry;
use super::types::OpenFile;
use crate::AccessFlags;
use crate::EntryAttributes;
use crate::Errno;
use crate::FallocateFlags;
use crate::FileLock;
use crate::Inode;
use crate::LockType;
use crate::OpenFlags;
use crate::Operations;
use crate::PollEvents;
use crate::ROOT_INODE;
use crate::ReleaseFlags;
use crate::RenameFlags;
use crate::Result;
use crate::SeekTarget;
use crate::SetattrFields;
use crate::StatvfsData;
use crate::XattrFlags;

/// How much the kernel asks for when it lists a directory.
const LISTING: u32 = 4096;
/// The longest value of an extended attribute that Linux knows (`XATTR_SIZE_MAX`).
const XATTR_MAX: u32 = 65536;

/// # Inodes
impl<O: Operations> MockKernel<O> {
    /// The attributes of an inode.
    pub fn getattr(&self, inode: Inode) -> Result<EntryAttributes> {
        self.call(Request::getattr(inode, None))
    }

    /// Changes attributes; returns all of them. [`Request::setattr`] takes an open file, too.
    pub fn setattr(&self, inode: Inode, fields: &SetattrFields) -> Result<EntryAttributes> {
        self.call(Request::setattr(inode, fields, None))
    }

    /// Where a symbolic link points to.
    pub fn readlink(&self, inode: Inode) -> Result<OsString> {
        self.call(Request::readlink(inode))
    }

    /// Whether the caller may do this.
    pub fn access(&self, inode: Inode, mode: AccessFlags) -> Result<()> {
        self.call(Request::access(inode, mode))
    }

    /// The numbers of the file system.
    pub fn statfs(&self, inode: Inode) -> Result<StatvfsData> {
        self.call(Request::statfs(inode))
    }
}

/// # Names
impl<O: Operations> MockKernel<O> {
    /// Looks a name up. An entry with inode 0 is a negative one: there is no such name, and the kernel may
    /// remember that. Otherwise the lookup count grows by one.
    pub fn lookup(&self, parent: Inode, name: impl AsRef<OsStr>) -> Result<EntryAttributes> {
        self.call(Request::lookup(parent, name))
    }

    /// Looks up all names of a path, from the root on; `ENOENT` for a negative entry. The last one is
    /// returned, and all of them were counted.
    pub fn walk(&self, path: impl AsRef<Path>) -> Result<EntryAttributes> {
        let mut found = None;
        for component in path.as_ref().components() {
            if let Component::Normal(name) = component {
                let parent = found
                    .as_ref()
                    .map_or(ROOT_INODE, |entry: &EntryAttributes| entry.ino);
                let entry = self.lookup(parent, name)?;
                if entry.ino == Inode(0) {
                    return Err(Errno::ENOENT);
                }
                found = Some(entry);
            }
        }
        found.map_or_else(|| self.getattr(ROOT_INODE), Ok)
    }

    /// Makes a file of the type in `mode`; its lookup count is one.
    pub fn mknod(
        &self,
        parent: Inode,
        name: impl AsRef<OsStr>,
        mode: u32,
        rdev: u32,
    ) -> Result<EntryAttributes> {
        self.call(Request::mknod(parent, name, mode, rdev))
    }

    /// Makes a directory; its lookup count is one.
    pub fn mkdir(
        &self,
        parent: Inode,
        name: impl AsRef<OsStr>,
        mode: u32,
    ) -> Result<EntryAttributes> {
        self.call(Request::mkdir(parent, name, mode))
    }

    /// Removes a name that is not a directory's.
    pub fn unlink(&self, parent: Inode, name: impl AsRef<OsStr>) -> Result<()> {
        self.call(Request::unlink(parent, name))
    }

    /// Removes an empty directory.
    pub fn rmdir(&self, parent: Inode, name: impl AsRef<OsStr>) -> Result<()> {
        self.call(Request::rmdir(parent, name))
    }

    /// Makes a symbolic link; its lookup count is one.
    pub fn symlink(
        &self,
        parent: Inode,
        name: impl AsRef<OsStr>,
        target: impl AsRef<OsStr>,
    ) -> Result<EntryAttributes> {
        self.call(Request::symlink(parent, name, target))
    }

    /// Renames, from a name in a directory to another.
    pub fn rename(
        &self,
        from: (Inode, impl AsRef<OsStr>),
        to: (Inode, impl AsRef<OsStr>),
        flags: RenameFlags,
    ) -> Result<()> {
        self.call(Request::rename(from, to, flags))
    }

    /// Gives an inode one more name; its lookup count grows by one.
    pub fn link(
        &self,
        inode: Inode,
        new_parent: Inode,
        new_name: impl AsRef<OsStr>,
    ) -> Result<EntryAttributes> {
        self.call(Request::link(inode, new_parent, new_name))
    }
}

/// # Files
impl<O: Operations> MockKernel<O> {
    /// Opens a file. Have it [released](Self::release) once.
    pub fn open(&self, inode: Inode, flags: OpenFlags) -> Result<OpenFile> {
        self.call(Request::open(inode, flags))
    }

    /// Makes a regular file and opens it; its lookup count grows by one.
    pub fn create(
        &self,
        parent: Inode,
        name: impl AsRef<OsStr>,
        mode: u32,
        flags: OpenFlags,
    ) -> Result<(OpenFile, EntryAttributes)> {
        self.call(Request::create(parent, name, mode, flags))
    }

    /// Makes a file without a name and opens it; its lookup count is one.
    pub fn tmpfile(
        &self,
        parent: Inode,
        mode: u32,
        flags: OpenFlags,
    ) -> Result<(OpenFile, EntryAttributes)> {
        self.call(Request::tmpfile(parent, mode, flags))
    }

    /// Reads at most `size` bytes. What is returned is what the file system has answered: a real kernel
    /// would fill up with zeros what is missing before the end.
    pub fn read(&self, file: &OpenFile, offset: u64, size: u32) -> Result<Vec<u8>> {
        self.call(Request::read(file, offset, size))
    }

    /// Opens a file, reads all of it, and closes it.
    pub fn read_all(&self, inode: Inode) -> Result<Vec<u8>> {
        const SIZE: u32 = 64 * 1024;
        let file = self.open(inode, OpenFlags::empty())?;
        let mut data = Vec::new();
        let result = loop {
            match self.read(&file, data.len() as u64, SIZE) {
                Ok(part) if part.is_empty() => break Ok(data),
                Ok(part) => data.extend(part),
                Err(errno) => break Err(errno),
            }
        };
        self.close(file)?;
        result
    }

    /// Writes all of `data`, with as many requests as that takes; the number of bytes that were written.
    pub fn write(&self, file: &OpenFile, offset: u64, data: &[u8]) -> Result<usize> {
        let mut written = 0;
        loop {
            let rest = &data[written..];
            let part = &rest[..rest.len().min(self.max_write())];
            let count = self.call(Request::write(file, offset + written as u64, part))?;
            written += count;
            if count < part.len() || written == data.len() {
                return Ok(written);
            }
        }
    }

    /// As `close(2)` of one of several descriptors.
    pub fn flush(&self, file: &OpenFile) -> Result<()> {
        self.call(Request::flush(file))
    }

    /// Closes the file for good. [`Request::release`] takes flags.
    pub fn release(&self, file: OpenFile) -> Result<()> {
        self.call(Request::release(file, ReleaseFlags::empty()))
    }

    /// Flushes, where that is implemented, and releases: what `close(2)` does. The error is that of
    /// `flush`.
    pub fn close(&self, file: OpenFile) -> Result<()> {
        let flushed = match self.flush(&file) {
            Err(Errno::ENOSYS) => Ok(()),
            result => result,
        };
        let _ = self.release(file);
        flushed
    }

    /// Has what was written be stored.
    pub fn fsync(&self, file: &OpenFile, datasync: bool) -> Result<()> {
        self.call(Request::fsync(file, datasync))
    }

    /// Reserves space, or gives it back.
    pub fn fallocate(
        &self,
        file: &OpenFile,
        mode: FallocateFlags,
        offset: u64,
        len: u64,
    ) -> Result<()> {
        self.call(Request::fallocate(file, mode, offset, len))
    }

    /// Looks for data or a hole.
    pub fn lseek(&self, file: &OpenFile, offset: u64, target: SeekTarget) -> Result<u64> {
        self.call(Request::lseek(file, offset, target))
    }

    /// Copies from one open file, and an offset in it, to another.
    pub fn copy_file_range(
        &self,
        from: (&OpenFile, u64),
        to: (&OpenFile, u64),
        len: usize,
    ) -> Result<usize> {
        self.call(Request::copy_file_range(from, to, len))
    }

    /// The lock that is in the way of this one; `None` if none is. Whose lock it is says
    /// [`FileRef::lock_owner`](crate::FileRef::lock_owner).
    pub fn getlk(&self, file: &OpenFile, lock: FileLock) -> Result<Option<FileLock>> {
        self.call(Request::getlk(file, lock))
    }

    /// Takes a lock, or gives it back; with `sleep`, as soon as it can be had.
    pub fn setlk(&self, file: &OpenFile, lock: FileLock, sleep: bool) -> Result<()> {
        self.call(Request::setlk(file, lock, sleep))
    }

    /// Takes a lock of the whole open file, or gives it back.
    pub fn flock(&self, file: &OpenFile, lock_type: LockType, sleep: bool) -> Result<()> {
        self.call(Request::flock(file, lock_type, sleep))
    }

    /// What is ready of `events`. With a number in `wake_up` the file system shall send
    /// [`Notification::Poll`](super::Notification::Poll) with it as soon as that changes.
    pub fn poll(
        &self,
        file: &OpenFile,
        events: PollEvents,
        wake_up: Option<u64>,
    ) -> Result<PollEvents> {
        self.call(Request::poll(file, events, wake_up))
    }
}

/// # Directories
impl<O: Operations> MockKernel<O> {
    /// Opens a directory. Have it [released](Self::releasedir) once.
    pub fn opendir(&self, inode: Inode) -> Result<OpenFile> {
        self.call(Request::opendir(inode))
    }

    /// Lists names from `start_id` on, as many as fit into one page; none at the end.
    pub fn readdir(&self, dir: &OpenFile, start_id: u64) -> Result<Vec<DirEntry>> {
        self.call(Request::readdir(dir, start_id, LISTING))
    }

    /// As [`readdir`](Self::readdir), with attributes: each lookup count grows by one.
    pub fn readdirplus(&self, dir: &OpenFile, start_id: u64) -> Result<Vec<DirEntry>> {
        self.call(Request::readdirplus(dir, start_id, LISTING))
    }

    /// Opens a directory, lists all of it but `.` and `..`, and closes it. With `attributes` lookup
    /// counts grow by one each.
    pub fn list(&self, inode: Inode, attributes: bool) -> Result<Vec<DirEntry>> {
        let dir = self.opendir(inode)?;
        let mut entries: Vec<DirEntry> = Vec::new();
        let result = loop {
            let start_id = entries.last().map_or(0, |entry| entry.next_id);
            let part = match attributes {
                true => self.readdirplus(&dir, start_id),
                false => self.readdir(&dir, start_id),
            };
            match part {
                Ok(part) if part.is_empty() => break Ok(()),
                Ok(part) => entries.extend(part),
                Err(errno) => break Err(errno),
            }
        };
        let _ = self.releasedir(dir);
        entries.retain(|entry| !matches!(entry.name.as_bytes(), b"." | b".."));
        result.map(|()| entries)
    }

    /// Closes a directory.
    pub fn releasedir(&self, dir: OpenFile) -> Result<()> {
        self.call(Request::releasedir(dir))
    }

    /// Has the entries of a directory be stored.
    pub fn fsyncdir(&self, dir: &OpenFile, datasync: bool) -> Result<()> {
        self.call(Request::fsyncdir(dir, datasync))
    }
}

/// # Extended attributes
impl<O: Operations> MockKernel<O> {
    /// Sets an extended attribute.
    pub fn setxattr(
        &self,
        inode: Inode,
        name: impl AsRef<OsStr>,
        value: &[u8],
        flags: XattrFlags,
    ) -> Result<()> {
        self.call(Request::setxattr(inode, name, value, flags))
    }

    /// The value of an extended attribute.
    pub fn getxattr(&self, inode: Inode, name: impl AsRef<OsStr>) -> Result<Vec<u8>> {
        self.call(Request::getxattr(inode, name, XATTR_MAX))
    }

    /// The names of all extended attributes.
    pub fn listxattr(&self, inode: Inode) -> Result<Vec<OsString>> {
        self.call(Request::listxattr(inode, XATTR_MAX))
    }

    /// Removes an extended attribute.
    pub fn removexattr(&self, inode: Inode, name: impl AsRef<OsStr>) -> Result<()> {
        self.call(Request::removexattr(inode, name))
    }
}
