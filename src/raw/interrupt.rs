//! What a handler may ask libfuse about its request while it has no answer: above all, whether it was
//! interrupted.

use std::ffi::c_void;
use std::mem;
use std::ptr;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use event_listener::Event;
use libfuse_sys::fuse_req;
use libfuse_sys::fuse_req_getgroups;
use libfuse_sys::fuse_req_interrupt_func;
use libfuse_sys::fuse_req_interrupted;
use libfuse_sys::fuse_req_t;

use super::inbox::Inbox;
use crate::Errno;
use crate::Result;
use crate::message::Message;
use crate::panics::catch;
use crate::wakers::wake_after;

/// What a request's handler and libfuse share about its interruption.
#[derive(Debug, Default)]
pub(crate) struct Interruption {
    happened: AtomicBool,
    event: Event,
    /// For a request that was queued: the list for its ticket, and the ticket.
    queued: Option<(Arc<Interrupted>, u64)>,
}

/// The tickets of queued requests that were interrupted.
#[derive(Debug, Default)]
pub(crate) struct Interrupted {
    is_some: AtomicBool,
    tickets: Mutex<Vec<u64>>,
}

impl Interrupted {
    fn tickets(&self) -> MutexGuard<'_, Vec<u64>> {
        self.tickets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, ticket: u64) {
        self.tickets().push(ticket);
        self.is_some.store(true, Ordering::Release);
    }

    /// Whether there are any.
    #[inline]
    pub(crate) fn is_some(&self) -> bool {
        self.is_some.load(Ordering::Acquire)
    }

    pub(crate) fn take(&self) -> Vec<u64> {
        self.is_some.store(false, Ordering::Release);
        mem::take(&mut *self.tickets())
    }
}

impl Interruption {
    /// Wakes what waits for it.
    pub(crate) fn wake(&self) {
        wake_after(|| self.event.notify(usize::MAX));
    }
}

/// Asks libfuse about the interruption of a request, and registers for it when somebody wants to
/// wait for it: most requests never do, and pay nothing.
///
/// # Invariants
///
/// `req`, if any, is not answered before [`InterruptHook::unregister`] has been called: the owner
/// of the request sees to it.
pub(crate) struct InterruptHook {
    req: Option<NonNull<fuse_req>>,
    registered: OnceLock<Arc<Interruption>>,
}

// SAFETY: libfuse lets any thread ask for the interruption of an unanswered request; it locks by
// itself (fuse_lowlevel.c, fuse_req_interrupted and fuse_req_interrupt_func).
unsafe impl Send for InterruptHook {}
// SAFETY: as above.
unsafe impl Sync for InterruptHook {}

impl InterruptHook {
    pub(super) fn new(req: NonNull<fuse_req>) -> Self {
        Self {
            req: Some(req),
            registered: OnceLock::new(),
        }
    }

    pub(crate) fn detached() -> Self {
        Self {
            req: None,
            registered: OnceLock::new(),
        }
    }

    /// The request; NULL if there is none.
    pub(crate) fn as_ptr(&self) -> fuse_req_t {
        self.req.map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    /// The supplementary groups of whoever made the request; `None` without one.
    pub(crate) fn groups(&self) -> Option<Result<Vec<u32>>> {
        let req = self.req?;
        let mut groups = vec![0; 32];
        loop {
            let room = i32::try_from(groups.len()).unwrap_or(i32::MAX);
            // SAFETY: the request is unanswered, by the invariants, and there is room for as many
            // groups as is said.
            let count = unsafe { fuse_req_getgroups(req.as_ptr(), room, groups.as_mut_ptr()) };
            let Ok(count) = usize::try_from(count) else {
                return Some(Err(Errno::from_negative(count)));
            };
            let fits = count <= groups.len();
            groups.resize(count, 0);
            if fits {
                return Some(Ok(groups));
            }
        }
    }

    pub(crate) fn is_interrupted(&self) -> bool {
        match (self.registered.get(), self.req) {
            (Some(interruption), _) => interruption.happened.load(Ordering::Acquire),
            // SAFETY: the request is unanswered, by the invariants.
            (None, Some(req)) => unsafe { fuse_req_interrupted(req.as_ptr()) != 0 },
            (None, None) => false,
        }
    }

    pub(crate) async fn interrupted(&self) {
        let interruption = Arc::clone(self.register(None));
        loop {
            let listener = interruption.event.listen();
            if interruption.happened.load(Ordering::Acquire) {
                return;
            }
            listener.await;
        }
    }

    /// Registers a request that is queued: if it is interrupted, its ticket goes to `interrupted`. Comes before
    /// [`interrupted`](Self::interrupted). Later calls of [`is_interrupted`](Self::is_interrupted) cost one load.
    pub(crate) fn watch_queued(&self, interrupted: &Arc<Interrupted>, ticket: u64) {
        self.register(Some((Arc::clone(interrupted), ticket)));
    }

    fn register(&self, queued: Option<(Arc<Interrupted>, u64)>) -> &Arc<Interruption> {
        self.registered.get_or_init(|| {
            let interruption = Arc::new(Interruption {
                queued,
                ..Interruption::default()
            });
            if let Some(req) = self.req {
                let data = Arc::as_ptr(&interruption).cast_mut().cast::<c_void>();
                // SAFETY: the request is unanswered; `data` lives in `self.registered` until
                // `unregister` has taken it out of libfuse. libfuse calls the function at once if
                // the interruption has come already.
                unsafe { fuse_req_interrupt_func(req.as_ptr(), Some(on_interrupt), data) };
            }
            interruption
        })
    }

    /// Must be called before the request is answered. Waits for a callback that is running.
    pub(super) fn unregister(&self) {
        if self.registered.get().is_some()
            && let Some(req) = self.req
        {
            // SAFETY: the request is unanswered, by the invariants.
            unsafe { fuse_req_interrupt_func(req.as_ptr(), None, ptr::null_mut()) };
        }
    }
}

/// Called by libfuse with the request's lock held, which the reply takes, too. An executor may poll the
/// handler inside of `wake`, and the handler may reply: so the reader wakes it after libfuse has returned. On
/// a thread of C, none of our code runs after that. There handlers wait on a thread of ours, whose waker does
/// not poll.
///
/// # Safety
///
/// - `data` is what `register` has given to libfuse, and has not taken back.
unsafe extern "C" fn on_interrupt(_req: fuse_req_t, data: *mut c_void) {
    // SAFETY: `register` gave libfuse the address of an `Interruption` in an Arc, which outlives the
    // registration.
    unsafe { Arc::increment_strong_count(data.cast::<Interruption>()) };
    // SAFETY: the count has just been raised for this one.
    let interruption = unsafe { Arc::from_raw(data.cast::<Interruption>()) };
    // A request may be interrupted more than once.
    if !interruption.happened.swap(true, Ordering::AcqRel)
        && let Some((interrupted, ticket)) = &interruption.queued
    {
        interrupted.add(*ticket);
    }
    match Inbox::current().filter(|inbox| inbox.is_empty()) {
        Some(inbox) => inbox.put(Message::Interrupted(interruption)),
        // A waker that panics must not unwind into C.
        None => drop(catch(|| interruption.wake())),
    }
}
