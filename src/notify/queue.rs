//! Entries that are invalidated without anybody waiting for it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::Weak;

use super::entry::NamedEntry;
use super::threads::Threads;
use crate::Errno;
use crate::Inode;
use crate::logging;
use crate::raw::RawSession;

/// What has been taken and not yet sent.
#[derive(Default)]
pub(super) struct Queue(Mutex<State>);

#[derive(Default)]
struct State {
    entries: VecDeque<QueuedEntry>,
    /// A thread is at it.
    is_draining: bool,
}

pub(super) struct QueuedEntry {
    pub(super) entry: NamedEntry,
    pub(super) deleted: Option<Inode>,
    pub(super) ignore_enoent: bool,
}

impl QueuedEntry {
    /// There is nobody to be told of an error.
    pub(super) fn failed(self, errno: Errno) {
        match errno {
            Errno::ENODEV => {}
            Errno::ENOENT if self.ignore_enoent => {}
            _ => {
                let NamedEntry { parent, name } = self.entry;
                logging::warn!("cannot invalidate {name:?} in inode {parent}: {errno}");
            }
        }
    }
}

impl Queue {
    /// Takes an entry, and has a thread work off the queue unless one is at it.
    pub(super) fn push(
        self: &Arc<Self>,
        entry: QueuedEntry,
        threads: &Arc<Threads>,
        session: &Weak<RawSession>,
    ) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.entries.push_back(entry);
        if !std::mem::replace(&mut state.is_draining, true) {
            drop(state);
            let (this, session) = (Arc::clone(self), Weak::clone(session));
            threads.submit(move || this.drain(&session));
        }
    }

    fn drain(&self, session: &Weak<RawSession>) {
        while let Some(next) = self.pop() {
            let session = session.upgrade().ok_or(Errno::ENODEV);
            let invalidate = |session: Arc<_>| next.entry.invalidate(next.deleted, &session);
            if let Err(errno) = session.and_then(invalidate) {
                next.failed(errno);
            }
        }
    }

    fn pop(&self) -> Option<QueuedEntry> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = state.entries.pop_front();
        state.is_draining = entry.is_some();
        entry
    }
}
