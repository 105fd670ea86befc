//! Mirrors a directory tree somewhere else, as fast as can be: libfuse's `passthrough_hp`.
//!
//! ```sh
//! mkdir -p /tmp/mirror
//! sudo cargo run --release --example passthrough_hp -- /usr/share/doc /tmp/mirror
//! ls /tmp/mirror                    # what `ls /usr/share/doc` shows
//! sudo umount /tmp/mirror
//! ```
//!
//! The file system is that of `passthroughfs`, and the command line is libfuse's: it has options of its own
//! instead of the usual ones, which go behind `-o`. Root runs it with libfuse 3.17 and Linux 6.9, and
//! the kernel reads and writes the source's files by itself. Otherwise, and with `--nopassthrough`, contents
//! are spliced from the source to the kernel and back, and with `--nosplice` they pass through memory.
//!
//! The kernel caches names and attributes for a day. So only the mirror may change the source; else use
//! `--nocache`. If the kernel writes a file by itself, it caches no attributes of it: it does not note what a
//! shared mapping changes, and libfuse's program shows an old mtime then. `--clone-fd` counts where nothing is spliced: the threads that splice
//! share one descriptor.

#![forbid(unsafe_code)]

mod caller;
mod credentials;
mod dir;
mod file;
mod fs;
mod handles;
mod node;
mod options;
mod path_fd;
mod source;

use std::error::Error;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use futures::executor::block_on;
use libfuse3::ExitReason;
use libfuse3::MountOptions;
use libfuse3::Unmount;

use crate::options::Cache;
use crate::options::Options;

/// As many as libfuse starts.
const THREADS: usize = 10;
/// As many as the library starts.
const MAX_THREADS: i32 = 1024;

const SWITCHES: [(&str, &str); 10] = [
    ("debug", "Enable filesystem debug messages"),
    ("debug-fuse", "Enable libfuse debug messages"),
    ("foreground", "Run in foreground"),
    ("help", "Print help"),
    ("nocache", "Disable all caching"),
    ("nosplice", "Do not use splice(2) to transfer data"),
    ("nopassthrough", "Do not let the kernel read and write"),
    ("single", "Run single-threaded"),
    ("clone-fd", "A descriptor of its own for each thread"),
    ("direct-io", "Bypass the kernel's cache of contents"),
];

/// A command line.
#[derive(Debug, Default)]
struct Line {
    /// Of [`SWITCHES`], those that were given.
    switches: Vec<&'static str>,
    threads: Option<usize>,
    mount_options: Vec<OsString>,
    operands: Vec<OsString>,
}

impl Line {
    fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Self, String> {
        let mut line = Self::default();
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            match argument.as_bytes() {
                b"--" => line.operands.extend(arguments.by_ref()),
                [b'-', b'-', option @ ..] => {
                    let option = OsStr::from_bytes(option).to_string_lossy();
                    line.take_long_option(&option, &mut arguments)?;
                }
                b"-o" => {
                    let list = arguments.next();
                    line.mount_options
                        .push(list.ok_or("Option ‘o’ is missing an argument")?);
                }
                [b'-', b'o', list @ ..] => {
                    line.mount_options.push(OsStr::from_bytes(list).to_owned());
                }
                [b'-', option, ..] => {
                    return Err(format!("Option ‘{}’ does not exist", char::from(*option)));
                }
                _ => line.operands.push(argument),
            }
        }
        if !line.has("help") && line.operands.len() != 2 {
            return Err("invalid number of arguments".to_owned());
        }
        Ok(line)
    }

    fn take_long_option(
        &mut self,
        option: &str,
        arguments: &mut impl Iterator<Item = OsString>,
    ) -> Result<(), String> {
        let (name, value) = match option.split_once('=') {
            Some((name, value)) => (name, Some(OsString::from(value))),
            None => (option, None),
        };
        if name == "num-threads" {
            let value = value.or_else(|| arguments.next());
            let value = value.ok_or("Option ‘num-threads’ is missing an argument")?;
            let value = value.to_string_lossy();
            self.threads = match value.parse() {
                // libfuse's own default.
                Ok(-1) => None,
                Ok(threads @ 1..=MAX_THREADS) => usize::try_from(threads).ok(),
                Ok(1..) => {
                    return Err(format!("Argument ‘{value}’ is more than {MAX_THREADS}"));
                }
                Ok(_) | Err(_) => {
                    return Err(format!("Argument ‘{value}’ failed to parse"));
                }
            };
            return Ok(());
        }
        let switch = SWITCHES.iter().find(|(switch, _)| *switch == name);
        let Some((switch, _)) = switch else {
            return Err(format!("Option ‘{name}’ does not exist"));
        };
        if value.is_none_or(|value| value == "true") {
            self.switches.push(switch);
        }
        Ok(())
    }

    fn has(&self, switch: &str) -> bool {
        self.switches.contains(&switch)
    }

    /// Runs in the foreground, which programs that print do in any case.
    fn is_in_foreground(&self) -> bool {
        ["foreground", "debug", "debug-fuse"]
            .iter()
            .any(|switch| self.has(switch))
    }

    fn options(&self, mount_options: &MountOptions) -> Options {
        let caches = !self.has("nocache");
        Options {
            cache: match caches {
                true => Cache::Always,
                false => Cache::Auto,
            },
            timeout: match caches {
                true => Duration::from_secs(24 * 60 * 60),
                false => Duration::ZERO,
            },
            // The kernel would not change a file's mtime when it is written to.
            writeback: caches && !self.has("direct-io"),
            xattr: true,
            flock: true,
            passthrough: !self.has("nopassthrough"),
            splice: !self.has("nosplice"),
            direct_io: self.has("direct-io"),
            noatime: options::leaves_atime(mount_options),
        }
    }

    fn mount_options(&self) -> MountOptions {
        let mut options = MountOptions::empty();
        options.extend(&self.mount_options);
        if options.get("subtype").is_none() {
            options = options.subtype("passthrough_hp");
        }
        if self.has("debug-fuse") {
            options = options.debug();
        }
        options.default_permissions()
    }
}

