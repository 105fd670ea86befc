//! T15 of pyfuse3's tests.

use std::fs;
use std::fs::OpenOptions;
use std::os::unix::fs::MetadataExt;

use crate::common;
use crate::program::Program;

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
