//! What the kernel has cached of a file, and tells when it is asked.

use std::ffi::OsStr;
use std::fs;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use libfuse3::Capabilities;
use libfuse3::ConnInfo;
use libfuse3::Data;
use libfuse3::EntryAttributes;
use libfuse3::Errno;
use libfuse3::FileInfo;
use libfuse3::FileRef;
use libfuse3::Inode;
use libfuse3::Notifier;
use libfuse3::OpenFlags;
use libfuse3::Operations;
use libfuse3::RequestContext;
use libfuse3::Result;
use libfuse3::Session;
use libfuse3::WriteBuf;
use smol::block_on;

use crate::common;
use crate::common::Gate;
use crate::common::MountDir;
use crate::common::Mounted;
use crate::common::Recorder;
use crate::common::TimeLimit;
use crate::common::assert_quiet;
use crate::common::require_abort;
use crate::common::require_fuse;
use crate::scripted::Call;
use crate::scripted::Scripted;
use crate::scripted::answer;
use crate::scripted::dir;
use crate::scripted::file;

/// So that the kernel asks for nothing twice by itself.
const LONG: Duration = Duration::from_secs(1000);

const FILE: Inode = Inode(2);

/// What is in the file at this place.
fn byte_at(offset: usize) -> u8 {
    (offset / 7) as u8
}

fn contents(from: usize, len: usize) -> Vec<u8> {
    (from..from + len).map(byte_at).collect()
}

/// A file system with `file`, inode 2, of this size.
fn with_file(size: usize) -> Scripted {
    let attr = EntryAttributes {
        size: size as u64,
        ..file(2).with_timeouts(LONG)
    };
    let mut fs = Scripted::with_file(0)
        .with("file", attr)
        .with("dir", dir(3).with_timeouts(LONG));
    answer!(
        fs.read = move |offset, len| {
            let offset = usize::try_from(offset).unwrap().min(size);
            Ok(contents(offset, len.min(size - offset)).into())
        }
    );
    fs
}

fn is_read(call: &Call) -> bool {
    matches!(call, Call::Read(..))
}

#[test]
fn what_was_read_is_retrieved_without_a_read() {
    require_fuse!();
    const SIZE: usize = 300_000;
    let mounted = common::mount(with_file(SIZE));
    fs::read(mounted.join("file")).unwrap();
    mounted.ops.calls.drain();
    let notifier = mounted.notifier();
    for (offset, len) in [
        (0, SIZE),
        (0, 1),
        (4096, 8192),
        (4095, 2),
        (100_001, 77_777),
        (SIZE - 1, 1),
    ] {
        let data = block_on(notifier.retrieve(FILE, offset as u64, len)).unwrap();
        assert!(data == contents(offset, len), "{len} bytes from {offset}");
    }
    // Up to the end.
    let data = block_on(notifier.retrieve(FILE, 299_990, 4096)).unwrap();
    assert!(data == contents(299_990, 10));
    for offset in [SIZE as u64, 1_000_000, i64::MAX as u64] {
        let data = block_on(notifier.retrieve(FILE, offset, 4096));
        assert_eq!(data, Ok(Bytes::new()), "behind the end, at {offset}");
    }
    assert_eq!(block_on(notifier.retrieve(FILE, 0, 0)), Ok(Bytes::new()));
    assert_eq!(mounted.ops.count(is_read), 0);
    assert_quiet();
}

#[test]
fn what_is_not_cached_is_not_retrieved() {
    require_fuse!();
    let mounted = common::mount(with_file(100_000));
    fs::metadata(mounted.join("file")).unwrap();
    let notifier = mounted.notifier();
    let retrieved = |offset| block_on(notifier.retrieve(FILE, offset, 100_000)).unwrap();
    assert!(retrieved(0).is_empty());
    // Pages 1 and 2, but not 3.
    block_on(notifier.notify_store(FILE, 4096, vec![b's'; 8192])).unwrap();
    assert!(retrieved(0).is_empty());
    assert_eq!(retrieved(4096), vec![b's'; 8192]);
    assert_eq!(retrieved(4100), vec![b's'; 8188]);
    block_on(notifier.invalidate_inode(FILE, false)).unwrap();
    assert!(retrieved(4096).is_empty());
    assert_eq!(mounted.ops.count(is_read), 0);
    assert_quiet();
}

#[test]
fn what_is_not_written_yet_is_retrieved() {
    require_fuse!();
    let mounted = common::mount(with_file(4096).with_writeback(4096));
    let opened = File::options()
        .write(true)
        .open(mounted.join("file"))
        .unwrap();
    opened.write_all_at(b"new", 4).unwrap();
    mounted.ops.calls.drain();
    let notifier = mounted.notifier();
    let data = block_on(notifier.retrieve(FILE, 4, 3)).unwrap();
    assert_eq!(data, "new");
    let is_write = |call: &Call| matches!(call, Call::Write(..));
    assert_eq!(mounted.ops.count(is_write), 0);
    // It is still to be written.
    opened.sync_all().unwrap();
    assert_eq!(mounted.ops.count(is_write), 1);
}

