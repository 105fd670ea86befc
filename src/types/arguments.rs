//! Arguments of operations that come together.

use std::ffi::OsStr;

use super::FileRef;
use super::Inode;
use super::RenameFlags;

/// How often the kernel has been told of an inode, and now forgets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(alias = "fuse_forget_data")]
pub struct Forget {
    /// The inode.
    pub inode: Inode,
    /// By how much its lookup count falls.
    pub nlookup: u64,
}

/// The arguments of [`Operations::rename`](crate::Operations::rename).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rename<'a> {
    /// The directory that the entry is in.
    pub parent: Inode,
    /// The name of the entry.
    pub name: &'a OsStr,
    /// The directory that it goes to.
    pub new_parent: Inode,
    /// The name that it gets.
    pub new_name: &'a OsStr,
    /// What to do about an entry in the way.
    pub flags: RenameFlags,
}

/// The arguments of [`Operations::copy_file_range`](crate::Operations::copy_file_range).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyFileRange {
    /// The file to copy from.
    pub file_in: FileRef,
    /// Where to begin in it.
    pub offset_in: u64,
    /// The file to copy to, perhaps the same one.
    pub file_out: FileRef,
    /// Where to begin in that.
    pub offset_out: u64,
    /// How many bytes to copy.
    pub len: usize,
    /// The flags of `copy_file_range(2)`, of which Linux has none yet.
    pub flags: u32,
}

/// What [`Operations::lseek`](crate::Operations::lseek) looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "whence")]
pub enum SeekTarget {
    /// The next byte that is not in a hole.
    #[doc(alias = "SEEK_DATA")]
    Data,
    /// The next byte that is in a hole. There is always one: that behind the end of the file.
    #[doc(alias = "SEEK_HOLE")]
    Hole,
}
