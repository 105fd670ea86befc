//! Locks that the kernel leaves to the file system.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::pin::pin;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Mutex;

use event_listener::Event;
use futures::future::Either;
use futures::future::select;
use libfuse3::Capabilities;
use libfuse3::ConnInfo;
use libfuse3::Errno;
use libfuse3::FileHandle;
use libfuse3::FileInfo;
use libfuse3::FileLock;
use libfuse3::FileRef;
use libfuse3::Inode;
use libfuse3::LockOwner;
use libfuse3::LockType;
use libfuse3::Operations;
use libfuse3::ReleaseFlags;
use libfuse3::RequestContext;
use libfuse3::Result;
use nix::fcntl::FcntlArg;
use rustix::fs::FlockOperation;

use crate::common;
use crate::common::Client;
use crate::common::Mounted;
use crate::common::Recorder;
use crate::common::assert_logged;
use crate::common::assert_quiet;
use crate::common::errno;
use crate::common::require_fuse;
use crate::one_file::one_file;
use crate::scripted::Scripted;
use crate::scripted::answer;

const FILE: Inode = Inode(2);

#[derive(Clone, Debug, PartialEq)]
enum News {
    Getlk(LockOwner, FileLock),
    Setlk(LockOwner, FileLock, bool),
    Flock(LockOwner, LockType, bool),
    /// A handler waits for a lock that is in the way.
    Waits,
    Interrupted,
    Flush(LockOwner),
    Release(LockOwner, ReleaseFlags),
}

/// Has a file that can be locked.
struct Locker {
    capabilities: Capabilities,
    news: Recorder<News>,
    /// Locks of ranges. None is ever split: the tests do not need that.
    posix: Mutex<Vec<(LockOwner, FileLock)>>,
    /// Locks of the whole file.
    flocks: Mutex<Vec<(LockOwner, LockType)>>,
    given_back: Event,
    /// Whether handlers wait for interruptions by themselves.
    is_interruptible: bool,
}

impl Locker {
    fn new(capabilities: Capabilities) -> Self {
        Self {
            capabilities,
            news: Recorder::new(),
            posix: Mutex::default(),
            flocks: Mutex::default(),
            given_back: Event::new(),
            is_interruptible: true,
        }
    }

    fn in_the_way(&self, owner: LockOwner, lock: &FileLock) -> Option<FileLock> {
        let posix = self.posix.lock().unwrap();
        let mut others = posix.iter().filter(|(other, _)| *other != owner);
        let found = others.find(|(_, other)| {
            other.overlaps(lock) && [other.lock_type, lock.lock_type].contains(&LockType::Exclusive)
        });
        found.map(|(_, other)| *other)
    }

    fn take_range(&self, owner: LockOwner, lock: FileLock) -> bool {
        if lock.lock_type != LockType::Unlock && self.in_the_way(owner, &lock).is_some() {
            return false;
        }
        let mut posix = self.posix.lock().unwrap();
        posix.retain(|(other, held)| *other != owner || !held.overlaps(&lock));
        if lock.lock_type != LockType::Unlock {
            posix.push((owner, lock));
        }
        true
    }

    fn take_file(&self, owner: LockOwner, lock_type: LockType) -> bool {
        let mut flocks = self.flocks.lock().unwrap();
        let is_free = flocks.iter().all(|(other, held)| {
            *other == owner || (*held, lock_type) == (LockType::Shared, LockType::Shared)
        });
        let takes = lock_type != LockType::Unlock;
        if takes && !is_free {
            return false;
        }
        flocks.retain(|(other, _)| *other != owner);
        if takes {
            flocks.push((owner, lock_type));
        }
        true
    }

    async fn lock(
        &self,
        sleep: bool,
        ctx: &RequestContext,
        take: impl Fn() -> bool + Send,
    ) -> Result<()> {
        loop {
            let listener = self.given_back.listen();
            if take() {
                self.given_back.notify(usize::MAX);
                return Ok(());
            }
            if !sleep {
                return Err(Errno::EAGAIN);
            }
            self.news.record(News::Waits);
            if !self.is_interruptible {
                listener.await;
            } else if let Either::Right(_) = select(listener, pin!(ctx.interrupted())).await {
                self.news.record(News::Interrupted);
                return Err(Errno::EINTR);
            }
        }
    }
}

