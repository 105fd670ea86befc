//! Who clears set-user-id bits when a file is written or cut off: the kernel, or the file system.

use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread;

use libfuse3::Capabilities;
use libfuse3::EntryAttributes;
use libfuse3::FileHandle;
use libfuse3::FileInfo;
use libfuse3::Inode;
use libfuse3::OpenFlags;
use libfuse3::SetattrFields;
use rustix::thread::CapabilitySet;
use rustix::thread::capabilities;
use rustix::thread::set_capabilities;

use crate::common;
use crate::common::assert_quiet;
use crate::common::require_fuse;
use crate::newer::require_libfuse;
use crate::scripted::Call;
use crate::scripted::Scripted;
use crate::scripted::answer;
use crate::scripted::node;

const PROGRAM: u32 = libc::S_IFREG | 0o6755;

/// With a program, inode 2, that runs as its owner and its group.
fn with_program(asked_for: Capabilities) -> Scripted {
    let attributes = EntryAttributes {
        size: 100,
        ..node(2, PROGRAM)
    };
    let mut fs = Scripted::new().with("program", attributes);
    answer!(fs.init = move |conn| conn.want(asked_for));
    answer!(fs.open = || Ok(FileInfo::new(FileHandle(1))));
    answer!(fs.write = |_, data| Ok(data.len()));
    answer!(
        fs.setattr = |_, fields| Ok(EntryAttributes {
            size: fields.size.unwrap_or(100),
            ..node(2, fields.mode.unwrap_or(PROGRAM))
        })
    );
    answer!(fs.fallocate = || Ok(()));
    answer!(fs.create = |mode| Ok((FileInfo::new(FileHandle(1)), node(3, mode))));
    fs
}

/// Who does it: with `CAP_FSETID` nothing is cleared.
#[derive(Clone, Copy, Debug, PartialEq)]
enum By {
    Root,
    RootWithoutFsetid,
}

impl By {
    fn all() -> Vec<Self> {
        match rustix::process::geteuid().is_root() {
            true => vec![Self::Root, Self::RootWithoutFsetid],
            false => vec![Self::RootWithoutFsetid],
        }
    }

    /// On a thread of its own, whose capabilities are its own, too.
    fn run<T: Send>(self, action: impl FnOnce() -> io::Result<T> + Send) -> T {
        let thread = || {
            if self == Self::RootWithoutFsetid {
                let mut sets = capabilities(None).unwrap();
                sets.effective -= CapabilitySet::FSETID;
                set_capabilities(None, sets).unwrap();
            }
            action().unwrap()
        };
        thread::scope(|scope| scope.spawn(thread).join().unwrap())
    }
}

fn open_file(path: &Path, truncate: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).truncate(truncate).open(path)
}

#[test]
fn the_kernel_clears_by_setattr_unless_asked_not_to() {
    require_fuse!();
    for by in By::all() {
        let mounted = common::mount(with_program(Capabilities::empty()));
        let path = mounted.join("program");
        by.run(|| open_file(&path, false)?.write_all_at(b"abc", 0));
        assert!(matches!(mounted.ops.next_call().0, Call::Open(..)));
        let mut next = mounted.ops.next_call();
        if by == By::RootWithoutFsetid {
            let Call::Setattr(Inode(2), fields, _) = next.0 else {
                panic!("{next:?}")
            };
            assert_eq!(fields.mode, Some(libc::S_IFREG | 0o755));
            assert!(!fields.kill_suid && !fields.kill_sgid, "{fields:?}");
            next = mounted.ops.next_call();
        }
        assert!(matches!(next.0, Call::Write(..)), "{next:?}");
        assert!(!next.1.kill_suidgid);
        by.run(|| open_file(&path, true));
        let calls = mounted.ops.calls.drain();
        assert!(calls.iter().all(|(_, caller)| !caller.kill_suidgid));
        drop(mounted);
        assert_quiet();
    }
}

