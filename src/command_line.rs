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
use crate::Session;
use crate::SessionBuilder;
use crate::Unmount;
use crate::raw;
use crate::sd_notify;
use crate::session::Phase;

/// Long options: name, and value if it has one.
type LongOptions = Vec<(String, Option<OsString>)>;

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
    /// `-o max_threads=N`: so many threads receive requests. libfuse 3.12 and later know it. The other two
    /// options of its own loop are taken, too: `clone_fd` is on by default
    /// ([`SessionBuilder::clone_fd`](crate::SessionBuilder::clone_fd)), and `max_idle_threads=` has no effect,
    /// since readers stay.
    pub max_threads: Option<usize>,
    /// `-h`, `--help`.
    pub show_help: bool,
    /// `-V`, `--version`.
    pub show_version: bool,
    /// The program's own: name and value.
    long_options: LongOptions,
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
        Self::parse_after(MountOptions::default(), arguments)
    }

    /// The same, with other options than `default_permissions` before those of the command line.
    fn parse_after<A: Into<OsString>>(
        mut options: MountOptions,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<Self, Error> {
        let mut arguments = arguments.into_iter().map(Into::into);
        let program = arguments.next().unwrap_or_else(|| "libfuse3".into());
        let (given, mut operands) = split_operands(arguments)?;
        let mut line = vec![c_string(program.clone())?];
        for option in given {
            line.push(c_string(option)?);
        }
        let max_threads = max_threads(&line);
        let parsed = raw::parse_cmdline(&line).map_err(Error::Usage)?;
        let mut rest = parsed.rest.iter().skip(1);
        while let Some(argument) = rest.next() {
            let argument = argument.to_bytes();
            match argument {
                b"-o" => drop(
                    rest.next()
                        .map(|list| options.extend([OsStr::from_bytes(list.to_bytes())])),
                ),
                [b'-', b'o', list @ ..] => options.extend([OsStr::from_bytes(list)]),
                b"-r" => options.extend(["ro"]),
                b"--debug" => options.extend(["debug"]),
                b"-n" => {} // Not to be written to mtab, which is no file any more.
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
            options.extend(["debug"]);
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
            max_threads,
            show_help: parsed.show_help,
            show_version: parsed.show_version,
            long_options: Vec::new(),
        })
    }

    /// Mounts, goes into the background unless told not to, and runs until the file system is unmounted or
    /// a signal comes: what [`Program::run`] does with the command line of the process. For programs that
    /// read theirs by other means, as the example `greet` does with the crate `clap`.
    ///
    /// ```no_run
    /// use libfuse3::{CommandLine, Operations, Session};
    ///
    /// struct Fs;
    /// impl Operations for Fs {}
    ///
    /// let line = CommandLine::parse(["example", "-o", "ro", "/mnt/example"])?;
    /// line.run(|_| Ok(Session::builder(Fs)))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of `make`, of [`SessionBuilder::mount`], [`Session::daemonize`], [`Session::run`] and
    /// [`Session::close`].
    pub fn run<O: Operations>(
        self,
        make: impl FnOnce(&mut Self) -> Result<SessionBuilder<O>, Box<dyn StdError>>,
    ) -> Result<(), Box<dyn StdError>> {
        run(self, make, |_| Ok(()))
    }

    /// Takes an option out that the program has declared ([`Program::option`]) and that begins with
    /// two dashes; `name` is without them. Returns the value that was given last, empty for an option
    /// without one, and `None` if the option was not given.
    pub fn take_long_option(&mut self, name: &str) -> Option<OsString> {
        let given = self.long_options.extract_if(.., |(given, _)| given == name);
        given.last().map(|(_, value)| value.unwrap_or_default())
    }
}

