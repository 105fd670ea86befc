//! What one thread receives requests with.

use std::cell::Cell;
use std::mem;
use std::os::fd::RawFd;
use std::ptr;
use std::ptr::NonNull;
use std::sync::Arc;

use libfuse_sys as sys;

use super::buffer::BufferPool;
use super::buffer::ReceivedBytes;
use super::buffer::WRITE_HEADERS;
use super::clones::Place;
use super::lend::Lender;
use super::lend::Lent;
use super::pipe::PipePool;
use super::session::RawSession;
use crate::message::Message;
use crate::wire;

/// The memory that a thread receives requests into, and the place where callbacks, on the same thread,
/// put what they have made of them.
///
/// Each reader has its own: nothing that is touched for every request is shared between threads.
pub(crate) struct Inbox {
    place: Option<Place>,
    /// Keeps the session alive, for all requests of this inbox: its thread then shares no counter with
    /// others.
    keep: Lender<Arc<RawSession>>,
    pool: Lender<BufferPool>,
    pipes: Arc<PipePool>,
    /// libfuse calls one callback for each request.
    message: Cell<Option<Message>>,
}

thread_local! {
    /// The inbox of the request that this thread is handing to libfuse; null otherwise.
    static CURRENT: Cell<*const Inbox> = const { Cell::new(ptr::null()) };
}

impl Inbox {
    /// That of the reader with this number, the first being 0.
    pub(super) fn new(session: Arc<RawSession>, reader: usize) -> Self {
        Self {
            place: session.foreign.is_none().then(|| session.place(reader)),
            keep: Lender::new(session),
            pool: Lender::new(BufferPool::new()),
            pipes: Arc::default(),
            message: Cell::new(None),
        }
    }

    /// What to receive from. `None` for a session that C has made: it may have given libfuse functions of
    /// its own.
    #[inline]
    pub(super) fn place(&self) -> Option<Place> {
        self.place
    }

    /// The length of the largest request that there is room for.
    pub(super) fn request_size(&self) -> usize {
        self.pool.request_size()
    }

    /// What a callback has made of the request that was received.
    #[inline]
    pub(crate) fn take(&self) -> Option<Message> {
        self.message.take()
    }

    /// Receives with `receive`, which is told where to, and returns how much it has received; then,
    /// unless that is nothing or an error, has `process` work on it, from where callbacks find this
    /// inbox. Returns what `receive` has returned.
    ///
    /// # Safety
    ///
    /// - `receive` fills as many bytes of the memory as it says, and no more than libfuse asks for; none
    ///   if it says that they are behind a descriptor.
    #[inline(always)] // There is one caller.
    pub(super) unsafe fn receive(
        &self,
        receive: impl FnOnce(&mut sys::fuse_buf) -> i32,
        process: impl FnOnce(&sys::fuse_buf),
    ) -> i32 {
        let block = self.pool.take();
        let area = self.pool.receive_area(&block);
        let mut buf = sys::fuse_buf {
            mem: area.as_ptr().cast(),
            ..<_>::default()
        };
        let received = receive(&mut buf);
        let len = usize::try_from(received).unwrap_or(0);
        let is_in_memory = buf.flags & sys::FUSE_BUF_IS_FD == 0;
        let filled = match is_in_memory {
            true => len,
            false => self.copy_headers(buf.fd, area),
        };
        // SAFETY: `receive` has filled as many bytes as it says (the item of `# Safety`), or `copy_headers` has.
        unsafe { self.pool.put_received(block, filled) };
        if len > 0 {
            CURRENT.set(self);
            process(&buf);
            CURRENT.set(ptr::null());
        }
        received
    }

    /// Copies the headers of a write out of libfuse's pipe, where they stay: libfuse does not hand on
    /// `FUSE_WRITE_KILL_SUIDGID`, up to 3.18.3. Returns the number of bytes copied.
    #[cold]
    fn copy_headers(&self, pipe: RawFd, area: NonNull<u8>) -> usize {
        let Some(headers) = self.pipes.peek::<WRITE_HEADERS>(pipe) else {
            return 0;
        };
        // SAFETY: the area has room for the largest request, and belongs to this thread.
        unsafe { area.cast().write(headers) };
        headers.len()
    }

    /// Whether the request says that set-user-id bits are to be cleared; `None` if it cannot be seen.
    #[inline]
    pub(super) fn kills_suidgid(&self) -> Option<bool> {
        self.pool.look(wire::kills_suidgid).flatten()
    }

    /// Called by callbacks: the inbox of the request that this thread is handing to libfuse, if it
    /// receives for us.
    #[inline]
    pub(super) fn current<'a>() -> Option<&'a Self> {
        // SAFETY: the pointer is null or to an inbox that `receive` holds, further up this stack, until
        // the callback has returned.
        unsafe { CURRENT.get().as_ref() }
    }

    #[inline]
    pub(super) fn keep_session(&self) -> Lent<Arc<RawSession>> {
        self.keep.lend()
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        // SAFETY: nobody else has a reference into the cell, which other threads cannot get at.
        unsafe { &*self.message.as_ptr() }.is_none()
    }

    /// For an inbox that is empty.
    #[inline]
    pub(super) fn put(&self, message: Message) {
        debug_assert!(self.is_empty(), "the callers look");
        // What is not there need not be dropped.
        mem::forget(self.message.replace(Some(message)));
    }

    /// Where payloads go that libfuse has received into a pipe.
    pub(super) fn pipes(&self) -> &Arc<PipePool> {
        &self.pipes
    }

    /// Takes the block with the request, if `len` bytes from `data` on lie in it.
    pub(super) fn take_received(&self, data: *const u8, len: usize) -> Option<ReceivedBytes> {
        self.pool.take_received(data, len)
    }
}
