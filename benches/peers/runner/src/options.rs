//! The command line.

use std::time::Duration;

pub const USAGE: &str = "\
usage: make bench BENCH_FLAGS=\"[OPTION]...\"        (or bench-quick)

  --quick              two minutes instead of fifteen: fewer and shorter rounds, fewer servers
  --minutes N          how long to measure at most
  --rounds N           how often each measurement is made; medians are shown
  --peers NAME,...     only these servers (c, c-mt, c-mt-clone, fuser-1, ..., ours-1, ours-2, ours-busy,
                       floor-1, ...)
  --tests NAME,...     only these measurements (getattr, lookup, stat, open, create, read-4k, ..., list)
  --no-cost            no system calls, context switches and instructions per request
  --no-slow            no reads of the slow file
  --build NAME,...     only this: build these servers and the client
  --soak N             only this: N million requests to ours-1, and what memory it takes all the while
  --help

  BENCH_NO_INTERRUPT=1 in the environment has ours-1, ours-2 and ours-busy ask for no_interrupt, with
  libfuse 3.17 and later: the kernel keeps interruptions to itself, which saves libfuse a lock for each
  request
";

#[derive(Clone, Debug)]
pub struct Options {
    pub quick: bool,
    pub minutes: f64,
    pub rounds: usize,
    pub peers: Option<Vec<String>>,
    pub tests: Option<Vec<String>>,
    pub cost: bool,
    pub slow: bool,
    /// In millions of requests.
    pub soak: Option<u64>,
    pub build_only: bool,
}

impl Options {
    /// `None` if only help is wanted.
    pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut quick = false;
        let mut minutes = None;
        let mut rounds = None;
        let mut options = Self {
            quick,
            minutes: 0.0,
            rounds: 0,
            peers: None,
            tests: None,
            cost: true,
            slow: true,
            soak: None,
            build_only: false,
        };
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            let mut value = || {
                let value = arguments.next();
                value.ok_or_else(|| format!("{argument} needs a value"))
            };
            match argument.as_str() {
                "--quick" => quick = true,
                "--minutes" => minutes = Some(number(&value()?)?),
                "--rounds" => rounds = Some(number(&value()?)?),
                "--peers" => options.peers = Some(list(&value()?)),
                "--tests" => options.tests = Some(list(&value()?)),
                "--no-cost" => options.cost = false,
                "--no-slow" => options.slow = false,
                "--build" => {
                    options.peers = Some(list(&value()?));
                    options.build_only = true;
                }
                "--soak" => options.soak = Some(number(&value()?)?),
                "--help" | "-h" => return Ok(None),
                _ => return Err(format!("unknown option {argument}; try --help")),
            }
        }
        options.quick = quick;
        options.minutes = minutes.unwrap_or(if quick { 1.8 } else { 14.0 });
        options.rounds = rounds.unwrap_or(if quick { 2 } else { 5 });
        if options.rounds == 0 {
            return Err("--rounds must be at least 1".to_owned());
        }
        Ok(Some(options))
    }

    pub fn total(&self) -> Duration {
        Duration::from_secs_f64(self.minutes.max(0.0) * 60.0)
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| format!("{text} is no number here"))
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::to_owned).collect()
}
