//! What the benchmark does to a mount:
//!
//! ```text
//! bench-client MOUNTPOINT OPERATION THREADS for SECONDS     as often as the time allows
//! bench-client MOUNTPOINT OPERATION THREADS times COUNT     that often in each thread
//! bench-client MOUNTPOINT slow THREADS for SECONDS          one read each, all at once; as many as end in time
//! bench-client MOUNTPOINT messages 1                        what statfs has in f_files
//! ```
//!
//! Prints how many operations were done, and in how many nanoseconds. For `list` these are entries.

mod operation;
mod slow;

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use operation::Operation;
use operation::Worker;

/// How long a measurement takes.
#[derive(Clone, Copy)]
enum Extent {
    Time(Duration),
    Count(u64),
}

/// A measurement by time begins when this part of it has gone by: until then caches fill, and the
/// scheduler finds places for client and server.
const WARM_UP: u32 = 5;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok((operations, time)) => println!("{operations} {}", time.as_nanos()),
        Err(error) => {
            eprintln!("bench-client {}: {error}", arguments.join(" "));
            std::process::exit(1);
        }
    }
}

fn run(arguments: &[&str]) -> io::Result<(u64, Duration)> {
    let usage = || {
        let text = "usage: bench-client MOUNTPOINT OPERATION THREADS [for SECONDS | times COUNT]";
        io::Error::other(text)
    };
    let [mountpoint, operation, threads, extent @ ..] = arguments else {
        return Err(usage());
    };
    let root = operation::open_root(Path::new(mountpoint))?;
    let threads = threads.parse().map_err(|_| usage())?;
    if *operation == "messages" {
        return Ok((operation::statfs_files(&root)?, Duration::ZERO));
    }
    let extent = match extent {
        ["for", seconds] => {
            let seconds = seconds.parse().map_err(|_| usage())?;
            Extent::Time(Duration::try_from_secs_f64(seconds).map_err(|_| usage())?)
        }
        ["times", count] => Extent::Count(count.parse().map_err(|_| usage())?),
        _ => return Err(usage()),
    };
    if let ("slow", Extent::Time(limit)) = (*operation, extent) {
        return slow::measure(&root, threads, limit);
    }
    let operation = Operation::parse(operation).ok_or_else(usage)?;
    measure(&root, operation, threads, extent)
}

/// Has threads do the operation; how many were done, and in which time.
fn measure(
    root: &OwnedFd,
    operation: Operation,
    threads: usize,
    extent: Extent,
) -> io::Result<(u64, Duration)> {
    let mut workers = (0..threads)
        .map(|thread| Worker::new(root, operation, thread))
        .collect::<io::Result<Vec<_>>>()?;
    let barrier = Barrier::new(threads);
    let failed = AtomicBool::new(false);
    let results = thread::scope(|scope| {
        let running: Vec<_> = workers
            .iter_mut()
            .map(|worker| {
                let (barrier, failed) = (&barrier, &failed);
                scope.spawn(move || {
                    barrier.wait();
                    let result = work(worker, extent, failed);
                    failed.fetch_or(result.is_err(), Ordering::Relaxed);
                    result
                })
            })
            .collect();
        let results = running.into_iter().map(|thread| thread.join());
        results
            .map(|result| result.unwrap_or_else(|_| Err(io::Error::other("a thread panicked"))))
            .collect::<io::Result<Vec<_>>>()
    })?;
    let operations = results.iter().map(|(operations, ..)| operations).sum();
    let begin = results.iter().map(|(_, begin, _)| *begin).min();
    let end = results.iter().map(|(_, _, end)| *end).max();
    match (begin, end) {
        (Some(begin), Some(end)) => Ok((operations, end - begin)),
        _ => Err(io::Error::other("no threads")),
    }
}

/// What one thread does: how many operations, from when to when.
fn work(
    worker: &mut Worker<'_>,
    extent: Extent,
    failed: &AtomicBool,
) -> io::Result<(u64, Instant, Instant)> {
    let mut begin = Instant::now();
    let mut operations = 0;
    match extent {
        Extent::Count(count) => {
            for _ in 0..count {
                operations += worker.step()?;
            }
        }
        Extent::Time(time) => {
            let warm = begin + time / WARM_UP;
            while Instant::now() < warm {
                worker.step()?;
            }
            begin = Instant::now();
            let end = begin + time;
            while Instant::now() < end && !failed.load(Ordering::Relaxed) {
                operations += worker.step()?;
            }
        }
    }
    Ok((operations, begin, Instant::now()))
}
