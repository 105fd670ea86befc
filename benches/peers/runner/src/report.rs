//! The tables, and the JSON file.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;
use serde_json::json;

use crate::cost;
use crate::cost::Costs;
use crate::machine::Machine;
use crate::options::Options;
use crate::peers::Peer;
use crate::peers::REFERENCE;
use crate::rounds::LARGE;
use crate::rounds::Rates;
use crate::rounds::SETTINGS;
use crate::rounds::SMALL;
use crate::rounds::Setting;
use crate::rounds::Test;
use crate::slow::Slow;
use crate::targets;

/// What became of one server.
pub struct Outcome {
    pub peer: Peer,
    pub mount_options: String,
    pub failed: Option<String>,
    /// Memory in KiB and threads once it was mounted and asked for one file's attributes.
    pub memory: u64,
    pub threads: u64,
    /// The most memory, and the threads, at the end of all rounds.
    pub peak: u64,
    pub threads_after: u64,
    pub costs: BTreeMap<&'static str, Costs>,
    pub slow: Option<Slow>,
}

pub struct Results<'a> {
    pub machine: &'a Machine,
    pub options: &'a Options,
    pub tools: String,
    /// By number of server.
    pub outcomes: Vec<Outcome>,
    pub rates: Vec<Rates>,
    /// Servers that are not here, and why.
    pub left_out: Vec<(Peer, String)>,
    pub messages: BTreeMap<&'static str, f64>,
}

