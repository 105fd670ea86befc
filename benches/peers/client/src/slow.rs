//! Many reads of `slow` at once, each by a thread of its own: asynchronous I/O will not do, since the
//! kernel lets only `max_background` of such requests through at a time.

use std::io;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;
use std::ptr;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use crate::operation::open_at;

const STACK: usize = 32 << 10;
const SIZE: usize = 4096;

/// How many reads ended within the limit, and when the last of them did after the release of the
/// threads.
///
/// The threads whose reads have not ended stay: they end with the process, which takes back what the
/// server has not seen yet.
pub fn measure(root: &OwnedFd, threads: usize, limit: Duration) -> io::Result<(u64, Duration)> {
    let slow = open_at(root.as_fd(), c"slow", libc::O_RDONLY)?;
    // For the threads that stay.
    let slow: &'static OwnedFd = Box::leak(Box::new(slow));
    let gate: &'static Gate = Box::leak(Box::new(Gate::new(threads as u64)));
    for _ in 0..threads {
        let builder = thread::Builder::new().stack_size(STACK);
        let spawned = builder.spawn(|| {
            gate.wait();
            let mut buffer = [0_u8; SIZE];
            // SAFETY: the buffer has room for so many bytes.
            let done =
                unsafe { libc::pread(slow.as_raw_fd(), buffer.as_mut_ptr().cast(), SIZE, 0) };
            gate.leave(done == SIZE.cast_signed());
        });
        spawned.map_err(|error| {
            let message = format!("cannot start {threads} threads: {error}");
            io::Error::new(error.kind(), message)
        })?;
    }
    while gate.waiting.load(Ordering::Acquire) < threads as u64 {
        thread::sleep(Duration::from_millis(1));
    }
    // The last ones to come are asleep by then.
    thread::sleep(Duration::from_millis(20));
    let begin = gate.start.elapsed();
    gate.open();
    gate.until_all_left(limit);
    let failed = gate.failed.load(Ordering::SeqCst);
    if failed > 0 {
        let message = format!("{failed} of {threads} reads failed");
        return Err(io::Error::other(message));
    }
    let left = gate.left.load(Ordering::SeqCst);
    let last = Duration::from_nanos(gate.last.load(Ordering::SeqCst));
    Ok((left, last.saturating_sub(begin)))
}

/// Where threads wait for their common start, and are counted as they leave.
struct Gate {
    threads: u64,
    start: Instant,
    open: AtomicU32,
    waiting: AtomicU64,
    left: AtomicU64,
    failed: AtomicU64,
    /// When the last one left, in nanoseconds since `start`.
    last: AtomicU64,
    /// 1 when all have left.
    end: AtomicU32,
}

impl Gate {
    fn new(threads: u64) -> Self {
        Self {
            threads,
            start: Instant::now(),
            open: AtomicU32::new(0),
            waiting: AtomicU64::new(0),
            left: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            last: AtomicU64::new(0),
            end: AtomicU32::new(0),
        }
    }

    fn wait(&self) {
        self.waiting.fetch_add(1, Ordering::Release);
        while self.open.load(Ordering::Acquire) == 0 {
            futex_wait(&self.open, 0, None);
        }
    }

    fn open(&self) {
        self.open.store(1, Ordering::Release);
        futex_wake_all(&self.open);
    }

    fn leave(&self, succeeded: bool) {
        let now = self.start.elapsed().as_nanos() as u64;
        self.last.fetch_max(now, Ordering::SeqCst);
        self.failed.fetch_add((!succeeded).into(), Ordering::SeqCst);
        if self.left.fetch_add(1, Ordering::SeqCst) + 1 == self.threads {
            self.end.store(1, Ordering::Release);
            futex_wake_all(&self.end);
        }
    }

    fn until_all_left(&self, limit: Duration) {
        let end = Instant::now() + limit;
        while self.end.load(Ordering::Acquire) == 0 {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            futex_wait(&self.end, 0, Some(left));
        }
    }
}

fn futex_wait(value: &AtomicU32, expected: u32, limit: Option<Duration>) {
    let limit = limit.map(|limit| libc::timespec {
        tv_sec: limit.as_secs() as libc::time_t,
        tv_nsec: limit.subsec_nanos().into(),
    });
    let limit = limit.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: the address is that of an aligned u32, and `limit` null or a timespec that lives.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            value.as_ptr(),
            libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
            expected,
            limit,
        )
    };
}

fn futex_wake_all(value: &AtomicU32) {
    // SAFETY: the address is that of an aligned u32.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            value.as_ptr(),
            libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
            i32::MAX,
        )
    };
}
