//! The benchmark's tree on the crate `fuse3` with tokio: `bench-fuse3 MOUNTPOINT WORKERS`, or
//! `bench-fuse3 MOUNTPOINT root` for one worker and its other way to mount, without fusermount3.
//!
//! The two ways are two loops: mounted by fusermount3, it waits for the device to be readable; mounted
//! by itself, it has a thread of tokio's pool block in each read.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::num::NonZeroU32;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use bytes::Bytes;
use fuse3::FileType;
use fuse3::MountOptions;
use fuse3::Result;
use fuse3::Timestamp;
use fuse3::raw::Filesystem;
use fuse3::raw::Request;
use fuse3::raw::Session;
use fuse3::raw::reply::DirectoryEntry;
use fuse3::raw::reply::DirectoryEntryPlus;
use fuse3::raw::reply::FileAttr;
use fuse3::raw::reply::ReplyAttr;
use fuse3::raw::reply::ReplyCreated;
use fuse3::raw::reply::ReplyData;
use fuse3::raw::reply::ReplyDirectory;
use fuse3::raw::reply::ReplyDirectoryPlus;
use fuse3::raw::reply::ReplyEntry;
use fuse3::raw::reply::ReplyInit;
use fuse3::raw::reply::ReplyOpen;
use fuse3::raw::reply::ReplyWrite;
use futures_util::stream::Stream;
use futures_util::stream::iter;
use tree::Tree;

/// `FOPEN_DIRECT_IO` of the kernel's protocol.
const DIRECT_IO: u32 = 1;

#[derive(Default)]
struct Null {
    tree: Tree,
}

fn attributes(inode: u64) -> Result<FileAttr> {
    let attr = tree::attr(inode).ok_or(libc::ENOENT)?;
    let epoch = Timestamp { sec: 0, nsec: 0 };
    Ok(FileAttr {
        ino: attr.ino,
        size: attr.size,
        blocks: 0,
        atime: epoch,
        mtime: epoch,
        ctime: epoch,
        kind: kind(&attr),
        perm: attr.perm(),
        nlink: attr.nlink,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: 4096,
    })
}

fn kind(attr: &tree::Attr) -> FileType {
    match attr.is_dir() {
        true => FileType::Directory,
        false => FileType::RegularFile,
    }
}

/// Entries of a directory, with the offset of the next one.
fn entries(dir: u64, offset: u64) -> impl Iterator<Item = (u64, OsString, u64)> + Send {
    (offset..).map_while(move |index| {
        let (inode, name) = tree::entry(dir, index)?;
        let name = OsStr::from_bytes(name.as_bytes()).to_owned();
        Some((inode, name, index + 1))
    })
}

impl Filesystem for Null {
    async fn init(&self, _req: Request) -> Result<ReplyInit> {
        let max_write = NonZeroU32::new(tree::MAX_IO as u32).ok_or(libc::EINVAL)?;
        Ok(ReplyInit::new(max_write))
    }

    async fn destroy(&self, _req: Request) {}

    async fn lookup(&self, _req: Request, parent: u64, name: &OsStr) -> Result<ReplyEntry> {
        let found = self.tree.lookup(parent, name.as_bytes());
        Ok(ReplyEntry {
            ttl: Duration::ZERO,
            attr: attributes(found.ok_or(libc::ENOENT)?)?,
            generation: 0,
        })
    }

    async fn getattr(
        &self,
        _req: Request,
        inode: u64,
        _fh: Option<u64>,
        _flags: u32,
    ) -> Result<ReplyAttr> {
        Ok(ReplyAttr {
            ttl: Duration::ZERO,
            attr: attributes(inode)?,
        })
    }

    async fn unlink(&self, _req: Request, parent: u64, name: &OsStr) -> Result<()> {
        match self.tree.unlink(parent, name.as_bytes()) {
            true => Ok(()),
            false => Err(libc::ENOENT.into()),
        }
    }

