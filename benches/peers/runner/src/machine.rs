//! What the measurements were made on.

use std::fs;
use std::process::Command;

use serde_json::Value;
use serde_json::json;

use crate::peers::Places;
use crate::peers::output;

pub struct Machine {
    /// What it is, and which it is.
    pub facts: Vec<(&'static str, String)>,
    pub load: f64,
}

impl Machine {
    pub fn look(places: &Places) -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let load = read("/proc/loadavg");
        let load = load.split(' ').next().and_then(|load| load.parse().ok());
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
            load: load.unwrap_or(0.0),
        }
    }

    pub fn is_busy(&self) -> bool {
        self.load > 0.5
    }

    pub fn to_json(&self) -> Value {
        let facts = self.facts.iter();
        let mut object: serde_json::Map<_, _> = facts
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect();
        object.insert("load".to_owned(), json!(self.load));
        Value::Object(object)
    }
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
