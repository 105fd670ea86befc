//! What `scripts/test-results.sh` makes of a log of `cargo test`: `.ci/run` and `make matrix` count by it.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

const LOG: &str = "\
     Running unittests src/lib.rs (target/debug/deps/libfuse3-1)
test errno::numbers ... ok
test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
     Running tests/first.rs (target/debug/deps/first-1)
needs::fuse: skipped: there is no /dev/fuse
test needs::fuse ... ok
needs::root: skipped: not root
needs::root: skipped: not root
test needs::root ... ok
test works ... ok
test breaks ... FAILED
test slow ... ignored, takes an hour
test serves ... ignored, is run by another test, in a process of its own
test result: FAILED. 3 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.00s
     Running tests/second.rs (target/debug/deps/second-1)
test needs::root ... needs::root: skipped: not root
ok
test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
error: test failed
process didn't exit successfully: `third` (signal: 6, SIGABRT: process abort signal)
   Doc-tests libfuse3
test src/lib.rs - (line 8) ... ignored
test src/lib.rs - (line 9) ... ok
test result: ok. 1 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
";

#[test]
fn skipped_tests_are_counted_by_reason_and_not_as_passed() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/test-results.sh");
    if !script.exists() {
        return common::skip("the package is without scripts");
    }
    let log = tempfile::NamedTempFile::new().unwrap();
    fs::write(&log, LOG).unwrap();
    let output = Command::new(script).arg(log.path()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let output = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Vec<_>> = output
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    let died =
        "process didn't exit successfully: `third` (signal: 6, SIGABRT: process abort signal)";
    assert_eq!(
        lines,
        [
            [
                "skipped",
                "tests/first.rs needs::fuse",
                "there is no /dev/fuse"
            ],
            ["skipped", "tests/first.rs needs::root", "not root"],
            ["failed", "tests/first.rs breaks", ""],
            ["skipped", "tests/first.rs slow", "takes an hour"],
            ["skipped", "tests/second.rs needs::root", "not root"],
            ["failed", "tests/second.rs", died],
            ["passed", "3", ""],
        ]
    );
}
