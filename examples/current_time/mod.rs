//! What the examples of notifications share: a program whose file system changes by itself.

#![allow(dead_code, reason = "no example uses everything")]

pub(crate) mod file;

use std::cell::Cell;
use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use futures::executor::block_on;
use jiff::Zoned;
use libfuse3::CommandLine;
use libfuse3::Errno;
use libfuse3::Notifier;
use libfuse3::Operations;
use libfuse3::Program;
use libfuse3::Result;
use libfuse3::Session;

/// Takes an option that has a number for its value.
pub(crate) fn number<T: std::str::FromStr>(
    line: &mut CommandLine,
    name: &str,
    default: T,
) -> Result<T, String> {
    let Some(value) = line.take_long_option(name) else {
        return Ok(default);
    };
    let number = value.to_str().and_then(|value| value.parse().ok());
    number.ok_or_else(|| format!("--{name}={}: expected a number", value.display()))
}

/// A file system that changes by itself.
pub(crate) trait Changing: Operations {
    /// The libfuse that has what the kernel is told by; any that is supported has most of it.
    fn needs_libfuse(&self) -> &'static str {
        "3.10"
    }

    /// Changes, and tells the kernel so if it is to be told. The session being over is no error.
    fn change(&self, notifier: Option<&Notifier>) -> impl Future<Output = Result<(), String>>;
}

/// Runs a file system that changes by itself, as often as the command line says. If a change fails, so
/// does the program.
pub(crate) fn run<O: Changing>(
    program: Program,
    make: impl FnOnce(&mut CommandLine) -> Result<O, Box<dyn Error>>,
) -> ExitCode {
    let program = program
        .option("--update-interval=SECS", "how often it changes (1)")
        .option("--no-notify", "do not tell the kernel")
        .like_libfuse();
    let (interval, notify) = (Cell::new(0), Cell::new(true));
    let failed = Arc::new(AtomicBool::new(false));
    let status = program.run_and(
        |line| {
            interval.set(number(line, "update-interval", 1)?);
            notify.set(line.take_long_option("no-notify").is_none());
            let fs = make(line)?;
            if notify.get() {
                check_libfuse(fs.needs_libfuse())?;
            }
            Ok(Session::builder(fs))
        },
        |session| {
            let changes = Changes {
                fs: Arc::clone(session.operations()),
                notifier: notify.get().then(|| session.notifier()),
                interval: Duration::from_secs(interval.get()),
            };
            let (handle, failed) = (session.handle(), Arc::clone(&failed));
            thread::Builder::new().spawn(move || {
                let Err(message) = changes.go_on();
                eprintln!("{message}");
                failed.store(true, Ordering::Relaxed);
                handle.terminate();
            })?;
            Ok(())
        },
    );
    match failed.load(Ordering::Relaxed) {
        true => ExitCode::FAILURE,
        false => status,
    }
}

fn check_libfuse(needed: &str) -> Result<(), String> {
    let numbers = |version: &str| -> Vec<u32> {
        let numbers = version.split('.').map_while(|part| part.parse().ok());
        numbers.collect()
    };
    let loaded = libfuse3::libfuse_version();
    if numbers(&loaded) >= numbers(needed) {
        return Ok(());
    }
    Err(format!(
        "telling the kernel needs libfuse {needed}, and this is libfuse {loaded}; --no-notify does without"
    ))
}

struct Changes<O> {
    fs: Arc<O>,
    notifier: Option<Notifier>,
    interval: Duration,
}

impl<O: Changing> Changes<O> {
    /// Until the program ends, or a change fails.
    fn go_on(self) -> Result<Infallible, String> {
        loop {
            block_on(self.fs.change(self.notifier.as_ref()))?;
            thread::sleep(self.interval);
        }
    }
}

/// What a notification answers when the kernel has forgotten what it is about, or the session is over.
pub(crate) fn ignore_forgotten(what: &str, result: Result<()>) -> Result<(), String> {
    match result {
        Ok(()) | Err(Errno::ENOENT | Errno::ENODEV) => Ok(()),
        Err(Errno::ENOSYS) => Err(format!("{what}: this kernel is too old for it")),
        Err(errno) => Err(format!("{what}: {errno}")),
    }
}

/// The time of day, local, in this form.
pub(crate) fn time_of_day(form: &str) -> String {
    Zoned::now().strftime(form).to_string()
}
