//! Running the client on a server's mount, but not for ever.

use std::io;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use crate::interrupted;
use crate::server::Server;
use crate::server::spawn;

/// How long a client whose requests all fail may take to end.
const GRACE: Duration = Duration::from_secs(10);

/// What the client has measured.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    pub operations: u64,
    pub time: Duration,
}

impl Measured {
    pub fn per_second(&self) -> f64 {
        self.operations as f64 / self.time.as_secs_f64()
    }
}

/// Runs `command`, the client or something around it, until it prints its result.
///
/// When the limit is over or the run is interrupted, the mount's connection is aborted. A server on
/// which the client fails is marked as failed. Meanwhile `look` is called now and then, if given.
pub fn run(
    server: &mut Server,
    mut command: Command,
    limit: Duration,
    mut look: Option<&mut dyn FnMut(&Server)>,
) -> Result<Measured, String> {
    command.stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = spawn(&mut command)?;
    let mut deadline = Instant::now() + limit;
    let mut aborted = None;
    let mut printed = Vec::new();
    let interval = look.as_ref().map(|_| Duration::from_millis(20));
    loop {
        match read_some(&mut child, &mut printed, deadline, interval) {
            Ok(Progress::End) => break,
            Ok(Progress::Some) => {}
            Ok(Progress::Nothing) => {
                if let Some(look) = &mut look {
                    look(server);
                }
            }
            Err(error) => {
                drop(child.kill());
                drop(child.wait());
                return Err(error.to_string());
            }
        }
        if aborted.is_none() && interrupted() {
            aborted = Some("interrupted".to_owned());
        } else if aborted.is_none() && Instant::now() >= deadline {
            aborted = Some(format!("no end after {limit:.0?}, aborted"));
        } else if aborted.is_some() && Instant::now() >= deadline {
            // Our own client, by its pid; if that does not help either it is stuck in the kernel.
            drop(child.kill());
            break;
        } else {
            continue;
        }
        server.abort();
        deadline = Instant::now() + GRACE;
    }
    let mut said = String::new();
    if let Some(mut errors) = child.stderr.take() {
        drop(errors.read_to_string(&mut said));
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    let printed = String::from_utf8_lossy(&printed);
    let result = parse(&printed).filter(|_| status.success() && aborted.is_none());
    result.ok_or_else(|| {
        let why = aborted.unwrap_or_else(|| said.trim().to_owned());
        server.failed = Some(why.clone());
        why
    })
}

fn parse(printed: &str) -> Option<Measured> {
    let (operations, nanos) = printed.trim().split_once(' ')?;
    Some(Measured {
        operations: operations.parse().ok()?,
        time: Duration::from_nanos(nanos.parse().ok()?),
    })
}

enum Progress {
    Some,
    Nothing,
    End,
}

/// Waits for output without ever waking up for nothing: this is a benchmark.
fn read_some(
    child: &mut Child,
    printed: &mut Vec<u8>,
    deadline: Instant,
    interval: Option<Duration>,
) -> io::Result<Progress> {
    let Some(output) = &mut child.stdout else {
        return Ok(Progress::End);
    };
    let mut wait = deadline.saturating_duration_since(Instant::now());
    wait = wait.min(interval.unwrap_or(wait)) + Duration::from_millis(1);
    let mut poll = libc::pollfd {
        fd: output.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    let milliseconds = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: `poll` is one structure, as the count says.
    match unsafe { libc::poll(&raw mut poll, 1, milliseconds) } {
        0 => return Ok(Progress::Nothing),
        1.. => {}
        _ => match io::Error::last_os_error() {
            error if error.kind() == io::ErrorKind::Interrupted => return Ok(Progress::Nothing),
            error => return Err(error),
        },
    }
    let mut buffer = [0; 256];
    let len = output.read(&mut buffer)?;
    printed.extend_from_slice(&buffer[..len]);
    Ok(if len == 0 {
        Progress::End
    } else {
        Progress::Some
    })
}
