//! Entries of a directory.

use super::attr::ENTRY_OUT;
use super::attr::entry_of;
use super::u32_at;
use super::u64_at;
use super::words::Words;
use super::words::pair;
use super::words::word;
use crate::EntryAttributes;
use crate::Forget;
use crate::Inode;

/// `struct fuse_dirent` in words, without the name behind it: the number that programs see, where to go on,
/// the length of the name, the type.
const DIRENT: usize = 3;
/// `struct fuse_direntplus`: the attributes come first.
const DIRENT_PLUS: usize = ENTRY_OUT + DIRENT;
/// Entries begin at multiples of this: of the size of a word.
const ALIGN: usize = 8;

/// What libfuse, too, says of an inode number that it does not know (`FUSE_UNKNOWN_INO`).
const UNKNOWN_INO: u64 = 0xffff_ffff;

/// Entries one after the other, no more than the kernel has asked for.
pub(crate) struct Dirents {
    bytes: Vec<u8>,
    size: usize,
    plus: bool,
}

impl Dirents {
    /// A buffer for at most `size` bytes; with `plus`, of entries with attributes.
    pub(crate) fn new(size: usize, plus: bool) -> Self {
        Self {
            // And a word more, for the zeros of the last entry to be a whole word at first.
            bytes: Vec::with_capacity(size.saturating_add(ALIGN)),
            size,
            plus,
        }
    }

    pub(crate) fn is_plus(&self) -> bool {
        self.plus
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Adds an entry; `false` if there is no room for it. `name` has at most 1024 bytes and no NUL.
    pub(crate) fn add(&mut self, name: &[u8], attr: &EntryAttributes, next_id: u64) -> bool {
        let known = match attr.ino {
            // 0 would mark a removed entry, which the C library leaves out.
            Inode(0) => UNKNOWN_INO,
            Inode(number) => number,
        };
        let ino = attr.stat_ino.unwrap_or(known);
        let file_type = attr.file_type() >> 12;
        let dirent = [word(ino), word(next_id), pair(name.len() as u32, file_type)];
        if !self.plus {
            return self.push(&Words(dirent), name);
        }
        let mut out = [[0; 8]; DIRENT_PLUS];
        let (entry, rest) = out.split_at_mut(ENTRY_OUT);
        entry.copy_from_slice(&entry_of(attr, ino));
        rest.copy_from_slice(&dirent);
        self.push(&Words(out), name)
    }

    /// Adds what stands before a name, the name, and zeros up to where the next one begins.
    #[inline]
    fn push<const COUNT: usize>(&mut self, head: &Words<COUNT>, name: &[u8]) -> bool {
        let end = self.bytes.len() + COUNT * ALIGN + name.len();
        let padded = end.next_multiple_of(ALIGN);
        if padded > self.size {
            return false;
        }
        self.bytes.extend_from_slice(head.as_bytes());
        self.bytes.extend_from_slice(name);
        self.bytes.extend_from_slice(&[0; ALIGN]);
        self.bytes.truncate(padded);
        true
    }

    /// The lookup counts that these entries stand for if they are sent with attributes.
    pub(crate) fn lookups(&self) -> Vec<Forget> {
        const NAME: usize = DIRENT_PLUS * ALIGN;
        const NAME_LEN: usize = NAME - 8;
        let mut lookups = Vec::new();
        let mut rest = if self.plus { self.bytes() } else { &[] };
        while let (Some(nodeid), Some(name_len)) = (u64_at(rest, 0), u32_at(rest, NAME_LEN)) {
            let end = NAME + name_len as usize;
            let name = rest.get(NAME..end).unwrap_or_default();
            let inode = Inode(nodeid);
            if inode != Inode(0) && name != b"." && name != b".." {
                lookups.push(Forget { inode, nlookup: 1 });
            }
            rest = rest.get(end.next_multiple_of(ALIGN)..).unwrap_or_default();
        }
        lookups
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lookups_are_those_of_entries_with_attributes() {
        let listed = |plus| {
            let mut dirents = Dirents::new(4096, plus);
            for (number, name) in [
                (1, "."),
                (1, ".."),
                (2, "a"),
                (0, "later"),
                (3, "long-name"),
            ] {
                let ino = Inode(number);
                let attr = EntryAttributes {
                    ino,
                    ..EntryAttributes::default()
                };
                assert!(dirents.add(name.as_bytes(), &attr, 1));
            }
            dirents.lookups()
        };
        let once = |inode| Forget { inode, nlookup: 1 };
        assert_eq!(listed(true), [once(Inode(2)), once(Inode(3))]);
        assert_eq!(listed(false), []);
    }

    #[test]
    fn memory_is_what_the_kernel_has_asked_for() {
        let mut dirents = Dirents::new(4096, false);
        let capacity = dirents.bytes.capacity();
        while dirents.add(b"name", &EntryAttributes::default(), 1) {}
        assert_eq!(dirents.bytes.len(), 4096);
        assert_eq!(dirents.bytes.capacity(), capacity);
    }
}
