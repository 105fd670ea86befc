//! Requests over io_uring, which libfuse has since 3.18: refused, whether the option or the environment
//! asks for them. The kernel is never told to use it (`OVER_IO_URING` cannot be wanted), and requests
//! come the ordinary way.
//!
//! libfuse 3.18 has no lock around the ring that it answers through, so that answers from other threads
//! than the ring's get lost and their callers hang (libfuse issue 1443); and handlers answer from
//! whichever thread they are on. libfuse 3.19, which has that lock, is not released. What its ring needs
//! beyond it, and what has to be shown before this file may let it pass, is in `docs/io-uring.md`.

use std::ffi::CString;

/// Says so if the session was asked to use it.
#[cfg(libfuse_since = "3.18")]
pub(super) fn refuse(arguments: &[CString]) {
    let by_option = arguments.iter().any(|option| **option == *c"io_uring");
    let by_environment = std::env::var("FUSE_URING_ENABLE").is_ok_and(|value| is_number(&value));
    if by_option || by_environment {
        let who = match by_option {
            true => "an option",
            false => "FUSE_URING_ENABLE",
        };
        let libfuse = super::version::libfuse_version();
        complain(&format!(
            "io_uring is not used, although {who} asks for it: libfuse {libfuse} is not safe to use with it here"
        ));
    }
}

/// Nothing to refuse: this libfuse does not know the option.
#[cfg(not(libfuse_since = "3.18"))]
pub(super) fn refuse(_: &[CString]) {}

/// Logs a warning. Without a logger, writes it to standard error, since the user has asked for io_uring.
#[cfg(libfuse_since = "3.18")]
fn complain(line: &str) {
    use crate::logging;

    if logging::is_enabled(module_path!(), log::Level::Warn) {
        logging::warn!("{line}");
    } else {
        logging::to_stderr(format_args!("libfuse3: {line}"));
    }
}

/// Whether atoi(3), as libfuse asks it, finds a number other than 0.
#[cfg(libfuse_since = "3.18")]
fn is_number(value: &str) -> bool {
    let value = value.trim_start().trim_start_matches(['+', '-']);
    let digits = value.bytes().take_while(u8::is_ascii_digit);
    digits.into_iter().any(|digit| digit != b'0')
}
