//! Mountpoints that are no directories: a regular file, and a descriptor that somebody else has mounted.

use std::ffi::OsStr;
use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::fd::IntoRawFd;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use libfuse3::*;
use rustix::net::RecvAncillaryBuffer;
use rustix::net::RecvAncillaryMessage;
use rustix::net::RecvFlags;

use crate::common;
use crate::common::MountDir;
use crate::common::TimeLimit;
use crate::fs::Fs;

/// A file system whose root is a file.
struct Single {
    mode: u32,
}

impl Operations for Single {
    async fn getattr(
        &self,
        ino: Inode,
        _: Option<FileRef>,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        let size = 4;
        let attr = common::attributes(ino, self.mode);
        Ok(EntryAttributes { size, ..attr }.with_timeouts(Duration::ZERO))
    }

    async fn lookup(&self, _: Inode, _: &OsStr, _: &RequestContext) -> Result<EntryAttributes> {
        Err(Errno::ENOENT)
    }

    async fn read(&self, file: FileRef, _: u64, _: usize, _: &RequestContext) -> Result<Data> {
        assert_eq!(file.inode, ROOT_INODE);
        Ok("text".into())
    }
}

/// A directory with a file to mount on, and a session mounted there.
fn on_a_file(mode: u32) -> (BackgroundSession, tempfile::TempDir, TimeLimit) {
    let limit = TimeLimit::new(common::DEFAULT_LIMIT);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().canonicalize().unwrap().join("file");
    fs::write(&path, "what is below").unwrap();
    let session = Session::builder(Single { mode }).mount(&path);
    common::register_mount(path.clone());
    let session = session.unwrap().spawn().unwrap();
    assert_eq!(session.mountpoint(), path);
    (session, dir, limit)
}

#[test]
fn a_regular_file() {
    common::require_fuse!();
    let (session, dir, _limit) = on_a_file(libc::S_IFREG | 0o644);
    let path = dir.path().join("file");
    let metadata = fs::metadata(&path).unwrap();
    assert_eq!(
        (metadata.mode(), metadata.len()),
        (libc::S_IFREG | 0o644, 4)
    );
    assert_eq!(fs::read(&path).unwrap(), b"text");
    let again = Session::builder(Single { mode: 0 }).mount(&path);
    let message = again.unwrap_err().to_string();
    assert!(message.contains("mounted there already"), "{message}");

    assert_eq!(session.unmount().unwrap(), ExitReason::Terminated);
    assert!(!common::is_mounted(&path), "still mounted");
    assert_eq!(fs::read(&path).unwrap(), b"what is below");
}

#[test]
fn a_regular_file_below_another_symbolic_link() {
    common::require_fuse!();
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().canonicalize().unwrap().join("file");
    fs::write(&path, "").unwrap();
    std::os::unix::fs::symlink("file", dir.path().join("link")).unwrap();
    let mode = libc::S_IFREG | 0o644;
    let session = Session::builder(Single { mode }).mount(dir.path().join("link"));
    common::register_mount(path.clone());
    let session = session.unwrap().spawn().unwrap();
    assert_eq!(session.mountpoint(), path);
    assert_eq!(fs::read(&path).unwrap(), b"text");
    // Unmounted from outside.
    common::unmount(&path, false).unwrap();
    assert_eq!(session.join().unwrap(), ExitReason::Unmounted);
}

#[test]
fn a_regular_file_while_the_root_is_a_directory() {
    common::require_fuse!();
    let (session, dir, _limit) = on_a_file(libc::S_IFDIR | 0o755);
    let path = dir.path().join("file");
    assert_eq!(common::errno(fs::metadata(&path)), libc::EIO);
    session.unmount().unwrap();
    assert!(!common::is_mounted(&path), "still mounted");
}

/// Has fusermount3 mount, as libfuse does, and returns the descriptor that it hands over.
fn mounted_by_fusermount3(path: &Path) -> OwnedFd {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut command = Command::new("fusermount3");
    command.args(["-o", "rw,fsname=elsewhere", "--"]).arg(path);
    command
        .env("_FUSE_COMMFD", "0")
        .stdin(OwnedFd::from(theirs));
    let status = command.status().expect("fusermount3 runs");
    assert!(status.success(), "{status}");
    common::register_mount(path.to_owned());
    // A byte, and the descriptor with it.
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let mut parts = [IoSliceMut::new(&mut byte)];
    let flags = RecvFlags::CMSG_CLOEXEC;
    rustix::net::recvmsg(ours.as_fd(), &mut parts, &mut ancillary, flags).unwrap();
    let fd = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    fd.expect("a descriptor")
}

