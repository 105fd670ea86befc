//! Attributes and entries.
//!
//! libfuse would make them of a `struct stat`, and timeouts of floating-point numbers of seconds, which are
//! not exact, and have it take the longest of all for none.

use std::time::Duration;

use super::words::Word;
use super::words::Words;
use super::words::pair;
use super::words::word;
use crate::EntryAttributes;
use crate::Inode;

/// `struct fuse_attr`, in words.
const ATTR: usize = 11;
/// `struct fuse_attr_out`: how long they are valid, and the attributes.
const ATTR_OUT: usize = 2 + ATTR;
/// `struct fuse_entry_out`: node id, generation, how long name and attributes are valid, the attributes.
pub(super) const ENTRY_OUT: usize = 5 + ATTR;

/// The answer to `getattr` and `setattr`.
#[inline]
pub(crate) fn attr_out(attributes: &EntryAttributes) -> Words<ATTR_OUT> {
    let (secs, nanos) = split(attributes.attr_timeout);
    let mut out = [[0; 8]; ATTR_OUT];
    let (valid, attr) = out.split_at_mut(ATTR_OUT - ATTR);
    valid.copy_from_slice(&[word(secs), pair(nanos, 0)]);
    attr.copy_from_slice(&attr_of(attributes, stat_ino(attributes)));
    Words(out)
}

/// The answer to `lookup` and to what makes an inode or another name for one.
#[inline]
pub(crate) fn entry_out(attributes: &EntryAttributes) -> Words<ENTRY_OUT> {
    Words(entry_of(attributes, stat_ino(attributes)))
}

/// What `stat` shows as the number of the inode.
#[inline]
fn stat_ino(attributes: &EntryAttributes) -> u64 {
    attributes.stat_ino.unwrap_or(attributes.ino.raw())
}

#[inline]
pub(super) fn entry_of(attributes: &EntryAttributes, stat_ino: u64) -> [Word; ENTRY_OUT] {
    let Inode(node) = attributes.ino;
    let (entry_secs, entry_nanos) = split(attributes.entry_timeout);
    let (attr_secs, attr_nanos) = split(attributes.attr_timeout);
    let mut out = [[0; 8]; ENTRY_OUT];
    let (head, attr) = out.split_at_mut(ENTRY_OUT - ATTR);
    head.copy_from_slice(&[
        word(node),
        word(attributes.generation),
        word(entry_secs),
        word(attr_secs),
        pair(entry_nanos, attr_nanos),
    ]);
    attr.copy_from_slice(&attr_of(attributes, stat_ino));
    out
}

#[inline]
fn attr_of(attributes: &EntryAttributes, stat_ino: u64) -> [Word; ATTR] {
    let EntryAttributes {
        mode,
        nlink,
        uid,
        gid,
        rdev,
        size,
        blksize,
        blocks,
        atime,
        mtime,
        ctime,
        ..
    } = *attributes;
    // The kernel answers EIO for what does not fit `off_t`.
    let size = size.min(i64::MAX.cast_unsigned());
    // Of `dev_t` it takes the lower half, which the C library fills as the kernel does.
    let rdev = rdev as u32;
    [
        word(stat_ino),
        word(size),
        word(blocks),
        word(atime.secs().cast_unsigned()),
        word(mtime.secs().cast_unsigned()),
        word(ctime.secs().cast_unsigned()),
        pair(atime.subsec_nanos(), mtime.subsec_nanos()),
        pair(ctime.subsec_nanos(), mode),
        pair(nlink, uid),
        pair(gid, rdev),
        // And flags, such as FUSE_ATTR_DAX.
        pair(blksize, 0),
    ]
}

/// The kernel takes any number of seconds, and the largest for as long as it can count.
#[inline]
fn split(timeout: Duration) -> (u64, u32) {
    (timeout.as_secs(), timeout.subsec_nanos())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_exact() {
        let attributes = EntryAttributes {
            entry_timeout: Duration::from_nanos(1),
            attr_timeout: Duration::MAX,
            ..EntryAttributes::default()
        };
        let out = entry_out(&attributes);
        assert_eq!(out.0[2..4], [word(0), word(u64::MAX)]);
        assert_eq!(out.0[4], pair(1, 999_999_999));
        let out = attr_out(&attributes);
        assert_eq!(out.0[..2], [word(u64::MAX), pair(999_999_999, 0)]);
    }
}
