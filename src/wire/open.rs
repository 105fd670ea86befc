//! What opening a file answers.

use super::attr::ENTRY_OUT;
use super::attr::entry_out;
use super::words::Words;
use super::words::pair;
use super::words::word;
use crate::BackingId;
use crate::EntryAttributes;
use crate::FileInfo;

/// `struct fuse_open_out`, in words: the handle, flags, and the file that the kernel uses in its place.
const OPEN_OUT: usize = 2;

// FOPEN_*
const DIRECT_IO: u32 = 1 << 0;
const KEEP_CACHE: u32 = 1 << 1;
const NONSEEKABLE: u32 = 1 << 2;
const CACHE_DIR: u32 = 1 << 3;
const NOFLUSH: u32 = 1 << 5;
const PARALLEL_DIRECT_WRITES: u32 = 1 << 6;
const PASSTHROUGH: u32 = 1 << 7;

/// The answer to `open` and `opendir`.
#[inline]
pub(crate) fn open_out(info: &FileInfo) -> Words<OPEN_OUT> {
    let flag = |is_set: bool, flag: u32| if is_set { flag } else { 0 };
    // The kernel takes it for a mistake to say something about a cache that it does not have.
    let is_cached = info.backing_id.is_none();
    // And a libfuse that does not know a flag leaves it out.
    let knows_noflush = cfg!(libfuse_since = "3.11");
    let knows_parallel = cfg!(libfuse_since = "3.14.1");
    let flags = flag(info.direct_io, DIRECT_IO)
        | flag(info.keep_cache && is_cached, KEEP_CACHE)
        | flag(info.nonseekable && is_cached, NONSEEKABLE)
        | flag(info.cache_readdir && is_cached, CACHE_DIR)
        | flag(info.noflush && knows_noflush, NOFLUSH)
        | flag(
            info.parallel_direct_writes && knows_parallel,
            PARALLEL_DIRECT_WRITES,
        )
        | flag(!is_cached, PASSTHROUGH);
    let backing_id = info.backing_id.map_or(0, BackingId::raw);
    Words([word(info.fh.raw()), pair(flags, backing_id.cast_unsigned())])
}

/// The answer to `create` and `tmpfile`: `struct fuse_entry_out` and `struct fuse_open_out`.
#[inline]
pub(crate) fn create_out(
    info: &FileInfo,
    attributes: &EntryAttributes,
) -> Words<{ ENTRY_OUT + OPEN_OUT }> {
    let mut out = [[0; 8]; ENTRY_OUT + OPEN_OUT];
    let (entry, open) = out.split_at_mut(ENTRY_OUT);
    entry.copy_from_slice(&entry_out(attributes).0);
    open.copy_from_slice(&open_out(info).0);
    Words(out)
}