impl Operations for Locker {
    fn init(&self, conn: &mut ConnInfo) -> Result<()> {
        conn.want(self.capabilities)
    }

    one_file!(open: FileInfo::new(FileHandle(42)));

    async fn flush(&self, file: FileRef, _ctx: &RequestContext) -> Result<()> {
        let mut posix = self.posix.lock().unwrap();
        posix.retain(|(owner, _)| *owner != file.lock_owner);
        self.given_back.notify(usize::MAX);
        self.news.record(News::Flush(file.lock_owner));
        Ok(())
    }

    async fn release(
        &self,
        file: FileRef,
        flags: ReleaseFlags,
        _ctx: &RequestContext,
    ) -> Result<()> {
        if flags.contains(ReleaseFlags::FLOCK_RELEASE) {
            self.take_file(file.lock_owner, LockType::Unlock);
            self.given_back.notify(usize::MAX);
        }
        self.news.record(News::Release(file.lock_owner, flags));
        Ok(())
    }

    async fn getlk(
        &self,
        file: FileRef,
        lock: FileLock,
        _ctx: &RequestContext,
    ) -> Result<Option<FileLock>> {
        assert_eq!((file.inode, file.fh), (FILE, FileHandle(42)));
        self.news.record(News::Getlk(file.lock_owner, lock));
        Ok(self.in_the_way(file.lock_owner, &lock))
    }

    async fn setlk(
        &self,
        file: FileRef,
        lock: FileLock,
        sleep: bool,
        ctx: &RequestContext,
    ) -> Result<()> {
        assert_eq!((file.inode, file.fh), (FILE, FileHandle(42)));
        self.news.record(News::Setlk(file.lock_owner, lock, sleep));
        self.lock(sleep, ctx, || self.take_range(file.lock_owner, lock))
            .await
    }

    async fn flock(
        &self,
        file: FileRef,
        lock_type: LockType,
        sleep: bool,
        ctx: &RequestContext,
    ) -> Result<()> {
        assert_eq!((file.inode, file.fh), (FILE, FileHandle(42)));
        self.news
            .record(News::Flock(file.lock_owner, lock_type, sleep));
        self.lock(sleep, ctx, || self.take_file(file.lock_owner, lock_type))
            .await
    }
}

impl Mounted<Locker> {
    fn open(&self) -> File {
        let path = self.join("file");
        File::options().read(true).write(true).open(path).unwrap()
    }

    /// The next call of a handler about locks.
    #[track_caller]
    fn next(&self) -> News {
        let news = &self.ops.news;
        news.find(|news| !matches!(news, News::Flush(..) | News::Release(..)))
    }
}

const POSIX: Capabilities = Capabilities::POSIX_LOCKS;
const FLOCK: Capabilities = Capabilities::FLOCK_LOCKS;

const SHARED: i32 = libc::F_RDLCK;
const EXCLUSIVE: i32 = libc::F_WRLCK;
const UNLOCK: i32 = libc::F_UNLCK;

/// A lock as `fcntl(2)` takes it.
fn range(lock_type: i32, start: i64, len: i64) -> libc::flock {
    libc::flock {
        l_type: lock_type as _,
        l_whence: libc::SEEK_SET as _,
        l_start: start,
        l_len: len,
        l_pid: 0,
    }
}

fn fcntl(file: impl AsFd, argument: FcntlArg<'_>) -> io::Result<()> {
    nix::fcntl::fcntl(file, argument)?;
    Ok(())
}

/// Takes a lock that belongs to the open file, not to the process.
fn lock_for_file(file: &File, lock: libc::flock) -> io::Result<()> {
    fcntl(file, FcntlArg::F_OFD_SETLK(&lock))
}

/// As [`lock_for_file`], and waits for it.
fn wait_for_lock(file: &File, lock: libc::flock) -> io::Result<()> {
    fcntl(file, FcntlArg::F_OFD_SETLKW(&lock))
}

/// Another process that has done something with the file, and has it open until it is dropped.
struct Other(Child);

