//! The directory tree that all servers of the benchmark serve.
//!
//! ```text
//! /zero           1 TiB of zeros; what is written is dropped
//! /slow           the same, but each read takes a second
//! /many/          entry-000000 to entry-099999
//! /new-0 .. 63    there once created, gone once unlinked
//! ```
//!
//! Nothing is cached: all timeouts are 0, and files are opened with `direct_io`. `null.c` and
//! `null.py` say the same in their languages: keep them in step.

use std::fs::File;
use std::sync::LazyLock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use memmap2::Mmap;

pub const ROOT: u64 = 1;
pub const ZERO: u64 = 2;
pub const SLOW: u64 = 3;
pub const MANY: u64 = 4;
/// The inode of `new-0`; the others follow.
pub const FIRST_NEW: u64 = 100;
pub const NEW_COUNT: u64 = 64;
/// The inode of `entry-000000`; the others follow.
pub const FIRST_ENTRY: u64 = 1_000_000;
pub const ENTRY_COUNT: u64 = 100_000;

pub const FILE_SIZE: u64 = 1 << 40;
/// Largest read and write.
pub const MAX_IO: usize = 1 << 20;
/// How long a read of `slow` takes.
pub const SLOW_READ: std::time::Duration = std::time::Duration::from_secs(1);

/// What all reads return: the memory of the file that `BENCH_ZEROS` names, so that all servers read the same memory. How fast
/// it is copied depends on where it lies, by up to a tenth.
pub static ZEROS: LazyLock<&[u8]> = LazyLock::new(|| {
    std::env::var_os("BENCH_ZEROS")
        .and_then(|path| File::open(path).ok())
        // SAFETY: nobody changes the file while servers run.
        .and_then(|file| unsafe { Mmap::map(&file) }.ok())
        .filter(|zeros| zeros.len() == MAX_IO)
        .map_or(&[0; MAX_IO], |zeros| &Box::leak(Box::new(zeros))[..])
});

const S_IFDIR: u32 = 0o040_000;
const S_IFREG: u32 = 0o100_000;

/// Attributes as far as they differ between inodes. All else is zero.
#[derive(Clone, Copy, Debug)]
pub struct Attr {
    pub ino: u64,
    /// Type and permissions.
    pub mode: u32,
    pub nlink: u32,
    pub size: u64,
}

impl Attr {
    pub fn is_dir(&self) -> bool {
        self.mode & S_IFDIR != 0
    }

    /// The permissions alone.
    pub fn perm(&self) -> u16 {
        (self.mode & 0o7777) as u16
    }
}

/// The attributes of an inode, whether or not it has a name now.
pub fn attr(ino: u64) -> Option<Attr> {
    let (mode, nlink, size) = match ino {
        ROOT | MANY => (S_IFDIR | 0o755, 2, 0),
        ZERO | SLOW => (S_IFREG | 0o644, 1, FILE_SIZE),
        _ if is_new(ino) || is_entry(ino) => (S_IFREG | 0o644, 1, 0),
        _ => return None,
    };
    Some(Attr {
        ino,
        mode,
        nlink,
        size,
    })
}

fn is_new(ino: u64) -> bool {
    (FIRST_NEW..FIRST_NEW + NEW_COUNT).contains(&ino)
}

fn is_entry(ino: u64) -> bool {
    (FIRST_ENTRY..FIRST_ENTRY + ENTRY_COUNT).contains(&ino)
}

const ENTRY_PREFIX: &[u8; 6] = b"entry-";

/// `entry-` and six digits.
pub type EntryName = [u8; 12];

fn entry_name(mut index: u64) -> EntryName {
    let mut name = *b"entry-000000";
    for digit in name[ENTRY_PREFIX.len()..].iter_mut().rev() {
        *digit = b'0' + (index % 10) as u8;
        index /= 10;
    }
    name
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The name of a directory entry.
pub enum Name {
    Fixed(&'static str),
    Entry(EntryName),
}

impl Name {
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Fixed(name) => name.as_bytes(),
            Self::Entry(name) => name,
        }
    }
}

/// Entry number `index` of a directory; `None` behind the last one.
pub fn entry(dir: u64, index: u64) -> Option<(u64, Name)> {
    match dir {
        ROOT => [(ZERO, "zero"), (SLOW, "slow"), (MANY, "many")]
            .get(usize::try_from(index).ok()?)
            .map(|(ino, name)| (*ino, Name::Fixed(name))),
        MANY if index < ENTRY_COUNT => Some((FIRST_ENTRY + index, Name::Entry(entry_name(index)))),
        _ => None,
    }
}

/// What changes in the tree: which of the `new-` files are there.
#[derive(Debug, Default)]
pub struct Tree {
    /// A bit for each.
    new: AtomicU64,
}

impl Tree {
    /// The inode of a name.
    pub fn lookup(&self, parent: u64, name: &[u8]) -> Option<u64> {
        match (parent, name) {
            (ROOT, b"zero") => Some(ZERO),
            (ROOT, b"slow") => Some(SLOW),
            (ROOT, b"many") => Some(MANY),
            (ROOT, _) => {
                let bit = new_bit(name)?;
                let there = self.new.load(Ordering::Relaxed) & (1 << bit) != 0;
                there.then_some(FIRST_NEW + bit)
            }
            (MANY, _) => {
                let index = number(name.strip_prefix(ENTRY_PREFIX)?)?;
                (index < ENTRY_COUNT).then_some(FIRST_ENTRY + index)
            }
            _ => None,
        }
    }

    /// Creates a file, if it may have this name; its inode.
    pub fn create(&self, parent: u64, name: &[u8]) -> Option<u64> {
        let bit = new_bit(name).filter(|_| parent == ROOT)?;
        self.new.fetch_or(1 << bit, Ordering::Relaxed);
        Some(FIRST_NEW + bit)
    }

    /// Removes a file, if it is there. Whether it was.
    pub fn unlink(&self, parent: u64, name: &[u8]) -> bool {
        let Some(bit) = new_bit(name).filter(|_| parent == ROOT) else {
            return false;
        };
        self.new.fetch_and(!(1 << bit), Ordering::Relaxed) & (1 << bit) != 0
    }
}

fn new_bit(name: &[u8]) -> Option<u64> {
    number(name.strip_prefix(b"new-")?).filter(|number| *number < NEW_COUNT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_the_inodes_of_their_entries() {
        let tree = Tree::default();
        for dir in [ROOT, MANY] {
            let entries: Vec<_> = (0..).map_while(|index| entry(dir, index)).collect();
            assert!(entries.len() == 3 || entries.len() as u64 == ENTRY_COUNT);
            for (ino, name) in entries {
                assert_eq!(tree.lookup(dir, name.as_bytes()), Some(ino));
                assert_eq!(attr(ino).map(|attr| attr.ino), Some(ino));
            }
        }
    }

    #[test]
    fn new_files_come_and_go() {
        let tree = Tree::default();
        assert_eq!(tree.lookup(ROOT, b"new-63"), None);
        assert_eq!(tree.create(ROOT, b"new-63"), Some(163));
        assert_eq!(tree.lookup(ROOT, b"new-63"), Some(163));
        assert!(tree.unlink(ROOT, b"new-63") && !tree.unlink(ROOT, b"new-63"));
        assert_eq!(tree.create(ROOT, b"new-64"), None);
        assert_eq!(tree.create(MANY, b"new-1"), None);
    }
}
