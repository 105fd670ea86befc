//! What the kernel is told about changes that did not come through the mount.

use std::fs;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use libfuse3::Data;
use libfuse3::EntryAttributes;
use libfuse3::Errno;
use libfuse3::Inode;
use libfuse3::Result;
use libfuse3::Session;
use rustix::fs::inotify;
use smol::block_on;

use crate::common;
use crate::common::MountDir;
use crate::common::Mounted;
use crate::common::TimeLimit;
use crate::common::assert_logged;
use crate::common::assert_quiet;
use crate::common::errno;
use crate::common::require_fuse;
use crate::scripted::Cached;
use crate::scripted::Call;
use crate::scripted::Scripted;
use crate::scripted::answer;
use crate::scripted::dir;
use crate::scripted::file;

/// So that the kernel asks for nothing twice by itself.
const LONG: Duration = Duration::from_secs(1000);

/// A file system with `file`, inode 2, of ten bytes that are always the same digit, which can be
/// changed behind the kernel's back.
fn cached() -> (Scripted, Arc<Mutex<u8>>) {
    let digit = Arc::new(Mutex::new(b'0'));
    let current = Arc::clone(&digit);
    let attr = EntryAttributes {
        size: 10,
        ..file(2).with_timeouts(LONG)
    };
    let mut fs = Scripted::with_file(10)
        .with("file", attr)
        .with("dir", dir(3).with_timeouts(LONG));
    fs.set(dir(1).with_timeouts(LONG));
    answer!(
        fs.read = move |offset, size| {
            let left = 10_usize.saturating_sub(usize::try_from(offset).unwrap());
            Ok(vec![*current.lock().unwrap(); left.min(size)].into())
        }
    );
    (fs, digit)
}

/// Makes sure that the kernel knows name, attributes and contents of `file`.
fn fill_cache(mounted: &Mounted<Scripted>) {
    let stat = || {
        fs::metadata(mounted.join("file")).unwrap();
        fs::metadata(mounted.join("dir")).unwrap();
    };
    fs::read(mounted.join("file")).unwrap();
    stat();
    mounted.ops.calls.drain();
    stat();
    let asked = mounted
        .ops
        .count(|call| is_lookup(call) || is_getattr(call));
    assert_eq!(asked, 0, "all is known");
    // Reading makes the time of access unknown.
    fs::read(mounted.join("file")).unwrap();
    assert_eq!(mounted.ops.count(is_read), 0, "all is known");
    stat();
    mounted.ops.calls.drain();
}

fn is_lookup(call: &Call) -> bool {
    matches!(call, Call::Lookup(..))
}

fn is_getattr(call: &Call) -> bool {
    matches!(call, Call::Getattr(Inode(2), _))
}

fn is_read(call: &Call) -> bool {
    matches!(call, Call::Read(..))
}

// ---- inodes ------------------------------------------------------------------------------------

#[test]
fn an_invalidated_inode_is_asked_about_again() {
    require_fuse!();
    let (fs, digit) = cached();
    let mounted = common::mount(fs);
    fill_cache(&mounted);
    *digit.lock().unwrap() = b'1';
    assert_eq!(fs::read(mounted.join("file")).unwrap(), b"0000000000");
    mounted.ops.set(EntryAttributes {
        size: 10,
        uid: 77,
        ..file(2).with_timeouts(LONG)
    });
    block_on(mounted.notifier().invalidate_inode(Inode(2), false)).unwrap();
    mounted.ops.calls.drain();
    assert_eq!(fs::read(mounted.join("file")).unwrap(), b"1111111111");
    assert_eq!(fs::metadata(mounted.join("file")).unwrap().uid(), 77);
    let calls = mounted.ops.calls_so_far();
    assert!(calls.iter().any(is_read) && calls.iter().any(is_getattr));
    assert!(!calls.iter().any(is_lookup), "the name is still known");
    assert_quiet();
}

