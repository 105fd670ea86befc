//! Memory that requests are received into, and that write payloads stay in.

use std::alloc::Layout;
use std::alloc::alloc;
use std::alloc::dealloc;
use std::alloc::handle_alloc_error;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::slice;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

/// Room for the headers of a request, as in libfuse (`FUSE_BUFFER_HEADER_SIZE`).
const HEADER_SIZE: usize = 4096;
/// Pages of payload: as many as libfuse asks of a loop that is not its own.
const MAX_PAGES: usize = 256;
/// `struct fuse_in_header` and `struct fuse_write_in`: what stands before the payload of a write.
const WRITE_HEADERS: usize = 80;
/// How many unused buffers a reader keeps.
const SPARE_BUFFERS: usize = 16;

/// A buffer for one request: a pointer, since it is moved often.
///
/// # Invariants
///
/// The pointer is the start of an allocation of `layout`, owned by this value, with a valid [`Head`] in
/// it. Behind the head, the receive area has room for the largest request; its first `received` bytes
/// are initialized.
pub(crate) struct Block(NonNull<Head>);

/// What a block knows of itself.
struct Head {
    layout: Layout,
    /// How many bytes of the receive area libfuse has filled.
    received: usize,
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
        let head = Head {
            layout,
            received: 0,
        };
        // SAFETY: a page, which no page size is less than, has room for the head.
        unsafe { start.write(head) };
        // INVARIANT: the area ends `WRITE_HEADERS` before the end of the allocation.
        Self(start)
    }

    fn head(&self) -> &Head {
        // SAFETY: the head is valid, by the invariants.
        unsafe { self.0.as_ref() }
    }

    /// Where the receive area begins: so that what comes behind the headers of a write begins a page.
    fn receive_offset(&self) -> usize {
        self.head().layout.align() - WRITE_HEADERS
    }

    /// Where libfuse shall receive to.
    pub(super) fn receive_area(&self) -> NonNull<u8> {
        // SAFETY: the offset is inside the allocation, by the invariants.
        unsafe { self.0.cast::<u8>().add(self.receive_offset()) }
    }

    /// # Safety
    ///
    /// - So many bytes of the receive area have been filled.
    pub(super) unsafe fn set_received(&mut self, received: usize) {
        // SAFETY: the head is valid, by the invariants.
        let head = unsafe { self.0.as_mut() };
        // INVARIANT: guaranteed by the caller, see above.
        head.received = received;
    }

    /// Whether `len` bytes from `data` on lie in what was received; if so, at which offset.
    fn offset_of(&self, data: *const u8, len: usize) -> Option<usize> {
        let offset = (data as usize).checked_sub(self.0.addr().get())?;
        let end = offset.checked_add(len)?;
        let received = self.receive_offset()..=self.receive_offset() + self.head().received;
        (received.contains(&offset) && received.contains(&end)).then_some(offset)
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let layout = self.head().layout;
        // SAFETY: the memory was allocated with `layout`, by the invariants.
        unsafe { dealloc(self.0.as_ptr().cast(), layout) };
    }
}

/// The blocks of one reader that are not in use.
pub(crate) struct BufferPool {
    spare: Mutex<Vec<Block>>,
    page: usize,
}

impl BufferPool {
    pub(super) fn new() -> Self {
        // SAFETY: sysconf(3) has no preconditions.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        Self {
            spare: Mutex::new(Vec::new()),
            page: usize::try_from(page).unwrap_or(4096),
        }
    }

    /// The length of the largest request that a block has room for: what libfuse asks for.
    pub(super) fn request_size(&self) -> usize {
        MAX_PAGES * self.page + HEADER_SIZE
    }

    pub(crate) fn take(&self) -> Block {
        let spare = self
            .spare
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        spare.unwrap_or_else(|| Block::new(self.page))
    }

    pub(crate) fn put_back(&self, block: Block) {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < SPARE_BUFFERS {
            spare.push(block);
        }
    }
}

/// The payload of a write, in the block that it was received into.
pub(crate) struct ReceivedBytes {
    block: ManuallyDrop<Block>,
    offset: u32,
    len: u32,
    pool: Arc<BufferPool>,
}

impl ReceivedBytes {
    /// The `len` bytes from `data` on, if they lie in what was received into the block.
    pub(super) fn new(
        block: Block,
        data: *const u8,
        len: usize,
        pool: &Arc<BufferPool>,
    ) -> Result<Self, Block> {
        let short = |number: usize| u32::try_from(number).ok();
        match (block.offset_of(data, len).and_then(short), short(len)) {
            (Some(offset), Some(len)) => Ok(Self {
                block: ManuallyDrop::new(block),
                offset,
                len,
                pool: Arc::clone(pool),
            }),
            _ => Err(block),
        }
    }

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
    fn drop(&mut self) {
        // SAFETY: the field is not used after this, the last use of `self`.
        let block = unsafe { ManuallyDrop::take(&mut self.block) };
        self.pool.put_back(block);
    }
}
