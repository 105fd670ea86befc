//! Each request reaches its handler with the arguments that it was sent with.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::sync::Mutex;

use libfuse3::testing::MockKernel;
use libfuse3::testing::Notification;
use libfuse3::testing::OpenFile;
use libfuse3::testing::Request;
use libfuse3::*;

use crate::common;
use crate::common::Recorder;
use crate::common::attributes;

const FILE: Inode = Inode(2);

/// Writes down what it is asked, in words.
#[derive(Default)]
struct Fs {
    calls: Recorder<String>,
    handle: Mutex<Option<PollHandle>>,
}

impl Fs {
    fn note(&self, call: impl Into<String>) {
        self.calls.record(call.into());
    }
}

impl Operations for Fs {
    fn init(&self, conn: &mut ConnInfo) -> Result<()> {
        conn.want(Capabilities::POSIX_LOCKS | Capabilities::FLOCK_LOCKS)
    }

    async fn access(&self, _: Inode, mode: AccessFlags, _: &RequestContext) -> Result<()> {
        self.note(format!("access {mode:?}"));
        Ok(())
    }

    async fn readlink(&self, inode: Inode, _: &RequestContext) -> Result<OsString> {
        Ok(format!("target of {inode}").into())
    }

    async fn symlink(
        &self,
        parent: Inode,
        name: &OsStr,
        target: &OsStr,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        self.note(format!("symlink {parent} {name:?} {target:?}"));
        Ok(attributes(FILE, libc::S_IFLNK | 0o777))
    }

    async fn link(
        &self,
        inode: Inode,
        parent: Inode,
        name: &OsStr,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        self.note(format!("link {inode} {parent} {name:?}"));
        Ok(attributes(inode, libc::S_IFREG))
    }

    async fn rename(&self, rename: Rename<'_>, _: &RequestContext) -> Result<()> {
        let Rename {
            parent,
            name,
            new_parent,
            new_name,
            flags,
        } = rename;
        let flags = flags.bits();
        self.note(format!(
            "rename {parent} {name:?} {new_parent} {new_name:?} {flags}"
        ));
        Ok(())
    }

    async fn open(&self, _: Inode, flags: OpenFlags, _: &RequestContext) -> Result<FileInfo> {
        self.note(format!("open {}", flags.bits() & libc::O_ACCMODE));
        Ok(FileInfo {
            fh: FileHandle(77),
            direct_io: true,
            keep_cache: false,
            nonseekable: true,
            ..FileInfo::default()
        })
    }

    async fn flush(&self, file: FileRef, _: &RequestContext) -> Result<()> {
        self.note(format!("flush {} by {}", file.fh, file.lock_owner));
        Ok(())
    }

    async fn release(&self, file: FileRef, flags: ReleaseFlags, _: &RequestContext) -> Result<()> {
        self.note(format!("release {} {flags:?}", file.fh));
        Ok(())
    }

    async fn fsync(&self, file: FileRef, datasync: bool, _: &RequestContext) -> Result<()> {
        self.note(format!("fsync {} {datasync}", file.fh));
        Ok(())
    }

    async fn fallocate(
        &self,
        file: FileRef,
        mode: FallocateFlags,
        offset: u64,
        len: u64,
        _: &RequestContext,
    ) -> Result<()> {
        self.note(format!("fallocate {} {mode:?} {offset} {len}", file.fh));
        Ok(())
    }

    async fn lseek(
        &self,
        file: FileRef,
        offset: u64,
        target: SeekTarget,
        _: &RequestContext,
    ) -> Result<u64> {
        self.note(format!("lseek {} {offset} {target:?}", file.fh));
        Ok(offset + 1)
    }

    async fn copy_file_range(&self, copy: CopyFileRange, _: &RequestContext) -> Result<usize> {
        let CopyFileRange {
            file_in,
            offset_in,
            file_out,
            offset_out,
            len,
            ..
        } = copy;
        let (from, to) = (file_in.inode, file_out.inode);
        self.note(format!("copy {from} {offset_in} {to} {offset_out} {len}"));
        Ok(len - 1)
    }

