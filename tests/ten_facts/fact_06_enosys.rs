//! `ENOSYS` switches an operation off for the whole mount: only one that is not implemented says so.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::fs::File;
use std::os::fd::IntoRawFd;
use std::path::Path;
use std::sync::Mutex;

use libfuse3::AccessFlags;
use libfuse3::EntryAttributes;
use libfuse3::Errno;
use libfuse3::FallocateFlags;
use libfuse3::FileInfo;
use libfuse3::FileRef;
use libfuse3::Inode;
use libfuse3::MountOptions;
use libfuse3::OpenFlags;
use libfuse3::Operations;
use libfuse3::Rename;
use libfuse3::RequestContext;
use libfuse3::Result;
use libfuse3::StatvfsData;
use libfuse3::XattrFlags;
use rustix::fs::Access;
use rustix::fs::CWD;
use rustix::fs::RenameFlags;

use crate::common;
use crate::common::Mounted;
use crate::file;
use crate::root_or_file;

const FILE: Inode = Inode(2);

/// Has the files `file` and `other`; most else is answered with one and the same error, and counted.
struct Failing {
    answer: Errno,
    calls: Mutex<HashMap<&'static str, usize>>,
}

impl Failing {
    fn fail<T>(&self, operation: &'static str) -> Result<T> {
        *self.calls.lock().unwrap().entry(operation).or_default() += 1;
        Err(self.answer)
    }

    fn calls(&self, operation: &str) -> usize {
        let calls = self.calls.lock().unwrap();
        calls.get(operation).copied().unwrap_or(0)
    }
}

impl Operations for Failing {
    async fn lookup(&self, _: Inode, name: &OsStr, _: &RequestContext) -> Result<EntryAttributes> {
        match name.to_str() {
            Some("file") => Ok(file(FILE)),
            Some("other") => Ok(file(Inode(3))),
            Some("failing") => self.fail("lookup"),
            _ => Err(Errno::ENOENT),
        }
    }

    async fn getattr(
        &self,
        inode: Inode,
        _: Option<FileRef>,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        Ok(root_or_file(inode))
    }

    async fn access(&self, _: Inode, _: AccessFlags, _: &RequestContext) -> Result<()> {
        self.fail("access")
    }

    async fn create(
        &self,
        _: Inode,
        _: &OsStr,
        _: u32,
        _: OpenFlags,
        _: &RequestContext,
    ) -> Result<(FileInfo, EntryAttributes)> {
        self.fail("create")
    }

    async fn mknod(
        &self,
        _: Inode,
        _: &OsStr,
        _: u32,
        _: u64,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        Ok(file(FILE))
    }

    async fn unlink(&self, _: Inode, _: &OsStr, _: &RequestContext) -> Result<()> {
        self.fail("unlink")
    }

    async fn rename(&self, _: Rename<'_>, _: &RequestContext) -> Result<()> {
        self.fail("rename")
    }

    async fn link(
        &self,
        _: Inode,
        _: Inode,
        _: &OsStr,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        self.fail("link")
    }

    async fn open(&self, inode: Inode, _: OpenFlags, _: &RequestContext) -> Result<FileInfo> {
        match inode {
            FILE => Ok(FileInfo::default()),
            _ => self.fail("open"),
        }
    }

    async fn flush(&self, _: FileRef, _: &RequestContext) -> Result<()> {
        self.fail("flush")
    }

    async fn fsync(&self, _: FileRef, _: bool, _: &RequestContext) -> Result<()> {
        self.fail("fsync")
    }

    async fn fallocate(
        &self,
        _: FileRef,
        _: FallocateFlags,
        _: u64,
        _: u64,
        _: &RequestContext,
    ) -> Result<()> {
        self.fail("fallocate")
    }

    async fn fsyncdir(&self, _: FileRef, _: bool, _: &RequestContext) -> Result<()> {
        self.fail("fsyncdir")
    }

    async fn statfs(&self, _: Inode, _: &RequestContext) -> Result<StatvfsData> {
        self.fail("statfs")
    }

    async fn setxattr(
        &self,
        _: Inode,
        _: &OsStr,
        _: &[u8],
        _: XattrFlags,
        _: &RequestContext,
    ) -> Result<()> {
        self.fail("setxattr")
    }

    async fn getxattr(&self, _: Inode, _: &OsStr, _: &RequestContext) -> Result<Vec<u8>> {
        self.fail("getxattr")
    }

    async fn listxattr(&self, _: Inode, _: &RequestContext) -> Result<Vec<OsString>> {
        self.fail("listxattr")
    }

    async fn removexattr(&self, _: Inode, _: &OsStr, _: &RequestContext) -> Result<()> {
        self.fail("removexattr")
    }
}

/// A system call on the mount's root, or on a path in it.
type SystemCall = fn(&Path) -> std::io::Result<()>;

