//! One file, `fioc`, whose size can be asked for and set by `ioctl`: libfuse's `ioctl_ll`.
//!
//! ```sh
//! mkdir /tmp/ioctl
//! cargo run --example ioctl_ll -- /tmp/ioctl
//! echo hello > /tmp/ioctl/fioc
//! cargo run --example ioctl_ll_client -- get_size /tmp/ioctl/fioc       # 6
//! cargo run --example ioctl_ll_client -- set_size /tmp/ioctl/fioc 4     # Size set to 4
//! cat /tmp/ioctl/fioc                                                   # hell
//! fusermount3 -u /tmp/ioctl
//! ```
//!
//! The commands `read` and `write` of the client ask for memory that their numbers do not tell of. The
//! kernel grants that to character devices alone, and answers `EIO` in the name of a file system.

#![forbid(unsafe_code)]

mod commands;

use std::ffi::OsStr;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use libfuse3::{Capabilities, ConnInfo, Data, EntryAttributes, Errno, FileInfo, FileRef, Inode};
use libfuse3::{Ioctl, IoctlFlags, IoctlRange, IoctlReply, OpenFlags, Operations, Program};
use libfuse3::{ROOT_INODE, ReaddirToken, RequestContext as Ctx, Result, Session, WriteBuf};

const NAME: &str = "fioc";
const FILE: Inode = Inode(2);
const TIMEOUT: Duration = Duration::from_secs(1);
/// It is all in memory.
const MAX_SIZE: usize = 1 << 30;
/// What `READ` and `WRITE` point to: offset, address, size, and two sizes to be filled in.
const ARGUMENT_SIZE: usize = 5 * size_of::<usize>();

#[derive(Default)]
struct IoctlLl(Mutex<Vec<u8>>);

impl IoctlLl {
    fn contents(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn attributes(&self, inode: Inode) -> Result<EntryAttributes> {
        let (mode, nlink, size) = match inode {
            ROOT_INODE => (libc::S_IFDIR | 0o755, 2, 0),
            FILE => (libc::S_IFREG | 0o644, 1, self.contents().len()),
            _ => return Err(Errno::ENOENT),
        };
        let attributes = EntryAttributes {
            ino: inode,
            mode,
            nlink,
            uid: rustix::process::getuid().as_raw(),
            gid: rustix::process::getgid().as_raw(),
            size: size as u64,
            ..EntryAttributes::default()
        };
        Ok(attributes.with_timeouts(TIMEOUT))
    }
}

fn resize(contents: &mut Vec<u8>, size: usize) -> Result<()> {
    if size > MAX_SIZE {
        return Err(Errno::ENOMEM);
    }
    contents.resize(size, 0);
    Ok(())
}

/// The answer to an address that the kernel will not let us follow, however it is asked.
fn ask_for_argument(ioctl: &Ioctl<'_>) -> IoctlReply {
    let argument = IoctlRange {
        address: ioctl.arg,
        len: ARGUMENT_SIZE,
    };
    IoctlReply::Retry {
        input: vec![argument],
        output: Vec::new(),
    }
}

impl Operations for IoctlLl {
    fn init(&self, conn: &mut ConnInfo) -> Result<()> {
        // There is no `setattr` that would do it.
        conn.want_if_capable(Capabilities::ATOMIC_O_TRUNC);
        Ok(())
    }

    async fn getattr(&self, inode: Inode, _: Option<FileRef>, _: &Ctx) -> Result<EntryAttributes> {
        self.attributes(inode)
    }

    async fn lookup(&self, dir: Inode, name: &OsStr, _: &Ctx) -> Result<EntryAttributes> {
        match dir {
            ROOT_INODE if name == NAME => self.attributes(FILE),
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
        let entries = [(".", ROOT_INODE), ("..", ROOT_INODE), (NAME, FILE)];
        for ((name, inode), next) in entries.into_iter().zip(1..).skip(from as usize) {
            if !out.add(name.as_ref(), &self.attributes(inode)?, next) {
                break;
            }
        }
        Ok(())
    }

    async fn open(&self, inode: Inode, _: OpenFlags, _: &Ctx) -> Result<FileInfo> {
        if inode != FILE {
            return Err(Errno::EISDIR);
        }
        Ok(FileInfo {
            keep_cache: false,
            ..FileInfo::default()
        })
    }

    async fn read(&self, _: FileRef, offset: u64, size: usize, _: &Ctx) -> Result<Data> {
        let contents = self.contents();
        let start = contents.len().min(offset as usize);
        let end = contents.len().min(start + size);
        Ok(contents[start..end].to_vec().into())
    }

    async fn write(&self, _: FileRef, offset: u64, data: WriteBuf, _: &Ctx) -> Result<usize> {
        let mut contents = self.contents();
        let start = offset as usize;
        let end = start.checked_add(data.len()).ok_or(Errno::ENOMEM)?;
        if end > contents.len() {
            resize(&mut contents, end)?;
        }
        contents[start..end].copy_from_slice(&data);
        Ok(data.len())
    }

    async fn ioctl(&self, ioctl: Ioctl<'_>, _: &Ctx) -> Result<IoctlReply> {
        if ioctl.file.inode != FILE {
            return Err(Errno::EINVAL);
        }
        if ioctl.flags.contains(IoctlFlags::COMPAT) {
            return Err(Errno::ENOSYS);
        }
        match ioctl.cmd {
            commands::GET_SIZE => {
                let size = self.contents().len();
                Ok(IoctlReply::with_output(0, size.to_ne_bytes()))
            }
            commands::SET_SIZE => {
                let size = ioctl.input.try_into().map_err(|_| Errno::EINVAL)?;
                resize(&mut self.contents(), usize::from_ne_bytes(size))?;
                Ok(IoctlReply::new(0))
            }
            commands::READ | commands::WRITE => Ok(ask_for_argument(&ioctl)),
            _ => Err(Errno::EINVAL),
        }
    }
}

fn main() -> ExitCode {
    Program::new(
        "MOUNTPOINT",
        "A file whose size is asked for and set by ioctl.",
    )
    .like_libfuse()
    .run(|_| Ok(Session::builder(IoctlLl::default())))
}