    async fn getlk(
        &self,
        file: FileRef,
        lock: FileLock,
        _: &RequestContext,
    ) -> Result<Option<FileLock>> {
        self.note(format!("getlk by {} {lock:?}", file.lock_owner));
        let pid = 9;
        Ok((lock.len != 1).then_some(FileLock { pid, ..lock }))
    }

    async fn setlk(
        &self,
        _: FileRef,
        lock: FileLock,
        sleep: bool,
        _: &RequestContext,
    ) -> Result<()> {
        self.note(format!(
            "setlk {:?} {} {} {sleep}",
            lock.lock_type, lock.start, lock.len
        ));
        Ok(())
    }

    async fn flock(
        &self,
        _: FileRef,
        lock_type: LockType,
        sleep: bool,
        _: &RequestContext,
    ) -> Result<()> {
        self.note(format!("flock {lock_type:?} {sleep}"));
        Ok(())
    }

    async fn poll(
        &self,
        _: FileRef,
        events: PollEvents,
        handle: Option<PollHandle>,
        _: &RequestContext,
    ) -> Result<PollEvents> {
        *self.handle.lock().unwrap() = handle;
        Ok(events & PollEvents::OUT)
    }

    async fn fsyncdir(&self, _: FileRef, datasync: bool, _: &RequestContext) -> Result<()> {
        self.note(format!("fsyncdir {datasync}"));
        Ok(())
    }

    async fn setxattr(
        &self,
        _: Inode,
        name: &OsStr,
        value: &[u8],
        flags: XattrFlags,
        _: &RequestContext,
    ) -> Result<()> {
        self.note(format!("setxattr {name:?} {value:?} {}", flags.bits()));
        Ok(())
    }

    async fn getxattr(&self, _: Inode, name: &OsStr, _: &RequestContext) -> Result<Vec<u8>> {
        match name.to_str() {
            Some("user.x") => Ok(b"value".to_vec()),
            _ => Err(Errno::ENOATTR),
        }
    }

    async fn listxattr(&self, _: Inode, _: &RequestContext) -> Result<Vec<OsString>> {
        Ok(vec!["user.x".into(), "user.y".into()])
    }

    async fn removexattr(&self, _: Inode, name: &OsStr, _: &RequestContext) -> Result<()> {
        self.note(format!("removexattr {name:?}"));
        Ok(())
    }
}

fn start() -> (MockKernel<Fs>, OpenFile) {
    common::install_logger();
    let kernel = MockKernel::new(Fs::default()).unwrap();
    let mut file = kernel.open(FILE, OpenFlags::RDWR).unwrap();
    kernel.operations().calls.expect("open 2".to_owned());
    file.file.lock_owner = LockOwner(55);
    (kernel, file)
}

#[track_caller]
fn expect(kernel: &MockKernel<Fs>, call: &str) {
    kernel.operations().calls.expect(call.to_owned());
}

#[test]
fn requests_on_names() {
    let (kernel, _) = start();
    let made = kernel.symlink(ROOT_INODE, "link", "where to").unwrap();
    expect(&kernel, "symlink 1 \"link\" \"where to\"");
    assert_eq!(made.file_type(), libc::S_IFLNK);
    assert_eq!(kernel.readlink(made.ino).unwrap(), "target of 2");
    kernel.link(FILE, ROOT_INODE, "other").unwrap();
    expect(&kernel, "link 2 1 \"other\"");
    assert_eq!(kernel.lookup_count(FILE), 2);
    let (from, to) = ((ROOT_INODE, "a"), (Inode(3), "b"));
    kernel.rename(from, to, RenameFlags::empty()).unwrap();
    expect(&kernel, "rename 1 \"a\" 3 \"b\" 0");
    kernel.rename(from, to, RenameFlags::EXCHANGE).unwrap();
    expect(&kernel, "rename 1 \"a\" 3 \"b\" 2");
    kernel.access(FILE, AccessFlags::READ).unwrap();
    expect(&kernel, "access AccessFlags(READ)");
}

