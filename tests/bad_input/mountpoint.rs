//! Where nothing can be mounted.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use libfuse3::Error;
use libfuse3::Session;

use crate::common;
use crate::common::MountDir;
use crate::common::memfs::MemFs;

/// The message of a session that cannot be mounted there. The file system must be dropped by then.
#[track_caller]
fn refusal(mountpoint: &Path) -> String {
    let fs = MemFs::default();
    let error = Session::builder(fs).mount(mountpoint).unwrap_err();
    let Error::Mountpoint { path, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(path, mountpoint, "as it was given");
    let message = error.to_string();
    assert_eq!(message.lines().count(), 1, "{message}");
    assert!(
        message.starts_with(&format!("cannot mount on {mountpoint:?}: ")),
        "{message}"
    );
    message
}

#[test]
fn one_that_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    for missing in ["missing", "missing/too"] {
        let message = refusal(&dir.path().join(missing));
        assert!(
            message.ends_with("it does not exist; create the directory first"),
            "{message}"
        );
    }
    symlink("nowhere", dir.path().join("dangling")).unwrap();
    let message = refusal(&dir.path().join("dangling"));
    assert!(message.contains("does not exist"), "{message}");
    symlink("loop", dir.path().join("loop")).unwrap();
    let message = refusal(&dir.path().join("loop"));
    assert!(message.contains("too many symbolic links"), "{message}");
    let message = refusal(Path::new(""));
    assert!(message.ends_with("the path is empty"), "{message}");
}

#[test]
fn one_that_is_neither_directory_nor_file() {
    let dir = tempfile::tempdir().unwrap();
    symlink("/dev/null", dir.path().join("link")).unwrap();
    for path in [&dir.path().join("link"), Path::new("/dev/null")] {
        let message = refusal(path);
        let reason = "it is neither a directory nor a regular file";
        assert!(message.ends_with(reason), "{message}");
    }
}

#[test]
fn one_below_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().canonicalize().unwrap().join("file");
    fs::write(&file, "").unwrap();
    for path in ["file/x", "file/.."] {
        let message = refusal(&dir.path().join(path));
        let reason = format!("{file:?} is not a directory");
        assert!(message.ends_with(&reason), "{message}");
    }
}

#[test]
fn one_with_a_nul_in_its_name() {
    let message = refusal(Path::new("/tmp/a\0b"));
    assert!(message.ends_with("the path has a NUL in it"), "{message}");
}

#[test]
fn one_that_is_busy_with_a_mount_of_ours() {
    common::require_fuse!();
    let mounted = common::mount(MemFs::default());
    let elsewhere = tempfile::tempdir().unwrap();
    symlink(mounted.path(), elsewhere.path().join("link")).unwrap();
    for path in [
        mounted.path().to_owned(),
        mounted.path().join("."),
        elsewhere.path().join("link"),
    ] {
        let message = refusal(&path);
        let advice = format!("fusermount3 -u {}", mounted.path().display());
        assert!(
            message.contains("mounted there already") && message.ends_with(&advice),
            "{message}"
        );
    }
    // It has not noticed.
    fs::write(mounted.join("file"), "text").unwrap();
    assert_eq!(fs::read(mounted.join("file")).unwrap(), b"text");
    common::assert_quiet();
}

#[test]
fn one_inside_of_a_mount_that_does_not_run() {
    common::require_fuse!();
    let _limit = common::TimeLimit::new(common::DEFAULT_LIMIT);
    let dir = MountDir::new();
    let session = Session::builder(MemFs::default()).mount(dir.path());
    let session = session.expect("mounted");
    common::register_mount(dir.path().to_owned());
    let message = refusal(&dir.join("inside"));
    assert!(message.contains("that is not running"), "{message}");
    let ops = Arc::downgrade(session.operations());
    drop(session);
    assert!(ops.upgrade().is_none(), "leaked");
}
