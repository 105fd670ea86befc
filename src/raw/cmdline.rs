//! The command line as libfuse reads it.

use std::ffi::CString;

use libfuse_sys as sys;

use super::args::Args;
use super::log;
use super::shim;

/// What `fuse_parse_cmdline` found.
#[derive(Debug, Default)]
pub(crate) struct ParsedCommandLine {
    pub(crate) single_threaded: bool,
    pub(crate) foreground: bool,
    pub(crate) debug: bool,
    pub(crate) show_version: bool,
    pub(crate) show_help: bool,
    /// What libfuse leaves for the session: the program's name and `-o` options.
    pub(crate) rest: Vec<CString>,
}

/// Parses `arguments`, program name first. The error is libfuse's message.
pub(crate) fn parse_cmdline(arguments: &[CString]) -> Result<ParsedCommandLine, String> {
    let mut args = Args::new(arguments);
    let mut opts = sys::fuse_cmdline_opts::default();
    let (result, message) = log::capture(|| {
        // SAFETY: both structures are valid; libfuse fills them.
        unsafe { shim::shim_parse_cmdline(args.as_mut_ptr(), &mut opts) }
    });
    // SAFETY: NULL, or made by malloc(3) and the caller's to free. There is none: the mountpoint is
    // not among the arguments, since libfuse would look into a mount that may be our own.
    unsafe { libc::free(opts.mountpoint.cast()) };
    if result != 0 {
        return Err(message);
    }
    Ok(ParsedCommandLine {
        single_threaded: opts.singlethread != 0,
        foreground: opts.foreground != 0,
        debug: opts.debug != 0,
        show_version: opts.show_version != 0,
        show_help: opts.show_help != 0,
        rest: args.to_vec(),
    })
}

/// Prints the mount options that libfuse knows, for `--help`, to standard output.
pub(crate) fn libfuse_help() {
    // SAFETY: no preconditions.
    unsafe { sys::fuse_lowlevel_help() };
}

/// Prints libfuse's part of `--version` to standard output: the kernel's protocol, and the version of
/// fusermount3, which that program itself prints.
pub(crate) fn libfuse_version_lines() {
    // SAFETY: no preconditions.
    unsafe { sys::fuse_lowlevel_version() };
    // SAFETY: NULL stands for all streams.
    unsafe { libc::fflush(std::ptr::null_mut()) };
}
