//! The file system: what it answers to each request.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::hash::BuildHasher;
use std::hash::Hasher;
use std::hash::RandomState;
use std::sync::Arc;
use std::sync::RwLock;
use std::time::Duration;

use libfuse3::Capabilities;
use libfuse3::ConnInfo;
use libfuse3::Data;
use libfuse3::EntryAttributes;
use libfuse3::Errno;
use libfuse3::FallocateFlags;
use libfuse3::FileInfo;
use libfuse3::FileRef;
use libfuse3::Forget;
use libfuse3::Inode;
use libfuse3::InodeTable;
use libfuse3::OpenFlags;
use libfuse3::Operations;
use libfuse3::ReaddirToken;
use libfuse3::Rename;
use libfuse3::RequestContext;
use libfuse3::Result;
use libfuse3::SeekTarget;
use libfuse3::SetattrFields;
use libfuse3::StatvfsData;
use libfuse3::WriteBuf;
use libfuse3::XattrFlags;

use crate::access_times::AccessTimes;
use crate::contents::Contents;
use crate::directory::COOKIE_DOT;
use crate::directory::COOKIE_DOT_DOT;
use crate::directory::Tree;
use crate::names::NAME_MAX;
use crate::node::Kind;
use crate::node::Node;
use crate::node::Ownership;
use crate::space::Space;
use crate::xattr::Xattrs;

/// How long the kernel may believe that a name does not exist: names appear through the kernel only.
const NEGATIVE_TIMEOUT: Duration = Duration::from_secs(300);

/// Names and what they lead to are kept apart, as in any Unix: the tree knows names and numbers of
/// inodes, the table knows the inodes by number. An inode stays in the table for as long as it has a
/// name (pinned) or the kernel knows it (counted), so that unlinked files that are still open need no
/// further thought.
pub(crate) struct Tmpfs {
    pub(crate) tree: RwLock<Tree>,
    /// Found by number alone: there are no keys.
    pub(crate) inodes: InodeTable<(), Node>,
    pub(crate) space: Arc<Space>,
    /// The generation of all inodes but the root, which has 0. Inode numbers begin anew with each mount: the
    /// kernel recognizes a file handle of another mount by its generation.
    pub(crate) generation: u64,
    pub(crate) access_times: AccessTimes,
    /// The longest name, in bytes.
    pub(crate) name_max: usize,
}

impl Tmpfs {
    pub(crate) fn new(space: Space, root: Ownership) -> Result<Self> {
        let space = Arc::new(space);
        space.take_inode()?;
        let xattrs = Xattrs::new(&space);
        let root = Node::new(Inode::ROOT, 0, Kind::Directory, root, xattrs, &space);
        Ok(Self {
            tree: RwLock::new(Tree::new()),
            inodes: InodeTable::new((), root),
            generation: random_generation(),
            space,
            access_times: AccessTimes::default(),
            name_max: NAME_MAX,
        })
    }

    /// The kernel keeps what it has cached of a file, unless that would hide reads that change times of
    /// access: then each open file is read anew.
    fn file_info(&self) -> FileInfo {
        FileInfo {
            keep_cache: !self.access_times.always_change(),
            ..FileInfo::default()
        }
    }

    pub(crate) fn empty_file(&self) -> Kind {
        Kind::File(RwLock::new(Contents::new(&self.space)))
    }
}

/// The kernel keeps 32 bits of a generation.
fn random_generation() -> u64 {
    u64::from(RandomState::new().build_hasher().finish() as u32)
}

/// Permissions are the kernel's business: the option `default_permissions` is on by default. `flush`,
/// `fsync` and `fsyncdir` have nothing to do; left out, the kernel soon does not even ask.
impl Operations for Tmpfs {
    const ENABLE_ACL: bool = true;

    /// With the umask, since a directory's default access control list takes its place.
    fn init(&self, conn: &mut ConnInfo) -> Result<()> {
        conn.want(Capabilities::DONT_MASK)
    }

    // ---- inode -----------------------------------------------------------------------------------