impl Other {
    /// `act` must not allocate, and shares nothing with this process.
    fn start(path: &Path, act: fn(&File) -> io::Result<()>) -> io::Result<Self> {
        let path = path.to_owned();
        let mut command = Command::new("cat");
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        let in_child = move || {
            assert!(path.as_os_str().as_bytes().len() < 300);
            let file = File::options().read(true).write(true).open(&path)?;
            rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty())?;
            act(&file)?;
            std::mem::forget(file);
            Ok(())
        };
        // SAFETY: the closure makes system calls and does not share anything with the parent; opening
        // a path as short as this one does not allocate.
        let command = unsafe { command.pre_exec(in_child) };
        command.spawn().map(Self)
    }

    fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

// ---- POSIX locks -------------------------------------------------------------------------------

#[test]
fn setlk_is_given_type_range_and_owner() {
    require_fuse!();
    let mounted = common::mount(Locker::new(POSIX));
    let opened = mounted.open();
    let pid = std::process::id();
    let mut owners = Vec::new();
    for (lock, lock_type, pid) in [
        (range(SHARED, 0, 1), LockType::Shared, pid),
        (range(EXCLUSIVE, 10, 4096), LockType::Exclusive, pid),
        (range(SHARED, 1 << 40, 0), LockType::Shared, pid),
        (range(EXCLUSIVE, 0, 0), LockType::Exclusive, pid),
        (range(UNLOCK, 0, 0), LockType::Unlock, 0),
        (range(EXCLUSIVE, i64::MAX - 1, 1), LockType::Exclusive, pid),
    ] {
        let expected = FileLock {
            lock_type,
            start: lock.l_start.cast_unsigned(),
            len: lock.l_len.cast_unsigned(),
            pid,
        };
        fcntl(&opened, FcntlArg::F_SETLK(&lock)).unwrap();
        let News::Setlk(owner, given, false) = mounted.next() else {
            panic!("not setlk")
        };
        assert_eq!(given, expected);
        owners.push(owner);
        fcntl(&opened, FcntlArg::F_SETLKW(&lock)).unwrap();
        assert_eq!(mounted.next(), News::Setlk(owner, expected, true));
    }
    // One process, one owner, through whichever descriptor.
    fcntl(mounted.open(), FcntlArg::F_SETLK(&range(SHARED, 5, 1))).unwrap();
    let News::Setlk(owner, ..) = mounted.next() else {
        panic!("not setlk")
    };
    assert!(owners.iter().all(|other| *other == owner), "{owners:?}");
    // An open file is an owner of its own.
    lock_for_file(&opened, range(SHARED, 5, 1)).unwrap();
    let News::Setlk(other, ..) = mounted.next() else {
        panic!("not setlk")
    };
    assert_ne!(owner, other);
    assert_quiet();
}

#[test]
fn a_lock_of_another_process_is_in_the_way() {
    require_fuse!();
    let mounted = common::mount(Locker::new(POSIX));
    // Before this process has the file open: with its copy of that descriptor, the other would close
    // one of the file, and lose its lock.
    let other = Other::start(&mounted.join("file"), |file| {
        fcntl(file, FcntlArg::F_SETLK(&range(EXCLUSIVE, 100, 50)))
    });
    let other = other.unwrap();
    let opened = mounted.open();
    let lock = range(SHARED, 120, 0);
    assert_eq!(
        errno(fcntl(&opened, FcntlArg::F_SETLK(&lock))),
        libc::EAGAIN
    );
    let mut found = range(SHARED, 0, 0);
    fcntl(&opened, FcntlArg::F_GETLK(&mut found)).unwrap();
    assert_eq!(i32::from(found.l_type), EXCLUSIVE);
    assert_eq!((found.l_start, found.l_len), (100, 50));
    assert_eq!(found.l_pid.cast_unsigned(), other.id());
    // Not the owner of it: this gives nothing back.
    fcntl(&opened, FcntlArg::F_SETLK(&range(UNLOCK, 0, 0))).unwrap();
    assert_eq!(
        errno(fcntl(&opened, FcntlArg::F_SETLK(&lock))),
        libc::EAGAIN
    );
    // Beside it there is room.
    fcntl(&opened, FcntlArg::F_SETLK(&range(EXCLUSIVE, 150, 0))).unwrap();
    // It goes with the process.
    drop(other);
    fcntl(&opened, FcntlArg::F_SETLK(&lock)).unwrap();
    let mut found = range(EXCLUSIVE, 0, 0);
    fcntl(&opened, FcntlArg::F_GETLK(&mut found)).unwrap();
    assert_eq!(i32::from(found.l_type), UNLOCK);
    assert_quiet();
}

