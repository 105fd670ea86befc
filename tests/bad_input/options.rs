//! Options that cannot be.

use libfuse3::Error;
use libfuse3::MountOptions;
use libfuse3::Session;

use crate::common;
use crate::common::MountDir;
use crate::common::memfs::MemFs;

/// The error of a session with these options; nothing is mounted.
#[track_caller]
fn refusal(options: MountOptions) -> Error {
    let dir = MountDir::new();
    let builder = Session::builder(MemFs::default()).options(options);
    let error = builder.mount(dir.path()).unwrap_err();
    assert!(!common::is_mounted(dir.path()));
    assert_eq!(error.to_string().lines().count(), 1, "{error}");
    error
}

fn option(option: &str) -> MountOptions {
    MountOptions::default().with(option)
}

#[test]
fn one_that_libfuse_does_not_know() {
    for unknown in ["no_such_option", "no_such_option=1", "-x", "fsnam=x"] {
        let error = refusal(option(unknown));
        let Error::Options { message } = &error else {
            panic!("{error:?}");
        };
        // libfuse's own words.
        assert!(
            message.contains("unknown option") && message.contains(unknown),
            "{message}"
        );
        assert!(
            error
                .to_string()
                .starts_with("libfuse refuses the mount options: fuse: "),
            "{error}"
        );
    }
}

#[test]
fn several_that_libfuse_does_not_know() {
    let options = MountOptions::default().with_list("first_unknown,ro,second_unknown");
    let message = refusal(options).to_string();
    assert!(
        message.contains("first_unknown") && message.contains("second_unknown"),
        "{message}"
    );
}

/// What is refused before libfuse sees it: the message, with the option.
#[track_caller]
fn invalid(options: MountOptions, culprit: &str) -> String {
    let error = refusal(options);
    let Error::InvalidOption { option, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(option, culprit);
    let message = error.to_string();
    assert!(
        message.starts_with(&format!("mount option {culprit:?}: ")),
        "{message}"
    );
    message
}

#[test]
fn a_comma_that_is_not_escaped() {
    let message = invalid(option("fsname=a,b"), "fsname=a,b");
    assert!(message.contains(r"write `\,`"), "{message}");
    // Or else the rest would be an option of its own.
    let message = invalid(option("fsname=a,allow_other"), "fsname=a,allow_other");
    assert!(message.contains("comma"), "{message}");
}

#[test]
fn a_nul() {
    let message = invalid(MountOptions::default().fsname("a\0b"), "fsname=a\0b");
    assert!(message.contains("NUL"), "{message}");
    let message = invalid(option("r\0o"), "r\0o");
    assert!(message.contains("NUL"), "{message}");
    assert!(message.contains(r"r\0o"), "cannot be read: {message}");
}

#[test]
fn an_empty_one() {
    let message = invalid(option(""), "");
    assert!(message.contains("empty"), "{message}");
}

#[test]
fn a_number_that_is_none() {
    for value in ["x", "-1", "4096k", "", "99999999999"] {
        let culprit = format!("max_read={value}");
        let message = invalid(option(&culprit), &culprit);
        assert!(message.contains("number of bytes"), "{message}");
    }
}
