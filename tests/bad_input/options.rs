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
fn a_comma_where_libfuse_does_not_escape_it() {
    let message = invalid(
        MountOptions::default().subtype("foo,ro"),
        r"subtype=foo\,ro",
    );
    assert!(message.contains("`subtype`"), "{message}");
    let message = invalid(option(r"user=x\054ro"), r"user=x\054ro");
    assert!(message.contains("`user`"), "{message}");
    let message = invalid(
        MountOptions::default().context("a,allow_other"),
        r"context=a\,allow_other",
    );
    assert!(message.contains("`context`"), "{message}");
    let message = invalid(
        option(r"blksize=512\,allow_other"),
        r"blksize=512\,allow_other",
    );
    assert!(message.contains("number of bytes"), "{message}");
}

#[test]
fn numbers_of_the_connection_out_of_range() {
    for (option, range) in [
        ("max_write=4294967296", "from 0 to 4294967295"),
        ("max_readahead=-1", "from 0 to 4294967295"),
        ("max_background=65536", "from 0 to 65535"),
        ("congestion_threshold=99999999999", "from 0 to 65535"),
        ("time_gran=0", "from 1 to 1000000000"),
        ("time_gran=3", "power of ten"),
    ] {
        let mut options = MountOptions::default().with(option);
        let error = options.take_conn_info_opts().unwrap_err();
        assert!(matches!(error, Error::InvalidOption { .. }), "{error:?}");
        let message = error.to_string();
        assert!(
            message.contains(option) && message.contains(range),
            "{message}"
        );
    }
}

#[test]
fn a_number_that_is_none() {
    for value in ["x", "-1", "4096k", "", "99999999999"] {
        let culprit = format!("max_read={value}");
        let message = invalid(option(&culprit), &culprit);
        assert!(message.contains("number of bytes"), "{message}");
    }
}
