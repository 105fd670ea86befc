//! Running a session to its end.

use std::future::Future;
use std::future::pending;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::PoisonError;
use std::task::Poll;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use futures::future::Either;
use futures::future::select;
use smol::Timer;

use super::Hold;
use super::Session;
use super::Shared;
use super::Unmount;
use super::dispatch::dispatch;
use super::handle::Cause;
use super::reactor;
use super::reactor::block_until;
use super::receive;
use super::receive::ReaderEnd;
use crate::Errno;
use crate::Error;
use crate::Operations;
use crate::logging;
use crate::panics::Panicked;
use crate::panics::catch;
use crate::panics::dispose;
use crate::raw::RawSession;
use crate::raw::Signals;
use crate::wakers::hold_back;

/// How long those who use the session's descriptor, but are no handlers, may take at least: reads of
/// files, notifications, and whoever has to be freed by an abort.
pub(super) const GRACE: Duration = Duration::from_secs(1);

/// How often readers are woken, at first and at most.
const WAKE_INTERVAL: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(50)];

/// How often a session that C has made is asked whether it shall end.
const EXIT_INTERVAL: Duration = Duration::from_millis(50);

/// Why a session has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExitReason {
    /// Somebody unmounted it.
    Unmounted,
    /// [`SessionHandle::terminate`](crate::SessionHandle::terminate) was called.
    Terminated,
    /// A signal came that the session was asked to handle: its number.
    Signal(i32),
    /// The connection was aborted, through `/sys/fs/fuse/connections` or by `umount -f`.
    Aborted,
    /// The other side of [`SessionBuilder::custom_io`](crate::SessionBuilder::custom_io) has closed the
    /// connection.
    Disconnected,
}

/// What a program does something about while its session runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Signals are handled, and no thread is started yet.
    SignalsHandled,
    /// The file system's `init` has succeeded: from here on requests are answered.
    Serving,
    /// No more requests are received.
    Ending,
}

impl<O: Operations> Session<O> {
    /// Answers requests until the session ends, and says why it did.
    ///
    /// Reader threads are started, and handlers that have to wait go on inside of this future: on
    /// the caller's executor, whichever that is. When the session ends, no more requests are
    /// received, handlers come to their end, [`Operations::destroy`] is called, and this returns.
    /// Unmounting is left to [`close`](Session::close) or drop, if nobody else has done it.
    ///
    /// Dropping the future ends the session, too; then [`Operations::destroy`] is called by
    /// `close`. A session that has ended does not run again.
    ///
    /// # Errors
    ///
    /// [`Error::Init`] if the file system refused to start, [`Error::Receive`] if requests cannot
    /// be received any more, [`Error::ReaderPanicked`] if a thread that received them has panicked.
    /// [`Error::System`] if no such thread can be started; if only some can, the session does with those,
    /// and logs a warning.
    #[doc(alias = "fuse_session_loop")]
    #[doc(alias = "main")]
    pub async fn run(&mut self) -> Result<ExitReason, Error> {
        self.run_with(|_| ()).await
    }

    /// As [`run`](Self::run); calls `enter` at the beginning of each phase. They come in that order;
    /// one that is not reached is left out.
    pub(crate) async fn run_with(
        &mut self,
        mut enter: impl FnMut(Phase),
    ) -> Result<ExitReason, Error> {
        let shared = Arc::clone(&self.shared);
        // If this future is dropped before its end, the readers are told to leave.
        let stop_on_drop = StopOnDrop(self);
        let signals = stop_on_drop.0.prepare()?;
        enter(Phase::SignalsHandled);
        stop_on_drop.0.start_readers()?;
        let running = async {
            let stopped = pin!(async {
                let signal = pin!(next_signal(signals));
                let exited = pin!(async {
                    exited(&shared.raw).await;
                    shared.stop.request(Cause::Terminated);
                });
                match select(signal, select(pin!(shared.stop.requested()), exited)).await {
                    Either::Left((signal, _)) => shared.stop.request(Cause::Signal(signal)),
                    Either::Right(_) => {}
                }
            });
            if let Either::Right(((), stopped)) =
                select(stopped, pin!(shared.raw.initialized())).await
            {
                enter(Phase::Serving);
                stop_on_drop.0.release_parent();
                stopped.await;
            }
            enter(Phase::Ending);
            let deadline = shared.stop.deadline(shared.limits.shutdown_timeout);
            stop_on_drop.0.readers_ended(deadline).await
        };
        let running = shared.executor.run(with_messages(&shared, running));
        let end = hold_back(running).await;
        hold_back(shared.finish()).await;

        if let Some(Err(errno)) = shared.raw.init_result() {
            // The kernel takes it for mounted, and whoever uses it would wait for an answer.
            match stop_on_drop.0.close_now(Unmount::Yes) {
                Err(error @ Error::StillMounted { .. }) => return Err(error),
                Err(error) => logging::error!("{error}"),
                Ok(()) => {}
            }
            return Err(match shared.raw.refused() {
                Some(what) if errno == Errno::EOPNOTSUPP => Error::NotOffered {
                    what: what.to_owned(),
                    libfuse: crate::libfuse_version(),
                },
                _ => Error::Init(errno),
            });
        }
        end?;
        Ok(match shared.stop.cause() {
            Some(Cause::Signal(signal)) => ExitReason::Signal(signal),
            Some(Cause::ReaderEnded) if shared.raw.is_custom_io() => ExitReason::Disconnected,
            Some(Cause::ReaderEnded) if shared.mountpoint.is_mounted(&shared.raw) => {
                ExitReason::Aborted
            }
            Some(Cause::ReaderEnded) => ExitReason::Unmounted,
            Some(Cause::Terminated) | None => ExitReason::Terminated,
        })
    }

