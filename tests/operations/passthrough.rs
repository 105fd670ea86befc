//! Files that the kernel reads and writes in place of the file system.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::Weak;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use libfuse3::BackingFile;
use libfuse3::BackingId;
use libfuse3::Capabilities;
use libfuse3::ConnInfo;
use libfuse3::Data;
use libfuse3::EntryAttributes;
use libfuse3::Errno;
use libfuse3::FileHandle;
use libfuse3::FileInfo;
use libfuse3::FileRef;
use libfuse3::Inode;
use libfuse3::OpenFlags;
use libfuse3::Operations;
use libfuse3::ReleaseFlags;
use libfuse3::RequestContext;
use libfuse3::Result;
use libfuse3::WriteBuf;

use crate::common;
use crate::common::Mounted;
use crate::common::Recorder;
use crate::common::assert_quiet;
use crate::common::errno;
use crate::common::require;
use crate::common::require_fuse;
use crate::scripted::node;

/// What becomes of the number of the backing file.
#[derive(Clone, Copy, PartialEq)]
enum Plan {
    /// All open files have the same, until the last is released.
    Share,
    /// Each open file has its own.
    OneEach,
    /// It is given back before the kernel hears of it.
    GiveBack,
    /// The kernel hears nothing of it.
    Keep,
}

/// One file, which is another file.
struct Fs {
    wants: Capabilities,
    plan: Plan,
    source: File,
    shared: Mutex<Weak<BackingFile>>,
    open: Mutex<HashMap<FileHandle, Arc<BackingFile>>>,
    last_handle: AtomicU64,
    /// What `passthrough_open` has returned.
    results: Recorder<Result<BackingId>>,
    /// Reads and writes that the kernel has not kept to itself.
    requests: AtomicU64,
}

impl Fs {
    fn new(source: &Path) -> Self {
        let source = OpenOptions::new().read(true).write(true).open(source);
        Self {
            wants: Capabilities::PASSTHROUGH,
            plan: Plan::Share,
            source: source.unwrap(),
            shared: Mutex::default(),
            open: Mutex::default(),
            last_handle: AtomicU64::new(0),
            results: Recorder::new(),
            requests: AtomicU64::new(0),
        }
    }

    fn requests(&self) -> u64 {
        self.requests.swap(0, Ordering::Relaxed)
    }

    fn backing(&self, ctx: &RequestContext) -> Result<Arc<BackingFile>> {
        let mut shared = self.shared.lock().unwrap();
        if self.plan == Plan::Share
            && let Some(backing) = shared.upgrade()
        {
            return Ok(backing);
        }
        let backing = ctx.passthrough_open(&self.source);
        self.results.record(
            backing
                .as_ref()
                .map(BackingFile::id)
                .map_err(|errno| *errno),
        );
        let backing = Arc::new(backing?);
        *shared = Arc::downgrade(&backing);
        Ok(backing)
    }

    fn file_info(&self, ctx: &RequestContext) -> FileInfo {
        let fh = FileHandle(self.last_handle.fetch_add(1, Ordering::Relaxed));
        // Without it the file is read and written by requests.
        let backing = self.backing(ctx).ok();
        let id = backing.as_ref().map(|backing| backing.id());
        match backing {
            Some(backing) if self.plan != Plan::GiveBack => {
                drop(self.open.lock().unwrap().insert(fh, backing));
            }
            given_back => drop(given_back),
        }
        FileInfo {
            backing_id: id.filter(|_| self.plan != Plan::Keep),
            ..FileInfo::new(fh)
        }
    }

    fn attributes(&self, inode: Inode) -> EntryAttributes {
        match inode {
            Inode::ROOT => node(1, libc::S_IFDIR | 0o755),
            inode => EntryAttributes {
                size: self.source.metadata().unwrap().len(),
                ..node(inode.raw(), libc::S_IFREG | 0o644)
            },
        }
    }
}

impl Operations for Fs {
    fn init(&self, conn: &mut ConnInfo) -> Result<()> {
        conn.want_if_capable(self.wants);
        if conn.wanted().contains(Capabilities::PASSTHROUGH) {
            // The temporary directory may be on overlayfs.
            conn.set_max_backing_stack_depth(1)?;
        }
        Ok(())
    }

