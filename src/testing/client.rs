//! The kernel's side of the connection: requests go out, answers come in.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::pin::Pin;
use std::pin::pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use async_channel::Receiver;
use async_channel::Sender;
use futures::channel::oneshot;
use futures::future::Either;
use futures::future::select;
use smol::Timer;

use super::counts::Counts;
use super::decode::Body;
use super::notification::Notification;
use super::request::Decode;
use super::request::Request;
use super::types::Caller;
use crate::Errno;
use crate::Inode;
use crate::Result;
use crate::logging;
use crate::wire;
use crate::wire::IN_HEADER;
use crate::wire::OUT_HEADER;
use crate::wire::Opcode;

/// `FUSE_INT_REQ_BIT`: what the number of an interruption has, and that of its request has not.
const INTERRUPTION: u64 = 1;
/// Longest message, in either direction.
pub(super) const MAX_MESSAGE: usize = 256 * 1024;

/// What becomes of an answer.
type Complete = Box<dyn FnOnce(Result<&[u8]>, &Counts) + Send>;

pub(super) struct Client {
    /// One message is one packet.
    socket: UnixDatagram,
    state: Mutex<State>,
    pub(super) counts: Counts,
    caller: Caller,
    pub(super) timeout: Duration,
    notify: Sender<Notification>,
    pub(super) notifications: Receiver<Notification>,
}

#[derive(Default)]
struct State {
    last_unique: u64,
    calls: HashMap<u64, Call>,
    /// No answers will come any more.
    ended: bool,
}

struct Call {
    complete: Complete,
    interrupted: bool,
}

