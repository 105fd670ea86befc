//! Operations on ranges of open files.

use std::fs::File;
use std::io;

use libfuse3::Errno;
use libfuse3::FallocateFlags;
use libfuse3::FileRef;
use libfuse3::Inode;
use rustix::fs::FallocateFlags as Mode;

use crate::common;
use crate::common::Mounted;
use crate::common::assert_quiet;
use crate::common::errno;
use crate::common::require_fuse;
use crate::scripted::Call;
use crate::scripted::HANDLE;
use crate::scripted::Scripted;
use crate::scripted::answer;
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