    async fn getattr(
        &self,
        inode: Inode,
        _: Option<FileRef>,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        Ok(self.attributes(inode))
    }

    async fn lookup(&self, _: Inode, name: &OsStr, _: &RequestContext) -> Result<EntryAttributes> {
        match name == "file" {
            true => Ok(self.attributes(Inode(2))),
            false => Err(Errno::ENOENT),
        }
    }

    async fn open(&self, _: Inode, _: OpenFlags, ctx: &RequestContext) -> Result<FileInfo> {
        Ok(self.file_info(ctx))
    }

    async fn create(
        &self,
        _: Inode,
        _: &OsStr,
        _: u32,
        _: OpenFlags,
        ctx: &RequestContext,
    ) -> Result<(FileInfo, EntryAttributes)> {
        Ok((self.file_info(ctx), self.attributes(Inode(3))))
    }

    async fn read(&self, _: FileRef, offset: u64, size: usize, _: &RequestContext) -> Result<Data> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let mut bytes = vec![0; size];
        let len = self.source.read_at(&mut bytes, offset)?;
        bytes.truncate(len);
        Ok(bytes.into())
    }

    async fn write(
        &self,
        _: FileRef,
        offset: u64,
        mut data: WriteBuf,
        _: &RequestContext,
    ) -> Result<usize> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        data.write_to(&self.source, offset, usize::MAX)
    }

    async fn release(&self, file: FileRef, _: ReleaseFlags, _: &RequestContext) -> Result<()> {
        drop(self.open.lock().unwrap().remove(&file.fh));
        Ok(())
    }
}

/// A file with some contents.
fn source() -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("source");
    fs::write(&path, "contents of the source").unwrap();
    (dir, path)
}

fn open(mounted: &Mounted<Fs>) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).open(mounted.join("file"))
}

/// Whether the kernel reads and writes files here. Says why if not.
fn has_passthrough() -> bool {
    if !cfg!(libfuse_since = "3.17") {
        common::skip(format_args!(
            "libfuse {} is too old",
            libfuse3::libfuse_version()
        ));
        return false;
    }
    let (_dir, path) = source();
    let mounted = common::mount(Fs::new(&path));
    drop(open(&mounted).unwrap());
    match mounted.ops.results.next() {
        Ok(_) => true,
        Err(errno) => {
            // So that it is seen where it must work: as root, with Linux 6.9.
            assert!(
                errno == Errno::EPERM || errno == Errno::EOPNOTSUPP,
                "{errno:?}"
            );
            common::skip(format_args!("passthrough: {errno}"));
            false
        }
    }
}

#[test]
fn the_kernel_reads_and_writes_a_backing_file_by_itself() {
    require_fuse!();
    require!(has_passthrough());
    let (_dir, path) = source();
    let mounted = common::mount(Fs::new(&path));
    let file = open(&mounted).unwrap();
    let mut bytes = [0; 8];
    file.read_exact_at(&mut bytes, 0).unwrap();
    assert_eq!(&bytes, b"contents");
    file.write_all_at(b"CONTENTS", 0).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"CONTENTS of the source");
    // Also what was not written through the mount is seen at once, and the size is right.
    fs::write(&path, "new").unwrap();
    assert_eq!(file.read_at(&mut bytes, 0).unwrap(), 3);
    file.write_all_at(b"longer than before", 3).unwrap();
    assert_eq!(file.metadata().unwrap().len(), 21);
    assert_eq!(fs::read(mounted.join("file")).unwrap().len(), 21);
    assert_eq!(mounted.ops.requests(), 0);
    drop(file);
    assert_quiet();
}

#[test]
fn opens_at_a_time_share_the_backing_file() {
    require_fuse!();
    require!(has_passthrough());
    let (_dir, path) = source();
    let mounted = common::mount(Fs::new(&path));
    let first = open(&mounted).unwrap();
    let second = open(&mounted).unwrap();
    drop(first);
    let third = open(&mounted).unwrap();
    third.write_all_at(b"X", 0).unwrap();
    assert_eq!(mounted.ops.results.drain().len(), 1);
    drop((second, third));
    let none_open = || mounted.ops.open.lock().unwrap().is_empty();
    assert!(common::wait_until(common::PATIENCE, none_open));
    // Then it is another one.
    let again = open(&mounted).unwrap();
    assert_eq!(mounted.ops.results.drain().len(), 1);
    again.write_all_at(b"Y", 0).unwrap();
    assert_eq!(mounted.ops.requests(), 0);
    assert_quiet();
}

