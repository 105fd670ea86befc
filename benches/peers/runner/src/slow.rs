//! Ten thousand reads at once, each of which takes the server a second.

use std::time::Duration;

use crate::client;
use crate::interrupted;
use crate::peers::Places;
use crate::rounds::client as on_mount;
use crate::server::Server;

/// More and more reads, as long as they take hardly longer than one.
const STEPS: [u64; 4] = [4, 40, 400, READS];
const QUICK_STEPS: [u64; 2] = [4, READS];
pub const READS: u64 = 10_000;
const HARDLY_LONGER: Duration = Duration::from_millis(1500);
/// A server that takes so long for some hundreds of reads is not waited for.
const LIMIT: Duration = Duration::from_secs(40);

/// What came of it.
#[derive(Clone, Debug)]
pub struct Slow {
    /// How many reads were really made at once, and how long they took.
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
        self.time * u32::try_from(READS / self.reads.max(1)).unwrap_or(1)
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
    let steps: &[u64] = if quick { &QUICK_STEPS } else { &STEPS };
    for reads in steps {
        let count = reads.to_string();
        let command = on_mount(places, server, &["slow", &count]);
        let mut most = slow.threads;
        let mut look = |server: &Server| most = most.max(server.status("Threads").unwrap_or(0));
        let result = client::run(server, command, LIMIT, Some(&mut look));
        slow.threads = most;
        slow.peak = server.status("VmHWM").unwrap_or(slow.peak);
        match result {
            Ok(measured) => {
                slow.reads = *reads;
                slow.time = measured.time;
                if measured.time > HARDLY_LONGER {
                    break;
                }
            }
            Err(_) if interrupted() => return None,
            Err(error) => {
                slow.failed = Some(format!("{reads} reads at once: {error}"));
                break;
            }
        }
    }
    Some(slow)
}
