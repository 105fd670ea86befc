//! The benchmark's tree on this library: `bench-ours MOUNTPOINT READER_THREADS [BUSY_POLL]`, the latter in
//! microseconds.
//!
//! `BENCH_NO_INTERRUPT=1` has the kernel keep interruptions to itself, where libfuse can ask for that.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use libfuse3::ConnInfo;
use libfuse3::Data;
use libfuse3::EntryAttributes;
use libfuse3::Errno;
use libfuse3::FileInfo;
use libfuse3::FileRef;
use libfuse3::Inode;
use libfuse3::MountOptions;
use libfuse3::OpenFlags;
use libfuse3::Operations;
use libfuse3::ReaddirToken;
use libfuse3::RequestContext;
use libfuse3::Result;
use libfuse3::Session;
use libfuse3::WriteBuf;
use tree::Tree;

#[derive(Default)]
struct Null {
    tree: Tree,
}

fn attributes(inode: u64) -> Result<EntryAttributes> {
    let attr = tree::attr(inode).ok_or(Errno::ENOENT)?;
    let attr = EntryAttributes {
        ino: Inode(attr.ino),
        mode: attr.mode,
        nlink: attr.nlink,
        size: attr.size,
        ..EntryAttributes::default()
    };
    Ok(attr.with_timeouts(Duration::ZERO))
}

const OPENED: FileInfo = FileInfo {
    direct_io: true,
    keep_cache: false,
    ..FileInfo::new(libfuse3::FileHandle(0))
};

impl Operations for Null {
    fn init(&self, conn: &mut ConnInfo) -> Result<()> {
        let wanted = std::env::var_os("BENCH_NO_INTERRUPT").is_some_and(|value| value == "1");
        if wanted && conn.set_no_interrupt(true).is_err() {
            let libfuse = libfuse3::libfuse_version();
            eprintln!("BENCH_NO_INTERRUPT has no effect: libfuse {libfuse} is older than 3.17");
        }
        Ok(())
    }

    async fn getattr(
        &self,
        inode: Inode,
        _file: Option<FileRef>,
        _ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        attributes(inode.raw())
    }

    async fn lookup(
        &self,
        parent: Inode,
        name: &OsStr,
        _ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        let found = self.tree.lookup(parent.raw(), name.as_bytes());
        attributes(found.ok_or(Errno::ENOENT)?)
    }

    async fn unlink(&self, parent: Inode, name: &OsStr, _ctx: &RequestContext) -> Result<()> {
        match self.tree.unlink(parent.raw(), name.as_bytes()) {
            true => Ok(()),
            false => Err(Errno::ENOENT),
        }
    }

    async fn open(
        &self,
        _inode: Inode,
        _flags: OpenFlags,
        _ctx: &RequestContext,
    ) -> Result<FileInfo> {
        Ok(OPENED)
    }

    async fn create(
        &self,
        parent: Inode,
        name: &OsStr,
        _mode: u32,
        _flags: OpenFlags,
        _ctx: &RequestContext,
    ) -> Result<(FileInfo, EntryAttributes)> {
        let created = self.tree.create(parent.raw(), name.as_bytes());
        Ok((OPENED, attributes(created.ok_or(Errno::EPERM)?)?))
    }

    async fn read(
        &self,
        file: FileRef,
        _offset: u64,
        size: usize,
        _ctx: &RequestContext,
    ) -> Result<Data> {
        if file.inode == Inode(tree::SLOW) {
            smol::Timer::after(tree::SLOW_READ).await;
        }
        Ok(tree::ZEROS[..size].into())
    }

    async fn write(
        &self,
        _file: FileRef,
        _offset: u64,
        data: WriteBuf,
        _ctx: &RequestContext,
    ) -> Result<usize> {
        Ok(data.len())
    }

    async fn readdir(
        &self,
        dir: FileRef,
        start_id: u64,
        reply: &mut ReaddirToken,
        _ctx: &RequestContext,
    ) -> Result<()> {
        let mut index = start_id;
        while let Some((inode, name)) = tree::entry(dir.inode.raw(), index) {
            index += 1;
            let name = OsStr::from_bytes(name.as_bytes());
            if !reply.add(name, &attributes(inode)?, index) {
                break;
            }
        }
        Ok(())
    }
}

const USAGE: &str = "usage: bench-ours MOUNTPOINT READER_THREADS [BUSY_POLL]";

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<_> = std::env::args_os().collect();
    let [_, mountpoint, numbers @ ..] = &arguments[..] else {
        return Err(USAGE.into());
    };
    let numbers = numbers.iter().map(|number| number.to_str()?.parse().ok());
    let numbers: Vec<u32> = numbers.collect::<Option<_>>().ok_or(USAGE)?;
    let (threads, busy_poll) = match numbers[..] {
        [threads] => (threads, 0),
        [threads, busy_poll] => (threads, busy_poll),
        _ => return Err(USAGE.into()),
    };
    let mut session = Session::builder(Null::default())
        .options(MountOptions::empty())
        .reader_threads(threads as usize)
        .busy_poll(Duration::from_micros(busy_poll.into()))
        .handle_signals(true)
        .mount(mountpoint)?;
    smol::block_on(session.run())?;
    Ok(())
}
