//! Reference counts that cost their thread no atomic instructions.
//!
//! What each request of a reader needs is counted for each of them, and most requests come and go on the
//! thread of that reader. So it has a count of its own, and all other threads together have another one.

use std::cell::Cell;
use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr;
use std::ptr::NonNull;
use std::sync::atomic::AtomicIsize;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::sync::atomic::fence;

/// Stands for the lender in the count of the others: more than there will ever be of them, and
/// `MOST_HERE` besides.
const LENDER: isize = isize::MAX / 2;

/// How many a thread counts by itself, at most. What it has lent may be dropped elsewhere, so that one of
/// the counts only grows and the other one only shrinks: now and then they are settled.
const MOST_HERE: isize = 1 << 20;

/// No thread.
const NOBODY: usize = 0;

/// A number of this thread that no other has which runs.
#[inline]
fn current() -> usize {
    thread_local! {
        // A cell, since all threads may look at the same constant.
        static MARK: Cell<u8> = const { Cell::new(0) };
    }
    MARK.with(|mark| ptr::from_ref(mark).addr())
}

/// # Invariants
///
/// - `home` is the thread on which the lender is, until the lender is dropped there, and `NOBODY` from then
///   on; so that a thread which finds its own number in it is that thread, and the lender still lives. (A
///   later thread may get the number, but not before this one has ended.)
/// - `here` is used by that thread alone, and only until then.
/// - The sum of both counts is the number of `Lent`s, and `LENDER` more while the lender lives.
///
/// On cache lines of its own, since its thread writes to it for each request.
#[repr(C, align(64))]
struct Inner<T> {
    home: AtomicUsize,
    here: Cell<isize>,
    elsewhere: AtomicIsize,
    value: T,
}

impl<T> Inner<T> {
    #[inline]
    fn is_at_home(&self) -> bool {
        self.home.load(Ordering::Relaxed) == current()
    }

    /// Counts one more, at home.
    #[inline]
    fn count_here(&self) {
        let here = self.here.get() + 1;
        self.here.set(here);
        if here.abs() >= MOST_HERE {
            self.settle();
        }
    }

    /// Has the others' count take over what was counted here; at home, so that the lender is counted, too.
    #[cold]
    fn settle(&self) {
        self.elsewhere
            .fetch_add(self.here.replace(0), Ordering::Relaxed);
    }
}

/// Owns a value that it lends; on one thread.
///
/// # Invariants
///
/// The pointer is to a valid value in a box, which is freed with the last of this one and its `Lent`s.
pub(crate) struct Lender<T> {
    inner: NonNull<Inner<T>>,
    /// Stays on its thread.
    _not_send: PhantomData<*const T>,
}

/// A reference to a value that lives until the last of its references is dropped, on whichever thread.
///
/// # Invariants
///
/// As of [`Lender`]; this one is counted.
pub(crate) struct Lent<T>(NonNull<Inner<T>>);

// SAFETY: as for an Arc. Of the counts, `here` is left to one thread, by the invariants.
unsafe impl<T: Send + Sync> Send for Lent<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Lent<T> {}

impl<T> Lender<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            // INVARIANT: the lender is on this thread, which it does not leave.
            inner: allocate(value, current(), LENDER),
            _not_send: PhantomData,
        }
    }

    #[inline]
    pub(crate) fn lend(&self) -> Lent<T> {
        self.inner().count_here();
        // INVARIANT: counted just now.
        Lent(self.inner)
    }

    #[inline]
    fn inner(&self) -> &Inner<T> {
        // SAFETY: the value is valid, by the invariants.
        unsafe { self.inner.as_ref() }
    }
}

impl<T> Lent<T> {
    /// One that nobody has lent: each thread counts with all others.
    pub(crate) fn by_nobody(value: T) -> Self {
        Self(allocate(value, NOBODY, 1))
    }

    /// Whether this is the lender's thread, which still has it.
    #[inline]
    pub(super) fn is_at_home(&self) -> bool {
        self.inner().is_at_home()
    }

    #[inline]
    fn inner(&self) -> &Inner<T> {
        // SAFETY: the value is valid, by the invariants.
        unsafe { self.0.as_ref() }
    }
}

fn allocate<T>(value: T, home: usize, elsewhere: isize) -> NonNull<Inner<T>> {
    let inner = Box::new(Inner {
        home: AtomicUsize::new(home),
        here: Cell::new(0),
        elsewhere: AtomicIsize::new(elsewhere),
        value,
    });
    NonNull::from(Box::leak(inner))
}

impl<T> Deref for Lender<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.inner().value
    }
}

impl<T> Deref for Lent<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.inner().value
    }
}

impl<T> Clone for Lent<T> {
    #[inline]
    fn clone(&self) -> Self {
        let inner = self.inner();
        match inner.is_at_home() {
            true => inner.count_here(),
            // Relaxed, as for an Arc: this one is counted, so that nothing is freed meanwhile.
            false => _ = inner.elsewhere.fetch_add(1, Ordering::Relaxed),
        }
        // INVARIANT: counted just now.
        Self(self.0)
    }
}

