//! Operations on one inode.

use std::ffi::OsString;
use std::fs;
use std::fs::File;
use std::io::Seek;
use std::io::SeekFrom;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use libfuse3::AccessFlags;
use libfuse3::EntryAttributes;
use libfuse3::Errno;
use libfuse3::Inode;
use libfuse3::MountOptions;
use libfuse3::SetattrFields;
use libfuse3::TimeOrNow;
use libfuse3::Timestamp;
use rustix::fs::AtFlags;
use rustix::fs::CWD;
use rustix::fs::Timespec;
use rustix::fs::Timestamps;
use rustix::fs::UTIME_NOW;
use rustix::fs::UTIME_OMIT;

use crate::common;
use crate::common::assert_logged;
use crate::common::assert_quiet;
use crate::common::errno;
use crate::common::require_fuse;
use crate::common::require_root;
use crate::scripted::Call;
use crate::scripted::HANDLE;
use crate::scripted::Scripted;
use crate::scripted::answer;
use crate::scripted::file;
use crate::scripted::node;
use crate::scripted::this_caller;

// ---- getattr -----------------------------------------------------------------------------------

#[test]
fn getattr_shows_all_attributes() {
    require_fuse!();
    let device = EntryAttributes {
        stat_ino: Some(0xfedc_ba98_7654_3210),
        nlink: 7,
        uid: 1001,
        gid: 1002,
        rdev: rustix::fs::makedev(12, 345),
        size: 0x0123_4567_89ab_cdef,
        blksize: 8192,
        blocks: 99,
        atime: Timestamp::new(-2_000_000_000, 1),
        mtime: Timestamp::new(8_000_000_000, 999_999_999),
        ctime: Timestamp::new(-1, 999_999_999),
        ..node(2, libc::S_IFCHR | 0o4751)
    };
    let mounted = common::mount(Scripted::new().with("device", device.clone()));
    let metadata = fs::symlink_metadata(mounted.join("device")).unwrap();
    assert_eq!(metadata.ino(), 0xfedc_ba98_7654_3210);
    assert_eq!(metadata.mode(), device.mode);
    assert_eq!(metadata.nlink(), 7);
    assert_eq!((metadata.uid(), metadata.gid()), (1001, 1002));
    assert_eq!(metadata.rdev(), device.rdev);
    assert_eq!(metadata.size(), device.size);
    assert_eq!((metadata.blksize(), metadata.blocks()), (8192, 99));
    let times = [
        (metadata.atime(), metadata.atime_nsec()),
        (metadata.mtime(), metadata.mtime_nsec()),
        (metadata.ctime(), metadata.ctime_nsec()),
    ];
    assert_eq!(
        times,
        [
            (-2_000_000_000, 1),
            (8_000_000_000, 999_999_999),
            (-1, 999_999_999)
        ]
    );
    let calls = mounted.ops.calls.drain();
    let getattr = (Call::Getattr(Inode(2), None), this_caller(0));
    let seen: Vec<_> = calls
        .iter()
        .map(|(call, caller)| (call, caller.uid, caller.gid, caller.pid))
        .collect();
    let wanted = (&getattr.0, getattr.1.uid, getattr.1.gid, getattr.1.pid);
    assert!(seen.contains(&wanted), "{calls:?}");
    assert_quiet();
}

#[test]
fn getattr_has_the_open_file_where_the_kernel_tells() {
    require_fuse!();
    let mounted = common::mount(Scripted::with_file(100));
    let mut file = File::open(mounted.join("file")).unwrap();
    mounted.ops.calls.drain();
    assert_eq!(file.seek(SeekFrom::End(-10)).unwrap(), 90);
    let calls = mounted.ops.calls_so_far();
    let [Call::Getattr(Inode(2), Some(given))] = calls[..] else {
        panic!("{calls:?}")
    };
    assert_eq!((given.inode, given.fh), (Inode(2), HANDLE));
}

