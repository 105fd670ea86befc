//! The answer to `readdir`, filled entry by entry.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;

use super::Reply;
use super::refuse;
use crate::EntryAttributes;
use crate::Forget;
use crate::Inode;
use crate::Result;
use crate::raw::RawRequest;
use crate::request::RequestInfo;
use crate::wire::Dirents;

/// Longest name that the kernel takes (`FUSE_NAME_MAX`), in bytes.
const NAME_MAX: usize = 1024;

/// Where [`readdir`](crate::Operations::readdir) puts the entries of a directory.
///
/// ```
/// use libfuse3::{EntryAttributes, Inode, ReaddirToken};
///
/// let mut reply = ReaddirToken::detached(4096);
/// let attr = EntryAttributes { ino: Inode(2), ..Default::default() };
/// let names = ["a", "b", "c"];
/// for (name, next_id) in names.iter().zip(1..) {
///     if !reply.add(name.as_ref(), &attr, next_id) {
///         break; // The buffer is full: the kernel will ask again from there.
///     }
/// }
/// ```
pub struct ReaddirToken {
    dirents: Dirents,
    full: bool,
    mistake: Option<&'static str>,
    /// Lookup counts of entries that are sent without attributes, where the bytes do not show them.
    uncounted: Vec<Forget>,
}

impl ReaddirToken {
    pub(crate) fn new(size: usize, plus: bool) -> Self {
        Self {
            dirents: Dirents::new(size, plus),
            full: false,
            mistake: None,
            uncounted: Vec::new(),
        }
    }

    /// A buffer of `size` bytes without a request behind it, for tests that call handlers
    /// themselves.
    #[must_use]
    pub fn detached(size: usize) -> Self {
        Self::new(size, true)
    }

    /// Adds an entry. `next_id` is the `start_id` from which the listing goes on behind it; never
    /// 0.
    ///
    /// Returns `true` if there was room for the entry: its lookup count grows by one, unless it is
    /// `.` or `..`. After the first `false` there is room for no other entry either, however short,
    /// so that none is left out. An entry with inode 0 is a name without attributes, which the
    /// kernel looks up when it needs to; its lookup count does not grow.
    ///
    /// A name that is empty, longer than 1024 bytes, or has a slash or a NUL in it, and a `next_id`
    /// of 0, are mistakes: the caller of `readdir` gets `EIO`, and a log line names the mistake.
    #[doc(alias = "fuse_add_direntry_plus")]
    #[doc(alias = "fuse_add_direntry")]
    #[doc(alias = "readdir_reply")]
    #[must_use = "after `false` the entry must be left for the next call"]
    pub fn add(&mut self, name: &OsStr, attr: &EntryAttributes, next_id: u64) -> bool {
        let name = name.as_bytes();
        self.mistake = self.mistake.or(match name {
            [] => Some("an entry without a name"),
            _ if name.len() > NAME_MAX => Some("an entry with too long a name"),
            _ if contains(name, b'/') => Some("an entry with a slash in its name"),
            _ if contains(name, 0) => Some("an entry with a NUL in its name"),
            _ if next_id == 0 => Some("an entry with 0 for what follows it"),
            _ => None,
        });
        if self.mistake.is_some() {
            self.full = true;
        }
        self.full = self.full || !self.dirents.add(name, attr, next_id);
        let is_child = attr.ino != Inode(0) && name != b"." && name != b"..";
        if !self.full && !self.dirents.is_plus() && is_child {
            self.uncounted.push(Forget {
                inode: attr.ino,
                nlookup: 1,
            });
        }
        !self.full
    }

    /// Whether the kernel takes attributes along with names. If not, the attributes given to
    /// [`add`](Self::add) need no more than `ino` and the file type in `mode`.
    #[must_use]
    pub fn wants_attributes(&self) -> bool {
        self.dirents.is_plus()
    }

    /// What the handler has counted and the kernel has not, if the answer was `sent` or not.
    pub(crate) fn take_back(&self, sent: bool) -> Vec<Forget> {
        match (self.dirents.is_plus(), sent) {
            (true, true) => Vec::new(),
            (true, false) => self.dirents.lookups(),
            (false, _) => self.uncounted.clone(),
        }
    }
}

/// Whether a name, which is short, has this byte in it: by words, which is most of the work for an entry
/// otherwise.
#[inline]
fn contains(name: &[u8], byte: u8) -> bool {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGHEST: u64 = ONES << 7;
    let words = name.chunks_exact(8);
    let rest = words.remainder().contains(&byte);
    let words = words.filter_map(|word| Some(u64::from_ne_bytes(*word.first_chunk()?)));
    // A byte that is 0 borrows from its highest bit.
    let differences = words.map(|word| word ^ (ONES * u64::from(byte)));
    differences.fold(rest, |found, word| {
        found | (word.wrapping_sub(ONES) & !word & HIGHEST != 0)
    })
}

impl fmt::Debug for ReaddirToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReaddirToken({} bytes)", self.dirents.bytes().len())
    }
}

impl Reply for &ReaddirToken {
    #[inline]
    fn send(&mut self, request: RawRequest, info: &RequestInfo) -> Result<()> {
        match self.mistake {
            Some(mistake) => refuse(request, info, mistake),
            None => request.reply_buf(self.dirents.bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_is_found_wherever_it_is() {
        for len in 0..40 {
            for (byte, other) in [(0, 1), (0, 0x80), (b'/', b'.'), (b'/', 0xaf), (0, 0xff)] {
                let mut name = vec![other; len];
                assert!(!contains(&name, byte), "{byte} in {name:?}");
                for index in 0..len {
                    name[index] = byte;
                    assert!(contains(&name, byte), "{byte} in {name:?}");
                    name[index] = other;
                }
            }
        }
    }
}
