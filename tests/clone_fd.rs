//! Several readers, each with a descriptor of the connection of its own.

mod common;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use common::Client;
use common::TimeLimit;
use common::Watch;
use common::memfs::MemFs;
use libfuse3::Capabilities;
use libfuse3::ConnInfo;
use libfuse3::EntryAttributes;
use libfuse3::Errno;
use libfuse3::Error;
use libfuse3::ExitReason;
use libfuse3::FileInfo;
use libfuse3::FileRef;
use libfuse3::Inode;
use libfuse3::MountOptions;
use libfuse3::OpenFlags;
use libfuse3::Operations;
use libfuse3::ROOT_INODE;
use libfuse3::RequestContext;
use libfuse3::Result;
use libfuse3::Session;
use libfuse3::Unmount;
use libfuse3::WriteBuf;
use rustix::mount::UnmountFlags;

const READERS: usize = 4;
const NOBODY: u32 = 65_534;

/// Descriptors of /dev/fuse, and what the process has allocated, are counted: one test after the other.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many descriptors of /dev/fuse this process has.
fn connections() -> usize {
    let entries = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let targets = entries.filter_map(|entry| fs::read_link(entry.path()).ok());
    targets
        .filter(|target| target == Path::new("/dev/fuse"))
        .count()
}

/// What handlers of [`Together`] have come to.
#[derive(Debug, Default)]
struct Seen {
    together: usize,
    waiting: usize,
    interrupted: usize,
    threads: BTreeSet<String>,
    written: usize,
}

/// Its handlers keep their threads, until as many wait as there are readers; or wait to be interrupted.
#[derive(Default)]
struct Together {
    seen: Watch<Seen>,
    readers: AtomicUsize,
    splice: AtomicBool,
}

impl Operations for Together {
    fn init(&self, conn: &mut ConnInfo) -> Result<()> {
        conn.want_if_capable(Capabilities::PARALLEL_DIROPS);
        if self.splice.load(Ordering::Relaxed) {
            conn.want_if_capable(Capabilities::SPLICE_READ);
        }
        Ok(())
    }

    async fn lookup(
        &self,
        parent: Inode,
        name: &OsStr,
        ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        if parent != ROOT_INODE {
            return Err(Errno::ENOENT);
        }
        match name.to_str() {
            Some(name) if name.starts_with("together") => {
                let thread = thread::current().name().unwrap_or_default().to_owned();
                self.seen.update(|seen| {
                    seen.together += 1;
                    seen.threads.insert(thread);
                });
                let readers = self.readers.load(Ordering::Relaxed);
                let all = |seen: &Seen| seen.together >= readers;
                drop(self.seen.wait_for("all readers", all));
            }
            Some("interrupted") => {
                self.seen.update(|seen| seen.waiting += 1);
                ctx.interrupted().await;
                self.seen.update(|seen| seen.interrupted += 1);
                return Err(Errno::EINTR);
            }
            Some("quick") => return Err(Errno::ENOENT),
            _ => {}
        }
        let mode = libc::S_IFREG | 0o666;
        Ok(common::attributes(Inode(2), mode))
    }

    async fn getattr(
        &self,
        inode: Inode,
        _file: Option<FileRef>,
        _ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        let mode = match inode {
            ROOT_INODE => libc::S_IFDIR | 0o755,
            _ => libc::S_IFREG | 0o666,
        };
        Ok(common::attributes(inode, mode))
    }

    async fn open(
        &self,
        _inode: Inode,
        _flags: OpenFlags,
        _ctx: &RequestContext,
    ) -> Result<FileInfo> {
        Ok(FileInfo {
            direct_io: true,
            ..FileInfo::default()
        })
    }

    async fn write(
        &self,
        _file: FileRef,
        _offset: u64,
        data: WriteBuf,
        _ctx: &RequestContext,
    ) -> Result<usize> {
        self.seen.update(|seen| seen.written += data.len());
        Ok(data.len())
    }
}

