//! The future of a handler, in memory that is used again.

use std::alloc::Layout;
use std::future::Future;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::ptr::NonNull;

use super::memory::Purpose;

/// A handler's future of any kind.
pub(crate) type AnyFuture = dyn Future<Output = ()> + Send;

/// A future on the heap, as in `Pin<Box<F>>`.
///
/// # Invariants
///
/// The pointer is to a valid value, owned by this one, at the start of memory for handlers. The value
/// never moves.
pub(crate) struct Handler<F: ?Sized = AnyFuture>(NonNull<F>);

// SAFETY: it owns the future.
unsafe impl<F: ?Sized + Send> Send for Handler<F> {}

impl<F: Future<Output = ()> + Send + 'static> Handler<F> {
    /// Takes what makes the future, so that it is made where it is to be, and not moved there.
    #[inline]
    pub(crate) fn new(make: impl FnOnce() -> F) -> Self {
        let place = Purpose::HANDLER.allocate(Layout::new::<F>()).cast::<F>();
        // SAFETY: the memory has room for the value.
        unsafe { place.write(make()) };
        // INVARIANT: allocated and written just now.
        Self(place)
    }

    /// The same for whoever need not know of which kind it is.
    pub(crate) fn erased(self) -> Handler {
        let place = ManuallyDrop::new(self).0;
        // INVARIANT: the value that owned it is not dropped.
        Handler(place)
    }
}

impl<F: ?Sized> Handler<F> {
    #[inline]
    pub(crate) fn as_mut(&mut self) -> Pin<&mut F> {
        // SAFETY: the value is valid and owned by this one, by the invariants.
        let future = unsafe { self.0.as_mut() };
        // SAFETY: the value never moves, by the invariants.
        unsafe { Pin::new_unchecked(future) }
    }
}

impl<F: ?Sized> Drop for Handler<F> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the value is valid, by the invariants.
        let layout = Layout::for_value(unsafe { self.0.as_ref() });
        let _memory = Memory(self.0.cast(), layout);
        // SAFETY: the value is not used after this, the last use of `self`.
        unsafe { self.0.drop_in_place() };
    }
}

/// Memory that nothing is in any more: given back also if that has panicked when it was dropped.
struct Memory(NonNull<u8>, Layout);

impl Drop for Memory {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: `Handler::new` has allocated it so, and its value is gone.
        unsafe { Purpose::HANDLER.free(self.0, self.1) };
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Arc;
    use std::task::Context;
    use std::task::Waker;

    use super::*;

    fn address<F>(handler: &Handler<F>) -> *const () {
        handler.0.as_ptr().cast_const().cast()
    }

    #[test]
    fn memory_is_used_again() {
        let first = Handler::new(|| async {});
        let place = address(&first);
        let second = Handler::new(|| async {});
        assert_ne!(address(&second), place);
        drop(first);
        drop(second);
        assert_eq!(address(&Handler::new(pending)), place);
    }

    #[test]
    fn futures_of_any_size_run_and_are_dropped_once() {
        fn check<const SIZE: usize>() {
            let token = Arc::new(());
            let kept = Arc::clone(&token);
            let mut handler = Handler::new(|| async move {
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
        let handler = Handler::new(|| async move {
            let _panics = panics;
        });
        let place = address(&handler);
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(handler)));
        assert!(caught.is_err());
        assert_eq!(address(&Handler::new(|| async {})), place);
    }
}