#[test]
fn invalidated_attributes_leave_the_contents() {
    require_fuse!();
    let (fs, digit) = cached();
    let mounted = common::mount(fs);
    fill_cache(&mounted);
    *digit.lock().unwrap() = b'1';
    block_on(mounted.notifier().invalidate_inode(Inode(2), true)).unwrap();
    assert_eq!(fs::read(mounted.join("file")).unwrap(), b"0000000000");
    let calls = mounted.ops.calls_so_far();
    assert!(calls.iter().any(is_getattr) && !calls.iter().any(is_read));
    assert_quiet();
}

#[test]
fn an_open_file_shows_new_contents_after_an_invalidation() {
    require_fuse!();
    let (fs, digit) = cached();
    let mounted = common::mount(fs);
    let opened = File::open(mounted.join("file")).unwrap();
    let read = || {
        let mut bytes = [0; 3];
        opened.read_exact_at(&mut bytes, 2).unwrap();
        bytes
    };
    assert_eq!(&read(), b"000");
    for round in b'1'..=b'9' {
        *digit.lock().unwrap() = round;
        block_on(mounted.notifier().invalidate_inode(Inode(2), false)).unwrap();
        assert_eq!(read(), [round; 3]);
    }
    assert_quiet();
}

#[test]
fn a_part_of_the_contents_can_be_invalidated() {
    require_fuse!();
    const PAGE: usize = 4096;
    let digit = Arc::new(Mutex::new(b'0'));
    let current = Arc::clone(&digit);
    let attr = EntryAttributes {
        size: 4 * PAGE as u64,
        ..file(2).with_timeouts(LONG)
    };
    let mut fs = Scripted::with_file(0).with("file", attr);
    answer!(fs.read = move |_, size| Ok(vec![*current.lock().unwrap(); size].into()));
    let mounted = common::mount(fs);
    let opened = File::open(mounted.join("file")).unwrap();
    let pages = || {
        let mut bytes = vec![0; 4 * PAGE];
        opened.read_exact_at(&mut bytes, 0).unwrap();
        bytes.chunks(PAGE).map(|page| page[0]).collect::<Vec<_>>()
    };
    let notifier = mounted.notifier();
    assert_eq!(pages(), b"0000");
    let change = |to| *digit.lock().unwrap() = to;
    change(b'1');
    // Any byte of a page stands for the page.
    block_on(notifier.invalidate_range(Inode(2), 4096..8193)).unwrap();
    assert_eq!(pages(), b"0110");
    change(b'2');
    block_on(notifier.invalidate_range(Inode(2), 3 * 4096 + 5..)).unwrap();
    assert_eq!(pages(), b"0112");
    change(b'3');
    block_on(notifier.invalidate_range(Inode(2), ..=0)).unwrap();
    assert_eq!(pages(), b"3112");
    change(b'4');
    block_on(notifier.invalidate_range(Inode(2), 5..5)).unwrap();
    block_on(notifier.invalidate_range(Inode(2), u64::MAX..)).unwrap();
    assert_eq!(pages(), b"3112");
    block_on(notifier.invalidate_range(Inode(2), ..)).unwrap();
    assert_eq!(pages(), b"4444");
    assert_quiet();
}

#[test]
fn an_unknown_inode_needs_no_invalidation() {
    require_fuse!();
    let (fs, _) = cached();
    let mounted = common::mount(fs);
    fs::metadata(mounted.path()).unwrap();
    block_on(mounted.notifier().invalidate_inode(Inode(999), false)).unwrap();
    assert_quiet();
}

#[test]
fn invalidating_writes_first_what_is_not_written() {
    require_fuse!();
    let (fs, _) = cached();
    let mounted = common::mount(fs.with_writeback(10));
    let opened = File::options()
        .write(true)
        .open(mounted.join("file"))
        .unwrap();
    opened.write_all_at(b"new", 4).unwrap();
    mounted.ops.calls.drain();
    block_on(mounted.notifier().invalidate_inode(Inode(2), false)).unwrap();
    let calls = mounted.ops.calls_so_far();
    let written = calls.iter().any(|call| {
        matches!(call, Call::Write(_, _, data, Cached::Yes) if data.windows(3).any(|part| part == b"new"))
    });
    assert!(written, "{calls:?}");
}

// ---- entries -----------------------------------------------------------------------------------

