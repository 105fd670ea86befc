//! Memory for the futures of handlers.
//!
//! Most handlers come to their end at their first poll, so that a thread can use the memory of one for
//! the next, and requests need no allocation.

use std::alloc::Layout;
use std::alloc::alloc;
use std::alloc::dealloc;
use std::alloc::handle_alloc_error;
use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::ptr::NonNull;

/// Room that is used again: what handlers need that keep little across their waits. Larger ones get
/// memory of their own.
const ROOM: Layout = Layout::new::<Room>();

#[repr(C, align(16))]
struct Room([u8; 1024]);

/// A future on the heap, as in `Pin<Box<dyn Future>>`.
///
/// # Invariants
///
/// The pointer is to a valid value, owned by this one, at the start of an allocation of
/// [`allocation`] of its layout. It never moves.
pub(crate) struct Handler(NonNull<dyn Future<Output = ()> + Send>);

// SAFETY: it owns the future, which is Send.
unsafe impl Send for Handler {}

/// What is allocated for a value of this layout.
const fn allocation(value: Layout) -> Layout {
    if value.size() <= ROOM.size() && value.align() <= ROOM.align() {
        ROOM
    } else {
        value
    }
}

impl Handler {
    #[inline]
    pub(crate) fn new<F: Future<Output = ()> + Send + 'static>(future: F) -> Self {
        let layout = const { allocation(Layout::new::<F>()) };
        let place = Spare::take(layout).cast::<F>();
        // SAFETY: the allocation has room for the value.
        unsafe { place.write(future) };
        // INVARIANT: allocated and written just now.
        Self(place)
    }

    #[inline]
    pub(crate) fn as_mut(&mut self) -> Pin<&mut (dyn Future<Output = ()> + Send)> {
        // SAFETY: the value is valid and owned by this one, by the invariants.
        let future = unsafe { self.0.as_mut() };
        // SAFETY: the value never moves, by the invariants.
        unsafe { Pin::new_unchecked(future) }
    }
}

impl Drop for Handler {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the value is valid, by the invariants.
        let layout = allocation(Layout::for_value(unsafe { self.0.as_ref() }));
        // Also if the value panics when it is dropped.
        let _memory = Memory {
            start: self.0.cast(),
            layout,
        };
        // SAFETY: the value is not used after this, the last use of `self`.
        unsafe { self.0.drop_in_place() };
    }
}

/// Memory that nothing is in any more.
struct Memory {
    start: NonNull<u8>,
    layout: Layout,
}

impl Drop for Memory {
    #[inline]
    fn drop(&mut self) {
        if self.layout != ROOM || !Spare::put(self.start) {
            // SAFETY: the memory was allocated with this layout, and nobody uses it any more.
            unsafe { dealloc(self.start.as_ptr(), self.layout) };
        }
    }
}

thread_local! {
    static SPARE: Spare = const { Spare(Cell::new(None)) };
}

/// One `ROOM` that this thread does not use at the moment.
///
/// # Invariants
///
/// The pointer, if any, is to an allocation of [`ROOM`] that this value owns.
struct Spare(Cell<Option<NonNull<u8>>>);

impl Spare {
    /// Memory of this layout, which is not empty.
    #[inline]
    fn take(layout: Layout) -> NonNull<u8> {
        let spare = match layout {
            ROOM => SPARE.try_with(|spare| spare.0.take()).ok().flatten(),
            _ => None,
        };
        spare.unwrap_or_else(|| {
            // SAFETY: the layout is not empty: that of the smallest future is `ROOM`.
            let start = unsafe { alloc(layout) };
            NonNull::new(start).unwrap_or_else(|| handle_alloc_error(layout))
        })
    }

    /// Keeps memory of [`ROOM`], which the caller gives away if this returns `true`.
    #[inline]
    fn put(start: NonNull<u8>) -> bool {
        let put = |spare: &Self| match spare.0.get() {
            Some(_) => false,
            None => {
                spare.0.set(Some(start));
                true
            }
        };
        // Not while the thread ends.
        SPARE.try_with(put).unwrap_or(false)
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        if let Some(start) = self.0.take() {
            // SAFETY: the memory was allocated with this layout, by the invariants.
            unsafe { dealloc(start.as_ptr(), ROOM) };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Arc;
    use std::task::Context;
    use std::task::Waker;

    use super::*;

    fn address(handler: &Handler) -> *const () {
        handler.0.as_ptr().cast_const().cast()
    }

    #[test]
    fn memory_is_used_again() {
        let first = Handler::new(async {});
        let place = address(&first);
        let second = Handler::new(async {});
        assert_ne!(address(&second), place);
        drop(first);
        drop(second);
        assert_eq!(address(&Handler::new(pending())), place);
    }

    #[test]
    fn futures_of_any_size_run_and_are_dropped_once() {
        fn check<const SIZE: usize>() {
            let token = Arc::new(());
            let kept = Arc::clone(&token);
            let mut handler = Handler::new(async move {
                let bytes = [1; SIZE];
                pending::<()>().await;
                drop((kept, bytes));
            });
            let mut context = Context::from_waker(Waker::noop());
            assert!(handler.as_mut().poll(&mut context).is_pending());
            assert_eq!(Arc::strong_count(&token), 2);
            drop(handler);
            assert_eq!(Arc::strong_count(&token), 1);
        }
        check::<0>();
        check::<900>();
        check::<5000>();
    }

    #[test]
    fn memory_survives_a_panic_of_what_was_in_it() {
        struct Panics;
        impl Drop for Panics {
            fn drop(&mut self) {
                panic!("on purpose");
            }
        }
        let panics = Panics;
        let handler = Handler::new(async move {
            let _panics = panics;
        });
        let place = address(&handler);
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(handler)));
        assert!(caught.is_err());
        assert_eq!(address(&Handler::new(async {})), place);
    }
}
