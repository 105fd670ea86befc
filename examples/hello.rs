//! One file, `message`, that says hello.
//!
//! ```sh
//! mkdir /tmp/hello
//! cargo run --example hello -- /tmp/hello
//! cat /tmp/hello/message              # hello world
//! fusermount3 -u /tmp/hello
//! ```
//!
//! Add `-f` to stay in the foreground (Ctrl-C unmounts), `-d` to see each request, `--help` for more.

#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::process::ExitCode;

use libfuse3::{Data, EntryAttributes, Errno, FileInfo, FileRef, Inode, OpenFlags, Operations};
use libfuse3::{Program, ROOT_INODE, ReaddirToken, RequestContext as Ctx, Result, Session};

const MESSAGE: Inode = Inode(2);
const TEXT: &str = "hello world\n";

struct Hello;

/// What there is: the root directory, and one file in it.
fn attributes(inode: Inode) -> Result<EntryAttributes> {
    let (mode, nlink, size) = match inode {
        ROOT_INODE => (libc::S_IFDIR | 0o755, 2, 0),
        MESSAGE => (libc::S_IFREG | 0o444, 1, TEXT.len() as u64),
        _ => return Err(Errno::ENOENT),
    };
    let rest = EntryAttributes::default();
    Ok(EntryAttributes {
        ino: inode,
        mode,
        nlink,
        size,
        ..rest
    })
}

impl Operations for Hello {
    async fn lookup(&self, dir: Inode, name: &OsStr, _: &Ctx) -> Result<EntryAttributes> {
        match (dir, name.as_encoded_bytes()) {
            (ROOT_INODE, b"message") => attributes(MESSAGE),
            (ROOT_INODE, b"." | b"..") => attributes(ROOT_INODE),
            _ => Err(Errno::ENOENT),
        }
    }

    async fn getattr(&self, inode: Inode, _: Option<FileRef>, _: &Ctx) -> Result<EntryAttributes> {
        attributes(inode)
    }

    async fn readdir(&self, _: FileRef, from: u64, out: &mut ReaddirToken, _: &Ctx) -> Result<()> {
        if from == 0 {
            let _fits = out.add("message".as_ref(), &attributes(MESSAGE)?, 1);
        }
        Ok(())
    }

    async fn open(&self, _: Inode, flags: OpenFlags, _: &Ctx) -> Result<FileInfo> {
        if flags.is_writable() {
            return Err(Errno::EACCES);
        }
        Ok(FileInfo::default())
    }

    async fn read(&self, _: FileRef, offset: u64, size: usize, _: &Ctx) -> Result<Data> {
        let start = TEXT.len().min(offset as usize);
        Ok(TEXT[start..TEXT.len().min(start + size)].into())
    }
}

fn main() -> ExitCode {
    Program::new("MOUNTPOINT", "One file that says hello.").run(|_| Ok(Session::builder(Hello)))
}
