//! The file system of `memfs_ll`: less of [`Tmpfs`], and a different look.

use std::ffi::OsStr;
use std::time::Duration;

use libfuse3::Capabilities;
use libfuse3::ConnInfo;
use libfuse3::Data;
use libfuse3::EntryAttributes;
use libfuse3::Errno;
use libfuse3::FileInfo;
use libfuse3::FileRef;
use libfuse3::Forget;
use libfuse3::Inode;
use libfuse3::OpenFlags;
use libfuse3::Operations;
use libfuse3::ReaddirToken;
use libfuse3::Rename;
use libfuse3::RequestContext;
use libfuse3::Result;
use libfuse3::SetattrFields;
use libfuse3::StatvfsData;
use libfuse3::WriteBuf;

use crate::directory::COOKIE_DOT_DOT;
use crate::fs::Tmpfs;
use crate::node::Ownership;
use crate::space::Space;

/// What `df` shows for the size, in blocks of 4096 bytes, and for the space of each file.
const BLOCKS: u64 = 1_000_000;
const BLOCKS_OF_A_FILE: u64 = 10;

/// Every operation that is not here is answered with `ENOSYS`, as by libfuse's program.
pub(crate) struct Memfs(Tmpfs);

impl Memfs {
    pub(crate) fn new() -> Result<Self> {
        let root = Ownership {
            mode: libc::S_IFDIR | 0o755,
            uid: 0,
            gid: 0,
        };
        let mut files = Tmpfs::new(Space::new(0, 0), root)?;
        files.name_max = libc::PATH_MAX as usize;
        Ok(Self(files))
    }
}

/// Every request is root's, to whom everything belongs. The kernel has taken the umask off.
fn root() -> RequestContext {
    let mut ctx = RequestContext::detached(0, 0, 0);
    ctx.umask = 0;
    ctx
}

/// The kernel keeps neither names nor attributes, directories have no size, and the space that a file
/// takes is what its size makes.
fn shown(attributes: EntryAttributes) -> EntryAttributes {
    let size = match attributes.is_dir() {
        true => 0,
        false => attributes.size,
    };
    EntryAttributes {
        size,
        blocks: size.div_ceil(512),
        ..attributes.with_timeouts(Duration::ZERO)
    }
}

impl Operations for Memfs {
    fn init(&self, conn: &mut ConnInfo) -> Result<()> {
        conn.unwant(Capabilities::READDIRPLUS);
        Ok(())
    }

    async fn forget(&self, inodes: &[Forget]) {
        self.0.forget(inodes).await;
    }

    async fn getattr(
        &self,
        inode: Inode,
        file: Option<FileRef>,
        ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        self.0.getattr(inode, file, ctx).await.map(shown)
    }

    async fn setattr(
        &self,
        inode: Inode,
        fields: SetattrFields,
        file: Option<FileRef>,
        _ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        let changed = self.0.setattr(inode, fields, file, &root()).await;
        changed.map(shown)
    }

    async fn lookup(
        &self,
        parent: Inode,
        name: &OsStr,
        ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        let found = self.0.lookup(parent, name, ctx).await?;
        match found.ino {
            Inode(0) => Err(Errno::ENOENT),
            _ => Ok(shown(found)),
        }
    }

    async fn mknod(
        &self,
        parent: Inode,
        name: &OsStr,
        mode: u32,
        rdev: u64,
        _ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        let made = self.0.mknod(parent, name, mode, rdev, &root()).await;
        made.map(shown)
    }

    async fn mkdir(
        &self,
        parent: Inode,
        name: &OsStr,
        mode: u32,
        _ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        self.0.mkdir(parent, name, mode, &root()).await.map(shown)
    }

    async fn unlink(&self, parent: Inode, name: &OsStr, ctx: &RequestContext) -> Result<()> {
        self.0.unlink(parent, name, ctx).await
    }

    async fn rmdir(&self, parent: Inode, name: &OsStr, ctx: &RequestContext) -> Result<()> {
        self.0.rmdir(parent, name, ctx).await
    }

    async fn rename(&self, rename: Rename<'_>, ctx: &RequestContext) -> Result<()> {
        if !rename.flags.is_empty() {
            return Err(Errno::EINVAL);
        }
        self.0.rename(rename, ctx).await
    }

    async fn link(
        &self,
        inode: Inode,
        new_parent: Inode,
        new_name: &OsStr,
        ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        let linked = self.0.link(inode, new_parent, new_name, ctx).await;
        linked.map(shown)
    }

    async fn open(&self, inode: Inode, flags: OpenFlags, ctx: &RequestContext) -> Result<FileInfo> {
        self.0.open(inode, flags, ctx).await
    }

    async fn create(
        &self,
        parent: Inode,
        name: &OsStr,
        mode: u32,
        flags: OpenFlags,
        _ctx: &RequestContext,
    ) -> Result<(FileInfo, EntryAttributes)> {
        let created = self.0.create(parent, name, mode, flags, &root()).await;
        created.map(|(info, attributes)| (info, shown(attributes)))
    }

    async fn read(
        &self,
        file: FileRef,
        offset: u64,
        size: usize,
        ctx: &RequestContext,
    ) -> Result<Data> {
        self.0.read(file, offset, size, ctx).await
    }

    async fn write(
        &self,
        file: FileRef,
        offset: u64,
        data: WriteBuf,
        _ctx: &RequestContext,
    ) -> Result<usize> {
        self.0.write(file, offset, data, &root()).await
    }

    /// Without `.` and `..`.
    async fn readdir(
        &self,
        dir: FileRef,
        start_id: u64,
        reply: &mut ReaddirToken,
        ctx: &RequestContext,
    ) -> Result<()> {
        let start_id = start_id.max(COOKIE_DOT_DOT);
        self.0.readdir(dir, start_id, reply, ctx).await
    }

    async fn statfs(&self, _inode: Inode, _ctx: &RequestContext) -> Result<StatvfsData> {
        let files = self.0.inodes.len() as u64;
        let free = BLOCKS.saturating_sub(files * BLOCKS_OF_A_FILE);
        Ok(StatvfsData {
            bsize: 4096,
            frsize: 4096,
            blocks: BLOCKS,
            bfree: free,
            bavail: free,
            files,
            ffree: u64::MAX - files,
            favail: u64::MAX - files,
            namemax: libc::PATH_MAX as u32,
        })
    }
}
