//! The reactor of async-io, which timers and signals need: started with the first session.
//!
//! async-io opens three descriptors and starts a thread when the first timer is polled, and panics if it
//! cannot. That must not happen at the end of a session.

use std::future::Future;
use std::io;
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::sync::Arc;
use std::sync::OnceLock;
use std::task::Context;
use std::task::Poll;
use std::task::Wake;
use std::task::Waker;
use std::thread;
use std::thread::Thread;
use std::time::Duration;
use std::time::Instant;

use smol::Timer;

use crate::panics::catch;

/// Starts the reactor, which the process has once.
pub(super) fn start() -> io::Result<()> {
    static STARTED: OnceLock<()> = OnceLock::new();
    if STARTED.get().is_some() {
        return Ok(());
    }
    can_start()?;
    // It still panics if another thread takes the descriptors meanwhile.
    catch(|| {
        let timer = pin!(Timer::after(Duration::from_secs(60)));
        let _pending = timer.poll(&mut Context::from_waker(Waker::noop()));
    })
    .map_err(|_| io::Error::from(io::ErrorKind::ResourceBusy))?;
    STARTED.get_or_init(|| ());
    Ok(())
}

/// Fails if the reactor's three descriptors and its thread cannot be had.
fn can_start() -> io::Result<()> {
    let (one, other) = UnixStream::pair()?;
    let third = one.try_clone()?;
    let thread = thread::Builder::new().spawn(move || drop((one, other, third)))?;
    // The thread does not panic.
    drop(thread.join());
    Ok(())
}

/// Waits for `future` until `deadline`; `None` if it is not ready by then. Does not need the reactor.
pub(super) fn block_until<T>(deadline: Instant, future: impl Future<Output = T>) -> Option<T> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(value);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        thread::park_timeout(left);
    }
}