impl Client {
    pub(super) fn new(socket: OwnedFd, caller: Caller, timeout: Duration) -> io::Result<Self> {
        // What is said of the type is not checked, and calls for sending and receiving are the same.
        let socket = UnixDatagram::from(socket);
        socket.set_write_timeout(Some(timeout))?;
        let (notify, notifications) = async_channel::unbounded();
        Ok(Self {
            socket,
            state: Mutex::default(),
            counts: Counts::default(),
            caller,
            timeout,
            notify,
            notifications,
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a request.
    pub(super) fn start<T: Send + 'static>(self: &Arc<Self>, request: Request<T>) -> Pending<T> {
        let (sender, answer) = oneshot::channel();
        let (message, decode) = self.encode(request);
        let complete: Complete = Box::new(move |answer, counts| {
            // An answer that nobody waits for any more counts all the same.
            drop(sender.send(answer.and_then(|body| decode(&mut Body(body), counts))));
        });
        let unique = self.send_request(message, complete);
        Pending {
            unique,
            answer,
            client: Arc::clone(self),
        }
    }

    /// The whole message, with its number yet to be set.
    fn encode<T>(&self, request: Request<T>) -> (Vec<u8>, Decode<T>) {
        let caller = request.caller.unwrap_or(self.caller);
        let mut message = message(request.opcode, request.node, caller, &request.body);
        if let Some(offset) = request.umask_at {
            let place = IN_HEADER + offset;
            message[place..place + 4].copy_from_slice(&caller.umask.to_ne_bytes());
        }
        (message, request.decode)
    }

    /// Sends a message, and has its answer given to `complete`; the number of the request.
    fn send_request(&self, mut message: Vec<u8>, complete: Complete) -> u64 {
        let unique = {
            let mut state = self.lock();
            // The kernel's are even, too.
            state.last_unique += 2;
            let unique = state.last_unique;
            if state.ended {
                drop(state);
                complete(Err(Errno::ENOTCONN), &self.counts);
                return unique;
            }
            let interrupted = false;
            state.calls.insert(
                unique,
                Call {
                    complete,
                    interrupted,
                },
            );
            unique
        };
        message[8..16].copy_from_slice(&unique.to_ne_bytes());
        if let Err(errno) = self.send(&message) {
            self.complete(unique, Err(errno));
        }
        unique
    }

    /// Sends something that is not answered.
    pub(super) fn tell(&self, opcode: Opcode, node: Inode, body: &[u8]) -> Result<()> {
        self.send(&message(opcode as u32, node, self.caller, body))
    }

    /// Sends the answer to a notification.
    pub(super) fn answer_retrieve(&self, unique: u64, node: Inode, body: &[u8]) -> Result<()> {
        let mut message = message(Opcode::NotifyReply as u32, node, self.caller, body);
        message[8..16].copy_from_slice(&unique.to_ne_bytes());
        self.send(&message)
    }

    fn send(&self, message: &[u8]) -> Result<()> {
        if message.len() > MAX_MESSAGE {
            return Err(Errno::EINVAL);
        }
        match self.socket.send(message) {
            Ok(_) => Ok(()),
            Err(error) => Err(match Errno::from(error) {
                Errno::EAGAIN => Errno::ETIMEDOUT,
                Errno::EPIPE | Errno::ECONNRESET => Errno::ENOTCONN,
                errno => errno,
            }),
        }
    }

    fn complete(&self, unique: u64, answer: Result<&[u8]>) {
        let call = self.lock().calls.remove(&unique);
        match call {
            Some(call) => (call.complete)(answer, &self.counts),
            None => {
                logging::warn!("a reply to request {unique}, which was not sent: {answer:?}")
            }
        }
    }

    fn interrupt(&self, unique: u64) {
        match self.lock().calls.get_mut(&unique) {
            Some(call) => call.interrupted = true,
            None => return,
        }
        self.send_interrupt(unique);
    }

    fn send_interrupt(&self, unique: u64) {
        let body = unique.to_ne_bytes();
        let mut message = message(Opcode::Interrupt as u32, Inode(0), self.caller, &body);
        message[8..16].copy_from_slice(&(unique | INTERRUPTION).to_ne_bytes());
        if let Err(errno) = self.send(&message) {
            logging::debug!("request {unique} is not interrupted: {errno}");
        }
    }

    /// Receives answers until the other side is gone.
    pub(super) fn receive_all(&self) {
        let mut buffer = vec![0; MAX_MESSAGE];
        loop {
            match self.socket.recv(&mut buffer) {
                Ok(0) => break,
                Ok(len) => self.received(&buffer[..len]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) => {
                    if Errno::from(error) != Errno::ECONNRESET {
                        logging::warn!("the mock kernel receives no more answers");
                    }
                    break;
                }
            }
        }
        let calls = {
            let mut state = self.lock();
            state.ended = true;
            std::mem::take(&mut state.calls)
        };
        for call in calls.into_values() {
            (call.complete)(Err(Errno::ENOTCONN), &self.counts);
        }
        self.notify.close();
    }

    fn received(&self, message: &[u8]) {
        let (Some(len), Some(error), Some(unique)) = (
            wire::u32_at(message, 0),
            wire::u32_at(message, 4),
            wire::u64_at(message, 8),
        ) else {
            return logging::error!("an answer of {} bytes", message.len());
        };
        let body = &message[OUT_HEADER..];
        if len as usize != message.len() {
            logging::error!(
                "an answer of {} bytes that says it had {len}",
                message.len()
            );
            return self.complete(unique, Err(Errno::EIO));
        }
        if unique == 0 {
            match Notification::read(error, body) {
                // Kept until somebody looks.
                Ok(notification) => drop(self.notify.try_send(notification)),
                Err(_) => logging::error!("notification {error} makes no sense"),
            }
        } else if unique & INTERRUPTION != 0 {
            self.not_interrupted(unique & !INTERRUPTION, error.cast_signed());
        } else {
            let answer = match error {
                0 => Ok(body),
                _ => Err(Errno::from_negative(error.cast_signed())),
            };
            self.complete(unique, answer);
        }
    }

    /// An interruption was answered: its request was not there yet, or there are no interruptions.
    fn not_interrupted(&self, unique: u64, error: i32) {
        let calls = &self.lock().calls;
        if error == -libc::EAGAIN && calls.get(&unique).is_some_and(|call| call.interrupted) {
            self.send_interrupt(unique);
        }
    }

    /// Sends nothing more, so that the file system comes to its end.
    pub(super) fn hang_up(&self) {
        // It may be closed already.
        drop(self.socket.shutdown(Shutdown::Write));
    }

    /// Receives nothing more either.
    pub(super) fn shut_down(&self) {
        drop(self.socket.shutdown(Shutdown::Both));
    }
}

/// A header, with its number yet to be set, and a body.
fn message(opcode: u32, node: Inode, caller: Caller, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(IN_HEADER + body.len()).unwrap_or(u32::MAX);
    let mut message = Vec::with_capacity(IN_HEADER + body.len());
    message.extend([len, opcode].map(u32::to_ne_bytes).concat());
    message.extend([0, node.raw()].map(u64::to_ne_bytes).concat());
    let numbers = [caller.uid, caller.gid, caller.pid, 0];
    message.extend(numbers.map(u32::to_ne_bytes).concat());
    message.extend(body);
    message
}

/// A request that has been sent: from [`MockKernel::start`](super::MockKernel::start).
///
/// As a future it is ready when the answer is there. Dropped, it leaves the request alone: the answer
/// comes all the same, and what it gives to the kernel is counted.
#[must_use = "`wait` or `.await` returns the answer"]
pub struct Pending<T> {
    unique: u64,
    answer: oneshot::Receiver<Result<T>>,
    client: Arc<Client>,
}

impl<T> Pending<T> {
    /// Interrupts the request, as a signal to the caller does. The answer comes all the same.
    #[doc(alias = "FUSE_INTERRUPT")]
    pub fn interrupt(&self) {
        self.client.interrupt(self.unique);
    }

    /// Whether the answer is there.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        !self.client.lock().calls.contains_key(&self.unique)
    }

    /// Waits for the answer.
    ///
    /// # Errors
    ///
    /// What the file system has answered; `EIO` for an answer that makes no sense; `ETIMEDOUT` if there
    /// is none within the time of [`MockKernelBuilder::timeout`](super::MockKernelBuilder::timeout);
    /// `ENOTCONN` if the session has ended.
    pub fn wait(self) -> Result<T> {
        let timeout = self.client.timeout;
        smol::block_on(async {
            match select(pin!(self), Timer::after(timeout)).await {
                Either::Left((answer, _)) => answer,
                Either::Right(_) => Err(Errno::ETIMEDOUT),
            }
        })
    }
}

impl<T> Future for Pending<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        let answer = Pin::new(&mut self.answer).poll(cx);
        answer.map(|answer| answer.unwrap_or(Err(Errno::ENOTCONN)))
    }
}

impl<T> fmt::Debug for Pending<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending")
            .field("unique", &self.unique)
            .field("is_answered", &self.is_answered())
            .finish_non_exhaustive()
    }
}
