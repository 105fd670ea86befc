//! A file system in memory: libfuse's `memfs_ll`.
//!
//! ```sh
//! mkdir /tmp/mem
//! cargo run --release --example memfs_ll -- /tmp/mem
//! mkdir /tmp/mem/dir
//! echo text > /tmp/mem/dir/file
//! ln /tmp/mem/dir/file /tmp/mem/link
//! cat /tmp/mem/link               # text
//! ln -s link /tmp/mem/symlink     # Function not implemented
//! fusermount3 -u /tmp/mem         # and all is gone
//! ```
//!
//! The files are those of `tmpfs`, with the operations of libfuse's program alone: regular and special files,
//! directories and hard links, which all belong to root, also if another user makes them. The only limits
//! are the machine's, whatever `df` shows.

#![forbid(unsafe_code)]

mod access_times;
mod acl;
mod caller;
mod contents;
mod directory;
mod fs;
mod memfs;
mod names;
mod node;
mod space;
mod xattr;

use std::process::ExitCode;

use libfuse3::Program;
use libfuse3::Session;

use crate::memfs::Memfs;

fn main() -> ExitCode {
    env_logger::init();
    Program::new("MOUNTPOINT", "A file system in memory.")
        .like_libfuse()
        .run(|_| Ok(Session::builder(Memfs::new()?)))
}
