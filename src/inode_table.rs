//! Lookup counts, kept.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use crate::Errno;
use crate::Forget;
use crate::Inode;
use crate::Result;

/// The inodes that the kernel knows of, with their lookup counts and what the file system keeps of
/// each.
///
/// Count and value live under one lock, so that a `forget` and a `lookup` of the same inode cannot
/// miss each other. An inode is found by its number (the kernel's side) or by a key (the file
/// system's side: device and inode number, a path, an object's name), if it has one. It stays while
/// its lookup count is above zero or it is [pinned](Self::pin).
///
/// Numbers start behind [`Inode::ROOT`] and are never used twice, so that `generation` can be the same
/// for all inodes of a mount.
///
/// ```
/// use libfuse3::Forget;
/// use libfuse3::Inode;
/// use libfuse3::InodeTable;
///
/// let table = InodeTable::new("", "root".to_owned());
/// // In lookup: one more reference of the kernel, to a new inode or a known one.
/// let (inode, _) = table.remember("a.txt", |_| "the file".to_owned());
/// assert_eq!(table.remember("a.txt", |_| unreachable!()).0, inode);
/// // In any method:
/// assert_eq!(*table.get(inode)?, "the file");
/// // In forget:
/// assert!(table.forget(&[Forget { inode, nlookup: 1 }]).is_empty());
/// let gone = table.forget(&[Forget { inode, nlookup: 1 }]);
/// assert_eq!(gone.len(), 1);
/// assert!(table.get(inode).is_err());
/// # Ok::<(), libfuse3::Errno>(())
/// ```
pub struct InodeTable<K, T> {
    state: Mutex<State<K, T>>,
}

struct State<K, T> {
    by_number: HashMap<Inode, Slot<K, T>>,
    by_key: HashMap<K, Inode>,
    next: u64,
}

struct Slot<K, T> {
    value: Arc<T>,
    /// `None` after [`InodeTable::insert`] or [`InodeTable::remove_key`].
    key: Option<K>,
    nlookup: u64,
    pins: u64,
}

impl<K: Clone + Eq + Hash, T> InodeTable<K, T> {
    /// A table that knows the root, which stays for ever.
    #[must_use]
    pub fn new(root_key: K, root: T) -> Self {
        let slot = Slot {
            value: Arc::new(root),
            key: Some(root_key.clone()),
            nlookup: 0,
            pins: 1,
        };
        Self {
            state: Mutex::new(State {
                by_number: HashMap::from([(Inode::ROOT, slot)]),
                by_key: HashMap::from([(root_key, Inode::ROOT)]),
                next: Inode::ROOT.raw() + 1,
            }),
        }
    }

    /// The inode's value. [`Errno::ESTALE`] if the number is not known, which the kernel does not
    /// let happen but for NFS.
    pub fn get(&self, inode: Inode) -> Result<Arc<T>> {
        let state = self.lock();
        state
            .by_number
            .get(&inode)
            .map(|slot| Arc::clone(&slot.value))
            .ok_or(Errno::ESTALE)
    }

