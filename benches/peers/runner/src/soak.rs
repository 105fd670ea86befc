//! Millions of requests to one server, and how its memory goes on.

use std::time::Duration;

use crate::client;
use crate::interrupted;
use crate::peers::Places;
use crate::rounds::client as on_mount;
use crate::server::Server;

const OPERATIONS: [&str; 5] = ["getattr", "lookup", "read-4k", "write-4k", "create"];
/// How often each of them in one step, so that a step is a million requests. `create` is five.
const COUNTS: [u64; 5] = [250_000, 250_000, 200_000, 200_000, 20_000];
const LIMIT: Duration = Duration::from_secs(300);

pub fn run(places: &Places, server: &mut Server, millions: u64) -> Result<(), String> {
    let memory = |server: &Server| server.status("VmRSS").unwrap_or(0);
    println!("after 0 million requests: {} KiB", memory(server));
    for million in 1..=millions {
        for (operation, count) in OPERATIONS.iter().zip(COUNTS) {
            let count = count.to_string();
            let command = on_mount(places, server, &[operation, "1", "times", &count]);
            client::run(server, command, LIMIT, None)?;
            if interrupted() {
                return Err("interrupted".to_owned());
            }
        }
        println!("after {million} million requests: {} KiB", memory(server));
    }
    Ok(())
}
