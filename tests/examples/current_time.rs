//! The examples whose contents or names are the time of day: what a script sees of it.

use std::fs;
use std::fs::OpenOptions;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use rustix::mount::MountFlags;

use crate::common;
use crate::common::MountDir;
use crate::program;
use crate::program::Program;
use crate::program::failure;
use crate::program::path_of;

/// What a program says whose libfuse is too old; it must not mount.
#[track_caller]
fn assert_needs(name: &str, mode: Option<&str>, version: &str) {
    let mountpoint = MountDir::new();
    let message = failure(
        Command::new(path_of(name))
            .args(mode)
            .arg(mountpoint.path()),
    );
    let expected = format!(
        "{name}: telling the kernel needs libfuse {version}, and this is libfuse {}; \
         --no-notify does without\n",
        libfuse3::libfuse_version()
    );
    assert_eq!(message, expected);
    assert!(!common::is_mounted(mountpoint.path()));
}

/// Waits until the time of day is no more what it was.
#[track_caller]
fn wait_for_the_next_second() {
    let second = || {
        std::time::SystemTime::UNIX_EPOCH
            .elapsed()
            .unwrap()
            .as_secs()
    };
    let now = second();
    assert!(common::wait_until(common::PATIENCE, || second() > now));
}

#[track_caller]
fn assert_is_the_time(contents: &str) {
    let time = contents.strip_prefix("The current time is ");
    let time = time.and_then(|time| time.strip_suffix('\n'));
    let parts: Vec<u32> = time
        .unwrap_or_else(|| panic!("{contents:?}"))
        .split(':')
        .map(|part| part.parse().unwrap())
        .collect();
    let [hour, minute, second] = *parts else {
        panic!("{contents:?}");
    };
    assert!(hour < 24 && minute < 60 && second <= 60, "{contents:?}");
}

#[test]
fn current_time_changes_when_the_kernel_is_told() {
    common::require_fuse!();
    for name in ["notify_inval_inode", "notify_store_retrieve"] {
        let program = Program::start(name, ["--update-interval=1"]);
        assert_eq!(libfuse3::listdir(program.path()).unwrap(), ["current_time"]);
        let file = program.join("current_time");
        let stat = fs::metadata(&file).unwrap();
        assert_eq!(
            (stat.mode(), stat.len(), stat.ino()),
            (libc::S_IFREG | 0o444, 29, 2)
        );
        let writing = OpenOptions::new().append(true).open(&file);
        assert_eq!(common::errno(writing), libc::EACCES);
        let mut last = fs::read_to_string(&file).unwrap();
        for _ in 0..2 {
            assert_is_the_time(&last);
            let changes = || fs::read_to_string(&file).unwrap() != last;
            assert!(common::wait_until(common::PATIENCE, changes), "{name}");
            last = fs::read_to_string(&file).unwrap();
        }
        program.unmount();
    }
}

#[test]
fn current_time_stays_when_the_kernel_is_not_told() {
    common::require_fuse!();
    for name in ["notify_inval_inode", "notify_store_retrieve"] {
        let program = Program::start(name, ["--update-interval=1", "--no-notify"]);
        let file = program.join("current_time");
        let first = fs::read_to_string(&file).unwrap();
        assert_is_the_time(&first);
        for _ in 0..3 {
            wait_for_the_next_second();
            assert_eq!(fs::read_to_string(&file).unwrap(), first);
        }
        program.unmount();
    }
}

#[test]
fn invalidate_path_shows_both_files_change_only_if_the_kernel_is_told() {
    common::require_fuse!();
    for (no_notify, changes) in [(None, true), (Some("--no-notify"), false)] {
        let arguments = ["--update-interval=1"].into_iter().chain(no_notify);
        let program = Program::start("invalidate_path", arguments);
        assert_eq!(
            libfuse3::listdir(program.path()).unwrap(),
            ["current_time", "growing"]
        );
        let (time, growing) = (program.join("current_time"), program.join("growing"));
        let stats = [&time, &growing].map(|path| fs::metadata(path).unwrap());
        assert_eq!(stats.map(|stat| stat.mode()), [libc::S_IFREG | 0o444; 2]);
        let seen = || {
            let time = fs::read_to_string(&time).unwrap();
            assert_is_the_time(&time);
            let contents = fs::read_to_string(&growing).unwrap();
            assert!(contents.bytes().all(|byte| byte == b'x'), "{contents}");
            (time, fs::metadata(&growing).unwrap().len())
        };
        let first = seen();
        if changes {
            assert!(common::wait_until(common::PATIENCE, || {
                let (time, size) = seen();
                time != first.0 && size > first.1
            }));
        } else {
            for _ in 0..3 {
                wait_for_the_next_second();
                assert_eq!(seen(), first);
            }
        }
        program.unmount();
    }
}

#[test]
fn notify_inval_entry_refuses_two_ways_at_once() {
    let mountpoint = tempfile::tempdir().unwrap();
    let mut command = Command::new(path_of("notify_inval_entry"));
    command
        .args(["--only-expire", "--inc-epoch"])
        .arg(mountpoint.path());
    let message = failure(&mut command);
    assert!(message.contains("exclude each other"), "{message}");
}

