//! Handlers in flight: polled first by the reader of their request, moved to the executor if they wait,
//! limited in number.

use std::cell::Cell;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use std::time::Duration;
use std::time::Instant;

use event_listener::Event;
use smol::Task;
use smol::Timer;

use super::Hold;
use super::dispatch;
use super::queue::Queue;
use super::report::InFlightReport;
use super::report::InFlightRequest;
use crate::Errno;
use crate::Inode;
use crate::Operations;
use crate::logging;
use crate::message::ForgetList;
use crate::panics::Panicked;
use crate::panics::catch;
use crate::raw::Handler;
use crate::raw::Interrupted;
use crate::request::Request;
use crate::request::RequestInfo;
use crate::wakers::wake_after;

/// The waiting handlers of a session, and the requests that wait for one of them to end.
#[repr(C)]
pub(super) struct InFlight {
    /// The number of waiting handlers from which on `begins_at_once` is false: 0 if the peer is untrusted.
    limit_at_once: usize,
    /// Length of `State::waiting`, readable without the lock.
    waiting: AtomicUsize,
    /// Which requests in the queue were interrupted.
    interrupted: Arc<Interrupted>,
    /// How many handlers may wait.
    limit: AtomicUsize,
    /// Length of `State::queue`, readable without the lock.
    queued: AtomicUsize,
    state: Mutex<State>,
    /// Told whenever a waiting handler has ended.
    ended: Event,
    /// Told whenever a request is queued.
    was_queued: Event,
}

#[derive(Default)]
struct State {
    waiting: HashMap<u64, Waiting>,
    queue: Queue,
    next_ticket: u64,
    /// The session has ended: no handler is polled any more.
    closed: bool,
}

impl State {
    fn ticket(&mut self) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        ticket
    }
}

struct Waiting {
    info: RequestInfo,
    since: Instant,
    /// `None` until the executor has returned it.
    task: Option<Task<()>>,
}

