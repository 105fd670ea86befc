//! Locks are the kernel's business: programs lock files of a file system that knows nothing of locks.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use libfuse3::Capabilities;
use libfuse3::ConnInfo;
use libfuse3::Operations;
use libfuse3::Result;
use rustix::fs::FlockOperation;

use crate::common;
use crate::common::Recorder;
use crate::common::memfs::MemFs;

/// The error that locking the file gives another process; 0 if it succeeds.
fn lock_elsewhere(path: &Path, lock: fn(&File, FlockOperation) -> rustix::io::Result<()>) -> i32 {
    let path = path.to_owned();
    let mut command = Command::new("true");
    let in_child = move || {
        let file = File::options().read(true).write(true).open(&path)?;
        Ok(lock(&file, FlockOperation::NonBlockingLockExclusive)?)
    };
    // SAFETY: the closure makes system calls and does not share anything with the parent; opening a
    // path as short as this one does not allocate.
    let command = unsafe { command.pre_exec(in_child) };
    match command.status() {
        Ok(status) => {
            assert!(status.success());
            0
        }
        Err(error) => error.raw_os_error().unwrap(),
    }
}

#[test]
fn posix_locks_work_between_two_processes() {
    common::require_fuse!();
    let mounted = common::mount(MemFs::default());
    let path = mounted.join("file");
    let file = File::create_new(&path).unwrap();
    let lock = |file: &File, operation| rustix::fs::fcntl_lock(file, operation);
    lock(&file, FlockOperation::LockExclusive).unwrap();
    assert_eq!(lock_elsewhere(&path, lock), libc::EAGAIN);
    lock(&file, FlockOperation::Unlock).unwrap();
    assert_eq!(lock_elsewhere(&path, lock), 0);
    common::assert_quiet();
}

#[test]
fn flock_works_between_two_processes() {
    common::require_fuse!();
    let mounted = common::mount(MemFs::default());
    let path = mounted.join("file");
    let file = File::create_new(&path).unwrap();
    let lock = |file: &File, operation| rustix::fs::flock(file, operation);
    lock(&file, FlockOperation::LockExclusive).unwrap();
    assert_eq!(lock_elsewhere(&path, lock), libc::EAGAIN);
    lock(&file, FlockOperation::Unlock).unwrap();
    assert_eq!(lock_elsewhere(&path, lock), 0);
    common::assert_quiet();
}

/// Tells what the library asks the kernel for.
#[derive(Default)]
struct Wishes(Recorder<Capabilities>);

impl Operations for Wishes {
    fn init(&self, conn: &mut ConnInfo) -> Result<()> {
        self.0.record(conn.wanted());
        Ok(())
    }
}

#[test]
fn nothing_is_asked_for_that_the_file_system_would_have_to_know() {
    common::require_fuse!();
    let mounted = common::mount(Wishes::default());
    let wanted = mounted.ops.0.next();
    let unknown = Capabilities::POSIX_LOCKS
        | Capabilities::FLOCK_LOCKS
        | Capabilities::READDIRPLUS_AUTO
        | Capabilities::ATOMIC_O_TRUNC
        | Capabilities::DONT_MASK
        | Capabilities::WRITEBACK_CACHE
        | Capabilities::POSIX_ACL;
    assert_eq!(wanted & unknown, Capabilities::empty());
}
