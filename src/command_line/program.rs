//! A whole program: its usage, its exit status, and what it says.

use std::error::Error as StdError;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::fmt;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::ExitCode;

use super::CommandLine;
use super::LongOptions;
use super::run::run;
use crate::Error;
use crate::Operations;
use crate::Session;
use crate::SessionBuilder;
use crate::raw;

/// A program that mounts a file system: reads its command line, mounts, goes into the background,
/// and runs until it is unmounted or gets SIGINT, SIGTERM or SIGHUP.
///
/// ```no_run
/// use libfuse3::{Operations, Program, Session};
///
/// struct Fs;
/// impl Operations for Fs {}
///
/// fn main() -> std::process::ExitCode {
///     Program::new("MOUNTPOINT", "An empty file system.").run(|_| Ok(Session::builder(Fs)))
/// }
/// ```
///
/// Without `-f` the program goes into the background when the file system is mounted and its `init` has
/// succeeded ([`Session::daemonize`]). Errors go to standard error, in one line. If there is `NOTIFY_SOCKET`, as
/// systemd sets it for `Type=notify`, the service manager is told when the first request can be served, and when
/// the session ends: [`sd_notify`](crate::sd_notify).
///
/// | exit status | meaning |
/// |---|---|
/// | 0 | the file system was unmounted, or a signal ended it; or `--help`, `--version` |
/// | 1 | it could not be mounted, or ended with an error |
/// | 2 | the command line makes no sense; 1 with [`like_libfuse`](Self::like_libfuse) |
#[derive(Clone, Debug)]
pub struct Program {
    operands: String,
    about: String,
    options: Vec<(String, String)>,
    like_libfuse: bool,
}

impl Program {
    /// A program with these operands (the last is the mountpoint), and what it is in one sentence.
    ///
    /// Operands in brackets may be left out. mount(8) gives each program the name of what is to be mounted
    /// before the mountpoint, so one that mounts nothing in particular has the operands
    /// `[NAME] MOUNTPOINT`.
    #[must_use]
    pub fn new(operands: &str, about: &str) -> Self {
        Self {
            operands: operands.to_owned(),
            about: about.to_owned(),
            options: Vec::new(),
            like_libfuse: false,
        }
    }

    /// A line of `--help` for an option that the program itself takes.
    ///
    /// | `option` | where it is found |
    /// |---|---|
    /// | `-o name`, `-o name=VALUE` | in [`CommandLine::options`]: [`MountOptions::take`](crate::MountOptions::take) |
    /// | `--name`, `--name=VALUE` | [`CommandLine::take_long_option`] |
    ///
    /// Long options that are not declared here make no sense to the program.
    #[must_use]
    pub fn option(mut self, option: &str, help: &str) -> Self {
        self.options.push((option.to_owned(), help.to_owned()));
        self
    }

    /// Does three things as the programs of libfuse itself do them: `default_permissions` is set only
    /// where the command line says so, the exit status for a command line that makes no sense is 1, and the
    /// program's name is no subtype where the command line has an `fsname`.
    ///
    /// What stays different: a complaint is one line on standard error, with the program's name before
    /// libfuse's words; `--help` begins with the program's own usage and options, and has this library's
    /// defaults; `--version` begins with the version of this library; and a signal that unmounts is a
    /// success.
    #[must_use]
    pub fn like_libfuse(mut self) -> Self {
        self.like_libfuse = true;
        self
    }

    /// Runs the program with the command line of this process. `make` makes the file system of what
    /// is left of it when libfuse has taken its part.
    ///
    /// The mount options are those of the builder ([`SessionBuilder::options`]), overridden by
    /// [`CommandLine::options`], which `make` may change. If the builder has options, `default_permissions` is set
    /// only if they have it, or the command line. Signals are always handled.
    ///
    /// ```no_run
    /// use libfuse3::{MountOptions, Operations, Program, Session};
    ///
    /// struct Fs;
    /// impl Operations for Fs {}
    ///
    /// fn main() -> std::process::ExitCode {
    ///     Program::new("MOUNTPOINT", "A file system that is read-only, unless `-o rw` is given.").run(|_| {
    ///         let options = MountOptions::default().read_only().fsname("example");
    ///         Ok(Session::builder(Fs).options(options))
    ///     })
    /// }
    /// ```
    ///
    /// A mount without a subtype gets the program's name for one, so that it shows as `fuse.NAME`, which is
    /// the type that mount(8) started the program for.
    pub fn run<O: Operations>(
        &self,
        make: impl FnOnce(&mut CommandLine) -> Result<SessionBuilder<O>, Box<dyn StdError>>,
    ) -> ExitCode {
        self.run_and(make, |_| Ok(()))
    }

