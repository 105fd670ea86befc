//! The benchmark: builds the servers, measures them in turn, prints and writes the results.

mod client;
mod cost;
mod machine;
mod options;
mod peers;
mod placement;
mod report;
mod rounds;
mod server;
mod slow;
mod soak;
mod targets;

use std::collections::BTreeMap;
use std::fs;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use machine::Machine;
use options::Options;
use peers::Builder;
use peers::Peer;
use peers::Places;
use report::Outcome;
use report::Results;
use server::Server;

static INTERRUPTED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Whether somebody wants this to end.
fn interrupted() -> bool {
    let flag = INTERRUPTED.get();
    flag.is_some_and(|flag| flag.load(Ordering::Relaxed))
}

fn main() {
    let result = Options::parse(std::env::args().skip(1));
    let result = match result {
        Ok(None) => {
            print!("{}", options::USAGE);
            Ok(())
        }
        Ok(Some(options)) => run(&options),
        Err(error) => Err(error),
    };
    if let Err(error) = result {
        eprintln!("bench: {error}");
        std::process::exit(1);
    }
}

fn run(options: &Options) -> Result<(), String> {
    handle_signals()?;
    if options.build_only {
        return build(options);
    }
    if !fs::exists("/dev/fuse").unwrap_or(false) {
        return Err("there is no /dev/fuse, so nothing can be mounted here".to_owned());
    }
    let tests = rounds::tests(options)?;
    let mut wanted = peers::select(options.peers.as_deref(), options.quick)?;
    if options.soak.is_some() {
        wanted.retain(|peer| peer.name == "ours-1");
    }
    let places = Places::new()?;
    let _lock = lock(&places)?;
    clean_up(&places);

    let mut builder = Builder::new(&places);
    builder.client()?;
    let (mut servers, left_out) = start(&places, &mut builder, wanted)?;
    if servers.is_empty() {
        return Err("there is no server to measure".to_owned());
    }
    if let Some(millions) = options.soak {
        return soak::run(&places, &mut servers[0], millions);
    }

    let mut machine = Machine::look(&places);
    let begin = Instant::now();
    let end = begin + options.total();
    let mut outcomes = at_rest(&places, &mut servers);
    list_all(&places, &mut servers);
    check_mount_options(&outcomes);

    let reserved = reserve(options, &tests, servers.len());
    let rates = rounds::measure(
        &places,
        options,
        &mut machine,
        &tests,
        &mut servers,
        end - reserved,
    );
    for (outcome, server) in outcomes.iter_mut().zip(&servers) {
        outcome.peak = server.status("VmHWM").unwrap_or(0);
        outcome.threads_after = server.status("Threads").unwrap_or(0);
    }

    let tools = cost::Tools::find();
    let mut messages = BTreeMap::new();
    if options.cost {
        messages = count_messages(&places, &tests, &mut servers);
        for operation in cost::operations(options.quick, &tests) {
            if interrupted() {
                break;
            }
            eprintln!("counting what {operation} costs");
            for number in 0..servers.len() {
                let measured = rates.iter().find(|rates| {
                    rates.server == number
                        && rates.test.setting == cost::SETTING
                        && rates.test.operation == operation
                });
                let rate = measured.and_then(rounds::Rates::median);
                let server = &mut servers[number];
                if let (Some(rate), None, false) = (rate, &server.failed, interrupted()) {
                    let costs = cost::measure(&places, &tools, server, operation, rate);
                    outcomes[number].costs.insert(operation, costs);
                }
            }
        }
    }
    for (outcome, server) in outcomes.iter_mut().zip(&servers) {
        outcome.failed.clone_from(&server.failed);
    }
    if options.slow {
        for (outcome, server) in outcomes.iter_mut().zip(&mut servers) {
            if server.failed.is_none() && !interrupted() {
                eprintln!("{} reads at once of {}", slow::READS, server.peer.name);
                outcome.slow = slow::measure(&places, options.quick, server);
            }
        }
    }
    drop(servers);
    if interrupted() {
        return Err("interrupted; everything is unmounted".to_owned());
    }

    let results = Results {
        machine: &machine,
        options,
        tools: tools.describe(),
        outcomes,
        rates,
        left_out,
        messages,
    };
    write(&places, &results)?;
    eprintln!("This took {:.0?}.", begin.elapsed());
    Ok(())
}

fn build(options: &Options) -> Result<(), String> {
    let places = Places::new()?;
    let mut builder = Builder::new(&places);
    builder.client()?;
    for peer in peers::select(options.peers.as_deref(), options.quick)? {
        builder.command(&peer, &places.output)?;
    }
    Ok(())
}

fn handle_signals() -> Result<(), String> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        let flag = Arc::clone(&flag);
        let registered = signal_hook::flag::register(signal, flag);
        registered.map_err(|error| format!("cannot handle signals: {error}"))?;
    }
    INTERRUPTED.get_or_init(|| flag);
    Ok(())
}

/// Sees to it that only one of us runs in this folder.
fn lock(places: &Places) -> Result<File, String> {
    let path = places.output.join("lock");
    let file = File::create(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    // SAFETY: the descriptor is open.
    match unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } {
        0 => Ok(file),
        _ => Err(format!("another one is running ({})", path.display())),
    }
}

/// Unmounts what an earlier run that was killed has left.
fn clean_up(places: &Places) {
    let left = fs::read_dir(places.output.join("mnt"));
    for dir in left.into_iter().flatten().flatten() {
        server::unmount(&dir.path());
        drop(fs::remove_dir(dir.path()));
    }
}

