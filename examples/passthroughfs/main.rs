//! Mirrors a directory tree somewhere else.
//!
//! ```sh
//! mkdir -p /tmp/mirror
//! cargo run --release --example passthroughfs -- /usr/share/doc /tmp/mirror
//! ls /tmp/mirror                    # what `ls /usr/share/doc` shows
//! fusermount3 -u /tmp/mirror
//! ```
//!
//! What is done to the mirror is done to the source, and what happens in the source shows in the mirror
//! at once. Run by root, with `-o allow_other`, it serves all users with the permissions, owners and
//! access control lists of the source.
//!
//! `-o timeout=1` lets the kernel keep names and attributes for a second, which is several times as
//! fast; changes made to the source behind the mirror's back then show a second late.
//!
//! It needs Linux 5.8, and holds each inode that the kernel knows of by a file descriptor. It raises the
//! limit of these as far as it may (`ulimit -Hn`). Inodes beyond half of that are found by name each
//! time, which is slower, and does not see through renames behind the mirror's back.

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
    Program::new("SOURCE MOUNTPOINT", "Mirrors the directory SOURCE.")
        .option(
            "-o timeout=SECONDS",
            "how long the kernel may keep names and attributes (0)",
        )
        .option(
            "-o cache=KIND",
            "what it may keep of files: never anything; auto, till the next open;",
        )
        .option("", "always, in which case the timeout is a day")
        .option("-o writeback", "let the kernel collect writes")
        .option(
            "-o max_write=BYTES",
            "and other options of the connection that libfuse reads",
        )
        .option(
            "-o max_threads=N",
            "threads that receive requests, of which each may wait for the disk (4)",
        )
        .run(|command_line| {
            let [source] = command_line.operands.as_slice() else {
                return Err("expected two arguments: SOURCE MOUNTPOINT".into());
            };
            let options = Options::take_from(&mut command_line.options)?;
            let conn_info_opts = command_line.options.take_conn_info_opts()?;
            let mountpoint = command_line.mountpoint.as_deref();
            let session = source::mirror(source, mountpoint, options, MountOptions::default())?;
            Ok(session.conn_info_opts(conn_info_opts))
        })
}