#[test]
fn opens_with_different_backing_files_are_refused() {
    require_fuse!();
    require!(has_passthrough());
    let (_dir, path) = source();
    let mounted = common::mount(Fs {
        plan: Plan::OneEach,
        ..Fs::new(&path)
    });
    let first = open(&mounted).unwrap();
    assert_eq!(errno(open(&mounted)), libc::EIO);
    drop(first);
    let none_open = || mounted.ops.open.lock().unwrap().is_empty();
    assert!(common::wait_until(common::PATIENCE, none_open));
    drop(open(&mounted).unwrap());
}

#[test]
fn a_dropped_backing_file_is_given_back() {
    require_fuse!();
    require!(has_passthrough());
    let (_dir, path) = source();
    let mounted = common::mount(Fs {
        plan: Plan::GiveBack,
        ..Fs::new(&path)
    });
    for _ in 0..3 {
        // The kernel does not know the number any more.
        assert_eq!(errno(open(&mounted)), libc::EIO);
        mounted.ops.results.next().unwrap();
    }
    assert_quiet();
}

#[test]
fn a_backing_file_that_is_not_answered_with_changes_nothing() {
    require_fuse!();
    require!(has_passthrough());
    let (_dir, path) = source();
    let mounted = common::mount(Fs {
        plan: Plan::Keep,
        ..Fs::new(&path)
    });
    let file = open(&mounted).unwrap();
    file.write_all_at(b"by request", 0).unwrap();
    assert!(mounted.ops.requests() > 0);
    // It may outlive the session.
    let kept = mounted.ops.shared.lock().unwrap().upgrade().unwrap();
    drop(file);
    let ops = Arc::clone(&mounted.ops);
    drop(mounted);
    drop((kept, ops));
    assert_quiet();
}

#[test]
fn created_files_have_backing_files_too() {
    require_fuse!();
    require!(has_passthrough());
    let (_dir, path) = source();
    let mounted = common::mount(Fs::new(&path));
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    let file = options.open(mounted.join("new")).unwrap();
    file.write_all_at(b"created", 0).unwrap();
    assert!(fs::read(&path).unwrap().starts_with(b"created"));
    assert_eq!(mounted.ops.requests(), 0);
    drop(file);
    assert_quiet();
}

#[test]
fn a_directory_is_no_backing_file() {
    require_fuse!();
    require!(has_passthrough());
    let (dir, path) = source();
    let mounted = common::mount(Fs {
        source: File::open(dir.path()).unwrap(),
        ..Fs::new(&path)
    });
    drop(open(&mounted).unwrap());
    let errno = mounted.ops.results.next().unwrap_err();
    // Depending on the kernel.
    assert!(
        [Errno::EISDIR, Errno::EOPNOTSUPP].contains(&errno),
        "{errno:?}"
    );
    assert_quiet();
}

#[test]
fn without_the_capability_it_is_a_typed_error_and_files_work_by_requests() {
    require_fuse!();
    let mut wants = vec![
        Capabilities::empty(),
        Capabilities::PASSTHROUGH | Capabilities::WRITEBACK_CACHE,
    ];
    if !cfg!(libfuse_since = "3.17") {
        wants.push(Capabilities::PASSTHROUGH);
    }
    for wants in wants {
        let (_dir, path) = source();
        let mounted = common::mount(Fs {
            wants,
            ..Fs::new(&path)
        });
        let file = open(&mounted).unwrap();
        assert_eq!(mounted.ops.results.next(), Err(Errno::EOPNOTSUPP));
        let mut bytes = [0; 8];
        file.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!(&bytes, b"contents");
        assert!(mounted.ops.requests() > 0);
        drop(file);
        assert_quiet();
    }
    let nobody = RequestContext::detached(0, 0, 0);
    let error = nobody.passthrough_open(io::stdin()).unwrap_err();
    assert_eq!(error, Errno::EOPNOTSUPP);
}
