//! A command line by [clap], with libfuse's options next to the program's own.
//!
//! ```sh
//! mkdir /tmp/greet
//! cargo run --example greet -- --language french -o ro,shout you /tmp/greet
//! cat /tmp/greet/greeting             # BONJOUR, YOU!
//! fusermount3 -u /tmp/greet
//! ```
//!
//! [`Fuse`] is the bridge: what any program has from libfuse, as arguments for clap, and as the
//! [`CommandLine`] that mounts. It also does for mount(8), which calls programs as
//! `greet WHOM MOUNTPOINT -o OPTIONS`.

#![forbid(unsafe_code)]

use std::error::Error;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use clap::ValueEnum;
use libfuse3::{CommandLine, Data, EntryAttributes, Errno, FileRef, Inode, Operations, ROOT_INODE};
use libfuse3::{ReaddirToken, RequestContext as Ctx, Result, Session};

/// A file that greets somebody.
#[derive(Parser)]
#[command(version, after_help = "`-o shout` has it in capitals.")]
struct Arguments {
    /// In which language
    #[arg(long, value_enum, default_value_t = Language::English)]
    language: Language,
    /// Who is greeted
    whom: String,
    #[command(flatten)]
    fuse: Fuse,
}

#[derive(Clone, Copy, ValueEnum)]
enum Language {
    English,
    French,
}

/// What each program has from libfuse.
#[derive(clap::Args)]
struct Fuse {
    /// The directory to mount on
    mountpoint: PathBuf,
    /// Options of libfuse, of mount(8) and of this program, separated by commas
    #[arg(short, value_name = "OPTIONS")]
    options: Vec<OsString>,
    /// Stay in the foreground
    #[arg(short)]
    foreground: bool,
    /// The same, and show all requests
    #[arg(short)]
    debug: bool,
    /// Receive requests with a single thread
    #[arg(short)]
    single_threaded: bool,
}

impl Fuse {
    /// The same for libfuse.
    fn into_command_line(self) -> std::result::Result<CommandLine, libfuse3::Error> {
        let mut line: Vec<OsString> = std::env::args_os().take(1).collect();
        for (flag, is_given) in [
            ("-f", self.foreground),
            ("-d", self.debug),
            ("-s", self.single_threaded),
        ] {
            line.extend(is_given.then(|| flag.into()));
        }
        for options in self.options {
            line.extend(["-o".into(), options]);
        }
        line.extend(["--".into(), self.mountpoint.into()]);
        CommandLine::parse(line)
    }
}

const GREETING: Inode = Inode(2);

struct Greeter(String);

impl Greeter {
    fn attributes(&self, inode: Inode) -> Result<EntryAttributes> {
        let (mode, size) = match inode {
            ROOT_INODE => (libc::S_IFDIR | 0o755, 0),
            GREETING => (libc::S_IFREG | 0o444, self.0.len() as u64),
            _ => return Err(Errno::ENOENT),
        };
        Ok(EntryAttributes {
            ino: inode,
            mode,
            size,
            ..EntryAttributes::default()
        })
    }
}

impl Operations for Greeter {
    async fn lookup(&self, _: Inode, name: &OsStr, _: &Ctx) -> Result<EntryAttributes> {
        match name == "greeting" {
            true => self.attributes(GREETING),
            false => Err(Errno::ENOENT),
        }
    }

    async fn getattr(&self, inode: Inode, _: Option<FileRef>, _: &Ctx) -> Result<EntryAttributes> {
        self.attributes(inode)
    }

    async fn readdir(&self, _: FileRef, from: u64, out: &mut ReaddirToken, _: &Ctx) -> Result<()> {
        let _full = from == 0 && !out.add("greeting".as_ref(), &self.attributes(GREETING)?, 1);
        Ok(())
    }

    async fn read(&self, _: FileRef, offset: u64, size: usize, _: &Ctx) -> Result<Data> {
        let rest = &self.0.as_bytes()[self.0.len().min(offset as usize)..];
        Ok(rest[..rest.len().min(size)].to_vec().into())
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("greet: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> std::result::Result<(), Box<dyn Error>> {
    let hello = match arguments.language {
        Language::English => "Hello",
        Language::French => "Bonjour",
    };
    let mut greeting = format!("{hello}, {}!\n", arguments.whom);
    arguments.fuse.into_command_line()?.run(|line| {
        if line.options.take("shout").is_some() {
            greeting = greeting.to_uppercase();
        }
        Ok(Session::builder(Greeter(greeting)))
    })
}