#[test]
fn an_invalidated_entry_is_looked_up_again() {
    require_fuse!();
    let (fs, _) = cached();
    let mounted = common::mount(fs);
    for name in ["file", "dir"] {
        fill_cache(&mounted);
        let notifier = mounted.notifier();
        block_on(notifier.invalidate_entry(Inode::ROOT, name.as_ref(), None)).unwrap();
        fs::metadata(mounted.join(name)).unwrap();
        let lookup = Call::Lookup(Inode::ROOT, name.into());
        assert_eq!(mounted.ops.count(|call| *call == lookup), 1, "{name}");
    }
    assert_quiet();
}

#[test]
fn an_invalidated_missing_entry_is_looked_up_again() {
    require_fuse!();
    let mut fs = Scripted::new();
    answer!(fs.lookup = |_, _| Ok(EntryAttributes::negative(LONG)));
    let mounted = common::mount(fs);
    let lookups = || {
        assert_eq!(errno(fs::metadata(mounted.join("new"))), libc::ENOENT);
        mounted.ops.count(is_lookup)
    };
    assert_eq!((lookups(), lookups()), (1, 0));
    let notifier = mounted.notifier();
    block_on(notifier.invalidate_entry(Inode::ROOT, "new".as_ref(), None)).unwrap();
    assert_eq!(lookups(), 1);
    assert_quiet();
}

#[test]
fn an_entry_that_is_not_known_is_enoent() {
    require_fuse!();
    let (fs, _) = cached();
    let mounted = common::mount(fs);
    fill_cache(&mounted);
    let notifier = mounted.notifier();
    for (parent, deleted) in [
        (Inode::ROOT, None),
        (Inode::ROOT, Some(Inode(2))),
        (Inode(999), None),
        (Inode(999), Some(Inode(2))),
    ] {
        let unknown = notifier.invalidate_entry(parent, "unknown".as_ref(), deleted);
        assert_eq!(block_on(unknown), Err(Errno::ENOENT));
    }
    assert_quiet();
}

#[test]
fn a_deleted_entry_is_seen_by_those_who_watch() {
    require_fuse!();
    let (fs, _) = cached();
    let mounted = common::mount(fs);
    fill_cache(&mounted);
    let watcher = inotify::init(inotify::CreateFlags::NONBLOCK).unwrap();
    let events = inotify::WatchFlags::DELETE_SELF;
    inotify::add_watch(&watcher, mounted.join("file"), events).unwrap();
    let notifier = mounted.notifier();
    block_on(notifier.invalidate_entry(Inode::ROOT, "file".as_ref(), Some(Inode(2)))).unwrap();
    let mut room = [std::mem::MaybeUninit::uninit(); 1024];
    let mut events = inotify::Reader::new(&watcher, &mut room);
    // The kernel tells those who watch the inode, not those who watch the directory.
    let event = events.next().expect("an event");
    assert_eq!(event.events(), inotify::ReadFlags::DELETE_SELF);
    // A name of another inode than the one that was deleted stays.
    fs::metadata(mounted.join("file")).unwrap();
    let other = notifier.invalidate_entry(Inode::ROOT, "file".as_ref(), Some(Inode(5)));
    assert_eq!(block_on(other), Err(Errno::ENOENT));
    assert_quiet();
}

#[test]
fn a_deleted_directory_must_be_empty() {
    require_fuse!();
    let (mut fs, _) = cached();
    answer!(
        fs.lookup = |parent, name| match (parent, name.to_str().unwrap()) {
            (Inode::ROOT, "dir") => Ok(dir(3).with_timeouts(LONG)),
            (Inode(3), "inner") => Ok(file(4).with_timeouts(LONG)),
            _ => Err(Errno::ENOENT),
        }
    );
    let mounted = common::mount(fs);
    let opened = File::open(mounted.join("dir/inner")).unwrap();
    let delete = || {
        let notifier = mounted.notifier();
        block_on(notifier.invalidate_entry(Inode::ROOT, "dir".as_ref(), Some(Inode(3))))
    };
    assert_eq!(delete(), Err(Errno::ENOTEMPTY));
    drop(opened);
    mounted
        .ops
        .calls
        .find(|(call, _)| matches!(call, Call::Release(..)));
    // Names that nobody uses do not count.
    fs::metadata(mounted.join("dir/inner")).unwrap();
    assert_eq!(delete(), Ok(()));
    assert_quiet();
}

