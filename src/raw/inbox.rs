//! What one thread receives requests with.

use std::cell::Cell;
use std::ptr;
use std::sync::Arc;

use async_channel::Receiver;
use async_channel::Sender;
use libfuse_sys as sys;

use super::buffer::Block;
use super::buffer::BufferPool;
use super::buffer::ReceivedBytes;
use crate::message::Message;

/// Messages that callbacks may have handed on before the thread takes them: libfuse calls one callback
/// for each request.
const CAPACITY: usize = 16;

/// The memory that a thread receives requests into, and the channel over which callbacks, on the same
/// thread, hand on what they have made of them.
///
/// Each reader has its own: nothing that is touched for every request is shared between threads.
pub(crate) struct Inbox {
    /// Gone while libfuse works on a request of whose payload a callback has taken possession.
    block: Cell<Option<Block>>,
    pool: Arc<BufferPool>,
    sender: Sender<Message>,
    messages: Receiver<Message>,
}

thread_local! {
    /// The inbox of the request that this thread is handing to libfuse; null otherwise.
    static CURRENT: Cell<*const Inbox> = const { Cell::new(ptr::null()) };
}

impl Inbox {
    pub(super) fn new(pool: &Arc<BufferPool>) -> Self {
        let (sender, messages) = async_channel::bounded(CAPACITY);
        Self {
            block: Cell::new(None),
            pool: Arc::clone(pool),
            sender,
            messages,
        }
    }

    /// A message that a callback has sent.
    #[inline]
    pub(crate) fn next(&self) -> Option<Message> {
        if self.messages.is_empty() {
            return None; // Which is cheaper than to try.
        }
        self.messages.try_recv().ok()
    }

    /// Receives with `receive`, which is told where to, and returns how much it has received; then,
    /// unless that is nothing or an error, has `process` work on it, from where callbacks find this
    /// inbox. Returns what `receive` has returned.
    ///
    /// # Safety
    ///
    /// - `receive` fills as many bytes of the memory as it says, and no more than libfuse asks for.
    pub(super) unsafe fn receive(
        &self,
        receive: impl FnOnce(&mut sys::fuse_buf) -> i32,
        process: impl FnOnce(&sys::fuse_buf),
    ) -> i32 {
        let mut block = self.block.take().unwrap_or_else(|| self.pool.take());
        let mut buf = sys::fuse_buf {
            mem: block.receive_area().as_ptr().cast(),
            ..<_>::default()
        };
        let received = receive(&mut buf);
        let len = usize::try_from(received).unwrap_or(0);
        // SAFETY: guaranteed by the caller, see above.
        unsafe { block.set_received(len) };
        self.block.set(Some(block));
        if len > 0 {
            CURRENT.set(self);
            process(&buf);
            CURRENT.set(ptr::null());
        }
        received
    }

    /// Calls `f` with the inbox of the request that this thread is handing to libfuse.
    #[inline]
    fn with_current<R>(f: impl FnOnce(&Self) -> R) -> Option<R> {
        // SAFETY: the pointer is null or to an inbox that `receive` holds, further up this stack.
        let current = unsafe { CURRENT.get().as_ref() };
        current.map(f)
    }

    /// Called by callbacks: hands a message on. It cannot be refused, but if it were, dropping it would
    /// answer the request.
    #[inline]
    pub(super) fn deliver(message: Message) {
        let delivered = Self::with_current(|inbox| inbox.sender.try_send(message).is_ok());
        if delivered != Some(true) {
            log::error!("no room for a request: answered with EIO");
        }
    }

    /// Called by callbacks: takes the block with the request, if `len` bytes from `data` on lie in it.
    pub(super) fn take_received(data: *const u8, len: usize) -> Option<ReceivedBytes> {
        Self::with_current(|inbox| {
            let received = ReceivedBytes::new(inbox.block.take()?, data, len, &inbox.pool);
            received.map_err(|block| inbox.block.set(Some(block))).ok()
        })
        .flatten()
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        if let Some(block) = self.block.take() {
            self.pool.put_back(block);
        }
    }
}