/// Has each of so many readers serve a request, all at once.
fn have_all_serve(mounted: &common::Mounted<Together>, readers: usize) {
    mounted.ops.readers.store(readers, Ordering::Relaxed);
    let clients: Vec<_> = (0..readers)
        .map(|number| {
            let path = mounted.join(format!("together-{number}"));
            thread::spawn(move || fs::symlink_metadata(path))
        })
        .collect();
    for client in clients {
        client.join().unwrap().unwrap();
    }
}

/// While INIT is answered, there may be one more descriptor.
fn serve_one<O: Operations>(mounted: &common::Mounted<O>) {
    fs::symlink_metadata(mounted.join("quick")).unwrap_err();
}

#[test]
fn each_reader_has_its_own_and_answers_through_it() {
    common::require_fuse!();
    let _alone = alone();
    let before = connections();
    let mounted = common::mount_with(Together::default(), |builder| {
        builder.reader_threads(READERS)
    });
    serve_one(&mounted);
    assert_eq!(connections() - before, READERS);
    have_all_serve(&mounted, READERS);
    let threads = mounted.ops.seen.read(|seen| seen.threads.len());
    assert_eq!(threads, READERS);
    drop(mounted);
    assert_eq!(connections(), before);
    common::assert_quiet();
}

#[test]
fn readers_share_one_where_that_is_asked_for() {
    common::require_fuse!();
    let _alone = alone();
    let before = connections();
    for (threads, clone) in [(READERS, false), (1, true)] {
        let mounted = common::mount_with(MemFs::default(), |builder| {
            builder.reader_threads(threads).clone_fd(clone)
        });
        fs::write(mounted.join("file"), "text").unwrap();
        assert_eq!(connections() - before, 1);
    }
}

#[test]
fn there_are_no_more_than_sixteen() {
    common::require_fuse!();
    let _alone = alone();
    let before = connections();
    let mounted = common::mount_with(MemFs::default(), |builder| builder.reader_threads(20));
    serve_one(&mounted);
    assert_eq!(connections() - before, 16);
    for number in 0..100 {
        fs::write(mounted.join(format!("file-{number}")), "text").unwrap();
    }
    drop(mounted);
    assert_eq!(connections(), before);
    common::assert_quiet();
}

/// Payloads that come in pipes can only be received by libfuse, from one descriptor.
#[test]
fn writes_through_pipes_are_received_all_the_same() {
    common::require_fuse!();
    let _alone = alone();
    let fs = Together::default();
    fs.splice.store(true, Ordering::Relaxed);
    let mounted = common::mount_with(fs, |builder| builder.reader_threads(READERS));
    let path = mounted.join("file");
    let clients: Vec<_> = (0..READERS)
        .map(|_| {
            let path = path.clone();
            thread::spawn(move || {
                let file = File::options().write(true).open(path).unwrap();
                for _ in 0..20 {
                    file.write_all_at(&[1; 65_536], 0).unwrap();
                }
            })
        })
        .collect();
    for client in clients {
        client.join().unwrap();
    }
    let written = mounted.ops.seen.read(|seen| seen.written);
    assert_eq!(written, READERS * 20 * 65_536);
    common::assert_quiet();
}

/// Has `count` requests interrupted, one after the other, in each of which a handler waits for that.
fn interrupt(mounted: &common::Mounted<Together>, count: usize) {
    let path = mounted.join("interrupted");
    let seen = &mounted.ops.seen;
    let before = seen.read(|seen| seen.interrupted);
    let client = Client::start(move || {
        for _ in 0..count {
            let result = fs::symlink_metadata(&path);
            assert_eq!(common::errno(result), libc::EINTR);
        }
        Ok(())
    });
    for number in 1..=count {
        let what = format!("request {number}");
        drop(seen.wait_for(&what, |seen| seen.waiting >= before + number));
        client.interrupt();
        let what = format!("interruption {number}");
        drop(seen.wait_for(&what, |seen| seen.interrupted >= before + number));
    }
    client.result().unwrap();
}

