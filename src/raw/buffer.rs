//! Memory that requests are received into, and that write payloads stay in.

use std::alloc::Layout;
use std::alloc::alloc;
use std::alloc::dealloc;
use std::alloc::handle_alloc_error;
use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::slice;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use super::lend::Lender;
use super::lend::Lent;

/// Room for the headers of a request, as in libfuse (`FUSE_BUFFER_HEADER_SIZE`).
const HEADER_SIZE: usize = 4096;
/// Pages of payload: as many as libfuse asks of a loop that is not its own.
const MAX_PAGES: usize = 256;
/// `struct fuse_in_header` and `struct fuse_write_in`: what stands before the payload of a write.
pub(super) const WRITE_HEADERS: usize = 80;
/// How many unused buffers a reader keeps.
const SPARE_BUFFERS: usize = 16;

/// A buffer for one request: a pointer, since it is moved often.
///
/// # Invariants
///
/// The pointer is the start of an allocation of `layout`, owned by this value, with a valid [`Head`] in
/// it. Behind the head, the receive area has room for the largest request, with pages of the size that
/// the layout is aligned to.
pub(crate) struct Block(NonNull<Head>);

/// What a block knows of itself. Looked at when it is freed: for a request it would be a cache line more.
struct Head {
    layout: Layout,
}

// SAFETY: a block owns its memory alone, as a Vec does.
unsafe impl Send for Block {}
// SAFETY: a shared block is only read.
unsafe impl Sync for Block {}

impl Block {
    /// Memory for one request, with the payload of a write at the start of a page.
    fn new(page: usize) -> Self {
        const { assert!(size_of::<Head>() + WRITE_HEADERS <= 4096) };
        let layout = Layout::from_size_align(page + MAX_PAGES * page + HEADER_SIZE, page)
            .expect("a page size is a power of two");
        // SAFETY: the layout is not empty.
        let start = unsafe { alloc(layout) };
        let Some(start) = NonNull::new(start.cast::<Head>()) else {
            handle_alloc_error(layout)
        };
        // SAFETY: a page, which no page size is less than, has room for the head.
        unsafe { start.write(Head { layout }) };
        // INVARIANT: the area ends `WRITE_HEADERS` before the end of the allocation.
        Self(start)
    }

    fn head(&self) -> &Head {
        // SAFETY: the head is valid, by the invariants.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let layout = self.head().layout;
        // SAFETY: the memory was allocated with `layout`, by the invariants.
        unsafe { dealloc(self.0.as_ptr().cast(), layout) };
    }
}

/// The blocks of one reader that are not in use, and the one that it receives into.
///
/// # Invariants
///
/// - `at_hand` and `received` are used by the thread that lends the pool, and only while it does.
/// - All blocks are of this page size.
/// - The first `received` bytes of the receive area of the block at hand are initialized.
///
/// What is looked at for each request is at the start.
#[repr(C)]
pub(crate) struct BufferPool {
    /// The next one to receive into, or the one that was received into last: that one is gone while
    /// libfuse works on a request of whose payload a callback has taken possession.
    at_hand: Cell<Option<Block>>,
    /// How many bytes it has received.
    received: Cell<usize>,
    page: usize,
    spare: Mutex<Vec<Block>>,
}

// SAFETY: the cells are left to one thread, by the invariants.
unsafe impl Sync for BufferPool {}

impl BufferPool {
    pub(super) fn new() -> Self {
        // SAFETY: sysconf(3) has no preconditions.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        Self {
            at_hand: Cell::new(None),
            received: Cell::new(0),
            page: usize::try_from(page).unwrap_or(4096),
            spare: Mutex::new(Vec::new()),
        }
    }

    /// The length of the largest request that a block has room for: what libfuse asks for.
    #[inline]
    pub(super) fn request_size(&self) -> usize {
        MAX_PAGES * self.page + HEADER_SIZE
    }

    /// Where the receive area begins: so that what comes behind the headers of a write begins a page.
    #[inline]
    fn receive_offset(&self) -> usize {
        self.page - WRITE_HEADERS
    }

    /// Whether `len` bytes from `data` on lie in what the block at hand has received; if so, at which
    /// offset of the block.
    fn offset_of(&self, block: &Block, data: *const u8, len: usize) -> Option<usize> {
        let offset = (data as usize).checked_sub(block.0.addr().get())?;
        let end = offset.checked_add(len)?;
        let received = self.receive_offset()..=self.receive_offset() + self.received.get();
        (received.contains(&offset) && received.contains(&end)).then_some(offset)
    }

    fn spare(&self) -> MutexGuard<'_, Vec<Block>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cold]
    fn take_spare(&self) -> Block {
        let spare = self.spare().pop();
        spare.unwrap_or_else(|| Block::new(self.page))
    }

    #[cold]
    fn put_spare(&self, block: Block) {
        let mut spare = self.spare();
        if spare.len() < SPARE_BUFFERS {
            spare.push(block);
        }
    }
}

