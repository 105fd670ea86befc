//! Which processors a server and its client run on.
//!
//! Left alone, the scheduler has a client and a server with one thread each share a processor now, and
//! wake each other up across two of them then. The difference is larger than those between libraries.

use std::fs;
use std::io;
use std::mem;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::OnceLock;

use crate::server::Server;

struct Processors {
    /// Those that this process may use.
    all: libc::cpu_set_t,
    /// The last one of them: the first ones are more often busy with interrupts.
    one: libc::cpu_set_t,
}

static PROCESSORS: OnceLock<Option<Processors>> = OnceLock::new();

fn processors() -> Option<&'static Processors> {
    PROCESSORS.get_or_init(look).as_ref()
}

fn look() -> Option<Processors> {
    // SAFETY: a set of processors is a bit field, so that zeros are an empty one.
    let (mut all, mut one): (libc::cpu_set_t, libc::cpu_set_t) = unsafe { mem::zeroed() };
    let size = size_of::<libc::cpu_set_t>();
    // SAFETY: there is room for a set of so many bytes.
    if unsafe { libc::sched_getaffinity(0, size, &raw mut all) } != 0 {
        return None;
    }
    let mut numbers = (0..size * 8).rev();
    // SAFETY: the number is less than that of the bits.
    let last = numbers.find(|number| unsafe { libc::CPU_ISSET(*number, &all) })?;
    // SAFETY: as above.
    unsafe { libc::CPU_SET(last, &mut one) };
    Some(Processors { all, one })
}

fn set(thread: libc::pid_t, set: &libc::cpu_set_t) -> io::Result<()> {
    // SAFETY: the set has so many bytes.
    match unsafe { libc::sched_setaffinity(thread, size_of_val(set), set) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Keeps a server on one processor until this is dropped.
pub struct OneProcessor {
    pid: u32,
}

impl OneProcessor {
    /// Also has `client`, which is about to be started, run there. `None` if that is not possible.
    pub fn new(server: &Server, client: &mut Command) -> Option<Self> {
        let processors = processors()?;
        let pin = || set(0, &processors.one);
        // SAFETY: between fork and exec the closure makes one system call, which is allowed there.
        unsafe { client.pre_exec(pin) };
        let this = Self { pid: server.pid() };
        this.place(&processors.one);
        Some(this)
    }

    fn place(&self, processors: &libc::cpu_set_t) {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid));
        for task in tasks.into_iter().flatten().flatten() {
            let task = task.file_name().to_str().and_then(|task| task.parse().ok());
            // A thread that has ended meanwhile needs no place.
            drop(task.map(|task| set(task, processors)));
        }
    }
}

impl Drop for OneProcessor {
    fn drop(&mut self) {
        if let Some(processors) = processors() {
            self.place(&processors.all);
        }
    }
}