/// The operations whose `ENOSYS` the kernel remembers: a system call that sends each, and what that
/// returns when the operation is not implemented.
const LATCHES: [(&str, SystemCall, i32); 10] = [
    ("access", access, 0),
    ("flush", open_and_close, 0),
    ("fsync", |root| File::open(root.join("file"))?.sync_all(), 0),
    ("fsyncdir", |root| File::open(root)?.sync_all(), 0),
    (
        "getxattr",
        |root| libfuse3::getxattr(root.join("file"), "user.x").map(drop),
        libc::EOPNOTSUPP,
    ),
    (
        "setxattr",
        |root| libfuse3::setxattr(root.join("file"), "user.x", "1"),
        libc::EOPNOTSUPP,
    ),
    ("listxattr", list_xattr, libc::EOPNOTSUPP),
    (
        "removexattr",
        |root| Ok(rustix::fs::removexattr(root.join("file"), "user.x")?),
        libc::EOPNOTSUPP,
    ),
    ("rename", exchange, libc::EINVAL),
    ("fallocate", fallocate, libc::EOPNOTSUPP),
];

fn access(root: &Path) -> std::io::Result<()> {
    Ok(rustix::fs::access(root.join("file"), Access::READ_OK)?)
}

fn open_and_close(root: &Path) -> std::io::Result<()> {
    let file = File::open(root.join("file"))?;
    // SAFETY: the descriptor belongs to nobody else.
    match unsafe { libc::close(file.into_raw_fd()) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

fn list_xattr(root: &Path) -> std::io::Result<()> {
    let mut names = [0; 100];
    rustix::fs::listxattr(root.join("file"), &mut names[..])?;
    Ok(())
}

fn fallocate(root: &Path) -> std::io::Result<()> {
    let file = File::options().write(true).open(root.join("file"))?;
    let mode = rustix::fs::FallocateFlags::empty();
    Ok(rustix::fs::fallocate(&file, mode, 0, 1)?)
}

fn exchange(root: &Path) -> std::io::Result<()> {
    let (file, other) = (root.join("file"), root.join("other"));
    Ok(rustix::fs::renameat_with(
        CWD,
        &file,
        CWD,
        &other,
        RenameFlags::EXCHANGE,
    )?)
}

fn mount(answer: Errno) -> Mounted<Failing> {
    let fs = Failing {
        answer,
        calls: Mutex::default(),
    };
    // Without `default_permissions`, so that `access` is called.
    common::mount_with(fs, |builder| builder.options(MountOptions::empty()))
}

fn errno_or_0(result: std::io::Result<()>) -> i32 {
    result.map_or_else(|error| error.raw_os_error().unwrap(), |()| 0)
}

#[test]
fn enosys_of_a_handler_does_not_switch_its_operation_off() {
    common::require_fuse!();
    let mounted = mount(Errno::ENOSYS);
    for (operation, call, _) in LATCHES {
        let before = mounted.ops.calls(operation);
        for _ in 0..2 {
            let result = errno_or_0(call(mounted.path()));
            assert_eq!(result, libc::EOPNOTSUPP, "{operation}");
        }
        assert_eq!(mounted.ops.calls(operation) - before, 2, "{operation}");
    }
    for number in 0..2 {
        let created = File::create_new(mounted.join(format!("new{number}")));
        assert_eq!(common::errno(created), libc::EOPNOTSUPP);
        let linked = std::fs::hard_link(mounted.join("file"), mounted.join("link"));
        assert_eq!(common::errno(linked), libc::EOPNOTSUPP);
    }
    assert_eq!(
        (mounted.ops.calls("create"), mounted.ops.calls("link")),
        (2, 2)
    );
}

#[test]
fn enosys_that_the_kernel_does_not_remember_goes_out_as_it_is() {
    common::require_fuse!();
    let mounted = mount(Errno::ENOSYS);
    for _ in 0..2 {
        let opened = File::open(mounted.join("failing"));
        assert_eq!(common::errno(opened), libc::ENOSYS);
        let removed = std::fs::remove_file(mounted.join("file"));
        assert_eq!(common::errno(removed), libc::ENOSYS);
        let numbers = rustix::fs::statvfs(mounted.path());
        assert_eq!(numbers.map(drop).unwrap_err().raw_os_error(), libc::ENOSYS);
    }
    for operation in ["lookup", "unlink", "statfs"] {
        assert_eq!(mounted.ops.calls(operation), 2, "{operation}");
    }
}

#[test]
fn an_operation_that_is_not_implemented_is_asked_for_once() {
    common::require_fuse!();
    let mounted = mount(Errno::NOT_IMPLEMENTED);
    for (operation, call, expected) in LATCHES {
        // Other calls may have asked for it already.
        let first = errno_or_0(call(mounted.path()));
        let after_first = mounted.ops.calls(operation);
        let second = errno_or_0(call(mounted.path()));
        assert_eq!((first, second), (expected, expected), "{operation}");
        assert_eq!(after_first, 1, "{operation}");
        assert_eq!(mounted.ops.calls(operation), 1, "{operation}");
    }
    // The kernel makes do with `mknod` and `open`.
    for number in 0..2 {
        File::create_new(mounted.join(format!("new{number}"))).unwrap();
    }
    assert_eq!(mounted.ops.calls("create"), 1);
    common::assert_quiet();
}

#[test]
fn open_and_statfs_that_are_not_implemented_succeed_every_time() {
    common::require_fuse!();
    let mounted = mount(Errno::NOT_IMPLEMENTED);
    for _ in 0..2 {
        File::open(mounted.join("file")).unwrap();
        let numbers = rustix::fs::statvfs(mounted.path()).unwrap();
        assert_eq!((numbers.f_bsize, numbers.f_namemax), (512, 255));
    }
    assert_eq!(mounted.ops.calls("statfs"), 2);
    common::assert_quiet();
}