impl Lender<BufferPool> {
    /// A block to receive into.
    #[inline]
    pub(super) fn take(&self) -> Block {
        self.at_hand.take().unwrap_or_else(|| self.take_spare())
    }

    /// Where libfuse shall receive to.
    #[inline]
    pub(super) fn receive_area(&self, block: &Block) -> NonNull<u8> {
        // SAFETY: the offset is inside the allocation, by the invariants.
        unsafe { block.0.cast::<u8>().add(self.receive_offset()) }
    }

    /// Has a block at hand that was received into, for [`take_received`](Self::take_received).
    ///
    /// # Safety
    ///
    /// - So many bytes of the receive area have been filled.
    #[inline]
    pub(super) unsafe fn put_received(&self, block: Block, received: usize) {
        // INVARIANT: guaranteed by the caller, see above.
        self.received.set(received);
        self.at_hand.set(Some(block));
    }

    /// Calls `look` with what was received into the block at hand.
    #[inline]
    #[expect(
        clippy::disallowed_methods,
        reason = "the block's memory has no other owner to ask"
    )]
    pub(super) fn look<R>(&self, look: impl FnOnce(&[u8]) -> R) -> Option<R> {
        let block = self.at_hand.take()?;
        let start = self.receive_area(&block).as_ptr();
        // SAFETY: so many bytes have been received, by the invariants, and nothing writes to them while
        // the block is here.
        let result = look(unsafe { slice::from_raw_parts(start, self.received.get()) });
        self.at_hand.set(Some(block));
        Some(result)
    }

    /// The `len` bytes from `data` on, if they lie in what was received into the block at hand.
    #[inline]
    pub(super) fn take_received(&self, data: *const u8, len: usize) -> Option<ReceivedBytes> {
        let block = self.at_hand.take()?;
        let short = |number: usize| u32::try_from(number).ok();
        match (
            self.offset_of(&block, data, len).and_then(short),
            short(len),
        ) {
            (Some(offset), Some(len)) => Some(ReceivedBytes {
                block: ManuallyDrop::new(block),
                offset,
                len,
                pool: self.lend(),
            }),
            _ => {
                self.at_hand.set(Some(block));
                None
            }
        }
    }
}

impl Lent<BufferPool> {
    /// Most come back before their reader needs the next one, on its thread.
    #[inline]
    fn put_back(&self, block: Block) {
        if !self.is_at_home() {
            return self.put_spare(block);
        }
        match self.at_hand.take() {
            None => {
                // INVARIANT: whatever it has received is not asked for any more.
                self.received.set(0);
                self.at_hand.set(Some(block));
            }
            in_use => {
                self.at_hand.set(in_use);
                self.put_spare(block);
            }
        }
    }
}

/// The payload of a write, in the block that it was received into.
pub(crate) struct ReceivedBytes {
    block: ManuallyDrop<Block>,
    offset: u32,
    len: u32,
    pool: Lent<BufferPool>,
}

impl ReceivedBytes {
    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    /// Forgets the first `count` bytes; all if there are no more.
    pub(crate) fn advance(&mut self, count: usize) {
        let count = u32::try_from(count).map_or(self.len, |count| count.min(self.len));
        self.offset += count;
        self.len -= count;
    }
}

impl AsRef<[u8]> for ReceivedBytes {
    #[expect(
        clippy::disallowed_methods,
        reason = "the block's memory has no other owner to ask"
    )]
    fn as_ref(&self) -> &[u8] {
        // SAFETY: the offset is inside the block, as `offset_of` has checked.
        let data = unsafe { self.block.0.cast::<u8>().add(self.offset as usize) };
        // SAFETY: these `len` bytes of the block have been received, as `offset_of` has checked, and
        // nothing writes to them before the block is back in the pool.
        unsafe { slice::from_raw_parts(data.as_ptr(), self.len()) }
    }
}

impl Drop for ReceivedBytes {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the field is not used after this, the last use of `self`.
        let block = unsafe { ManuallyDrop::take(&mut self.block) };
        self.pool.put_back(block);
    }
}
