//! Operations on ranges of open files.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::io::Seek;
use std::io::SeekFrom;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use libfuse3::CopyFileRange;
use libfuse3::Data;
use libfuse3::EntryAttributes;
use libfuse3::Errno;
use libfuse3::FallocateFlags;
use libfuse3::FileRef;
use libfuse3::Inode;
use libfuse3::Operations;
use libfuse3::RequestContext;
use libfuse3::Result;
use libfuse3::SeekTarget;
use libfuse3::WriteBuf;
use rustix::fs::FallocateFlags as Mode;

use crate::common;
use crate::common::Mounted;
use crate::common::Recorder;
use crate::common::assert_logged;
use crate::common::assert_quiet;
use crate::common::errno;
use crate::common::require_fuse;
use crate::scripted::Call;
use crate::scripted::HANDLE;
use crate::scripted::Scripted;
use crate::scripted::answer;
use crate::scripted::dir;
use crate::scripted::file;
use crate::scripted::this_caller;

/// `file` of the mount, for reading and writing.
fn open(mounted: &Mounted<Scripted>) -> File {
    let path = mounted.join("file");
    File::options().read(true).write(true).open(path).unwrap()
}

/// Asserts that a handler was given the file that the test has open.
#[track_caller]
fn assert_file(given: FileRef) {
    assert_eq!((given.inode, given.fh), (Inode(2), HANDLE));
}

// ---- fallocate ---------------------------------------------------------------------------------

fn fallocate(file: &File, mode: Mode, offset: u64, len: u64) -> io::Result<()> {
    Ok(rustix::fs::fallocate(file, mode, offset, len)?)
}

#[test]
fn fallocate_is_given_mode_and_range() {
    require_fuse!();
    let mut fs = Scripted::with_file(10);
    answer!(fs.fallocate = || Ok(()));
    let mounted = common::mount(fs);
    let file = open(&mounted);
    mounted.ops.calls.drain();
    for (mode, expected) in [
        (Mode::empty(), FallocateFlags::empty()),
        (Mode::KEEP_SIZE, FallocateFlags::KEEP_SIZE),
        (
            Mode::PUNCH_HOLE | Mode::KEEP_SIZE,
            FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE,
        ),
        (Mode::ZERO_RANGE, FallocateFlags::ZERO_RANGE),
        (
            Mode::ZERO_RANGE | Mode::KEEP_SIZE,
            FallocateFlags::ZERO_RANGE | FallocateFlags::KEEP_SIZE,
        ),
    ] {
        for (offset, len) in [(0, 1), (4097, 12345), (5_000_000_000, 1 << 40)] {
            fallocate(&file, mode, offset, len).unwrap();
            let (call, caller) = mounted.ops.next_call();
            let Call::Fallocate(given, given_mode, given_offset, given_len) = call else {
                panic!("{call:?}")
            };
            assert_file(given);
            assert_eq!(
                (given_mode, given_offset, given_len),
                (expected, offset, len)
            );
            assert_eq!(caller.pid, this_caller(0).pid);
        }
    }
    assert_quiet();
}

#[test]
fn other_modes_of_fallocate_do_not_come() {
    require_fuse!();
    let mut fs = Scripted::with_file(8192);
    answer!(fs.fallocate = || Ok(()));
    let mounted = common::mount(fs);
    let file = open(&mounted);
    mounted.ops.calls.drain();
    for mode in [
        Mode::PUNCH_HOLE,
        Mode::COLLAPSE_RANGE,
        Mode::INSERT_RANGE,
        Mode::UNSHARE_RANGE,
        Mode::from_bits_retain(1 << 20),
    ] {
        let result = fallocate(&file, mode, 0, 4096);
        assert_eq!(errno(result), libc::EOPNOTSUPP, "{mode:?}");
    }
    for (offset, len) in [(0, 0), (u64::MAX, 1), (0, u64::MAX)] {
        assert_eq!(
            errno(fallocate(&file, Mode::empty(), offset, len)),
            libc::EINVAL
        );
    }
    let calls = mounted
        .ops
        .count(|call| matches!(call, Call::Fallocate(..)));
    assert_eq!(calls, 0);
}

