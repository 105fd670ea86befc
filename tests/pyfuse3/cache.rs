//! pyfuse3's `test_fs.py`: what the kernel caches, for how long, and how it is told to drop it.
//!
//! As there, the file system has one file, `message`, and does what it is told by setting attributes
//! of its root.

use std::ffi::OsStr;
use std::fs;
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use libfuse3::Data;
use libfuse3::EntryAttributes;
use libfuse3::Errno;
use libfuse3::ExitReason;
use libfuse3::FileInfo;
use libfuse3::FileRef;
use libfuse3::Forget;
use libfuse3::Inode;
use libfuse3::Notifier;
use libfuse3::OpenFlags;
use libfuse3::Operations;
use libfuse3::ROOT_INODE;
use libfuse3::ReaddirToken;
use libfuse3::RequestContext;
use libfuse3::Result;
use libfuse3::SessionHandle;
use libfuse3::XattrFlags;

use crate::common;
use crate::common::Mounted;

const MESSAGE: Inode = Inode(2);
const NAME: &str = "message";
const TEXT: &[u8] = b"hello world\n";
const STORED: &[u8] = b"stored text\n";

/// Whether an operation was called since it was last asked.
#[derive(Default)]
struct Called(AtomicBool);

impl Called {
    fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    fn take(&self) -> bool {
        self.0.swap(false, Ordering::SeqCst)
    }
}

struct Fs {
    outside: OnceLock<(Notifier, SessionHandle)>,
    entry_timeout: Duration,
    attr_timeout: Duration,
    lookup: Called,
    getattr: Called,
    read: Called,
    lookup_count: AtomicU64,
    /// What handlers were called with and should not have been.
    mistakes: Mutex<Vec<String>>,
}

impl Fs {
    fn attributes(&self, inode: Inode) -> Result<EntryAttributes> {
        let (mode, size) = match inode {
            ROOT_INODE => (libc::S_IFDIR | 0o755, 0),
            MESSAGE => (libc::S_IFREG | 0o644, TEXT.len() as u64),
            _ => return Err(Errno::ENOENT),
        };
        Ok(EntryAttributes {
            size,
            entry_timeout: self.entry_timeout,
            attr_timeout: self.attr_timeout,
            ..common::attributes(inode, mode)
        })
    }

    fn complain(&self, mistake: String) {
        self.mistakes.lock().unwrap().push(mistake);
    }
}

impl Operations for Fs {
    async fn lookup(
        &self,
        parent: Inode,
        name: &OsStr,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        if (parent, name) != (ROOT_INODE, OsStr::new(NAME)) {
            return Err(Errno::ENOENT);
        }
        self.lookup_count.fetch_add(1, Ordering::SeqCst);
        self.lookup.set();
        self.attributes(MESSAGE)
    }

    async fn forget(&self, inodes: &[Forget]) {
        for &Forget { inode, nlookup } in inodes {
            let before = self.lookup_count.fetch_sub(nlookup, Ordering::SeqCst);
            if inode != MESSAGE || before < nlookup {
                self.complain(format!(
                    "forget {nlookup} of inode {inode}, which has {before}"
                ));
            }
        }
    }

    async fn getattr(
        &self,
        inode: Inode,
        _: Option<FileRef>,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        if inode == MESSAGE {
            self.getattr.set();
        }
        self.attributes(inode)
    }

