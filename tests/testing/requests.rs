//! Requests that fail, that are unknown, or make no sense.

use std::ffi::OsStr;
use std::ffi::OsString;

use libfuse3::testing::MockKernel;
use libfuse3::testing::Request;
use libfuse3::*;

use crate::common;

/// A file system that answers each lookup with the error of that name.
struct Errors;

impl Operations for Errors {
    async fn lookup(&self, _: Inode, name: &OsStr, _: &RequestContext) -> Result<EntryAttributes> {
        match name.to_str().unwrap() {
            "panic" => panic!("as the test wants it"),
            "inode 0" => Ok(EntryAttributes::default()),
            number => Err(Errno::from_raw(number.parse().unwrap()).unwrap()),
        }
    }

    async fn mkdir(
        &self,
        _: Inode,
        _: &OsStr,
        _: u32,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        Ok(EntryAttributes::default())
    }

    async fn read(&self, _: FileRef, _: u64, size: usize, _: &RequestContext) -> Result<Data> {
        Ok(vec![0; size + 1].into())
    }

    async fn readlink(&self, _: Inode, _: &RequestContext) -> Result<OsString> {
        Ok("target".into())
    }

    async fn fsync(&self, _: FileRef, _: bool, _: &RequestContext) -> Result<()> {
        Err(Errno::ENOSYS)
    }
}

fn start() -> MockKernel<Errors> {
    common::install_logger();
    MockKernel::new(Errors).unwrap()
}

#[test]
fn errors_are_those_of_the_file_system() {
    let kernel = start();
    // The last is the largest that has a description: libfuse 3.17+ sends ERANGE for those without.
    for number in [libc::ENOENT, libc::EIO, libc::EDQUOT, libc::EHWPOISON] {
        let expected = Errno::from_raw(number).unwrap();
        assert_eq!(kernel.lookup(ROOT_INODE, number.to_string()), Err(expected));
    }
    assert_eq!(kernel.lookup(ROOT_INODE, "panic"), Err(Errno::EIO));
    // The session lives on.
    assert_eq!(kernel.readlink(ROOT_INODE).unwrap(), "target");
    assert_eq!(kernel.lookup_counts(), []);
}

#[test]
fn what_is_left_out_answers_what_libfuse_does() {
    let kernel = start();
    assert_eq!(kernel.getattr(ROOT_INODE), Err(Errno::ENOSYS));
    assert_eq!(kernel.unlink(ROOT_INODE, "x"), Err(Errno::ENOSYS));
    assert_eq!(kernel.statfs(ROOT_INODE).unwrap(), StatvfsData::default());
    let file = kernel.open(ROOT_INODE, OpenFlags::empty()).unwrap();
    assert_eq!(file.file.fh, FileHandle(0));
    // An error of the backend's is none of the kernel's.
    assert_eq!(kernel.fsync(&file, false), Err(Errno::EOPNOTSUPP));
    kernel.release(file).unwrap();
}

#[test]
fn answers_that_make_no_sense_are_errors() {
    let kernel = start();
    assert_eq!(kernel.mkdir(ROOT_INODE, "x", 0o755), Err(Errno::EIO));
    assert_eq!(kernel.lookup(ROOT_INODE, "inode 0").unwrap().ino, Inode(0));
    let file = kernel.open(ROOT_INODE, OpenFlags::empty()).unwrap();
    assert_eq!(kernel.read(&file, 0, 10), Err(Errno::EIO));
}

#[test]
fn unknown_requests_are_not_implemented() {
    let kernel = start();
    for opcode in [0, 7, 48, 49, 54, 4096, u32::MAX] {
        let request = Request::raw(opcode, ROOT_INODE, &[0; 80]);
        assert_eq!(kernel.call(request), Err(Errno::ENOSYS), "{opcode}");
    }
    // INIT comes once.
    let init = Request::raw(26, Inode(0), &[0; 64]);
    assert_eq!(kernel.call(init), Err(Errno::EIO));
}

#[test]
fn malformed_requests_do_not_reach_the_file_system() {
    const LOOKUP: u32 = 1;
    const WRITE: u32 = 16;
    const FORGET: u32 = 2;
    let kernel = start();
    for (opcode, body) in [(LOOKUP, &b"2"[..]), (LOOKUP, b""), (WRITE, &[255; 40])] {
        let request = Request::raw(opcode, ROOT_INODE, body);
        assert_eq!(kernel.call(request), Err(Errno::EINVAL), "{opcode}");
    }
    let unanswered = kernel.start(Request::raw(FORGET, ROOT_INODE, b"short"));
    let raw = Request::raw(LOOKUP, ROOT_INODE, b"2\0 and more");
    assert_eq!(kernel.call(raw), Err(Errno::ENOENT));
    assert!(!unanswered.is_answered());
    let too_long = vec![0; 1 << 20];
    let request = Request::raw(WRITE, ROOT_INODE, &too_long);
    assert_eq!(kernel.call(request), Err(Errno::EINVAL));
}

#[test]
fn capabilities_are_agreed_upon() {
    struct Fs;

    impl Operations for Fs {
        const ENABLE_ACL: bool = true;

        fn init(&self, conn: &mut ConnInfo) -> Result<()> {
            assert!(!conn.capable().contains(Capabilities::SPLICE_WRITE));
            conn.want(Capabilities::WRITEBACK_CACHE)
        }
    }

    common::install_logger();
    let kernel = MockKernel::new(Fs).unwrap();
    let agreed = kernel.capabilities();
    let expected = Capabilities::WRITEBACK_CACHE
        | Capabilities::POSIX_ACL
        | Capabilities::READDIRPLUS
        | Capabilities::ASYNC_READ;
    assert!(agreed.contains(expected), "{agreed:?}");
    assert!(!agreed.contains(Capabilities::ATOMIC_O_TRUNC), "{agreed:?}");
    assert_eq!(kernel.max_write(), 128 * 1024);

    let session = Session::builder(Fs);
    let builder = MockKernel::builder(session).capabilities(Capabilities::ASYNC_READ);
    let error = builder.start().unwrap_err();
    assert!(matches!(error, Error::NotOffered { .. }), "{error:?}");
}

#[test]
fn tmpfile_is_sent_with_each_libfuse() {
    struct Nameless;

    impl Operations for Nameless {
        async fn tmpfile(
            &self,
            parent: Inode,
            mode: u32,
            flags: OpenFlags,
            ctx: &RequestContext,
        ) -> Result<(FileInfo, EntryAttributes)> {
            assert_eq!((parent, mode), (Inode(5), libc::S_IFREG | 0o600));
            assert_eq!((flags, ctx.umask), (OpenFlags::RDWR, 0o22));
            let attributes = EntryAttributes {
                ino: Inode(9),
                mode,
                ..EntryAttributes::default()
            };
            Ok((FileInfo::new(FileHandle(77)), attributes))
        }
    }

    common::install_logger();
    let tmpfile = || Request::tmpfile(Inode(5), libc::S_IFREG | 0o600, OpenFlags::RDWR);
    let caller = testing::Caller {
        uid: 0,
        gid: 0,
        pid: 1,
        umask: 0o22,
    };
    let kernel = MockKernel::new(Nameless).unwrap();
    let (file, entry) = kernel.call(tmpfile().by(caller)).unwrap();
    assert_eq!((file.file.fh, entry.ino), (FileHandle(77), Inode(9)));
    kernel.release(file).unwrap();
    kernel.forget(entry.ino, 1);
    // Where it is not implemented, the reply is what libfuse's is.
    assert_eq!(start().call(tmpfile()).unwrap_err(), Errno::ENOSYS);
}
