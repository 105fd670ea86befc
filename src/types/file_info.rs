//! What opening a file answers, and how later operations name the open file.

use super::FileHandle;
use super::Inode;
use super::LockOwner;
use super::OpenFlags;
use crate::BackingId;

/// The answer to `open`, `create` and `opendir`.
///
/// The defaults are pyfuse3's: handle 0, and the cached contents of the file stay (`keep_cache`).
///
/// ```
/// use libfuse3::FileHandle;
/// use libfuse3::FileInfo;
///
/// let always_ask = FileInfo { direct_io: true, ..FileInfo::new(FileHandle(7)) };
/// assert!(always_ask.keep_cache);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(alias = "fuse_file_info")]
pub struct FileInfo {
    /// The number that later operations on this open file will carry.
    pub fh: FileHandle,
    /// Bypass the page cache: reads and writes come exactly as the program makes them. For files
    /// whose size is not known beforehand.
    ///
    /// The kernel does not clear set-user-id bits before such writes: the handler must, where
    /// [`RequestContext::kill_suidgid`](crate::RequestContext::kill_suidgid) says so. Not to be combined
    /// with [`Capabilities::WRITEBACK_CACHE`](crate::Capabilities::WRITEBACK_CACHE): the kernel keeps
    /// the mtime by itself then, and these writes do not change it.
    pub direct_io: bool,
    /// Keep what the page cache holds of this file. Turn it off where the contents may have changed
    /// behind the kernel's back. For directories it matters together with
    /// [`cache_readdir`](Self::cache_readdir) only.
    pub keep_cache: bool,
    /// The file cannot be sought in (`lseek` answers `ESPIPE`).
    pub nonseekable: bool,
    /// `opendir` only: the kernel may cache what `readdir` returns.
    pub cache_readdir: bool,
    /// No `flush` when a descriptor of this file is closed. libfuse 3.11 or newer, Linux 5.16;
    /// ignored before.
    pub noflush: bool,
    /// With `direct_io`: several writes to this file may be in flight at once. libfuse 3.14.1 or
    /// newer, Linux 6.2; ignored before.
    pub parallel_direct_writes: bool,
    /// `open`, `create` and `tmpfile` only: the file that the kernel reads and writes by itself
    /// ([`BackingFile`](crate::BackingFile)); requests come for all else. `keep_cache` and `nonseekable`
    /// mean nothing then, and with `direct_io` only shared memory maps go there.
    pub backing_id: Option<BackingId>,
}

impl FileInfo {
    /// The defaults, with this handle.
    #[must_use]
    pub const fn new(fh: FileHandle) -> Self {
        Self {
            fh,
            direct_io: false,
            keep_cache: true,
            nonseekable: false,
            cache_readdir: false,
            noflush: false,
            parallel_direct_writes: false,
            backing_id: None,
        }
    }
}

impl Default for FileInfo {
    fn default() -> Self {
        Self::new(FileHandle(0))
    }
}

/// The open file or directory that an operation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileRef {
    /// Its inode.
    pub inode: Inode,
    /// The handle that `open`, `create` or `opendir` gave it; 0 if the file system has no such
    /// handler.
    pub fh: FileHandle,
    /// The flags it was opened with. They come with `read`, `write`, `release` and `releasedir`;
    /// empty elsewhere.
    pub flags: OpenFlags,
    /// Who holds POSIX locks through this descriptor: in `flush`, in `release`, and where a
    /// mandatory lock would matter.
    pub lock_owner: LockOwner,
}