    /// The inode with this key, without raising its lookup count.
    pub fn find<Q>(&self, key: &Q) -> Option<(Inode, Arc<T>)>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let state = self.lock();
        let inode = *state.by_key.get(key)?;
        state
            .by_number
            .get(&inode)
            .map(|slot| (inode, Arc::clone(&slot.value)))
    }

    /// Raises the lookup count of the inode with this key by one; makes the inode if there is none.
    ///
    /// `make` is given the number of the new inode. It runs under the table's lock: keep it short,
    /// and do not use the table in it.
    pub fn remember(&self, key: K, make: impl FnOnce(Inode) -> T) -> (Inode, Arc<T>) {
        let mut state = self.lock();
        if let Some(&inode) = state.by_key.get(&key)
            && let Some(slot) = state.by_number.get_mut(&inode)
        {
            slot.nlookup += 1;
            return (inode, Arc::clone(&slot.value));
        }
        let (inode, value) = state.insert(Some(key.clone()), make);
        state.by_key.insert(key, inode);
        (inode, value)
    }

    /// Makes an inode that has no key and is found by its number alone. Its lookup count is one.
    ///
    /// About `make` see [`remember`](Self::remember).
    pub fn insert(&self, make: impl FnOnce(Inode) -> T) -> (Inode, Arc<T>) {
        self.lock().insert(None, make)
    }

    /// Raises the lookup count of a known inode by one.
    pub fn reference(&self, inode: Inode) -> Result<Arc<T>> {
        let mut state = self.lock();
        let slot = state.by_number.get_mut(&inode).ok_or(Errno::ESTALE)?;
        slot.nlookup += 1;
        Ok(Arc::clone(&slot.value))
    }

    /// Keeps an inode in the table whatever its lookup count: because it has a name, or is open.
    /// Pins add up.
    pub fn pin(&self, inode: Inode) -> Result<Arc<T>> {
        let mut state = self.lock();
        let slot = state.by_number.get_mut(&inode).ok_or(Errno::ESTALE)?;
        slot.pins += 1;
        Ok(Arc::clone(&slot.value))
    }

    /// Takes one pin off. Returns the value if that was the last thing that kept it.
    pub fn unpin(&self, inode: Inode) -> Option<Arc<T>> {
        let mut state = self.lock();
        let slot = state.by_number.get_mut(&inode)?;
        slot.pins = slot.pins.saturating_sub(1);
        state.remove_if_unused(inode)
    }

    /// Lowers lookup counts, as [`Operations::forget`](crate::Operations::forget) is told to.
    /// Returns the inodes that are gone with it.
    pub fn forget(&self, inodes: &[Forget]) -> Vec<(Inode, Arc<T>)> {
        let mut state = self.lock();
        let mut gone = Vec::new();
        for forget in inodes {
            if let Some(slot) = state.by_number.get_mut(&forget.inode) {
                slot.nlookup = slot.nlookup.saturating_sub(forget.nlookup);
                gone.extend(
                    state
                        .remove_if_unused(forget.inode)
                        .map(|value| (forget.inode, value)),
                );
            }
        }
        gone
    }

    /// Takes the key off an inode: the next [`remember`](Self::remember) of that key makes a new
    /// one. For keys that can come to mean something else, such as a path that was removed.
    pub fn remove_key(&self, inode: Inode) {
        let mut state = self.lock();
        if let Some(key) = state
            .by_number
            .get_mut(&inode)
            .and_then(|slot| slot.key.take())
        {
            state.by_key.remove(&key);
        }
    }

    /// Forgets all but the root, as the kernel does at the end of the session, and returns what
    /// there was.
    pub fn drain(&self) -> Vec<(Inode, Arc<T>)> {
        let mut state = self.lock();
        let root = state.by_number.remove(&Inode::ROOT);
        let gone = state
            .by_number
            .drain()
            .map(|(inode, slot)| (inode, slot.value))
            .collect();
        state.by_key.retain(|_, inode| *inode == Inode::ROOT);
        state.by_number.extend(root.map(|slot| (Inode::ROOT, slot)));
        gone
    }

    /// The lookup count of an inode; 0 for one that is not in the table.
    #[must_use]
    pub fn lookup_count(&self, inode: Inode) -> u64 {
        self.lock()
            .by_number
            .get(&inode)
            .map_or(0, |slot| slot.nlookup)
    }

    /// All inodes whose lookup count is not zero, with their counts, in no order. The root is left out.
    ///
    /// For tests, which compare them with those of a kernel (`MockKernel::compare_lookup_counts`, with
    /// the feature `testing`).
    #[must_use]
    pub fn lookup_counts(&self) -> Vec<(Inode, u64)> {
        let state = self.lock();
        let counted = state
            .by_number
            .iter()
            .filter(|(inode, slot)| **inode != Inode::ROOT && slot.nlookup > 0);
        counted
            .map(|(inode, slot)| (*inode, slot.nlookup))
            .collect()
    }

    /// Number of inodes, the root included.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "the root is always there")]
    pub fn len(&self) -> usize {
        self.lock().by_number.len()
    }

    /// A panic in `make` leaves the table as it was, so that the lock's poison means nothing.
    fn lock(&self) -> MutexGuard<'_, State<K, T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Clone + Eq + Hash, T> State<K, T> {
    /// The next number, with a lookup count of one.
    fn insert(&mut self, key: Option<K>, make: impl FnOnce(Inode) -> T) -> (Inode, Arc<T>) {
        let inode = Inode(self.next);
        self.next += 1;
        let value = Arc::new(make(inode));
        let slot = Slot {
            value: Arc::clone(&value),
            key,
            nlookup: 1,
            pins: 0,
        };
        self.by_number.insert(inode, slot);
        (inode, value)
    }

    fn remove_if_unused(&mut self, inode: Inode) -> Option<Arc<T>> {
        let slot = self.by_number.get(&inode)?;
        if slot.nlookup > 0 || slot.pins > 0 || inode == Inode::ROOT {
            return None;
        }
        let slot = self.by_number.remove(&inode)?;
        if let Some(key) = slot.key {
            self.by_key.remove(&key);
        }
        Some(slot.value)
    }
}

