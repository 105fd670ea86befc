//! Lookup counts, as the kernel keeps them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use crate::EntryAttributes;
use crate::Errno;
use crate::Inode;
use crate::ROOT_INODE;

/// How often the mock kernel was given each inode. The root's count never matters, and is not kept.
#[derive(Debug, Default)]
pub(super) struct Counts(Mutex<BTreeMap<Inode, u64>>);

impl Counts {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Inode, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An entry has come, which may be one of nothing.
    pub(super) fn add(&self, entry: &EntryAttributes) {
        if ![Inode(0), ROOT_INODE].contains(&entry.ino) {
            *self.lock().entry(entry.ino).or_default() += 1;
        }
    }

    pub(super) fn subtract(&self, inode: Inode, nlookup: u64) {
        let mut counts = self.lock();
        if let Some(count) = counts.get_mut(&inode) {
            *count = count.saturating_sub(nlookup);
            if *count == 0 {
                counts.remove(&inode);
            }
        }
    }

    pub(super) fn get(&self, inode: Inode) -> u64 {
        self.lock().get(&inode).copied().unwrap_or(0)
    }

    pub(super) fn all(&self) -> Vec<(Inode, u64)> {
        self.lock()
            .iter()
            .map(|(inode, count)| (*inode, *count))
            .collect()
    }

    pub(super) fn compare(&self, theirs: impl IntoIterator<Item = (Inode, u64)>) -> LookupReport {
        let mut both: BTreeMap<Inode, (u64, u64)> = BTreeMap::new();
        for (inode, count) in self.all() {
            both.entry(inode).or_default().0 = count;
        }
        for (inode, count) in theirs {
            if inode != ROOT_INODE {
                both.entry(inode).or_default().1 = count;
            }
        }
        let differ = both
            .into_iter()
            .filter(|(_, (ours, theirs))| ours != theirs);
        let problems = differ.map(|(inode, (kernel, file_system))| LookupProblem::Differs {
            inode,
            kernel,
            file_system,
        });
        LookupReport {
            problems: problems.collect(),
        }
    }
}

/// Inodes whose lookup counts do not balance; from [`MockKernel::unmount`](super::MockKernel::unmount)
/// and [`MockKernel::compare_lookup_counts`](super::MockKernel::compare_lookup_counts).
///
/// [`Display`](fmt::Display) prints a line for each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct LookupReport {
    pub(super) problems: Vec<LookupProblem>,
}

impl LookupReport {
    /// Whether there is nothing to report.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        self.problems.is_empty()
    }

    /// What is wrong, in the order of the inodes.
    #[must_use]
    pub fn problems(&self) -> &[LookupProblem] {
        &self.problems
    }
}

impl fmt::Display for LookupReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} inodes do not balance", self.problems.len())?;
        for problem in &self.problems {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

/// What is wrong with the lookup count of an inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LookupProblem {
    /// The file system does not know the inode any more, though the kernel still refers to it. It has
    /// counted too little, or has forgotten too much.
    Lost {
        /// The inode.
        inode: Inode,
        /// How many references the kernel has.
        count: u64,
        /// What `getattr` was answered with.
        errno: Errno,
    },
    /// The file system still knows the inode, though it has neither names (`nlink` is 0) nor references
    /// of the kernel any more. It has counted too much, or does not look when it forgets.
    Kept {
        /// The inode.
        inode: Inode,
    },
    /// The file system says that it has counted otherwise than the kernel.
    Differs {
        /// The inode.
        inode: Inode,
        /// How many references the kernel has.
        kernel: u64,
        /// How many the file system has counted.
        file_system: u64,
    },
}

impl fmt::Display for LookupProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost {
                inode,
                count,
                errno,
            } => write!(
                f,
                "inode {inode} is lost: the kernel has {count} references to it, and getattr says: {errno}"
            ),
            Self::Kept { inode } => write!(
                f,
                "inode {inode} is kept: it has no names, the kernel has no references to it, and getattr \
                 still finds it"
            ),
            Self::Differs {
                inode,
                kernel,
                file_system,
            } => write!(
                f,
                "inode {inode}: the kernel has {kernel} references, the file system has counted {file_system}"
            ),
        }
    }
}
