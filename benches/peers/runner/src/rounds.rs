//! The rounds: each measurement on all servers in turn, over and over.

use std::fmt;
use std::process::Command;
use std::time::Duration;
use std::time::Instant;

use crate::client;
use crate::interrupted;
use crate::machine::Machine;
use crate::options::Options;
use crate::peers::Places;
use crate::placement::OneProcessor;
use crate::server::Server;

/// What the client can do, in the order of the tables.
pub const SMALL: [&str; 7] = [
    "getattr", "lookup", "stat", "open", "create", "read-4k", "write-4k",
];
pub const LARGE: [&str; 5] = ["read-128k", "write-128k", "read-1m", "write-1m", "list"];

/// How many client threads there are, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    pub threads: usize,
    /// Client and server share one processor.
    pub one_processor: bool,
}

pub const TOGETHER: Setting = Setting {
    threads: 1,
    one_processor: true,
};
pub const FREE: Setting = Setting {
    threads: 1,
    one_processor: false,
};
pub const FOUR: Setting = Setting {
    threads: 4,
    one_processor: false,
};
pub const SETTINGS: [Setting; 3] = [TOGETHER, FREE, FOUR];

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.threads, self.one_processor) {
            (1, true) => write!(f, "1 client thread on the server's processor"),
            (1, false) => write!(f, "1 client thread"),
            (threads, _) => write!(f, "{threads} client threads"),
        }
    }
}

/// A measurement shorter than this says nothing.
const SHORTEST: Duration = Duration::from_millis(20);
/// How much longer than asked for a client may take before its server is given up.
const GRACE: Duration = Duration::from_secs(20);

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Test {
    pub operation: &'static str,
    pub setting: Setting,
}

/// The rates of one server in one test, by round; `None` where it failed.
#[derive(Clone, Debug)]
pub struct Rates {
    pub test: Test,
    pub server: usize,
    pub rounds: Vec<Option<f64>>,
}

pub fn tests(options: &Options) -> Result<Vec<Test>, String> {
    let known = || SMALL.into_iter().chain(LARGE);
    let wanted = |name: &str| {
        let names = options.tests.as_ref();
        names.is_none_or(|names| names.iter().any(|wanted| wanted == name))
    };
    for name in options.tests.iter().flatten() {
        if !known().any(|known| known == name) {
            let known: Vec<_> = known().collect();
            return Err(format!(
                "no test is called {name}; these are: {}",
                known.join(", ")
            ));
        }
    }
    let tests = SETTINGS
        .into_iter()
        .flat_map(|setting| known().map(move |operation| Test { operation, setting }));
    Ok(tests.filter(|test| wanted(test.operation)).collect())
}

/// The client on a server's mount.
pub fn client(places: &Places, server: &Server, arguments: &[&str]) -> Command {
    let mut command = Command::new(places.client());
    command.arg(server.mountpoint()).args(arguments);
    command
}

/// Measures everything, so that it is done by `end`.
pub fn measure(
    places: &Places,
    options: &Options,
    machine: &mut Machine,
    tests: &[Test],
    servers: &mut [Server],
    end: Instant,
) -> Vec<Rates> {
    let mut all: Vec<Rates> = Vec::new();
    for &test in tests {
        for server in 0..servers.len() {
            let rounds = Vec::new();
            all.push(Rates {
                test,
                server,
                rounds,
            });
        }
    }
    let per_round = all.len().max(1) as u32;
    let rounds = options.rounds as u32;
    let begin = Instant::now();
    // Starting a client, and warming up.
    let mut overhead = Duration::from_millis(15);
    for round in 0..rounds {
        machine.watch();
        if round == 0 && machine.is_busy().is_some() {
            eprintln!("The machine is busy: do not rely on the figures.");
        }
        let left = end.saturating_duration_since(Instant::now());
        let slot = left / per_round / (rounds - round);
        // The client warms up for a fifth of the time that it measures.
        let time = (slot.saturating_sub(overhead) * 5 / 6).max(SHORTEST);
        let round_begin = Instant::now();
        for (index, test) in tests.iter().enumerate() {
            progress(round, rounds, test, index, tests.len(), begin, end);
            for turn in 0..servers.len() {
                // Whoever is first in one round is not in the next.
                let number = (turn + round as usize) % servers.len();
                let rate = measure_one(places, test, time, &mut servers[number]);
                let rates = &mut all[index * servers.len() + number];
                rates.rounds.push(rate);
                if interrupted() {
                    return all;
                }
            }
        }
        let took = round_begin.elapsed() / per_round;
        overhead = took.saturating_sub(time * 6 / 5);
    }
    all
}

fn measure_one(places: &Places, test: &Test, time: Duration, server: &mut Server) -> Option<f64> {
    if server.failed.is_some() {
        return None;
    }
    let Test { operation, setting } = test;
    let threads = setting.threads.to_string();
    let seconds = time.as_secs_f64().to_string();
    let mut command = client(places, server, &[operation, &threads, "for", &seconds]);
    let _placed = match setting.one_processor {
        true => OneProcessor::new(server, &mut command),
        false => None,
    };
    match client::run(server, command, time * 2 + GRACE, None) {
        Ok(measured) => Some(measured.per_second()),
        Err(error) if interrupted() => {
            let _ = error;
            None
        }
        Err(error) => {
            let name = server.peer.name;
            eprintln!("{name} is out: {operation}, {setting}: {error}");
            None
        }
    }
}

fn progress(
    round: u32,
    rounds: u32,
    test: &Test,
    index: usize,
    tests: usize,
    begin: Instant,
    end: Instant,
) {
    let done = f64::from(round) + index as f64 / tests as f64;
    let percent = done / f64::from(rounds) * 100.0;
    let left = end.saturating_duration_since(Instant::now()).as_secs();
    let Test { operation, setting } = test;
    eprintln!(
        "round {} of {rounds}: {operation}, {setting} \
         [{percent:.0} %, {}:{:02} gone, {}:{:02} left]",
        round + 1,
        begin.elapsed().as_secs() / 60,
        begin.elapsed().as_secs() % 60,
        left / 60,
        left % 60,
    );
}

/// The middle one; of two in the middle their mean.
pub fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    match numbers.len() {
        0 => None,
        len if len % 2 == 1 => Some(numbers[middle]),
        _ => Some(numbers[middle - 1].midpoint(numbers[middle])),
    }
}

impl Rates {
    pub fn median(&self) -> Option<f64> {
        median(self.rounds.iter().copied().flatten().collect())
    }

    /// The highest rate by the lowest: 1 where nothing else disturbs.
    pub fn spread(&self) -> Option<f64> {
        let rates = || self.rounds.iter().copied().flatten();
        let highest = rates().reduce(f64::max)?;
        let lowest = rates().reduce(f64::min)?;
        Some(highest / lowest)
    }

    /// The median of the ratios to another server in the same round, a few seconds apart.
    pub fn ratio(&self, other: &Self) -> Option<f64> {
        let pairs = self.rounds.iter().zip(&other.rounds);
        median(pairs.filter_map(|(a, b)| Some((*a)? / (*b)?)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_in_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn ratios_are_made_within_rounds() {
        let rates = |rounds: &[f64]| Rates {
            test: Test {
                operation: "getattr",
                setting: FREE,
            },
            server: 0,
            rounds: rounds.iter().map(|rate| Some(*rate)).collect(),
        };
        // A machine that gets slower and slower.
        let (a, b) = (rates(&[90.0, 45.0, 9.0]), rates(&[100.0, 50.0, 10.0]));
        assert_eq!(a.ratio(&b), Some(0.9));
    }
}
