//! Ten thousand reads at once, each of which takes the server a second.

use std::time::Duration;

use crate::client;
use crate::interrupted;
use crate::peers::Places;
use crate::rounds::client as on_mount;
use crate::server::Server;

pub const READS: u64 = 10_000;
/// What has not ended by then is not waited for.
const LIMIT: Duration = Duration::from_secs(6);
const QUICK_LIMIT: Duration = Duration::from_millis(2500);
/// How much longer the client may take to start its threads, and to end them.
const GRACE: Duration = Duration::from_secs(20);

/// What came of it.
#[derive(Clone, Debug)]
pub struct Slow {
    /// How many of the reads ended within the limit, and when the last of these did.
    pub reads: u64,
    pub time: Duration,
    /// Threads of the server before, and the most there were.
    pub threads_before: u64,
    pub threads: u64,
    /// Most memory it took, in KiB.
    pub peak: u64,
    pub failed: Option<String>,
}

impl Slow {
    /// How long all reads would take, if they went on as they did.
    pub fn total(&self) -> Duration {
        self.time.mul_f64(READS as f64 / self.reads.max(1) as f64)
    }

    pub fn is_extrapolated(&self) -> bool {
        self.reads < READS
    }
}

pub fn measure(places: &Places, quick: bool, server: &mut Server) -> Option<Slow> {
    let threads_before = server.status("Threads")?;
    server.reset_peak();
    let mut slow = Slow {
        reads: 0,
        time: Duration::ZERO,
        threads_before,
        threads: threads_before,
        peak: 0,
        failed: None,
    };
    let limit = if quick { QUICK_LIMIT } else { LIMIT };
    let (count, seconds) = (READS.to_string(), limit.as_secs_f64().to_string());
    let command = on_mount(places, server, &["slow", &count, "for", &seconds]);
    let mut most = slow.threads;
    let mut look = |server: &Server| most = most.max(server.status("Threads").unwrap_or(0));
    let result = client::run(server, command, limit + GRACE, Some(&mut look));
    slow.threads = most;
    slow.peak = server.status("VmHWM").unwrap_or(0);
    match result {
        Ok(measured) => {
            slow.reads = measured.operations;
            slow.time = measured.time;
        }
        Err(_) if interrupted() => return None,
        Err(error) => slow.failed = Some(error),
    }
    Some(slow)
}
