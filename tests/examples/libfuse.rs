//! The examples that have their names and command lines from libfuse's: what a script sees.

use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use rustix::event::PollFd;
use rustix::event::PollFlags;

use crate::common;
use crate::common::TimeLimit;
use crate::program;
use crate::program::Program;
use crate::program::failure;
use crate::program::finish;
use crate::program::run;
use crate::program::text;

const NO_ARGUMENTS: [&str; 0] = [];

fn client(name: &str) -> Command {
    Command::new(program::path_of(name))
}

#[test]
fn hello_ll_says_hello() {
    common::require_fuse!();
    let hello = Program::start("hello_ll", NO_ARGUMENTS);
    let mut list = Command::new("ls");
    assert_eq!(run(list.arg("-a").arg(hello.path())), ".\n..\nhello\n");
    let file = hello.join("hello");
    assert_eq!(fs::read_to_string(&file).unwrap(), "Hello World!\n");
    let stat = fs::metadata(&file).unwrap();
    assert_eq!(
        (stat.mode(), stat.len(), stat.nlink(), stat.ino()),
        (libc::S_IFREG | 0o444, 13, 1, 2)
    );
    let opened = OpenOptions::new().write(true).open(&file);
    assert_eq!(common::errno(opened), libc::EACCES);
    assert_eq!(
        common::errno(fs::metadata(hello.join("doesnotexist"))),
        libc::ENOENT
    );
    // It does not check permissions, and has no handler that would create it.
    assert_eq!(
        common::errno(fs::create_dir(hello.join("directory"))),
        libc::ENOSYS
    );
    hello.unmount();
}

#[test]
fn null_is_zeros_and_keeps_nothing() {
    common::require_fuse!();
    let null = Program::start_on_file("null", NO_ARGUMENTS);
    let stat = fs::metadata(null.path()).unwrap();
    assert_eq!(
        (stat.mode(), stat.len(), stat.nlink(), stat.ino()),
        (libc::S_IFREG | 0o644, 1 << 32, 1, 1)
    );
    assert_eq!(stat.uid(), rustix::process::getuid().as_raw());
    let options = OpenOptions::new().read(true).write(true).clone();
    let file = options.open(null.path()).unwrap();
    let mut buffer = [1; 100_000];
    file.read_exact_at(&mut buffer, 123).unwrap();
    assert_eq!(buffer, [0; 100_000]);
    file.read_exact_at(&mut buffer, (1 << 32) - 100_000)
        .unwrap();
    assert_eq!(file.read_at(&mut buffer, 1 << 32).unwrap(), 0);
    file.write_all_at(b"something", 7).unwrap();
    file.set_len(3).unwrap();
    drop(file);
    fs::write(null.path(), "else").unwrap();
    let mut start = [1; 20];
    let mut file = File::open(null.path()).unwrap();
    file.read_exact(&mut start).unwrap();
    assert_eq!(start, [0; 20]);
    let touched = file.set_modified(std::time::SystemTime::UNIX_EPOCH);
    assert_eq!(common::errno(touched), libc::ENOSYS);
    drop(file);
    null.unmount();
}

#[test]
fn null_wants_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let message = failure(client("null").arg(dir.path()));
    assert_eq!(message, "null: mountpoint is not a regular file\n");
    let message = failure(client("null").arg(dir.path().join("missing")));
    assert!(
        message.starts_with("null: failed to access mountpoint ")
            && message.contains("No such file or directory"),
        "{message}"
    );
    let message = failure(&mut client("null"));
    assert!(message.contains("missing operands"), "{message}");
}

#[test]
fn printcap_prints_what_there_is_and_ends() {
    common::require_fuse!();
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    let output = finish(&mut client("printcap"));
    assert!(output.status.success(), "{output:?}");
    assert_eq!(text(&output.stderr), "");
    let out = text(&output.stdout);
    let lines: Vec<_> = out.lines().collect();
    let [version, protocol, "Capabilities:", capabilities @ ..] = &*lines else {
        panic!("{out}");
    };
    let expected = format!("FUSE library version {}", libfuse3::libfuse_version());
    assert_eq!(*version, expected);
    assert!(protocol.starts_with("Protocol version: 7."), "{protocol}");
    for capability in capabilities {
        assert!(capability.starts_with("\tFUSE_CAP_"), "{capability}");
    }
    for old in ["ASYNC_READ", "POSIX_LOCKS", "ATOMIC_O_TRUNC", "READDIRPLUS"] {
        let line = format!("\tFUSE_CAP_{old}");
        assert!(capabilities.contains(&&*line), "no {old} in {out}");
    }
    let output = finish(client("printcap").args(["-o", "no_such_option"]));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(text(&output.stdout), format!("{expected}\n"));
    let message = text(&output.stderr);
    assert!(message.contains("no_such_option"), "{message}");
}