    async fn forget(&self, inodes: &[Forget]) {
        self.inodes.forget(inodes);
    }

    async fn getattr(
        &self,
        inode: Inode,
        _file: Option<FileRef>,
        _ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        Ok(self.inodes.get(inode)?.attributes())
    }

    async fn setattr(
        &self,
        inode: Inode,
        fields: SetattrFields,
        _file: Option<FileRef>,
        ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        self.inodes.get(inode)?.set_attributes(&fields, ctx)
    }

    async fn readlink(&self, inode: Inode, _ctx: &RequestContext) -> Result<OsString> {
        let node = self.inodes.get(inode)?;
        node.accessed(self.access_times);
        node.read_link()
    }

    // ---- tree ------------------------------------------------------------------------------------

    /// File handles lead to `.` of any inode, not only of directories, and to `..` of directories: an inode
    /// that has a name is found by its number also after the kernel has forgotten it.
    async fn lookup(
        &self,
        parent: Inode,
        name: &OsStr,
        _ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        if name == "." {
            return Ok(self.inodes.reference(parent)?.attributes());
        }
        let tree = self.tree.read().unwrap();
        let directory = tree.get(parent)?;
        let inode = if name == ".." {
            Some(directory.parent)
        } else {
            directory.get(name)
        };
        match inode {
            Some(inode) => Ok(self.inodes.reference(inode)?.attributes()),
            None if name.len() > self.name_max => Err(Errno::ENAMETOOLONG),
            None => Ok(EntryAttributes::negative(NEGATIVE_TIMEOUT)),
        }
    }

    async fn mknod(
        &self,
        parent: Inode,
        name: &OsStr,
        mode: u32,
        rdev: u64,
        ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        let kind = match mode & libc::S_IFMT {
            libc::S_IFREG => self.empty_file(),
            libc::S_IFCHR | libc::S_IFBLK => Kind::Special { rdev },
            libc::S_IFIFO | libc::S_IFSOCK => Kind::Special { rdev: 0 },
            _ => return Err(Errno::EINVAL),
        };
        self.create_node(parent, name, kind, mode, ctx)
    }

    async fn mkdir(
        &self,
        parent: Inode,
        name: &OsStr,
        mode: u32,
        ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        self.create_node(parent, name, Kind::Directory, mode, ctx)
    }

    async fn unlink(&self, parent: Inode, name: &OsStr, _ctx: &RequestContext) -> Result<()> {
        self.remove_name(parent, name, false)
    }

    async fn rmdir(&self, parent: Inode, name: &OsStr, _ctx: &RequestContext) -> Result<()> {
        self.remove_name(parent, name, true)
    }

    async fn symlink(
        &self,
        parent: Inode,
        name: &OsStr,
        target: &OsStr,
        ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        let kind = Kind::Symlink(target.to_owned());
        self.create_node(parent, name, kind, libc::S_IFLNK | 0o777, ctx)
    }

    async fn rename(&self, rename: Rename<'_>, ctx: &RequestContext) -> Result<()> {
        self.rename_entry(rename, ctx)
    }

    async fn link(
        &self,
        inode: Inode,
        new_parent: Inode,
        new_name: &OsStr,
        _ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        self.add_link(inode, new_parent, new_name)
    }

    // ---- file ------------------------------------------------------------------------------------

    /// Open files need no state of their own: what the kernel says of them comes with each request.
    async fn open(
        &self,
        _inode: Inode,
        _flags: OpenFlags,
        _ctx: &RequestContext,
    ) -> Result<FileInfo> {
        Ok(self.file_info())
    }

    /// The kernel asks only for names that it knows to be free.
    async fn create(
        &self,
        parent: Inode,
        name: &OsStr,
        mode: u32,
        _flags: OpenFlags,
        ctx: &RequestContext,
    ) -> Result<(FileInfo, EntryAttributes)> {
        let attributes = self.create_node(parent, name, self.empty_file(), mode, ctx)?;
        Ok((self.file_info(), attributes))
    }