#[test]
fn fallocate_returns_the_error_of_the_handler() {
    require_fuse!();
    let mut fs = Scripted::with_file(10);
    answer!(fs.fallocate = || Err(Errno::ENOSPC));
    let mounted = common::mount(fs);
    let file = open(&mounted);
    for _ in 0..2 {
        assert_eq!(errno(fallocate(&file, Mode::empty(), 0, 100)), libc::ENOSPC);
    }
    let calls = mounted
        .ops
        .count(|call| matches!(call, Call::Fallocate(..)));
    assert_eq!(calls, 2);
    assert_quiet();
}

// ---- lseek -------------------------------------------------------------------------------------

fn seek(file: &File, to: rustix::fs::SeekFrom) -> io::Result<u64> {
    Ok(rustix::fs::seek(file, to)?)
}

#[test]
fn lseek_is_given_offset_and_target() {
    require_fuse!();
    let mut fs = Scripted::with_file(u64::MAX >> 1);
    answer!(
        fs.lseek = |offset, target| Ok(match target {
            SeekTarget::Data => offset + 10,
            SeekTarget::Hole => offset,
        })
    );
    let mounted = common::mount(fs);
    let mut file = open(&mounted);
    mounted.ops.calls.drain();
    for offset in [0, 1, 4097, 5_000_000_000] {
        for (to, target, expected) in [
            (
                rustix::fs::SeekFrom::Data(offset),
                SeekTarget::Data,
                offset + 10,
            ),
            (rustix::fs::SeekFrom::Hole(offset), SeekTarget::Hole, offset),
        ] {
            assert_eq!(seek(&file, to).unwrap(), expected);
            let (call, caller) = mounted.ops.next_call();
            let Call::Lseek(given, given_offset, given_target) = call else {
                panic!("{call:?}")
            };
            assert_file(given);
            assert_eq!((given_offset, given_target), (offset, target));
            assert_eq!(caller.pid, this_caller(0).pid);
            assert_eq!(file.stream_position().unwrap(), expected);
        }
    }
    // All else is the kernel's business.
    file.seek(SeekFrom::Start(5)).unwrap();
    file.seek(SeekFrom::Current(5)).unwrap();
    file.seek(SeekFrom::End(-5)).unwrap();
    assert_eq!(mounted.ops.count(|call| matches!(call, Call::Lseek(..))), 0);
    assert_quiet();
}

#[test]
fn lseek_returns_the_error_of_the_handler() {
    require_fuse!();
    let mut fs = Scripted::with_file(10);
    answer!(fs.lseek = |_, _| Err(Errno::ENXIO));
    let mounted = common::mount(fs);
    let file = open(&mounted);
    for _ in 0..2 {
        let found = seek(&file, rustix::fs::SeekFrom::Data(3));
        assert_eq!(errno(found), libc::ENXIO);
    }
    assert_eq!(mounted.ops.count(|call| matches!(call, Call::Lseek(..))), 2);
    assert_quiet();
}

#[test]
fn what_lseek_cannot_have_found_is_refused() {
    require_fuse!();
    for found in [2, u64::MAX] {
        let mut fs = Scripted::with_file(10);
        answer!(fs.lseek = move |_, _| Ok(found));
        let mounted = common::mount(fs);
        let file = open(&mounted);
        let result = seek(&file, rustix::fs::SeekFrom::Hole(3));
        assert_eq!(errno(result), libc::EIO);
        assert_logged(&["lseek of inode 2", &format!("found at {found}"), "EIO"]);
    }
}

