//! The operations that are measured, as plain system calls.

use std::ffi::CStr;
use std::ffi::CString;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;
use std::os::fd::FromRawFd;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

#[derive(Clone, Copy)]
pub enum Operation {
    /// `fstat`: GETATTR.
    Getattr,
    /// `statx` that is content with old attributes: LOOKUP.
    Lookup,
    /// `stat`: LOOKUP and GETATTR.
    Stat,
    /// `open` and `close`: LOOKUP, OPEN and RELEASE.
    Open,
    /// `open` of a file that is not there, `close` and `unlink`: LOOKUP, CREATE, RELEASE, LOOKUP, UNLINK.
    Create,
    Read(usize),
    Write(usize),
    /// One `getdents`: READDIRPLUS.
    List,
    /// All of the directory at once.
    ListAll,
}

impl Operation {
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "getattr" => Self::Getattr,
            "lookup" => Self::Lookup,
            "stat" => Self::Stat,
            "open" => Self::Open,
            "create" => Self::Create,
            "read-4k" => Self::Read(1 << 12),
            "read-128k" => Self::Read(1 << 17),
            "read-1m" => Self::Read(1 << 20),
            "write-4k" => Self::Write(1 << 12),
            "write-128k" => Self::Write(1 << 17),
            "write-1m" => Self::Write(1 << 20),
            "list" => Self::List,
            "list-all" => Self::ListAll,
            _ => return None,
        })
    }
}

const ZERO: &CStr = c"zero";
const MANY: &CStr = c"many";

/// What glibc's `readdir` uses.
const LIST_BUFFER: usize = 32 << 10;
/// So that a read or write of n pages is one of n pages for the kernel, too.
const ALIGNMENT: usize = 4096;

/// What one thread works with.
pub struct Worker<'a> {
    root: &'a OwnedFd,
    operation: Operation,
    /// Keeps the name known to the kernel, so that a lookup is a lookup of what is there already.
    zero: OwnedFd,
    new_name: CString,
    buffer: Vec<u8>,
    /// Where in `buffer` the aligned part begins.
    start: usize,
    steps: u64,
    /// The directory that is being listed, and how many of its entries have been seen.
    listing: Option<(OwnedFd, u64)>,
}

impl<'a> Worker<'a> {
    pub fn new(root: &'a OwnedFd, operation: Operation, thread: usize) -> io::Result<Self> {
        let size = match operation {
            Operation::Read(size) | Operation::Write(size) => size,
            Operation::List | Operation::ListAll => LIST_BUFFER,
            _ => 0,
        };
        // Touched, so that no page faults are measured.
        let buffer = vec![1_u8; size + ALIGNMENT];
        let start = buffer.as_ptr().align_offset(ALIGNMENT);
        Ok(Self {
            root,
            operation,
            zero: open_at(root.as_fd(), ZERO, libc::O_RDWR)?,
            new_name: CString::new(format!("new-{thread}"))?,
            buffer,
            start,
            steps: 0,
            listing: None,
        })
    }

    /// Does the operation once, for `list` up to one buffer full. How many it counts for.
    pub fn step(&mut self) -> io::Result<u64> {
        let root = self.root.as_fd();
        match self.operation {
            Operation::Getattr => stat(&self.zero)?,
            Operation::Lookup => statx_without_sync(root, ZERO)?,
            Operation::Stat => stat_at(root, ZERO)?,
            Operation::Open => drop(open_at(root, ZERO, libc::O_RDONLY)?),
            Operation::Create => {
                let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL;
                drop(open_at(root, &self.new_name, flags)?);
                unlink_at(root, &self.new_name)?;
            }
            Operation::Read(size) => self.read(size)?,
            Operation::Write(size) => self.write(size)?,
            Operation::List => return self.list(),
            Operation::ListAll => {
                while self.list()? > 0 {}
                return Ok(tree::ENTRY_COUNT);
            }
        }
        Ok(1)
    }

    /// A position in the file that moves on, as with most programs.
    fn next_offset(&mut self, size: usize) -> libc::off_t {
        self.steps += 1;
        (self.steps % 1024 * size as u64).cast_signed()
    }

    fn read(&mut self, size: usize) -> io::Result<()> {
        let offset = self.next_offset(size);
        let buffer = &mut self.buffer[self.start..][..size];
        // SAFETY: the buffer has room for `size` bytes.
        let done = unsafe {
            libc::pread(
                self.zero.as_raw_fd(),
                buffer.as_mut_ptr().cast(),
                size,
                offset,
            )
        };
        whole(done, size)
    }

    fn write(&mut self, size: usize) -> io::Result<()> {
        let offset = self.next_offset(size);
        let buffer = &self.buffer[self.start..][..size];
        // SAFETY: the buffer has `size` bytes.
        let done =
            unsafe { libc::pwrite(self.zero.as_raw_fd(), buffer.as_ptr().cast(), size, offset) };
        whole(done, size)
    }