    /// Starts the readers, and all else that the session needs until its end: a shortage of descriptors or
    /// threads must not keep it from ending. A second call does nothing.
    pub(super) fn start(&mut self) -> Result<(), Error> {
        self.prepare()?;
        self.start_readers()
    }

    /// As [`start`](Self::start), without the readers.
    pub(crate) fn prepare(&mut self) -> Result<Option<Arc<Signals>>, Error> {
        reactor::start()
            .map_err(|error| Error::system("cannot start a thread for timers", error))?;
        // Before the readers: a signal must be handled as soon as the first request has a reply.
        self.signals()
    }

    /// Has the parent exit, if this process was started by `daemonize`.
    fn release_parent(&self) {
        let mut parent = self.parent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(parent) = parent.take() {
            parent.release();
        }
    }

    fn start_readers(&mut self) -> Result<(), Error> {
        if self.shared.stop.is_requested() || !self.readers.is_empty() {
            return Ok(());
        }
        self.shared.mountpoint.set_served(true);
        let (sender, receiver) = async_channel::bounded(self.shared.limits.reader_threads);
        self.ended = receiver;
        let count = self.shared.limits.reader_threads;
        for index in 0..count {
            match receive::spawn(&self.shared, index, sender.clone()) {
                Ok(reader) => self.readers.push(reader),
                Err(error) if index == 0 => {
                    return Err(Error::system("cannot start a thread for requests", error));
                }
                Err(error) => {
                    logging::warn!(
                        "cannot start reader thread {} of {count}: {error}: the session does with {index}",
                        index + 1
                    );
                    break;
                }
            }
        }
        Ok(())
    }

    fn signals(&mut self) -> Result<Option<Arc<Signals>>, Error> {
        if !self.shared.limits.handle_signals || self.signals.is_some() {
            return Ok(self.signals.clone());
        }
        let signals = Signals::handle()
            .map_err(|error| Error::system("cannot handle SIGINT, SIGTERM and SIGHUP", error))?;
        let signals = Arc::new(signals);
        self.signals = Some(Arc::clone(&signals));
        Ok(Some(signals))
    }

    /// Wakes the readers until all have ended, or time is up; the first error that one of them met.
    ///
    /// One that hangs in a handler must not keep the session from ending.
    async fn readers_ended(&self, deadline: Instant) -> ReaderEnd {
        let mut first_error = Ok(());
        let all_ended = async {
            while let Ok(end) = self.ended.recv().await {
                if first_error.is_ok() {
                    first_error = end;
                }
            }
        };
        self.wake_readers(deadline, all_ended).await;
        first_error
    }

    /// Wakes the readers until `all_ended` is ready, or time is up.
    async fn wake_readers(&self, deadline: Instant, all_ended: impl Future<Output = ()>) {
        let mut all_ended = pin!(all_ended);
        let [mut interval, longest] = WAKE_INTERVAL;
        while let Either::Right((now, still)) = select(all_ended, Timer::after(interval)).await {
            if now >= deadline {
                return;
            }
            all_ended = still;
            self.shared.stop.readers().wake();
            interval = longest.min(interval * 2);
        }
    }

    /// Ends what `run` has begun, unmounts, and lets go of the session.
    pub(super) fn close_now(&mut self, unmount: Unmount) -> Result<(), Error> {
        if std::mem::replace(&mut self.closed, true) {
            return Ok(());
        }
        let shared = Arc::clone(&self.shared);
        shared.stop.request(Cause::Terminated);
        let deadline = shared.stop.deadline(shared.limits.shutdown_timeout);
        // This `block_on` does not need the reactor of async-io, which may have failed to start.
        smol::future::block_on(async {
            // `run` has returned the error, or was dropped.
            drop(shared.executor.run(self.readers_ended(deadline)).await);
            shared.finish().await;
        });

        // Whoever still hangs in the kernel is freed by an abort; what then is left keeps the
        // descriptor open, since it may use it at any time. The abort comes in any case: closing the
        // descriptor does not end the connection while another process holds a copy, such as a
        // child that has just been forked, and that child may itself wait for an answer from here.
        let mut busy = self.wait_until_unused(deadline.max(Instant::now() + GRACE));
        shared.mountpoint.abort(&shared.raw, unmount);
        if busy > 0 {
            busy = self.wait_until_unused(Instant::now() + GRACE);
        }
        if unmount == Unmount::Yes {
            if busy == 0 {
                shared.raw.disconnect();
            }
            shared.mountpoint.unmount(&shared.raw)?;
        }
        if busy > 0 {
            return Err(Error::Busy(busy));
        }
        Ok(())
    }