    async fn readdir(
        &self,
        _: FileRef,
        start_id: u64,
        reply: &mut ReaddirToken,
        _: &RequestContext,
    ) -> Result<()> {
        if start_id == 0 && reply.add(NAME.as_ref(), &self.attributes(MESSAGE)?, 1) {
            self.lookup_count.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }

    async fn open(&self, inode: Inode, flags: OpenFlags, _: &RequestContext) -> Result<FileInfo> {
        if inode != MESSAGE {
            return Err(Errno::ENOENT);
        }
        if flags.is_writable() {
            return Err(Errno::EACCES);
        }
        // What is cached stays, by default.
        Ok(FileInfo::default())
    }

    async fn read(
        &self,
        file: FileRef,
        offset: u64,
        size: usize,
        _: &RequestContext,
    ) -> Result<Data> {
        assert_eq!(file.inode, MESSAGE);
        self.read.set();
        let start = TEXT.len().min(offset as usize);
        Ok(TEXT[start..TEXT.len().min(start + size)].into())
    }

    async fn setxattr(
        &self,
        inode: Inode,
        name: &OsStr,
        value: &[u8],
        _: XattrFlags,
        _: &RequestContext,
    ) -> Result<()> {
        if (inode, name) != (ROOT_INODE, OsStr::new("user.command")) {
            return Err(Errno::ENOTSUP);
        }
        let (notifier, session) = self.outside.get().unwrap();
        match value {
            b"forget_entry" => {
                notifier.invalidate_entry_async(ROOT_INODE, NAME.as_ref(), None, false);
                Ok(())
            }
            b"forget_inode" => notifier.invalidate_inode(MESSAGE, false).await,
            b"store" => notifier.notify_store(MESSAGE, 0, STORED).await,
            b"terminate" => {
                session.terminate();
                Ok(())
            }
            _ => Err(Errno::EINVAL),
        }
    }
}

const LONG: Duration = Duration::from_secs(300);
const SECOND: Duration = Duration::from_secs(1);

fn mount(entry_timeout: Duration, attr_timeout: Duration) -> Mounted<Fs> {
    let mounted = common::mount(Fs {
        outside: OnceLock::new(),
        entry_timeout,
        attr_timeout,
        lookup: Called::default(),
        getattr: Called::default(),
        read: Called::default(),
        lookup_count: AtomicU64::new(0),
        mistakes: Mutex::default(),
    });
    let outside = (mounted.notifier(), mounted.handle());
    assert!(mounted.ops.outside.set(outside).is_ok());
    mounted
}

fn command(mounted: &Mounted<Fs>, command: &str) {
    libfuse3::setxattr(mounted.path(), "user.command", command).unwrap();
}

fn assert_no_mistakes(mounted: &Mounted<Fs>) {
    assert_eq!(*mounted.ops.mistakes.lock().unwrap(), [""; 0]);
    common::assert_quiet();
}

/// Asserts that the operation comes again when a second has passed, and not before.
fn assert_kept_for_a_second(called: &Called, ask: impl Fn()) {
    let before = Instant::now();
    ask();
    assert!(called.take(), "the first time it is not cached");
    let asked = common::wait_until(common::PATIENCE, || {
        ask();
        called.take()
    });
    // The kernel counts in clock ticks.
    let elapsed = before.elapsed() + Duration::from_millis(20);
    assert!(asked && elapsed >= SECOND, "asked again after {elapsed:?}");
}

#[test]
fn t08_invalidate_entry_makes_the_next_stat_look_up() {
    common::require_fuse!();
    let mounted = mount(LONG, LONG);
    let path = mounted.join(NAME);
    fs::metadata(&path).unwrap();
    assert!(mounted.ops.lookup.take());
    fs::metadata(&path).unwrap();
    assert!(!mounted.ops.lookup.take(), "it is cached");

    // Inside of the handler, which the kernel holds the root's lock for.
    command(&mounted, "forget_entry");
    assert!(common::wait_until(common::PATIENCE, || {
        fs::metadata(&path).unwrap();
        mounted.ops.lookup.take()
    }));
    assert_no_mistakes(&mounted);
}

#[test]
fn t09_invalidate_inode_makes_the_next_read_ask() {
    common::require_fuse!();
    let mounted = mount(LONG, LONG);
    let file = File::open(mounted.join(NAME)).unwrap();
    let read = || {
        let mut text = [0; TEXT.len()];
        file.read_exact_at(&mut text, 0).unwrap();
        assert_eq!(text, TEXT);
        mounted.ops.read.take()
    };
    assert!(read());
    assert!(!read(), "it is cached");
    command(&mounted, "forget_inode");
    assert!(read());
    assert_no_mistakes(&mounted);
}

#[test]
fn t10_notify_store_serves_reads_without_asking() {
    common::require_fuse!();
    let mounted = mount(LONG, LONG);
    let file = File::open(mounted.join(NAME)).unwrap();
    command(&mounted, "store");
    let mut text = [0; STORED.len()];
    file.read_exact_at(&mut text, 0).unwrap();
    assert_eq!(text, STORED);
    assert!(!mounted.ops.read.take());
    assert_no_mistakes(&mounted);
}

#[test]
fn t11_entry_timeout_is_honoured() {
    common::require_fuse!();
    let mounted = mount(SECOND, LONG);
    let path = mounted.join(NAME);
    assert_kept_for_a_second(&mounted.ops.lookup, || {
        fs::metadata(&path).unwrap();
    });
    assert_no_mistakes(&mounted);
}

#[test]
fn t12_attr_timeout_is_honoured_by_fstat() {
    common::require_fuse!();
    let mounted = mount(LONG, SECOND);
    let path = mounted.join(NAME);
    // The attributes of the lookup are good for a second, too: wait until they are not.
    let file = File::open(&path).unwrap();
    let stat = || {
        rustix::fs::fstat(file.as_fd()).unwrap();
    };
    assert!(common::wait_until(common::PATIENCE, || {
        stat();
        mounted.ops.getattr.take()
    }));
    let before = Instant::now();
    assert!(common::wait_until(common::PATIENCE, || {
        stat();
        mounted.ops.getattr.take()
    }));
    let elapsed = before.elapsed() + Duration::from_millis(20);
    assert!(elapsed >= SECOND, "asked again after {elapsed:?}");
    assert_no_mistakes(&mounted);
}

#[test]
fn t13_terminate_in_a_handler_ends_the_session_and_the_mount() {
    common::require_fuse!();
    let mounted = mount(LONG, LONG);
    let path = mounted.path().to_owned();
    assert!(common::is_mounted(&path));
    command(&mounted, "terminate");
    assert_eq!(mounted.join_session().unwrap(), ExitReason::Terminated);
    assert!(!common::is_mounted(&path));
    common::assert_quiet();
}
