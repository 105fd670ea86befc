//! A small file system in memory, used as programs use files.

use libfuse3::testing::Caller;
use libfuse3::testing::MockKernel;
use libfuse3::testing::Request;
use libfuse3::*;

use crate::common;
use crate::common::memfs::Call;
use crate::common::memfs::MemFs;

fn start() -> MockKernel<MemFs> {
    common::install_logger();
    MockKernel::new(MemFs::default()).unwrap()
}

fn names(entries: &[testing::DirEntry]) -> Vec<&str> {
    let names = entries.iter().map(|entry| entry.name.to_str().unwrap());
    names.collect()
}

#[test]
fn files_are_made_written_read_and_removed() {
    let kernel = start();
    let dir = kernel.mkdir(ROOT_INODE, "dir", 0o755).unwrap();
    let (file, entry) = kernel
        .create(dir.ino, "file", 0o644, OpenFlags::RDWR)
        .unwrap();
    assert_eq!((file.file.inode, file.file.fh), (entry.ino, file.info.fh));
    assert!(file.info.keep_cache && !file.info.direct_io);
    assert_eq!(kernel.write(&file, 0, b"some text").unwrap(), 9);
    assert_eq!(kernel.read(&file, 5, 100).unwrap(), b"text");
    kernel.fsync(&file, true).unwrap_err();
    kernel.close(file).unwrap();
    assert_eq!(kernel.read_all(entry.ino).unwrap(), b"some text");

    let found = kernel.walk("/dir/file").unwrap();
    assert_eq!((found.ino, found.size), (entry.ino, 9));
    assert_eq!(found.entry_timeout.as_secs(), 300);
    assert_eq!(kernel.walk("/dir/other"), Err(Errno::ENOENT));
    assert_eq!(kernel.walk("/").unwrap().ino, ROOT_INODE);

    kernel.unlink(dir.ino, "file").unwrap();
    assert_eq!(kernel.getattr(entry.ino).unwrap().nlink, 0);
    kernel.rmdir(ROOT_INODE, "dir").unwrap();
    let report = kernel.unmount().unwrap();
    assert!(report.is_balanced(), "{report}");
    common::assert_quiet();
}

#[test]
fn a_long_write_is_several_requests() {
    let kernel = start();
    let data: Vec<u8> = (0..kernel.max_write() * 2 + 10).map(|i| i as u8).collect();
    let (file, entry) = kernel
        .create(ROOT_INODE, "file", 0o644, OpenFlags::RDWR)
        .unwrap();
    assert_eq!(kernel.write(&file, 3, &data).unwrap(), data.len());
    let writes = kernel.operations().called(|call| match call {
        Call::Write(_, offset) => Some(*offset),
        _ => None,
    });
    let max = kernel.max_write() as u64;
    assert_eq!(writes, [3, 3 + max, 3 + 2 * max]);
    // None at all is a request, too.
    assert_eq!(kernel.write(&file, 0, b"").unwrap(), 0);
    kernel.release(file).unwrap();
    assert_eq!(kernel.read_all(entry.ino).unwrap()[3..], data);
    assert_eq!(kernel.operations().totals.read(|totals| totals.opened), 2);
    assert_eq!(kernel.operations().totals.read(|totals| totals.released), 2);
}

#[test]
fn a_directory_is_listed_with_and_without_attributes() {
    let kernel = start();
    let expected: Vec<String> = (0..300).map(|i| format!("file-{i}")).collect();
    // `Memfs` lists the newest first.
    for name in expected.iter().rev() {
        let entry = kernel
            .mknod(ROOT_INODE, name, libc::S_IFREG | 0o600, 0)
            .unwrap();
        kernel.forget(entry.ino, 1);
    }
    let entries = kernel.list(ROOT_INODE, false).unwrap();
    assert_eq!(names(&entries), expected);
    assert!(entries.iter().all(|entry| entry.attr.is_none()));
    assert!(entries.iter().all(|entry| entry.file_type == libc::S_IFREG));
    assert_eq!(kernel.lookup_counts(), []);

    let entries = kernel.list(ROOT_INODE, true).unwrap();
    assert_eq!(names(&entries), expected);
    for entry in &entries {
        let attr = entry.attr.as_ref().unwrap();
        assert_eq!(
            (attr.ino.raw(), attr.mode),
            (entry.ino, libc::S_IFREG | 0o600)
        );
        assert_eq!(kernel.lookup_count(attr.ino), 1);
    }
    let report = kernel.unmount().unwrap();
    assert!(report.is_balanced(), "{report}");
    common::assert_quiet();
}

#[test]
fn attributes_arrive_on_both_sides_as_they_are() {
    let kernel = start();
    let made = kernel
        .mknod(ROOT_INODE, "file", libc::S_IFREG | 0o600, 0)
        .unwrap();
    let fields = SetattrFields {
        mode: Some(libc::S_IFREG | 0o640),
        uid: Some(1),
        gid: Some(2),
        size: Some(5_000),
        atime: Some(TimeOrNow::Time(Timestamp::new(-5, 17))),
        mtime: Some(TimeOrNow::Now),
        ctime: Some(Timestamp::new(1 << 35, 999_999_999)),
        ..SetattrFields::default()
    };
    let before = Timestamp::now();
    let attr = kernel.setattr(made.ino, &fields).unwrap();
    let calls = kernel.operations().called(|call| match call {
        Call::Setattr(inode, fields, None) => Some((*inode, fields.clone())),
        _ => None,
    });
    assert_eq!(calls, [(made.ino, fields)]);
    assert_eq!(attr.mode, libc::S_IFREG | 0o640);
    assert_eq!((attr.uid, attr.gid, attr.size), (1, 2, 5_000));
    assert_eq!(attr.atime, Timestamp::new(-5, 17));
    assert!(attr.mtime >= before);
    assert_eq!(attr.ctime, Timestamp::new(1 << 35, 999_999_999));
    assert_eq!(kernel.getattr(made.ino).unwrap(), attr);

    let file = kernel.open(made.ino, OpenFlags::WRONLY).unwrap();
    let size = SetattrFields {
        size: Some(1),
        ..SetattrFields::default()
    };
    kernel
        .call(Request::setattr(made.ino, &size, Some(&file)))
        .unwrap();
    let handles = kernel.operations().called(|call| match call {
        Call::Setattr(_, _, fh) => Some(*fh),
        _ => None,
    });
    assert_eq!(handles, [None, Some(file.file.fh)]);
}

#[test]
fn the_umask_of_the_caller_goes_along() {
    common::install_logger();
    let caller = Caller {
        uid: 10,
        gid: 11,
        pid: 12,
        umask: 0o077,
    };
    let session = Session::builder(MemFs::default());
    let kernel = MockKernel::builder(session).caller(caller).start().unwrap();
    let umask = |umask| Caller { umask, ..caller };
    let (file, _) = kernel
        .create(ROOT_INODE, "a", 0o644, OpenFlags::RDWR)
        .unwrap();
    kernel.release(file).unwrap();
    let mkdir = Request::mkdir(ROOT_INODE, "b", 0o755);
    kernel.call(mkdir.by(umask(0o022))).unwrap();
    let mknod = Request::mknod(ROOT_INODE, "c", libc::S_IFREG, 0);
    kernel.call(mknod.by(umask(0o007))).unwrap();
    let umasks = kernel.operations().called(|call| match call {
        Call::Create { umask, .. } | Call::Mkdir { umask, .. } | Call::Mknod { umask, .. } => {
            Some(*umask)
        }
        _ => None,
    });
    assert_eq!(umasks, [0o077, 0o022, 0o007]);
}
