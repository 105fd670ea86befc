//! The interruption of one request.

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use event_listener::Event;
use libfuse_sys::fuse_req;
use libfuse_sys::fuse_req_interrupt_func;
use libfuse_sys::fuse_req_interrupted;
use libfuse_sys::fuse_req_t;

/// What a request's handler and libfuse share about its interruption.
#[derive(Default)]
struct Interruption {
    happened: AtomicBool,
    event: Event,
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

    pub(crate) fn is_interrupted(&self) -> bool {
        match (self.registered.get(), self.req) {
            (Some(interruption), _) => interruption.happened.load(Ordering::Acquire),
            // SAFETY: the request is unanswered, by the invariants.
            (None, Some(req)) => unsafe { fuse_req_interrupted(req.as_ptr()) != 0 },
            (None, None) => false,
        }
    }

    pub(crate) async fn interrupted(&self) {
        let interruption = Arc::clone(self.register());
        loop {
            let listener = interruption.event.listen();
            if interruption.happened.load(Ordering::Acquire) {
                return;
            }
            listener.await;
        }
    }

    /// From here on [`is_interrupted`](Self::is_interrupted) costs one load.
    pub(crate) fn watch(&self) {
        self.register();
    }

    fn register(&self) -> &Arc<Interruption> {
        self.registered.get_or_init(|| {
            let interruption = Arc::new(Interruption::default());
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
            unsafe { fuse_req_interrupt_func(req.as_ptr(), None, std::ptr::null_mut()) };
        }
    }
}

/// Called by libfuse with the request's lock held: it may only tell, not act.
///
/// # Safety
///
/// - `data` is what `register` has given to libfuse.
unsafe extern "C" fn on_interrupt(_req: fuse_req_t, data: *mut c_void) {
    // SAFETY: `register` gave libfuse the address of an `Interruption` that outlives the
    // registration.
    let interruption = unsafe { &*data.cast::<Interruption>() };
    interruption.happened.store(true, Ordering::Release);
    // A waker that panics must not unwind into C.
    drop(std::panic::catch_unwind(std::panic::AssertUnwindSafe(
        || {
            interruption.event.notify(usize::MAX);
        },
    )));
}
