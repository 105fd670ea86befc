//! The command line that all examples have from libfuse.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::process::Output;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::common;
use crate::common::MountDir;
use crate::common::PATIENCE;
use crate::common::TimeLimit;
use crate::common::mountinfo_of;
use crate::program;
use crate::program::Program;
use crate::program::finish;
use crate::program::run;
use crate::program::text;

/// The operands that come before the mountpoint.
fn operands(operands: &[&str], source: &TempDir) -> Vec<String> {
    let source = source.path().to_str().unwrap();
    operands
        .iter()
        .map(|operand| operand.replace("SOURCE", source))
        .collect()
}

/// Does this with each example: its name, and its operands but for the mountpoint.
fn for_each(test: impl Fn(&str, &[String])) {
    for (name, needed) in program::ALL {
        eprintln!("{name}");
        let source = tempfile::tempdir().unwrap();
        test(name, &operands(needed, &source));
    }
}

/// Standard error of a program that must fail with this status: one line, the program's name first.
#[track_caller]
fn complaint(name: &str, status: i32, output: &Output) -> String {
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "{err}");
    assert_eq!(out, "", "printed to standard output");
    assert_eq!(err.lines().count(), 1, "not one line: {err}");
    assert!(err.starts_with(&format!("{name}: ")), "{err}");
    err
}

#[test]
fn help_lists_operands_and_options() {
    for (name, needed) in program::ALL {
        for option in ["--help", "-h"] {
            let output = finish(Command::new(program::path_of(name)).arg(option));
            assert!(
                output.status.success() && output.stderr.is_empty(),
                "{output:?}"
            );
            let help = text(&output.stdout);
            let optional = program::optional_operands(name);
            let operands = [optional, needed, &["MOUNTPOINT"]].concat().join(" ");
            assert!(
                help.starts_with(&format!("usage: {name} [options] {operands}\n")),
                "{help}"
            );
            for part in [
                "FUSE options:",
                "-f ",
                "-d ",
                "-o allow_other",
                "-o auto_unmount",
            ] {
                assert!(help.contains(part), "no {part} in {help}");
            }
            // libfuse's default of its own loop.
            assert!(!help.contains("default: 10"), "{help}");
            let has_default = help.contains("up to 1024 (default: 1,");
            assert_eq!(has_default, cfg!(libfuse_since = "3.12"), "{help}");
        }
    }
}

#[test]
fn version_names_all_that_is_used() {
    for (name, _) in program::ALL {
        for option in ["--version", "-V"] {
            let version = run(Command::new(program::path_of(name)).arg(option));
            let expected = [
                format!("libfuse3 for Rust {}", env!("CARGO_PKG_VERSION")),
                format!("FUSE library version {}", libfuse3::libfuse_version()),
            ];
            let lines: Vec<_> = version.lines().collect();
            assert_eq!(lines[..2], expected);
            for what in [
                "using FUSE kernel interface version 7.",
                "fusermount3 version: ",
            ] {
                let is_there = lines[2..].iter().any(|line| line.starts_with(what));
                assert!(is_there, "no {what} in {version}");
            }
        }
    }
}

#[test]
fn without_an_option_it_goes_into_the_background_when_it_is_mounted() {
    common::require_fuse!();
    for_each(|name, operands| {
        let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
        let mountpoint = MountDir::new();
        let output = finish(
            Command::new(program::path_of(name))
                .args(operands)
                .arg(mountpoint.path()),
        );
        assert!(output.status.success(), "{output:?}");
        assert_eq!(text(&output.stdout) + &text(&output.stderr), "");
        let mounted = mountinfo_of(mountpoint.path()).expect("mounted when it returns");
        common::register_mount(mountpoint.path().to_owned());
        let source = match operands {
            [source] => fs::canonicalize(source).unwrap().display().to_string(),
            _ => name.to_owned(),
        };
        assert_eq!(
            (mounted.kind, mounted.source),
            (format!("fuse.{name}"), source)
        );
        libfuse3::listdir(mountpoint.path()).unwrap();
        assert!(is_running_with(mountpoint.path()));
        program::unmount(mountpoint.path());
        assert!(common::wait_until(PATIENCE, || !is_running_with(
            mountpoint.path()
        )));
    });
}

/// Whether there is a process with this argument. For a child of a child, which nobody can wait for.
fn is_running_with(argument: &Path) -> bool {
    let processes = fs::read_dir("/proc").unwrap();
    processes.flatten().any(|process| {
        let command_line = fs::read(process.path().join("cmdline")).unwrap_or_default();
        command_line
            .split(|byte| *byte == 0)
            .any(|found| found == argument.as_os_str().as_encoded_bytes())
    })
}

