//! [3] A request as it travels from a C callback to its handler: everything in it is owned.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::AccessFlags;
use crate::CopyFileRange;
use crate::Errno;
use crate::FallocateFlags;
use crate::FileLock;
use crate::FileRef;
use crate::Forget;
use crate::Inode;
use crate::IoctlFlags;
use crate::LockType;
use crate::OpenFlags;
use crate::PollEvents;
use crate::PollHandle;
use crate::ReleaseFlags;
use crate::RenameFlags;
use crate::Result;
use crate::SetattrFields;
#[cfg(libfuse_since = "3.18")]
use crate::StatxFlags;
#[cfg(libfuse_since = "3.18")]
use crate::StatxMask;
use crate::WriteBuf;
use crate::XattrFlags;
use crate::raw::Cookie;
use crate::raw::Interruption;
use crate::request::Request;

/// A name, without an allocation if it is of a usual length. No longer than that: it is moved more than
/// once between callback and handler.
#[derive(Clone)]
pub(crate) struct Name(SmallVec<[u8; 24]>);

impl Name {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self(SmallVec::from_slice(bytes))
    }

    #[inline]
    pub(crate) fn as_os_str(&self) -> &OsStr {
        OsStr::from_bytes(&self.0)
    }

    /// Fails if the kernel never sends the name for an entry of a directory, as with `.` and `..`.
    fn check(&self) -> Result<()> {
        match &self.0[..] {
            b"" | b"." | b".." => Err(Errno::EINVAL),
            name if name.contains(&b'/') => Err(Errno::EINVAL),
            name => check_length(name),
        }
    }

    /// As [`check`](Self::check), for a lookup.
    fn check_for_lookup(&self, dot_lookup: bool) -> Result<()> {
        match &self.0[..] {
            b"." | b".." if dot_lookup => Ok(()),
            _ => self.check(),
        }
    }
}

/// `FUSE_NAME_MAX` of the kernel, and the longest path.
const MAX_NAME: usize = 4095;

fn check_length(name: &[u8]) -> Result<()> {
    match name.len() {
        0 => Err(Errno::EINVAL),
        1..=MAX_NAME => Ok(()),
        _ => Err(Errno::ENAMETOOLONG),
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_os_str().fmt(f)
    }
}

/// The inodes of one `FORGET` or `BATCH_FORGET`; most often one.
pub(crate) type ForgetList = SmallVec<[Forget; 1]>;

/// What a request asks for. The variants are those of `fuse_lowlevel_ops`, in groups; large arguments
/// of rare ones are boxed, to keep messages small.
#[derive(Debug)]
pub(crate) enum Operation {
    // inode
    Getattr {
        inode: Inode,
        file: Option<FileRef>,
    },
    Setattr {
        inode: Inode,
        fields: Box<SetattrFields>,
        file: Option<FileRef>,
    },
    #[cfg(libfuse_since = "3.18")]
    Statx {
        inode: Inode,
        flags: StatxFlags,
        mask: StatxMask,
        file: Option<FileRef>,
    },
    Readlink {
        inode: Inode,
    },
    Access {
        inode: Inode,
        mode: AccessFlags,
    },
    // tree
    Lookup {
        parent: Inode,
        name: Name,
    },
    Mknod {
        parent: Inode,
        name: Name,
        mode: u32,
        rdev: u64,
    },
    Mkdir {
        parent: Inode,
        name: Name,
        mode: u32,
    },
    Unlink {
        parent: Inode,
        name: Name,
    },
    Rmdir {
        parent: Inode,
        name: Name,
    },
    Symlink {
        parent: Inode,
        name: Name,
        target: OsString,
    },
    Rename {
        parent: Inode,
        new_parent: Inode,
        /// The old one, and the new one.
        names: Box<[Name; 2]>,
        flags: RenameFlags,
    },
    Link {
        inode: Inode,
        new_parent: Inode,
        new_name: Name,
    },
    // file
    Open {
        inode: Inode,
        flags: OpenFlags,
    },
    Create {
        parent: Inode,
        name: Name,
        mode: u32,
        flags: OpenFlags,
    },
    Tmpfile {
        parent: Inode,
        mode: u32,
        flags: OpenFlags,
    },
    Read {
        file: FileRef,
        offset: u64,
        size: usize,
    },
    Write {
        file: FileRef,
        offset: u64,
        data: WriteBuf,
    },
    Flush {
        file: FileRef,
    },
    Release {
        file: FileRef,
        flags: ReleaseFlags,
    },
    Fsync {
        file: FileRef,
        datasync: bool,
    },
    Fallocate {
        file: FileRef,
        mode: FallocateFlags,
        offset: u64,
        len: u64,
    },
    Lseek {
        file: FileRef,
        offset: u64,
        whence: i32,
    },
    CopyFileRange(Box<CopyFileRange>),
    // lock
    Getlk {
        file: FileRef,
        lock: FileLock,
    },
    Setlk {
        file: FileRef,
        lock: FileLock,
        sleep: bool,
    },
    Flock {
        file: FileRef,
        lock_type: LockType,
        sleep: bool,
    },
    // dir
    Opendir {
        inode: Inode,
        flags: OpenFlags,
    },
    Readdir {
        dir: FileRef,
        start_id: u64,
        size: usize,
        plus: bool,
    },
    Releasedir {
        dir: FileRef,
    },
    Fsyncdir {
        dir: FileRef,
        datasync: bool,
    },
    Statfs {
        inode: Inode,
    },
    #[cfg(libfuse_has = "syncfs")]
    Syncfs {
        inode: Inode,
    },
    Ioctl(Box<OwnedIoctl>),
    Poll {
        file: FileRef,
        events: PollEvents,
        handle: Option<PollHandle>,
    },
    Bmap {
        inode: Inode,
        blocksize: u32,
        index: u64,
    },
    // xattr
    Setxattr {
        inode: Inode,
        name: Name,
        value: Box<[u8]>,
        flags: XattrFlags,
    },
    Getxattr {
        inode: Inode,
        name: Name,
        size: usize,
    },
    Listxattr {
        inode: Inode,
        size: usize,
    },
    Removexattr {
        inode: Inode,
        name: Name,
    },
}