#[test]
fn requests_on_files() {
    let (kernel, file) = start();
    assert!(file.info.direct_io && file.info.nonseekable && !file.info.keep_cache);
    kernel.flush(&file).unwrap();
    expect(&kernel, "flush 77 by 55");
    kernel.fsync(&file, true).unwrap();
    expect(&kernel, "fsync 77 true");
    kernel
        .fallocate(&file, FallocateFlags::KEEP_SIZE, 1, 2)
        .unwrap();
    expect(&kernel, "fallocate 77 FallocateFlags(KEEP_SIZE) 1 2");
    assert_eq!(kernel.lseek(&file, 9, SeekTarget::Hole), Ok(10));
    expect(&kernel, "lseek 77 9 Hole");
    let other = kernel.open(Inode(3), OpenFlags::empty()).unwrap();
    expect(&kernel, "open 0");
    assert_eq!(kernel.copy_file_range((&file, 1), (&other, 2), 30), Ok(29));
    expect(&kernel, "copy 2 1 3 2 30");
    kernel
        .call(Request::release(other, ReleaseFlags::FLUSH))
        .unwrap();
    expect(&kernel, "release 77 ReleaseFlags(FLUSH)");
    kernel.release(file).unwrap();
    expect(&kernel, "release 77 ReleaseFlags(0x0)");
    let dir = kernel.opendir(ROOT_INODE).unwrap();
    kernel.fsyncdir(&dir, false).unwrap();
    expect(&kernel, "fsyncdir false");
    kernel.releasedir(dir).unwrap();
}

#[test]
fn requests_for_locks() {
    let (kernel, file) = start();
    let lock = |len| FileLock {
        lock_type: LockType::Exclusive,
        start: 5,
        len,
        pid: 4,
    };
    for len in [0, 10] {
        let held = kernel.getlk(&file, lock(len)).unwrap().unwrap();
        assert_eq!(
            held,
            FileLock {
                pid: 9,
                ..lock(len)
            }
        );
        expect(&kernel, &format!("getlk by 55 {:?}", lock(len)));
    }
    assert_eq!(kernel.getlk(&file, lock(1)), Ok(None));
    expect(&kernel, &format!("getlk by 55 {:?}", lock(1)));
    kernel.setlk(&file, lock(10), false).unwrap();
    expect(&kernel, "setlk Exclusive 5 10 false");
    kernel.setlk(&file, lock(10), true).unwrap();
    expect(&kernel, "setlk Exclusive 5 10 true");
    kernel.flock(&file, LockType::Shared, true).unwrap();
    expect(&kernel, "flock Shared true");
}

#[test]
fn requests_for_events() {
    let (kernel, file) = start();
    let events = PollEvents::IN | PollEvents::OUT;
    assert_eq!(kernel.poll(&file, events, None), Ok(PollEvents::OUT));
    let handle = || kernel.operations().handle.lock().unwrap().take();
    assert!(handle().is_none());
    assert_eq!(kernel.poll(&file, events, Some(4711)), Ok(PollEvents::OUT));
    let handle = handle().expect("somebody waits");
    handle.notify().unwrap();
    let expected = Notification::Poll { wake_up: 4711 };
    assert_eq!(kernel.notification(), Some(expected));
}

#[test]
fn requests_on_extended_attributes() {
    let (kernel, _) = start();
    kernel
        .setxattr(FILE, "user.long-enough", b"\x01\x02", XattrFlags::CREATE)
        .unwrap();
    expect(&kernel, "setxattr \"user.long-enough\" [1, 2] 1");
    assert_eq!(kernel.getxattr(FILE, "user.x").unwrap(), b"value");
    assert_eq!(kernel.getxattr(FILE, "user.z"), Err(Errno::ENOATTR));
    let size = kernel.call(Request::getxattr_size(FILE, "user.x"));
    assert_eq!(size, Ok(5));
    let short = kernel.call(Request::getxattr(FILE, "user.x", 4));
    assert_eq!(short, Err(Errno::ERANGE));
    assert_eq!(kernel.listxattr(FILE).unwrap(), ["user.x", "user.y"]);
    kernel.removexattr(FILE, "user.x").unwrap();
    expect(&kernel, "removexattr \"user.x\"");
}
