//! What is open, by the number that the kernel knows it by.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use libfuse3::Errno;
use libfuse3::FileHandle;
use libfuse3::Result;

/// Open files, or open directories. A value lives on in those who use it when its number is removed.
#[derive(Debug)]
pub(crate) struct Handles<T> {
    open: RwLock<HashMap<FileHandle, Arc<T>>>,
    next: AtomicU64,
}

impl<T> Default for Handles<T> {
    fn default() -> Self {
        Self {
            open: RwLock::default(),
            next: AtomicU64::new(1),
        }
    }
}

impl<T> Handles<T> {
    pub(crate) fn insert(&self, value: T) -> FileHandle {
        let handle = FileHandle(self.next.fetch_add(1, Ordering::Relaxed));
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        open.insert(handle, Arc::new(value));
        handle
    }

    pub(crate) fn get(&self, handle: FileHandle) -> Result<Arc<T>> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        open.get(&handle).cloned().ok_or(Errno::EBADF)
    }

    /// Whether there is a value for which `condition` holds.
    pub(crate) fn any(&self, condition: impl Fn(&T) -> bool) -> bool {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        open.values().any(|value| condition(value))
    }

    pub(crate) fn remove(&self, handle: FileHandle) -> Option<Arc<T>> {
        // The lock is gone before the value is: its end may take a while.
        self.open
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&handle)
    }
}