#[test]
fn getattr_is_asked_again_when_its_timeout_is_over() {
    require_fuse!();
    let short = EntryAttributes {
        attr_timeout: Duration::ZERO,
        entry_timeout: Duration::from_secs(100),
        ..file(2)
    };
    let long = file(3).with_timeouts(Duration::from_secs(100));
    let mounted = common::mount(Scripted::new().with("short", short).with("long", long));
    for _ in 0..3 {
        fs::metadata(mounted.join("short")).unwrap();
        fs::metadata(mounted.join("long")).unwrap();
    }
    let calls = mounted.ops.calls_so_far();
    let count = |inode| {
        let getattr = Call::Getattr(Inode(inode), None);
        calls.iter().filter(|call| **call == getattr).count()
    };
    // The answer to lookup has the attributes, too, but they are too old at once.
    assert_eq!((count(2), count(3)), (3, 0), "{calls:?}");
}

#[test]
fn the_longest_timeout_is_a_long_one_to_the_kernel() {
    require_fuse!();
    let for_ever = file(2).with_timeouts(Duration::MAX);
    let mounted = common::mount(Scripted::new().with("file", for_ever));
    fs::metadata(mounted.join("file")).unwrap();
    mounted.ops.calls.drain();
    for _ in 0..3 {
        fs::metadata(mounted.join("file")).unwrap();
    }
    let about_the_file =
        |call: &Call| matches!(call, Call::Lookup(..) | Call::Getattr(Inode(2), _));
    let calls = mounted.ops.calls_so_far();
    assert!(!calls.iter().any(about_the_file), "{calls:?}");
}

#[test]
fn getattr_returns_the_error_of_the_handler() {
    require_fuse!();
    let mut fs = Scripted::new();
    answer!(fs.getattr = |_| Err(Errno::EREMOTEIO));
    let mounted = common::mount(fs);
    assert_eq!(errno(fs::metadata(mounted.path())), libc::EREMOTEIO);
    assert_quiet();
}

#[test]
fn times_at_the_ends_of_the_range_do_not_wrap() {
    require_fuse!();
    let extreme = EntryAttributes {
        atime: Timestamp::MIN,
        mtime: Timestamp::MAX,
        ctime: Timestamp::from_nanos(i128::MIN),
        ..file(2)
    };
    let mounted = common::mount(Scripted::new().with("file", extreme));
    let metadata = fs::metadata(mounted.join("file")).unwrap();
    assert_eq!((metadata.atime(), metadata.atime_nsec()), (i64::MIN, 0));
    assert_eq!(
        (metadata.mtime(), metadata.mtime_nsec()),
        (i64::MAX, 999_999_999)
    );
    assert_eq!((metadata.ctime(), metadata.ctime_nsec()), (i64::MIN, 0));
    assert_quiet();
}

#[test]
fn sizes_beyond_the_range_are_clipped() {
    require_fuse!();
    let huge = EntryAttributes {
        size: u64::MAX,
        ..file(2)
    };
    let mounted = common::mount(Scripted::new().with("file", huge));
    let metadata = fs::metadata(mounted.join("file")).unwrap();
    assert_eq!(metadata.size(), i64::MAX.cast_unsigned());
}

// ---- setattr -----------------------------------------------------------------------------------

/// A file system with `file`, inode 2, mode 0644, whose attributes can be set.
fn settable(attr: EntryAttributes) -> Scripted {
    let attrs = Arc::new(std::sync::Mutex::new(attr.clone()));
    let mut fs = Scripted::with_file(0).with("file", attr);
    let current = Arc::clone(&attrs);
    answer!(
        fs.setattr = move |_, fields| {
            let mut attr = attrs.lock().unwrap();
            attr.mode = fields.mode.unwrap_or(attr.mode);
            attr.uid = fields.uid.unwrap_or(attr.uid);
            attr.gid = fields.gid.unwrap_or(attr.gid);
            attr.size = fields.size.unwrap_or(attr.size);
            attr.atime = fields.atime.map_or(attr.atime, TimeOrNow::resolve);
            attr.mtime = fields.mtime.map_or(attr.mtime, TimeOrNow::resolve);
            Ok(attr.clone())
        }
    );
    answer!(
        fs.getattr = move |inode| match inode {
            Inode(2) => Ok(current.lock().unwrap().clone()),
            _ => Ok(crate::scripted::dir(1)),
        }
    );
    fs
}

/// Asserts that the next call is a `setattr` of inode 2 by path, by this thread.
#[track_caller]
fn expect_setattr(fs: &Scripted, fields: SetattrFields) {
    let (call, caller) = fs.next_call();
    assert_eq!(call, Call::Setattr(Inode(2), fields, None));
    assert_eq!(
        (caller.uid, caller.gid, caller.pid),
        (this_caller(0).uid, this_caller(0).gid, this_caller(0).pid)
    );
}