#[test]
fn names_of_any_kind_can_be_invalidated() {
    use std::os::unix::ffi::OsStringExt;

    require_fuse!();
    let mut fs = Scripted::new();
    answer!(fs.lookup = |_, _| Ok(file(2).with_timeouts(LONG)));
    let mounted = common::mount(fs);
    let notifier = mounted.notifier();
    for name in [vec![b'n'; 255], b"\xff\xfe".to_vec()] {
        let name = std::ffi::OsString::from_vec(name);
        fs::metadata(mounted.join(&name)).unwrap();
        block_on(notifier.invalidate_entry(Inode::ROOT, &name, None)).unwrap();
    }
    // These are no names: an error, and nothing worse.
    for name in [
        vec![b'n'; 5000],
        Vec::new(),
        b"a\0b".to_vec(),
        b"a/b".to_vec(),
    ] {
        let name = std::ffi::OsString::from_vec(name);
        for deleted in [None, Some(Inode(2))] {
            let refused = block_on(notifier.invalidate_entry(Inode::ROOT, &name, deleted));
            assert!(refused.is_err(), "{name:?}");
        }
    }
    fs::metadata(mounted.path()).unwrap();
}

#[test]
fn deleting_is_invalidating_what_was_deleted() {
    require_fuse!();
    let (fs, _) = cached();
    let mounted = common::mount(fs);
    fill_cache(&mounted);
    let watcher = inotify::init(inotify::CreateFlags::NONBLOCK).unwrap();
    let watched = inotify::WatchFlags::DELETE_SELF;
    inotify::add_watch(&watcher, mounted.join("file"), watched).unwrap();
    let notifier = mounted.notifier();
    let delete = |child| block_on(notifier.delete(Inode::ROOT, Inode(child), "file".as_ref()));
    assert_eq!(delete(5), Err(Errno::ENOENT), "another inode");
    let mut room = [std::mem::MaybeUninit::uninit(); 1024];
    let mut events = inotify::Reader::new(&watcher, &mut room);
    assert!(events.next().is_err(), "nothing was deleted");
    fs::metadata(mounted.join("file")).unwrap();
    assert_eq!(delete(2), Ok(()));
    let event = events.next().expect("an event");
    assert_eq!(event.events(), inotify::ReadFlags::DELETE_SELF);
    let nameless = notifier.delete(Inode::ROOT, Inode(2), "".as_ref());
    assert_eq!(block_on(nameless), Err(Errno::EINVAL));
    assert_quiet();
}

// ---- entries, when they are used next ----------------------------------------------------------

/// What a notification shall come to that needs this libfuse, and this version of the protocol.
fn ok_or_enosys(libfuse: bool, mounted: &Mounted<Scripted>, minor: u32) -> Result<()> {
    let conn = mounted.ops.conn_info().expect("INIT is over");
    if libfuse && conn.protocol() >= (7, minor) {
        Ok(())
    } else {
        Err(Errno::ENOSYS)
    }
}

#[test]
fn an_expired_entry_is_looked_up_again() {
    require_fuse!();
    let (fs, _) = cached();
    let mounted = common::mount(fs);
    let notifier = mounted.notifier();
    let expire = |name: &str| block_on(notifier.expire_entry(Inode::ROOT, name.as_ref()));
    for name in ["file", "dir"] {
        fill_cache(&mounted);
        let expected = ok_or_enosys(cfg!(libfuse_since = "3.13"), &mounted, 38);
        assert_eq!(expire(name), expected);
        fs::metadata(mounted.join(name)).unwrap();
        let lookup = Call::Lookup(Inode::ROOT, name.into());
        let lookups = mounted.ops.count(|call| *call == lookup);
        assert_eq!(lookups, usize::from(expected.is_ok()), "{name}");
        if expected.is_ok() {
            assert_eq!(expire("unknown"), Err(Errno::ENOENT));
        }
    }
    assert_eq!(expire("a/b"), Err(Errno::EINVAL));
    assert_quiet();
}