    /// Goes on listing; begins again after the end, if all was there.
    fn list(&mut self) -> io::Result<u64> {
        let (dir, seen) = match &mut self.listing {
            Some(listing) => listing,
            None => {
                let flags = libc::O_RDONLY | libc::O_DIRECTORY;
                let dir = open_at(self.root.as_fd(), MANY, flags)?;
                self.listing.insert((dir, 0))
            }
        };
        let buffer = &mut self.buffer[self.start..][..LIST_BUFFER];
        // SAFETY: the buffer has room for as many bytes as are said.
        let len = unsafe {
            libc::syscall(
                libc::SYS_getdents64,
                dir.as_raw_fd(),
                buffer.as_mut_ptr(),
                buffer.len(),
            )
        };
        let len = usize::try_from(len).map_err(|_| io::Error::last_os_error())?;
        let entries = count_entries(&buffer[..len])?;
        *seen += entries;
        if entries == 0 {
            let seen = *seen;
            self.listing = None;
            if seen != tree::ENTRY_COUNT {
                let message = format!("{seen} entries instead of {}", tree::ENTRY_COUNT);
                return Err(io::Error::other(message));
            }
        }
        Ok(entries)
    }
}

/// Number of `struct linux_dirent64`, without `.` and `..`.
fn count_entries(mut dirents: &[u8]) -> io::Result<u64> {
    const LEN: usize = 16;
    const NAME: usize = 19;
    let mut entries = 0;
    while !dirents.is_empty() {
        let broken = || io::Error::other("getdents has returned a broken entry");
        let len = dirents.get(LEN..).and_then(<[u8]>::first_chunk);
        let len = len.map_or(0, |len| u16::from_ne_bytes(*len));
        let (dirent, rest) = dirents.split_at_checked(len.into()).ok_or_else(broken)?;
        let name = dirent.get(NAME..).ok_or_else(broken)?;
        if !name.starts_with(b".\0") && !name.starts_with(b"..\0") {
            entries += 1;
        }
        dirents = rest;
    }
    Ok(entries)
}

pub fn open_root(mountpoint: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(mountpoint.as_os_str().as_bytes())?;
    // SAFETY: the name is NUL-terminated.
    let fd = unsafe { libc::open(path.as_ptr(), libc::O_PATH | libc::O_CLOEXEC) };
    owned(fd)
}

pub fn open_at(dir: BorrowedFd<'_>, name: &CStr, flags: i32) -> io::Result<OwnedFd> {
    let flags = flags | libc::O_CLOEXEC;
    // SAFETY: the name is NUL-terminated.
    let fd = unsafe { libc::openat(dir.as_raw_fd(), name.as_ptr(), flags, 0o644) };
    owned(fd)
}

fn owned(fd: i32) -> io::Result<OwnedFd> {
    check(fd)?;
    // SAFETY: the descriptor has just been opened.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn stat(file: &OwnedFd) -> io::Result<()> {
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: there is room for a `stat`.
    check(unsafe { libc::fstat(file.as_raw_fd(), stat.as_mut_ptr()) })
}

fn stat_at(dir: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the name is NUL-terminated, and there is room for a `stat`.
    check(unsafe { libc::fstatat(dir.as_raw_fd(), name.as_ptr(), stat.as_mut_ptr(), 0) })
}

fn statx_without_sync(dir: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
    let mut statx = MaybeUninit::<libc::statx>::uninit();
    // SAFETY: the name is NUL-terminated, and there is room for a `statx`.
    check(unsafe {
        libc::statx(
            dir.as_raw_fd(),
            name.as_ptr(),
            libc::AT_STATX_DONT_SYNC,
            libc::STATX_TYPE,
            statx.as_mut_ptr(),
        )
    })
}

/// The number of files that the file system says it has.
pub fn statfs_files(root: &OwnedFd) -> io::Result<u64> {
    let mut statvfs = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: there is room for a `statvfs`.
    check(unsafe { libc::fstatvfs(root.as_raw_fd(), statvfs.as_mut_ptr()) })?;
    // SAFETY: the call has filled it in.
    Ok(unsafe { statvfs.assume_init() }.f_files)
}

fn unlink_at(dir: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
    // SAFETY: the name is NUL-terminated.
    check(unsafe { libc::unlinkat(dir.as_raw_fd(), name.as_ptr(), 0) })
}

fn check(result: i32) -> io::Result<()> {
    match result {
        0.. => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn whole(done: isize, size: usize) -> io::Result<()> {
    match usize::try_from(done) {
        Err(_) => Err(io::Error::last_os_error()),
        Ok(done) if done == size => Ok(()),
        Ok(done) => Err(io::Error::other(format!("{done} of {size} bytes"))),
    }
}