#[test]
fn poll_wakes_who_waits_and_its_client_sees_it() {
    common::require_fuse!();
    let mut poll = Program::start("poll", NO_ARGUMENTS);
    let names: Vec<_> = "0123456789ABCDEF".chars().map(String::from).collect();
    let mut list = Command::new("ls");
    let listed = run(list.arg("-f").arg(poll.path()));
    assert_eq!(listed.lines().collect::<Vec<_>>(), names);
    let stat = fs::metadata(poll.join("F")).unwrap();
    assert_eq!(stat.mode(), libc::S_IFREG | 0o444);
    for missing in ["a", "G", "00"] {
        assert_eq!(
            common::errno(fs::metadata(poll.join(missing))),
            libc::ENOENT
        );
    }

    let writing = OpenOptions::new().append(true).open(poll.join("0"));
    assert_eq!(common::errno(writing), libc::EACCES);
    let mut file = File::open(poll.join("7")).unwrap();
    assert_eq!(
        common::errno(File::open(poll.join("7"))),
        libc::EBUSY,
        "one at a time"
    );
    let ready = rustix::event::poll(&mut [PollFd::new(&file, PollFlags::IN)], None);
    assert_eq!(ready, Ok(1));
    let mut buffer = [0; 100];
    let len = file.read(&mut buffer).unwrap();
    assert!((1..=10).contains(&len), "{len}");
    assert!(buffer[..len].iter().all(|byte| *byte == b'7'));
    drop(file);

    // The kernel may tell the file system late that a file was closed.
    let mut lines = String::new();
    assert!(common::wait_until(common::PATIENCE, || {
        let output = finish(client("poll_client").current_dir(poll.path()));
        lines = text(&output.stdout);
        output.status.success()
    }));
    assert_eq!(lines.lines().count(), 16, "{lines}");
    let mut seen = 0;
    for line in lines.lines() {
        assert_eq!(line.len(), 16 * 5, "{line:?}");
        for (column, name) in line.as_bytes().chunks(5).zip(&names) {
            let column = str::from_utf8(column).unwrap();
            match column.strip_prefix(&format!("{name}:")) {
                Some(len) => {
                    let len: usize = len.trim().parse().unwrap();
                    assert!((1..=10).contains(&len), "{line:?}");
                    seen += 1;
                }
                None => assert_eq!(column, "_:   "),
            }
        }
    }
    assert!(seen >= 16, "each line has something: {lines}");

    program::unmount(poll.path());
    assert!(poll.join_process().success());
    let output = poll.output();
    for part in ["NOTIFY ", "POLL   ", "READ   7 transferred="] {
        assert!(output.contains(part), "no {part:?} in {output}");
    }
}

#[test]
fn poll_client_wants_the_files() {
    let dir = tempfile::tempdir().unwrap();
    let message = failure(client("poll_client").current_dir(dir.path()));
    assert!(
        message.starts_with("open: No such file or directory"),
        "{message}"
    );
}

