//! What handlers learn about who asks.

use std::ffi::OsStr;
use std::fs;
use std::thread;

use libfuse3::EntryAttributes;
use libfuse3::Errno;
use libfuse3::FileRef;
use libfuse3::Inode;
use libfuse3::Operations;
use libfuse3::RequestContext;
use libfuse3::Result;
use libfuse3::SecurityContext;
use libfuse3::Session;
use libfuse3::sys;
use rustix::process::Gid;

use crate::common;
use crate::common::MountDir;
use crate::common::Recorder;
use crate::common::TimeLimit;
use crate::common::assert_quiet;
use crate::common::errno;
use crate::common::require_fuse;
use crate::common::require_root;
use crate::scripted::dir;

/// What a handler finds out about its caller.
#[derive(Debug, PartialEq)]
struct Found {
    groups: Result<Vec<u32>>,
    /// User and group id, from libfuse itself.
    raw: (u32, u32),
    ids: (u32, u32),
    contexts: Vec<SecurityContext>,
}

#[derive(Default)]
struct Fs(Recorder<Found>);

impl Operations for Fs {
    async fn getattr(
        &self,
        _: Inode,
        _: Option<FileRef>,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        Ok(dir(1))
    }

    async fn lookup(&self, _: Inode, _: &OsStr, ctx: &RequestContext) -> Result<EntryAttributes> {
        // SAFETY: the request has no answer yet.
        let raw = unsafe { sys::fuse_req_ctx(ctx.as_raw()) };
        // SAFETY: as above.
        let raw = unsafe { &*raw };
        let raw = (raw.uid, raw.gid);
        // Also when the handler has had to wait.
        futures::pending!();
        self.0.record(Found {
            groups: ctx.groups(),
            raw,
            ids: (ctx.uid, ctx.gid),
            contexts: ctx.security_contexts(),
        });
        Err(Errno::ENOENT)
    }
}

/// What is found out about a thread with these groups, which only root can have.
fn found_with(groups: &[u32]) -> Found {
    let mounted = common::mount(Fs::default());
    thread::scope(|scope| {
        let client = scope.spawn(|| {
            let groups: Vec<_> = groups.iter().map(|group| Gid::from_raw(*group)).collect();
            rustix::thread::set_thread_groups(&groups).unwrap();
            assert_eq!(errno(fs::metadata(mounted.join("name"))), libc::ENOENT);
        });
        client.join().unwrap();
    });
    mounted.ops.0.next()
}

#[test]
fn the_groups_are_those_of_the_thread_that_asks() {
    require_fuse!();
    require_root!();
    // More than one try of the library has room for, and none at all.
    for groups in [(1000..1100).collect(), vec![5, 4242, 4_000_000_000], vec![]] {
        let found = found_with(&groups);
        assert_eq!(found.groups, Ok(groups));
        assert_eq!(found.raw, found.ids);
    }
    assert_quiet();
}

#[test]
fn an_ordinary_process_has_its_groups() {
    require_fuse!();
    let mounted = common::mount(Fs::default());
    assert_eq!(errno(fs::metadata(mounted.join("name"))), libc::ENOENT);
    let mine = rustix::process::getgroups().unwrap();
    let mine = mine.into_iter().map(Gid::as_raw).collect();
    let found = mounted.ops.0.next();
    assert_eq!(found.groups, Ok(mine));
    // Not asked for, and nothing is created.
    assert_eq!(found.contexts, []);
    assert_quiet();
}

#[test]
fn without_a_request_the_groups_are_those_of_the_process() {
    let ids = RequestContext::detached(0, 0, std::process::id());
    assert!(ids.as_raw().is_null());
    let mine = rustix::process::getgroups().unwrap().into_iter();
    assert_eq!(ids.groups(), Ok(mine.map(Gid::as_raw).collect()));
    let nobody = RequestContext::detached(0, 0, 0);
    assert_eq!(nobody.groups(), Err(Errno::EIO));
    assert_eq!(nobody.security_contexts(), []);
}

#[test]
fn the_session_of_libfuse_can_be_used() {
    require_fuse!();
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    let dir = MountDir::new();
    let session = Session::builder(Fs::default()).mount(dir.path()).unwrap();
    common::register_mount(dir.path().to_owned());
    // SAFETY: the session is valid.
    let descriptor = unsafe { sys::fuse_session_fd(session.as_raw()) };
    let file = fs::read_link(format!("/proc/self/fd/{descriptor}")).unwrap();
    assert_eq!(file.as_os_str(), "/dev/fuse");
    drop(session);
    assert_quiet();
}