/// What the session is told of the mount.
#[derive(Clone, Copy, Debug)]
enum How {
    Number,
    Descriptor,
}

fn serve(ops: Fs, fd: OwnedFd, how: How) -> BackgroundSession {
    let builder = Session::builder(ops);
    let session = match how {
        How::Number => {
            let path = format!("/dev/fd/{}", fd.into_raw_fd());
            let session = builder.mount(&path).unwrap();
            assert_eq!(session.mountpoint(), Path::new(&path));
            session
        }
        How::Descriptor => builder.custom_io(fd).unwrap(),
    };
    session.spawn().unwrap()
}

#[test]
fn a_descriptor_that_somebody_else_has_mounted() {
    common::require_fuse!();
    common::require!(has_fusermount3());
    for how in [How::Number, How::Descriptor] {
        let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
        let dir = MountDir::new();
        let ops = Fs::default();
        let dropped = Arc::clone(&ops.dropped);
        let session = serve(ops, mounted_by_fusermount3(dir.path()), how);
        let file = File::open(dir.join("data")).unwrap();
        let mut bytes = [1; 10];
        assert_eq!(file.read_at(&mut bytes, 0).unwrap(), 10);
        assert_eq!(bytes, [0; 10]);
        let mount = common::mountinfo_of(dir.path()).expect("mounted");
        assert_eq!(mount.source, "elsewhere");
        drop(file);

        // Unmounting is for those who have mounted.
        assert_eq!(session.unmount().unwrap(), ExitReason::Terminated);
        assert!(dropped.load(Ordering::Acquire), "{how:?}: leaked");
        assert!(common::is_mounted(dir.path()), "{how:?}: unmounted");
        let error = common::errno(fs::metadata(dir.join("data")));
        assert_eq!(error, libc::ENOTCONN, "{how:?}: still connected");
        common::unmount(dir.path(), false).unwrap();
        common::assert_quiet();
    }
}

#[test]
fn a_descriptor_that_somebody_else_unmounts() {
    common::require_fuse!();
    common::require!(has_fusermount3());
    for how in [How::Number, How::Descriptor] {
        let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
        let dir = MountDir::new();
        let session = serve(Fs::default(), mounted_by_fusermount3(dir.path()), how);
        assert!(fs::metadata(dir.join("data")).unwrap().is_file());
        common::unmount(dir.path(), false).unwrap();
        assert_eq!(session.join().unwrap(), ExitReason::Unmounted);
        common::assert_quiet();
    }
}

#[test]
fn a_descriptor_whose_session_never_runs() {
    common::require_fuse!();
    common::require!(has_fusermount3());
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    let dir = MountDir::new();
    let fd = mounted_by_fusermount3(dir.path()).into_raw_fd();
    let session = Session::builder(Fs::default()).mount(format!("/dev/fd/{fd}"));
    session.unwrap().close(Unmount::Yes).unwrap();
    let error = common::errno(fs::metadata(dir.join("data")));
    assert_eq!(error, libc::ENOTCONN);
    common::unmount(dir.path(), false).unwrap();
}

#[test]
fn a_descriptor_that_is_no_mount() {
    let refusal = |mountpoint: &str| {
        let error = Session::builder(Fs::default())
            .mount(mountpoint)
            .unwrap_err();
        assert!(matches!(error, Error::Mountpoint { .. }), "{error:?}");
        error.to_string()
    };
    let message = refusal("/dev/fd/999999");
    assert!(
        message.ends_with("descriptor 999999 is not open"),
        "{message}"
    );
    let null = OpenOptions::new().read(true).open("/dev/null").unwrap();
    let fd = null.into_raw_fd();
    let message = refusal(&format!("/dev/fd/{fd}"));
    assert!(message.ends_with("is not one of /dev/fuse"), "{message}");
    // It is still there, and so it is once more.
    assert_eq!(refusal(&format!("/dev/fd/{fd}")), message);
    for path in ["/dev/fd/99999999999999999999", "/dev/fd/x", "/dev/fd/-1"] {
        let message = refusal(path);
        assert!(message.contains("does not exist"), "{message}");
    }
}

fn has_fusermount3() -> bool {
    let found = common::find_program("fusermount3").is_some();
    if !found {
        common::skip("there is no fusermount3");
    }
    found
}
