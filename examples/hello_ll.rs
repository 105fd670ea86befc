//! One file, `hello`: libfuse's `hello_ll`.
//!
//! ```sh
//! mkdir /tmp/hello
//! cargo run --example hello_ll -- /tmp/hello
//! cat /tmp/hello/hello                # Hello World!
//! getfattr -n hello_ll_getxattr_name /tmp/hello/hello
//! fusermount3 -u /tmp/hello
//! ```
//!
//! `hello` is the same with what one would do differently: nothing is said that has a default.

#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::process::ExitCode;
use std::time::Duration;

use libfuse3::XattrFlags;
use libfuse3::{Data, EntryAttributes, Errno, FileInfo, FileRef, Inode, OpenFlags, Operations};
use libfuse3::{Program, ROOT_INODE, ReaddirToken, RequestContext as Ctx, Result, Session};

const HELLO: Inode = Inode(2);
const TEXT: &str = "Hello World!\n";
const TIMEOUT: Duration = Duration::from_secs(1);

pub(crate) struct HelloLl;

fn attributes(inode: Inode) -> Result<EntryAttributes> {
    let (mode, nlink, size) = match inode {
        ROOT_INODE => (libc::S_IFDIR | 0o755, 2, 0),
        HELLO => (libc::S_IFREG | 0o444, 1, TEXT.len() as u64),
        _ => return Err(Errno::ENOENT),
    };
    let attributes = EntryAttributes {
        ino: inode,
        mode,
        nlink,
        size,
        ..EntryAttributes::default()
    };
    Ok(attributes.with_timeouts(TIMEOUT))
}

impl Operations for HelloLl {
    async fn getattr(&self, inode: Inode, _: Option<FileRef>, _: &Ctx) -> Result<EntryAttributes> {
        attributes(inode)
    }

    async fn lookup(&self, dir: Inode, name: &OsStr, _: &Ctx) -> Result<EntryAttributes> {
        match dir {
            ROOT_INODE if name == "hello" => attributes(HELLO),
            _ => Err(Errno::ENOENT),
        }
    }

    async fn readdir(
        &self,
        dir: FileRef,
        from: u64,
        out: &mut ReaddirToken,
        _: &Ctx,
    ) -> Result<()> {
        if dir.inode != ROOT_INODE {
            return Err(Errno::ENOTDIR);
        }
        let entries = [(".", ROOT_INODE), ("..", ROOT_INODE), ("hello", HELLO)];
        for ((name, inode), next) in entries.into_iter().zip(1..).skip(from as usize) {
            if !out.add(name.as_ref(), &attributes(inode)?, next) {
                break;
            }
        }
        Ok(())
    }

    async fn open(&self, inode: Inode, flags: OpenFlags, _: &Ctx) -> Result<FileInfo> {
        if inode != HELLO {
            return Err(Errno::EISDIR);
        }
        if flags.is_writable() {
            return Err(Errno::EACCES);
        }
        Ok(FileInfo {
            keep_cache: false,
            ..FileInfo::default()
        })
    }

    async fn read(&self, _: FileRef, offset: u64, size: usize, _: &Ctx) -> Result<Data> {
        let start = TEXT.len().min(offset as usize);
        Ok(TEXT[start..TEXT.len().min(start + size)].into())
    }

    /// Three attributes, each for one operation: nothing is stored.
    async fn setxattr(
        &self,
        _: Inode,
        name: &OsStr,
        value: &[u8],
        _: XattrFlags,
        _: &Ctx,
    ) -> Result<()> {
        match value {
            b"hello_ll_setxattr_value" if name == "hello_ll_setxattr_name" => Ok(()),
            _ => Err(Errno::EOPNOTSUPP),
        }
    }

    async fn getxattr(&self, _: Inode, name: &OsStr, _: &Ctx) -> Result<Vec<u8>> {
        match name == "hello_ll_getxattr_name" {
            true => Ok(b"hello_ll_getxattr_value".to_vec()),
            false => Err(Errno::EOPNOTSUPP),
        }
    }

    async fn removexattr(&self, _: Inode, name: &OsStr, _: &Ctx) -> Result<()> {
        match name == "hello_ll_removexattr_name" {
            true => Ok(()),
            false => Err(Errno::EOPNOTSUPP),
        }
    }
}

fn main() -> ExitCode {
    Program::new("MOUNTPOINT", "One file that says hello.")
        .like_libfuse()
        .run(|_| Ok(Session::builder(HelloLl)))
}
