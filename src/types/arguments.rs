//! The arguments of operations that have more than five.

use super::FileRef;

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