#[test]
fn no_more_is_retrieved_than_the_largest_write() {
    require_fuse!();
    const SIZE: usize = 200_000;
    const MAX_WRITE: usize = 65536;
    let mut fs = with_file(SIZE);
    answer!(
        fs.init = |conn| {
            conn.set_max_write(MAX_WRITE as u32);
            Ok(())
        }
    );
    let mounted = common::mount(fs);
    fs::read(mounted.join("file")).unwrap();
    let notifier = mounted.notifier();
    let mut all = Vec::new();
    for _ in 0..4 {
        let part = notifier.retrieve(FILE, all.len() as u64, usize::MAX);
        let part = block_on(part).unwrap();
        assert_eq!(part.len(), MAX_WRITE.min(SIZE - all.len()));
        all.extend_from_slice(&part);
    }
    assert!(all == contents(0, SIZE));
    assert_quiet();
}

#[test]
fn what_is_no_file_cannot_be_retrieved() {
    require_fuse!();
    let mounted = common::mount(with_file(10));
    fs::metadata(mounted.join("dir")).unwrap();
    let notifier = mounted.notifier();
    let error = |inode| block_on(notifier.retrieve(inode, 0, 10));
    assert_eq!(error(Inode(999)), Err(Errno::ENOENT));
    assert_eq!(error(Inode(3)), Err(Errno::EINVAL));
    assert_eq!(error(Inode::ROOT), Err(Errno::EINVAL));
    assert_quiet();
}

#[test]
fn each_of_many_gets_what_it_asked_for() {
    require_fuse!();
    const SIZE: usize = 1_000_000;
    let mounted = common::mount_with(with_file(SIZE), |builder| builder.reader_threads(2));
    fs::read(mounted.join("file")).unwrap();
    thread::scope(|scope| {
        for thread in 0..4 {
            let notifier = mounted.notifier();
            scope.spawn(move || {
                block_on(async {
                    let one = |index: usize| {
                        let (offset, len) = (index * 4001 % SIZE, 1 + index % 999);
                        let notifier = notifier.clone();
                        async move {
                            let data = notifier.retrieve(FILE, offset as u64, len).await;
                            assert!(data.unwrap() == contents(offset, len.min(SIZE - offset)));
                        }
                    };
                    let all = (0..50).map(|index| one(thread * 50 + index));
                    futures::future::join_all(all).await;
                });
            });
        }
    });
    assert_quiet();
}

// ---- while handlers wait -----------------------------------------------------------------------

/// A file whose handlers retrieve it, and two names whose lookups wait.
struct Fs {
    notifier: OnceLock<Notifier>,
    /// Where the lookup of `wait` waits, and that of `block` blocks its thread.
    gate: Arc<Gate>,
    retrieved: Recorder<(&'static str, Result<Bytes>)>,
}

impl Fs {
    async fn retrieve(&self, handler: &'static str) {
        if let Some(notifier) = self.notifier.get() {
            let data = notifier.retrieve(FILE, 0, 100).await;
            self.retrieved.record((handler, data));
        }
    }
}

impl Operations for Fs {
    fn init(&self, conn: &mut ConnInfo) -> Result<()> {
        conn.want(Capabilities::WRITEBACK_CACHE)
    }

    async fn lookup(&self, _: Inode, name: &OsStr, _: &RequestContext) -> Result<EntryAttributes> {
        match name.to_str() {
            Some("file") => {
                return self
                    .getattr(FILE, None, &RequestContext::detached(0, 0, 0))
                    .await;
            }
            Some("wait") => self.gate.pass().await,
            Some("block") => block_on(self.gate.pass()),
            _ => (),
        }
        Err(Errno::ENOENT)
    }

    async fn getattr(
        &self,
        inode: Inode,
        _: Option<FileRef>,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        let attr = match inode {
            Inode::ROOT => dir(1),
            _ => EntryAttributes {
                size: 8192,
                ..file(2)
            },
        };
        Ok(attr.with_timeouts(LONG))
    }

    async fn setattr(
        &self,
        inode: Inode,
        _: libfuse3::SetattrFields,
        _: Option<FileRef>,
        ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        self.getattr(inode, None, ctx).await
    }

    async fn open(&self, _: Inode, _: OpenFlags, _: &RequestContext) -> Result<FileInfo> {
        self.retrieve("open").await;
        Ok(FileInfo {
            keep_cache: true,
            ..FileInfo::default()
        })
    }

    async fn read(&self, _: FileRef, _: u64, size: usize, _: &RequestContext) -> Result<Data> {
        self.retrieve("read").await;
        Ok(vec![b'r'; size].into())
    }

