//! One file, `message`, that says hello.
//!
//! ```text
//! $ mkdir /tmp/hello && cargo run --example hello -- /tmp/hello
//! $ cat /tmp/hello/message
//! hello world
//! $ fusermount3 -u /tmp/hello
//! ```
//!
//! Add `-f` to stay in the foreground (Ctrl-C unmounts), `-d` to see each request, `--help` for more.

#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::process::ExitCode;

use libfuse3::*;

const MESSAGE: Inode = Inode(2);
const TEXT: &str = "hello world\n";

struct Hello;

/// The attributes of the two inodes that there are.
fn attributes(inode: Inode) -> Result<EntryAttributes> {
    match inode {
        ROOT_INODE => Ok(EntryAttributes {
            ino: inode,
            mode: libc::S_IFDIR | 0o755,
            nlink: 2,
            ..Default::default()
        }),
        MESSAGE => Ok(EntryAttributes {
            ino: inode,
            mode: libc::S_IFREG | 0o444,
            size: TEXT.len() as u64,
            ..Default::default()
        }),
        _ => Err(Errno::ENOENT),
    }
}

impl Operations for Hello {
    async fn lookup(
        &self,
        parent: Inode,
        name: &OsStr,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        match (parent, name.as_encoded_bytes()) {
            (ROOT_INODE, b"message") => attributes(MESSAGE),
            (ROOT_INODE, b"." | b"..") => attributes(ROOT_INODE),
            _ => Err(Errno::ENOENT),
        }
    }

    async fn getattr(
        &self,
        inode: Inode,
        _: Option<FileRef>,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        attributes(inode)
    }

    async fn readdir(
        &self,
        _: FileRef,
        start_id: u64,
        reply: &mut ReaddirToken,
        _: &RequestContext,
    ) -> Result<()> {
        if start_id == 0 {
            let _fits = reply.add(OsStr::new("message"), &attributes(MESSAGE)?, 1);
        }
        Ok(())
    }

    async fn open(&self, _: Inode, flags: OpenFlags, _: &RequestContext) -> Result<FileInfo> {
        if flags.is_writable() {
            Err(Errno::EACCES)
        } else {
            Ok(FileInfo::default())
        }
    }

    async fn read(&self, _: FileRef, offset: u64, size: usize, _: &RequestContext) -> Result<Data> {
        let start = TEXT.len().min(offset as usize);
        Ok(TEXT[start..TEXT.len().min(start + size)].into())
    }
}

fn main() -> ExitCode {
    Program::new("MOUNTPOINT", "One file that says hello.").run(|_| Ok(Session::builder(Hello)))
}
