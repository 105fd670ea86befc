//! Whole programs: command lines like those of libfuse's own programs, and running them.

mod program;
mod remount;
mod run;

use std::error::Error as StdError;
use std::ffi::CStr;
use std::ffi::CString;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

pub use self::program::Program;
use self::run::run;
use crate::Error;
use crate::MountOptions;
use crate::Operations;
use crate::SessionBuilder;
use crate::raw;

/// Long options: name, and value if it has one.
type LongOptions = Vec<(String, Option<OsString>)>;

/// The program name that libfuse is given. libfuse makes it the subtype without escaping it: text behind a
/// comma would be another option.
const PROGRAM: &CStr = c"libfuse3::Program";
const DEFAULT_SUBTYPE: &CStr = c"-osubtype=libfuse3::Program";

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
    /// `default_permissions`, and what was given with `-o`. The program's name becomes the subtype in
    /// [`run`](Self::run), if there is no other.
    pub options: MountOptions,
    /// `-f`, or `-d`: stay in the foreground.
    pub foreground: bool,
    /// `-d`: libfuse logs requests and replies.
    pub debug: bool,
    /// `-s`: a single thread receives requests.
    pub single_threaded: bool,
    /// `-o max_threads=N`, with libfuse 3.12 or later: the number of reader threads, up to 1024. The other two
    /// options of libfuse's loop are accepted, too: `clone_fd` is on by default
    /// ([`SessionBuilder::clone_fd`](crate::SessionBuilder::clone_fd)), and `max_idle_threads=` has no effect,
    /// since idle readers stay.
    pub max_threads: Option<usize>,
    /// `-h`, `--help`.
    pub show_help: bool,
    /// `-V`, `--version`.
    pub show_version: bool,
    /// The program's own: name and value.
    long_options: LongOptions,
    /// As [`Program::like_libfuse`] says.
    like_libfuse: bool,
    /// `default_permissions` is among the options without having been given.
    adds_permissions: bool,
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
    /// [`Error::Usage`] if an option is not one of libfuse's, with libfuse's message if it has one;
    /// [`Error::InvalidOption`] for a number that is none or out of range.
    /// The options given with `-o` are checked when the session is made.
    #[doc(alias = "fuse_parse_cmdline")]
    pub fn parse<A: Into<OsString>>(arguments: impl IntoIterator<Item = A>) -> Result<Self, Error> {
        Self::parse_as(false, arguments)
    }

    /// The same; as a program of libfuse's if `like_libfuse`, and then `default_permissions` is not added.
    fn parse_as<A: Into<OsString>>(
        like_libfuse: bool,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<Self, Error> {
        let mut options = MountOptions::empty();
        let mut arguments = arguments.into_iter().map(Into::into);
        let program = arguments.next().unwrap_or_else(|| "libfuse3".into());
        let (given, mut operands) = split_operands(arguments)?;
        let mut line = vec![PROGRAM.to_owned()];
        for option in given {
            line.push(c_string(option)?);
        }
        let max_threads = max_threads(&line)?;
        let parsed = raw::parse_cmdline(&line).map_err(Error::Usage)?;
        let mut rest = parsed.rest.iter().skip(1);
        while let Some(argument) = rest.next() {
            let argument = argument.to_bytes();
            match argument {
                b"-o" => drop(
                    rest.next()
                        .map(|list| options.extend([OsStr::from_bytes(list.to_bytes())])),
                ),
                argument if argument == DEFAULT_SUBTYPE.to_bytes() => {}
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
        let adds_permissions = !like_libfuse && options.get("default_permissions").is_none();
        if adds_permissions {
            options = MountOptions::default().overridden_by(options);
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
            like_libfuse,
            adds_permissions,
        })
    }

    /// Mounts, goes into the background unless there is `-f`, and runs until the file system is unmounted or
    /// a signal comes. [`Program::run`] does so with the command line of the process. This is for programs that
    /// parse theirs by other means, as the example `greet` does with the crate `clap`.
    ///
    /// With the option `remount`, which mount(8) passes, changes the flags of the present mount, and does not
    /// call `make`.
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
    /// Those of `make`, of [`SessionBuilder::mount`], [`Session::daemonize`](crate::Session::daemonize),
    /// [`Session::run`](crate::Session::run) and [`Session::close`](crate::Session::close).
    pub fn run<O: Operations>(
        self,
        make: impl FnOnce(&mut Self) -> Result<SessionBuilder<O>, Box<dyn StdError>>,
    ) -> Result<(), Box<dyn StdError>> {
        run(self, make, |_| Ok(()))
    }

    /// Whether the present mount on the mountpoint is to be changed.
    fn is_remount(&self) -> bool {
        self.options.get("remount").is_some()
    }

    /// Takes an option out that the program has declared ([`Program::option`]) and that begins with
    /// two dashes; `name` is without them. Returns the value that was given last, empty for an option
    /// without one, and `None` if the option was not given.
    pub fn take_long_option(&mut self, name: &str) -> Option<OsString> {
        let given = self.long_options.extract_if(.., |(given, _)| given == name);
        given.last().map(|(_, value)| value.unwrap_or_default())
    }
}

/// The given number, `None` if there is none: libfuse's parser returns its default then. Fails if one of the
/// numbers that libfuse reads by itself is out of range.
fn max_threads(arguments: &[CString]) -> Result<Option<usize>, Error> {
    let mut options = MountOptions::empty();
    let mut arguments = arguments.iter().map(|argument| argument.to_bytes());
    while let Some(argument) = arguments.next() {
        match argument {
            b"-o" => options.extend(arguments.next().map(OsStr::from_bytes)),
            [b'-', b'o', list @ ..] => options.extend([OsStr::from_bytes(list)]),
            _ => {}
        }
    }
    options.check_number("max_threads")?;
    options.check_number("max_idle_threads")?;
    let number = options.take("max_threads");
    Ok(number.and_then(|number| number.to_str()?.parse().ok()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_program_is_no_option() {
        for program in ["/bin/example", "/bin/a,ro", "libfuse3::Program"] {
            let line = CommandLine::parse([program, "-osubtype=x", "/mnt"]).unwrap();
            assert_eq!(line.options.to_string(), "default_permissions,subtype=x");
            let line = CommandLine::parse([program, "/mnt"]).unwrap();
            assert_eq!(line.options.to_string(), "default_permissions");
            assert_eq!(line.program, program);
        }
    }
}