impl Results<'_> {
    pub fn server(&self, name: &str) -> Option<usize> {
        self.outcomes
            .iter()
            .position(|outcome| outcome.peer.name == name)
    }

    pub fn outcome(&self, name: &str) -> Option<&Outcome> {
        self.server(name).map(|server| &self.outcomes[server])
    }

    pub fn rates(&self, name: &str, operation: &str, setting: Setting) -> Option<&Rates> {
        let server = self.server(name)?;
        self.rates.iter().find(|rates| {
            let test = rates.test;
            rates.server == server && test.setting == setting && test.operation == operation
        })
    }

    /// How often `a` does it for each time that `b` does.
    pub fn ratio(&self, a: &str, b: &str, operation: &str, setting: Setting) -> Option<f64> {
        let a = self.rates(a, operation, setting)?;
        a.ratio(self.rates(b, operation, setting)?)
    }

    pub fn to_markdown(&self) -> String {
        let mut text = String::new();
        self.facts(&mut text);
        for setting in SETTINGS {
            self.rate_table(&mut text, "Small requests", &SMALL, setting);
            let title = "Large requests, and entries listed";
            self.rate_table(&mut text, title, &LARGE, setting);
        }
        self.cost_tables(&mut text);
        self.memory_table(&mut text);
        self.slow_table(&mut text);
        self.target_table(&mut text);
        text
    }

    fn facts(&self, text: &mut String) {
        for (name, value) in &self.machine.facts {
            _ = writeln!(text, "- {name}: {value}");
        }
        let rounds = self.options.rounds;
        _ = writeln!(text, "- rounds: {rounds}");
        if let Ok(value) = std::env::var("BENCH_NO_INTERRUPT") {
            _ = writeln!(text, "- `BENCH_NO_INTERRUPT`: {value}");
        }
        for outcome in &self.outcomes {
            let Outcome { peer, failed, .. } = outcome;
            _ = writeln!(text, "- `{}`: {}", peer.name, peer.title);
            if let Some(failed) = failed {
                _ = writeln!(text, "    - **failed**: {failed}");
            }
        }
        for (peer, why) in &self.left_out {
            _ = writeln!(text, "- `{}` is left out: {why}", peer.name);
        }
        if let Some(most) = self.machine.is_busy() {
            let most = most * 100.0;
            _ = writeln!(
                text,
                "\n**Others used up to {most:.0} % of the processors: do not rely on these figures.**"
            );
        }
    }

    fn rate_table(&self, text: &mut String, title: &str, operations: &[&str], setting: Setting) {
        let measured = |operation: &&&str| {
            let mut tests = self.rates.iter().map(|rates| rates.test);
            tests.any(|test| test.operation == **operation && test.setting == setting)
        };
        let operations: Vec<&str> = operations.iter().filter(measured).copied().collect();
        if operations.is_empty() {
            return;
        }
        _ = writeln!(
            text,
            "\n### {title}: {setting}\n\nPer second; in brackets relative to `{REFERENCE}`.\n"
        );
        let header = std::iter::once("").chain(operations.iter().copied());
        let mut table = vec![header.map(str::to_owned).collect()];
        for outcome in &self.outcomes {
            let name = outcome.peer.name;
            let mut row = vec![format!("`{name}`")];
            for operation in &operations {
                let rates = self.rates(name, operation, setting);
                let rate = rates.and_then(Rates::median).map(rate);
                let ratio = self.ratio(name, REFERENCE, operation, setting);
                row.push(match (rate, ratio) {
                    (Some(rate), Some(ratio)) => format!("{rate} ({ratio:.2})"),
                    (Some(rate), None) => rate,
                    (None, _) => "-".to_owned(),
                });
            }
            table.push(row);
        }
        let mut row = vec![format!("`{REFERENCE}`, highest / lowest")];
        for operation in &operations {
            let rates = self.rates(REFERENCE, operation, setting);
            let spread = rates.and_then(Rates::spread);
            row.push(spread.map_or("-".to_owned(), |spread| format!("{spread:.2}")));
        }
        table.push(row);
        write_table(text, &table);
    }

    fn cost_tables(&self, text: &mut String) {
        let columns: [(&str, &str, usize); 6] = [
            ("system_calls", "system calls", 2),
            ("reads_and_writes", "reads and writes", 2),
            ("context_switches", "context switches", 2),
            ("user_instructions", "instructions, user", 0),
            ("kernel_instructions", "instructions, kernel", 0),
            ("cpu_microseconds", "processor time, µs", 2),
        ];
        let mut operations: Vec<&str> = Vec::new();
        for operation in SMALL.iter().chain(&LARGE) {
            if self
                .outcomes
                .iter()
                .any(|outcome| outcome.costs.contains_key(operation))
            {
                operations.push(operation);
            }
        }
        if !operations.is_empty() {
            _ = writeln!(
                text,
                "\n### What a request costs the server: {}\n\nCounted by {}.",
                cost::SETTING,
                self.tools
            );
        }
        for operation in operations {
            let used = columns.iter().filter(|(key, ..)| {
                self.outcomes.iter().any(|outcome| {
                    let costs = outcome.costs.get(operation);
                    costs.is_some_and(|costs| costs.contains_key(key))
                })
            });
            let used: Vec<_> = used.collect();
            let header = used.iter().map(|(_, title, _)| (*title).to_owned());
            let mut table = vec![
                std::iter::once(operation.to_owned())
                    .chain(header)
                    .collect::<Vec<_>>(),
            ];
            for outcome in &self.outcomes {
                let Some(costs) = outcome.costs.get(operation) else {
                    continue;
                };
                let mut row = vec![format!("`{}`", outcome.peer.name)];
                for (key, _, digits) in &used {
                    let cell = costs.get(key).map(|value| format!("{value:.digits$}"));
                    row.push(cell.unwrap_or("-".to_owned()));
                }
                table.push(row);
            }
            text.push('\n');
            write_table(text, &table);
        }
        if !self.messages.is_empty() {
            let list = self.messages.iter();
            let list: Vec<_> = list
                .map(|(operation, count)| format!("{operation} {count:.2}"))
                .collect();
            _ = writeln!(
                text,
                "\nMessages of the kernel for each operation: {}.",
                list.join(", ")
            );
        }
    }

    fn memory_table(&self, text: &mut String) {
        _ = writeln!(
            text,
            "\n### Memory and threads\n\nResident memory in MB, before and at most during the rounds.\n"
        );
        let header = ["", "memory at rest", "peak", "threads at rest", "after"];
        let mut table = vec![header.map(str::to_owned).to_vec()];
        for outcome in &self.outcomes {
            table.push(vec![
                format!("`{}`", outcome.peer.name),
                megabytes(outcome.memory),
                megabytes(outcome.peak),
                outcome.threads.to_string(),
                outcome.threads_after.to_string(),
            ]);
        }
        write_table(text, &table);
    }

    fn slow_table(&self, text: &mut String) {
        if self.outcomes.iter().all(|outcome| outcome.slow.is_none()) {
            return;
        }
        _ = writeln!(
            text,
            "\n### {} reads at once that take a second each\n",
            crate::slow::READS
        );
        let header = [
            "",
            "all done after",
            "measured with",
            "threads",
            "peak memory, MB",
        ];
        let mut table = vec![header.map(str::to_owned).to_vec()];
        for outcome in &self.outcomes {
            let Some(slow) = &outcome.slow else { continue };
            let seconds = slow.total().as_secs_f64();
            let total = match slow.is_extrapolated() {
                false => format!("{seconds:.2} s"),
                true if slow.reads == 0 => "-".to_owned(),
                true => format!("{seconds:.0} s, extrapolated"),
            };
            let time = slow.time.as_secs_f64();
            let mut how = format!("{} reads: {time:.2} s", slow.reads);
            if let Some(failed) = &slow.failed {
                _ = write!(how, "; {failed}");
            }
            table.push(vec![
                format!("`{}`", outcome.peer.name),
                total,
                how,
                match slow.threads - slow.threads_before {
                    0 => slow.threads.to_string(),
                    more => format!("{} (+{more})", slow.threads),
                },
                megabytes(slow.peak),
            ]);
        }
        write_table(text, &table);
    }

    fn target_table(&self, text: &mut String) {
        let targets = targets::check(self);
        if targets.is_empty() {
            return;
        }
        let met = targets.iter().filter(|target| target.is_met()).count();
        let all = targets.len();
        _ = writeln!(text, "\n### Targets: {met} of {all} met\n");
        let header = ["target", "wanted", "is", "", "floor"];
        let mut table = vec![header.map(str::to_owned).to_vec()];
        for target in targets {
            let missing = target.missing();
            let met = missing.map_or("met".to_owned(), |by| format!("**missed** by {by}"));
            table.push(vec![
                target.what.clone(),
                target.wanted_text(),
                target.is_text(),
                met,
                target
                    .floor
                    .map_or("".to_owned(), |floor| format!("{floor:.2}")),
            ]);
        }
        write_table(text, &table);
    }

    pub fn to_json(&self) -> Value {
        let mut servers = serde_json::Map::new();
        for (number, outcome) in self.outcomes.iter().enumerate() {
            let mut rates = serde_json::Map::new();
            for each in self.rates.iter().filter(|rates| rates.server == number) {
                let Test { operation, setting } = each.test;
                let place = if setting.one_processor {
                    "-together"
                } else {
                    ""
                };
                let name = format!("{operation}/{}{place}", setting.threads);
                let peer = outcome.peer.name;
                let ratio = self.ratio(peer, REFERENCE, operation, setting);
                let value = json!({
                    "median": each.median(),
                    "ratio": ratio,
                    "rounds": each.rounds,
                });
                rates.insert(name, value);
            }
            let slow = outcome.slow.as_ref().map(|slow| {
                json!({
                    "reads": slow.reads,
                    "seconds": slow.time.as_secs_f64(),
                    "seconds_for_all": slow.total().as_secs_f64(),
                    "extrapolated": slow.is_extrapolated(),
                    "threads_before": slow.threads_before,
                    "threads": slow.threads,
                    "peak_kib": slow.peak,
                    "failed": slow.failed,
                })
            });
            let value = json!({
                "title": outcome.peer.title,
                "failed": outcome.failed,
                "mount_options": outcome.mount_options,
                "memory_kib": outcome.memory,
                "peak_kib": outcome.peak,
                "threads": outcome.threads,
                "threads_after": outcome.threads_after,
                "per_second": rates,
                "per_request": outcome.costs,
                "slow": slow,
            });
            servers.insert(outcome.peer.name.to_owned(), value);
        }
        let left_out = self.left_out.iter();
        let left_out: serde_json::Map<_, _> = left_out
            .map(|(peer, why)| (peer.name.to_owned(), json!(why)))
            .collect();
        let targets = targets::check(self);
        let targets = targets.iter().map(|target| {
            json!({
                "what": target.what,
                "wanted": target.wanted,
                "is": target.is,
                "floor": target.floor,
                "met": target.is_met(),
            })
        });
        json!({
            "machine": self.machine.to_json(),
            "rounds": self.options.rounds,
            "quick": self.options.quick,
            "counted_by": self.tools,
            "servers": servers,
            "left_out": left_out,
            "messages_per_operation": self.messages,
            "targets": targets.collect::<Vec<_>>(),
        })
    }
}

