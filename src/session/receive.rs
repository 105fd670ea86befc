//! [1] The receive loop: read a request, have libfuse turn it into a message, start its handler.
//!
//! Each reader is a thread that blocks in read(2): nothing is cheaper while nothing else needs the
//! thread. It polls the handlers of the requests that it receives up to their first wait.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::thread;
use std::thread::JoinHandle;

use async_channel::Sender;
use futures::future::select;

use super::Hold;
use super::Shared;
use super::Unmount;
use super::dispatch::dispatch;
use super::handle::Cause;
use crate::Errno;
use crate::Error;
use crate::Operations;
use crate::Result;
use crate::panics::Panicked;
use crate::panics::catch;
use crate::raw::Lender;
use crate::wakers::wake_after;

/// How a reader came to its end.
pub(super) type ReaderEnd = Result<(), Error>;

/// Starts a reader, which tells `ended` how it went.
pub(super) fn spawn<O: Operations>(
    shared: &Arc<Shared<O>>,
    index: usize,
    ended: Sender<ReaderEnd>,
) -> io::Result<JoinHandle<()>> {
    let shared = Arc::clone(shared);
    thread::Builder::new()
        .name(format!("fuse-reader-{index}"))
        .spawn(move || {
            let end = catch(|| {
                let lender = Lender::new(Arc::clone(&shared));
                receive_all(&Hold::of_reader(&lender), index)
            });
            end_session(&shared);
            drop(shared);
            let end = match end {
                Ok(result) => result.map_err(Error::Receive),
                Err(Panicked(message)) => Err(Error::ReaderPanicked(message)),
            };
            // Sending fails only after the session has been dropped. Both calls may wake the program's executor.
            let tell = || {
                drop(ended.try_send(end));
                drop(ended);
            };
            drop(catch(|| wake_after(tell)));
        })
}

/// Ends the session because a reader has ended, for whatever reason. The other readers end, too.
///
/// This calls wakers of the program, which may panic. Then the session may not have been told, and the
/// connection is aborted: no caller waits for a reader that is gone.
fn end_session<O: Operations>(shared: &Shared<O>) {
    let told = catch(|| shared.stop.request(Cause::ReaderEnded));
    drop(catch(|| shared.raw.retrievals.end()));
    shared.mountpoint.look(&shared.raw);
    if told.is_err() {
        shared.mountpoint.abort(&shared.raw, Unmount::Yes);
    }
}

fn receive_all<O: Operations>(shared: &Hold<O>, index: usize) -> Result<()> {
    if index > 0 && shared.raw.has_clones() {
        // The first reader has INIT worked on, and the others' libfuse sessions are told of it then.
        let (initialized, stopped) = (
            pin!(shared.raw.initialized()),
            pin!(shared.stop.requested()),
        );
        smol::future::block_on(select(initialized, stopped));
        if shared.stop.is_requested() {
            return Ok(());
        }
    }
    let reader = shared.stop.readers().enter();
    let inbox = shared.raw.inbox(index);
    let is_stopping = || shared.stop.is_requested();
    let busy_poll = shared.busy_poll.reader(&shared.raw, &inbox);
    // INIT comes first, and whatever goes wrong with it is known when it has been worked on.
    let mut is_agreed = shared.raw.init_result() == Some(Ok(()));
    loop {
        match reader.receive(is_stopping, || shared.raw.receive(&inbox)) {
            Some(Ok(true)) => (),
            None | Some(Ok(false)) => return Ok(()),
            // The connection has ended; the last one if that was while it was read from.
            Some(Err(Errno::ENODEV | Errno::EBADF | Errno::ECONNABORTED)) => return Ok(()),
            Some(Err(errno)) => return Err(errno),
        }
        let mut is_request = false;
        if let Some(message) = inbox.take() {
            is_request = true;
            dispatch(shared, message);
        }
        shared.in_flight.answer_interrupted();
        if !is_agreed {
            match shared.raw.init_result() {
                Some(Ok(())) => is_agreed = true,
                Some(Err(_)) => return Ok(()), // `run` reports it.
                // libfuse and the kernel could not agree.
                None if shared.raw.has_exited() && !shared.stop.is_requested() => {
                    return Err(Errno::EPROTO);
                }
                None => (),
            }
        }
        if let Some(busy_poll) = &busy_poll {
            busy_poll.after_receiving(is_request, is_stopping);
        }
    }
}