    async fn tmpfile(
        &self,
        parent: Inode,
        mode: u32,
        flags: OpenFlags,
        ctx: &RequestContext,
    ) -> Result<(FileInfo, EntryAttributes)> {
        let is_linkable = !flags.contains(OpenFlags::EXCL);
        let attributes = self.create_nameless(parent, mode, is_linkable, ctx)?;
        Ok((self.file_info(), attributes))
    }

    /// The kernel does not send what it reads from its cache: that leaves the time of access alone.
    async fn read(
        &self,
        file: FileRef,
        offset: u64,
        size: usize,
        _ctx: &RequestContext,
    ) -> Result<Data> {
        let node = self.inodes.get(file.inode)?;
        let bytes = node.read(offset, size)?;
        if !file.flags.contains(OpenFlags::NOATIME) {
            node.accessed(self.access_times);
        }
        Ok(bytes.into())
    }

    async fn write(
        &self,
        file: FileRef,
        offset: u64,
        data: WriteBuf,
        ctx: &RequestContext,
    ) -> Result<usize> {
        let append = file.flags.contains(OpenFlags::APPEND);
        self.inodes
            .get(file.inode)?
            .write(offset, &data, append, ctx)
    }

    async fn fallocate(
        &self,
        file: FileRef,
        mode: FallocateFlags,
        offset: u64,
        len: u64,
        ctx: &RequestContext,
    ) -> Result<()> {
        let node = self.inodes.get(file.inode)?;
        node.allocate(mode, offset, len, ctx)
    }

    async fn lseek(
        &self,
        file: FileRef,
        offset: u64,
        target: SeekTarget,
        _ctx: &RequestContext,
    ) -> Result<u64> {
        self.inodes.get(file.inode)?.seek(offset, target)
    }

    // ---- dir -------------------------------------------------------------------------------------

    async fn readdir(
        &self,
        dir: FileRef,
        start_id: u64,
        reply: &mut ReaddirToken,
        _ctx: &RequestContext,
    ) -> Result<()> {
        let node = self.inodes.get(dir.inode)?;
        node.accessed(self.access_times);
        let tree = self.tree.read().unwrap();
        let directory = tree.get(dir.inode)?;
        let dots = [
            (".", COOKIE_DOT, dir.inode),
            ("..", COOKIE_DOT_DOT, directory.parent),
        ];
        for (name, cookie, inode) in dots {
            if cookie > start_id {
                let attributes = self.inodes.get(inode)?.attributes();
                if !reply.add(OsStr::new(name), &attributes, cookie) {
                    return Ok(());
                }
            }
        }
        for (cookie, name, inode) in directory.after(start_id) {
            let attributes = self.inodes.get(inode)?.attributes();
            if !reply.add(name, &attributes, cookie) {
                break;
            }
            // Still there: it has a name for as long as the tree is locked.
            self.inodes.reference(inode)?;
        }
        Ok(())
    }

    async fn statfs(&self, _inode: Inode, _ctx: &RequestContext) -> Result<StatvfsData> {
        Ok(self.space.statvfs())
    }

    // ---- xattr -----------------------------------------------------------------------------------

    async fn setxattr(
        &self,
        inode: Inode,
        name: &OsStr,
        value: &[u8],
        flags: XattrFlags,
        ctx: &RequestContext,
    ) -> Result<()> {
        self.inodes.get(inode)?.set_xattr(name, value, flags, ctx)
    }

    async fn getxattr(&self, inode: Inode, name: &OsStr, _ctx: &RequestContext) -> Result<Vec<u8>> {
        self.inodes.get(inode)?.get_xattr(name)
    }

    async fn listxattr(&self, inode: Inode, ctx: &RequestContext) -> Result<Vec<OsString>> {
        Ok(self.inodes.get(inode)?.list_xattrs(ctx.uid == 0))
    }

    async fn removexattr(&self, inode: Inode, name: &OsStr, ctx: &RequestContext) -> Result<()> {
        self.inodes.get(inode)?.remove_xattr(name, ctx)
    }
}
