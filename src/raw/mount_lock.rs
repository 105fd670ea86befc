//! One mount or unmount at a time, as a rule.

use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

/// libfuse changes the environment and file descriptors while it mounts (libfuse issue 955).
pub(super) static MOUNT_LOCK: MountLock = MountLock {
    held: Mutex::new(false),
    freed: Condvar::new(),
};

/// How long an unmount waits for another session's mount.
const PATIENCE: Duration = Duration::from_secs(2);

/// A lock that one need not wait for.
pub(super) struct MountLock {
    held: Mutex<bool>,
    freed: Condvar,
}

impl MountLock {
    /// For what changes the process: making a session, and mounting.
    pub(super) fn lock(&self) -> Guard<'_> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let held = self.freed.wait_while(held, |held| *held);
        *held.unwrap_or_else(PoisonError::into_inner) = true;
        Guard(self)
    }

    /// For unmounting: `None` if it takes too long.
    ///
    /// Whoever holds the lock may be waiting for this very unmount. fusermount3 is started by a child
    /// of this process, which has copies of all of its descriptors and closes them on exec(2). If one is of
    /// a file on the mount that is to go, the kernel sends a `flush` there, which nobody reads any more; the
    /// mounting thread waits for the child, and the child until the session's descriptor is closed. Users
    /// other than root have no other way to free it, where there is no `/sys/fs/fuse/connections`.
    pub(super) fn lock_to_unmount(&self) -> Option<Guard<'_>> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let held = self.freed.wait_timeout_while(held, PATIENCE, |held| *held);
        let (mut held, _) = held.unwrap_or_else(PoisonError::into_inner);
        if *held {
            return None;
        }
        *held = true;
        Some(Guard(self))
    }
}

/// Frees the lock when it is dropped.
pub(super) struct Guard<'a>(&'a MountLock);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        *self.0.held.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unmount_waits_for_a_while_only() {
        let lock = MountLock {
            held: Mutex::new(false),
            freed: Condvar::new(),
        };
        let guard = lock.lock();
        assert!(lock.lock_to_unmount().is_none());
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| lock.lock_to_unmount().is_some());
            drop(guard);
            assert!(waiting.join().unwrap());
        });
        drop(lock.lock());
    }
}
