//! Sessions of processes that run out of descriptors.

use std::fs::File;
use std::io;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::thread;

use libfuse3::*;
use rustix::process::Resource;
use rustix::process::Rlimit;
use rustix::process::Signal;

use crate::common;
use crate::common::MountDir;
use crate::common::TimeLimit;
use crate::fs::Fs;
use crate::process;
use crate::process::Process;

/// How this process comes to have no descriptor left.
#[derive(Clone, Copy, Debug)]
enum Shortage {
    /// All of them are in use.
    Used,
    /// It may have none: the limit is 0, as sandboxes set it.
    Forbidden,
}

/// Lets this process open nothing more, until it is dropped.
struct NoDescriptors {
    before: Rlimit,
    _files: Vec<File>,
}

impl NoDescriptors {
    fn new(shortage: Shortage) -> Self {
        let before = rustix::process::getrlimit(Resource::Nofile);
        let limit = |limit| Rlimit {
            current: Some(limit),
            ..before
        };
        let limit = limit(match shortage {
            Shortage::Used => 64,
            Shortage::Forbidden => 0,
        });
        rustix::process::setrlimit(Resource::Nofile, limit).unwrap();
        let files = std::iter::repeat_with(|| File::open("/")).map_while(io::Result::ok);
        Self {
            before,
            _files: files.collect(),
        }
    }
}

impl Drop for NoDescriptors {
    fn drop(&mut self) {
        rustix::process::setrlimit(Resource::Nofile, self.before).unwrap();
    }
}

/// Runs the test in a process of its own, whose limits are not those of other tests.
fn alone(test: &str, body: impl FnOnce()) {
    common::require_fuse!();
    if !process::is_started_again() {
        process::run_again(test);
        return;
    }
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    body();
}

#[test]
fn unmount_without_descriptors_unmounts_and_frees_a_waiting_client() {
    let test = "shortage::unmount_without_descriptors_unmounts_and_frees_a_waiting_client";
    alone(test, || {
        [Shortage::Used, Shortage::Forbidden]
            .into_iter()
            .for_each(unmount_with_a_waiting_client);
    });
}

fn unmount_with_a_waiting_client(shortage: Shortage) {
    let dir = MountDir::new();
    let session = Session::builder(Fs::hanging()).shutdown_timeout(Default::default());
    let session = session.mount(dir.path()).unwrap();
    common::register_mount(dir.path().to_owned());
    let ops = Arc::clone(session.operations());
    let session = session.spawn().unwrap();
    let name = dir.join("name");
    let client = thread::spawn(move || std::fs::metadata(name).map(drop));
    ops.lookups.expect("name".to_owned());
    let no_descriptors = NoDescriptors::new(shortage);
    let reason = session.unmount();
    let error = client.join().unwrap();
    drop(no_descriptors);
    assert_eq!(reason.unwrap(), ExitReason::Terminated);
    let errno = common::errno(error);
    assert!(
        [libc::EIO, libc::ENOTCONN, libc::ECONNABORTED].contains(&errno),
        "{errno}"
    );
    assert!(
        !common::is_mounted(dir.path()),
        "{shortage:?}: still mounted"
    );
}

#[test]
fn drop_without_descriptors_unmounts() {
    alone("shortage::drop_without_descriptors_unmounts", || {
        for shortage in [Shortage::Used, Shortage::Forbidden] {
            let dir = MountDir::new();
            let session = Session::builder(Fs::default()).mount(dir.path()).unwrap();
            let no_descriptors = NoDescriptors::new(shortage);
            // It has not run: nothing of async-io is there yet.
            drop(session);
            drop(no_descriptors);
            assert!(
                !common::is_mounted(dir.path()),
                "{shortage:?}: still mounted"
            );
        }
    });
}

#[test]
fn session_that_cannot_start_without_descriptors_is_unmounted_with_an_error() {
    let test = "shortage::session_that_cannot_start_without_descriptors_is_unmounted_with_an_error";
    alone(test, || {
        type Run = fn(Session<Fs>) -> Result<(), Error>;
        let run: Run = |mut session| smol::future::block_on(session.run()).map(drop);
        let spawn: Run = |session| session.spawn().map(drop);
        for start in [run, spawn] {
            let dir = MountDir::new();
            let session = Session::builder(Fs::default()).mount(dir.path()).unwrap();
            let shortage = NoDescriptors::new(Shortage::Used);
            let result = start(session);
            drop(shortage);
            let Err(Error::System { source, .. }) = result else {
                panic!("{result:?}");
            };
            assert_eq!(source.raw_os_error(), Some(libc::EMFILE));
            assert!(!common::is_mounted(dir.path()), "still mounted");
        }
    });
}

#[test]
fn mount_without_descriptors_fails_with_nothing_mounted() {
    alone(
        "shortage::mount_without_descriptors_fails_with_nothing_mounted",
        || {
            let dir = MountDir::new();
            let shortage = NoDescriptors::new(Shortage::Used);
            let error = Session::builder(Fs::default())
                .mount(dir.path())
                .unwrap_err();
            drop(shortage);
            let message = error.to_string();
            let emfile = io::Error::from_raw_os_error(libc::EMFILE).to_string();
            assert!(message.contains(&emfile), "{message}");
            assert!(!common::is_mounted(dir.path()), "mounted");
        },
    );
}

/// Each number of descriptors that a program may be started with.
#[test]
fn program_with_few_descriptors_fails_with_a_message_or_unmounts_at_its_end() {
    common::require_fuse!();
    let program = std::env::current_exe().unwrap();
    let profile = program.ancestors().nth(2).unwrap();
    let hello = profile.join("examples/hello");
    assert!(hello.exists(), "build it first: cargo build --examples");
    let mut served = Vec::new();
    for descriptors in 4..=24 {
        let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
        let dir = MountDir::new();
        let script = format!(r#"ulimit -n {descriptors} && exec "$0" -f "$1""#);
        let mut command = Command::new("sh");
        command.args(["-c", &script]).arg(&hello).arg(dir.path());
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let stderr = tempfile::tempfile().unwrap();
        command.stderr(stderr.try_clone().unwrap());
        let mut child = Process::new(command.spawn().unwrap());
        let mut ended = None;
        let started = common::wait_until(common::PATIENCE, || {
            ended = child.wait_within(Default::default());
            ended.is_some() || dir.join("message").exists()
        });
        assert!(started, "{descriptors}: neither mounted nor ended");
        if ended.is_none() {
            child.signal(Signal::TERM);
            served.push(descriptors);
        }
        let status = child.wait();
        let said = said(stderr);
        match ended {
            None => assert_eq!(
                (status.code(), said.as_str()),
                (Some(0), ""),
                "{descriptors}"
            ),
            Some(_) => {
                assert_eq!(status.code(), Some(1), "{descriptors}: {said}");
                assert_eq!(said.lines().count(), 1, "{descriptors}: {said}");
            }
        }
        assert!(!common::is_mounted(dir.path()), "{descriptors}: {said}");
    }
    assert!(served.contains(&24), "{served:?}");
}

fn said(mut file: File) -> String {
    use std::io::Read;
    use std::io::Seek;
    let mut text = String::new();
    file.rewind().unwrap();
    file.read_to_string(&mut text).unwrap();
    text
}
