//! Looking for the next request for a while before sleeping: the rules.
//!
//! The descriptor stays as it is. `O_NONBLOCK` belongs to the open file, which libfuse and C code share
//! with us, and the device has no way to say it for one read (`RWF_NOWAIT`). So a reader asks poll(2)
//! with no time to wait, which puts it into no queue of the kernel's: whoever makes a request finds
//! nobody to wake.

use std::os::fd::RawFd;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use super::super::inbox::Inbox;
use super::super::session::RawSession;
use crate::logging;

const TARGET: &str = "libfuse3::busy_poll";

/// What the readers of one session have in common.
#[derive(Debug, Default)]
pub(crate) struct BusyPoll {
    limit: Duration,
    /// One of them is looking: a second one would find nothing sooner, and use up a processor more.
    is_looking: AtomicBool,
}

/// How a look ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// read(2) will not sleep: there is a request, or the connection has ended.
    Found,
    InVain,
    /// The session shall end.
    Stopped,
    /// Another reader is looking.
    Taken,
}

impl BusyPoll {
    /// Nothing is worth a longer look: to sleep and to be woken takes some 10 µs.
    const LONGEST: Duration = Duration::from_millis(1);

    /// Off if `limit` is zero.
    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            limit: limit.min(Self::LONGEST),
            is_looking: AtomicBool::new(false),
        }
    }

    /// What the thread with this inbox looks with. `None` if it is off: so it is where requests do not
    /// come from the device, where C may have given libfuse functions of its own to receive with, and
    /// where there is one processor, whose time the callers need to make requests.
    pub(crate) fn reader(&self, session: &RawSession, inbox: &Inbox) -> Option<BusyReader<'_>> {
        let place = inbox.place().filter(|_| !session.is_custom_io())?;
        if self.limit.is_zero() {
            return None;
        }
        let processors = thread::available_parallelism().map_or(1, usize::from);
        self.reader_of(place.fd, processors)
    }

    fn reader_of(&self, device: RawFd, processors: usize) -> Option<BusyReader<'_>> {
        let is_on = !self.limit.is_zero() && processors > 1;
        is_on.then_some(BusyReader {
            common: self,
            device,
        })
    }

    /// Looks, by `is_there`, until that, `is_stopping` or the `elapsed` time ends it.
    fn look(
        &self,
        mut is_there: impl FnMut() -> bool,
        mut is_stopping: impl FnMut() -> bool,
        mut elapsed: impl FnMut() -> Duration,
    ) -> End {
        if self.is_looking.swap(true, Ordering::Acquire) {
            return End::Taken;
        }
        let end = loop {
            if is_stopping() {
                break End::Stopped;
            }
            if is_there() {
                break End::Found;
            }
            if elapsed() >= self.limit {
                break End::InVain;
            }
            // To a caller, for one, whom the answer has just woken on this processor.
            thread::yield_now();
        };
        self.is_looking.store(false, Ordering::Release);
        end
    }
}

/// One reader's part.
pub(crate) struct BusyReader<'a> {
    common: &'a BusyPoll,
    device: RawFd,
}

impl BusyReader<'_> {
    /// Called once after each time that the reader has received, before it does so again. Unless that
    /// has `brought` a request, there is no reason to expect the next one soon.
    pub(crate) fn after_receiving(&self, brought: bool, is_stopping: impl Fn() -> bool) {
        if !brought {
            return;
        }
        let begin = Instant::now();
        let end = self
            .common
            .look(|| is_ready(self.device), is_stopping, || begin.elapsed());
        logging::trace!(target: TARGET, "{end:?} after {:?}", begin.elapsed());
    }
}