#[test]
fn a_name_that_was_invalidated_or_expired_is_gone() {
    common::require_fuse!();
    for (mode, libfuse) in [
        (None, "3.10"),
        (Some("--only-expire"), "3.13"),
        (Some("--inc-epoch"), "3.18"),
    ] {
        if *libfuse3::libfuse_version() < *libfuse {
            assert_needs("notify_inval_entry", mode, libfuse);
            continue;
        }
        if mode == Some("--inc-epoch") && !common::linux_since(6, 16) {
            common::skip("--inc-epoch: before Linux 6.16");
            continue;
        }
        let arguments = ["--update-interval=1", "--timeout=1000"];
        let program = Program::start("notify_inval_entry", arguments.into_iter().chain(mode));
        let old = only_name(&program);
        // Known to the kernel, if it was not renamed just now.
        drop(fs::metadata(program.join(&old)));
        let is_gone = || common::errno(fs::metadata(program.join(&old))) == libc::ENOENT;
        assert!(
            common::wait_until(common::PATIENCE, || fs::metadata(program.join(&old))
                .is_err()),
            "{mode:?}: {old} stays"
        );
        assert!(is_gone());
        assert_ne!(only_name(&program), old);
        program.unmount();
    }
}

/// The name of the only file.
fn only_name(program: &Program) -> String {
    let names = libfuse3::listdir(program.path()).unwrap();
    let [name] = &*names else {
        panic!("{names:?}");
    };
    let name = name.to_str().unwrap().to_owned();
    assert!(
        name.starts_with("Time_is_") && name.ends_with('s') && name.len() == 19,
        "{name}"
    );
    name
}

#[test]
fn a_name_that_was_not_invalidated_stays() {
    common::require_fuse!();
    let arguments = ["--update-interval=1", "--timeout=1000", "--no-notify"];
    let program = Program::start("notify_inval_entry", arguments);
    // The name may change between the two.
    let mut old = String::new();
    assert!(common::wait_until(common::PATIENCE, || {
        old = only_name(&program);
        fs::metadata(program.join(&old)).is_ok()
    }));
    let stat = fs::metadata(program.join(&old)).unwrap();
    assert_eq!((stat.mode(), stat.len()), (libc::S_IFREG, 0));
    for _ in 0..3 {
        wait_for_the_next_second();
        fs::metadata(program.join(&old)).unwrap();
    }
    assert_ne!(only_name(&program), old);
    program.unmount();
}

#[test]
fn a_file_that_is_pruned_changes() {
    common::require_fuse!();
    if *libfuse3::libfuse_version() < *"3.19" {
        return assert_needs("notify_prune", None, "3.19");
    }
    let mut program = Program::start("notify_prune", ["--update-interval=1"]);
    let file = program.join("current_time");
    let first = fs::read_to_string(&file).unwrap();
    assert_is_the_time(&first);
    let changes = || fs::read_to_string(&file).unwrap() != first;
    assert!(common::wait_until(common::PATIENCE, changes));
    program::unmount(program.path());
    assert!(program.join_process().success());
    let output = program.output();
    assert!(
        output.starts_with("prune sent\nprune complete\n"),
        "{output}"
    );
}

#[test]
fn a_file_that_is_not_pruned_changes_when_the_kernel_forgets_it() {
    common::require_fuse!();
    let program = Program::start("notify_prune", ["--update-interval=1", "--no-notify"]);
    assert_eq!(libfuse3::listdir(program.path()).unwrap(), ["current_time"]);
    let file = program.join("current_time");
    let stat = fs::metadata(&file).unwrap();
    assert_eq!(
        (stat.mode(), stat.len(), stat.ino()),
        (libc::S_IFREG | 0o444, 29, 2)
    );
    let first = fs::read_to_string(&file).unwrap();
    assert_is_the_time(&first);
    for _ in 0..3 {
        wait_for_the_next_second();
        assert_eq!(fs::read_to_string(&file).unwrap(), first);
    }
    if rustix::process::geteuid().is_root() {
        let mut forgets = false;
        // A `forget` takes its time: a lookup that is faster keeps the file known.
        let changes = || {
            forgets = !forgets;
            if forgets {
                // Drops all names that nobody uses.
                rustix::mount::mount_remount(program.path(), MountFlags::empty(), c"").unwrap();
                return false;
            }
            fs::read_to_string(&file).unwrap() != first
        };
        assert!(common::wait_until(common::PATIENCE, changes));
    }
    program.unmount();
}

#[test]
fn long_options_that_make_no_sense_are_named() {
    let mountpoint = tempfile::tempdir().unwrap();
    for (option, expected) in [
        ("--update-interval", "`--update-interval` lacks its value"),
        (
            "--update-interval=soon",
            "--update-interval=soon: expected a number",
        ),
        ("--no-notify=1", "--no-notify=1"),
        ("--no-notification", "--no-notification"),
        ("--timeout=-1", "negative"),
    ] {
        let mut command = Command::new(path_of("notify_inval_entry"));
        let message = failure(command.arg(option).arg(mountpoint.path()));
        assert!(message.contains(expected), "{message}");
        assert!(!common::is_mounted(mountpoint.path()));
    }
}
