//! `hello_ll` beside a C program of the same name (`tests/c/hello_ll.c`): exit status, standard output and
//! standard error. What `Program::like_libfuse` says is different is so, and nothing else is.

use std::fs;
use std::fs::File;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;

use rustix::fs::XattrFlags;
use rustix::process::Signal;

use crate::common;
use crate::common::CProgram;
use crate::common::MountDir;
use crate::common::TimeLimit;
use crate::program;
use crate::program::Program;
use crate::program::finish;
use crate::program::text;

struct Twins {
    c: CProgram,
    rust: PathBuf,
}

impl Twins {
    fn paths(&self) -> [&Path; 2] {
        [self.c.path(), &self.rust]
    }

    /// What both make of a command line that mounts nothing.
    fn finish(&self, arguments: &[&str]) -> [Output; 2] {
        self.paths()
            .map(|path| finish(Command::new(path).args(arguments)))
    }

    /// Starts both in the foreground, with the same done to each, and returns what that gave.
    fn each<T>(&self, arguments: &[&str], test: impl Fn(Program) -> T) -> [T; 2] {
        self.paths().map(|path| {
            let mut command = Command::new("env");
            command.arg("--default-signal").arg(path).args(arguments);
            let limit = common::DEFAULT_LIMIT;
            test(Program::start_command("hello_ll", command, limit))
        })
    }
}

macro_rules! require_twins {
    () => {{
        common::require_fuse!();
        Twins {
            c: common::require_c_program!("hello_ll"),
            rust: program::path_of("hello_ll"),
        }
    }};
}