    /// Waits for those who use the session's descriptor; returns how many still do.
    fn wait_until_unused(&mut self, deadline: Instant) -> usize {
        let raw = &self.shared.raw;
        let unused = block_until(deadline, async {
            drop(self.readers_ended(deadline).await);
            raw.unused().await;
        });
        let in_time = unused.is_some() && {
            // Each request holds on to the session until it is answered.
            while Arc::strong_count(raw) > 1 && Instant::now() < deadline {
                thread::sleep(WAKE_INTERVAL[0]);
            }
            Arc::strong_count(raw) == 1
        };
        let all_ended = self.ended.is_closed();
        let readers = std::mem::take(&mut self.readers);
        let (done, hanging): (Vec<_>, Vec<_>) = readers
            .into_iter()
            .partition(|reader| all_ended || reader.is_finished());
        for reader in done {
            drop(reader.join().map_err(dispose));
        }
        self.readers = hanging;
        let raw = &self.shared.raw;
        let users = raw.refuse_use() + self.readers.len();
        if in_time {
            // Who holds on to the session now is a notifier that is about to be refused.
            return users;
        }
        users.max(Arc::strong_count(raw) - 1)
    }
}

impl<O: Operations> Shared<O> {
    /// Waits for handlers until time is up, answers what is left, and calls `destroy`.
    pub(super) async fn finish(&self) {
        self.mountpoint.set_served(false);
        // A reader that hangs has not done so.
        self.raw.retrievals.end();
        let deadline = self.stop.deadline(self.limits.shutdown_timeout);
        self.executor
            .run(async {
                until(deadline, self.in_flight.is_empty()).await;
                // From here on nobody cares about answers that the kernel does not want.
                self.raw.exit();
                loop {
                    let (requests, tasks) = self.in_flight.take_all();
                    let count = requests.len() + tasks.len();
                    if count > 0 {
                        logging::warn!(
                            "{count} requests have not ended in time: answered with EIO"
                        );
                    }
                    drop(requests);
                    for task in tasks {
                        task.cancel().await;
                    }
                    if !self.in_flight.has_waiting() {
                        break;
                    }
                    // A reader has begun to hand over one more, and is about to be done with it.
                    Timer::after(WAKE_INTERVAL[0]).await;
                }
                while let Ok(message) = self.messages.try_recv() {
                    drop(message);
                }
                self.stop.set_handlers_ended();
                if self.raw.init_result() == Some(Ok(()))
                    && self.destroyed.set()
                    && self.destroy().await.is_err()
                {
                    logging::error!("the file system's destroy panicked");
                }
            })
            .await;
    }

    /// Calls the file system's `destroy`, and catches a panic of it or of its future's destructor.
    async fn destroy(&self) -> Result<(), Panicked> {
        let mut future = catch(|| Box::pin(self.operations.destroy()))?;
        let result = poll_fn(|cx| match catch(|| future.as_mut().poll(cx)) {
            Ok(poll) => poll.map(Ok),
            Err(panicked) => Poll::Ready(Err(panicked)),
        });
        let result = result.await;
        result.and(catch(|| drop(future)))
    }
}

/// Waits for `future`; meanwhile starts the handlers of requests that readers of ours have not received.
async fn with_messages<O: Operations, T>(
    shared: &Arc<Shared<O>>,
    future: impl Future<Output = T>,
) -> T {
    let hold = Hold::new(shared);
    let messages = async {
        while let Ok(message) = shared.messages.recv().await {
            dispatch(&hold, message);
        }
        pending().await
    };
    match select(pin!(future), pin!(messages)).await {
        Either::Left((result, _)) => result,
        Either::Right((never, _)) => never,
    }
}

struct StopOnDrop<'a, O: Operations>(&'a mut Session<O>);

impl<O: Operations> Drop for StopOnDrop<'_, O> {
    fn drop(&mut self) {
        self.0.shared.stop.request(Cause::Terminated);
    }
}

/// Waits until C has asked a session of its own to end, by `fuse_session_exit`, which tells nobody.
async fn exited(raw: &RawSession) {
    if !raw.is_of_c() {
        return pending().await;
    }
    while !raw.has_exited() {
        Timer::after(EXIT_INTERVAL).await;
    }
    // libfuse exits by itself where the connection has ended, and then a reader says so.
    Timer::after(EXIT_INTERVAL).await;
}

/// The next signal; never, if none are handled.
async fn next_signal(signals: Option<Arc<Signals>>) -> i32 {
    match signals {
        Some(signals) => signals.next().await,
        None => pending().await,
    }
}

/// Waits for `future`, but no longer than this. Whether it came to its end.
pub(super) async fn until(deadline: Instant, future: impl Future) -> bool {
    let (future, timer) = (pin!(future), pin!(Timer::at(deadline)));
    matches!(select(future, timer).await, Either::Left(_))
}