#[test]
fn chmod_sets_the_mode_alone() {
    require_fuse!();
    let mounted = common::mount(settable(file(2)));
    let path = mounted.join("file");
    let expected = SetattrFields {
        mode: Some(libc::S_IFREG | 0o1640),
        ..SetattrFields::default()
    };
    fs::set_permissions(&path, fs::Permissions::from_mode(0o1640)).unwrap();
    expect_setattr(&mounted.ops, expected.clone());
    assert_eq!(fs::metadata(&path).unwrap().mode(), libc::S_IFREG | 0o1640);
    // By descriptor, it does not come with the open file.
    let file = File::open(&path).unwrap();
    mounted.ops.calls.drain();
    file.set_permissions(fs::Permissions::from_mode(0o1640))
        .unwrap();
    expect_setattr(&mounted.ops, expected);
    assert_quiet();
}

#[test]
fn chown_sets_owner_and_group_as_asked() {
    require_fuse!();
    require_root!();
    let mounted = common::mount(settable(file(2)));
    let path = mounted.join("file");
    let owned = |uid: Option<u32>, gid: Option<u32>| {
        std::os::unix::fs::chown(&path, uid, gid).unwrap();
        expect_setattr(
            &mounted.ops,
            SetattrFields {
                uid,
                gid,
                ..SetattrFields::default()
            },
        );
    };
    owned(Some(1001), None);
    owned(None, Some(1002));
    owned(Some(0), Some(u32::MAX - 1));
    let metadata = fs::metadata(&path).unwrap();
    assert_eq!((metadata.uid(), metadata.gid()), (0, u32::MAX - 1));
    let file = File::open(&path).unwrap();
    mounted.ops.calls.drain();
    std::os::unix::fs::fchown(&file, Some(5), None).unwrap();
    expect_setattr(
        &mounted.ops,
        SetattrFields {
            uid: Some(5),
            ..SetattrFields::default()
        },
    );
}

#[test]
fn chown_of_a_set_id_file_clears_the_bits_by_setattr() {
    require_fuse!();
    require_root!();
    let mounted = common::mount(settable(node(2, libc::S_IFREG | 0o6755)));
    let path = mounted.join("file");
    std::os::unix::fs::chown(&path, Some(1001), None).unwrap();
    expect_setattr(
        &mounted.ops,
        SetattrFields {
            uid: Some(1001),
            mode: Some(libc::S_IFREG | 0o755),
            ..SetattrFields::default()
        },
    );
    assert_eq!(fs::metadata(&path).unwrap().mode(), libc::S_IFREG | 0o755);
}

#[test]
fn truncate_sets_the_size() {
    require_fuse!();
    let mounted = common::mount(settable(file(2)));
    let path = mounted.join("file");
    let c_path = std::ffi::CString::new(path.as_os_str().as_encoded_bytes()).unwrap();
    // rustix and the standard library have ftruncate(2) only.
    // SAFETY: the path is NUL-terminated.
    assert_eq!(unsafe { libc::truncate(c_path.as_ptr(), 5_000_000_000) }, 0);
    let (call, _) = mounted.ops.next_call();
    let Call::Setattr(Inode(2), fields, None) = call else {
        panic!("{call:?}")
    };
    assert_eq!(fields.size, Some(5_000_000_000));
    assert_eq!((fields.mode, fields.uid, fields.gid), (None, None, None));
    assert_eq!(fs::metadata(&path).unwrap().size(), 5_000_000_000);
}

#[test]
fn ftruncate_comes_with_the_open_file() {
    require_fuse!();
    let mounted = common::mount(settable(file(2)));
    let file = File::options()
        .write(true)
        .open(mounted.join("file"))
        .unwrap();
    mounted.ops.calls.drain();
    file.set_len(17).unwrap();
    let (call, _) = mounted.ops.next_call();
    let Call::Setattr(Inode(2), fields, Some(given)) = call else {
        panic!("{call:?}")
    };
    assert_eq!(fields.size, Some(17));
    assert_eq!((given.inode, given.fh), (Inode(2), HANDLE));
    assert_eq!(file.metadata().unwrap().len(), 17);
}