#[test]
fn d_prints_requests() {
    common::require_fuse!();
    for_each(|name, operands| {
        for debug in [&["-d"][..], &["-o", "debug"]] {
            let arguments = debug
                .iter()
                .map(ToString::to_string)
                .chain(operands.iter().cloned());
            let mut program = Program::start(name, arguments);
            common::errno(fs::metadata(program.join("missing")));
            program::unmount(program.path());
            assert!(program.join_process().success());
            let output = program.output();
            // libfuse's words, and ours.
            for part in [
                "INIT",
                "LOOKUP",
                "<- lookup of inode 1 by uid ",
                "-> lookup of inode 1",
            ] {
                assert!(output.contains(part), "no {part} in {output}");
            }
        }
    });
}

#[test]
fn ro_lets_nothing_be_written() {
    common::require_fuse!();
    for_each(|name, operands| {
        let options = ["-o", "ro"].map(str::to_owned);
        let program = Program::start(name, options.iter().chain(operands));
        let mounted = mountinfo_of(program.path()).unwrap();
        assert!(
            mounted.options.split(',').any(|option| option == "ro"),
            "{mounted:?}"
        );
        assert_eq!(
            common::errno(fs::write(program.join("file"), "")),
            libc::EROFS
        );
        assert_eq!(
            common::errno(fs::create_dir(program.join("directory"))),
            libc::EROFS
        );
        program.unmount();
    });
}

#[test]
fn fsname_and_subtype_show_in_the_list_of_mounts() {
    common::require_fuse!();
    for_each(|name, operands| {
        let options = ["-o", r"fsname=a\,b,subtype=kind"].map(str::to_owned);
        let program = Program::start(name, options.iter().chain(operands));
        let mounted = mountinfo_of(program.path()).unwrap();
        assert_eq!((&*mounted.kind, &*mounted.source), ("fuse.kind", "a,b"));
        program.unmount();
    });
}

#[test]
fn other_users_get_in_with_allow_other_alone() {
    common::require_fuse!();
    if !rustix::process::geteuid().is_root() {
        common::say(format_args!("{}: skipped: not root", common::test_name()));
        return;
    }
    const NOBODY: u32 = 65534;
    for_each(|name, operands| {
        for source in operands {
            fs::set_permissions(source, fs::Permissions::from_mode(0o755)).unwrap();
        }
        for (options, expected) in [(&["-o", "allow_other"][..], true), (&[], false)] {
            let options = options.iter().map(ToString::to_string);
            let program = Program::start(name, options.chain(operands.iter().cloned()));
            let mut list = Command::new("ls");
            list.arg(program.path()).uid(NOBODY).gid(NOBODY);
            let output = finish(&mut list);
            assert_eq!(output.status.success(), expected, "{output:?}");
            program.unmount();
        }
    });
}

/// Starts a program with signals set up as `env` does it.
fn start_with_signals(setting: &str, name: &str, operands: &[String]) -> Program {
    let mut command = Command::new("env");
    command.arg(setting).arg(program::path_of(name));
    command.args(operands);
    Program::start_command(name, command, common::DEFAULT_LIMIT)
}

#[test]
fn signals_unmount_and_count_as_success() {
    common::require_fuse!();
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        for_each(|name, operands| {
            let mut program = start_with_signals("--default-signal", name, operands);
            libfuse3::listdir(program.path()).unwrap();
            program.signal(signal);
            let status = program.join_process();
            assert!(status.success(), "{signal:?}: {status}");
            assert_eq!(program.output(), "");
        });
    }
}

#[test]
fn signals_that_are_ignored_stay_ignored() {
    common::require_fuse!();
    for_each(|name, operands| {
        let program = start_with_signals("--ignore-signal=HUP", name, operands);
        // Signals are handled, if they are, before anything is answered.
        libfuse3::listdir(program.path()).unwrap();
        let set = |which: &str| {
            let status = fs::read_to_string(format!("/proc/{}/status", program.pid())).unwrap();
            let set = status.lines().find_map(|line| line.strip_prefix(which));
            u64::from_str_radix(set.unwrap().trim(), 16).unwrap()
        };
        let bit = |signal: Signal| 1 << (signal.as_raw() - 1);
        assert_ne!(set("SigIgn:") & bit(Signal::HUP), 0);
        assert_ne!(set("SigCgt:") & bit(Signal::TERM), 0);
        program.signal(Signal::HUP);
        libfuse3::listdir(program.path()).unwrap();
        program.unmount();
    });
}

