//! How a session under the mock kernel ends, and what is left then.

use std::fs;
use std::process::Command;
use std::sync::Arc;

use libfuse3::testing::MockKernel;
use libfuse3::*;

use crate::common;
use crate::common::memfs::Call;
use crate::common::memfs::MemFs;

fn start() -> MockKernel<MemFs> {
    common::install_logger();
    MockKernel::new(MemFs::default()).unwrap()
}

#[test]
fn unmounting_destroys_and_drops_the_file_system() {
    for explicitly in [false, true] {
        let kernel = start();
        kernel.getattr(ROOT_INODE).unwrap();
        let ops = Arc::clone(kernel.operations());
        if explicitly {
            drop(kernel.unmount().unwrap());
        } else {
            drop(kernel);
        }
        let destroyed = ops.called(|call| matches!(call, Call::Destroy).then_some(()));
        assert_eq!(destroyed.len(), 1);
        assert_eq!(Arc::strong_count(&ops), 1, "leaked");
    }
    common::assert_quiet();
}

#[test]
fn a_session_that_ends_by_itself_is_not_connected() {
    let kernel = start();
    kernel.handle().terminate();
    // What was sent by then may be answered.
    let mut answer = Ok(());
    let ended = common::wait_until(common::PATIENCE, || {
        answer = kernel.getattr(ROOT_INODE).map(drop);
        answer.is_err()
    });
    assert!(ended);
    assert_eq!(answer, Err(Errno::ENOTCONN));
    assert_eq!(kernel.lookup(ROOT_INODE, "x"), Err(Errno::ENOTCONN));
    assert_eq!(kernel.notification(), None);
    kernel.forget(ROOT_INODE, 1);
    drop(kernel.unmount().unwrap());
}

#[test]
fn no_thread_is_left() {
    const ALONE: &str = "LIBFUSE3_TEST_ALONE";
    // Other tests have threads of the same names.
    if std::env::var_os(ALONE).is_none() {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["ends::no_thread_is_left", "--exact", "--nocapture"]);
        let output = command.env(ALONE, "1").output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains("1 passed"), "{text}");
        return;
    }
    let ours = || {
        let tasks = fs::read_dir("/proc/self/task").unwrap();
        let names =
            tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
        let ours = names.filter(|name| name.starts_with("fuse-") || name.starts_with("mock-"));
        ours.count()
    };
    let fds = || fs::read_dir("/proc/self/fd").unwrap().count();
    assert_eq!(ours(), 0);
    let mut before = 0;
    for round in 0..5 {
        let session = Session::builder(MemFs::default()).reader_threads(3);
        let kernel = MockKernel::builder(session).start().unwrap();
        kernel.getattr(ROOT_INODE).unwrap();
        // A thread gets its name when it begins to run, and is listed until it has gone after it was joined.
        assert!(common::wait_until(common::PATIENCE, || ours() == 5));
        drop(kernel);
        assert!(common::wait_until(common::PATIENCE, || ours() == 0));
        // The first one has left behind what the process needs once.
        if round == 0 {
            before = fds();
        }
        assert_eq!(fds(), before);
    }
}

#[test]
fn a_file_system_whose_init_fails_does_not_start() {
    struct Fs;

    impl Operations for Fs {
        fn init(&self, _: &mut ConnInfo) -> Result<()> {
            Err(Errno::ENOMEM)
        }
    }

    let error = MockKernel::new(Fs).unwrap_err();
    assert!(matches!(error, Error::Init(Errno::ENOMEM)), "{error:?}");
}