#[test]
fn getlk_is_given_type_range_and_owner() {
    require_fuse!();
    let mounted = common::mount(Locker::new(POSIX));
    let opened = mounted.open();
    lock_for_file(&opened, range(SHARED, 0, 10)).unwrap();
    let News::Setlk(owner, ..) = mounted.next() else {
        panic!("not setlk")
    };
    let mut found = range(EXCLUSIVE, 5, 7);
    fcntl(&opened, FcntlArg::F_OFD_GETLK(&mut found)).unwrap();
    let expected = FileLock {
        lock_type: LockType::Exclusive,
        start: 5,
        len: 7,
        pid: 0,
    };
    assert_eq!(mounted.next(), News::Getlk(owner, expected));
    assert_eq!(i32::from(found.l_type), UNLOCK);
    assert_quiet();
}

#[test]
fn closing_a_descriptor_tells_whose_locks_end() {
    require_fuse!();
    let mounted = common::mount(Locker::new(POSIX));
    let opened = mounted.open();
    fcntl(&opened, FcntlArg::F_SETLK(&range(EXCLUSIVE, 0, 0))).unwrap();
    let News::Setlk(owner, ..) = mounted.next() else {
        panic!("not setlk")
    };
    let lock = |file: &File| fcntl(file, FcntlArg::F_SETLK(&range(EXCLUSIVE, 0, 0)));
    let path = mounted.join("file");
    let refused = Other::start(&path, lock);
    assert_eq!(errno(refused.map(drop)), libc::EAGAIN);
    // Any descriptor of the file will do.
    drop(mounted.open());
    mounted.ops.news.find(|news| *news == News::Flush(owner));
    drop(Other::start(&path, lock).unwrap());
    assert_quiet();
}

#[test]
fn a_sleeping_lock_is_taken_when_it_is_given_back() {
    require_fuse!();
    let mounted = common::mount(Locker::new(POSIX));
    let first = mounted.open();
    lock_for_file(&first, range(EXCLUSIVE, 0, 10)).unwrap();
    mounted.next();
    let second = mounted.open();
    let client = Client::start(move || {
        wait_for_lock(&second, range(SHARED, 9, 5))?;
        Ok(second)
    });
    let News::Setlk(_, _, true) = mounted.next() else {
        panic!("not setlk")
    };
    assert_eq!(mounted.next(), News::Waits);
    lock_for_file(&first, range(UNLOCK, 0, 0)).unwrap();
    let second = client.result().unwrap();
    let refused = lock_for_file(&first, range(EXCLUSIVE, 0, 10));
    assert_eq!(errno(refused), libc::EAGAIN);
    drop(second);
    assert_quiet();
}

/// Has a caller wait for a lock in the way of `first`'s, and interrupts it.
#[track_caller]
fn interrupt_a_sleeping_lock(mounted: &Mounted<Locker>, first: &File) {
    lock_for_file(first, range(EXCLUSIVE, 0, 0)).unwrap();
    mounted.next();
    let second = mounted.open();
    let client = Client::start(move || wait_for_lock(&second, range(SHARED, 0, 1)));
    let News::Setlk(_, _, true) = mounted.next() else {
        panic!("not setlk")
    };
    assert_eq!(mounted.next(), News::Waits);
    client.interrupt();
    client.assert_eintr();
    // It was not taken after all.
    lock_for_file(first, range(UNLOCK, 0, 0)).unwrap();
    lock_for_file(first, range(EXCLUSIVE, 0, 0)).unwrap();
}

