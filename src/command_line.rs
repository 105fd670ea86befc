//! Whole programs: a command line as libfuse's own programs have it, and what they do with it.

use std::error::Error as StdError;
use std::ffi::CString;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::Error;
use crate::MountOptions;
use crate::Operations;
use crate::SessionBuilder;
use crate::Unmount;
use crate::raw;

/// A command line, in libfuse's parts.
///
/// libfuse itself reads its options (`-o`, `-f`, `-d`, `-s`, `-h`, `-V`). All that is no option is
/// an operand, and the last of these the mountpoint.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CommandLine {
    /// The program's name, as it was called.
    pub program: OsString,
    /// What stands before the mountpoint, without being an option.
    pub operands: Vec<OsString>,
    /// The mountpoint, as it was given.
    pub mountpoint: Option<PathBuf>,
    /// `default_permissions`, and what was given with `-o`.
    pub options: MountOptions,
    /// `-f`, or `-d`: stay in the foreground.
    pub foreground: bool,
    /// `-d`: libfuse logs requests and replies.
    pub debug: bool,
    /// `-s`: a single thread receives requests.
    pub single_threaded: bool,
    /// `-h`, `--help`.
    pub show_help: bool,
    /// `-V`, `--version`.
    pub show_version: bool,
}

impl CommandLine {
    /// Reads a command line, the program's name first.
    ///
    /// ```
    /// use libfuse3::CommandLine;
    ///
    /// let line = CommandLine::parse(["mirror", "-o", "ro,fsname=x", "/usr", "-f", "/"])?;
    /// assert_eq!(line.operands, ["/usr"]);
    /// assert_eq!(line.mountpoint.as_deref(), Some("/".as_ref()));
    /// assert!(line.foreground);
    /// assert_eq!(line.options.get("fsname"), Some("x".as_ref()));
    /// # Ok::<(), libfuse3::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if an option is not one of libfuse's, with libfuse's message if it has one.
    /// The options given with `-o` are checked when the session is made.
    #[doc(alias = "fuse_parse_cmdline")]
    pub fn parse<A: Into<OsString>>(arguments: impl IntoIterator<Item = A>) -> Result<Self, Error> {
        let mut arguments = arguments.into_iter().map(Into::into);
        let program = arguments.next().unwrap_or_else(|| "libfuse3".into());
        let (options, mut operands) = split_operands(arguments)?;
        let mut line = vec![c_string(program.clone())?];
        for option in options {
            line.push(c_string(option)?);
        }
        let parsed = raw::parse_cmdline(&line).map_err(Error::Usage)?;
        let mut options = MountOptions::default();
        let mut rest = parsed.rest.iter().skip(1);
        while let Some(argument) = rest.next() {
            let argument = argument.to_bytes();
            match argument {
                b"-o" => drop(
                    rest.next()
                        .map(|list| add_list(&mut options, list.to_bytes())),
                ),
                [b'-', b'o', list @ ..] => add_list(&mut options, list),
                b"-d" => {} // libfuse has set `debug`, and leaves it there for the session.
                _ => {
                    let argument = OsStr::from_bytes(argument).display();
                    return Err(Error::Usage(format!(
                        "unknown option `{argument}`; try --help"
                    )));
                }
            }
        }
        if parsed.debug {
            options.add("debug");
        }
        let mountpoint = operands.pop().map(PathBuf::from);
        Ok(Self {
            program,
            operands,
            mountpoint,
            options,
            foreground: parsed.foreground,
            debug: parsed.debug,
            single_threaded: parsed.single_threaded,
            show_help: parsed.show_help,
            show_version: parsed.show_version,
        })
    }
}

fn add_list(options: &mut MountOptions, list: &[u8]) {
    options.add_list(OsStr::from_bytes(list));
}

fn c_string(argument: OsString) -> Result<CString, Error> {
    CString::new(argument.into_vec())
        .map_err(|_| Error::Usage("an argument has a NUL in it".to_owned()))
}

/// Options with their values, and the rest. libfuse itself takes no more than one operand.
fn split_operands(
    arguments: impl Iterator<Item = OsString>,
) -> Result<(Vec<OsString>, Vec<OsString>), Error> {
    let (mut options, mut operands) = (Vec::new(), Vec::new());
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        match argument.as_bytes() {
            b"--" => operands.extend(arguments.by_ref()),
            b"-o" => {
                let value = arguments.next();
                let value = value.ok_or(Error::Usage("`-o` lacks its options".to_owned()))?;
                options.extend([argument, value]);
            }
            [b'-', _, ..] => options.push(argument),
            _ => operands.push(argument),
        }
    }
    Ok((options, operands))
}

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
/// Without `-f` the program goes into the background as soon as the file system is mounted. Errors
/// go to standard error, in one line.
///
/// | exit status | meaning |
/// |---|---|
/// | 0 | the file system was unmounted, or a signal ended it; or `--help`, `--version` |
/// | 1 | it could not be mounted, or ended with an error |
/// | 2 | the command line makes no sense |
#[derive(Clone, Debug)]
pub struct Program {
    operands: String,
    about: String,
    options: Vec<(String, String)>,
}

