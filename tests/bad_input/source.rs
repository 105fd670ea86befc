//! A source that cannot be mirrored.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::common;
use crate::program;

#[track_caller]
fn refusal(source: &Path) -> String {
    let mountpoint = tempfile::tempdir().unwrap();
    let mut command = Command::new(program::path_of("passthroughfs"));
    let output = program::finish(command.arg("-f").arg(source).arg(mountpoint.path()));
    let message = program::text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
    assert!(!common::is_mounted(mountpoint.path()));
    let source = source.display().to_string();
    assert!(
        message.starts_with("passthroughfs: ") && message.contains(&source),
        "{message}"
    );
    message
}

#[test]
fn one_that_is_missing() {
    let message = refusal(Path::new("/no/such/source"));
    assert!(message.contains("No such file or directory"), "{message}");
    refusal(Path::new(""));
}

#[test]
fn one_that_is_not_a_directory() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "text").unwrap();
    let message = refusal(file.path());
    assert!(
        message.to_lowercase().contains("not a directory"),
        "{message}"
    );
}
