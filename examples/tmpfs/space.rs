//! How much the file system may hold, and how much it does.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use libfuse3::Errno;
use libfuse3::Result;
use libfuse3::StatvfsData;

use crate::contents::PAGE;

/// What is taken is given back by whoever dropped it: pages by `Contents`, the rest by `Node`.
pub(crate) struct Space {
    /// Pages of files, and extended attributes.
    bytes: Pool,
    /// Inodes, and names of files beyond their first: they cost memory just the same.
    inodes: Pool,
}

/// The numbers stand for themselves and guard nothing else, so that relaxed order is enough.
struct Pool {
    limit: u64,
    used: AtomicU64,
}

impl Space {
    /// Limits of 0 mean none, as for the kernel's tmpfs.
    pub(crate) fn new(bytes: u64, inodes: u64) -> Self {
        Self {
            bytes: Pool::new(bytes),
            inodes: Pool::new(inodes),
        }
    }

    pub(crate) fn take_bytes(&self, amount: u64) -> Result<()> {
        self.bytes.take(amount)
    }

    pub(crate) fn give_bytes(&self, amount: u64) {
        self.bytes.give(amount);
    }

    pub(crate) fn take_inode(&self) -> Result<()> {
        self.inodes.take(1)
    }

    pub(crate) fn give_inode(&self) {
        self.inodes.give(1);
    }

    /// For `df`. What has no limit is shown as zero.
    pub(crate) fn statvfs(&self) -> StatvfsData {
        let (bytes_free, inodes_free) = (self.bytes.free(), self.inodes.free());
        StatvfsData {
            bsize: PAGE as u32,
            frsize: PAGE as u32,
            blocks: self.bytes.limit / PAGE,
            bfree: bytes_free / PAGE,
            bavail: bytes_free / PAGE,
            files: self.inodes.limit,
            ffree: inodes_free,
            favail: inodes_free,
            ..StatvfsData::default()
        }
    }
}

impl Pool {
    fn new(limit: u64) -> Self {
        Self {
            limit,
            used: AtomicU64::new(0),
        }
    }

    fn take(&self, amount: u64) -> Result<()> {
        let fits = |sum: &u64| self.limit == 0 || *sum <= self.limit;
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(amount).filter(fits)
            })
            .map(drop)
            .map_err(|_| Errno::ENOSPC)
    }

    fn give(&self, amount: u64) {
        self.used.fetch_sub(amount, Ordering::Relaxed);
    }

    fn free(&self) -> u64 {
        self.limit.saturating_sub(self.used.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_refused_is_not_taken() {
        let space = Space::new(10 * PAGE, 1);
        assert_eq!(space.take_bytes(9 * PAGE), Ok(()));
        assert_eq!(space.take_bytes(2 * PAGE), Err(Errno::ENOSPC));
        assert_eq!(space.take_bytes(u64::MAX), Err(Errno::ENOSPC));
        assert_eq!(space.take_bytes(1), Ok(()));
        assert_eq!((space.statvfs().blocks, space.statvfs().bfree), (10, 0));
        space.give_bytes(9 * PAGE + 1);
        assert_eq!(space.statvfs().bavail, 10);
        assert_eq!(space.take_inode(), Ok(()));
        assert_eq!(space.take_inode(), Err(Errno::ENOSPC));
    }

    #[test]
    fn zero_is_no_limit() {
        let space = Space::new(0, 0);
        assert_eq!(space.take_bytes(1 << 60), Ok(()));
        assert_eq!(space.take_inode(), Ok(()));
        assert_eq!((space.statvfs().blocks, space.statvfs().ffree), (0, 0));
    }
}
