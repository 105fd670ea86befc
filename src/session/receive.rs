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
use super::dispatch::dispatch;
use super::handle::Cause;
use crate::Errno;
use crate::Operations;
use crate::Result;
use crate::raw::Lender;

/// How a reader came to its end.
pub(super) type ReaderEnd = Result<()>;

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
            let lender = Lender::new(shared);
            let shared = Hold::of_reader(&lender);
            let result = receive_all(&shared, index);
            // Whatever has ended this reader ends the session; the other readers leave, too.
            shared.stop.request(Cause::ReaderEnded);
            shared.raw.retrievals.end();
            shared.mountpoint.look(&shared.raw);
            drop(shared);
            drop(lender);
            // The other side goes away only when nobody wants to know.
            let _ = ended.try_send(result);
        })
}

fn receive_all<O: Operations>(shared: &Hold<O>, index: usize) -> ReaderEnd {
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