/// [`Ioctl`](crate::Ioctl) with its input.
#[derive(Debug)]
pub(crate) struct OwnedIoctl {
    pub(crate) file: FileRef,
    pub(crate) cmd: u32,
    pub(crate) arg: u64,
    pub(crate) flags: IoctlFlags,
    pub(crate) input: Box<[u8]>,
    pub(crate) output_size: usize,
}

/// What a callback sends.
#[derive(Debug)]
pub(crate) enum Message {
    /// Wants an answer. What it asks for is in it.
    Request(Request),
    /// Wants none.
    Forget(ForgetList),
    /// Cached data that were asked for.
    Retrieved(Cookie, Result<Bytes>),
    /// A request was interrupted, and its handler is still to be woken.
    Interrupted(Arc<Interruption>),
}

/// What the requests of one operation have in common.
#[derive(Debug)]
pub(crate) struct Kind {
    /// The operation in libfuse's spelling.
    pub(crate) name: &'static str,
    /// Whether the kernel never asks again after `ENOSYS` (`fc->no_*` in fs/fuse).
    pub(crate) enosys_is_final: bool,
}

impl Kind {
    pub(crate) const FORGET: Self = Self::new("forget");

    const fn new(name: &'static str) -> Self {
        Self {
            name,
            enosys_is_final: false,
        }
    }

    const fn with_final_enosys(name: &'static str) -> Self {
        Self {
            name,
            enosys_is_final: true,
        }
    }
}

impl Operation {
    /// Fails if the kernel never sends such names. `dot_lookup`: whether `lookup` may have the names `.` and
    /// `..`, as with `EXPORT_SUPPORT`.
    pub(crate) fn check_names(&self, dot_lookup: bool) -> Result<()> {
        match self {
            Self::Lookup { name, .. } => name.check_for_lookup(dot_lookup),
            Self::Mknod { name, .. }
            | Self::Mkdir { name, .. }
            | Self::Unlink { name, .. }
            | Self::Rmdir { name, .. }
            | Self::Create { name, .. }
            | Self::Link { new_name: name, .. } => name.check(),
            Self::Symlink { name, target, .. } => {
                name.check()?;
                check_length(target.as_bytes())
            }
            Self::Rename { names, .. } => names.iter().try_for_each(Name::check),
            Self::Setxattr { name, .. }
            | Self::Getxattr { name, .. }
            | Self::Removexattr { name, .. } => check_length(&name.0),
            _ => Ok(()),
        }
    }

