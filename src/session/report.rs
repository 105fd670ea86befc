//! Reports of the requests in flight.

use std::fmt;
use std::time::Instant;

use crate::Inode;

/// The requests of a session that have no reply yet, oldest first; passed to
/// [`Operations::stacktrace`](crate::Operations::stacktrace).
///
/// [`Display`](fmt::Display) prints a line for each.
#[derive(Clone, Debug)]
pub struct InFlightReport {
    requests: Vec<InFlightRequest>,
}

/// A request that has no reply yet.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct InFlightRequest {
    /// The operation in libfuse's spelling, such as `"lookup"`.
    pub operation: &'static str,
    /// The inode of the request: the parent, for operations on names.
    pub inode: Inode,
    /// User id of the caller.
    pub uid: u32,
    /// Thread id of the caller.
    pub pid: u32,
    /// When its handler began to wait, or when it was queued.
    pub since: Instant,
    /// Whether the request is queued because of [`max_in_flight`](crate::SessionBuilder::max_in_flight), and its
    /// handler has not begun.
    pub queued: bool,
}

impl InFlightReport {
    pub(super) fn new(requests: Vec<InFlightRequest>) -> Self {
        Self { requests }
    }

    /// The requests, oldest first.
    #[must_use]
    pub fn requests(&self) -> &[InFlightRequest] {
        &self.requests
    }
}

impl fmt::Display for InFlightReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} requests in flight", self.requests.len())?;
        for request in &self.requests {
            let InFlightRequest {
                operation,
                inode,
                uid,
                pid,
                since,
                queued,
            } = request;
            let waits = if *queued {
                "is queued"
            } else {
                "waits in its handler"
            };
            let since = since.elapsed();
            write!(
                f,
                "\n  {operation} of inode {inode} by uid {uid} pid {pid} {waits} since {since:.3?}"
            )?;
        }
        Ok(())
    }
}
