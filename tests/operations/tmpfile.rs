//! `tmpfile`: on each libfuse, from wherever requests come.

use std::fs::File;
use std::io;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use libfuse3::Capabilities;
use libfuse3::EntryAttributes;
use libfuse3::Errno;
use libfuse3::FileHandle;
use libfuse3::FileInfo;
use libfuse3::Forget;
use libfuse3::Inode;
use libfuse3::OpenFlags;
use libfuse3::SessionBuilder;
use rustix::fs::AtFlags;
use rustix::fs::CWD;
use rustix::fs::Mode;
use rustix::fs::OFlags;

use crate::common;
use crate::common::assert_quiet;
use crate::common::errno;
use crate::scripted::Call;
use crate::scripted::Scripted;
use crate::scripted::answer;
use crate::scripted::node;
use crate::scripted::this_caller;

/// Returns from a test where nothing can be mounted or the kernel has no `FUSE_TMPFILE`; says so.
macro_rules! require_tmpfile {
    () => {
        common::require_fuse!();
        common::require_linux!(6, 1);
    };
}

fn tmpfile(directory: &Path, flags: OFlags) -> io::Result<File> {
    let flags = OFlags::TMPFILE | flags;
    Ok(rustix::fs::open(directory, flags, Mode::from_raw_mode(0o640))?.into())
}

fn with_tmpfile() -> Scripted {
    let mut fs = Scripted::new();
    answer!(
        fs.tmpfile = |mode| Ok((
            FileInfo {
                direct_io: true,
                ..FileInfo::new(FileHandle(77))
            },
            EntryAttributes {
                nlink: 0,
                ..node(9, mode)
            }
        ))
    );
    answer!(fs.write = |_, data| Ok(data.len()));
    answer!(fs.link = |_| Ok(node(9, libc::S_IFREG | 0o640)));
    fs
}

#[test]
fn tmpfile_is_given_mode_and_flags_and_opens() {
    require_tmpfile!();
    let mounted = common::mount(with_tmpfile());
    let mut opened = tmpfile(mounted.path(), OFlags::RDWR).unwrap();
    let (call, caller) = mounted.ops.next_call();
    let Call::Tmpfile(Inode::ROOT, mode, flags) = call else {
        panic!("{call:?}")
    };
    assert_eq!(mode, libc::S_IFREG | 0o640 & !caller.umask);
    assert!(flags.contains(OpenFlags::RDWR), "{flags:?}");
    assert!(!flags.contains(OpenFlags::EXCL), "{flags:?}");
    assert_eq!(caller, this_caller(caller.umask));
    opened.write_all(b"abc").unwrap();
    let Call::Write(given, 0, ..) = mounted.ops.next_call().0 else {
        panic!("not written")
    };
    assert_eq!((given.inode, given.fh), (Inode(9), FileHandle(77)));
    assert_eq!(opened.metadata().unwrap().nlink(), 0);
    // It can still get a name.
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&opened));
    let named = mounted.join("named");
    rustix::fs::linkat(CWD, path, CWD, &named, AtFlags::SYMLINK_FOLLOW).unwrap();
    let Call::Link(Inode(9), Inode::ROOT, name) = mounted.ops.next_call().0 else {
        panic!("not linked")
    };
    assert_eq!(name, "named");
    drop(opened);
    assert_quiet();
}

#[test]
fn a_tmpfile_is_gone_when_it_is_closed() {
    require_tmpfile!();
    let mounted = common::mount(with_tmpfile());
    let opened = tmpfile(mounted.path(), OFlags::WRONLY | OFlags::EXCL).unwrap();
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&opened));
    let named = mounted.join("named");
    let linked = rustix::fs::linkat(CWD, path, CWD, &named, AtFlags::SYMLINK_FOLLOW);
    assert_eq!(linked, Err(rustix::io::Errno::NOENT));
    opened.write_all_at(b"x", 0).unwrap();
    drop(opened);
    mounted
        .ops
        .calls
        .find(|(call, _)| matches!(call, Call::Release(file, _) if file.fh == FileHandle(77)));
    let all = [Forget {
        inode: Inode(9),
        nlookup: 1,
    }];
    mounted
        .ops
        .calls
        .find(|(call, _)| matches!(call, Call::Forget(list) if list[..] == all));
    assert_quiet();
}

#[test]
fn tmpfile_returns_the_error_of_the_handler() {
    require_tmpfile!();
    for (answer, expected, asked) in [
        (Errno::EDQUOT, libc::EDQUOT, 2),
        (Errno::ENOSYS, libc::EOPNOTSUPP, 2),
        (Errno::NOT_IMPLEMENTED, libc::EOPNOTSUPP, 1),
    ] {
        let mut fs = Scripted::new();
        answer!(fs.tmpfile = move |_| Err(answer));
        let mounted = common::mount(fs);
        for _ in 0..2 {
            let opened = tmpfile(mounted.path(), OFlags::RDWR);
            assert_eq!(errno(opened), expected, "{answer:?}");
        }
        let calls = mounted.ops.count(|call| matches!(call, Call::Tmpfile(..)));
        assert_eq!(calls, asked, "{answer:?}");
    }
    assert_quiet();
}

/// Opens files without a name on several threads: each request must reach the handler.
fn check_with(
    fs: Scripted,
    configure: impl FnOnce(SessionBuilder<Scripted>) -> SessionBuilder<Scripted>,
) {
    const THREADS: usize = 4;
    const FILES: usize = 8;
    let mounted = common::mount_with(fs, configure);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..FILES {
                    let mut opened = tmpfile(mounted.path(), OFlags::RDWR).unwrap();
                    opened.write_all(b"abc").unwrap();
                }
            });
        }
    });
    let calls = |wanted: fn(&Call) -> bool| mounted.ops.count(wanted);
    assert_eq!(
        calls(|call| matches!(call, Call::Tmpfile(..))),
        THREADS * FILES
    );
    assert_eq!(calls(|call| matches!(call, Call::Create(..))), 0);
}

#[test]
fn tmpfile_reaches_the_handler_through_cloned_descriptors() {
    require_tmpfile!();
    check_with(with_tmpfile(), |builder| {
        builder.reader_threads(4).clone_fd(true)
    });
    assert_quiet();
}

#[test]
fn tmpfile_reaches_the_handler_through_one_descriptor() {
    require_tmpfile!();
    check_with(with_tmpfile(), |builder| {
        builder.reader_threads(4).clone_fd(false)
    });
    assert_quiet();
}

#[test]
fn tmpfile_reaches_the_handler_with_busy_poll() {
    require_tmpfile!();
    check_with(with_tmpfile(), |builder| {
        builder.busy_poll(Duration::from_micros(50))
    });
    assert_quiet();
}

#[test]
fn tmpfile_reaches_the_handler_when_requests_come_in_pipes() {
    require_tmpfile!();
    let mut fs = with_tmpfile();
    answer!(fs.init = |conn| conn.want(Capabilities::SPLICE_READ));
    check_with(fs, |builder| builder);
    assert_quiet();
}