impl Program {
    /// A program with these operands (the last is the mountpoint), and what it is in one sentence.
    #[must_use]
    pub fn new(operands: &str, about: &str) -> Self {
        Self {
            operands: operands.to_owned(),
            about: about.to_owned(),
            options: Vec::new(),
        }
    }

    /// A line of `--help` for an option that the program itself takes
    /// ([`MountOptions::take`]).
    #[must_use]
    pub fn option(mut self, option: &str, help: &str) -> Self {
        self.options.push((option.to_owned(), help.to_owned()));
        self
    }

    /// Runs the program with the command line of this process. `make` makes the file system of what
    /// is left of it when libfuse has taken its part.
    ///
    /// The mount options are those of [`CommandLine::options`], which `make` may change; the
    /// builder's are not used, and signals are handled always.
    pub fn run<O: Operations>(
        &self,
        make: impl FnOnce(&mut CommandLine) -> Result<SessionBuilder<O>, Box<dyn StdError>>,
    ) -> ExitCode {
        let program = program_name();
        let line = match self.parse() {
            Ok(line) => line,
            Err(error) => {
                eprintln!("{program}: {error}");
                return ExitCode::from(2);
            }
        };
        if line.show_help {
            self.print_help(&program);
            return ExitCode::SUCCESS;
        }
        if line.show_version {
            println!("libfuse3 for Rust {}", env!("CARGO_PKG_VERSION"));
            println!("FUSE library version {}", raw::libfuse_version());
            return ExitCode::SUCCESS;
        }
        match run(line, make) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{program}: {error}");
                ExitCode::FAILURE
            }
        }
    }

    fn parse(&self) -> Result<CommandLine, Error> {
        let line = CommandLine::parse(std::env::args_os())?;
        if line.show_help || line.show_version {
            return Ok(line);
        }
        let expected = self.operands.split_whitespace().count();
        let given = line.operands.len() + usize::from(line.mountpoint.is_some());
        if given != expected {
            let what = if given < expected {
                "missing"
            } else {
                "too many"
            };
            let operands = &self.operands;
            return Err(Error::Usage(format!(
                "{what} operands: expected {operands}, got {given}; try --help"
            )));
        }
        Ok(line)
    }

    fn print_help(&self, program: &str) {
        println!(
            "usage: {program} [options] {}\n\n{}\n",
            self.operands, self.about
        );
        if !self.options.is_empty() {
            println!("Options of {program}:");
            for (option, help) in &self.options {
                println!("    {option:<22} {help}");
            }
            println!();
        }
        println!("FUSE options:");
        raw::libfuse_help();
    }
}

fn run<O: Operations>(
    mut line: CommandLine,
    make: impl FnOnce(&mut CommandLine) -> Result<SessionBuilder<O>, Box<dyn StdError>>,
) -> Result<(), Box<dyn StdError>> {
    let mut builder = make(&mut line)?;
    if line.single_threaded {
        builder = builder.reader_threads(1);
    }
    let mountpoint = line.mountpoint.take().unwrap_or_default();
    name_it(&mut line.options, &line.program);
    // One that comes before it is handled would leave the mount behind.
    let blocked = raw::sys::block_signals(&[libc::SIGINT, libc::SIGTERM, libc::SIGHUP])?;
    let mounted = builder
        .options(line.options)
        .handle_signals(true)
        .mount(mountpoint);
    let mut session = mounted.map_err(|error| match error {
        Error::Options { message } => Error::Options {
            message: format!("{message}; try --help"),
        },
        other => other,
    })?;
    if !line.foreground {
        session.daemonize()?;
    }
    let result = smol::block_on(session.run_with(|| drop(blocked)));
    session.close(Unmount::Yes)?;
    result?;
    Ok(())
}

/// As libfuse does: without a name of its own, the mount is called after the program.
fn name_it(options: &mut MountOptions, program: &OsStr) {
    if options.get("fsname").is_none()
        && options.get("subtype").is_none()
        && let Some(name) = Path::new(program).file_name()
    {
        options.set("subtype", name);
    }
}

fn program_name() -> String {
    let path = std::env::args_os().next().unwrap_or_default();
    Path::new(&path)
        .file_name()
        .unwrap_or(&path)
        .display()
        .to_string()
}
