//! Locks on files.

/// What a lock lets others do, or that there shall be none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LockType {
    /// Others may have locks of this type, too.
    #[doc(alias = "F_RDLCK")]
    #[doc(alias = "LOCK_SH")]
    Shared,
    /// Others may have none.
    #[doc(alias = "F_WRLCK")]
    #[doc(alias = "LOCK_EX")]
    Exclusive,
    /// Gives a lock back.
    #[doc(alias = "F_UNLCK")]
    #[doc(alias = "LOCK_UN")]
    Unlock,
}

/// A POSIX lock on a range of a file: that of [`Operations::getlk`](crate::Operations::getlk) and
/// [`Operations::setlk`](crate::Operations::setlk).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(alias = "flock")]
pub struct FileLock {
    /// What it lets others do.
    pub lock_type: LockType,
    /// The first byte of the range.
    pub start: u64,
    /// The length of the range; 0 for all that follows, however long the file gets.
    pub len: u64,
    /// The process that asks for the lock, or has it; 0 if it cannot be seen from where the file
    /// system was mounted (another PID namespace). For information only: who is who is told by
    /// [`FileRef::lock_owner`](crate::FileRef::lock_owner).
    pub pid: u32,
}

impl FileLock {
    /// Whether two ranges have a byte in common.
    ///
    /// ```
    /// use libfuse3::{FileLock, LockType};
    ///
    /// let lock = |start, len| FileLock { lock_type: LockType::Shared, start, len, pid: 0 };
    /// assert!(lock(0, 10).overlaps(&lock(9, 1)));
    /// assert!(!lock(0, 10).overlaps(&lock(10, 0)));
    /// assert!(lock(20, 1).overlaps(&lock(10, 0)));
    /// ```
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.start <= other.last() && other.start <= self.last()
    }

    /// The last byte of the range.
    fn last(&self) -> u64 {
        match self.len {
            0 => u64::MAX,
            len => self.start.saturating_add(len - 1),
        }
    }
}
