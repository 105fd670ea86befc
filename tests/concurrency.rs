//! Many requests in flight at once.

mod common;

use std::ffi::OsStr;
use std::fs;
use std::fs::File;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Lines;
use std::os::unix::fs::FileExt;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::process::Child;
use std::process::ChildStdout;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use common::Gate;
use common::Mounted;
use common::TimeLimit;
use libfuse3::Data;
use libfuse3::EntryAttributes;
use libfuse3::Errno;
use libfuse3::FileHandle;
use libfuse3::FileInfo;
use libfuse3::FileRef;
use libfuse3::Inode;
use libfuse3::OpenFlags;
use libfuse3::Operations;
use libfuse3::ROOT_INODE;
use libfuse3::RequestContext;
use libfuse3::Result;
use smol::Timer;

/// How many reads wait for each other.
const READS: usize = 4000;
/// More threads than the process has by itself: how many of those have started yet is open.
const FEW_THREADS: usize = 16;
/// How much a read returns: its offset.
const SIZE: usize = size_of::<u64>();

/// Each test takes all that the machine has: one after the other.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has any number of files, none of which is cached. Reading from the offset 0 panics.
#[derive(Default)]
struct Slow {
    delay: Duration,
    /// Open when all `READS` have come to it.
    gate: Option<Arc<Gate>>,
    in_flight: AtomicUsize,
    most_in_flight: AtomicUsize,
    /// Threads of the process when that was reached.
    threads_then: AtomicUsize,
}

impl Slow {
    fn attributes(ino: Inode) -> EntryAttributes {
        let mode = match ino {
            ROOT_INODE => libc::S_IFDIR | 0o755,
            _ => libc::S_IFREG | 0o444,
        };
        EntryAttributes {
            size: 1 << 40,
            ..common::attributes(ino, mode)
        }
    }
}

impl Operations for Slow {
    async fn lookup(&self, _: Inode, _: &OsStr, _: &RequestContext) -> Result<EntryAttributes> {
        Ok(Self::attributes(Inode(2)))
    }

    async fn getattr(
        &self,
        inode: Inode,
        _: Option<FileRef>,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        Ok(Self::attributes(inode))
    }

    async fn open(&self, _: Inode, _: OpenFlags, _: &RequestContext) -> Result<FileInfo> {
        // Each read is a request.
        Ok(FileInfo {
            direct_io: true,
            ..FileInfo::new(FileHandle(1))
        })
    }

    async fn read(&self, _: FileRef, offset: u64, size: usize, _: &RequestContext) -> Result<Data> {
        if offset == 0 {
            // As `panic!`, without a line on the terminal.
            resume_unwind(Box::new("as the test has asked for"));
        }
        let in_flight = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        if self.most_in_flight.fetch_max(in_flight, Ordering::SeqCst) < in_flight
            && in_flight == READS
        {
            let threads = threads(std::process::id());
            self.threads_then.store(threads, Ordering::SeqCst);
        }
        if let Some(gate) = &self.gate {
            if in_flight == READS {
                gate.open();
            }
            gate.pass().await;
        }
        Timer::after(self.delay).await;
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
        assert_eq!(size, SIZE);
        Ok(offset.to_ne_bytes().to_vec().into())
    }

    async fn getxattr(&self, _: Inode, name: &OsStr, _: &RequestContext) -> Result<Vec<u8>> {
        if name != "user.report" {
            return Err(Errno::ENOATTR);
        }
        let [most, threads] = [&self.most_in_flight, &self.threads_then];
        let [most, threads] = [most, threads].map(|number| number.load(Ordering::SeqCst));
        Ok(format!("{most} {threads}").into_bytes())
    }
}

/// How many threads a process has.
fn threads(process: u32) -> usize {
    fs::read_dir(format!("/proc/{process}/task"))
        .unwrap()
        .count()
}

fn read_at(file: &File, offset: u64) -> std::io::Result<()> {
    let mut answer = [0; SIZE];
    file.read_exact_at(&mut answer, offset)?;
    assert_eq!(u64::from_ne_bytes(answer), offset);
    Ok(())
}

/// A process of its own that serves the file system, so that its threads can be counted.
struct Server {
    process: Child,
    /// What the process says, which must be able to say it until its end.
    lines: Lines<BufReader<ChildStdout>>,
    mountpoint: PathBuf,
}

/// Tells the process what it is.
const ROLE: &str = "LIBFUSE3_TEST_SERVES";