/// Writes without the kernel's cache, which leaves the bits to the file system whatever was agreed upon.
#[test]
fn direct_write_says_whether_to_clear() {
    require_fuse!();
    // In a pipe, and in memory.
    for (splice, size) in [(false, 3), (false, 9000), (true, 3), (true, 9000)] {
        for by in By::all() {
            let mut fs = with_program(Capabilities::empty());
            if splice {
                answer!(fs.init = |conn| conn.want(Capabilities::SPLICE_READ));
            }
            answer!(
                fs.open = || Ok(FileInfo {
                    direct_io: true,
                    ..FileInfo::new(FileHandle(1))
                })
            );
            let mounted = common::mount(fs);
            let path = mounted.join("program");
            by.run(|| open_file(&path, false)?.write_all_at(&vec![b'x'; size], 0));
            assert!(matches!(mounted.ops.next_call().0, Call::Open(..)));
            let (call, caller) = mounted.ops.next_call();
            let Call::Write(_, 0, data, _) = call else {
                panic!("no setattr comes before it: {call:?}")
            };
            assert_eq!(data, vec![b'x'; size]);
            let kill = by == By::RootWithoutFsetid;
            assert_eq!(caller.kill_suidgid, kill, "{by:?}, {splice}, {size}");
            drop(mounted);
            assert_quiet();
        }
    }
}

#[test]
fn truncating_open_says_to_clear_if_nothing_else_does() {
    require_fuse!();
    for by in By::all() {
        let mounted = common::mount(with_program(Capabilities::ATOMIC_O_TRUNC));
        let path = mounted.join("program");
        by.run(|| open_file(&path, true));
        let (call, caller) = mounted.ops.next_call();
        assert!(matches!(call, Call::Open(..)), "{call:?}");
        assert!(caller.kill_suidgid);
        let is_setattr = |call: &Call| matches!(call, Call::Setattr(..));
        assert_eq!(mounted.ops.count(is_setattr), 0);
        drop(mounted);
        assert_quiet();
    }
}

#[test]
fn the_file_system_is_told_when_to_clear_if_it_asks_for_it() {
    require_fuse!();
    require_libfuse!(3, 17, 0);
    for by in By::all() {
        let asked_for = Capabilities::HANDLE_KILLPRIV_V2 | Capabilities::ATOMIC_O_TRUNC;
        let mounted = common::mount(with_program(asked_for));
        let (path, new) = (mounted.join("program"), mounted.join("new"));
        let told = by == By::RootWithoutFsetid;
        by.run(|| open_file(&path, false)?.write_all_at(b"abc", 0));
        let (call, caller) = mounted.ops.next_call();
        assert!(matches!(call, Call::Open(..)), "{call:?}");
        assert!(!caller.kill_suidgid, "nothing changes by opening alone");
        // The kernel may send a `setattr` on the way that changes nothing.
        let write = |(call, _): &(Call, _)| matches!(call, Call::Write(..));
        let (_, caller) = mounted.ops.calls.find(write);
        assert_eq!(caller.kill_suidgid, told, "{by:?}");

        by.run(|| open_file(&path, true));
        let cuts = |flags: OpenFlags| flags.contains(OpenFlags::TRUNC);
        let open = |(call, _): &(Call, _)| matches!(call, Call::Open(_, flags) if cuts(*flags));
        let (_, caller) = mounted.ops.calls.find(open);
        assert_eq!(caller.kill_suidgid, told, "{by:?}");

        let fallocate = |file: File| {
            let mode = rustix::fs::FallocateFlags::empty();
            Ok(rustix::fs::fallocate(file, mode, 0, 5)?)
        };
        by.run(|| fallocate(open_file(&path, false)?));
        let fallocate = |(call, _): &(Call, _)| matches!(call, Call::Fallocate(..));
        let (_, caller) = mounted.ops.calls.find(fallocate);
        assert!(caller.kill_suidgid, "the kernel does not say it: {by:?}");

        by.run(|| open_new(&new));
        let create = |(call, _): &(Call, _)| matches!(call, Call::Create(..));
        let (_, caller) = mounted.ops.calls.find(create);
        assert_eq!(caller.kill_suidgid, told, "{by:?}");

        by.run(|| open_file(&path, false)?.set_len(5));
        let cuts = |fields: &SetattrFields| fields.size.is_some();
        let setattr =
            |(call, _): &(Call, _)| matches!(call, Call::Setattr(_, fields, _) if cuts(fields));
        let (call, caller) = mounted.ops.calls.find(setattr);
        let Call::Setattr(Inode(2), fields, _) = call else {
            panic!("{call:?}")
        };
        assert_eq!((fields.size, fields.mode), (Some(5), None));
        assert_eq!(fields.kill_suid, told, "{by:?}");
        assert!(!caller.kill_suidgid, "the fields say it");
        drop(mounted);
        assert_quiet();
    }
}

/// Creates a file with `O_TRUNC`.
fn open_new(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).open(path)
}
