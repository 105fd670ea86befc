//! The queue of requests beyond `max_in_flight`.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::request::Request;

/// The bounds of the queue for peers other than the kernel of this machine, which limits its requests by
/// itself: the number of requests, and the bytes to write in them.
const MAX_REQUESTS: usize = 16_384;
const MAX_BYTES: usize = 256 << 20;

/// Requests in the order of their tickets.
#[derive(Default)]
pub(super) struct Queue {
    requests: BTreeMap<u64, (Request, Instant)>,
    /// The payload of all writes.
    bytes: usize,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.requests.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// Whether there is no room for a request of an untrusted peer.
    pub(super) fn is_full_for(&self, request: &Request) -> bool {
        self.len() >= MAX_REQUESTS || self.bytes + request.payload_len() > MAX_BYTES
    }

    /// `ticket` is greater than all tickets before.
    pub(super) fn push(&mut self, ticket: u64, request: Request) {
        self.bytes += request.payload_len();
        self.requests.insert(ticket, (request, Instant::now()));
    }

    pub(super) fn pop(&mut self) -> Option<Request> {
        let (_, (request, _)) = self.requests.pop_first()?;
        self.bytes -= request.payload_len();
        Some(request)
    }

    pub(super) fn remove(&mut self, ticket: u64) -> Option<Request> {
        let (request, _) = self.requests.remove(&ticket)?;
        self.bytes -= request.payload_len();
        Some(request)
    }

    pub(super) fn take_all(&mut self) -> Vec<Request> {
        std::iter::from_fn(|| self.pop()).collect()
    }

    /// Each request, and when it was queued.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Request, Instant)> {
        self.requests
            .values()
            .map(|(request, since)| (request, *since))
    }
}
