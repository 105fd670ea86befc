//! Write payloads that libfuse has received without reading them.
//!
//! With `FUSE_CAP_SPLICE_READ` libfuse splices a request into a pipe of the receiving thread, and closes
//! that pipe if it is not empty when the callback returns. So the payload moves on into a pipe of ours,
//! which costs a system call and copies nothing: what moves are references to pages.

use std::io;
use std::io::PipeReader;
use std::io::PipeWriter;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;

use bytes::Bytes;
use libfuse_sys as sys;

use super::bufvec;
use super::sys::check;
use crate::Errno;
use crate::Result;
use crate::logging;

/// How many unused pipes a reader keeps: the kernel has a limit for all pipes of a user.
const SPARE_PIPES: usize = 4;

/// Both ends of a pipe. Neither ever waits.
#[derive(Debug)]
struct Pipe {
    reader: PipeReader,
    writer: PipeWriter,
    capacity: usize,
}

impl Pipe {
    /// With room for as much as a pipe of `capacity` has room for: it is pages that are counted, however
    /// little of them is used.
    fn new(capacity: usize) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        for fd in [reader.as_raw_fd(), writer.as_raw_fd()] {
            // SAFETY: the descriptor is open.
            check(unsafe { libc::fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK) } as isize)?;
        }
        let wanted = i32::try_from(capacity).map_err(|_| io::ErrorKind::InvalidInput)?;
        // SAFETY: as above.
        let result = unsafe { libc::fcntl(writer.as_raw_fd(), libc::F_SETPIPE_SZ, wanted) };
        let capacity = check(result as isize)?;
        Ok(Self {
            reader,
            writer,
            capacity,
        })
    }

    /// Takes `len` bytes out, which are there.
    fn read(&self, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(len);
        match (&self.reader).take(len as u64).read_to_end(&mut bytes)? {
            read if read == len => Ok(bytes),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// The largest write, of up to `max_write` bytes, that comes in a pipe: libfuse reads into memory where it
/// cannot have one with room for the largest request, which takes a privilege (`CAP_SYS_RESOURCE`) for
/// more than a megabyte, headers included.
pub(super) fn largest_write(max_write: u32) -> u32 {
    /// Room for headers (`FUSE_BUFFER_HEADER_SIZE`).
    const HEADER_SIZE: u32 = 4096;
    if Pipe::new(max_write as usize + HEADER_SIZE as usize).is_ok() {
        return max_write;
    }
    let limit = std::fs::read_to_string("/proc/sys/fs/pipe-max-size").ok();
    let limit = limit.and_then(|limit| limit.trim().parse::<u32>().ok());
    // 64 KiB is what every pipe has.
    let limit = limit.unwrap_or(65_536).saturating_sub(HEADER_SIZE);
    max_write.min(limit.max(4096))
}

/// The pipes of one reader that are empty and not in use.
#[derive(Debug, Default)]
pub(super) struct PipePool(Mutex<Vec<Pipe>>);

impl PipePool {
    fn take(&self, capacity: usize) -> io::Result<Pipe> {
        let mut spare = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match spare.iter().position(|pipe| pipe.capacity >= capacity) {
            Some(index) => Ok(spare.swap_remove(index)),
            None => {
                // Before INIT has set it, libfuse's own pipe was of another size.
                let outdated = std::mem::take(&mut *spare);
                drop(spare);
                drop(outdated);
                Pipe::new(capacity)
            }
        }
    }

    fn put_back(&self, pipe: Pipe) {
        let mut spare = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < SPARE_PIPES {
            spare.push(pipe);
        }
    }

    /// Copies the first bytes out of libfuse's pipe, where they stay. `None` if no pipe can be had, or there
    /// are fewer bytes.
    pub(super) fn peek<const LEN: usize>(&self, source: RawFd) -> Option<[u8; LEN]> {
        let pipe = pipe_capacity(source).and_then(|capacity| self.take(capacity));
        let pipe = pipe.ok()?;
        let target = pipe.writer.as_raw_fd();
        // SAFETY: no preconditions; both descriptors are open, and tee(2) fails if one is no pipe.
        let copied = unsafe { libc::tee(source, target, LEN, libc::SPLICE_F_NONBLOCK) };
        let copied = check(copied).ok()?;
        // If this fails, the pipe may not be empty, and is closed.
        let bytes = pipe.read(copied).ok()?;
        self.put_back(pipe);
        bytes.try_into().ok()
    }

    /// Takes a payload out of libfuse's pipe: into one of ours, or into memory where there can be none.
    ///
    /// # Safety
    ///
    /// - `source` is a pipe that libfuse has given to a callback that has not returned yet.
    pub(super) unsafe fn receive(
        self: &Arc<Self>,
        source: &mut sys::fuse_bufvec,
    ) -> Result<Payload> {
        // SAFETY: guaranteed by the caller, see above.
        let len = unsafe { sys::fuse_buf_size(source) };
        let pipe = pipe_capacity(source.buf[0].fd).and_then(|capacity| self.take(capacity));
        let pipe = match pipe {
            Ok(pipe) => pipe,
            Err(error) => {
                logging::debug!("no pipe for {len} bytes: {error}");
                // SAFETY: guaranteed by the caller, see above.
                let bytes = unsafe { bufvec::copy_out(source) }?;
                return Ok(Payload::Copied(Vec::from(bytes).into()));
            }
        };
        let mut destination = bufvec::of_fd(pipe.writer.as_raw_fd(), len, sys::FUSE_BUF_FD_RETRY);
        let flags =
            sys::FUSE_BUF_FORCE_SPLICE | sys::FUSE_BUF_SPLICE_MOVE | sys::FUSE_BUF_SPLICE_NONBLOCK;
        // SAFETY: the source is valid, see above, and the destination's descriptor open.
        let moved = unsafe { bufvec::copy(&mut destination, source, flags) }.unwrap_or(0);
        if moved == len {
            return Ok(Payload::Piped(PipedBytes {
                pipe: Some(pipe),
                len,
                memory: OnceLock::new(),
                taken: 0,
                pool: Arc::clone(self),
            }));
        }
        let mut bytes = pipe.read(moved)?;
        self.put_back(pipe);
        // SAFETY: guaranteed by the caller, see above; libfuse goes on behind what has been moved.
        bytes.extend_from_slice(&unsafe { bufvec::copy_out(source) }?);
        Ok(Payload::Copied(bytes.into()))
    }
}

/// What has become of a payload.
pub(super) enum Payload {
    Piped(PipedBytes),
    Copied(Box<[u8]>),
}

/// How much a pipe has room for.
fn pipe_capacity(fd: RawFd) -> io::Result<usize> {
    // SAFETY: no preconditions; of what is no pipe, that is an error.
    check(unsafe { libc::fcntl(fd, libc::F_GETPIPE_SZ) } as isize)
}

/// The payload of a write, in a pipe until somebody looks at it.
///
/// # Invariants
///
/// There are `len` bytes in the pipe; or none if they are in `memory`, behind `taken` others. `pipe` is
/// there until the drop.
#[derive(Debug)]
pub(crate) struct PipedBytes {
    pipe: Option<Pipe>,
    len: usize,
    memory: OnceLock<Box<[u8]>>,
    taken: usize,
    pool: Arc<PipePool>,
}

impl PipedBytes {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Whether the bytes have been read out of the pipe.
    pub(crate) fn is_in_memory(&self) -> bool {
        self.memory.get().is_some()
    }

    /// Forgets the first `count` bytes, which are in memory.
    pub(crate) fn advance(&mut self, count: usize) {
        // INVARIANT: as many are left behind those that are taken.
        self.taken += count;
        self.len -= count;
    }

    /// Moves up to `len` bytes out of the pipe to `offset` of a file, and returns how many. `None` if
    /// they are in memory, or this file does not take them from a pipe: then nothing has been moved.
    pub(crate) fn splice_to(
        &mut self,
        file: BorrowedFd<'_>,
        offset: i64,
        len: usize,
    ) -> Option<Result<usize>> {
        let pipe = self.pipe.as_ref().filter(|_| !self.is_in_memory())?;
        let len = len.min(self.len);
        let mut source = bufvec::of_fd(pipe.reader.as_raw_fd(), len, 0);
        let mut destination = bufvec::at(file.as_raw_fd(), offset, len);
        // Without it libfuse would copy through memory, and lose what it has read and cannot write.
        let flags = sys::FUSE_BUF_FORCE_SPLICE | sys::FUSE_BUF_SPLICE_MOVE;
        // SAFETY: both descriptors are open.
        match unsafe { bufvec::copy(&mut destination, &mut source, flags) } {
            Ok(moved) => {
                // INVARIANT: so many bytes have left the pipe.
                self.len -= moved;
                Some(Ok(moved))
            }
            // A file opened with O_APPEND, or of a kind that nothing can be spliced to.
            Err(Errno::EINVAL) => None,
            Err(errno) => Some(Err(errno)),
        }
    }
}

impl From<PipedBytes> for Bytes {
    /// The pipe can be used again.
    fn from(mut bytes: PipedBytes) -> Self {
        let _ = bytes.as_ref();
        let memory = bytes.memory.take().unwrap_or_default();
        // INVARIANT: nothing is left in the pipe.
        bytes.len = 0;
        Self::from(memory).slice(bytes.taken..)
    }
}

impl AsRef<[u8]> for PipedBytes {
    fn as_ref(&self) -> &[u8] {
        let bytes = self.memory.get_or_init(|| {
            let bytes = self.pipe.as_ref().map(|pipe| pipe.read(self.len));
            // INVARIANT: what was in the pipe is in `memory`.
            let bytes = bytes.transpose().expect("a pipe keeps what is put into it");
            bytes.unwrap_or_default().into()
        });
        &bytes[self.taken..]
    }
}

impl Drop for PipedBytes {
    fn drop(&mut self) {
        let is_empty = self.len == 0 || self.is_in_memory();
        // One that is not empty is closed, and its pages with it.
        if let Some(pipe) = self.pipe.take().filter(|_| is_empty) {
            self.pool.put_back(pipe);
        }
    }
}
