//! Prints what the kernel offers, and ends: libfuse's `printcap`.
//!
//! ```sh
//! cargo run --example printcap
//! # FUSE library version 3.14.0
//! # Protocol version: 7.45
//! # Capabilities:
//! #         FUSE_CAP_ASYNC_READ
//! #         ...
//! ```
//!
//! Capabilities that the loaded libfuse does not know are not shown, whatever the kernel has.

#![forbid(unsafe_code)]

use std::error::Error;
use std::ffi::OsString;
use std::io;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::OnceLock;

use futures::executor::block_on;
use libfuse3::Capabilities;
use libfuse3::CommandLine;
use libfuse3::ConnInfo;
use libfuse3::Operations;
use libfuse3::Result;
use libfuse3::Session;
use libfuse3::SessionHandle;
use libfuse3::Unmount;

/// Has the session end as soon as it has begun.
#[derive(Default)]
struct PrintCap(OnceLock<SessionHandle>);

impl Operations for PrintCap {
    fn init(&self, conn: &mut ConnInfo) -> Result<()> {
        if let Some(session) = self.0.get() {
            session.terminate();
        }
        print(conn).map_err(Into::into)
    }
}

fn print(conn: &ConnInfo) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let (major, minor) = conn.protocol();
    writeln!(out, "Protocol version: {major}.{minor}\nCapabilities:")?;
    for (name, capability) in Capabilities::all().iter_names() {
        if conn.capable().contains(capability) {
            writeln!(out, "\tFUSE_CAP_{name}")?;
        }
    }
    out.flush()
}

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let program = arguments.first().map_or("printcap".as_ref(), Path::new);
    let program = program.file_name().unwrap_or_default().display();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{program}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[OsString]) -> Result<(), Box<dyn Error>> {
    let line = CommandLine::parse(arguments)?;
    if line.show_help {
        println!("usage: printcap [-o OPTIONS]\n\nPrints what the kernel offers to file systems.");
        return Ok(());
    }
    if line.mountpoint.is_some() {
        return Err("too many operands: it mounts by itself, for a moment".into());
    }
    println!("FUSE library version {}", libfuse3::libfuse_version());
    if line.show_version {
        return Ok(());
    }
    let mountpoint = tempfile::Builder::new()
        .prefix("fuse_printcap_")
        .tempdir()?;
    let builder = Session::builder(PrintCap::default()).options(line.options);
    let mut session = builder.handle_signals(true).mount(&mountpoint)?;
    // The kernel sends the first request by itself, as soon as it is mounted.
    session.operations().0.get_or_init(|| session.handle());
    block_on(session.run())?;
    session.close(Unmount::Yes)?;
    Ok(())
}
