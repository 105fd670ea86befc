//! Operations that only newer versions of libfuse have.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

use libfuse3::EntryAttributes;
use libfuse3::Errno;
use libfuse3::Inode;
use libfuse3::MountOptions;
use libfuse3::StatxData;
use libfuse3::StatxMask;
use libfuse3::Timestamp;
use rustix::fs::AtFlags;
use rustix::fs::CWD;
use rustix::fs::Statx;
use rustix::fs::StatxFlags;

use crate::common;
use crate::common::LoopDevice;
use crate::common::assert_logged;
use crate::common::assert_quiet;
use crate::common::errno;
use crate::common::require_fuse;
use crate::common::require_root;
use crate::file::libfuse_at_least;
use crate::scripted::Call;
use crate::scripted::Scripted;
use crate::scripted::answer;
use crate::scripted::file;
use crate::scripted::this_caller;

/// Returns from a test of something that this libfuse is too old for; says so.
macro_rules! require_libfuse {
    ($($number:literal),*) => {
        if !$crate::file::libfuse_at_least([$($number),*]) {
            $crate::common::skip(format_args!("libfuse {} is too old", libfuse3::libfuse_version()));
            return;
        }
    };
}

pub(crate) use require_libfuse;

// ---- statx -------------------------------------------------------------------------------------

fn statx(path: &Path, flags: AtFlags, mask: StatxFlags) -> io::Result<Statx> {
    Ok(rustix::fs::statx(CWD, path, flags, mask)?)
}

const WITH_BTIME: StatxFlags = StatxFlags::BASIC_STATS.union(StatxFlags::BTIME);

#[test]
fn statx_finds_the_time_of_creation() {
    require_fuse!();
    require_libfuse!(3, 18, 0);
    let attr = EntryAttributes {
        size: 12345,
        blocks: 32,
        nlink: 3,
        uid: 1000,
        gid: 100,
        mtime: Timestamp::new(1_000_000_000, 5),
        ..file(2)
    };
    let mut fs = Scripted::new().with("file", attr.clone());
    answer!(
        fs.statx = move |inode| Ok(StatxData {
            attr: EntryAttributes {
                ino: inode,
                ..attr.clone()
            },
            btime: Some(Timestamp::new(-77, 999_999_999)),
        })
    );
    let mounted = common::mount(fs);
    let path = mounted.join("file");
    let stat = statx(&path, AtFlags::empty(), WITH_BTIME).unwrap();
    let found = (stat.stx_btime.tv_sec, stat.stx_btime.tv_nsec);
    assert_eq!(found, (-77, 999_999_999));
    assert_eq!(
        (stat.stx_size, stat.stx_blocks, stat.stx_nlink),
        (12345, 32, 3)
    );
    assert_eq!((stat.stx_uid, stat.stx_gid, stat.stx_ino), (1000, 100, 2));
    assert_eq!(u32::from(stat.stx_mode), libc::S_IFREG | 0o644);
    let mtime = (stat.stx_mtime.tv_sec, stat.stx_mtime.tv_nsec);
    assert_eq!(mtime, (1_000_000_000, 5));
    let is_statx = |(call, _): &(Call, _)| matches!(call, Call::Statx(..));
    let (call, caller) = mounted.ops.calls.find(is_statx);
    let Call::Statx(Inode(2), _, mask, None) = call else {
        panic!("{call:?}")
    };
    assert!(mask.contains(StatxMask::BTIME), "{mask:?}");
    assert_eq!(caller.pid, this_caller(0).pid);
    // Who does not want it gets the others from `getattr`.
    mounted.ops.calls.drain();
    statx(&path, AtFlags::empty(), StatxFlags::BASIC_STATS).unwrap();
    assert_eq!(mounted.ops.count(|call| matches!(call, Call::Statx(..))), 0);
    assert_quiet();
}

#[test]
fn what_has_no_time_of_creation_shows_none() {
    require_fuse!();
    require_libfuse!(3, 18, 0);
    for implemented in [true, false] {
        let mut fs = Scripted::with_file(10);
        if implemented {
            answer!(
                fs.statx = |_| Ok(StatxData {
                    attr: file(2),
                    btime: None
                })
            );
        }
        let mounted = common::mount(fs);
        let path = mounted.join("file");
        for _ in 0..2 {
            let stat = statx(&path, AtFlags::empty(), WITH_BTIME).unwrap();
            assert_eq!(stat.stx_mask & StatxFlags::BTIME.bits(), 0);
            assert_eq!(stat.stx_ino, 2);
        }
        let asked = mounted.ops.count(|call| matches!(call, Call::Statx(..)));
        assert_eq!(asked, if implemented { 2 } else { 1 });
        assert_quiet();
    }
}

#[test]
fn statx_returns_the_error_of_the_handler() {
    require_fuse!();
    require_libfuse!(3, 18, 0);
    let mut fs = Scripted::with_file(10);
    answer!(fs.statx = |_| Err(Errno::ESTALE));
    let mounted = common::mount(fs);
    let path = mounted.join("file");
    // Of a name the kernel would look it up anew and ask again.
    let opened = File::open(&path).unwrap();
    for _ in 0..2 {
        let result = rustix::fs::statx(&opened, "", AtFlags::EMPTY_PATH, WITH_BTIME);
        assert_eq!(result.unwrap_err().raw_os_error(), libc::ESTALE);
    }
    assert_quiet();
}

#[test]
fn attributes_without_a_type_are_refused_by_statx() {
    require_fuse!();
    require_libfuse!(3, 18, 0);
    let mut fs = Scripted::new().with("file", file(2).with_timeouts(Duration::ZERO));
    answer!(
        fs.statx = |_| Ok(StatxData {
            attr: EntryAttributes {
                mode: 0o644,
                ..file(2)
            },
            btime: None
        })
    );
    let mounted = common::mount(fs);
    let result = statx(&mounted.join("file"), AtFlags::empty(), WITH_BTIME);
    assert_eq!(errno(result), libc::EIO);
    assert_logged(&["statx of inode 2", "without a file type", "EIO"]);
}

// ---- syncfs ------------------------------------------------------------------------------------

#[test]
fn syncfs_comes_where_a_device_holds_the_files() {
    require_fuse!();
    require_root!();
    let Some(device) = LoopDevice::available() else {
        return;
    };
    let is_syncfs = |call: &Call| matches!(call, Call::Syncfs(_));
    for on_device in [true, false] {
        let mut fs = Scripted::with_file(0);
        answer!(fs.syncfs = || Err(Errno::EDQUOT));
        let mut options = MountOptions::default();
        if on_device {
            options = options.blkdev().fsname(&device.path);
        }
        let mounted = common::mount_with(fs, |builder| builder.options(options));
        let synced = libfuse3::syncfs(mounted.path());
        let conn = mounted.ops.conn_info().unwrap();
        let comes = on_device && libfuse_at_least([3, 19, 0]) && conn.protocol() >= (7, 45);
        if comes {
            assert_eq!(errno(synced), libc::EDQUOT);
        } else {
            synced.unwrap();
        }
        assert_eq!(mounted.ops.count(is_syncfs), usize::from(comes));
    }
    assert_quiet();
}