/// Whichever reader reads of the interruption, and whichever has the request.
#[test]
fn interruptions_reach_the_handlers() {
    common::require_fuse!();
    let _alone = alone();
    let mounted = common::mount_with(Together::default(), |builder| {
        builder.reader_threads(READERS)
    });
    interrupt(&mounted, 200);
    common::assert_quiet();
}

/// libfuse keeps an interruption until its request comes, which does not where another session has it.
#[test]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn interruptions_leave_nothing_behind() {
    common::require_fuse!();
    let _alone = alone();
    let mounted = common::mount_with(Together::default(), |builder| builder.reader_threads(8));
    // Each has its memory then.
    have_all_serve(&mounted, 8);
    // SAFETY: no preconditions.
    let allocated = || unsafe { libc::mallinfo() }.uordblks;
    interrupt(&mounted, 100);
    let before = allocated();
    const COUNT: usize = 1000;
    interrupt(&mounted, COUNT);
    let growth = usize::try_from(allocated() - before).unwrap_or(0);
    // One would be some 120 bytes, in each of seven sessions.
    assert!(growth < COUNT * 100, "{growth} bytes more after {COUNT}");
}

/// The answer of the kernel is for the session that has asked, whichever reader gets it.
/// Each clone still has an interruption whose request another one had, and replies to it at the end.
#[test]
fn end_with_interruptions_raises_no_sigpipe() {
    static RAISED: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn count(_signal: libc::c_int) {
        RAISED.fetch_add(1, Ordering::Relaxed);
    }
    common::require_fuse!();
    let _alone = alone();
    let handler: extern "C" fn(libc::c_int) = count;
    // SAFETY: the handler changes nothing but an atomic number.
    let before = unsafe { libc::signal(libc::SIGPIPE, handler as libc::sighandler_t) };
    let mounted = common::mount_with(Together::default(), |builder| {
        builder.reader_threads(READERS)
    });
    have_all_serve(&mounted, READERS);
    interrupt(&mounted, 1);
    assert_eq!(mounted.unmount(), ExitReason::Terminated);
    // SAFETY: what signal(2) has returned.
    unsafe { libc::signal(libc::SIGPIPE, before) };
    assert_eq!(RAISED.load(Ordering::Relaxed), 0);
}

#[test]
fn what_is_cached_is_retrieved() {
    common::require_fuse!();
    let _alone = alone();
    let mounted = common::mount_with(MemFs::default(), |builder| builder.reader_threads(READERS));
    let (file, text) = (mounted.join("file"), vec![b't'; 10_000]);
    fs::write(&file, &text).unwrap();
    let opened = File::open(&file).unwrap();
    opened.read_exact_at(&mut vec![0; 10_000], 0).unwrap();
    let inode = Inode(std::os::unix::fs::MetadataExt::ino(
        &opened.metadata().unwrap(),
    ));
    let notifier = mounted.notifier();
    for number in 0..50 {
        let data = smol::block_on(notifier.retrieve(inode, 0, text.len())).unwrap();
        assert!(data == text, "number {number}: {} bytes", data.len());
        // So that another reader is next.
        fs::symlink_metadata(mounted.join("missing")).unwrap_err();
    }
    common::assert_quiet();
}

/// libfuse looks by itself who may use such a mount, in each session.
#[test]
fn others_than_root_are_refused_by_all() {
    common::require_fuse!();
    common::require_root!();
    let _alone = alone();
    let options = MountOptions::empty().allow_root();
    let mounted = common::mount_with(MemFs::default(), |builder| {
        builder.reader_threads(READERS).options(options)
    });
    for number in 0..3 * READERS {
        let mut ls = Command::new("ls");
        ls.arg(mounted.path()).uid(NOBODY).gid(NOBODY);
        let output = ls.stdin(Stdio::null()).output().unwrap();
        assert!(!output.status.success(), "number {number}: {output:?}");
        fs::write(mounted.join("file"), "text").unwrap();
    }
}