    async fn open(&self, _req: Request, _inode: u64, _flags: u32) -> Result<ReplyOpen> {
        Ok(ReplyOpen {
            fh: 0,
            flags: DIRECT_IO,
        })
    }

    async fn create(
        &self,
        _req: Request,
        parent: u64,
        name: &OsStr,
        _mode: u32,
        _flags: u32,
    ) -> Result<ReplyCreated> {
        let created = self.tree.create(parent, name.as_bytes());
        Ok(ReplyCreated {
            ttl: Duration::ZERO,
            attr: attributes(created.ok_or(libc::EPERM)?)?,
            generation: 0,
            fh: 0,
            flags: DIRECT_IO,
        })
    }

    async fn read(
        &self,
        _req: Request,
        inode: u64,
        _fh: u64,
        _offset: u64,
        size: u32,
    ) -> Result<ReplyData> {
        if inode == tree::SLOW {
            tokio::time::sleep(tree::SLOW_READ).await;
        }
        Ok(Bytes::from_static(&tree::ZEROS[..size as usize]).into())
    }

    async fn write(
        &self,
        _req: Request,
        _inode: u64,
        _fh: u64,
        _offset: u64,
        data: &[u8],
        _write_flags: u32,
        _flags: u32,
    ) -> Result<ReplyWrite> {
        Ok(ReplyWrite {
            written: data.len() as u32,
        })
    }

    async fn release(
        &self,
        _req: Request,
        _inode: u64,
        _fh: u64,
        _flags: u32,
        _lock_owner: u64,
        _flush: bool,
    ) -> Result<()> {
        Ok(())
    }

    async fn opendir(&self, _req: Request, _inode: u64, _flags: u32) -> Result<ReplyOpen> {
        Ok(ReplyOpen { fh: 0, flags: 0 })
    }

    async fn readdir<'a>(
        &'a self,
        _req: Request,
        parent: u64,
        _fh: u64,
        offset: i64,
    ) -> Result<ReplyDirectory<impl Stream<Item = Result<DirectoryEntry>> + Send + 'a>> {
        let entries = entries(parent, offset.cast_unsigned()).map(|(inode, name, next)| {
            Ok(DirectoryEntry {
                inode,
                kind: kind(&tree::attr(inode).ok_or(libc::ENOENT)?),
                name,
                offset: next.cast_signed(),
            })
        });
        Ok(ReplyDirectory {
            entries: iter(entries),
        })
    }

    async fn readdirplus<'a>(
        &'a self,
        _req: Request,
        parent: u64,
        _fh: u64,
        offset: u64,
        _lock_owner: u64,
    ) -> Result<ReplyDirectoryPlus<impl Stream<Item = Result<DirectoryEntryPlus>> + Send + 'a>>
    {
        let entries = entries(parent, offset).map(|(inode, name, next)| {
            let attr = attributes(inode)?;
            Ok(DirectoryEntryPlus {
                inode,
                generation: 0,
                kind: attr.kind,
                name,
                offset: next.cast_signed(),
                attr,
                entry_ttl: Duration::ZERO,
                attr_ttl: Duration::ZERO,
            })
        });
        Ok(ReplyDirectoryPlus {
            entries: iter(entries),
        })
    }
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<_> = std::env::args_os().collect();
    let [_, mountpoint, workers] = &arguments[..] else {
        return Err("usage: bench-fuse3 MOUNTPOINT WORKERS|root".into());
    };
    let by_itself = workers == "root";
    let workers = match by_itself {
        true => 1,
        false => workers.to_str().unwrap_or_default().parse()?,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()?;
    let mut options = MountOptions::default();
    options.force_readdir_plus(true);
    let session = Session::new(options);
    runtime.block_on(async {
        let null = Null::default();
        let handle = match by_itself {
            true => session.mount(null, mountpoint).await?,
            false => session.mount_with_unprivileged(null, mountpoint).await?,
        };
        handle.await
    })?;
    Ok(())
}
