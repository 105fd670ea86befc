//! Log lines, and lines on standard error, whose failure ends nothing.
//!
//! Lines are written on reader threads, in callbacks of libfuse and in destructors. A panic there would
//! end a reader, unwind into C, or abort the process. So a panic of the program's logger is ignored, and
//! so is a standard error that is closed or full: libfuse ignores it as well.
//!
//! The macros are those of the `log` crate, which nothing else in this crate calls.

use std::fmt;
use std::io;
use std::io::Write;

use log::Level;

use crate::panics::catch;

macro_rules! write_line {
    (target: $target:expr, $level:expr, $($message:tt)+) => {{
        let level = $level;
        if level <= ::log::max_level() {
            $crate::logging::guarded(|| ::log::log!(target: $target, level, $($message)+));
        }
    }};
}

macro_rules! error {
    ($($message:tt)+) => {
        $crate::logging::write_line!(target: module_path!(), ::log::Level::Error, $($message)+)
    };
}

macro_rules! warning {
    ($($message:tt)+) => {
        $crate::logging::write_line!(target: module_path!(), ::log::Level::Warn, $($message)+)
    };
}

macro_rules! debug {
    ($($message:tt)+) => {
        $crate::logging::write_line!(target: module_path!(), ::log::Level::Debug, $($message)+)
    };
}

macro_rules! trace {
    (target: $target:expr, $($message:tt)+) => {
        $crate::logging::write_line!(target: $target, ::log::Level::Trace, $($message)+)
    };
}

pub(crate) use debug;
pub(crate) use error;
pub(crate) use trace;
pub(crate) use warning as warn;
pub(crate) use write_line;

/// Whether the program's logger wants lines of this level from this target.
#[inline]
pub(crate) fn is_enabled(target: &str, level: Level) -> bool {
    level <= log::max_level() && is_wanted(target, level)
}

#[cold]
fn is_wanted(target: &str, level: Level) -> bool {
    catch(|| log::log_enabled!(target: target, level)).unwrap_or(false)
}

/// Calls `write`; ignores a panic.
#[cold]
pub(crate) fn guarded(write: impl FnOnce()) {
    drop(catch(write));
}

/// Writes a line to standard error if that is possible.
pub(crate) fn to_stderr(line: fmt::Arguments<'_>) {
    // One write, so that lines of several threads do not get mixed up.
    drop(io::stderr().write_all(format!("{line}\n").as_bytes()));
}