    async fn write(&self, _: FileRef, _: u64, data: WriteBuf, _: &RequestContext) -> Result<usize> {
        self.retrieve("write").await;
        Ok(data.len())
    }
}

fn mount(max_in_flight: usize) -> Mounted<Fs> {
    let fs = Fs {
        notifier: OnceLock::new(),
        gate: Gate::new(),
        retrieved: Recorder::new(),
    };
    let mounted = common::mount_with(fs, |builder| {
        builder
            .max_in_flight(max_in_flight)
            .shutdown_timeout(Duration::from_millis(100))
    });
    fs::metadata(mounted.join("file")).unwrap();
    mounted
}

#[test]
fn handlers_retrieve_the_very_file_they_are_about() {
    require_fuse!();
    let mounted = mount(100);
    assert!(mounted.ops.notifier.set(mounted.notifier()).is_ok());
    let path = mounted.join("file");
    let opened = File::options().read(true).write(true).open(path).unwrap();
    let retrieved = &mounted.ops.retrieved;
    retrieved.expect(("open", Ok(Bytes::new())));
    opened.write_all_at(&[b'w'; 8192], 0).unwrap();
    opened.sync_all().unwrap();
    retrieved.expect(("write", Ok(vec![b'w'; 100].into())));
    drop(opened);
    block_on(mounted.notifier().invalidate_inode(FILE, false)).unwrap();
    // The kernel has pages for what it reads, which are not filled yet.
    assert_eq!(fs::read(mounted.join("file")).unwrap(), [b'r'; 8192]);
    retrieved.expect(("open", Ok(Bytes::new())));
    let (handler, data) = retrieved.next();
    assert!(handler == "read" && data.is_ok(), "{handler}: {data:?}");
    assert_quiet();
}

#[test]
fn data_come_although_no_more_handlers_may_begin() {
    require_fuse!();
    let mounted = mount(1);
    block_on(mounted.notifier().notify_store(FILE, 0, vec![b's'; 8192])).unwrap();
    let _opened = mounted.ops.gate.open_at_end();
    thread::scope(|scope| {
        let _opened = mounted.ops.gate.open_at_end();
        for _ in 0..2 {
            // One in its handler, one in the queue.
            scope.spawn(|| drop(fs::metadata(mounted.join("wait"))));
        }
        mounted.ops.gate.wait_for(1);
        let data = block_on(mounted.notifier().retrieve(FILE, 0, 10)).unwrap();
        assert_eq!(data, [b's'; 10].as_slice());
    });
    assert_quiet();
}

// ---- the end -----------------------------------------------------------------------------------

/// Has the kernel send data that nobody receives, since the only reader is blocked by a handler; then
/// ends the session. What became of the retrieval.
fn retrieve_in_vain(end: impl FnOnce(&Mounted<Fs>)) -> Result<Bytes> {
    let mounted = mount(100);
    block_on(mounted.notifier().notify_store(FILE, 0, vec![b's'; 8192])).unwrap();
    thread::scope(|scope| {
        let _opened = mounted.ops.gate.open_at_end();
        scope.spawn(|| drop(fs::metadata(mounted.join("block"))));
        mounted.ops.gate.wait_for(1);
        let notifier = mounted.notifier();
        let retrieval = scope.spawn(move || block_on(notifier.retrieve(FILE, 0, 10)));
        // The lookup, and the data.
        let connection = mounted.connection();
        let sent = || common::connection_value(connection, "waiting") == "2";
        assert!(common::wait_until(common::PATIENCE, sent));
        end(&mounted);
        mounted.ops.gate.open();
        retrieval.join().unwrap()
    })
}

#[test]
fn data_that_do_not_come_because_of_an_abort_are_an_error() {
    require_fuse!();
    require_abort!();
    common::require_fusectl!();
    assert_eq!(retrieve_in_vain(Mounted::abort), Err(Errno::ENODEV));
}

#[test]
fn data_that_do_not_come_because_the_session_ends_are_an_error() {
    require_fuse!();
    common::require_fusectl!();
    let ended = retrieve_in_vain(|mounted| mounted.handle().terminate());
    assert_eq!(ended, Err(Errno::ENODEV));
}

#[test]
fn nothing_is_retrieved_before_the_beginning_and_after_the_end() {
    require_fuse!();
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    let dir = MountDir::new();
    let session = Session::builder(with_file(10)).mount(dir.path()).unwrap();
    common::register_mount(dir.path().to_owned());
    let notifier = session.notifier();
    let retrieved = || block_on(notifier.retrieve(FILE, 0, 10));
    assert_eq!(retrieved(), Err(Errno::ENOTCONN));
    let mounted = session.spawn().unwrap();
    assert_eq!(fs::read(dir.join("file")).unwrap(), contents(0, 10));
    assert_eq!(retrieved().unwrap(), contents(0, 10));
    mounted.unmount().unwrap();
    assert_eq!(retrieved(), Err(Errno::ENODEV));
    assert_quiet();
}
