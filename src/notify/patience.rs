//! How long a handler waits for a notification.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures::future::Either;
use futures::future::select;
use smol::Timer;

use crate::Inode;
use crate::session::current_inodes;

/// How long a handler waits for a notification about the inode of its own request. If it takes
/// longer, the kernel is waiting for the handler's answer.
const PATIENCE_OWN: Duration = Duration::from_millis(100);

/// How long a handler waits for a notification about another inode: the kernel may be waiting for a
/// handler that waits for this one.
const PATIENCE: Duration = Duration::from_secs(1);

/// What came of waiting.
pub(super) enum Waited<T> {
    Done(T),
    /// Time is up, and the notification is about an inode of the handler's own request.
    GaveUpOwn,
    /// Time is up.
    GaveUp,
}

/// Waits for what a notification about these inodes comes to: in a handler, no longer than is safe
/// there.
pub(super) async fn wait<T>(inodes: &[Inode], result: impl Future<Output = T>) -> Waited<T> {
    let Some(own) = current_inodes() else {
        return Waited::Done(result.await);
    };
    let is_own = inodes
        .iter()
        .any(|inode| *inode != Inode(0) && own.contains(inode));
    let patience = if is_own { PATIENCE_OWN } else { PATIENCE };
    match select(pin!(result), Timer::after(patience)).await {
        Either::Left((result, _)) => Waited::Done(result),
        Either::Right(_) if is_own => Waited::GaveUpOwn,
        Either::Right(_) => Waited::GaveUp,
    }
}
