//! What this library has set out to reach, compared with what was measured.

use crate::report::Results;
use crate::rounds::FOUR;
use crate::rounds::FREE;
use crate::rounds::LARGE;
use crate::rounds::SMALL;
use crate::rounds::Setting;
use crate::rounds::TOGETHER;

/// One goal. More is better.
pub struct Target {
    pub what: String,
    pub wanted: f64,
    pub is: f64,
    /// What there would be without any library.
    pub floor: Option<f64>,
    unit: Unit,
}

#[derive(Clone, Copy, PartialEq)]
enum Unit {
    /// Relative to another server.
    Times,
    /// Seconds, threads or MB: less is better after all.
    AtMost(&'static str),
}

impl Target {
    pub fn is_met(&self) -> bool {
        match self.unit {
            Unit::Times => self.is >= self.wanted,
            Unit::AtMost(_) => self.is <= self.wanted,
        }
    }

    /// By how much it is missed, if it is.
    pub fn missing(&self) -> Option<String> {
        let text = match self.unit {
            Unit::Times => format!("{:.0} %", (1.0 - self.is / self.wanted) * 100.0),
            Unit::AtMost(unit) => format!("{:.1} {unit}", self.is - self.wanted),
        };
        (!self.is_met()).then(|| text.trim_end().to_owned())
    }

    pub fn wanted_text(&self) -> String {
        match self.unit {
            Unit::Times => format!("at least {:.2}", self.wanted),
            Unit::AtMost(unit) => format!("at most {:.1} {unit}", self.wanted),
        }
    }

    pub fn is_text(&self) -> String {
        match self.unit {
            Unit::Times => format!("{:.2}", self.is),
            Unit::AtMost(unit) => format!("{:.1} {unit}", self.is),
        }
    }
}

const ONE: &str = "ours-1";
const TWO: &str = "ours-2";
const C: [&str; 3] = ["c", "c-mt", "c-mt-clone"];
const FUSER: [&str; 2] = ["fuser-1", "fuser-2"];
const FUSE3: [&str; 2] = ["fuse3-1", "fuse3-2"];
/// Its other way to mount, with another loop.
const FUSE3_ROOT: &str = "fuse3-root";

/// The goals that can be judged by what was measured.
pub fn check(results: &Results<'_>) -> Vec<Target> {
    let mut targets = Vec::new();
    // At least `wanted` times the best of `others`.
    let mut compare =
        |operation: &str, setting: Setting, ours: &str, others: &[&str], wanted: f64| {
            let ratios = others.iter().filter_map(|other| {
                Some((results.ratio(ours, other, operation, setting)?, *other))
            });
            if let Some((is, other)) = ratios.min_by(|a, b| a.0.total_cmp(&b.0)) {
                let what = format!("{operation}, {setting}: {ours} / {other}");
                let floor = if ours == ONE { "floor-1" } else { "floor-2" };
                targets.push(Target {
                    what,
                    wanted,
                    is,
                    floor: results.ratio(floor, other, operation, setting),
                    unit: Unit::Times,
                });
            }
        };
    for setting in [TOGETHER, FREE] {
        for operation in SMALL {
            if operation != "stat" {
                compare(operation, setting, ONE, &["c"], 0.97);
                compare(operation, setting, ONE, &FUSE3, 2.5);
                compare(operation, setting, ONE, &[FUSE3_ROOT], 2.5);
                compare(operation, setting, ONE, &["pyfuse3"], 3.0);
                compare(operation, setting, ONE, &["fuser-1"], 1.0);
            }
        }
        for operation in LARGE {
            match operation {
                "list" => {
                    let all = [&C[..], &FUSER, &FUSE3, &[FUSE3_ROOT, "pyfuse3"]].concat();
                    compare(operation, setting, ONE, &all, 1.0);
                }
                _ => compare(operation, setting, ONE, &[&C[..], &FUSER].concat(), 1.0),
            }
        }
    }
    for operation in SMALL.into_iter().chain(LARGE) {
        compare(operation, FOUR, TWO, &C[1..], 1.0);
        compare(operation, FOUR, TWO, &FUSER[1..], 1.0);
    }

    let mut at_most = |what: &str, is: f64, wanted: f64, unit: &'static str| {
        let (what, unit) = (what.to_owned(), Unit::AtMost(unit));
        targets.push(Target {
            what,
            wanted,
            is,
            floor: None,
            unit,
        });
    };
    let ours = results.outcome(ONE);
    if let Some(slow) = ours.and_then(|ours| ours.slow.as_ref()) {
        at_most("slow reads: all done", slow.total().as_secs_f64(), 1.5, "s");
        let more = slow.threads - slow.threads_before;
        at_most("slow reads: more threads", more as f64, 0.0, "");
        at_most("slow reads: memory", megabytes(slow.peak), 64.0, "MB");
    }
    if let (Some(ours), Some(c)) = (ours, results.outcome("c")) {
        let wanted = megabytes(c.memory) + 4.0;
        at_most("memory at rest", megabytes(ours.memory), wanted, "MB");
    }
    targets
}

fn megabytes(kib: u64) -> f64 {
    kib as f64 * 1024.0 / 1e6
}
