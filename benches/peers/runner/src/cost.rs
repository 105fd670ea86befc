//! What a request costs a server: system calls, context switches, instructions, processor time.
//!
//! Context switches and processor time are from /proc; instructions from `perf stat`, where it works;
//! system calls from `perf stat`, else from `strace -c`, else, reads and writes only, from /proc.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use crate::client;
use crate::client::Measured;
use crate::interrupted;
use crate::peers::Places;
use crate::placement::OneProcessor;
use crate::rounds;
use crate::rounds::Setting;
use crate::rounds::client as on_mount;
use crate::server::Counters;
use crate::server::Server;
use crate::server::spawn;

/// The operations that are accounted for: those that are one request each.
pub const OPERATIONS: [&str; 6] = [
    "getattr",
    "lookup",
    "read-4k",
    "write-4k",
    "read-128k",
    "write-128k",
];
pub const QUICK_OPERATIONS: [&str; 2] = ["getattr", "read-128k"];

/// In which setting: the one that leaves least to chance.
pub const SETTING: Setting = rounds::TOGETHER;

/// About how long what is only looked at takes, and how long what perf or strace slows down would take
/// without them.
const TIME: f64 = 0.25;
const TIME_SLOWED: f64 = 0.05;
const LIMIT: Duration = Duration::from_secs(30);

const SYSTEM_CALLS: &str = "raw_syscalls:sys_enter";
/// What perf counts at no cost for what is counted, and by which name it is reported.
const EVENTS: [(&str, &str); 2] = [
    ("instructions:u", "user_instructions"),
    ("instructions:k", "kernel_instructions"),
];

/// Counts per request, by name.
pub type Costs = BTreeMap<&'static str, f64>;

/// How things can be counted here.
#[derive(Debug)]
pub struct Tools {
    /// Those of `EVENTS` that work.
    events: Vec<(&'static str, &'static str)>,
    perf_system_calls: bool,
    strace: bool,
}

impl Tools {
    pub fn find() -> Self {
        let works = |event: &str| {
            let mut perf = Command::new("perf");
            perf.args(["stat", "-x", ",", "-e", event, "--", "true"]);
            let output = perf.stdin(Stdio::null()).stdout(Stdio::null()).output();
            output.is_ok_and(|output| {
                output.status.success()
                    && parse(&String::from_utf8_lossy(&output.stderr), event).is_some()
            })
        };
        let strace = Command::new("strace")
            .args(["-c", "true"])
            .stdin(Stdio::null())
            .output();
        Self {
            events: EVENTS
                .into_iter()
                .filter(|(event, _)| works(event))
                .collect(),
            perf_system_calls: works(SYSTEM_CALLS),
            strace: strace.is_ok_and(|output| output.status.success()),
        }
    }

    pub fn describe(&self) -> String {
        let instructions = match self.events.is_empty() {
            true => "",
            false => "; perf stat: instructions",
        };
        let system_calls = match (self.perf_system_calls, self.strace) {
            (true, _) => "perf stat: system calls",
            (false, true) => "strace -c: system calls",
            (false, false) => "/proc: reads and writes, but no other system calls",
        };
        format!(
            "/proc: context switches and processor time{instructions}; \
             {system_calls}"
        )
    }
}

/// The number that `perf stat -x ,` gives for an event.
fn parse(report: &str, event: &str) -> Option<f64> {
    let mut fields = report.lines().map(|line| line.split(','));
    fields.find_map(|mut fields| {
        let value = fields.next()?;
        (fields.nth(1)? == event).then_some(())?;
        value.parse().ok()
    })
}

/// How many messages the kernel sends for one operation, as the floor has counted them.
pub fn messages_per_operation(
    places: &Places,
    floor: &mut Server,
    operation: &str,
    count: u64,
) -> Option<f64> {
    let mut messages = || {
        let command = on_mount(places, floor, &["messages", "1"]);
        client::run(floor, command, LIMIT, None).ok()
    };
    // What asking costs by itself.
    let (first, before) = (messages()?.operations, messages()?.operations);
    let count = count.to_string();
    let command = on_mount(places, floor, &[operation, "1", "times", &count]);
    let measured = client::run(floor, command, LIMIT, None).ok()?;
    let command = on_mount(places, floor, &["messages", "1"]);
    let after = client::run(floor, command, LIMIT, None).ok()?.operations;
    let sent = (after - before).saturating_sub(before - first);
    Some(sent as f64 / measured.operations as f64)
}

