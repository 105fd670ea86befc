//! Mirrors a directory tree somewhere else: libfuse's `passthrough_ll`.
//!
//! ```sh
//! mkdir -p /tmp/mirror
//! cargo run --release --example passthrough_ll -- -o source=/usr/share/doc /tmp/mirror
//! ls /tmp/mirror                    # what `ls /usr/share/doc` shows
//! fusermount3 -u /tmp/mirror
//! ```
//!
//! The file system is that of `passthroughfs`, and the options are libfuse's: without `source=` it is the
//! root directory that is mirrored, and without `-o xattr` there are no extended attributes. Access
//! control lists of the source count in any case, and can be changed with `-o xattr` only.

#![forbid(unsafe_code)]

mod caller;
mod credentials;
mod dir;
mod file;
mod fs;
mod handles;
mod node;
mod options;
mod path_fd;
mod source;

use std::process::ExitCode;

use libfuse3::MountOptions;
use libfuse3::Program;

use crate::options::Options;

fn main() -> ExitCode {
    env_logger::init();
    Program::new("MOUNTPOINT", "Mirrors a directory.")
        .option("-o source=DIR", "the directory to mirror (/)")
        .option("-o writeback", "let the kernel collect writes")
        .option("-o no_writeback", "do not (default)")
        .option("-o flock", "lock the source's files with flock")
        .option("-o no_flock", "do not (default)")
        .option("-o xattr", "have extended attributes")
        .option("-o no_xattr", "do not (default)")
        .option(
            "-o timeout=SECONDS",
            "how long the kernel may cache names and attributes",
        )
        .option("-o cache=never", "cache nothing; the timeout is 0")
        .option(
            "-o cache=auto",
            "cache files until the next open; 1 second (default)",
        )
        .option("-o cache=always", "cache files for ever; a day")
        .option("-o max_threads=N", "threads that receive requests (4)")
        .like_libfuse()
        .run(|command_line| {
            let source = command_line.options.take("source");
            let source = source.unwrap_or_else(|| "/".into());
            let options = Options::take_from_libfuse(&mut command_line.options)?;
            let mountpoint = command_line.mountpoint.as_deref();
            source::mirror(&source, mountpoint, options, MountOptions::empty())
        })
}
