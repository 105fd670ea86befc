//! Programs watched by valgrind, from beginning to end.

use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::common;
use crate::common::require_valgrind;
use crate::program::Program;
use crate::program::path_of;
use crate::program::run;

/// It runs programs many times slower.
const LIMIT: Duration = Duration::from_secs(120);

#[test]
fn hello_is_clean_under_valgrind() {
    common::require_fuse!();
    let valgrind = require_valgrind!();
    let command = valgrind.command(path_of("hello"));
    let hello = Program::start_command("hello", command, LIMIT);
    assert_eq!(libfuse3::listdir(hello.path()).unwrap(), ["message"]);
    let message = fs::read(hello.join("message")).unwrap();
    assert_eq!(message, b"hello world\n");
    fs::metadata(hello.join("other")).unwrap_err();
    ends_well(hello, &valgrind);
}

#[test]
fn tmpfs_is_clean_under_valgrind() {
    common::require_fuse!();
    let valgrind = require_valgrind!();
    let command = valgrind.command(path_of("tmpfs"));
    let tmpfs = Program::start_command("tmpfs", command, LIMIT);
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/types");
    let copy = tmpfs.join("copy");
    run(Command::new("cp").args(["-r", source]).arg(&copy));
    run(Command::new("diff").args(["-r", source]).arg(&copy));
    run(Command::new("mv").arg(&copy).arg(tmpfs.join("moved")));
    run(Command::new("rm").arg("-r").arg(tmpfs.join("moved")));
    ends_well(tmpfs, &valgrind);
}

fn ends_well(mut program: Program, valgrind: &common::Valgrind) {
    crate::program::unmount(program.path());
    let status = program.join_process();
    assert!(status.success(), "{status}: {}", valgrind.report());
}