#[test]
fn an_expired_entry_keeps_what_is_mounted_on_it() {
    require_fuse!();
    crate::common::require_root!();
    let (fs, _) = cached();
    let mounted = common::mount(fs);
    fill_cache(&mounted);
    if ok_or_enosys(cfg!(libfuse_since = "3.13"), &mounted, 38).is_err() {
        return common::skip("names cannot expire");
    }
    let path = mounted.join("dir");
    let (flags, options) = (rustix::mount::MountFlags::empty(), None);
    rustix::mount::mount("none", &path, "tmpfs", flags, options).unwrap();
    let name = "dir".as_ref();
    let notifier = mounted.notifier();
    block_on(notifier.expire_entry(Inode::ROOT, name)).unwrap();
    assert!(common::is_mounted(&path));
    block_on(notifier.invalidate_entry(Inode::ROOT, name, None)).unwrap();
    assert!(!common::is_mounted(&path));
    assert_quiet();
}

#[test]
fn with_a_new_epoch_every_entry_is_looked_up_again() {
    require_fuse!();
    let (fs, _) = cached();
    let mounted = common::mount(fs);
    fill_cache(&mounted);
    let expected = ok_or_enosys(cfg!(libfuse_since = "3.18"), &mounted, 44);
    assert_eq!(block_on(mounted.notifier().increment_epoch()), expected);
    for name in ["file", "dir"] {
        for lookups in [usize::from(expected.is_ok()), 0] {
            fs::metadata(mounted.join(name)).unwrap();
            let lookup = Call::Lookup(Inode::ROOT, name.into());
            assert_eq!(mounted.ops.count(|call| *call == lookup), lookups, "{name}");
        }
    }
    assert_quiet();
}

#[test]
fn pruned_inodes_are_forgotten_unless_they_are_in_use() {
    require_fuse!();
    let (fs, _) = cached();
    let mounted = common::mount(fs);
    fill_cache(&mounted);
    let opened = File::open(mounted.join("dir")).unwrap();
    let expected = ok_or_enosys(cfg!(libfuse_has = "notify_prune"), &mounted, 45);
    let notifier = mounted.notifier();
    let prune = || block_on(notifier.prune(&[Inode(2), Inode(3), Inode(999)]));
    assert_eq!(prune(), expected);
    let forgotten = || {
        let (call, _) = mounted
            .ops
            .calls
            .find(|(call, _)| matches!(call, Call::Forget(..)));
        let Call::Forget(list) = call else {
            return vec![];
        };
        list.iter().map(|forget| forget.inode).collect::<Vec<_>>()
    };
    if expected.is_ok() {
        assert_eq!(forgotten(), [Inode(2)]);
        drop(opened);
        prune().unwrap();
        assert_eq!(forgotten(), [Inode(3)]);
    }
    assert_quiet();
}

// ---- entries, without waiting ------------------------------------------------------------------

#[test]
fn an_entry_that_is_invalidated_without_waiting_is_looked_up_again() {
    require_fuse!();
    let (fs, _) = cached();
    let mounted = common::mount(fs);
    fill_cache(&mounted);
    let notifier = mounted.notifier();
    notifier.invalidate_entry_async(Inode::ROOT, "file".as_ref(), None, false);
    let looked_up = || {
        fs::metadata(mounted.join("file")).unwrap();
        mounted.ops.count(is_lookup) > 0
    };
    assert!(common::wait_until(common::PATIENCE, looked_up));
    assert_quiet();
}

#[test]
fn an_unknown_entry_is_logged_unless_that_is_fine() {
    require_fuse!();
    let (fs, _) = cached();
    let mounted = common::mount(fs);
    fill_cache(&mounted);
    let notifier = mounted.notifier();
    // Worked off in order: when the last is done, the others are.
    notifier.invalidate_entry_async(Inode::ROOT, "may be missing".as_ref(), None, true);
    notifier.invalidate_entry_async(Inode::ROOT, "must be there".as_ref(), None, false);
    let line = assert_logged(&["must be there", "No such file"]);
    assert_eq!(line.level, log::Level::Warn);
    let lines = common::log_lines();
    assert!(
        !lines
            .iter()
            .any(|line| line.text.contains("may be missing"))
    );
}

