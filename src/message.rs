//! [3] A request as it travels from a C callback to its handler: everything in it is owned.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use smallvec::SmallVec;

use crate::AccessFlags;
use crate::FileRef;
use crate::Forget;
use crate::Inode;
use crate::OpenFlags;
use crate::ReleaseFlags;
use crate::RenameFlags;
use crate::SetattrFields;
use crate::WriteBuf;
use crate::XattrFlags;
use crate::request::Request;

/// A name, without an allocation if it is of a usual length.
#[derive(Clone, Debug)]
pub(crate) struct Name(SmallVec<[u8; 48]>);

impl Name {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self(SmallVec::from_slice(bytes))
    }

    pub(crate) fn as_os_str(&self) -> &OsStr {
        OsStr::from_bytes(&self.0)
    }
}

/// The inodes of one `FORGET` or `BATCH_FORGET`; most often one.
pub(crate) type ForgetList = SmallVec<[Forget; 1]>;

/// What a request asks for. The variants are those of `fuse_lowlevel_ops`, in groups.
#[derive(Debug)]
pub(crate) enum Operation {
    // inode
    Getattr {
        inode: Inode,
        file: Option<FileRef>,
    },
    Setattr {
        inode: Inode,
        fields: SetattrFields,
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
        name: Name,
        new_parent: Inode,
        new_name: Name,
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
    // xattr
    Setxattr {
        inode: Inode,
        name: Name,
        value: Vec<u8>,
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

/// What a callback sends.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "almost all are requests, and stay out of the heap"
)]
pub(crate) enum Message {
    /// Wants an answer.
    Request(Request, Operation),
    /// Wants none.
    Forget(ForgetList),
}

impl Operation {
    /// The operation in libfuse's spelling.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Getattr { .. } => "getattr",
            Self::Setattr { .. } => "setattr",
            Self::Readlink { .. } => "readlink",
            Self::Access { .. } => "access",
            Self::Lookup { .. } => "lookup",
            Self::Mknod { .. } => "mknod",
            Self::Mkdir { .. } => "mkdir",
            Self::Unlink { .. } => "unlink",
            Self::Rmdir { .. } => "rmdir",
            Self::Symlink { .. } => "symlink",
            Self::Rename { .. } => "rename",
            Self::Link { .. } => "link",
            Self::Open { .. } => "open",
            Self::Create { .. } => "create",
            Self::Read { .. } => "read",
            Self::Write { .. } => "write",
            Self::Flush { .. } => "flush",
            Self::Release { .. } => "release",
            Self::Fsync { .. } => "fsync",
            Self::Opendir { .. } => "opendir",
            Self::Readdir { plus: true, .. } => "readdirplus",
            Self::Readdir { .. } => "readdir",
            Self::Releasedir { .. } => "releasedir",
            Self::Fsyncdir { .. } => "fsyncdir",
            Self::Statfs { .. } => "statfs",
            Self::Setxattr { .. } => "setxattr",
            Self::Getxattr { .. } => "getxattr",
            Self::Listxattr { .. } => "listxattr",
            Self::Removexattr { .. } => "removexattr",
        }
    }

    /// The inodes that the kernel may hold locks of while it waits for the answer: the first is the
    /// one that the request is about.
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
            | Self::Create { parent, .. } => [*parent, NONE],
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
            | Self::Fsync { file, .. } => [file.inode, NONE],
            Self::Readdir { dir, .. } | Self::Releasedir { dir } | Self::Fsyncdir { dir, .. } => {
                [dir.inode, NONE]
            }
        }
    }

    /// Whether the kernel never asks again after `ENOSYS` (`fc->no_*` in fs/fuse). Of `rename` that
    /// holds for calls with flags.
    pub(crate) fn enosys_is_final(&self) -> bool {
        match self {
            Self::Access { .. }
            | Self::Link { .. }
            | Self::Open { .. }
            | Self::Create { .. }
            | Self::Flush { .. }
            | Self::Fsync { .. }
            | Self::Opendir { .. }
            | Self::Fsyncdir { .. }
            | Self::Setxattr { .. }
            | Self::Getxattr { .. }
            | Self::Listxattr { .. }
            | Self::Removexattr { .. } => true,
            Self::Rename { flags, .. } => !flags.is_empty(),
            _ => false,
        }
    }
}
