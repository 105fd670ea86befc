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

/// How many bytes of a bad name the log line has.
const SHOWN: usize = 256;

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
    mistake: Option<String>,
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
    /// of 0, are mistakes: the caller of `readdir` gets `EIO`, and a log line names the entry and
    /// the mistake.
    #[doc(alias = "fuse_add_direntry_plus")]
    #[doc(alias = "fuse_add_direntry")]
    #[doc(alias = "readdir_reply")]
    #[must_use = "after `false` the entry must be left for the next call"]
    pub fn add(&mut self, name: &OsStr, attr: &EntryAttributes, next_id: u64) -> bool {
        let name = name.as_bytes();
        let is_well_formed = matches!(name.len(), 1..=NAME_MAX) && !has_slash_or_nul(name);
        if !is_well_formed || next_id == 0 {
            self.refuse(name);
        }
        self.full = self.full || !self.dirents.add(name, attr, next_id);
        if !self.full && !self.dirents.is_plus() {
            self.count(name, attr.ino);
        }
        !self.full
    }

    /// Takes no more entries, since this one is a mistake.
    #[cold]
    fn refuse(&mut self, name: &[u8]) {
        self.full = true;
        let mistake = match name {
            [] => "empty name",
            _ if name.len() > NAME_MAX => "name longer than 1024 bytes",
            _ if name.contains(&b'/') => "slash in the name",
            _ if name.contains(&0) => "NUL in the name",
            _ => "next_id is 0",
        };
        self.mistake.get_or_insert_with(|| {
            let shown = &name[..name.len().min(SHOWN)];
            let more = if name.len() > SHOWN { "..." } else { "" };
            format!("entry \"{}{more}\": {mistake}", shown.escape_ascii())
        });
    }

    /// Counts an entry that is sent without attributes.
    fn count(&mut self, name: &[u8], inode: Inode) {
        if inode != Inode(0) && name != b"." && name != b".." {
            self.uncounted.push(Forget { inode, nlookup: 1 });
        }
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

/// By words: byte after byte it is most of the work for an entry.
#[inline]
fn has_slash_or_nul(name: &[u8]) -> bool {
    const SLASHES: u64 = u64::from_ne_bytes([b'/'; 8]);
    /// A byte that is 0 borrows from its highest bit, which it did not have.
    fn has_zero(word: u64) -> bool {
        const ONES: u64 = u64::from_ne_bytes([1; 8]);
        const HIGHEST: u64 = u64::from_ne_bytes([0x80; 8]);
        word.wrapping_sub(ONES) & !word & HIGHEST != 0
    }
    let Some(last) = name.last_chunk() else {
        return name.iter().any(|byte| matches!(byte, 0 | b'/'));
    };
    // The last word may overlap with the one before.
    let words = name.chunks_exact(8).filter_map(<[u8]>::first_chunk);
    words.chain([last]).any(|word| {
        let word = u64::from_ne_bytes(*word);
        has_zero(word) || has_zero(word ^ SLASHES)
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
        match &self.mistake {
            Some(mistake) => refuse(request, info, mistake),
            None => request.reply_buf(self.dirents.bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_and_nuls_are_found_wherever_they_are() {
        for len in 0..40 {
            for other in [1, b'.', b'0', 0x7f, 0x80, 0xaf, 0xff] {
                let mut name = vec![other; len];
                assert!(!has_slash_or_nul(&name), "{name:?}");
                for index in 0..len {
                    for byte in [0, b'/'] {
                        name[index] = byte;
                        assert!(has_slash_or_nul(&name), "{name:?}");
                    }
                    name[index] = other;
                }
            }
        }
    }
}