/// A number per second, short.
fn rate(rate: f64) -> String {
    match rate {
        1e6.. => format!("{:.2}M", rate / 1e6),
        1e5.. => format!("{:.0}k", rate / 1e3),
        1e4.. => format!("{:.1}k", rate / 1e3),
        1e3.. => format!("{:.2}k", rate / 1e3),
        _ => format!("{rate:.0}"),
    }
}

fn megabytes(kib: u64) -> String {
    format!("{:.1}", kib as f64 * 1024.0 / 1e6)
}

/// Rows of cells, the first of them the header, as a table that reads well in a terminal, too.
fn write_table(text: &mut String, table: &[Vec<String>]) {
    let columns = table.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = table.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..columns).map(|column| width(column).max(3)).collect();
    for (number, row) in table.iter().enumerate() {
        text.push('|');
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            match column {
                0 => _ = write!(text, " {cell:<width$} |"),
                _ => _ = write!(text, " {cell:>width$} |"),
            }
        }
        text.push('\n');
        if number == 0 {
            text.push('|');
            for (column, width) in widths.iter().enumerate() {
                let line = "-".repeat(width + 1);
                match column {
                    0 => _ = write!(text, "{line}-|"),
                    _ => _ = write!(text, "{line}:|"),
                }
            }
            text.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_aligned() {
        let mut text = String::new();
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        write_table(&mut text, &[row(["", "rate"]), row(["ours", "1"])]);
        assert_eq!(text, "|      | rate |\n|------|-----:|\n| ours |    1 |\n");
    }

    #[test]
    fn rates_have_three_digits() {
        let rates = [12.3, 999.0, 1234.0, 12345.0, 123_456.0, 1_234_567.0].map(rate);
        assert_eq!(rates, ["12", "999", "1.23k", "12.3k", "123k", "1.23M"]);
    }
}
