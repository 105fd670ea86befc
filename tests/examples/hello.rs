//! T15 of pyfuse3's tests.

use std::fs;
use std::fs::OpenOptions;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use crate::common;
use crate::common::MountDir;
use crate::common::TimeLimit;
use crate::program;
use crate::program::Program;
use crate::program::finish;

const NO_ARGUMENTS: [&str; 0] = [];

#[test]
fn hello_says_hello_and_cannot_be_written_to() {
    common::require_fuse!();
    let hello = Program::start("hello", NO_ARGUMENTS);
    let message = hello.join("message");
    assert_eq!(libfuse3::listdir(hello.path()).unwrap(), ["message"]);
    assert_eq!(fs::read_to_string(&message).unwrap(), "hello world\n");
    let stat = fs::metadata(&message).unwrap();
    assert_eq!(
        (stat.mode(), stat.len(), stat.nlink()),
        (libc::S_IFREG | 0o444, 12, 1)
    );

    let opened = OpenOptions::new().read(true).write(true).open(&message);
    assert_eq!(common::errno(opened), libc::EACCES);
    assert_eq!(
        common::errno(fs::metadata(hello.join("other"))),
        libc::ENOENT
    );
    // Root is let through to where nobody makes files, others are not.
    let expected = match rustix::process::geteuid().is_root() {
        true => libc::ENOSYS,
        false => libc::EACCES,
    };
    let created = fs::write(hello.join("other"), "");
    assert_eq!(common::errno(created), expected);
    hello.unmount();
}

#[test]
fn hello_can_be_listed_and_read_by_many_at_once() {
    common::require_fuse!();
    let hello = Program::start("hello", NO_ARGUMENTS);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..50 {
                    assert_eq!(libfuse3::listdir(hello.path()).unwrap(), ["message"]);
                    assert_eq!(fs::read(hello.join("message")).unwrap(), b"hello world\n");
                }
            });
        }
    });
    hello.unmount();
}

#[test]
fn hello_says_hello_where_mount_fuse3_has_mounted() {
    common::require_fuse!();
    common::require_root!();
    let Some(helper) = common::find_program("mount.fuse3") else {
        return common::skip("there is no mount.fuse3");
    };
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    let dir = MountDir::new();
    // It mounts by itself, and the program gets /dev/fd/N, with fewer rights than that takes.
    let mut command = Command::new(helper);
    command.arg(program::path_of("hello")).arg(dir.path());
    let output = finish(command.args(["-o", "drop_privileges"]));
    assert!(output.status.success(), "{output:?}");
    common::register_mount(dir.path().to_owned());
    let message = fs::read_to_string(dir.join("message"));
    assert_eq!(message.unwrap(), "hello world\n");
    assert_eq!(program::text(&output.stderr), "");
    program::unmount(dir.path());
}