/// What was given, as opposed to libfuse's default, which it does not tell apart.
fn max_threads(arguments: &[CString]) -> Option<usize> {
    let mut options = MountOptions::empty();
    let mut arguments = arguments.iter().map(|argument| argument.to_bytes());
    while let Some(argument) = arguments.next() {
        match argument {
            b"-o" => options.extend(arguments.next().map(OsStr::from_bytes)),
            [b'-', b'o', list @ ..] => options.extend([OsStr::from_bytes(list)]),
            _ => {}
        }
    }
    options.get("max_threads")?.to_str()?.parse().ok()
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
/// go to standard error, in one line. Where a service manager wants to know (`NOTIFY_SOCKET`, as systemd
/// sets it for `Type=notify`), it is told when requests are answered, and when that ends: [`sd_notify`].
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
    /// | `-o name`, `-o name=VALUE` | in [`CommandLine::options`]: [`MountOptions::take`] |
    /// | `--name`, `--name=VALUE` | [`CommandLine::take_long_option`] |
    ///
    /// Long options that are not declared here make no sense to the program.
    #[must_use]
    pub fn option(mut self, option: &str, help: &str) -> Self {
        self.options.push((option.to_owned(), help.to_owned()));
        self
    }

    /// Does two things as the programs of libfuse itself do them: `default_permissions` is set only
    /// where the command line says so, and the exit status for a command line that makes no sense is
    /// 1.
    ///
    /// What stays different: a complaint is one line on standard error, with the program's name before
    /// libfuse's words; `--help` begins with the program's own usage and options, `--version` with the
    /// version of this library; and a signal that unmounts is a success.
    #[must_use]
    pub fn like_libfuse(mut self) -> Self {
        self.like_libfuse = true;
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
                eprintln!("{program}: {error}");
                return ExitCode::from(if self.like_libfuse { 1 } else { 2 });
            }
        };
        if line.show_help {
            self.print_help(&program);
            return ExitCode::SUCCESS;
        }
        if line.show_version {
            println!("libfuse3 for Rust {}", env!("CARGO_PKG_VERSION"));
            println!("FUSE library version {}", raw::libfuse_version());
            raw::libfuse_version_lines();
            return ExitCode::SUCCESS;
        }
        match run(line, make, mounted) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{program}: {error}");
                ExitCode::FAILURE
            }
        }
    }

    fn parse(&self) -> Result<CommandLine, Error> {
        let (arguments, long_options) = self.split_long_options(std::env::args_os())?;
        let options = match self.like_libfuse {
            true => MountOptions::empty(),
            false => MountOptions::default(),
        };
        let mut line = CommandLine::parse_after(options, arguments)?;
        line.long_options = long_options;
        if line.show_help || line.show_version {
            return Ok(line);
        }
        let declared = self.operands.split_whitespace();
        let (optional, needed): (Vec<_>, Vec<_>) =
            declared.partition(|operand| operand.starts_with('['));
        let given = line.operands.len() + usize::from(line.mountpoint.is_some());
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
    mounted: impl FnOnce(&Session<O>) -> Result<(), Box<dyn StdError>>,
) -> Result<(), Box<dyn StdError>> {
    let mut builder = make(&mut line)?;
    if let Some(threads) = line.max_threads {
        builder = builder.reader_threads(threads);
    }
    if line.single_threaded {
        builder = builder.reader_threads(1);
    }
    let mountpoint = line.mountpoint.take().unwrap_or_default();
    let options = name_it(line.options, &line.program);
    // One that comes before it is handled would leave the mount behind.
    let blocked = raw::sys::block_signals(&[libc::SIGINT, libc::SIGTERM, libc::SIGHUP])?;
    let session = builder
        .options(options)
        .handle_signals(true)
        .mount(mountpoint);
    let mut session = session.map_err(|error| match error {
        Error::Options { message } => Error::Options {
            message: format!("{message}; try --help"),
        },
        other => other,
    })?;
    if !line.foreground {
        session.daemonize()?;
    }
    mounted(&session)?;
    let mut blocked = Some(blocked);
    let result = smol::block_on(session.run_with(|phase| match phase {
        Phase::SignalsHandled => drop(blocked.take()),
        Phase::Serving => notify(&format!("READY=1\nMAINPID={}", std::process::id())),
        Phase::Ending => notify("STOPPING=1"),
    }));
    session.close(Unmount::Yes)?;
    result?;
    Ok(())
}

/// The program works as well if the service manager does not get to know.
fn notify(state: &str) {
    if let Err(error) = sd_notify(state) {
        log::warn!("cannot tell the service manager {state:?}: {error}");
    }
}

/// As libfuse does: without a name of its own, the mount is called after the program.
fn name_it(options: MountOptions, program: &OsStr) -> MountOptions {
    let has_name = ["fsname", "subtype"].map(|name| options.get(name).is_some());
    match Path::new(program).file_name() {
        Some(name) if has_name == [false; 2] => options.subtype(name),
        _ => options,
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