#[test]
fn without_lseek_a_file_is_all_data() {
    require_fuse!();
    let mounted = common::mount(Scripted::with_file(10));
    let file = open(&mounted);
    for _ in 0..2 {
        assert_eq!(seek(&file, rustix::fs::SeekFrom::Data(3)).unwrap(), 3);
        assert_eq!(seek(&file, rustix::fs::SeekFrom::Hole(3)).unwrap(), 10);
    }
    assert_eq!(mounted.ops.count(|call| matches!(call, Call::Lseek(..))), 1);
    assert_quiet();
}

#[test]
fn cached_writes_reach_the_file_system_before_lseek() {
    require_fuse!();
    const SIZE: usize = 64 * 4096;
    // With room for one handler, the writes must not wait for that of `lseek`.
    for max_in_flight in [1, 100] {
        let mut fs = Scripted::with_file(SIZE as u64).with_writeback(SIZE as u64);
        let written = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&written);
        answer!(
            fs.write = move |_, data| {
                if counted.fetch_add(data.len() as u64, Ordering::Relaxed) == 0 {
                    // Longer than handlers wait for notifications.
                    thread::sleep(Duration::from_millis(200));
                }
                Ok(data.len())
            }
        );
        answer!(fs.lseek = move |_, _| Ok(written.load(Ordering::Relaxed)));
        let mounted = common::mount_with(fs, |builder| builder.max_in_flight(max_in_flight));
        let file = open(&mounted);
        file.write_all_at(&[b'x'; SIZE], 0).unwrap();
        let found = seek(&file, rustix::fs::SeekFrom::Data(0)).unwrap();
        assert_eq!(found, SIZE as u64);
        file.write_all_at(&[b'y'; SIZE], 0).unwrap();
        let found = seek(&file, rustix::fs::SeekFrom::Hole(0)).unwrap();
        assert_eq!(found, 2 * SIZE as u64);
        assert_quiet();
    }
}

/// Its `write` never replies.
struct Stuck {
    writing: Recorder<()>,
}

impl Operations for Stuck {
    const ENABLE_WRITEBACK_CACHE: bool = true;

    async fn lookup(&self, _: Inode, _: &OsStr, _: &RequestContext) -> Result<EntryAttributes> {
        Ok(EntryAttributes {
            size: 4096,
            ..file(2)
        })
    }

    async fn getattr(
        &self,
        inode: Inode,
        _: Option<FileRef>,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        Ok(match inode {
            Inode::ROOT => dir(1),
            inode => EntryAttributes {
                size: 4096,
                ..file(inode.raw())
            },
        })
    }

    async fn write(&self, _: FileRef, _: u64, _: WriteBuf, _: &RequestContext) -> Result<usize> {
        self.writing.record(());
        std::future::pending().await
    }

    async fn lseek(&self, _: FileRef, _: u64, _: SeekTarget, _: &RequestContext) -> Result<u64> {
        panic!("called before the write was replied to");
    }
}

#[test]
fn session_ends_while_lseek_waits_for_a_write() {
    require_fuse!();
    let stuck = Stuck {
        writing: Recorder::new(),
    };
    let mounted = common::mount_with(stuck, |builder| {
        builder.shutdown_timeout(Duration::from_millis(10))
    });
    let path = mounted.join("file");
    let file = File::options().read(true).write(true).open(path).unwrap();
    file.write_all_at(&[b'x'; 4096], 0).unwrap();
    let client = thread::spawn(move || seek(&file, rustix::fs::SeekFrom::Data(0)));
    mounted.ops.writing.next();
    mounted.unmount();
    client.join().unwrap().unwrap_err();
    assert_logged(&["requests have not ended in time"]);
}

// ---- copy_file_range ---------------------------------------------------------------------------

/// `file`, and `other`, inode 3, whose contents are `x`.
fn two_files() -> Scripted {
    let other = EntryAttributes {
        size: 100_000,
        ..file(3)
    };
    let mut fs = Scripted::with_file(0).with("other", other);
    answer!(fs.read = |_, size| Ok(Data::from(vec![b'x'; size])));
    answer!(fs.write = |_, data| Ok(data.len()));
    fs
}