#[test]
fn ioctl_ll_tells_and_sets_the_size() {
    common::require_fuse!();
    let fioc = Program::start("ioctl_ll", NO_ARGUMENTS);
    let file = fioc.join("fioc");
    let mut list = Command::new("ls");
    assert_eq!(run(list.arg("-a").arg(fioc.path())), ".\n..\nfioc\n");
    let client = |command: &str, arguments: &[&str]| {
        let mut client = client("ioctl_ll_client");
        client.arg(command).arg(&file).args(arguments);
        client
    };
    assert_eq!(run(&mut client("get_size", &[])), "0\n");
    fs::write(&file, "foobar").unwrap();
    assert_eq!(run(&mut client("get_size", &[])), "6\n");
    assert_eq!(run(&mut client("set_size", &["3"])), "Size set to 3\n");
    assert_eq!(run(&mut client("get_size", &[])), "3\n");
    assert_eq!(fs::read(&file).unwrap(), b"foo");
    assert_eq!(run(&mut client("set_size", &["5"])), "Size set to 5\n");
    // Filled up with zeros; the kernel goes by the size that it has cached.
    assert!(common::wait_until(common::PATIENCE, || {
        fs::read(&file).unwrap() == b"foo\0\0"
    }));
    for (command, arguments, name) in [
        ("read", &["0", "3"][..], "FIOC_READ"),
        ("write", &["0", "abc"], "FIOC_WRITE"),
    ] {
        let message = failure(&mut client(command, arguments));
        assert!(
            message.starts_with(&format!("ioctl({name}): Input/output error")),
            "{message}"
        );
    }
    assert!(failure(&mut client("set_size", &[])).contains("requires a size"));
    assert!(failure(&mut client("no_such", &[])).starts_with("Unknown command: no_such\n"));
    let enormous = failure(&mut client("set_size", &["1000000000000"]));
    assert!(enormous.contains("Cannot allocate memory"), "{enormous}");
    fioc.unmount();
}

#[test]
fn passthrough_ll_mirrors_its_source() {
    common::require_fuse!();
    for options in [
        "",
        ",cache=never",
        ",cache=always,writeback",
        ",flock,timeout=0",
    ] {
        let source = tempfile::tempdir().unwrap();
        let list = format!("-osource={}{options}", source.path().display());
        let program = Program::start("passthrough_ll", [list]);
        fs::create_dir(program.join("directory")).unwrap();
        fs::write(program.join("directory/file"), "contents").unwrap();
        fs::rename(program.join("directory/file"), program.join("file")).unwrap();
        fs::hard_link(program.join("file"), program.join("link")).unwrap();
        assert_eq!(fs::read(program.join("link")).unwrap(), b"contents");
        let (mirrored, there) = (program.join("file"), source.path().join("file"));
        File::open(&mirrored).unwrap().sync_all().unwrap();
        assert_eq!(fs::read(&there).unwrap(), b"contents");
        let stats = [&mirrored, &there].map(|path| fs::metadata(path).unwrap());
        let [mirrored_stat, stat] = stats.map(|stat| {
            (
                stat.mode(),
                stat.len(),
                stat.nlink(),
                stat.ino(),
                stat.uid(),
            )
        });
        assert_eq!(mirrored_stat, stat);
        let xattr = libfuse3::setxattr(&mirrored, "user.name", b"value");
        assert_eq!(common::errno(xattr), libc::EOPNOTSUPP);
        program.unmount();
    }
}

#[test]
fn passthrough_ll_has_extended_attributes_if_asked_to() {
    common::require_fuse!();
    let source = tempfile::tempdir().unwrap();
    let list = format!("source={},xattr", source.path().display());
    let program = Program::start("passthrough_ll", ["-o", &list]);
    let there = source.path().join("file");
    fs::write(&there, "").unwrap();
    if libfuse3::setxattr(&there, "user.name", b"value").is_err() {
        program.unmount();
        return common::skip("the source has no extended attributes");
    }
    let value = libfuse3::getxattr(program.join("file"), "user.name");
    assert_eq!(value.unwrap(), b"value");
    program.unmount();
}

#[test]
fn passthrough_ll_mirrors_the_root_and_names_what_cannot_be() {
    common::require_fuse!();
    let program = Program::start("passthrough_ll", NO_ARGUMENTS);
    let stat = |path: &std::path::Path| fs::metadata(path).unwrap().ino();
    assert_eq!(stat(program.path()), stat("/".as_ref()));
    program.unmount();

    let mountpoint = tempfile::tempdir().unwrap();
    for (options, expected) in [
        ("source=/no/such/source", "/no/such/source"),
        ("source=/dev/null", "not a directory"),
        ("cache=sometimes", "cache=sometimes"),
        ("timeout=-1", "timeout=-1"),
    ] {
        let mut command = client("passthrough_ll");
        let message = failure(command.args(["-o", options]).arg(mountpoint.path()));
        assert!(message.contains(expected), "{message}");
    }
}