/// `MAX_IO` of the tree that is served.
const LARGEST_READ: usize = 1 << 20;

/// Servers that cannot be built or started, and why.
type LeftOut = Vec<(Peer, String)>;

/// Builds and starts all servers. Those that cannot be are left out.
fn start(
    places: &Places,
    builder: &mut Builder<'_>,
    wanted: Vec<Peer>,
) -> Result<(Vec<Server>, LeftOut), String> {
    let mountpoints = places.output.join("mnt");
    let logs = places.output.join("log");
    fs::create_dir_all(&logs).map_err(|error| format!("{}: {error}", logs.display()))?;
    let zeros = places.zeros();
    fs::write(&zeros, vec![0; LARGEST_READ])
        .map_err(|error| format!("{}: {error}", zeros.display()))?;
    let mut servers = Vec::new();
    let mut left_out = Vec::new();
    // Everything is built before anything is mounted.
    for peer in &wanted {
        if interrupted() {
            return Err("interrupted".to_owned());
        }
        drop(builder.command(peer, &mountpoints));
    }
    for peer in wanted {
        let mountpoint = mountpoints.join(peer.name);
        let log = logs.join(format!("{}.log", peer.name));
        let started = builder
            .command(&peer, &mountpoint)
            .and_then(|command| Server::start(peer, command, &mountpoint, &log));
        if interrupted() {
            return Err("interrupted".to_owned());
        }
        match started {
            Ok(server) => servers.push(server),
            Err(error) => {
                eprintln!("{} is left out: {error}", peer.name);
                drop(fs::remove_dir(&mountpoint));
                left_out.push((peer, error));
            }
        }
    }
    Ok((servers, left_out))
}

/// The servers as they are before there is much to do.
fn at_rest(places: &Places, servers: &mut [Server]) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for server in servers {
        // Once each server has answered something, it is set up.
        let command = rounds::client(places, server, &["getattr", "1", "times", "10"]);
        let limit = Duration::from_secs(10);
        if let Err(error) = client::run(server, command, limit, None) {
            eprintln!("{} is out: {error}", server.peer.name);
        }
        outcomes.push(Outcome {
            peer: server.peer,
            mount_options: server.mount_options().unwrap_or_default(),
            failed: None,
            memory: server.status("VmRSS").unwrap_or(0),
            threads: server.status("Threads").unwrap_or(0),
            peak: 0,
            threads_after: 0,
            costs: BTreeMap::new(),
            slow: None,
        });
    }
    outcomes
}

/// Lists the large directory once: all that are measured later are of inodes that the kernel knows,
/// however far each server gets in the time of a measurement.
fn list_all(places: &Places, servers: &mut [Server]) {
    for server in servers {
        if interrupted() || server.failed.is_some() {
            continue;
        }
        eprintln!("listing all of {} once", server.peer.name);
        let command = rounds::client(places, server, &["list-all", "1", "times", "1"]);
        if let Err(error) = client::run(server, command, Duration::from_secs(30), None) {
            eprintln!("{} is out: {error}", server.peer.name);
        }
    }
}

/// What one server's mount has to do for the kernel, that of another has to do as well.
fn check_mount_options(outcomes: &[Outcome]) {
    // `nosuid` and `nodev` make no difference to these measurements.
    let super_options =
        |outcome: &Outcome| outcome.mount_options.split(' ').nth(1).map(str::to_owned);
    let Some(first) = outcomes.first() else {
        return;
    };
    for outcome in outcomes {
        if super_options(outcome) != super_options(first) {
            let (name, options) = (outcome.peer.name, &outcome.mount_options);
            eprintln!("{name} is mounted differently: {options}");
        }
    }
}

/// How long what follows the rounds is expected to take.
fn reserve(options: &Options, tests: &[rounds::Test], servers: usize) -> Duration {
    let costs = cost::operations(options.quick, tests).len() * servers;
    let cost = Duration::from_millis(600) * costs as u32;
    // Half of the servers are done with it in two seconds.
    let slow = Duration::from_millis(if options.quick { 3300 } else { 5200 }) * servers as u32;
    let cost = if options.cost { cost } else { Duration::ZERO };
    let slow = if options.slow { slow } else { Duration::ZERO };
    // No matter what, half of the time is for the rounds.
    (cost + slow).min(options.total() / 2)
}

/// How many messages each operation makes the kernel send, if there is a floor to count them.
fn count_messages(
    places: &Places,
    tests: &[rounds::Test],
    servers: &mut [Server],
) -> BTreeMap<&'static str, f64> {
    let mut messages = BTreeMap::new();
    let Some(floor) = servers.iter_mut().find(|server| server.peer.is_floor()) else {
        return messages;
    };
    for operation in rounds::SMALL.into_iter().chain(rounds::LARGE) {
        let wanted = tests.iter().any(|test| test.operation == operation);
        if wanted && floor.failed.is_none() && !interrupted() {
            let counted = cost::messages_per_operation(places, floor, operation, 1000);
            messages.extend(counted.map(|count| (operation, count)));
        }
    }
    messages
}

fn write(places: &Places, results: &Results<'_>) -> Result<(), String> {
    let markdown = results.to_markdown();
    print!("{markdown}");
    let json =
        serde_json::to_string_pretty(&results.to_json()).map_err(|error| error.to_string())?;
    for (name, text) in [("report.md", markdown), ("report.json", json + "\n")] {
        let path = places.output.join(name);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        eprintln!("written: {}", path.display());
    }
    Ok(())
}