    #[inline]
    pub(crate) fn kind(&self) -> &'static Kind {
        match self {
            Self::Getattr { .. } => const { &Kind::new("getattr") },
            Self::Setattr { .. } => const { &Kind::new("setattr") },
            #[cfg(libfuse_since = "3.18")]
            Self::Statx { .. } => const { &Kind::with_final_enosys("statx") },
            Self::Readlink { .. } => const { &Kind::new("readlink") },
            Self::Access { .. } => const { &Kind::with_final_enosys("access") },
            Self::Lookup { .. } => const { &Kind::new("lookup") },
            Self::Mknod { .. } => const { &Kind::new("mknod") },
            Self::Mkdir { .. } => const { &Kind::new("mkdir") },
            Self::Unlink { .. } => const { &Kind::new("unlink") },
            Self::Rmdir { .. } => const { &Kind::new("rmdir") },
            Self::Symlink { .. } => const { &Kind::new("symlink") },
            // Of calls with flags the kernel remembers it, of those without it does not.
            Self::Rename { flags, .. } if flags.is_empty() => const { &Kind::new("rename") },
            Self::Rename { .. } => const { &Kind::with_final_enosys("rename") },
            Self::Link { .. } => const { &Kind::with_final_enosys("link") },
            Self::Open { .. } => const { &Kind::with_final_enosys("open") },
            Self::Create { .. } => const { &Kind::with_final_enosys("create") },
            Self::Tmpfile { .. } => const { &Kind::with_final_enosys("tmpfile") },
            Self::Read { .. } => const { &Kind::new("read") },
            Self::Write { .. } => const { &Kind::new("write") },
            Self::Flush { .. } => const { &Kind::with_final_enosys("flush") },
            Self::Release { .. } => const { &Kind::new("release") },
            Self::Fsync { .. } => const { &Kind::with_final_enosys("fsync") },
            Self::Fallocate { .. } => const { &Kind::with_final_enosys("fallocate") },
            Self::Lseek { .. } => const { &Kind::with_final_enosys("lseek") },
            Self::CopyFileRange(_) => const { &Kind::with_final_enosys("copy_file_range") },
            Self::Getlk { .. } => const { &Kind::new("getlk") },
            Self::Setlk { .. } => const { &Kind::new("setlk") },
            Self::Flock { .. } => const { &Kind::new("flock") },
            Self::Opendir { .. } => const { &Kind::with_final_enosys("opendir") },
            Self::Readdir { plus: true, .. } => const { &Kind::new("readdirplus") },
            Self::Readdir { .. } => const { &Kind::new("readdir") },
            Self::Releasedir { .. } => const { &Kind::new("releasedir") },
            Self::Fsyncdir { .. } => const { &Kind::with_final_enosys("fsyncdir") },
            Self::Statfs { .. } => const { &Kind::new("statfs") },
            #[cfg(libfuse_has = "syncfs")]
            Self::Syncfs { .. } => const { &Kind::with_final_enosys("syncfs") },
            Self::Ioctl(_) => const { &Kind::new("ioctl") },
            Self::Poll { .. } => const { &Kind::with_final_enosys("poll") },
            Self::Bmap { .. } => const { &Kind::with_final_enosys("bmap") },
            Self::Setxattr { .. } => const { &Kind::with_final_enosys("setxattr") },
            Self::Getxattr { .. } => const { &Kind::with_final_enosys("getxattr") },
            Self::Listxattr { .. } => const { &Kind::with_final_enosys("listxattr") },
            Self::Removexattr { .. } => const { &Kind::with_final_enosys("removexattr") },
        }
    }

    /// The inodes that the kernel may hold locks of while it waits for the answer: the first is the
    /// one that the request is about.
    #[inline]
    pub(crate) fn inodes(&self) -> [Inode; 2] {
        const NONE: Inode = Inode(0);
        match self {
            Self::Getattr { inode, .. }
            | Self::Setattr { inode, .. }
            | Self::Readlink { inode }
            | Self::Access { inode, .. }
            | Self::Open { inode, .. }
            | Self::Opendir { inode, .. }
            | Self::Statfs { inode }
            | Self::Bmap { inode, .. }
            | Self::Setxattr { inode, .. }
            | Self::Getxattr { inode, .. }
            | Self::Listxattr { inode, .. }
            | Self::Removexattr { inode, .. } => [*inode, NONE],
            Self::Lookup { parent, .. }
            | Self::Mknod { parent, .. }
            | Self::Mkdir { parent, .. }
            | Self::Unlink { parent, .. }
            | Self::Rmdir { parent, .. }
            | Self::Symlink { parent, .. }
            | Self::Create { parent, .. }
            | Self::Tmpfile { parent, .. } => [*parent, NONE],
            #[cfg(libfuse_since = "3.18")]
            Self::Statx { inode, .. } => [*inode, NONE],
            #[cfg(libfuse_has = "syncfs")]
            Self::Syncfs { inode } => [*inode, NONE],
            Self::Rename {
                parent, new_parent, ..
            } => [*parent, *new_parent],
            Self::Link {
                inode, new_parent, ..
            } => [*inode, *new_parent],
            Self::Read { file, .. }
            | Self::Write { file, .. }
            | Self::Flush { file }
            | Self::Release { file, .. }
            | Self::Fsync { file, .. }
            | Self::Fallocate { file, .. }
            | Self::Lseek { file, .. }
            | Self::Getlk { file, .. }
            | Self::Setlk { file, .. }
            | Self::Flock { file, .. }
            | Self::Poll { file, .. } => [file.inode, NONE],
            Self::Ioctl(ioctl) => [ioctl.file.inode, NONE],
            Self::CopyFileRange(copy) => [copy.file_in.inode, copy.file_out.inode],
            Self::Readdir { dir, .. } | Self::Releasedir { dir } | Self::Fsyncdir { dir, .. } => {
                [dir.inode, NONE]
            }
        }
    }
}

/// They are moved for each request, and memory that was not used for the last one is not in the cache any
/// more.
const _: () = assert!(size_of::<Operation>() <= 72, "box what is large");
const _: () = assert!(size_of::<Message>() <= 48, "box what is large");