    /// The same for a program that does something besides answering requests: `mounted` is called
    /// when the file system is mounted and the program in the background, if it goes there. It may
    /// start threads, and tell them of the session's [`Notifier`](crate::Notifier) and
    /// [`SessionHandle`](crate::SessionHandle).
    ///
    /// Requests are answered when it returns: it must not wait for anything in the mount. If it fails,
    /// the file system is unmounted.
    pub fn run_and<O: Operations>(
        &self,
        make: impl FnOnce(&mut CommandLine) -> Result<SessionBuilder<O>, Box<dyn StdError>>,
        mounted: impl FnOnce(&Session<O>) -> Result<(), Box<dyn StdError>>,
    ) -> ExitCode {
        let program = program_name();
        let line = match self.parse() {
            Ok(line) => line,
            Err(error) => {
                complain(&program, &error);
                return ExitCode::from(if self.like_libfuse { 1 } else { 2 });
            }
        };
        if line.show_help {
            self.print_help(&program);
            return ExitCode::SUCCESS;
        }
        if line.show_version {
            print(&format!(
                "libfuse3 for Rust {}\nFUSE library version {}\n",
                env!("CARGO_PKG_VERSION"),
                raw::libfuse_version()
            ));
            raw::libfuse_version_lines();
            return ExitCode::SUCCESS;
        }
        match run(line, make, mounted) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                complain(&program, &error);
                ExitCode::FAILURE
            }
        }
    }

    fn parse(&self) -> Result<CommandLine, Error> {
        let (arguments, long_options) = self.split_long_options(std::env::args_os())?;
        let mut line = CommandLine::parse_as(self.like_libfuse, arguments)?;
        line.long_options = long_options;
        if line.show_help || line.show_version {
            return Ok(line);
        }
        let declared = self.operands.split_whitespace();
        let (optional, needed): (Vec<_>, Vec<_>) =
            declared.partition(|operand| operand.starts_with('['));
        let given = line.operands.len() + usize::from(line.mountpoint.is_some());
        // mount(8) gives the source of the mount to whatever is remounted.
        let given = match line.is_remount() && line.mountpoint.is_some() {
            true => needed.len(),
            false => given,
        };
        let surplus = given.checked_sub(needed.len());
        if surplus.is_none_or(|surplus| surplus > optional.len()) {
            let what = match surplus {
                None => "missing",
                Some(_) => "too many",
            };
            let operands = &self.operands;
            return Err(Error::Usage(format!(
                "{what} operands: expected {operands}, got {given}; try --help"
            )));
        }
        Ok(line)
    }

    /// Takes out the long options that are declared, which libfuse would not know.
    fn split_long_options(
        &self,
        arguments: impl Iterator<Item = OsString>,
    ) -> Result<(Vec<OsString>, LongOptions), Error> {
        let (mut rest, mut found) = (Vec::new(), Vec::new());
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            if argument == "--" || argument == "-o" {
                // What follows is not ours: operands, or a list of options.
                let others = if argument == "--" { usize::MAX } else { 1 };
                rest.push(argument);
                rest.extend(arguments.by_ref().take(others));
                continue;
            }
            match self.long_option(argument.as_bytes())? {
                Some(option) => found.push(option),
                None => rest.push(argument),
            }
        }
        Ok((rest, found))
    }

    /// Name and value, if this is an option that is declared.
    fn long_option(&self, argument: &[u8]) -> Result<Option<(String, Option<OsString>)>, Error> {
        for (declared, _) in &self.options {
            let Some(name) = declared.strip_prefix("--") else {
                continue;
            };
            let (name, has_value) = match name.split_once('=') {
                Some((name, _)) => (name, true),
                None => (name, false),
            };
            let given = argument.strip_prefix(b"--");
            let Some(given) = given.and_then(|given| given.strip_prefix(name.as_bytes())) else {
                continue;
            };
            match given {
                [] if has_value => {
                    return Err(Error::Usage(format!(
                        "`--{name}` lacks its value: {declared}"
                    )));
                }
                [] => return Ok(Some((name.to_owned(), None))),
                [b'=', value @ ..] if has_value => {
                    let value = OsStr::from_bytes(value).to_owned();
                    return Ok(Some((name.to_owned(), Some(value))));
                }
                _ => {}
            }
        }
        Ok(None)
    }

    fn print_help(&self, program: &str) {
        let mut help = format!(
            "usage: {program} [options] {}\n\n{}\n\n",
            self.operands, self.about
        );
        if !self.options.is_empty() {
            let own = self.options.iter();
            let own = own.map(|(option, text)| (option.as_str(), text.as_str()));
            help += &format!("Options of {program}:\n{}\n", lines(own));
        }
        help += "FUSE options:\n";
        help += &lines(COMMAND_LINE_OPTIONS.iter().copied());
        if cfg!(libfuse_since = "3.12") {
            help += &lines([MAX_THREADS]);
        }
        print(&help);
        raw::libfuse_help();
    }
}

/// The options that libfuse parses from a command line. libfuse's own help has another default for the number
/// of threads.
const COMMAND_LINE_OPTIONS: &[(&str, &str)] = &[
    ("-h   --help", "print this"),
    ("-V   --version", "print versions"),
    ("-d   -o debug", "show requests and replies (implies -f)"),
    ("-f", "stay in the foreground"),
    ("-s", "receive requests with a single thread"),
    (
        "-o clone_fd",
        "no effect: each of several threads has a descriptor",
    ),
    ("-o max_idle_threads=N", "no effect: idle threads stay"),
];
const MAX_THREADS: (&str, &str) = (
    "-o max_threads=N",
    "threads that receive requests, up to 1024 (default: 1,\n                           \
     or what the program says above)",
);

fn lines<'a>(options: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut lines = String::new();
    for (option, text) in options {
        lines += &format!("    {option:<22} {text}\n");
    }
    lines
}

/// Writes one line to standard error. A failure is ignored.
fn complain(program: &str, error: &dyn fmt::Display) {
    drop(writeln!(std::io::stderr(), "{program}: {error}"));
}

/// Writes to standard output. A failure is ignored: it may be a pipe without a reader.
fn print(text: &str) {
    drop(std::io::stdout().write_all(text.as_bytes()));
}

fn program_name() -> String {
    let path = std::env::args_os().next().unwrap_or_default();
    Path::new(&path)
        .file_name()
        .unwrap_or(&path)
        .display()
        .to_string()
}