/// `utimensat` with these times: seconds and nanoseconds, or one of the two special values.
fn set_times(path: &Path, atime: (i64, i64), mtime: (i64, i64)) {
    let timespec = |(tv_sec, tv_nsec)| Timespec { tv_sec, tv_nsec };
    let times = Timestamps {
        last_access: timespec(atime),
        last_modification: timespec(mtime),
    };
    rustix::fs::utimensat(CWD, path, &times, AtFlags::empty()).unwrap();
}

#[test]
fn utimensat_sets_times_exactly() {
    require_fuse!();
    let mounted = common::mount(settable(file(2)));
    let path = mounted.join("file");
    let exactly = |(secs, nanos)| Some(TimeOrNow::Time(Timestamp::new(secs, nanos)));
    for (atime, mtime) in [
        ((1_000_000_000, 123_456_789), (1_500_000_000, 999_999_999)),
        // Before 1970 and after 2038.
        ((-1, 999_999_999), (1 << 31, 1)),
        ((-2_147_483_649, 0), (253_402_300_799, 5)),
        ((0, 0), (-100_000_000_000, 7)),
    ] {
        set_times(&path, atime, mtime);
        expect_setattr(
            &mounted.ops,
            SetattrFields {
                atime: exactly(atime),
                mtime: exactly(mtime),
                ..SetattrFields::default()
            },
        );
        let metadata = fs::metadata(&path).unwrap();
        let shown = [
            (metadata.atime(), metadata.atime_nsec()),
            (metadata.mtime(), metadata.mtime_nsec()),
        ];
        assert_eq!(shown, [atime, mtime]);
    }
}

#[test]
fn utimensat_knows_now_and_omit() {
    require_fuse!();
    let mounted = common::mount(settable(file(2)));
    let path = mounted.join("file");
    let (now, omit, fixed) = ((0, UTIME_NOW), (0, UTIME_OMIT), (77, 88));
    let time = |given| match given {
        given if given == omit => None,
        given if given == now => Some(TimeOrNow::Now),
        (secs, nanos) => Some(TimeOrNow::Time(Timestamp::new(secs, nanos))),
    };
    for (atime, mtime) in [
        (now, now),
        (now, omit),
        (omit, now),
        (fixed, omit),
        (omit, fixed),
        (fixed, now),
        (now, fixed),
    ] {
        set_times(&path, atime, mtime);
        expect_setattr(
            &mounted.ops,
            SetattrFields {
                atime: time(atime),
                mtime: time(mtime),
                ..SetattrFields::default()
            },
        );
    }
    // Nothing to do: the kernel does not even ask.
    mounted.ops.calls.drain();
    set_times(&path, omit, omit);
    let asked = mounted.ops.count(|call| matches!(call, Call::Setattr(..)));
    assert_eq!(asked, 0);
}

