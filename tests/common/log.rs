//! Log lines, each kept for the test that it belongs to.

use std::num::NonZeroU64;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::Once;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;

use rustix::thread::current_timer_slack;
use rustix::thread::set_current_timer_slack;

use super::PATIENCE;

/// What was logged.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) level: log::Level,
    pub(crate) target: String,
    pub(crate) text: String,
    /// The mark of the test on whose threads it was logged; `None` for threads that tests share.
    test: Option<u64>,
}

/// Tests run on threads of one process. Each marks its thread by a timer slack of its own, some
/// nanoseconds longer than what is usual: Linux hands that down to the threads that are started from
/// it, hence to the sessions and readers of the test's mounts.
const FIRST_MARK: u64 = 50_001;
static NEXT_MARK: AtomicU64 = AtomicU64::new(FIRST_MARK);

static LOGGER: Logger = Logger {
    lines: Mutex::new(Vec::new()),
    added: Condvar::new(),
};

struct Logger {
    lines: Mutex<Vec<Line>>,
    added: Condvar,
}

/// Starts recording, and marks this thread as that of a test.
pub(crate) fn install() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        log::set_logger(&LOGGER).expect("the only logger");
        log::set_max_level(log::LevelFilter::Info);
    });
    if mark().is_none() {
        let mark = NEXT_MARK.fetch_add(1, Ordering::Relaxed);
        set_current_timer_slack(NonZeroU64::new(mark)).expect("marked");
    }
}

fn mark() -> Option<u64> {
    let shared = thread::current()
        .name()
        .is_some_and(|name| name.starts_with("blocking-") || name == "async-io");
    let slack = current_timer_slack().ok();
    slack.filter(|slack| !shared && (FIRST_MARK..NEXT_MARK.load(Ordering::Relaxed)).contains(slack))
}

impl Logger {
    fn lines(&self) -> MutexGuard<'_, Vec<Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the library says of itself at the level `trace`, and tests want to see.
const TRACED: &str = "libfuse3::busy_poll";

/// Has lines of this kind recorded from now on.
pub(crate) fn trace() {
    install();
    log::set_max_level(log::LevelFilter::Trace);
}

impl log::Log for Logger {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Info || metadata.target() == TRACED
    }

    fn log(&self, record: &log::Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let line = Line {
            level: record.level(),
            target: record.target().to_owned(),
            text: record.args().to_string(),
            test: mark(),
        };
        // Shown if the test fails.
        eprintln!("{} {}: {}", line.level, line.target, line.text);
        self.lines().push(line);
        self.added.notify_all();
    }

    fn flush(&self) {}
}

/// The lines of this test so far, and those of threads that tests share.
pub(crate) fn log_lines() -> Vec<Line> {
    let test = mark();
    let lines = LOGGER.lines();
    let mine = lines.iter().filter(|line| is_mine(line, test));
    mine.cloned().collect()
}

fn is_mine(line: &Line, test: Option<u64>) -> bool {
    line.test.is_none() || line.test == test
}

/// Waits for a line of this test that has all these parts in it, and returns it.
#[track_caller]
pub(crate) fn assert_logged(parts: &[&str]) -> Line {
    let test = mark();
    let find = |lines: &[Line]| {
        let mut mine = lines.iter().filter(|line| is_mine(line, test));
        mine.find(|line| parts.iter().all(|part| line.text.contains(part)))
            .cloned()
    };
    let lines = LOGGER.lines();
    let (lines, _) = LOGGER
        .added
        .wait_timeout_while(lines, PATIENCE, |lines| find(lines).is_none())
        .unwrap_or_else(PoisonError::into_inner);
    let found = find(&lines);
    drop(lines);
    found.unwrap_or_else(|| panic!("no line with {parts:?} in {:#?}", log_lines()))
}

/// Asserts that nothing was logged as a warning or an error on this test's threads.
#[track_caller]
pub(crate) fn assert_quiet() {
    let test = mark();
    let lines = log_lines();
    let loud: Vec<_> = lines
        .iter()
        .filter(|line| line.test == test && line.level <= log::Level::Warn)
        .collect();
    assert!(loud.is_empty(), "logged: {loud:#?}");
}
