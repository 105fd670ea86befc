//! A file that holds 4 GiB of zeros and keeps nothing: libfuse's `null`.
//!
//! ```sh
//! touch /tmp/zeros
//! cargo run --example null -- /tmp/zeros
//! stat -c %s /tmp/zeros               # 4294967296
//! head -c 4 /tmp/zeros | od -An -c    # \0  \0  \0  \0
//! echo something > /tmp/zeros         # is gone
//! fusermount3 -u /tmp/zeros
//! ```
//!
//! The mountpoint is a regular file, and so is the root of the file system.

#![forbid(unsafe_code)]

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use libfuse3::{Capabilities, ConnInfo, Data, EntryAttributes, Errno, FileInfo, FileRef, Inode};
use libfuse3::{OpenFlags, Operations, Program, ROOT_INODE, RequestContext as Ctx, Result};
use libfuse3::{Session, SetattrFields, Timestamp, WriteBuf};

const SIZE: u64 = 1 << 32;

struct Null;

fn attributes() -> EntryAttributes {
    let now = Timestamp::now();
    let attributes = EntryAttributes {
        ino: ROOT_INODE,
        mode: libc::S_IFREG | 0o644,
        uid: rustix::process::getuid().as_raw(),
        gid: rustix::process::getgid().as_raw(),
        size: SIZE,
        atime: now,
        mtime: now,
        ctime: now,
        ..EntryAttributes::default()
    };
    attributes.with_timeouts(Duration::from_secs(1))
}

impl Operations for Null {
    fn init(&self, conn: &mut ConnInfo) -> Result<()> {
        conn.want_if_capable(Capabilities::ATOMIC_O_TRUNC);
        Ok(())
    }

    async fn getattr(&self, _: Inode, _: Option<FileRef>, _: &Ctx) -> Result<EntryAttributes> {
        Ok(attributes())
    }

    async fn setattr(
        &self,
        _: Inode,
        fields: SetattrFields,
        _: Option<FileRef>,
        _: &Ctx,
    ) -> Result<EntryAttributes> {
        // A change of size does nothing. There is nothing else to change.
        let others = SetattrFields {
            size: None,
            ..fields
        };
        if others != SetattrFields::default() {
            return Err(Errno::ENOSYS);
        }
        Ok(attributes())
    }

    async fn open(&self, _: Inode, _: OpenFlags, _: &Ctx) -> Result<FileInfo> {
        Ok(FileInfo {
            keep_cache: false,
            ..FileInfo::default()
        })
    }

    async fn read(&self, _: FileRef, offset: u64, size: usize, _: &Ctx) -> Result<Data> {
        if offset >= SIZE {
            return Ok(Data::empty());
        }
        Ok(vec![0; size].into())
    }

    async fn write(&self, _: FileRef, _: u64, data: WriteBuf, _: &Ctx) -> Result<usize> {
        Ok(data.len())
    }
}

fn main() -> ExitCode {
    Program::new(
        "MOUNTPOINT",
        "A file of zeros that keeps nothing. MOUNTPOINT is a regular file.",
    )
    .like_libfuse()
    .run(|command_line| {
        let mountpoint = command_line.mountpoint.as_deref().unwrap_or(Path::new(""));
        let metadata = std::fs::metadata(mountpoint).map_err(|error| {
            let shown = mountpoint.display();
            format!("failed to access mountpoint {shown}: {error}")
        })?;
        if !metadata.is_file() {
            return Err("mountpoint is not a regular file".into());
        }
        Ok(Session::builder(Null))
    })
}