#[test]
fn an_interrupted_sleeping_lock_is_eintr() {
    require_fuse!();
    let mounted = common::mount(Locker::new(POSIX));
    let first = mounted.open();
    interrupt_a_sleeping_lock(&mounted, &first);
    assert_eq!(mounted.next(), News::Interrupted);
    assert_quiet();
}

#[test]
fn an_interrupted_sleeping_lock_is_eintr_without_the_handler() {
    require_fuse!();
    let locker = Locker {
        is_interruptible: false,
        ..Locker::new(POSIX)
    };
    let mounted = common::mount_with(locker, |builder| builder.cancel_on_interrupt(true));
    let first = mounted.open();
    interrupt_a_sleeping_lock(&mounted, &first);
    assert_quiet();
}

#[test]
fn a_lock_that_cannot_be_is_refused() {
    require_fuse!();
    let mounted = common::mount(Locker::new(POSIX));
    let opened = mounted.open();
    for (start, len) in [(u64::MAX, 1), (1 << 63, 0), (10, u64::MAX)] {
        let lock = FileLock {
            lock_type: LockType::Exclusive,
            start,
            len,
            pid: 1,
        };
        *mounted.ops.posix.lock().unwrap() = vec![(LockOwner(1), lock)];
        let mut found = range(EXCLUSIVE, 0, 0);
        let result = fcntl(&opened, FcntlArg::F_GETLK(&mut found));
        assert_eq!(errno(result), libc::EIO);
        let what = format!("a lock of {len} bytes from {start} on");
        assert_logged(&["getlk of inode 2", &what, "EIO"]);
    }
}

// ---- flock -------------------------------------------------------------------------------------

fn flock(file: &File, operation: FlockOperation) -> io::Result<()> {
    Ok(rustix::fs::flock(file, operation)?)
}

#[test]
fn flock_is_given_type_and_owner() {
    require_fuse!();
    let mounted = common::mount(Locker::new(FLOCK));
    let opened = mounted.open();
    let mut owners = Vec::new();
    for (operation, lock_type, sleep) in [
        (FlockOperation::LockShared, LockType::Shared, true),
        (FlockOperation::LockExclusive, LockType::Exclusive, true),
        (
            FlockOperation::NonBlockingLockShared,
            LockType::Shared,
            false,
        ),
        (
            FlockOperation::NonBlockingLockExclusive,
            LockType::Exclusive,
            false,
        ),
        (FlockOperation::Unlock, LockType::Unlock, true),
    ] {
        flock(&opened, operation).unwrap();
        let News::Flock(owner, given, given_sleep) = mounted.next() else {
            panic!("not flock")
        };
        // Whether giving back may sleep does not matter, and kernels differ.
        let given_sleep = given_sleep || lock_type == LockType::Unlock;
        assert_eq!((given, given_sleep), (lock_type, sleep));
        owners.push(owner);
    }
    assert!(owners.iter().all(|owner| *owner == owners[0]), "{owners:?}");
    // Another opening, another owner.
    let other = mounted.open();
    flock(&other, FlockOperation::LockShared).unwrap();
    let News::Flock(owner, ..) = mounted.next() else {
        panic!("not flock")
    };
    assert_ne!(owner, owners[0]);
    assert_quiet();
}

#[test]
fn an_flock_ends_with_the_open_file() {
    require_fuse!();
    let mounted = common::mount(Locker::new(FLOCK));
    let (first, second) = (mounted.open(), mounted.open());
    flock(&first, FlockOperation::LockExclusive).unwrap();
    let News::Flock(owner, ..) = mounted.next() else {
        panic!("not flock")
    };
    let refused = flock(&second, FlockOperation::NonBlockingLockShared);
    assert_eq!(errno(refused), libc::EAGAIN);
    mounted.next();
    let client = Client::start(move || {
        flock(&second, FlockOperation::LockShared)?;
        Ok(second)
    });
    mounted.next();
    assert_eq!(mounted.next(), News::Waits);
    drop(first);
    let released = mounted
        .ops
        .news
        .find(|news| matches!(news, News::Release(..)));
    assert_eq!(released, News::Release(owner, ReleaseFlags::FLOCK_RELEASE));
    drop(client.result().unwrap());
    assert_quiet();
}