/// Whether read(2) would return at once, or a signal has come for this thread.
fn is_ready(device: RawFd) -> bool {
    let mut poll = libc::pollfd {
        fd: device,
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: `poll` is one valid element.
    unsafe { libc::poll(&mut poll, 1, 0) != 0 }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io::Write;
    use std::io::pipe;
    use std::os::fd::AsRawFd;

    use super::*;

    const LIMIT: Duration = Duration::from_micros(50);
    const STEP: Duration = Duration::from_micros(10);

    /// How often something was called.
    #[derive(Default)]
    struct Count(Cell<u32>);

    impl Count {
        fn up(&self) -> u32 {
            self.0.set(self.0.get() + 1);
            self.0.get()
        }
    }

    /// A clock on which each look takes a step.
    fn clock() -> impl FnMut() -> Duration {
        let mut elapsed = Duration::ZERO;
        move || {
            elapsed += STEP;
            elapsed
        }
    }

    #[test]
    fn ends_with_what_it_looks_for() {
        let (busy, looks) = (BusyPoll::new(LIMIT), Count::default());
        let end = busy.look(|| looks.up() == 3, || false, clock());
        assert_eq!((end, looks.0.get()), (End::Found, 3));
    }

    #[test]
    fn ends_when_the_time_is_over() {
        let (busy, looks) = (BusyPoll::new(LIMIT), Count::default());
        let there = || looks.up() == 0;
        assert_eq!(busy.look(there, || false, clock()), End::InVain);
        assert_eq!(looks.0.get(), 5);
    }

    #[test]
    fn looks_for_a_millisecond_at_most() {
        assert_eq!(BusyPoll::new(LIMIT).limit, LIMIT);
        let (busy, looks) = (BusyPoll::new(Duration::MAX), Count::default());
        let there = || looks.up() == 0;
        assert_eq!(busy.look(there, || false, clock()), End::InVain);
        assert_eq!(STEP * looks.0.get(), Duration::from_millis(1));
    }

    #[test]
    fn ends_when_the_session_does() {
        let (busy, looks) = (BusyPoll::new(LIMIT), Count::default());
        let there = || looks.up() == 0;
        let end = busy.look(there, || looks.0.get() == 2, clock());
        assert_eq!((end, looks.0.get()), (End::Stopped, 2));
    }

    #[test]
    fn one_reader_looks_at_a_time() {
        let busy = BusyPoll::new(LIMIT);
        let never = || -> bool { panic!("looks, too") };
        let mut inner = None;
        let there = || {
            inner = Some(busy.look(never, never, clock()));
            true
        };
        assert_eq!(busy.look(there, || false, clock()), End::Found);
        assert_eq!(inner, Some(End::Taken));
        // The next one may, however the last look ended.
        assert_eq!(busy.look(|| false, || false, clock()), End::InVain);
        assert_eq!(busy.look(|| false, || true, clock()), End::Stopped);
        assert_eq!(busy.look(|| true, || false, clock()), End::Found);
    }

    #[test]
    fn looks_after_a_request_only() {
        let (reader, mut writer) = pipe().expect("a pipe");
        writer.write_all(b"request").expect("written");
        let busy = BusyPoll::new(LIMIT);
        let busy = busy.reader_of(reader.as_raw_fd(), 2).expect("on");
        let looks = Count::default();
        let is_stopping = || {
            looks.up();
            false
        };
        busy.after_receiving(false, is_stopping);
        assert_eq!(looks.0.get(), 0);
        busy.after_receiving(true, is_stopping);
        assert_eq!(looks.0.get(), 1);
    }

    #[test]
    fn what_read_would_return_for_is_seen() {
        let (reader, mut writer) = pipe().expect("a pipe");
        assert!(!is_ready(reader.as_raw_fd()));
        writer.write_all(b"request").expect("written");
        assert!(is_ready(reader.as_raw_fd()));
        let (reader, writer) = pipe().expect("a pipe");
        drop(writer);
        assert!(is_ready(reader.as_raw_fd()));
    }

    #[test]
    fn off_unless_asked_for_and_with_one_processor() {
        let is_on = |limit, processors| BusyPoll::new(limit).reader_of(0, processors).is_some();
        assert!(is_on(LIMIT, 2));
        assert!(!is_on(LIMIT, 1));
        assert!(!is_on(Duration::ZERO, 2));
    }
}
