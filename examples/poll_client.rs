//! Waits for the files of the example `poll`, in the current directory: libfuse's `poll_client`.
//!
//! ```sh
//! cargo build --example poll_client
//! program=$PWD/target/debug/examples/poll_client
//! cd /tmp/poll                      # where `poll` is mounted
//! $program                          # sixteen lines, with a column for each file:
//! # _:   1:01 _:   ...              how much there was to read, where there was something
//! ```

#![forbid(unsafe_code)]

use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Write;
use std::process::ExitCode;

use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::io::Errno;

const NAMES: [&str; 16] = [
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "A", "B", "C", "D", "E", "F",
];
const TRIES: usize = 16;

fn main() -> ExitCode {
    if std::env::args_os()
        .nth(1)
        .is_some_and(|argument| argument == "--help")
    {
        println!(
            "usage: poll_client\n\nWaits for the files of the example poll, in the current directory."
        );
        return ExitCode::SUCCESS;
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let failed = |what: &'static str| move |error: io::Error| format!("{what}: {error}");
    let files: Result<Vec<_>, _> = NAMES.iter().map(File::open).collect();
    let files = files.map_err(failed("open"))?;
    for _ in 0..TRIES {
        let line = wait_and_read(&files).map_err(failed("poll or read"))?;
        writeln!(io::stdout(), "{line}").map_err(failed("write"))?;
    }
    Ok(())
}

/// Waits until at least one of the files has something, and reads what there is.
fn wait_and_read(files: &[File]) -> io::Result<String> {
    let mut polled: Vec<_> = files
        .iter()
        .map(|file| PollFd::new(file, PollFlags::IN))
        .collect();
    while let Err(errno) = rustix::event::poll(&mut polled, None) {
        if errno != Errno::INTR {
            return Err(errno.into());
        }
    }
    let mut line = String::new();
    for ((mut file, polled), name) in files.iter().zip(&polled).zip(NAMES) {
        if polled.revents().is_empty() {
            line += "_:   ";
            continue;
        }
        let len = file.read(&mut [0; 4096])?;
        line += &format!("{name}:{len:02} ");
    }
    Ok(line)
}
