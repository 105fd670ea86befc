//! T15 of pyfuse3's tests.

use std::fs;
use std::fs::OpenOptions;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
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

#[test]
fn hello_goes_on_when_its_debug_lines_cannot_be_written() {
    common::require_fuse!();
    // Nothing reads them after the third line. The last line of output is the exit status.
    let script = r#"exec 3>&1; { "$0" -d "$@" 2>&1; echo $? >&3; } | head -n 3 >/dev/null"#;
    let mut command = Command::new("sh");
    command.args(["-c", script]).arg(program::path_of("hello"));
    let mut hello = Program::start_command("hello", command, common::DEFAULT_LIMIT);
    for _ in 0..50 {
        assert_eq!(libfuse3::listdir(hello.path()).unwrap(), ["message"]);
        assert_eq!(fs::read(hello.join("message")).unwrap(), b"hello world\n");
    }
    program::unmount(hello.path());
    hello.join_process();
    assert_eq!(hello.output(), "0\n");
}

#[test]
fn hello_ends_well_when_its_help_cannot_be_written() {
    for option in ["--help", "--version", "--no-such-option"] {
        let (closed, ours) = UnixStream::pair().unwrap();
        drop(ours);
        let mut command = Command::new(program::path_of("hello"));
        command.stderr(closed.try_clone().map(OwnedFd::from).unwrap());
        command.stdout(OwnedFd::from(closed)).arg(option);
        let status = command.status().unwrap();
        let expected = if option == "--no-such-option" { 2 } else { 0 };
        assert_eq!(status.code(), Some(expected), "{option}");
    }
}

/// Starts `hello` with eight readers where there is room for the stacks of so many threads besides the main
/// thread: each takes 1 GiB.
fn hello_with_room_for(threads: u64) -> Option<Command> {
    if !cfg!(libfuse_since = "3.12") {
        common::skip("max_threads needs libfuse 3.12");
        return None;
    }
    let Some(prlimit) = common::find_program("prlimit") else {
        common::skip("there is no prlimit");
        return None;
    };
    const GIB: u64 = 1 << 30;
    let mut command = Command::new(prlimit);
    command.arg(format!("--as={}", threads * GIB + GIB / 2));
    command.arg(program::path_of("hello"));
    command.args(["-o", "max_threads=8"]);
    command.env("RUST_MIN_STACK", GIB.to_string());
    Some(command)
}

#[test]
fn hello_does_with_the_reader_threads_that_can_be_started() {
    common::require_fuse!();
    // One for the reactor, which comes first, since signals are handled, and one reader.
    let Some(command) = hello_with_room_for(2) else {
        return;
    };
    let hello = Program::start_command("hello", command, common::DEFAULT_LIMIT);
    assert_eq!(fs::read(hello.join("message")).unwrap(), b"hello world\n");
    hello.unmount();
}

#[test]
fn hello_fails_when_no_reader_thread_can_be_started() {
    common::require_fuse!();
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    let Some(mut command) = hello_with_room_for(1) else {
        return;
    };
    let dir = MountDir::new();
    let message = program::failure(command.arg("-f").arg(dir.path()));
    let expected = "hello: cannot start a thread for requests: ";
    assert!(message.starts_with(expected), "{message}");
}