fn print_usage(program: &str) {
    println!("Usage: {program} --help\n       {program} [options] <source> <mountpoint>");
}

fn print_help(program: &str) {
    print_usage(program);
    println!("\noptions:\n");
    for (switch, help) in SWITCHES {
        println!("      --{switch:<18} {help}");
    }
    println!("      --num-threads arg    Number of threads (default: {THREADS})");
    println!("  -o arg                   Mount options, see mount.fuse3(8)");
}

/// How the session ended.
fn mirror(line: &Line) -> Result<ExitReason, Box<dyn Error>> {
    let [source, mountpoint] = line.operands.as_slice() else {
        return Err("expected two arguments: <source> <mountpoint>".into());
    };
    let shown = Path::new(source).display();
    let source = Path::new(source)
        .canonicalize()
        .map_err(|error| format!("ERROR: failed to stat source (\"{shown}\"): {error}"))?;
    if !source.is_dir() {
        return Err("ERROR: source is not a directory".into());
    }
    let threads = match line.has("single") {
        true => 1,
        false => line.threads.unwrap_or(THREADS),
    };
    let mountpoint = PathBuf::from(mountpoint);
    let mount_options = line.mount_options();
    let options = line.options(&mount_options);
    let builder = source::mirror(
        source.as_os_str(),
        Some(&mountpoint),
        options,
        mount_options,
    )?
    .reader_threads(threads)
    .clone_fd(line.has("clone-fd"))
    .handle_signals(true);
    let mut session = builder.mount(mountpoint)?;
    if !line.is_in_foreground() {
        session.daemonize()?;
    }
    let reason = block_on(session.run())?;
    session.close(Unmount::Yes)?;
    Ok(reason)
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let program = arguments.next().unwrap_or_default();
    let program = program.to_string_lossy();
    let line = match Line::parse(arguments) {
        Ok(line) => line,
        Err(message) => {
            println!("{program}: {message}");
            print_usage(&program);
            return ExitCode::from(2);
        }
    };
    if line.has("help") {
        print_help(&program);
        return ExitCode::SUCCESS;
    }
    let mut logger = env_logger::Builder::from_default_env();
    if line.has("debug") {
        logger.filter_level(log::LevelFilter::Debug);
    }
    logger.init();
    match mirror(&line) {
        // As libfuse's loop of one thread.
        Ok(ExitReason::Signal(_)) if line.has("single") => ExitCode::FAILURE,
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            let program = Path::new(&*program).file_name().unwrap_or_default();
            eprintln!("{}: {error}", program.display());
            ExitCode::FAILURE
        }
    }
}