impl InFlight {
    /// `is_trusted`: requests come from the kernel, and their names need no check.
    pub(super) fn new(limit: usize, is_trusted: bool) -> Self {
        Self {
            limit_at_once: if is_trusted { limit } else { 0 },
            waiting: AtomicUsize::new(0),
            interrupted: Arc::default(),
            // `make_room` adds to it.
            limit: AtomicUsize::new(limit.min(usize::MAX / 2)),
            queued: AtomicUsize::new(0),
            state: Mutex::default(),
            ended: Event::new(),
            was_queued: Event::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a request's handler may be started without a check of names, and has room to wait. Takes no lock.
    #[inline]
    pub(super) fn begins_at_once(&self) -> bool {
        self.waiting.load(Ordering::Acquire) < self.limit_at_once
    }

    /// Whether one more handler may wait. Takes no lock.
    pub(super) fn has_room(&self) -> bool {
        self.waiting.load(Ordering::Acquire) < self.limit()
    }

    #[inline]
    fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// Makes room for one more handler while the value lives. For a handler that waits for other requests: they
    /// must not queue up behind it.
    pub(super) fn make_room(&self) -> Room<'_> {
        self.limit.fetch_add(1, Ordering::Relaxed);
        Room(self)
    }

    /// Whether a handler waits.
    pub(super) fn has_waiting(&self) -> bool {
        !self.lock().waiting.is_empty()
    }

    /// Number of handlers that wait.
    pub(super) fn len(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Waits until no handler waits and nothing is queued.
    pub(super) async fn is_empty(&self) {
        loop {
            let listener = self.ended.listen();
            {
                let state = self.lock();
                if state.waiting.is_empty() && state.queue.is_empty() {
                    return;
                }
            }
            listener.await;
        }
    }

    /// Takes out what is still there: requests that no handler has seen, and handlers. From here on
    /// none are added.
    pub(super) fn take_all(&self) -> (Vec<Request>, Vec<Task<()>>) {
        let mut state = self.lock();
        state.closed = true;
        let requests = state.queue.take_all();
        self.queued.store(0, Ordering::Release);
        let tasks = state
            .waiting
            .values_mut()
            .filter_map(|waiting| waiting.task.take())
            .collect();
        (requests, tasks)
    }

    /// Answers the queued requests that were interrupted, without calling their handlers.
    #[inline]
    pub(super) fn answer_interrupted(&self) {
        if self.interrupted.is_some() {
            self.answer_interrupted_queued();
        }
    }

    #[cold]
    fn answer_interrupted_queued(&self) {
        for ticket in self.interrupted.take() {
            let request = {
                let mut state = self.lock();
                // If it is not there, its handler has begun.
                let request = state.queue.remove(ticket);
                self.queued.store(state.queue.len(), Ordering::Release);
                request
            };
            if let Some(request) = request {
                let _ = request.answer::<()>(Err(Errno::EINTR));
            }
        }
    }

    /// Does the same again and again, for sessions without a reader that does. Never returns.
    pub(super) async fn keep_answering_interrupted(&self, interval: Duration) {
        loop {
            let listener = self.was_queued.listen();
            while self.queued.load(Ordering::Acquire) > 0 {
                self.answer_interrupted();
                Timer::after(interval).await;
            }
            listener.await;
        }
    }

    pub(super) fn report(&self) -> InFlightReport {
        let state = self.lock();
        let line = |info: &RequestInfo, since: Instant, queued| InFlightRequest {
            operation: info.kind.name,
            inode: info.inodes[0],
            uid: info.uid,
            pid: info.pid,
            since,
            queued,
        };
        let mut requests: Vec<_> = state
            .waiting
            .values()
            .map(|waiting| line(&waiting.info, waiting.since, false))
            .chain(
                state
                    .queue
                    .iter()
                    .map(|(request, since)| line(&request.info(), since, true)),
            )
            .collect();
        requests.sort_by_key(|request| request.since);
        InFlightReport::new(requests)
    }
}

/// Room for one more handler: see [`InFlight::make_room`].
pub(super) struct Room<'a>(&'a InFlight);

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.0.limit.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Keeps a request until there is room for its handler. Gives it back if there has come to be room.
#[cold]
pub(super) fn queue<O: Operations>(shared: &Hold<O>, request: Request) -> Option<Request> {
    let in_flight = &shared.in_flight;
    let mut state = in_flight.lock();
    if state.waiting.len() < in_flight.limit() {
        return Some(request);
    }
    if state.closed {
        return None; // The drop replies.
    }
    if !shared.raw.is_from_kernel() && state.queue.is_full_for(&request) {
        drop(state);
        let _ = request.answer::<()>(Err(Errno::ENOMEM));
        return None;
    }
    let ticket = state.ticket();
    // Lets an interruption end it while it is queued.
    let interrupt = &request.context().interrupt;
    interrupt.watch_queued(&in_flight.interrupted, ticket);
    state.queue.push(ticket, request);
    in_flight.queued.store(state.queue.len(), Ordering::Release);
    drop(state);
    wake_after(|| in_flight.was_queued.notify(usize::MAX));
    None
}

/// Runs a handler up to its first wait, and leaves it to the executor from there on.
pub(super) fn start<O: Operations, F: Future<Output = ()> + Send + 'static>(
    shared: &Hold<O>,
    info: RequestInfo,
    make: impl FnOnce() -> F,
) {
    let mut handler = Some(Handler::new(make));
    // The executor polls again, with a waker of its own, so that a wake-up until then is not lost.
    let mut cx = Context::from_waker(Waker::noop());
    let result = catch_panics(info, || {
        if handler
            .as_mut()
            .is_none_or(|handler| handler.as_mut().poll(&mut cx).is_ready())
        {
            handler = None;
        }
    });
    match (result, handler) {
        (Ok(()), None) => (),
        (Ok(()), Some(handler)) => wait(shared, info, handler.erased()),
        (Err(_), Some(handler)) => {
            log_panic(info);
            drop_handler(handler.erased(), info);
        }
        (Err(_), None) => log_panic_of_drop(info),
    }
}

thread_local! {
    /// The inodes of the request whose handler this thread polls; 0 otherwise.
    static CURRENT: Cell<[Inode; 2]> = const { Cell::new([Inode(0); 2]) };
}

/// The inodes that the handler which calls this is about, if it is called by a handler.
pub(crate) fn current_inodes() -> Option<[Inode; 2]> {
    Some(CURRENT.get()).filter(|inodes| inodes[0] != Inode(0))
}

