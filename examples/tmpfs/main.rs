//! A file system in memory, after the kernel's own tmpfs: hard links, special files, sparse files,
//! extended attributes, access control lists, every flag of `rename`, and limits.
//!
//! ```sh
//! mkdir /tmp/mnt
//! cargo run --release --example tmpfs -- -o size=1G /tmp/mnt
//! df -h /tmp/mnt                  # tmpfs  1.0G     0  1.0G   0% /tmp/mnt
//! cp -a src /tmp/mnt
//! diff -r src /tmp/mnt/src && echo same
//! fusermount3 -u /tmp/mnt         # and all is gone
//! ```
//!
//! Where mount(8) finds the program, `mount -t fuse.tmpfs NAME /tmp/mnt` mounts it, too.
//!
//! The memory of deleted files serves new ones; the allocator seldom gives it back to the system.
//!
//! - `names.rs`, `directory.rs`: the tree of names
//! - `node.rs`, `contents.rs`, `xattr.rs`, `acl.rs`, `caller.rs`: what a name leads to
//! - `space.rs`, `options.rs`: how much of it there may be
//! - `access_times.rs`: what reading changes
//! - `fs.rs`: all of them as [`libfuse3::Operations`]
//!
//! `memfs_ll.rs` is another program with the same files, and `memfs.rs` what it makes of them.

#![forbid(unsafe_code)]

mod access_times;
mod acl;
mod caller;
mod contents;
mod directory;
mod fs;
mod names;
mod node;
mod options;
mod space;
mod xattr;

use std::process::ExitCode;

use libfuse3::Program;
use libfuse3::Session;

use crate::access_times::AccessTimes;

fn main() -> ExitCode {
    env_logger::init();
    Program::new("[NAME] MOUNTPOINT", "A file system in memory.")
        .option(
            "-o size=SIZE",
            "limit of the contents (bytes, or with K, M, G, T, %; 0: none)",
        )
        .option(
            "-o nr_inodes=NUMBER",
            "limit of the number of files (K, M, G, T, %; 0: none)",
        )
        .option("-o mode=MODE", "permissions of the root directory, octal")
        .option("-o uid=UID,gid=GID", "owner of the root directory")
        .option(
            "-o noatime|relatime|strictatime",
            "times of access: kept, changed once after each change and once a day (default), always",
        )
        .option("-o nodiratime", "keep times of access of directories")
        .run(|command_line| {
            options::name(command_line);
            let space = options::take_space(&mut command_line.options)?;
            let root = options::take_root(&mut command_line.options)?;
            let mut tmpfs = fs::Tmpfs::new(space, root)?;
            tmpfs.access_times = AccessTimes::take_from(&mut command_line.options);
            Ok(Session::builder(tmpfs))
        })
}
