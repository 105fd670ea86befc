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

/// From the release of the threads to the end of the last read.
pub fn measure(root: &OwnedFd, threads: usize) -> io::Result<(u64, Duration)> {
    let slow = open_at(root.as_fd(), c"slow", libc::O_RDONLY)?;
    let gate = Gate::default();
    let failed = AtomicU64::new(0);
    let time = thread::scope(|scope| {
        for _ in 0..threads {
            let builder = thread::Builder::new().stack_size(STACK);
            let spawned = builder.spawn_scoped(scope, || {
                gate.wait();
                let mut buffer = [0_u8; SIZE];
                // SAFETY: the buffer has room for so many bytes.
                let done =
                    unsafe { libc::pread(slow.as_raw_fd(), buffer.as_mut_ptr().cast(), SIZE, 0) };
                if done != SIZE.cast_signed() {
                    failed.fetch_add(1, Ordering::Relaxed);
                }
                gate.leave();
            });
            if let Err(error) = spawned {
                gate.open();
                let message = format!("cannot start {threads} threads: {error}");
                return Err(io::Error::new(error.kind(), message));
            }
        }
        while gate.waiting.load(Ordering::Acquire) < threads as u64 {
            thread::sleep(Duration::from_millis(1));
        }
        // The last ones to come are asleep by then.
        thread::sleep(Duration::from_millis(20));
        let begin = Instant::now();
        gate.open();
        gate.until_left(threads as u64);
        Ok(begin.elapsed())
    })?;
    match failed.into_inner() {
        0 => Ok((threads as u64, time)),
        failed => Err(io::Error::other(format!(
            "{failed} of {threads} reads failed"
        ))),
    }
}

/// Where threads wait for their common start, and are counted as they leave.
#[derive(Default)]
struct Gate {
    open: AtomicU32,
    waiting: AtomicU64,
    left: AtomicU64,
    /// Changes when all have left.
    end: AtomicU32,
    expected: AtomicU64,
}

impl Gate {
    fn wait(&self) {
        self.waiting.fetch_add(1, Ordering::Release);
        while self.open.load(Ordering::Acquire) == 0 {
            futex_wait(&self.open, 0);
        }
    }

    fn open(&self) {
        self.open.store(1, Ordering::Release);
        futex_wake_all(&self.open);
    }

    fn leave(&self) {
        let left = self.left.fetch_add(1, Ordering::SeqCst) + 1;
        if left == self.expected.load(Ordering::SeqCst) {
            self.end.store(1, Ordering::Release);
            futex_wake_all(&self.end);
        }
    }

    fn until_left(&self, threads: u64) {
        self.expected.store(threads, Ordering::SeqCst);
        while self.left.load(Ordering::SeqCst) < threads && self.end.load(Ordering::Acquire) == 0 {
            futex_wait(&self.end, 0);
        }
    }
}

fn futex_wait(value: &AtomicU32, expected: u32) {
    let no_timeout = ptr::null::<libc::timespec>();
    // SAFETY: the address is that of an aligned u32.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            value.as_ptr(),
            libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
            expected,
            no_timeout,
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