#[test]
fn an_flock_of_another_process_is_in_the_way() {
    require_fuse!();
    let mounted = common::mount(Locker::new(FLOCK));
    let other = Other::start(&mounted.join("file"), |file| {
        flock(file, FlockOperation::LockExclusive)
    });
    let other = other.unwrap();
    let opened = mounted.open();
    let refused = flock(&opened, FlockOperation::NonBlockingLockShared);
    assert_eq!(errno(refused), libc::EAGAIN);
    // Not the owner of it: this gives nothing back.
    flock(&opened, FlockOperation::Unlock).unwrap();
    let refused = flock(&opened, FlockOperation::NonBlockingLockShared);
    assert_eq!(errno(refused), libc::EAGAIN);
    // It goes with the process.
    drop(other);
    flock(&opened, FlockOperation::LockShared).unwrap();
    assert_quiet();
}

#[test]
fn an_interrupted_sleeping_flock_is_eintr() {
    require_fuse!();
    let mounted = common::mount(Locker::new(FLOCK));
    let (first, second) = (mounted.open(), mounted.open());
    flock(&first, FlockOperation::LockExclusive).unwrap();
    mounted.next();
    let client = Client::start(move || flock(&second, FlockOperation::LockExclusive));
    mounted.next();
    assert_eq!(mounted.next(), News::Waits);
    client.interrupt();
    client.assert_eintr();
    assert_eq!(mounted.next(), News::Interrupted);
    assert_quiet();
}

// ---- who keeps the locks -----------------------------------------------------------------------

#[test]
fn locks_stay_in_the_kernel_unless_asked_for() {
    require_fuse!();
    let mounted = common::mount(Locker::new(Capabilities::empty()));
    let (first, second) = (mounted.open(), mounted.open());
    lock_for_file(&first, range(EXCLUSIVE, 0, 0)).unwrap();
    let refused = lock_for_file(&second, range(SHARED, 5, 1));
    assert_eq!(errno(refused), libc::EAGAIN);
    flock(&first, FlockOperation::LockExclusive).unwrap();
    let refused = flock(&second, FlockOperation::NonBlockingLockShared);
    assert_eq!(errno(refused), libc::EAGAIN);
    drop((first, second));
    let asked = mounted.ops.news.drain();
    let asked = asked
        .iter()
        .any(|news| !matches!(news, News::Flush(..) | News::Release(..)));
    assert!(!asked);
    assert_quiet();
}

#[test]
fn each_kind_of_lock_is_asked_for_by_itself() {
    require_fuse!();
    for (capabilities, posix) in [(POSIX, true), (FLOCK, false)] {
        let mounted = common::mount(Locker::new(capabilities));
        let opened = mounted.open();
        lock_for_file(&opened, range(EXCLUSIVE, 0, 0)).unwrap();
        flock(&opened, FlockOperation::LockExclusive).unwrap();
        let is_posix = matches!(mounted.next(), News::Setlk(..));
        assert_eq!(is_posix, posix);
        let asked = mounted.ops.news.drain();
        let more = asked
            .iter()
            .any(|news| matches!(news, News::Setlk(..) | News::Flock(..)));
        assert!(!more, "{asked:?}");
    }
    assert_quiet();
}

#[test]
fn locks_that_are_not_implemented_are_enosys() {
    require_fuse!();
    let mut fs = Scripted::with_file(0);
    answer!(fs.init = |conn| conn.want(POSIX | FLOCK));
    let mounted = common::mount(fs);
    let opened = File::open(mounted.join("file")).unwrap();
    for _ in 0..2 {
        let lock = fcntl(&opened, FcntlArg::F_SETLK(&range(SHARED, 0, 0)));
        assert_eq!(errno(lock), libc::ENOSYS);
        let mut found = range(SHARED, 0, 0);
        let lock = fcntl(&opened, FcntlArg::F_GETLK(&mut found));
        assert_eq!(errno(lock), libc::ENOSYS);
        let lock = flock(&opened, FlockOperation::LockShared);
        assert_eq!(errno(lock), libc::ENOSYS);
    }
    assert_quiet();
}