impl<K, T> fmt::Debug for InodeTable<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InodeTable").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forget(inode: Inode, nlookup: u64) -> [Forget; 1] {
        [Forget { inode, nlookup }]
    }

    #[test]
    fn a_pinned_inode_outlives_its_lookup_count() {
        let table = InodeTable::<u32, &str>::new(0u32, "root");
        let (inode, _) = table.remember(7u32, |_| "file");
        table.pin(inode).unwrap();
        assert!(table.forget(&forget(inode, 1)).is_empty());
        assert_eq!(*table.get(inode).unwrap(), "file");
        assert_eq!(table.unpin(inode).as_deref(), Some(&"file"));
        assert_eq!(table.get(inode).unwrap_err(), Errno::ESTALE);
    }

    #[test]
    fn a_number_is_never_used_twice() {
        let table = InodeTable::<u32, ()>::new(0u32, ());
        let (first, _) = table.remember(7u32, |_| ());
        table.forget(&forget(first, 1));
        let (second, _) = table.remember(7u32, |_| ());
        assert_ne!(first, second);
    }

    #[test]
    fn an_inode_without_a_key_is_counted_like_any_other() {
        let table = InodeTable::<(), &str>::new((), "root");
        let (inode, _) = table.insert(|_| "file");
        let (other, _) = table.insert(|_| "other");
        assert_ne!(inode, other);
        assert_eq!((table.lookup_count(inode), table.len()), (1, 3));
        assert_eq!(table.find(&()).map(|(inode, _)| inode), Some(Inode::ROOT));
        assert_eq!(table.forget(&forget(inode, 1)).len(), 1);
        assert_eq!(*table.get(other).unwrap(), "other");
    }

    #[test]
    fn the_root_stays() {
        let table = InodeTable::<u32, ()>::new(0u32, ());
        table.unpin(Inode::ROOT);
        table.forget(&forget(Inode::ROOT, 10));
        table.remember(3u32, |_| ());
        assert_eq!(table.drain().len(), 1);
        assert!(table.get(Inode::ROOT).is_ok());
        assert!(table.find(&0).is_some() && table.find(&3).is_none());
    }

    #[test]
    fn a_removed_key_makes_a_new_inode_while_the_old_lives() {
        let table = InodeTable::<u32, &str>::new(0u32, "root");
        let (old, _) = table.remember(7u32, |_| "old");
        table.remove_key(old);
        let (new, _) = table.remember(7u32, |_| "new");
        assert_ne!(old, new);
        assert_eq!(table.forget(&forget(old, 1)).len(), 1);
        assert_eq!(table.find(&7).map(|(inode, _)| inode), Some(new));
    }
}
