//! The tests' own tools work.

mod common;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use common::Recorder;
use libfuse3::EntryAttributes;
use libfuse3::Errno;
use libfuse3::ExitReason;
use libfuse3::FileRef;
use libfuse3::Inode;
use libfuse3::Operations;
use libfuse3::RequestContext;
use libfuse3::Result;

/// A root without anything in it.
#[derive(Default)]
struct Empty {
    getattr: Recorder<Inode>,
    lookup: Recorder<String>,
}

impl Operations for Empty {
    async fn getattr(
        &self,
        inode: Inode,
        _file: Option<FileRef>,
        _ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        self.getattr.record(inode);
        let mode = libc::S_IFDIR | 0o755;
        Ok(EntryAttributes {
            ino: inode,
            mode,
            ..EntryAttributes::default()
        })
    }

    async fn lookup(
        &self,
        _parent: Inode,
        name: &OsStr,
        _ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        self.lookup.record(name.display().to_string());
        match name.to_str() {
            Some("hang") => std::future::pending().await,
            Some("panic") => panic!("as the test has asked for"),
            _ => Err(Errno::ENOENT),
        }
    }
}

#[test]
fn a_mount_comes_and_goes() {
    common::require_fuse!();
    let mounted = common::mount(Empty::default());
    let path = mounted.path().to_owned();
    let info = common::mountinfo_of(&path).unwrap();
    assert!(info.kind.starts_with("fuse"), "{info:?}");
    let metadata = fs::metadata(&path).unwrap();
    assert_eq!((metadata.ino(), metadata.mode()), (1, 0o40755));
    mounted.ops.getattr.expect(Inode::ROOT);
    mounted.ops.getattr.expect_nothing();
    let missing = fs::metadata(mounted.join("missing"));
    assert_eq!(common::errno(missing), libc::ENOENT);
    mounted.ops.lookup.expect("missing".to_owned());
    assert_eq!(mounted.unmount(), ExitReason::Terminated);
    assert!(!path.exists(), "the directory is removed");
    common::assert_quiet();
}

#[test]
fn dropping_unmounts() {
    common::require_fuse!();
    let mounted = common::mount(Empty::default());
    let path = mounted.path().to_owned();
    drop(mounted);
    assert!(!common::is_mounted(&path) && !path.exists());
}

#[test]
fn log_lines_belong_to_their_test() {
    common::require_fuse!();
    let mounted = common::mount(Empty::default());
    assert_eq!(
        common::errno(fs::metadata(mounted.join("panic"))),
        libc::EIO
    );
    let line = common::assert_logged(&["lookup of inode 1", "panicked"]);
    assert_eq!(line.level, log::Level::Error);
    let elsewhere = std::thread::spawn(common::log_lines).join().unwrap();
    assert!(
        elsewhere.iter().any(|other| other.text == line.text),
        "inherited"
    );
}

#[test]
fn the_time_limit_frees_a_hanging_test() {
    common::require_fuse!();
    common::require_abort!();
    let limit = common::TimeLimit::new(Duration::from_secs(1));
    let mounted = common::mount_with(Empty::default(), |builder| {
        builder.shutdown_timeout(Duration::from_millis(100))
    });
    let hanging = fs::metadata(mounted.join("hang"));
    assert_eq!(common::errno(hanging), libc::ECONNABORTED);
    let path = mounted.path().to_owned();
    assert_eq!(mounted.join_session().unwrap(), ExitReason::Aborted);
    assert!(!common::is_mounted(&path));
    let expired = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(limit)));
    assert!(expired.is_err(), "the test would have failed");
}