#[test]
fn many_entries_can_be_invalidated_without_waiting() {
    require_fuse!();
    const ENTRIES: u64 = 1000;
    let mut fs = Scripted::new();
    answer!(
        fs.lookup = |_, name| {
            let number: u64 = name.to_str().unwrap().parse().unwrap();
            Ok(file(number + 10).with_timeouts(LONG))
        }
    );
    let mounted = common::mount(fs);
    for number in 0..ENTRIES {
        fs::metadata(mounted.join(number.to_string())).unwrap();
    }
    let notifier = mounted.notifier();
    for number in 0..ENTRIES {
        let name = number.to_string();
        notifier.invalidate_entry_async(Inode::ROOT, name.as_ref(), None, false);
    }
    let mut forgotten = 0;
    while forgotten < ENTRIES {
        if let (Call::Forget(list), _) = mounted.ops.calls.next() {
            forgotten += list.iter().map(|forget| forget.nlookup).sum::<u64>();
        }
    }
    assert_eq!(forgotten, ENTRIES);
    assert_quiet();
}

// ---- contents ----------------------------------------------------------------------------------

#[test]
fn stored_contents_are_read_without_a_request() {
    require_fuse!();
    let size = 300_000;
    let contents: Vec<u8> = (0..size).map(|index: u32| (index / 7) as u8).collect();
    let attr = EntryAttributes {
        size: size.into(),
        ..file(2).with_timeouts(LONG)
    };
    let mut fs = Scripted::with_file(0).with("file", attr);
    answer!(fs.read = |_, _| Err(Errno::EIO));
    let mounted = common::mount(fs);
    // The kernel must know the inode.
    fs::metadata(mounted.join("file")).unwrap();
    let notifier = mounted.notifier();
    block_on(notifier.notify_store(Inode(2), 0, contents.clone())).unwrap();
    assert!(fs::read(mounted.join("file")).unwrap() == contents);
    // A part, too, from within a page on.
    block_on(notifier.notify_store(Inode(2), 5000, b"changed".as_slice())).unwrap();
    let opened = File::open(mounted.join("file")).unwrap();
    let mut bytes = [0; 9];
    opened.read_exact_at(&mut bytes, 4999).unwrap();
    let expected = [&contents[4999..5000], b"changed", &contents[5007..5008]].concat();
    assert_eq!(bytes, expected[..]);
    assert_eq!(mounted.ops.count(is_read), 0);
    assert_quiet();
}

#[test]
fn what_is_stored_behind_the_end_needs_the_new_size() {
    require_fuse!();
    let mut fs = Scripted::with_file(0).with("file", file(2).with_timeouts(LONG));
    answer!(fs.read = |_, _| Ok(Data::empty()));
    let mounted = common::mount(fs);
    assert_eq!(fs::metadata(mounted.join("file")).unwrap().len(), 0);
    mounted.ops.set(EntryAttributes {
        size: 6,
        ..file(2).with_timeouts(LONG)
    });
    let notifier = mounted.notifier();
    block_on(notifier.notify_store(Inode(2), 0, b"longer".as_slice())).unwrap();
    // The kernel asks.
    assert_eq!(fs::metadata(mounted.join("file")).unwrap().len(), 6);
    assert_eq!(fs::read(mounted.join("file")).unwrap(), b"longer");
    assert_quiet();
}

#[test]
fn storing_for_an_unknown_inode_is_enoent() {
    require_fuse!();
    let (fs, _) = cached();
    let mounted = common::mount(fs);
    fs::metadata(mounted.path()).unwrap();
    let notifier = mounted.notifier();
    let unknown = notifier.notify_store(Inode(999), 0, b"x".as_slice());
    assert_eq!(block_on(unknown), Err(Errno::ENOENT));
    let nothing = notifier.notify_store(Inode(999), 0, b"".as_slice());
    assert!(block_on(nothing).is_err());
    fs::metadata(mounted.path()).unwrap();
}

// ---- from where, and when ----------------------------------------------------------------------

