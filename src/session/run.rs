//! Running a session to its end.

use std::future::Future;
use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_signal::Signal;
use async_signal::Signals;
use futures::FutureExt;
use futures::StreamExt;
use futures::future::Either;
use futures::future::select;
use smol::Timer;

use super::Session;
use super::Unmount;
use super::receive;
use super::receive::ReaderEnd;
use crate::Error;
use crate::Operations;

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
}

/// How the session came to its end, apart from errors of single readers.
enum Wait {
    Ended(ReaderEnd),
    Signal(i32),
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
    /// `close`.
    ///
    /// # Errors
    ///
    /// [`Error::Init`] if the file system refused to start, [`Error::Receive`] if requests cannot
    /// be received any more.
    #[doc(alias = "fuse_session_loop")]
    #[doc(alias = "main")]
    pub async fn run(&mut self) -> Result<ExitReason, Error> {
        let shared = Arc::clone(&self.shared);
        // If this future is dropped before its end, the readers are told to leave.
        let stop_on_drop = StopOnDrop(self);
        stop_on_drop.0.start_readers()?;
        let signals = stop_on_drop.0.signals()?;
        let ended = stop_on_drop.0.ended.clone();
        let timeout = shared.limits.shutdown_timeout;

        let waiting = shared.executor.run(async {
            let readers = pin!(all_ended(&ended));
            match select(readers, pin!(next_signal(signals))).await {
                Either::Left((end, _)) => Wait::Ended(end),
                Either::Right((signal, readers)) => {
                    shared.stop.request();
                    at_most(timeout, readers).await;
                    Wait::Signal(signal)
                }
            }
        });
        let stopped = async {
            shared.stop.requested().await;
            at_most(timeout, shared.stop.keep_waking()).await;
        };
        // A reader that hangs in a handler must not keep the session from ending.
        let wait = match select(pin!(waiting), pin!(stopped)).await {
            Either::Left((wait, _)) => wait,
            Either::Right(((), _)) => Wait::Ended(Ok(())),
        };
        let terminated = shared.stop.is_requested();
        shared.stop.request();
        shared
            .executor
            .run(at_most(timeout, shared.in_flight.is_empty()))
            .await;
        stop_on_drop.0.finish().await;

        if let Some(Err(errno)) = shared.raw.init_result() {
            return Err(Error::Init(errno));
        }
        match wait {
            Wait::Signal(signal) => Ok(ExitReason::Signal(signal)),
            Wait::Ended(Err(errno)) => Err(Error::Receive(errno)),
            Wait::Ended(Ok(())) if terminated => Ok(ExitReason::Terminated),
            Wait::Ended(Ok(())) if stop_on_drop.0.mountpoint.is_mounted() => {
                Ok(ExitReason::Aborted)
            }
            Wait::Ended(Ok(())) => Ok(ExitReason::Unmounted),
        }
    }

    fn start_readers(&mut self) -> Result<(), Error> {
        let (sender, receiver) = async_channel::bounded(self.shared.limits.reader_threads);
        self.ended = receiver;
        for index in 0..self.shared.limits.reader_threads {
            let reader = receive::spawn(&self.shared, index, sender.clone())
                .map_err(|error| Error::system("cannot start a thread for requests", error))?;
            self.readers.push(reader);
        }
        Ok(())
    }

    fn signals(&self) -> Result<Option<Signals>, Error> {
        if !self.shared.limits.handle_signals {
            return Ok(None);
        }
        Signals::new([Signal::Int, Signal::Term, Signal::Hup])
            .map(Some)
            .map_err(|error| Error::system("cannot handle SIGINT, SIGTERM and SIGHUP", error))
    }

    /// Answers what is still there, whether its handler is done or not, and calls `destroy`.
    async fn finish(&mut self) {
        let shared = &self.shared;
        // From here on nobody cares about answers that the kernel does not want.
        shared.raw.exit();
        shared
            .executor
            .run(async {
                // Cancelling a handler may make room for others that were about to be queued.
                loop {
                    let (requests, tasks) = shared.in_flight.take_all();
                    if requests.is_empty() && tasks.is_empty() {
                        break;
                    }
                    let count = requests.len() + tasks.len();
                    log::warn!("{count} requests have not ended in time: answered with EIO");
                    drop(requests);
                    for task in tasks {
                        task.cancel().await;
                    }
                }
                while let Ok(message) = shared.receiver.try_recv() {
                    drop(message);
                }
                if shared.raw.init_result() == Some(Ok(())) && self.destroyed.set() {
                    let destroy = std::panic::AssertUnwindSafe(shared.operations.destroy());
                    if destroy.catch_unwind().await.is_err() {
                        log::error!("the file system's destroy panicked");
                    }
                }
            })
            .await;
    }

    /// Ends what `run` has begun, unmounts, and lets go of the session.
    pub(super) fn close_now(&mut self, unmount: Unmount) -> Result<(), Error> {
        if std::mem::replace(&mut self.closed, true) {
            return Ok(());
        }
        let timeout = self.shared.limits.shutdown_timeout;
        self.shared.stop.request();
        let ended = self.ended.clone();
        let stop = Arc::clone(&self.shared.stop);
        smol::block_on(at_most(timeout, async {
            select(pin!(all_ended(&ended)), pin!(stop.keep_waking())).await;
        }));
        smol::block_on(self.finish());

        // Readers and others that hang in the kernel are freed by an abort; what then is left keeps
        // the descriptor open, since it may use it at any time.
        let mut busy = self.wait_until_unused(timeout);
        if busy > 0 {
            self.mountpoint.abort();
            busy = self.wait_until_unused(timeout);
        }
        if busy > 0 {
            self.mountpoint.detach();
            return Err(Error::Busy(busy));
        }
        if unmount == Unmount::Yes {
            self.shared.raw.unmount();
            self.mountpoint.detach();
        }
        Ok(())
    }

    /// Waits for those who use the session's descriptor; returns how many still do.
    fn wait_until_unused(&mut self, timeout: Duration) -> usize {
        smol::block_on(async {
            at_most(timeout, self.shared.raw.unused()).await;
        });
        let all_ended = self.ended.is_closed();
        let readers = std::mem::take(&mut self.readers);
        let (done, hanging): (Vec<_>, Vec<_>) = readers
            .into_iter()
            .partition(|reader| all_ended || reader.is_finished());
        for reader in done {
            drop(reader.join());
        }
        self.readers = hanging;
        self.shared.raw.refuse_use() + self.readers.len()
    }
}

struct StopOnDrop<'a, O: Operations>(&'a mut Session<O>);

impl<O: Operations> Drop for StopOnDrop<'_, O> {
    fn drop(&mut self) {
        self.0.shared.stop.request();
    }
}

/// Waits until all readers have ended; the first error that one of them met.
async fn all_ended(ended: &async_channel::Receiver<ReaderEnd>) -> ReaderEnd {
    let mut end = Ok(());
    while let Ok(result) = ended.recv().await {
        end = end.and(result);
    }
    end
}

/// The next signal; never, if none are handled.
async fn next_signal(signals: Option<Signals>) -> i32 {
    let Some(mut signals) = signals else {
        return pending().await;
    };
    loop {
        match signals.next().await {
            Some(Ok(signal)) => return signal as i32,
            Some(Err(error)) => log::warn!("cannot wait for signals: {error}"),
            None => return pending().await,
        }
    }
}

/// Waits for `future`, but no longer than `timeout`.
async fn at_most(timeout: Duration, future: impl Future) {
    select(pin!(future), pin!(Timer::after(timeout))).await;
}
