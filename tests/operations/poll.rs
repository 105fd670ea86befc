//! Waiting until a file is ready.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use libfuse3::Errno;
use libfuse3::FileHandle;
use libfuse3::FileInfo;
use libfuse3::FileRef;
use libfuse3::Inode;
use libfuse3::Operations;
use libfuse3::PollEvents;
use libfuse3::PollHandle;
use libfuse3::RequestContext;
use libfuse3::Result;
use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::time::Timespec;

use crate::common;
use crate::common::Client;
use crate::common::Mounted;
use crate::common::Recorder;
use crate::common::assert_quiet;
use crate::common::require_fuse;
use crate::one_file::one_file;
use crate::scripted::Call;
use crate::scripted::HANDLE;
use crate::scripted::Scripted;
use crate::scripted::answer;

/// Waits for events, but no longer than so long.
fn poll(file: impl AsFd, events: PollFlags, limit: Duration) -> io::Result<PollFlags> {
    let limit = Timespec::try_from(limit).unwrap();
    let mut polled = [PollFd::new(&file, events)];
    rustix::event::poll(&mut polled, Some(&limit))?;
    Ok(polled[0].revents())
}

/// What [`poll`] finds at once.
fn poll_now(file: impl AsFd, events: PollFlags) -> PollFlags {
    poll(file, events, Duration::ZERO).unwrap()
}

#[test]
fn poll_is_given_the_events() {
    require_fuse!();
    let mut fs = Scripted::with_file(0);
    answer!(
        fs.poll = |events, _| Ok(events & (PollEvents::IN | PollEvents::PRI) | PollEvents::HUP)
    );
    let mounted = common::mount(fs);
    let opened = File::open(mounted.join("file")).unwrap();
    mounted.ops.calls.drain();
    for (events, found) in [
        (PollFlags::IN, PollFlags::IN | PollFlags::HUP),
        (PollFlags::OUT, PollFlags::HUP),
        (
            PollFlags::IN | PollFlags::PRI | PollFlags::RDHUP,
            PollFlags::IN | PollFlags::PRI | PollFlags::HUP,
        ),
    ] {
        assert_eq!(poll_now(&opened, events), found);
        let Call::Poll(given, asked, handle) = mounted.ops.next_call().0 else {
            panic!("not poll")
        };
        assert_eq!((given.inode, given.fh), (Inode(2), HANDLE));
        let asked = asked.bits();
        assert_eq!(asked & u32::from(events.bits()), u32::from(events.bits()));
        assert_eq!(asked & u32::from(PollFlags::WRBAND.bits()), 0);
        assert!(!handle, "nobody waits");
    }
    assert_quiet();
}

#[test]
fn a_failed_poll_finds_an_error() {
    require_fuse!();
    let mut fs = Scripted::with_file(0);
    // One that fails must not switch it off.
    answer!(fs.poll = |_, _| Err(Errno::ENOSYS));
    let mounted = common::mount(fs);
    let opened = File::open(mounted.join("file")).unwrap();
    for _ in 0..2 {
        assert_eq!(poll_now(&opened, PollFlags::IN), PollFlags::ERR);
    }
    assert_eq!(mounted.ops.count(|call| matches!(call, Call::Poll(..))), 2);
    assert_quiet();
}

#[test]
fn files_without_poll_are_always_ready() {
    require_fuse!();
    let mounted = common::mount(Scripted::with_file(0));
    let opened = File::open(mounted.join("file")).unwrap();
    let both = PollFlags::IN | PollFlags::OUT;
    for _ in 0..2 {
        assert_eq!(poll_now(&opened, both), both);
    }
    assert_eq!(mounted.ops.count(|call| matches!(call, Call::Poll(..))), 1);
    assert_quiet();
}

/// Has a file that gets ready when the test says so.
#[derive(Default)]
struct Bell {
    ready: Mutex<PollEvents>,
    /// Whether somebody waits, for each call.
    news: Recorder<bool>,
    handle: Mutex<Option<PollHandle>>,
}

impl Bell {
    fn take_handle(&self) -> PollHandle {
        self.handle.lock().unwrap().take().expect("somebody waits")
    }
}

impl Operations for Bell {
    one_file!(open: FileInfo::new(FileHandle(7)));

    async fn poll(
        &self,
        file: FileRef,
        _events: PollEvents,
        handle: Option<PollHandle>,
        _ctx: &RequestContext,
    ) -> Result<PollEvents> {
        assert_eq!(file.fh, FileHandle(7));
        let waits = handle.is_some();
        if waits {
            *self.handle.lock().unwrap() = handle;
        }
        self.news.record(waits);
        Ok(*self.ready.lock().unwrap())
    }

