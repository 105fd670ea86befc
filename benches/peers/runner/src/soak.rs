//! Millions of requests to one server, and how its memory goes on.

use std::time::Duration;

use crate::client;
use crate::interrupted;
use crate::peers::Places;
use crate::rounds::client as on_mount;
use crate::server::Server;

/// What is done, and how often in one step, which is a million requests. `create` is six.
const OPERATIONS: [(&str, u64); 6] = [
    ("getattr", 250_000),
    ("lookup", 250_000),
    ("read-4k", 180_000),
    ("write-4k", 180_000),
    ("create", 20_000),
    ("list", 20_000),
];
/// A few pages may be touched late. One byte for each of nine million requests would be 8,800 KiB.
const TOLERANCE: u64 = 256;
const LIMIT: Duration = Duration::from_secs(300);

pub fn run(places: &Places, server: &mut Server, millions: u64) -> Result<(), String> {
    let memory = |server: &Server| server.status("VmRSS").unwrap_or(0);
    println!("after 0 million requests: {} KiB", memory(server));
    let mut settled = 0;
    for million in 1..=millions {
        for (operation, count) in OPERATIONS {
            let count = count.to_string();
            let command = on_mount(places, server, &[operation, "1", "times", &count]);
            client::run(server, command, LIMIT, None)?;
            if interrupted() {
                return Err("interrupted".to_owned());
            }
        }
        let now = memory(server);
        println!("after {million} million requests: {now} KiB");
        if million == 1 {
            settled = now;
        }
    }
    let growth = memory(server).saturating_sub(settled);
    println!("growth after the first million: {growth} KiB");
    match growth {
        ..=TOLERANCE => Ok(()),
        _ => Err(format!("it grew by {growth} KiB, more than {TOLERANCE}")),
    }
}