/// Lines in any order: what libfuse prints comes out of its own buffer, and out of child processes.
fn sorted_lines(output: &[u8]) -> Vec<String> {
    let mut lines: Vec<_> = text(output).lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

type Seen = (
    Vec<String>,
    Result<String, i32>,
    [i32; 3],
    Vec<Result<Vec<u8>, i32>>,
);

/// Everything that a client sees of it.
fn use_it(dir: &Path) -> Seen {
    let mut names: Vec<_> = libfuse3::listdir(dir)
        .unwrap()
        .iter()
        .map(|name| name.display().to_string())
        .collect();
    names.sort();
    let hello = dir.join("hello");
    let contents = fs::read_to_string(&hello).map_err(|error| error.raw_os_error().unwrap());
    let errors = [
        common::errno(fs::metadata(dir.join("missing"))),
        common::errno(File::options().write(true).open(&hello)),
        common::errno(fs::create_dir(dir.join("directory"))),
    ];
    (names, contents, errors, use_attributes(dir))
}

/// What extended attributes a client sees, sets and removes, on the directory and on the file.
fn use_attributes(dir: &Path) -> Vec<Result<Vec<u8>, i32>> {
    let mut seen = Vec::new();
    for path in [dir.to_owned(), dir.join("hello")] {
        for name in ["hello_ll_getxattr_name", "hello_ll_setxattr_name", "user.x"] {
            let mut value = [0; 64];
            let got = rustix::fs::getxattr(&path, name, &mut value);
            seen.push(got.map(|len| value[..len].to_vec()));
        }
        for (name, value) in [
            ("hello_ll_setxattr_name", "hello_ll_setxattr_value"),
            ("hello_ll_setxattr_name", "hello_ll_setxattr_valu"),
            ("hello_ll_getxattr_name", "hello_ll_setxattr_value"),
        ] {
            let flags = XattrFlags::empty();
            let set = rustix::fs::setxattr(&path, name, value.as_bytes(), flags);
            seen.push(set.map(|()| Vec::new()));
        }
        for name in ["hello_ll_removexattr_name", "hello_ll_setxattr_name"] {
            seen.push(rustix::fs::removexattr(&path, name).map(|()| Vec::new()));
        }
    }
    let errors = |error: rustix::io::Errno| error.raw_os_error();
    seen.into_iter()
        .map(|result| result.map_err(errors))
        .collect()
}

#[test]
fn both_have_three_extended_attributes_each_for_one_operation() {
    let twins = require_twins!();
    let [c, rust] = twins.each(&[], |program| {
        let seen = use_attributes(program.path());
        program.unmount();
        seen
    });
    assert_eq!(c, rust);
    let refused = Err(libc::EOPNOTSUPP);
    let each = [
        Ok(b"hello_ll_getxattr_value".to_vec()),
        refused.clone(),
        refused.clone(),
        Ok(Vec::new()),
        refused.clone(),
        refused.clone(),
        Ok(Vec::new()),
        refused,
    ];
    assert_eq!(rust, [each.clone(), each].concat());
}

#[test]
fn help_has_all_options_that_libfuse_has() {
    let twins = require_twins!();
    for option in ["--help", "-h"] {
        let [c, rust] = twins.finish(&[option]);
        assert_eq!(
            (c.status.code(), rust.status.code()),
            (Some(0), Some(0)),
            "{rust:?}"
        );
        assert_eq!((&c.stderr[..], &rust.stderr[..]), (&b""[..], &b""[..]));
        // Our own is before it: usage, what it is, and a headline.
        let (c, rust) = (text(&c.stdout), text(&rust.stdout));
        let (usage, of_libfuse) = c.split_once("\n\n").unwrap();
        assert!(usage.ends_with("hello_ll [options] <mountpoint>"), "{c}");
        assert!(
            rust.starts_with("usage: hello_ll [options] MOUNTPOINT\n"),
            "{rust}"
        );
        for line in of_libfuse.lines().filter(|line| line.starts_with("    -")) {
            // Up to the two spaces before the explanation.
            let option = line.get(..26).unwrap_or(line).trim_end();
            assert!(rust.contains(option), "no {option:?} in {rust}");
        }
    }
}

#[test]
fn version_differs_by_the_name_of_this_library() {
    let twins = require_twins!();
    for option in ["--version", "-V"] {
        let [c, rust] = twins.finish(&[option]);
        assert_eq!((c.status, c.stderr), (rust.status, rust.stderr));
        let mut ours = sorted_lines(&rust.stdout);
        let own = format!("libfuse3 for Rust {}", env!("CARGO_PKG_VERSION"));
        ours.retain(|line| *line != own);
        assert_eq!(sorted_lines(&c.stdout), ours);
    }
}

/// Command lines that make no sense, with what ours has to say, and whether it is libfuse's own.
#[test]
fn what_makes_no_sense_is_refused_by_both() {
    let twins = require_twins!();
    let dir = MountDir::new();
    let dir = dir.path().to_str().unwrap();
    for (arguments, expected, in_the_same_words) in [
        (&[][..], "missing operands", false),
        (&["-f"], "missing operands", false),
        (&["-o", "ro"], "missing operands", false),
        (&["-o"], "`-o`", false),
        (&["-o", "no_such_option", dir], "no_such_option", true),
        (&["-ono_such_option=1,ro", dir], "no_such_option=1", true),
        (&[dir, "-o", "max_write=4096"], "max_write=4096", true),
        (&["--no-such-option", dir], "--no-such-option", false),
        (&["-x", dir], "-x", false),
        (&["-f", "/no/such/place"], "/no/such/place", false),
        (&["-f", "/no/such/place", dir], "too many operands", false),
        (&["-o", "max_threads=x", dir], "max_threads=x", false),
    ] {
        let [c, rust] = twins.finish(arguments);
        let (theirs, ours) = (text(&c.stderr), text(&rust.stderr));
        assert_eq!(
            (c.status.code(), rust.status.code()),
            (Some(1), Some(1)),
            "{arguments:?}: {theirs} {ours}"
        );
        // The usage, where ours is a complaint on standard error.
        assert_eq!(theirs.is_empty(), c.stdout.starts_with(b"usage: "));
        assert_eq!(text(&rust.stdout), "", "{arguments:?}");
        assert_eq!(ours.lines().count(), 1, "{ours}");
        assert!(ours.starts_with("hello_ll: "), "{ours}");
        assert!(ours.contains(expected), "{arguments:?}: {ours}");
        if in_the_same_words {
            for line in theirs.lines() {
                assert!(ours.contains(line), "no {line:?} in {ours:?}");
            }
        }
    }
}

#[test]
fn both_run_in_the_foreground_until_unmounted() {
    let twins = require_twins!();
    let mut each: Vec<&[&str]> = vec![&[], &["-s"], &["-r"], &["-o", "ro,noexec,fsname=name"]];
    if cfg!(libfuse_since = "3.13") {
        each.push(&["-n"]);
    }
    for options in each {
        let [c, rust] = twins.each(options, |mut program| {
            let line = common::mountinfo_line(program.path());
            let used = use_it(program.path());
            program::unmount(program.path());
            let status = program.join_process();
            (line, used, status, program.output())
        });
        assert_eq!(c, rust, "{options:?}");
        assert!(
            rust.2.success() && rust.3.is_empty() && rust.0.is_some(),
            "{rust:?}"
        );
    }
}

/// The kernel asks ours for more, since no slot is empty: the lists need not be the same.
#[test]
fn both_print_what_they_are_asked() {
    let twins = require_twins!();
    let printed = ["-d", "--debug", "-odebug"].map(|option| {
        twins.each(&[option], |mut program| {
            let _used = use_it(program.path());
            program::unmount(program.path());
            assert!(program.join_process().success());
            program.output()
        })
    });
    for output in printed.as_flattened() {
        for operation in [
            "INIT", "OPENDIR", "READDIR", "LOOKUP", "OPEN", "READ", "MKDIR", "RELEASE",
        ] {
            let asked = output
                .lines()
                .find(|line| line.contains(&format!("opcode: {operation}")));
            let asked = asked.unwrap_or_else(|| panic!("no {operation} in {output}"));
            // `unique: 2, opcode: INIT (26), nodeid: 0, ..`, and what was answered.
            let number = asked.split("unique: ").nth(1).unwrap();
            let number = number.split(',').next().unwrap();
            let about = format!("unique: {number}, ");
            let answer = output.lines().filter(|line| line.contains(&about));
            assert_eq!(answer.count(), 2, "{asked}: {output}");
        }
    }
}

#[test]
fn both_go_into_the_background_without_a_word() {
    let twins = require_twins!();
    let outcomes = twins.paths().map(|path| {
        let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
        let dir = MountDir::new();
        // A relative path, while the process changes to another directory.
        let mut command = Command::new(path);
        command.current_dir(dir.path().parent().unwrap());
        let output = finish(command.arg(dir.path().file_name().unwrap()));
        common::register_mount(dir.path().to_owned());
        let line = common::mountinfo_line(dir.path());
        let used = line.is_some().then(|| use_it(dir.path()));
        program::unmount(dir.path());
        (output, line, used)
    });
    let [c, rust] = outcomes;
    assert_eq!(c, rust);
    let Output { status, stdout, .. } = rust.0;
    assert!(status.success() && stdout.is_empty() && rust.1.is_some());
}

/// The exit status of the C program says that there was a signal; what a signal has unmounted in good order is
/// no failure here.
#[test]
fn both_unmount_when_a_signal_comes() {
    let twins = require_twins!();
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let [c, rust] = twins.each(&[], |mut program| {
            // Signals are handled, if they are, before anything is answered.
            let _used = use_it(program.path());
            program.signal(signal);
            let status = program.join_process();
            (status.code().is_some(), program.output(), status)
        });
        assert_eq!((c.0, c.1), (rust.0, rust.1), "{signal:?}");
        assert!(rust.2.success(), "{signal:?}");
    }
}
