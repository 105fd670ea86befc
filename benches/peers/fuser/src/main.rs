//! The benchmark's tree on the crate `fuser`: `bench-fuser MOUNTPOINT THREADS`, with `clone_fd` if
//! there are several.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;
use std::time::UNIX_EPOCH;

use fuser::Config;
use fuser::Errno;
use fuser::FileAttr;
use fuser::FileHandle;
use fuser::FileType;
use fuser::Filesystem;
use fuser::FopenFlags;
use fuser::Generation;
use fuser::INodeNo;
use fuser::InitFlags;
use fuser::KernelConfig;
use fuser::LockOwner;
use fuser::OpenFlags;
use fuser::ReplyAttr;
use fuser::ReplyCreate;
use fuser::ReplyData;
use fuser::ReplyDirectory;
use fuser::ReplyDirectoryPlus;
use fuser::ReplyEmpty;
use fuser::ReplyEntry;
use fuser::ReplyOpen;
use fuser::ReplyWrite;
use fuser::Request;
use fuser::WriteFlags;
use tree::Tree;

#[derive(Default)]
struct Null {
    tree: Tree,
}

fn attributes(inode: u64) -> Option<FileAttr> {
    let attr = tree::attr(inode)?;
    Some(FileAttr {
        ino: INodeNo(attr.ino),
        size: attr.size,
        blocks: 0,
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind: kind(&attr),
        perm: attr.perm(),
        nlink: attr.nlink,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: 4096,
        flags: 0,
    })
}

fn kind(attr: &tree::Attr) -> FileType {
    match attr.is_dir() {
        true => FileType::Directory,
        false => FileType::RegularFile,
    }
}

impl Filesystem for Null {
    fn init(&mut self, _req: &Request, config: &mut KernelConfig) -> io::Result<()> {
        let wanted = InitFlags::FUSE_ASYNC_READ
            | InitFlags::FUSE_AUTO_INVAL_DATA
            | InitFlags::FUSE_DO_READDIRPLUS
            | InitFlags::FUSE_ASYNC_DIO
            | InitFlags::FUSE_PARALLEL_DIROPS;
        let missing = config.add_capabilities(wanted).err();
        let size = config.set_max_write(tree::MAX_IO as u32);
        match (missing, size) {
            (None, Ok(_)) => Ok(()),
            _ => Err(io::Error::from_raw_os_error(95)), // EOPNOTSUPP
        }
    }

    fn lookup(&self, _req: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let found = self.tree.lookup(parent.0, name.as_bytes());
        match found.and_then(attributes) {
            Some(attr) => reply.entry(&Duration::ZERO, &attr, Generation(0)),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(&self, _req: &Request, ino: INodeNo, _fh: Option<FileHandle>, reply: ReplyAttr) {
        match attributes(ino.0) {
            Some(attr) => reply.attr(&Duration::ZERO, &attr),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn unlink(&self, _req: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        match self.tree.unlink(parent.0, name.as_bytes()) {
            true => reply.ok(),
            false => reply.error(Errno::ENOENT),
        }
    }

    fn open(&self, _req: &Request, _ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
    }

    fn create(
        &self,
        _req: &Request,
        parent: INodeNo,
        name: &OsStr,
        _mode: u32,
        _umask: u32,
        _flags: i32,
        reply: ReplyCreate,
    ) {
        let created = self.tree.create(parent.0, name.as_bytes());
        match created.and_then(attributes) {
            Some(attr) => reply.created(
                &Duration::ZERO,
                &attr,
                Generation(0),
                FileHandle(0),
                FopenFlags::FOPEN_DIRECT_IO,
            ),
            None => reply.error(Errno::EPERM),
        }
    }

    fn read(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        _offset: u64,
        size: u32,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        if ino.0 == tree::SLOW {
            std::thread::sleep(tree::SLOW_READ);
        }
        reply.data(&tree::ZEROS[..size as usize]);
    }

    fn write(
        &self,
        _req: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        _offset: u64,
        data: &[u8],
        _write_flags: WriteFlags,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        reply.written(data.len() as u32);
    }

    fn readdir(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let mut index = offset;
        while let Some((child, name)) = tree::entry(ino.0, index) {
            index += 1;
            let name = OsStr::from_bytes(name.as_bytes());
            let Some(attr) = tree::attr(child) else {
                break;
            };
            if reply.add(INodeNo(child), index, kind(&attr), name) {
                break;
            }
        }
        reply.ok();
    }

    fn readdirplus(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        mut reply: ReplyDirectoryPlus,
    ) {
        let mut index = offset;
        while let Some((child, name)) = tree::entry(ino.0, index) {
            index += 1;
            let name = OsStr::from_bytes(name.as_bytes());
            let Some(attr) = attributes(child) else {
                break;
            };
            let zero = Duration::ZERO;
            if reply.add(INodeNo(child), index, name, &zero, &attr, Generation(0)) {
                break;
            }
        }
        reply.ok();
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<_> = std::env::args_os().collect();
    let [_, mountpoint, threads] = &arguments[..] else {
        return Err("usage: bench-fuser MOUNTPOINT THREADS".into());
    };
    let threads = threads.to_str().unwrap_or_default().parse()?;
    let mut config = Config::default();
    config.n_threads = Some(threads);
    config.clone_fd = threads > 1;
    fuser::mount(Null::default(), mountpoint, &config)?;
    Ok(())
}