/// What `operation` costs the server for each request, `rate` being how often it is done a second.
pub fn measure(
    places: &Places,
    tools: &Tools,
    server: &mut Server,
    operation: &str,
    rate: f64,
) -> Costs {
    let count = |time: f64| ((rate * time) as u64).clamp(500, 50_000).to_string();
    let (count, few) = (count(TIME), count(TIME_SLOWED));
    let arguments = [operation, "1", "times", &count];
    let few_arguments = [operation, "1", "times", &few];
    let mut costs = Costs::new();

    // Undisturbed: what perf does at each context switch takes longer than a small request.
    let before = server.counters();
    let Some(measured) = run(places, server, &arguments) else {
        return costs;
    };
    let after = server.counters();
    let requests = measured.operations as f64;
    let per_request = |count: fn(&Counters) -> u64| {
        let counted = count(&after).saturating_sub(count(&before));
        counted as f64 / requests
    };
    costs.insert("context_switches", per_request(|all| all.switches));
    let microseconds = per_request(|all| all.nanoseconds) / 1000.0;
    if microseconds > 0.0 {
        costs.insert("cpu_microseconds", microseconds);
    }

    let events: Vec<_> = tools.events.iter().map(|(event, _)| *event).collect();
    if !events.is_empty()
        && let Some((few, report)) = perf(places, server, &events.join(","), &few_arguments)
    {
        let requests = few.operations as f64;
        for (event, name) in &tools.events {
            let value = parse(&report, event);
            costs.extend(value.map(|value| (*name, value / requests)));
        }
    }

    // Apart from the rest, since counting these costs instructions.
    let system_calls = match (tools.perf_system_calls, tools.strace) {
        (true, _) => perf(places, server, SYSTEM_CALLS, &few_arguments)
            .and_then(|(few, report)| Some((few, parse(&report, SYSTEM_CALLS)?))),
        (false, true) => strace(places, server, &few_arguments),
        (false, false) => None,
    };
    let (name, system_calls) = match system_calls {
        Some((few, calls)) => ("system_calls", calls / few.operations as f64),
        None => ("reads_and_writes", per_request(|all| all.reads_and_writes)),
    };
    costs.insert(name, system_calls);
    costs
}

fn run(places: &Places, server: &mut Server, arguments: &[&str]) -> Option<Measured> {
    let command = on_mount(places, server, arguments);
    report(server, command)
}

/// Runs the client, or something around it, on the server's processor.
fn report(server: &mut Server, mut command: Command) -> Option<Measured> {
    let _placed = OneProcessor::new(server, &mut command);
    let result = client::run(server, command, LIMIT, None);
    if let Err(error) = &result
        && !interrupted()
    {
        eprintln!("{} is out: {error}", server.peer.name);
    }
    result.ok()
}

/// Runs the client with `perf stat` watching the server: what it has measured, and perf's report.
fn perf(
    places: &Places,
    server: &mut Server,
    events: &str,
    arguments: &[&str],
) -> Option<(Measured, String)> {
    let file = places.output.join("perf.csv");
    drop(fs::remove_file(&file));
    let client = on_mount(places, server, arguments);
    let mut command = Command::new("perf");
    command
        .args(["stat", "-x", ",", "-e", events, "-o"])
        .arg(&file);
    command.args(["-p", &server.pid().to_string(), "--"]);
    command.arg(client.get_program()).args(client.get_args());
    let measured = report(server, command)?;
    let text = fs::read_to_string(&file).ok()?;
    Some((measured, text))
}

/// Runs the client with `strace -c` watching the server: what the client has measured, and the
/// number of system calls.
fn strace(places: &Places, server: &mut Server, arguments: &[&str]) -> Option<(Measured, f64)> {
    let file = places.output.join("strace.txt");
    let mut command = Command::new("strace");
    command.args(["-f", "-q", "-c", "-o"]).arg(&file);
    command.args(["-p", &server.pid().to_string()]);
    command.stdin(Stdio::null()).stderr(Stdio::null());
    let mut strace = spawn(&mut command).ok()?;
    // It tells nobody when it is ready.
    sleep(Duration::from_millis(500));
    let measured = run(places, server, arguments);
    // Of our own: it writes its report when it is told to end.
    let pid = strace.id().cast_signed();
    // SAFETY: the process has not been waited for, so that the number is still its own.
    unsafe { libc::kill(pid, libc::SIGINT) };
    drop(strace.wait());
    let measured = measured?;
    let report = fs::read_to_string(&file).ok()?;
    // % time  seconds  usecs/call  calls  [errors]  total
    let total = report.lines().rev().find(|line| line.ends_with("total"))?;
    let calls = total.split_whitespace().nth(3)?.parse().ok()?;
    Some((measured, calls))
}

/// Which operations to account for.
pub fn operations(quick: bool, tests: &[rounds::Test]) -> Vec<&'static str> {
    let all: &[&str] = if quick {
        &QUICK_OPERATIONS
    } else {
        &OPERATIONS
    };
    let wanted = |name: &&&str| tests.iter().any(|test| test.operation == **name);
    all.iter().filter(wanted).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn perf_reports_are_read() {
        let report = "# started on Sat\n\n5059186,,instructions:u,4170033,100.00,,\n\
                      <not supported>,,instructions:k,0,100.00,,\n\
                      12.5,msec,task-clock,125,100.00,0.1,CPUs utilized\n";
        assert_eq!(parse(report, "instructions:u"), Some(5_059_186.0));
        assert_eq!(parse(report, "instructions:k"), None);
        assert_eq!(parse(report, "task-clock"), Some(12.5));
    }
}
