//! Sessions of users other than root, for whom fusermount3 mounts.

mod common;
#[path = "bad_input/namespace.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod namespace;
#[path = "examples/program.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod program;

use std::fs;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::thread;

use common::TimeLimit;
use common::memfs::MemFs;
use libfuse3::Session;
use libfuse3::Unmount;
use namespace::Namespace;
use namespace::User;
use rustix::mount::UnmountFlags;

const ROLE: &str = "LIBFUSE3_TEST_ROLE";
const DIRECTORIES: &str = "LIBFUSE3_TEST_DIRECTORIES";
const NOBODY: u32 = 65_534;

/// Starts this program again as nobody, in a role.
fn start(namespace: &Namespace, role: &str, directories: &Path) -> Child {
    // The directory of the build need not be open to everybody. And what this process has open for writing
    // could not be run while another test starts a child. In a chroot, the path of this program is another
    // one inside of the namespace.
    let program = namespace.path("unprivileged");
    program::run(
        Command::new("cp")
            .arg(format!("/proc/{}/exe", std::process::id()))
            .arg(&program),
    );
    let mut command = Command::new(program);
    command.args(["another_process", "--exact", "--nocapture"]);
    command.env(ROLE, role).env(DIRECTORIES, directories);
    command.uid(NOBODY).gid(NOBODY).current_dir("/");
    command.stdin(Stdio::null()).spawn().unwrap()
}

/// Where the other process starts. Does nothing as a test.
#[test]
fn another_process() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let directories = PathBuf::from(std::env::var_os(DIRECTORIES).unwrap());
    match role.as_str() {
        "mounts while another unmounts" => mount_while_another_unmounts(&directories),
        _ => panic!("{role}: unknown"),
    }
    std::process::exit(0);
}

/// The child that is to become fusermount3 has a copy of a file on a mount that nobody answers for, and
/// closes it before it does.
#[test]
fn an_unmount_does_not_wait_for_a_mount_that_waits_for_it() {
    namespace::alone(|namespace| {
        namespace.set_device_mode(0o666);
        if Path::new("/sys/fs/fuse/connections").exists() {
            // There the connection could be aborted.
            namespace.empty("/sys/fs/fuse/connections");
        }
        let directories = namespace.directory("directories", User::Nobody, 0o755);
        let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
        let mut child = start(namespace, "mounts while another unmounts", &directories);
        let ended = common::wait_until(common::PATIENCE, || child.try_wait().unwrap().is_some());
        if !ended {
            // Not even a signal ends what waits for the file system; aborting the connection does.
            let first = directories.join("first");
            let aborted = rustix::mount::unmount(&first, UnmountFlags::FORCE);
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("both still wait; umount -f: {aborted:?}");
        }
        let status = child.wait().unwrap();
        assert!(status.success(), "{status}");
    });
}

fn mount_while_another_unmounts(directories: &Path) {
    let [first, second] = ["first", "second"].map(|name| directories.join(name));
    fs::create_dir(&first).unwrap();
    fs::create_dir(&second).unwrap();
    let mut session = Session::builder(MemFs::default()).mount(&first).unwrap();
    let handle = session.handle();
    let file = first.join("file");
    let opening = thread::spawn(move || {
        let file = File::create(file).unwrap();
        handle.terminate();
        file
    });
    smol::block_on(session.run()).unwrap();
    // Nobody reads any more, and it is still mounted.
    let _file = opening.join().unwrap();
    let mounting = thread::spawn(move || {
        let session = Session::builder(MemFs::default()).mount(&second).unwrap();
        session.close(Unmount::Yes).unwrap();
    });
    assert!(
        common::wait_until(common::PATIENCE, has_children),
        "no fusermount3"
    );
    session.close(Unmount::Yes).unwrap();
    mounting.join().unwrap();
}

fn has_children() -> bool {
    let threads = fs::read_dir("/proc/self/task").unwrap().flatten();
    let mut children = threads.map(|thread| fs::read(thread.path().join("children")));
    children.any(|children| children.is_ok_and(|children| !children.is_empty()))
}
