//! Open directories.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::Mutex;
use std::sync::PoisonError;

use libfuse3::Result;
use rustix::fs::FileType;
use rustix::fs::OFlags;
use rustix::fs::RawDir;
use rustix::fs::SeekFrom;

use crate::path_fd::PathFd;
use crate::path_fd::errno;

/// How much of a directory is read at once.
const BUFFER_SIZE: usize = 32 * 1024;

/// An entry as the source's kernel tells it.
#[derive(Debug)]
pub(crate) struct DirEntry {
    pub(crate) name: OsString,
    pub(crate) ino: u64,
    pub(crate) file_type: FileType,
    /// Where the directory goes on behind this entry. The source's own number, which stays right while
    /// entries come and go.
    pub(crate) next: u64,
}

impl DirEntry {
    pub(crate) fn is_dot_or_dot_dot(&self) -> bool {
        self.name == "." || self.name == ".."
    }
}

#[derive(Debug)]
pub(crate) struct Directory {
    fd: OwnedFd,
    stream: Mutex<Stream>,
}

/// How far a directory has been read.
#[derive(Debug, Default)]
struct Stream {
    /// Entries that are read and not yet delivered.
    waiting: VecDeque<DirEntry>,
    /// Where the first of them is; where the descriptor is if there are none.
    position: u64,
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Directory {
    pub(crate) fn open(inode: &PathFd, more_flags: OFlags) -> Result<Self> {
        let fd = inode.reopen(OFlags::RDONLY | OFlags::DIRECTORY | more_flags)?;
        Ok(Self {
            fd,
            stream: Mutex::default(),
        })
    }

    /// Hands the entries from `start` on to `accept`, until it refuses one. That one comes first if
    /// the next call goes on there.
    pub(crate) fn read(&self, start: u64, mut accept: impl FnMut(&DirEntry) -> bool) -> Result<()> {
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        // 0 is `rewinddir` too, after which new entries must show up.
        if start != stream.position || start == 0 {
            stream.waiting.clear();
            rustix::fs::seek(&self.fd, SeekFrom::Start(start)).map_err(errno)?;
            stream.position = start;
        }
        loop {
            if stream.waiting.is_empty() {
                self.fill(&mut stream.waiting)?;
            }
            let Some(entry) = stream.waiting.front() else {
                return Ok(());
            };
            if !accept(entry) {
                return Ok(());
            }
            stream.position = entry.next;
            stream.waiting.pop_front();
        }
    }

    /// Reads some more entries; none at the end.
    fn fill(&self, waiting: &mut VecDeque<DirEntry>) -> Result<()> {
        let mut buffer = Vec::with_capacity(BUFFER_SIZE);
        let mut entries = RawDir::new(&self.fd, buffer.spare_capacity_mut());
        while let Some(entry) = entries.next() {
            let entry = entry.map_err(errno)?;
            waiting.push_back(DirEntry {
                name: OsStr::from_bytes(entry.file_name().to_bytes()).to_owned(),
                ino: entry.ino(),
                file_type: entry.file_type(),
                next: entry.next_entry_cookie(),
            });
            if entries.is_buffer_empty() {
                break;
            }
        }
        Ok(())
    }
}