impl Server {
    /// Starts this test binary once more, for the one test that is none.
    fn start() -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "serves_in_a_process_of_its_own", "--ignored"])
            .args(["--nocapture", "--test-threads=1"])
            .env(ROLE, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mountpoint = lines.find_map(|line| {
            let line = line.unwrap();
            Some(line.split_once("mounted on ")?.1.into())
        });
        let mountpoint: PathBuf = mountpoint.expect("the process says where");
        common::register_mount(mountpoint.clone());
        Self {
            process,
            mountpoint,
            lines,
        }
    }

    /// The most requests that were in flight at once, and the threads that the process had then.
    fn report(&self) -> (usize, usize) {
        let report = libfuse3::getxattr(&self.mountpoint, "user.report").unwrap();
        let report = String::from_utf8(report).unwrap();
        let (most, threads) = report.split_once(' ').unwrap();
        (most.parse().unwrap(), threads.parse().unwrap())
    }
}

impl Drop for Server {
    /// The process ends with its input, unless something is very wrong.
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let mut status = None;
        common::wait_until(common::PATIENCE, || {
            status = self.process.try_wait().unwrap();
            status.is_some()
        });
        if status.is_none() {
            drop(self.process.kill());
            drop(self.process.wait());
        }
        if !thread::panicking() {
            let said: Vec<_> = self.lines.by_ref().collect();
            assert!(status.is_some_and(|status| status.success()), "{said:#?}");
            assert!(!common::is_mounted(&self.mountpoint));
        }
    }
}

#[test]
#[ignore = "is run by another test, in a process of its own"]
fn serves_in_a_process_of_its_own() {
    if std::env::var_os(ROLE).is_none() {
        return;
    }
    let mounted = common::mount(Slow {
        gate: Some(Gate::new()),
        ..Slow::default()
    });
    println!("\nmounted on {}", mounted.path().display());
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).unwrap();
    common::assert_quiet();
}

#[test]
fn four_thousand_reads_wait_at_once_and_take_few_threads() {
    common::require_fuse!();
    let _alone = alone();
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    let server = Server::start();
    let file = File::open(server.mountpoint.join("file")).unwrap();
    thread::scope(|scope| {
        for offset in 1..=READS as u64 {
            let file = &file;
            thread::Builder::new()
                .stack_size(64 * 1024)
                .spawn_scoped(scope, move || read_at(file, offset).unwrap())
                .expect("a thread for each read");
        }
    });
    let (most, threads_then) = server.report();
    common::say(format_args!(
        "{most} reads at once, with {threads_then} threads"
    ));
    assert_eq!(most, READS, "all of them were in flight at once");
    assert!(threads_then <= FEW_THREADS, "{threads_then} threads");
}

/// Reads so often, on several threads, each from another offset.
fn read_often(mounted: &Mounted<Slow>, reads: u64) {
    const CLIENTS: u64 = 8;
    let file = File::open(mounted.join("file")).unwrap();
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let file = &file;
            scope.spawn(move || {
                for number in 0..reads / CLIENTS {
                    read_at(file, 1 + client + number * CLIENTS).unwrap();
                }
            });
        }
    });
}

#[test]
fn a_panic_under_load_fails_its_own_call_and_ten_thousand_succeed() {
    common::require_fuse!();
    let _alone = alone();
    let mounted = common::mount(Slow::default());
    let file = File::open(mounted.join("file")).unwrap();
    assert_eq!(common::errno(read_at(&file, 0)), libc::EIO);
    thread::scope(|scope| {
        scope.spawn(|| read_often(&mounted, 10_000));
        for _ in 0..100 {
            assert_eq!(common::errno(read_at(&file, 0)), libc::EIO);
        }
    });
    let panics = common::log_lines();
    let panics = panics.iter().filter(|line| line.text.contains("panicked"));
    assert_eq!(panics.count(), 101);
}

#[test]
fn two_sessions_at_once_answer_all_that_they_are_asked() {
    common::require_fuse!();
    let _alone = alone();
    let one_reader = common::mount(Slow::default());
    let four_readers = common::mount_with(
        Slow {
            delay: Duration::from_micros(100),
            ..Slow::default()
        },
        |builder| builder.reader_threads(4),
    );
    thread::scope(|scope| {
        scope.spawn(|| read_often(&one_reader, 10_000));
        scope.spawn(|| read_often(&four_readers, 10_000));
    });
    for mounted in [&one_reader, &four_readers] {
        assert_eq!(mounted.ops.in_flight.load(Ordering::SeqCst), 0);
    }
    common::assert_quiet();
}