fn copy(from: &File, offset_in: u64, to: &File, offset_out: u64, len: usize) -> io::Result<usize> {
    let (mut offset_in, mut offset_out) = (offset_in, offset_out);
    let (offset_in, offset_out) = (Some(&mut offset_in), Some(&mut offset_out));
    Ok(rustix::fs::copy_file_range(
        from, offset_in, to, offset_out, len,
    )?)
}

#[test]
fn copy_file_range_is_given_both_files() {
    require_fuse!();
    let mut fs = two_files();
    // Not all of it at once.
    answer!(fs.copy_file_range = |len| Ok(len.min(5000)));
    let mounted = common::mount(fs);
    let from = File::open(mounted.join("other")).unwrap();
    let to = open(&mounted);
    mounted.ops.calls.drain();
    for (offset_in, offset_out, len) in [(0, 0, 1), (7, 70_000, 30_000), (99_000, 1 << 40, 1000)] {
        let copied = copy(&from, offset_in, &to, offset_out, len).unwrap();
        assert_eq!(copied, len.min(5000));
        let (call, caller) = mounted.ops.next_call();
        let Call::CopyFileRange(given) = call else {
            panic!("{call:?}")
        };
        let CopyFileRange {
            file_in, file_out, ..
        } = given;
        assert_eq!((file_in.inode, file_in.fh), (Inode(3), HANDLE));
        assert_file(file_out);
        let expected = CopyFileRange {
            file_in,
            offset_in,
            file_out,
            offset_out,
            len,
            flags: 0,
        };
        assert_eq!(given, expected);
        assert_eq!(caller.pid, this_caller(0).pid);
    }
    assert_eq!(mounted.ops.count(|call| matches!(call, Call::Read(..))), 0);
    assert_quiet();
}

#[test]
fn copy_file_range_returns_the_error_of_the_handler() {
    require_fuse!();
    let mut fs = two_files();
    answer!(fs.copy_file_range = |_| Err(Errno::EDQUOT));
    let mounted = common::mount(fs);
    let from = File::open(mounted.join("other")).unwrap();
    let to = open(&mounted);
    for _ in 0..2 {
        assert_eq!(errno(copy(&from, 0, &to, 0, 10)), libc::EDQUOT);
    }
    assert_quiet();
}

#[test]
fn more_than_was_to_be_copied_is_refused() {
    require_fuse!();
    let mut fs = two_files();
    answer!(fs.copy_file_range = |len| Ok(len + 1));
    let mounted = common::mount(fs);
    let from = File::open(mounted.join("other")).unwrap();
    assert_eq!(errno(copy(&from, 0, &open(&mounted), 0, 10)), libc::EIO);
    assert_logged(&["copy_file_range of inode 3 and 2", "11 of 10 bytes"]);
}

/// The kernel copies by reading and writing.
#[test]
fn what_copy_file_range_cannot_do_is_copied_all_the_same() {
    require_fuse!();
    for (answer, asks_again) in [
        (Errno::EOPNOTSUPP, true),
        // One that fails must not switch it off.
        (Errno::ENOSYS, true),
        (Errno::NOT_IMPLEMENTED, false),
    ] {
        let mut fs = two_files();
        answer!(fs.copy_file_range = move |_| Err(answer));
        let mounted = common::mount(fs);
        let from = File::open(mounted.join("other")).unwrap();
        let to = open(&mounted);
        for asks in [true, asks_again] {
            mounted.ops.calls.drain();
            assert_eq!(copy(&from, 0, &to, 0, 10).unwrap(), 10, "{answer:?}");
            let calls = mounted.ops.calls_so_far();
            let asked = calls
                .iter()
                .any(|call| matches!(call, Call::CopyFileRange(_)));
            assert_eq!(asked, asks, "{answer:?}");
            let written = calls.iter().any(|call| match call {
                Call::Write(given, 0, data, _) => given.fh == HANDLE && data == b"xxxxxxxxxx",
                _ => false,
            });
            assert!(written, "{answer:?}: {calls:?}");
        }
        assert_quiet();
    }
}
