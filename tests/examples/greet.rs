//! A command line that is read by clap, with libfuse's options in it.

use std::fs;
use std::process::Command;

use crate::common;
use crate::common::MountDir;
use crate::common::TimeLimit;
use crate::common::mountinfo_of;
use crate::program;
use crate::program::Program;
use crate::program::finish;
use crate::program::text;

fn greeting(arguments: &[&str]) -> String {
    let program = Program::start("greet", arguments);
    let greeting = fs::read_to_string(program.join("greeting")).unwrap();
    program.unmount();
    greeting
}

#[test]
fn options_of_both_mix() {
    common::require_fuse!();
    assert_eq!(greeting(&["you"]), "Hello, you!\n");
    let arguments = ["--language", "french", "-o", "ro,shout", "you"];
    assert_eq!(greeting(&arguments), "BONJOUR, YOU!\n");
    assert_eq!(greeting(&["-s", "you", "-oshout"]), "HELLO, YOU!\n");
    let program = Program::start("greet", ["-o", r"fsname=a\,b,shout", "-o", "ro", "you"]);
    let mounted = mountinfo_of(program.path()).unwrap();
    assert_eq!((&*mounted.kind, &*mounted.source), ("fuse.greet", "a,b"));
    assert!(mounted.options.starts_with("ro,"), "{mounted:?}");
    program.unmount();
}

/// As mount(8) calls it.
#[test]
fn it_goes_into_the_background() {
    common::require_fuse!();
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    let dir = MountDir::new();
    let mut command = Command::new(program::path_of("greet"));
    command.arg("you").arg(dir.path());
    program::run(command.args(["-o", "rw,nodev,nosuid,user,shout"]));
    common::register_mount(dir.path().to_owned());
    let mounted = mountinfo_of(dir.path()).unwrap();
    assert_eq!(mounted.kind, "fuse.greet");
    let greeting = fs::read_to_string(dir.join("greeting")).unwrap();
    assert_eq!(greeting, "HELLO, YOU!\n");
    program::unmount(dir.path());
}

#[test]
fn what_makes_no_sense_is_named() {
    let greet = |arguments: &[&str]| {
        let output = finish(Command::new(program::path_of("greet")).args(arguments));
        (output.status.code(), text(&output.stderr))
    };
    let dir = MountDir::new();
    let dir = dir.path().to_str().unwrap();
    for (arguments, status, part) in [
        (&["you"][..], 2, "<MOUNTPOINT>"),
        (&["--no-such-option", "you", dir], 2, "--no-such-option"),
        (&["you", "/no/such/place"], 1, "does not exist"),
        (&["-o", "no_such_option", "you", dir], 1, "no_such_option"),
    ] {
        let (found, message) = greet(arguments);
        assert_eq!(found, Some(status), "{message}");
        assert!(message.contains(part), "{arguments:?}: {message}");
    }
    let (status, _) = greet(&["--help"]);
    assert_eq!(status, Some(0));
}
