//! Directory entries in the form that the kernel reads.

use std::ffi::CStr;
use std::ptr;

use libfuse_sys as sys;

use super::request::entry_param;
use crate::EntryAttributes;
use crate::Forget;
use crate::Inode;

/// A buffer of directory entries, no larger than the kernel has asked for.
pub(crate) struct Dirents {
    bytes: Vec<u8>,
    used: usize,
    plus: bool,
}

/// What libfuse, too, says of an inode number that it does not know (`FUSE_UNKNOWN_INO`).
const UNKNOWN_INO: u64 = 0xffff_ffff;

/// Longest name that the kernel takes, and one byte for the NUL.
const NAME_SPACE: usize = 1024 + 1;

impl Dirents {
    /// A buffer for at most `size` bytes; with `plus`, of entries with attributes.
    pub(crate) fn new(size: usize, plus: bool) -> Self {
        Self {
            bytes: vec![0; size],
            used: 0,
            plus,
        }
    }

    pub(crate) fn is_plus(&self) -> bool {
        self.plus
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.used]
    }

    /// Adds an entry; `false` if there is no room for it. `name` has at most 1024 bytes and no NUL.
    pub(crate) fn add(&mut self, name: &[u8], attr: &EntryAttributes, next_id: u64) -> bool {
        let mut space = [0_u8; NAME_SPACE];
        let Some(with_nul) = space.get_mut(..=name.len()) else {
            return false;
        };
        with_nul[..name.len()].copy_from_slice(name);
        let Ok(name) = CStr::from_bytes_with_nul(with_nul) else {
            return false;
        };
        let mut entry = entry_param(attr);
        if attr.ino == Inode(0) {
            // 0 as `d_ino` marks a removed entry, which the C library leaves out.
            entry.attr.st_ino = attr.stat_ino.unwrap_or(UNKNOWN_INO);
        }
        let free = &mut self.bytes[self.used..];
        let needed = if self.plus {
            // SAFETY: libfuse writes no more than `free.len()` bytes, and nothing if that is too
            // little. It does not use the request.
            unsafe {
                sys::fuse_add_direntry_plus(
                    ptr::null_mut(),
                    free.as_mut_ptr().cast(),
                    free.len(),
                    name.as_ptr(),
                    &entry,
                    next_id.cast_signed(),
                )
            }
        } else {
            // SAFETY: as above.
            unsafe {
                sys::fuse_add_direntry(
                    ptr::null_mut(),
                    free.as_mut_ptr().cast(),
                    free.len(),
                    name.as_ptr(),
                    &entry.attr,
                    next_id.cast_signed(),
                )
            }
        };
        let fits = needed <= free.len();
        if fits {
            self.used += needed;
        }
        fits
    }

    /// The lookup counts that these entries stand for if they are sent with attributes.
    pub(crate) fn lookups(&self) -> Vec<Forget> {
        // struct fuse_direntplus: a fuse_entry_out of 128 bytes, which begins with the node id,
        // then a fuse_dirent: ino, off, namelen, type, name, padded to 8 bytes (linux/fuse.h).
        const ENTRY_OUT: usize = 128;
        const DIRENT: usize = 24;
        const NAME_LEN: usize = ENTRY_OUT + 16;
        let mut lookups = Vec::new();
        let mut rest = if self.plus { self.bytes() } else { &[] };
        while let (Some(nodeid), Some(name_len)) = (
            rest.first_chunk(),
            rest.get(NAME_LEN..).and_then(<[u8]>::first_chunk),
        ) {
            let inode = Inode(u64::from_ne_bytes(*nodeid));
            let name_len = u32::from_ne_bytes(*name_len) as usize;
            let name = rest
                .get(ENTRY_OUT + DIRENT..)
                .and_then(|rest| rest.get(..name_len));
            let name = name.unwrap_or_default();
            if inode != Inode(0) && name != b"." && name != b".." {
                lookups.push(Forget { inode, nlookup: 1 });
            }
            let len = ENTRY_OUT + (DIRENT + name_len).next_multiple_of(8);
            rest = rest.get(len..).unwrap_or_default();
        }
        lookups
    }
}