#[test]
fn any_number_of_threads_may_notify() {
    require_fuse!();
    let _limit = TimeLimit::new(Duration::from_secs(60));
    let (fs, _) = cached();
    let mounted = common::mount(fs);
    fill_cache(&mounted);
    thread::scope(|scope| {
        for _ in 0..4 {
            let notifier = mounted.notifier();
            scope.spawn(move || {
                for _ in 0..100 {
                    block_on(async {
                        notifier.invalidate_inode(Inode(2), false).await?;
                        notifier.invalidate_inode(Inode(2), true).await?;
                        match notifier
                            .invalidate_entry(Inode::ROOT, "file".as_ref(), None)
                            .await
                        {
                            // Another thread was faster.
                            Ok(()) | Err(Errno::ENOENT) => Result::Ok(()),
                            other => other,
                        }
                    })
                    .unwrap();
                }
            });
        }
        for _ in 0..200 {
            assert_eq!(fs::read(mounted.join("file")).unwrap(), b"0000000000");
        }
    });
    assert_quiet();
}

#[test]
fn after_the_end_of_the_session_nothing_can_be_notified() {
    require_fuse!();
    let (fs, _) = cached();
    let mounted = common::mount(fs);
    fill_cache(&mounted);
    let notifier = mounted.notifier();
    mounted.unmount();
    let name = "file".as_ref();
    block_on(async {
        let inode = notifier.invalidate_inode(Inode(2), false).await;
        assert_eq!(inode, Err(Errno::ENODEV));
        let entry = notifier.invalidate_entry(Inode::ROOT, name, None).await;
        assert_eq!(entry, Err(Errno::ENODEV));
        let stored = notifier.notify_store(Inode(2), 0, b"x".as_slice()).await;
        assert_eq!(stored, Err(Errno::ENODEV));
        let part = notifier.invalidate_range(Inode(2), 0..9).await;
        assert_eq!(part, Err(Errno::ENODEV));
        let deleted = notifier.delete(Inode::ROOT, Inode(2), name).await;
        assert_eq!(deleted, Err(Errno::ENODEV));
        let expired = notifier.expire_entry(Inode::ROOT, name).await;
        assert_eq!(expired, Err(Errno::ENODEV));
        assert_eq!(notifier.increment_epoch().await, Err(Errno::ENODEV));
        assert_eq!(notifier.prune(&[Inode(2)]).await, Err(Errno::ENODEV));
    });
    notifier.invalidate_entry_async(Inode::ROOT, name, None, false);
    assert_quiet();
}

#[test]
fn before_the_session_runs_nothing_can_be_notified() {
    require_fuse!();
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    let dir = MountDir::new();
    let (fs, _) = cached();
    let session = Session::builder(fs).mount(dir.path()).unwrap();
    common::register_mount(dir.path().to_owned());
    let notifier = session.notifier();
    let name = "file".as_ref();
    let early = Err(Errno::ENOTCONN);
    block_on(async {
        assert_eq!(notifier.invalidate_inode(Inode::ROOT, false).await, early);
        assert_eq!(notifier.invalidate_range(Inode::ROOT, 0..9).await, early);
        let entry = notifier.invalidate_entry(Inode::ROOT, name, None).await;
        assert_eq!(entry, early);
        assert_eq!(notifier.delete(Inode::ROOT, Inode(2), name).await, early);
        assert_eq!(notifier.expire_entry(Inode::ROOT, name).await, early);
        let stored = notifier.notify_store(Inode(2), 0, b"x".as_slice()).await;
        assert_eq!(stored, early);
        assert_eq!(notifier.increment_epoch().await, early);
        assert_eq!(notifier.prune(&[Inode(2)]).await, early);
    });
    drop(session);
    assert!(!common::is_mounted(dir.path()));
}

#[test]
fn the_queue_may_be_full_when_the_session_ends() {
    require_fuse!();
    for _ in 0..5 {
        let (fs, _) = cached();
        let mounted = common::mount(fs);
        fill_cache(&mounted);
        let notifier = mounted.notifier();
        for number in 0..2000 {
            let name = number.to_string();
            notifier.invalidate_entry_async(Inode::ROOT, name.as_ref(), None, true);
        }
        mounted.unmount();
    }
    assert_quiet();
}
