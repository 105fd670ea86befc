//! What the measurements were made on.

use std::fs;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::peers::Places;
use crate::peers::output;

const WATCH: Duration = Duration::from_millis(300);
const MUCH: f64 = 0.05;

pub struct Machine {
    /// What it is, and which it is.
    pub facts: Vec<(&'static str, String)>,
    /// The part of all processors' time that others used, before each round.
    pub used_by_others: Vec<f64>,
}

impl Machine {
    pub fn look(places: &Places) -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let cpuinfo = read("/proc/cpuinfo");
        let cpu = cpuinfo
            .lines()
            .find_map(|line| line.strip_prefix("model name"))
            .map_or("unknown", |cpu| cpu.trim_start_matches([':', '\t', ' ']));
        let cpus = std::thread::available_parallelism().map_or(0, usize::from);
        let unknown = |result: Result<String, String>| result.unwrap_or("unknown".to_owned());
        let lock = fs::read_to_string(places.source.join("Cargo.lock")).unwrap_or_default();
        let python = places.output.join("venv/bin/python");
        let pyfuse3 = output(Command::new(python).args([
            "-c",
            "import sys, pyfuse3; print(pyfuse3.__version__, 'on Python', sys.version.split()[0])",
        ]));
        let git = places.source.join("../..");
        let commit = output(
            Command::new("git")
                .arg("-C")
                .arg(git)
                .args(["describe", "--always", "--dirty"]),
        );
        let facts = vec![
            (
                "date",
                unknown(output(Command::new("date").arg("+%Y-%m-%d %H:%M"))),
            ),
            (
                "kernel",
                read("/proc/sys/kernel/osrelease").trim().to_owned(),
            ),
            ("processor", format!("{cpu}, {cpus} in use")),
            (
                "libfuse",
                unknown(output(
                    Command::new("pkg-config").args(["--modversion", "fuse3"]),
                )),
            ),
            ("rustc", unknown(output(Command::new("rustc").arg("-V")))),
            ("libfuse3 (this library)", unknown(commit)),
            ("fuser", locked(&lock, "fuser")),
            ("fuse3", locked(&lock, "fuse3")),
            ("tokio", locked(&lock, "tokio")),
            ("pyfuse3", pyfuse3.unwrap_or("not there".to_owned())),
        ];
        Self {
            facts,
            used_by_others: Vec::new(),
        }
    }

    /// Looks what others do while we do nothing. (The load average would be of no use: it has the ten
    /// thousand threads of an earlier run in it.)
    pub fn watch(&mut self) {
        let used = used_processors();
        sleep(WATCH);
        if let (Some((busy, all)), Some((busy_then, all_then))) = (used_processors(), used) {
            let (busy, all) = (busy - busy_then, all - all_then);
            self.used_by_others.push(busy / all.max(1.0));
        }
    }

    /// The most that others used, if it was so much that the figures are of no use.
    pub fn is_busy(&self) -> Option<f64> {
        let most = self.used_by_others.iter().copied().reduce(f64::max)?;
        (most > MUCH).then_some(most)
    }

    pub fn to_json(&self) -> Value {
        let facts = self.facts.iter();
        let mut object: serde_json::Map<_, _> = facts
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect();
        object.insert("used_by_others".to_owned(), json!(self.used_by_others));
        Value::Object(object)
    }
}

/// The time that all processors were busy, and all time, in ticks.
fn used_processors() -> Option<(f64, f64)> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let fields = stat.lines().next()?.strip_prefix("cpu ")?;
    // user, nice, system, idle, iowait, irq, softirq, steal
    let fields = fields.split_whitespace().take(8);
    let ticks: Vec<f64> = fields.filter_map(|field| field.parse().ok()).collect();
    let all = ticks.iter().sum::<f64>();
    Some((all - ticks.get(3)? - ticks.get(4)?, all))
}

/// The version of a package in a Cargo.lock.
fn locked(lock: &str, package: &str) -> String {
    let mut lines = lock.lines();
    let name = format!("name = \"{package}\"");
    let version = lines
        .by_ref()
        .find(|line| **line == name)
        .and_then(|_| lines.next())
        .and_then(|line| line.strip_prefix("version = \""));
    version
        .map_or("unknown", |version| version.trim_end_matches('"'))
        .to_owned()
}