#[test]
fn setattr_answers_with_attributes_that_are_kept() {
    require_fuse!();
    let long = Duration::from_secs(100);
    let mut fs = Scripted::with_file(0).with("file", file(2).with_timeouts(long));
    answer!(
        fs.setattr = move |_, _| Ok(EntryAttributes {
            size: 12345,
            uid: 9,
            ..file(2).with_timeouts(long)
        })
    );
    let mounted = common::mount(fs);
    let path = mounted.join("file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    mounted.ops.calls.drain();
    let metadata = fs::metadata(&path).unwrap();
    assert_eq!((metadata.len(), metadata.uid()), (12345, 9));
    let asked = mounted
        .ops
        .count(|call| matches!(call, Call::Getattr(Inode(2), _)));
    assert_eq!(asked, 0);
}

#[test]
fn setattr_returns_the_error_of_the_handler() {
    require_fuse!();
    let mut fs = Scripted::with_file(0);
    answer!(fs.setattr = |_, _| Err(Errno::EPERM));
    let mounted = common::mount(fs);
    let refused = fs::set_permissions(mounted.join("file"), fs::Permissions::from_mode(0o600));
    assert_eq!(errno(refused), libc::EPERM);
    assert_quiet();
}

// ---- readlink ----------------------------------------------------------------------------------

/// A file system with the symbolic link `link`, inode 2.
fn with_link(target: Result<OsString, Errno>) -> Scripted {
    let mut fs = Scripted::new().with("link", node(2, libc::S_IFLNK | 0o777));
    answer!(fs.readlink = move || target.clone());
    fs
}

#[test]
fn readlink_returns_the_target_as_it_is() {
    require_fuse!();
    for target in [
        b"target".to_vec(),
        b"/abs\xff\xfe/not utf-8\n".to_vec(),
        vec![b'x'; 4095],
    ] {
        let target = OsString::from_vec(target);
        let mounted = common::mount(with_link(Ok(target.clone())));
        assert_eq!(fs::read_link(mounted.join("link")).unwrap(), target);
        mounted.ops.expect(Call::Readlink(Inode(2)));
        assert_quiet();
    }
}

#[test]
fn readlink_returns_the_error_of_the_handler() {
    require_fuse!();
    let mounted = common::mount(with_link(Err(Errno::ESTALE)));
    assert_eq!(errno(fs::read_link(mounted.join("link"))), libc::ESTALE);
    assert_quiet();
}

#[test]
fn readlink_of_too_long_a_target_is_refused() {
    require_fuse!();
    let target = OsString::from_vec(vec![b'x'; 4096]);
    let mounted = common::mount(with_link(Ok(target)));
    assert_eq!(errno(fs::read_link(mounted.join("link"))), libc::EIO);
    assert_logged(&["readlink of inode 2", "4096 bytes"]);
}

#[test]
fn readlink_of_a_target_with_a_nul_is_refused() {
    require_fuse!();
    let mounted = common::mount(with_link(Ok(OsString::from_vec(b"a\0b".to_vec()))));
    assert_eq!(errno(fs::read_link(mounted.join("link"))), libc::EIO);
    assert_logged(&["readlink of inode 2", "NUL"]);
}

#[test]
fn readlink_of_an_empty_target_does_not_hang() {
    require_fuse!();
    let mounted = common::mount(with_link(Ok(OsString::new())));
    // The kernel hands it on to readlink(2), which has its own opinion by version.
    drop(fs::read_link(mounted.join("link")));
    mounted.ops.expect(Call::Readlink(Inode(2)));
}

// ---- access ------------------------------------------------------------------------------------

#[test]
fn access_is_asked_without_default_permissions() {
    require_fuse!();
    let mut fs = Scripted::with_file(0);
    answer!(fs.access = || Ok(()));
    let mounted = common::mount_with(fs, |builder| builder.options(MountOptions::empty()));
    let path = mounted.join("file");
    for (asked, given) in [
        (rustix::fs::Access::READ_OK, AccessFlags::READ),
        (rustix::fs::Access::WRITE_OK, AccessFlags::WRITE),
        (
            rustix::fs::Access::READ_OK | rustix::fs::Access::WRITE_OK,
            AccessFlags::READ | AccessFlags::WRITE,
        ),
    ] {
        rustix::fs::access(&path, asked).unwrap();
        let calls = mounted.ops.calls_so_far();
        assert!(
            calls.contains(&Call::Access(Inode(2), given)),
            "{asked:?}: {calls:?}"
        );
    }
    assert_quiet();
}

#[test]
fn access_can_be_refused() {
    require_fuse!();
    let mut fs = Scripted::with_file(0);
    answer!(fs.access = || Err(Errno::EACCES));
    let mounted = common::mount_with(fs, |builder| builder.options(MountOptions::empty()));
    let refused = rustix::fs::access(mounted.join("file"), rustix::fs::Access::READ_OK);
    assert_eq!(refused, Err(rustix::io::Errno::ACCESS));
}

#[test]
fn access_is_never_asked_with_default_permissions() {
    require_fuse!();
    let mut fs = Scripted::with_file(0);
    answer!(fs.access = || Err(Errno::EACCES));
    let mounted = common::mount(fs);
    rustix::fs::access(mounted.join("file"), rustix::fs::Access::READ_OK).unwrap();
    assert_eq!(
        mounted.ops.count(|call| matches!(call, Call::Access(..))),
        0
    );
}

#[test]
fn access_that_is_not_implemented_allows_all() {
    require_fuse!();
    let mounted = common::mount_with(Scripted::with_file(0), |builder| {
        builder.options(MountOptions::empty())
    });
    for _ in 0..3 {
        rustix::fs::access(mounted.join("file"), rustix::fs::Access::WRITE_OK).unwrap();
    }
    // The kernel remembers that there is no such operation.
    assert_eq!(
        mounted.ops.count(|call| matches!(call, Call::Access(..))),
        1
    );
}
