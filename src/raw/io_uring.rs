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
        log::warn!(
            "io_uring is not used, although {} asks for it: libfuse {} is not safe to use with it here",
            if by_option {
                "an option"
            } else {
                "FUSE_URING_ENABLE"
            },
            super::version::libfuse_version()
        );
    }
}

/// Nothing to refuse: this libfuse does not know the option.
#[cfg(not(libfuse_since = "3.18"))]
pub(super) fn refuse(_: &[CString]) {}

/// Whether atoi(3), as libfuse asks it, finds a number other than 0.
#[cfg(libfuse_since = "3.18")]
fn is_number(value: &str) -> bool {
    let value = value.trim_start().trim_start_matches(['+', '-']);
    let digits = value.bytes().take_while(u8::is_ascii_digit);
    digits.into_iter().any(|digit| digit != b'0')
}