/// Polls a handler. One that panics is ready: its request has been answered when it was dropped.
fn poll(future: &mut Handler, info: RequestInfo, cx: &mut Context<'_>) -> Poll<()> {
    catch_panics(info, || future.as_mut().poll(cx)).unwrap_or_else(|_| {
        log_panic(info);
        Poll::Ready(())
    })
}

/// Calls what runs a handler, from where [`current_inodes`] tells what it is about.
#[inline]
fn catch_panics<R>(info: RequestInfo, run: impl FnOnce() -> R) -> Result<R, Panicked> {
    let outer = CURRENT.replace(info.inodes);
    let result = catch(run);
    CURRENT.set(outer);
    result
}

/// Drops a handler, which answers its request if it has not done so. What it drops may panic.
fn drop_handler(future: Handler, info: RequestInfo) {
    let result = catch(|| drop(future));
    if result.is_err() {
        log_panic_of_drop(info);
    }
}

#[cold]
fn log_panic(info: RequestInfo) {
    logging::error!("{info}: the handler panicked: answered with EIO");
}

#[cold]
fn log_panic_of_drop(info: RequestInfo) {
    logging::error!("{info}: the handler panicked when it was dropped");
}

/// A handler on the executor.
struct Waiter<O: Operations> {
    future: Option<Handler>,
    info: RequestInfo,
    ticket: u64,
    shared: Hold<O>,
}

impl<O: Operations> Future for Waiter<O> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let info = self.info;
        match &mut self.future {
            Some(future) => poll(future, info, cx),
            None => Poll::Ready(()),
        }
    }
}

impl<O: Operations> Drop for Waiter<O> {
    /// Makes room, whether the handler came to its end or was cancelled.
    fn drop(&mut self) {
        if let Some(future) = self.future.take() {
            drop_handler(future, self.info);
        }
        let in_flight = &self.shared.in_flight;
        let ended = in_flight.lock().waiting.remove(&self.ticket);
        in_flight.waiting.fetch_sub(1, Ordering::AcqRel);
        // Outside of the lock: this may be the last thing that keeps the task.
        if let Some(task) = ended.and_then(|waiting| waiting.task) {
            task.detach();
        }
        start_queued(&self.shared);
        wake_after(|| in_flight.ended.notify(usize::MAX));
    }
}

fn wait<O: Operations>(shared: &Hold<O>, info: RequestInfo, future: Handler) {
    let in_flight = &shared.in_flight;
    let ticket = {
        let mut state = in_flight.lock();
        if state.closed {
            drop(state);
            logging::warn!("{info}: the session has ended meanwhile: answered with EIO");
            drop_handler(future, info);
            return;
        }
        let ticket = state.ticket();
        state.waiting.insert(
            ticket,
            Waiting {
                info,
                since: Instant::now(),
                task: None,
            },
        );
        in_flight.waiting.fetch_add(1, Ordering::AcqRel);
        ticket
    };
    let waiter = Waiter {
        future: Some(future),
        info,
        ticket,
        shared: shared.clone(),
    };
    // The executor has a lock while it wakes.
    let task = wake_after(|| shared.executor.spawn(waiter));
    let mut state = in_flight.lock();
    match state.waiting.get_mut(&ticket) {
        Some(waiting) => waiting.task = Some(task),
        None => {
            drop(state);
            task.detach(); // It has ended already.
        }
    }
}

/// Starts queued requests while there is room.
fn start_queued<O: Operations>(shared: &Hold<O>) {
    let in_flight = &shared.in_flight;
    while in_flight.queued.load(Ordering::Acquire) > 0 {
        let request = {
            let mut state = in_flight.lock();
            if state.waiting.len() >= in_flight.limit() {
                return;
            }
            let Some(request) = state.queue.pop() else {
                return;
            };
            in_flight.queued.store(state.queue.len(), Ordering::Release);
            request
        };
        dispatch::handle_later(shared, request);
    }
}

/// What a `forget` looks like to the rest.
pub(super) fn forget_info(list: &ForgetList) -> RequestInfo {
    RequestInfo::forget(list.first().map_or(Inode(0), |forget| forget.inode))
}