/// INIT that the file system refuses; a session that is dropped before it runs, or leaves its mount.
#[test]
fn nothing_is_left_open() {
    struct Refusing;
    impl Operations for Refusing {
        fn init(&self, _conn: &mut ConnInfo) -> Result<()> {
            Err(Errno::EPERM)
        }
    }
    common::require_fuse!();
    let _alone = alone();
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    let before = connections();
    let dir = common::MountDir::new();
    let builder = || Session::builder(MemFs::default()).reader_threads(READERS);

    let session = builder().mount(dir.path()).unwrap();
    common::register_mount(dir.path().to_owned());
    assert_eq!(connections() - before, READERS);
    drop(session);
    assert_eq!(connections(), before);

    let refusing = Session::builder(Refusing).reader_threads(READERS);
    let refused = refusing.mount(dir.path()).unwrap().spawn().unwrap().join();
    assert!(
        matches!(refused, Err(Error::Init(Errno::EPERM))),
        "{refused:?}"
    );
    assert_eq!(connections(), before);

    let mut session = builder().mount(dir.path()).unwrap();
    let handle = session.handle();
    let path = dir.join("file");
    let client = thread::spawn(move || {
        fs::write(path, "text").unwrap();
        handle.terminate();
    });
    smol::block_on(session.run()).unwrap();
    client.join().unwrap();
    session.close(Unmount::Leave).unwrap();
    assert_eq!(connections(), before);
    assert!(common::mountinfo_of(dir.path()).is_some());
    common::unmount(dir.path(), true).unwrap();
}

/// A connection that is aborted, or whose mount is gone, ends all of them; and so does whoever asks.
#[test]
fn all_end_together() {
    common::require_fuse!();
    let _alone = alone();
    let before = connections();
    let _limit = TimeLimit::new(Duration::from_secs(60));
    for number in 0..10 {
        for end in ["abort", "umount", "terminate"] {
            let mounted =
                common::mount_with(MemFs::default(), |builder| builder.reader_threads(READERS));
            // INIT may be answered or not.
            if number % 2 == 0 {
                fs::write(mounted.join("file"), "text").unwrap();
            }
            let expected = match end {
                "abort" if !common::can_abort() => continue,
                "abort" => {
                    mounted.abort();
                    ExitReason::Aborted
                }
                "umount" => {
                    if rustix::mount::unmount(mounted.path(), UnmountFlags::DETACH).is_err() {
                        continue; // Not root.
                    }
                    ExitReason::Unmounted
                }
                _ => {
                    mounted.handle().terminate();
                    ExitReason::Terminated
                }
            };
            let found = mounted.join_session().unwrap();
            assert_eq!(found, expected, "{end}, number {number}");
            assert_eq!(connections(), before);
        }
    }
    common::assert_quiet();
}

/// Where the kernel waits for the answer to DESTROY, only that of the reader who has read it will do.
#[test]
fn block_devices_are_unmounted() {
    common::require_fuse!();
    common::require_root!();
    let _alone = alone();
    let Some(device) = common::LoopDevice::available() else {
        return;
    };
    let _limit = TimeLimit::new(Duration::from_secs(60));
    for number in 0..3 * READERS {
        let options = MountOptions::default().blkdev().fsname(&device.path);
        let mounted = common::mount_with(MemFs::default(), |builder| {
            builder.reader_threads(READERS).options(options)
        });
        // Readers take turns.
        for _ in 0..number {
            fs::symlink_metadata(mounted.join("missing")).unwrap_err();
        }
        if number % 2 == 0 {
            rustix::mount::unmount(mounted.path(), UnmountFlags::empty()).unwrap();
            assert_eq!(mounted.join_session().unwrap(), ExitReason::Unmounted);
        } else {
            mounted.unmount();
        }
    }
    common::assert_quiet();
}
