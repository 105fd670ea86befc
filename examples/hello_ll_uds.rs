//! `hello_ll` over a socket, in place of a mount: libfuse's `hello_ll_uds`.
//!
//! ```sh
//! cargo run --example hello_ll_uds
//! ```
//!
//! It waits at `/tmp/libfuse-hello-ll.sock`, or at the path of `--socket=PATH`, for a client that speaks the kernel's
//! protocol, answers its requests, and ends when the client hangs up. Nothing is mounted, and no privileges are
//! needed.

#![forbid(unsafe_code)]

#[path = "hello_ll.rs"]
#[allow(dead_code, reason = "its `main` is not the one of this program")]
mod hello_ll;

use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use async_signal::{Signal, Signals};
use futures::{FutureExt, StreamExt, select_biased};
use libfuse3::{CommandLine, ExitReason, Session, Unmount};
use smol::{Async, block_on};

use hello_ll::HelloLl;

const SOCKET: &str = "/tmp/libfuse-hello-ll.sock";
const HELP: &str = "    -h   --help            print help
    -V   --version         print version
    -d   -o debug          enable debug output (implies -f)
    --socket=PATH          where to wait for a client";

/// Waits for one client. As in C, this is reported on standard output.
fn accept(path: &Path) -> Option<UnixStream> {
    let at = path.display();
    // One of an earlier run. Nothing else is lost because somebody gives its name.
    let is_socket = fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    if is_socket && let Err(error) = fs::remove_file(path) {
        println!("Could not delete previous socket file entry at {at}. Error: {error}");
        return None;
    }
    let listener = UnixListener::bind(path).and_then(Async::new);
    let listener = listener
        .inspect_err(|error| println!("Could not bind socket. Error: {error}"))
        .ok()?;
    // Before anybody can know that it listens.
    let signals = Signals::new([Signal::Int, Signal::Term, Signal::Hup]);
    println!("Awaiting connection on socket at {at}...");
    let accepted = block_on(async {
        let mut signals = signals?;
        select_biased! {
            _ = signals.next().fuse() => Err(io::Error::from_raw_os_error(libc::EINTR)),
            accepted = listener.accept().fuse() => accepted.map(|(client, _)| client),
        }
    });
    let blocking = accepted.and_then(|client| {
        let client = client.into_inner()?;
        client.set_nonblocking(false)?;
        Ok(client)
    });
    match blocking {
        Ok(client) => {
            println!("Accepted connection!");
            Some(client)
        }
        Err(error) => {
            println!("Could not accept connection. Error: {error}");
            None
        }
    }
}

/// Takes the last `--socket=PATH` out of the arguments.
fn take_socket(arguments: &mut Vec<OsString>) -> Option<PathBuf> {
    let given = arguments.extract_if(.., |argument| argument.as_bytes().starts_with(b"--socket="));
    let last = given.last()?;
    let path = last.as_bytes().strip_prefix(b"--socket=")?;
    Some(OsStr::from_bytes(path).into())
}

/// Whether the client has hung up, and no signal has ended it before.
fn run() -> Result<bool, Box<dyn Error>> {
    let mut arguments = std::env::args_os().collect();
    let socket = take_socket(&mut arguments);
    let line = CommandLine::parse(arguments)?;
    if line.show_help {
        println!(
            "usage: {} [options]\n\n{HELP} ({SOCKET})",
            line.program.display()
        );
        return Ok(true);
    }
    if line.show_version {
        println!("FUSE library version {}", libfuse3::libfuse_version());
        return Ok(true);
    }
    if let [operand, ..] = &line.operands[..] {
        return Err(format!("{operand:?} is one operand too many").into());
    }
    // libfuse's one takes a mountpoint, and does nothing with it.
    if let Some(operand) = line.mountpoint {
        return Err(
            format!("{operand:?} is no option: nothing is mounted; use --socket=PATH").into(),
        );
    }
    let path = socket.unwrap_or_else(|| SOCKET.into());
    let Some(client) = accept(&path) else {
        return Ok(false);
    };
    let builder = Session::builder(HelloLl).options(line.options);
    let mut session = builder.handle_signals(true).custom_io(client)?;
    let reason = block_on(session.run())?;
    session.close(Unmount::Yes)?;
    Ok(!matches!(reason, ExitReason::Signal(_)))
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("hello_ll_uds: {error}");
            ExitCode::FAILURE
        }
    }
}