    /// Gets it ready, and notifies from inside of a handler about this very inode.
    async fn fsync(&self, _file: FileRef, _datasync: bool, _ctx: &RequestContext) -> Result<()> {
        *self.ready.lock().unwrap() = PollEvents::PRI;
        self.take_handle().notify()
    }
}

/// Longer than any test.
const LONG: Duration = Duration::from_secs(1000);

#[test]
fn a_notification_wakes_who_polls() {
    require_fuse!();
    let mounted = common::mount(Bell::default());
    let opened = File::open(mounted.join("file")).unwrap();
    let client = Client::start(move || poll(opened, PollFlags::PRI, LONG));
    mounted.ops.news.find(|waits| *waits);
    // Woken for something else: it asks again, and goes on to wait.
    mounted.ops.take_handle().notify().unwrap();
    mounted.ops.news.find(|waits| *waits);
    *mounted.ops.ready.lock().unwrap() = PollEvents::PRI;
    mounted.ops.take_handle().notify().unwrap();
    assert_eq!(client.result().unwrap(), PollFlags::PRI);
    assert_quiet();
}

#[test]
fn a_handler_may_notify_about_its_own_file() {
    require_fuse!();
    let mounted = common::mount(Bell::default());
    let opened = Arc::new(File::open(mounted.join("file")).unwrap());
    let polled = Arc::clone(&opened);
    let client = Client::start(move || poll(polled, PollFlags::PRI, LONG));
    mounted.ops.news.find(|waits| *waits);
    opened.sync_all().unwrap();
    assert_eq!(client.result().unwrap(), PollFlags::PRI);
    assert_quiet();
}

/// A mount, and an open file in it that somebody has polled, who does not wait any more. The handle is
/// kept.
fn polled_in_vain() -> (Mounted<Bell>, Arc<File>) {
    let mounted = common::mount(Bell::default());
    let opened = Arc::new(File::open(mounted.join("file")).unwrap());
    let polled = Arc::clone(&opened);
    let client = Client::start(move || poll(polled, PollFlags::IN, Duration::from_millis(200)));
    mounted.ops.news.find(|waits| *waits);
    assert_eq!(client.result().unwrap(), PollFlags::empty());
    // The kernel asks once more when the time is over.
    mounted.ops.news.drain();
    (mounted, opened)
}

#[test]
fn nobody_need_be_waiting_any_more() {
    require_fuse!();
    let (mounted, _opened) = polled_in_vain();
    mounted.ops.take_handle().notify().unwrap();
    assert_quiet();
}

#[test]
fn a_handle_outlives_its_file_and_wakes_nobody_then() {
    require_fuse!();
    let (mounted, opened) = polled_in_vain();
    let handle = mounted.ops.take_handle();
    drop(opened);
    // A file that was opened since is not meant by it, though it has the same handle of the file system.
    let opened = File::open(mounted.join("file")).unwrap();
    let client = Client::start(move || poll(opened, PollFlags::IN, Duration::from_millis(200)));
    mounted.ops.news.find(|waits| *waits);
    handle.notify().unwrap();
    assert_eq!(client.result().unwrap(), PollFlags::empty());
    // When the time was over; not when it was woken as well.
    assert_eq!(mounted.ops.news.drain(), [true]);
    assert_quiet();
}

#[test]
fn a_handle_outlives_its_session_and_is_of_no_use_then() {
    require_fuse!();
    let (mounted, opened) = polled_in_vain();
    drop(opened);
    let bell = Arc::clone(&mounted.ops);
    mounted.unmount();
    assert_eq!(bell.take_handle().notify(), Err(Errno::ENODEV));
    assert_quiet();
}

#[test]
fn a_handle_that_is_kept_does_not_keep_the_session() {
    require_fuse!();
    let (mounted, opened) = polled_in_vain();
    drop(opened);
    let bell = Arc::downgrade(&mounted.ops);
    mounted.unmount();
    assert!(bell.upgrade().is_none(), "the file system is gone");
    assert_quiet();
}

#[test]
fn a_mount_that_ends_wakes_who_polls() {
    require_fuse!();
    common::require_abort!();
    let mounted = common::mount(Bell::default());
    let opened = File::open(mounted.join("file")).unwrap();
    let client = Client::start(move || poll(opened, PollFlags::IN, LONG));
    mounted.ops.news.find(|waits| *waits);
    mounted.abort();
    assert_eq!(client.result().unwrap(), PollFlags::ERR);
    mounted.join_session().unwrap();
}
