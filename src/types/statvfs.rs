//! Numbers of a whole file system.

/// The answer to `statfs`.
///
/// All zero by default, but for the block sizes (512) and the length of names (255), which are what
/// libfuse answers for a file system without `statfs`.
///
/// ```
/// use libfuse3::StatvfsData;
///
/// let (blocks, bfree) = (100, 50);
/// let free = StatvfsData { bsize: 4096, frsize: 4096, blocks, bfree, ..Default::default() };
/// assert_eq!(free.namemax, 255);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(alias = "statvfs")]
pub struct StatvfsData {
    /// Preferred size of reads and writes, in bytes.
    pub bsize: u32,
    /// The unit of `blocks`, `bfree` and `bavail`, in bytes.
    pub frsize: u32,
    /// Size of the file system.
    pub blocks: u64,
    /// Free blocks.
    pub bfree: u64,
    /// Free blocks that users without privileges may take.
    pub bavail: u64,
    /// Number of inodes.
    pub files: u64,
    /// Free inodes.
    pub ffree: u64,
    /// Free inodes that users without privileges may take. Linux has no field for it on the wire:
    /// programs see `ffree`.
    pub favail: u64,
    /// Longest name, in bytes.
    pub namemax: u32,
}

impl Default for StatvfsData {
    fn default() -> Self {
        Self {
            bsize: 512,
            frsize: 512,
            blocks: 0,
            bfree: 0,
            bavail: 0,
            files: 0,
            ffree: 0,
            favail: 0,
            namemax: 255,
        }
    }
}

impl From<&libc::statvfs> for StatvfsData {
    #[allow(
        clippy::unnecessary_cast,
        reason = "the types in struct statvfs differ between architectures"
    )]
    fn from(stat: &libc::statvfs) -> Self {
        Self {
            bsize: u32::try_from(stat.f_bsize).unwrap_or(u32::MAX),
            frsize: u32::try_from(stat.f_frsize).unwrap_or(u32::MAX),
            blocks: stat.f_blocks as u64,
            bfree: stat.f_bfree as u64,
            bavail: stat.f_bavail as u64,
            files: stat.f_files as u64,
            ffree: stat.f_ffree as u64,
            favail: stat.f_favail as u64,
            namemax: u32::try_from(stat.f_namemax).unwrap_or(u32::MAX),
        }
    }
}
