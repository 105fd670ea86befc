//! Setting the attribute `fuse_stacktrace` of the root tells what every request waits for.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::fs;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use libfuse3::EntryAttributes;
use libfuse3::Errno;
use libfuse3::FileRef;
use libfuse3::InFlightReport;
use libfuse3::Inode;
use libfuse3::Operations;
use libfuse3::ROOT_INODE;
use libfuse3::RequestContext;
use libfuse3::Result;
use libfuse3::XattrFlags;

use crate::common;
use crate::common::Gate;
use crate::common::Recorder;
use crate::directory;

const NAME: &str = "fuse_stacktrace";
/// A directory. Not the root: the kernel does not let an attribute of a directory be set while it looks
/// up a name in it.
const CHILD: Inode = Inode(2);

/// Looking up `slow` waits.
struct Fs {
    gate: Arc<Gate>,
    reports: Recorder<InFlightReport>,
    attributes: Recorder<(Inode, OsString)>,
}

impl Fs {
    fn new() -> Self {
        Self {
            gate: Gate::new(),
            reports: Recorder::new(),
            attributes: Recorder::new(),
        }
    }
}

impl Operations for Fs {
    async fn lookup(
        &self,
        parent: Inode,
        _: &OsStr,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        if parent == CHILD {
            self.gate.pass().await;
            return Err(Errno::ENOENT);
        }
        Ok(directory(CHILD))
    }

    async fn getattr(
        &self,
        inode: Inode,
        _: Option<FileRef>,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        Ok(directory(inode))
    }

    async fn setxattr(
        &self,
        inode: Inode,
        name: &OsStr,
        _: &[u8],
        _: XattrFlags,
        _: &RequestContext,
    ) -> Result<()> {
        self.attributes.record((inode, name.to_owned()));
        Ok(())
    }

    fn stacktrace(&self, report: &InFlightReport) {
        self.reports.record(report.clone());
    }
}

#[test]
fn the_report_names_each_request_and_since_when_it_waits() {
    common::require_fuse!();
    let mounted = common::mount(Fs::new());
    thread::scope(|scope| {
        let _end = mounted.ops.gate.open_at_end();
        let before = Instant::now();
        let client = scope.spawn(|| {
            let pid = rustix::thread::gettid().as_raw_nonzero().get();
            (pid, common::errno(fs::metadata(mounted.join("child/slow"))))
        });
        mounted.ops.gate.wait_for(1);
        // The handler has been called, but is not necessarily noted down as waiting yet.
        let mut report = None;
        assert!(common::wait_until(common::PATIENCE, || {
            libfuse3::setxattr(mounted.path(), NAME, "any value").unwrap();
            let latest = mounted.ops.reports.next();
            let is_complete = latest.requests().len() == 1;
            report = Some(latest);
            is_complete
        }));
        let text = report.as_ref().unwrap().to_string();
        mounted.ops.gate.open();
        let (pid, result) = client.join().unwrap();
        assert_eq!(result, libc::ENOENT);
        let report = report.unwrap();
        let [request] = report.requests() else {
            panic!("{report:?}")
        };
        assert_eq!((request.operation, request.inode), ("lookup", CHILD));
        assert_eq!((request.pid, request.queued), (pid as u32, false));
        assert_eq!(request.uid, rustix::process::getuid().as_raw());
        assert!(request.since >= before && request.since <= Instant::now());
        let words = format!("lookup of inode 2 by uid {} pid {pid}", request.uid);
        assert!(text.contains(&words), "{text}");
    });
    // Its caller may have the answer before the request is crossed off.
    let all_are_answered = || {
        libfuse3::setxattr(mounted.path(), NAME, "").unwrap();
        mounted.ops.reports.next().requests().is_empty()
    };
    assert!(common::wait_until(common::PATIENCE, all_are_answered));
    mounted.ops.attributes.expect_nothing();
    common::assert_quiet();
}

#[test]
fn other_attributes_and_other_inodes_are_the_file_systems() {
    common::require_fuse!();
    let mounted = common::mount(Fs::new());
    libfuse3::setxattr(mounted.path(), "user.fuse_stacktrace", "1").unwrap();
    libfuse3::setxattr(mounted.join("child"), NAME, "1").unwrap();
    let attributes = &mounted.ops.attributes;
    attributes.expect((ROOT_INODE, "user.fuse_stacktrace".into()));
    attributes.expect((CHILD, NAME.into()));
    mounted.ops.reports.expect_nothing();
}

/// Implements nothing that has to do with attributes.
struct Plain(Arc<Gate>);

impl Operations for Plain {
    async fn lookup(
        &self,
        parent: Inode,
        _: &OsStr,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        if parent == CHILD {
            self.0.pass().await;
            return Err(Errno::ENOENT);
        }
        Ok(directory(CHILD))
    }

    async fn getattr(
        &self,
        inode: Inode,
        _: Option<FileRef>,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        Ok(directory(inode).with_timeouts(Duration::from_secs(300)))
    }
}

#[test]
fn by_default_the_report_is_logged_and_never_queues_up_itself() {
    common::require_fuse!();
    let gate = Gate::new();
    let mounted = common::mount_with(Plain(gate.clone()), |builder| builder.max_in_flight(1));
    // Nothing else is asked on the way to the attribute.
    fs::metadata(mounted.join("child")).unwrap();
    thread::scope(|scope| {
        let _end = gate.open_at_end();
        let clients: Vec<_> = ["child/a", "child/b"]
            .map(|name| mounted.join(name))
            .map(|path| scope.spawn(|| fs::symlink_metadata(path)))
            .into();
        gate.wait_for(1);
        assert!(common::wait_until(common::PATIENCE, || {
            libfuse3::setxattr(mounted.path(), NAME, "1").unwrap();
            let lines = common::log_lines();
            lines.iter().any(|line| line.text.contains("is queued"))
        }));
        assert_eq!(gate.arrived(), 1, "the other one is queued");
        gate.open();
        for client in clients {
            assert_eq!(common::errno(client.join().unwrap()), libc::ENOENT);
        }
    });
    let line =
        common::assert_logged(&["2 requests in flight", "waits in its handler", "is queued"]);
    assert_eq!(line.level, log::Level::Error);
}
