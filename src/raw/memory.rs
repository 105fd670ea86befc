//! Memory that a thread uses again for its next request.
//!
//! Most requests are answered before their thread receives the next, so that one piece of memory does
//! for all requests of a thread, and one for all their handlers: neither costs an allocation.

use std::alloc::Layout;
use std::alloc::alloc;
use std::alloc::dealloc;
use std::alloc::handle_alloc_error;
use std::cell::Cell;
use std::ptr::NonNull;

/// What the memory is for. Values that the room does not suffice for get memory of their own.
#[derive(Clone, Copy)]
pub(super) struct Purpose {
    index: usize,
    room: Layout,
}

/// As few cache lines as can be.
#[repr(C, align(64))]
struct Room<const SIZE: usize>([u8; SIZE]);

impl Purpose {
    pub(super) const REQUEST: Self = Self {
        index: 0,
        room: Layout::new::<Room<192>>(),
    };
    /// Room for what handlers need that keep little across their waits.
    pub(super) const HANDLER: Self = Self {
        index: 1,
        room: Layout::new::<Room<1024>>(),
    };
    const ALL: [Self; 2] = [Self::REQUEST, Self::HANDLER];

    /// Whether the room suffices for a value of this layout.
    pub(super) const fn suffices(self, value: Layout) -> bool {
        value.size() <= self.room.size() && value.align() <= self.room.align()
    }

    /// What is allocated for a value of this layout.
    const fn layout(self, value: Layout) -> Layout {
        if self.suffices(value) {
            self.room
        } else {
            value
        }
    }

    /// Uninitialized memory for a value of this layout, to be given back with [`free`](Self::free).
    #[inline]
    pub(super) fn allocate(self, value: Layout) -> NonNull<u8> {
        let spare = match self.suffices(value) {
            true => SPARES.try_with(|spares| spares.0[self.index].take()),
            false => Ok(None),
        };
        spare
            .ok()
            .flatten()
            .unwrap_or_else(|| self.allocate_new(value))
    }

    #[cold]
    fn allocate_new(self, value: Layout) -> NonNull<u8> {
        let layout = self.layout(value);
        // SAFETY: the layout is not empty: the room suffices for values that are.
        let start = unsafe { alloc(layout) };
        NonNull::new(start).unwrap_or_else(|| handle_alloc_error(layout))
    }

    /// # Safety
    ///
    /// - The memory comes from [`allocate`](Self::allocate) of the same purpose, with the same layout,
    ///   and nobody uses it any more.
    #[inline]
    pub(super) unsafe fn free(self, start: NonNull<u8>, value: Layout) {
        let keep = |spares: &Spares| {
            let spare = &spares.0[self.index];
            let is_kept = spare.get().is_none();
            if is_kept {
                spare.set(Some(start));
            }
            is_kept
        };
        // Not while the thread ends.
        if !self.suffices(value) || !SPARES.try_with(keep).unwrap_or(false) {
            let layout = self.layout(value);
            // SAFETY: `allocate` has allocated it with this layout; guaranteed by the caller.
            unsafe { dealloc(start.as_ptr(), layout) };
        }
    }
}

thread_local! {
    static SPARES: Spares = const { Spares([const { Cell::new(None) }; Purpose::ALL.len()]) };
}

/// For each purpose, memory that this thread does not use at the moment.
///
/// # Invariants
///
/// Each pointer is to an allocation of the purpose's room that this value owns.
struct Spares([Cell<Option<NonNull<u8>>>; Purpose::ALL.len()]);

impl Drop for Spares {
    fn drop(&mut self) {
        for (spare, purpose) in self.0.iter().zip(Purpose::ALL) {
            if let Some(start) = spare.take() {
                // SAFETY: allocated with this layout, by the invariants.
                unsafe { dealloc(start.as_ptr(), purpose.room) };
            }
        }
    }
}