#[test]
fn a_command_line_that_makes_no_sense_is_named() {
    for (name, needed) in program::ALL {
        let path = program::path_of(name);
        let status = program::usage_status(name);
        let nothing = complaint(name, status, &finish(&mut Command::new(&path)));
        assert!(
            nothing.contains("missing operands") && nothing.contains("MOUNTPOINT"),
            "{nothing}"
        );
        let most = needed.len() + program::optional_operands(name).len() + 1;
        let too_many = ["/no/such/place"].repeat(most + 1);
        let too_many = complaint(name, status, &finish(Command::new(&path).args(too_many)));
        assert!(too_many.contains("too many operands"), "{too_many}");
        if cfg!(libfuse_since = "3.12") {
            for threads in ["max_threads=99999999999", "max_threads=0", "max_threads=x"] {
                let mut command = Command::new(&path);
                let command = command.args(["-o", threads]).args(["/no/such/place"]);
                let message = complaint(name, status, &finish(command));
                let has_range = message.contains("from 1 to 1024");
                assert!(message.contains(threads) && has_range, "{message}");
            }
        }
        let unknown = complaint(
            name,
            status,
            &finish(Command::new(&path).arg("--no-such-option")),
        );
        assert!(unknown.contains("--no-such-option"), "{unknown}");
    }
}

#[test]
fn what_cannot_be_mounted_is_named_and_nothing_is() {
    common::require_fuse!();
    for_each(|name, operands| {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("missing");
        let start = |options: &[&str], mountpoint: &Path| {
            let mut command = Command::new(program::path_of(name));
            command.args(options).args(operands).arg(mountpoint);
            let message = complaint(name, 1, &finish(&mut command));
            assert!(!common::is_mounted(mountpoint));
            message
        };
        let message = start(&[], &missing);
        assert!(
            message.contains("missing") && message.contains("does not exist"),
            "{message}"
        );
        let message = start(&[], Path::new("/dev/null"));
        assert!(
            message.contains("/dev/null") && message.contains("neither a directory nor"),
            "{message}"
        );
        let message = start(&["-o", "max_read=99999999999"], dir.path());
        assert!(
            message.contains("max_read=99999999999") && message.contains("from 0 to 4294967295"),
            "{message}"
        );
        let message = start(&["-o", "no_such_option"], dir.path());
        assert!(
            message.contains("no_such_option") && message.ends_with("; try --help\n"),
            "{message}"
        );
    });
}

#[test]
fn a_mountpoint_that_is_in_use_is_named() {
    common::require_fuse!();
    for_each(|name, operands| {
        let first = Program::start(name, operands);
        let mut command = Command::new(program::path_of(name));
        let message = complaint(name, 1, &finish(command.args(operands).arg(first.path())));
        let path = first.path().display().to_string();
        assert!(
            message.contains(&path) && message.contains("already"),
            "{message}"
        );
        libfuse3::listdir(first.path()).unwrap();
        first.unmount();
    });
}

#[test]
fn a_source_that_is_missing_is_named() {
    let mountpoint = tempfile::tempdir().unwrap();
    let mut command = Command::new(program::path_of("passthroughfs"));
    let output = finish(command.arg("/no/such/source").arg(mountpoint.path()));
    let message = complaint("passthroughfs", 1, &output);
    assert!(message.contains("/no/such/source"), "{message}");
    assert!(!common::is_mounted(mountpoint.path()));
}

/// The threads of a program that receive requests.
fn readers(program: &Program) -> usize {
    let tasks = format!("/proc/{}/task", program.pid());
    let names = fs::read_dir(tasks).unwrap().flatten();
    let names = names.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|name| name.starts_with("fuse-reader")).count()
}

#[test]
fn as_many_threads_receive_as_the_command_line_says() {
    common::require_fuse!();
    let mut expected = vec![(vec![], 1), (vec!["-s"], 1)];
    if cfg!(libfuse_since = "3.12") {
        expected.push((vec!["-o", "max_threads=3"], 3));
        expected.push((vec!["-o", "max_threads=2,ro", "-omax_threads=4"], 4));
        expected.push((vec!["-s", "-o", "max_threads=3"], 1));
    }
    for (arguments, threads) in expected {
        let program = Program::start("hello", &arguments);
        libfuse3::listdir(program.path()).unwrap();
        let started = common::wait_until(PATIENCE, || readers(&program) == threads);
        assert!(started, "{arguments:?}: {}", readers(&program));
        program.unmount();
    }
}