impl<T> Drop for Lent<T> {
    #[inline]
    fn drop(&mut self) {
        let inner = self.inner();
        if inner.is_at_home() {
            // The lender lives: this is not the last one.
            inner.here.set(inner.here.get() - 1);
        } else {
            // SAFETY: this one is not used after this.
            unsafe { give_back(self.0, 1) };
        }
    }
}

impl<T> Drop for Lender<T> {
    fn drop(&mut self) {
        let inner = self.inner();
        // INVARIANT: from here on this thread counts as all others do, what it has counted included.
        inner.home.store(NOBODY, Ordering::Relaxed);
        let here = inner.here.get();
        // SAFETY: the lender is not used after this, and those that it has counted are counted elsewhere.
        unsafe { give_back(self.inner, LENDER - here) };
    }
}

/// Takes so many off the count, and frees what is not counted any more.
///
/// # Safety
///
/// - They were counted, and are not used any more.
unsafe fn give_back<T>(inner: NonNull<Inner<T>>, count: isize) {
    // SAFETY: the value is valid while somebody is counted.
    let elsewhere = unsafe { &inner.as_ref().elsewhere };
    // As an Arc does: everybody's use comes before the end.
    if elsewhere.fetch_sub(count, Ordering::Release) == count {
        fence(Ordering::Acquire);
        // SAFETY: it comes from a box, and nobody is left who may use it.
        drop(unsafe { Box::from_raw(inner.as_ptr()) });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    fn lender() -> (Arc<()>, Lender<Arc<()>>) {
        let token = Arc::new(());
        (Arc::clone(&token), Lender::new(token))
    }

    #[test]
    fn the_value_lives_as_long_as_what_was_lent() {
        let (token, lender) = lender();
        let (first, second) = (lender.lend(), lender.lend());
        drop(first.clone());
        drop(first);
        drop(lender);
        assert_eq!(Arc::strong_count(&token), 2);
        drop(second);
        assert_eq!(Arc::strong_count(&token), 1);
    }

    #[test]
    fn the_lender_is_the_last_one() {
        let (token, lender) = lender();
        drop(lender.lend());
        assert_eq!(Arc::strong_count(&token), 2);
        drop(lender);
        assert_eq!(Arc::strong_count(&token), 1);
    }

    #[test]
    fn threads_may_drop_what_others_have_made() {
        let (token, lender) = lender();
        let lent = lender.lend();
        let here = thread::scope(|scope| {
            // Made here, dropped there, and the other way round.
            let thread = scope.spawn(move || lent.clone());
            thread.join().unwrap()
        });
        assert!(here.is_at_home());
        drop(here);
        let lent = lender.lend();
        drop(lender);
        assert!(!lent.is_at_home());
        thread::scope(|scope| scope.spawn(|| drop(lent)).join().unwrap());
        assert_eq!(Arc::strong_count(&token), 1);
    }

    #[test]
    fn counts_that_grow_apart_are_settled() {
        let (token, lender) = lender();
        for here in [MOST_HERE - 1, -MOST_HERE] {
            lender.inner().here.set(here);
            lender
                .inner()
                .elsewhere
                .store(LENDER - here, Ordering::Relaxed);
            let lent = lender.lend();
            let settled = lender.inner().here.get();
            assert!(settled == 0 || here < 0 && settled == here + 1, "{settled}");
            drop((lent.clone(), lent));
        }
        lender.inner().settle();
        assert_eq!(lender.inner().here.get(), 0);
        let elsewhere = lender.inner().elsewhere.load(Ordering::Relaxed);
        assert_eq!(elsewhere, LENDER);
        drop(lender);
        assert_eq!(Arc::strong_count(&token), 1);
    }

    #[test]
    fn other_threads_are_not_at_home() {
        let (_, lender) = lender();
        let lent = lender.lend();
        assert!(lent.is_at_home());
        thread::scope(|scope| {
            let elsewhere = scope.spawn(|| lent.is_at_home());
            assert!(!elsewhere.join().unwrap());
        });
    }

    #[test]
    fn all_threads_at_once() {
        let (token, lender) = lender();
        thread::scope(|scope| {
            for _ in 0..4 {
                let lent = lender.lend();
                scope.spawn(move || (0..1000).for_each(|_| drop(lent.clone())));
            }
            (0..1000).for_each(|_| drop(lender.lend()));
            drop(lender);
        });
        assert_eq!(Arc::strong_count(&token), 1);
    }

    #[test]
    fn what_nobody_has_lent() {
        let token = Arc::new(());
        let lent = Lent::by_nobody(Arc::clone(&token));
        assert!(!lent.is_at_home());
        drop(lent.clone());
        assert_eq!(Arc::strong_count(&token), 2);
        drop(lent);
        assert_eq!(Arc::strong_count(&token), 1);
    }
}
