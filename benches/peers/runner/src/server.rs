//! A server that runs, with its mount. Everything is taken down when it is dropped.

use std::ffi::CString;
use std::fs;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;
use std::time::Instant;

use crate::interrupted;
use crate::peers::Peer;

/// How long a server may take to mount, and to end.
const PATIENCE: Duration = Duration::from_secs(10);
const TICK: Duration = Duration::from_millis(10);

pub struct Server {
    pub peer: Peer,
    child: Child,
    mountpoint: PathBuf,
    /// The number in /sys/fs/fuse/connections.
    connection: u32,
    /// Why it takes no part any more.
    pub failed: Option<String>,
}

impl Server {
    /// Starts the server and waits until it has mounted.
    pub fn start(
        peer: Peer,
        mut command: Command,
        mountpoint: &Path,
        log: &Path,
    ) -> Result<Self, String> {
        let describe = |what: &Path, error: io::Error| format!("{}: {error}", what.display());
        fs::create_dir_all(mountpoint).map_err(|error| describe(mountpoint, error))?;
        let output = File::create(log).map_err(|error| describe(log, error))?;
        let errors = output.try_clone().map_err(|error| describe(log, error))?;
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        let child = spawn(&mut command)?;
        let mut server = Self {
            peer,
            child,
            mountpoint: mountpoint.to_owned(),
            connection: 0,
            failed: None,
        };
        let begin = Instant::now();
        loop {
            if let Some(connection) = connection_of(mountpoint) {
                server.connection = connection;
                return Ok(server);
            }
            let ended = server.child.try_wait().ok().flatten();
            if ended.is_some() || begin.elapsed() > PATIENCE || interrupted() {
                let said = fs::read_to_string(log).unwrap_or_default();
                let said = said.trim().lines().next_back().unwrap_or("").to_owned();
                let how = ended.map_or("does not mount".to_owned(), |status| status.to_string());
                return Err(format!("{how}: {said} (see {})", log.display()));
            }
            sleep(TICK);
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn mountpoint(&self) -> &Path {
        &self.mountpoint
    }

    /// The line of the mount in /proc/self/mountinfo from the options on.
    pub fn mount_options(&self) -> Option<String> {
        let line = mountinfo(&self.mountpoint)?;
        let mut halves = line.split(" - ");
        let options = halves.next()?.split(' ').nth(5)?;
        let super_options = halves.next()?.split(' ').nth(2)?;
        Some(format!("{options} {super_options}"))
    }

    /// Makes all requests fail, those that hang included.
    pub fn abort(&mut self) {
        if self.connection == 0 {
            return;
        }
        let switch = format!("/sys/fs/fuse/connections/{}/abort", self.connection);
        if fs::write(&switch, "1").is_ok() {
            return;
        }
        // Nobody has mounted fusectl there. To force it takes root.
        let forced = umount(&self.mountpoint, libc::MNT_FORCE | libc::MNT_DETACH);
        if forced.is_err() && mountinfo(&self.mountpoint).is_some() {
            // With the last descriptor of its device the connection ends.
            drop(self.child.kill());
        }
    }

    /// A number out of /proc/PID/status: of `VmRSS`, `VmHWM` in KiB, or `Threads`.
    pub fn status(&self, key: &str) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).ok()?;
        let lines = status.lines();
        let mut found = lines.filter_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        found.next()?.split_whitespace().next()?.parse().ok()
    }

    /// Has `VmHWM` begin at what is used now.
    pub fn reset_peak(&self) {
        // Not being able to only means that the peak includes what was before.
        drop(fs::write(format!("/proc/{}/clear_refs", self.pid()), "5"));
    }

    /// Context switches and processor time of all threads that there are, and read and write calls of all
    /// there ever were.
    pub fn counters(&self) -> Counters {
        let proc = PathBuf::from(format!("/proc/{}", self.pid()));
        let sum = |text: &str, keys: &[&str]| -> u64 {
            let lines = text.lines().filter_map(|line| line.split_once(':'));
            let lines = lines.filter(|(key, _)| keys.contains(key));
            lines
                .filter_map(|(_, value)| value.trim().parse::<u64>().ok())
                .sum()
        };
        let (mut switches, mut nanoseconds) = (0, 0);
        for task in fs::read_dir(proc.join("task"))
            .into_iter()
            .flatten()
            .flatten()
        {
            let read = |name| fs::read_to_string(task.path().join(name)).unwrap_or_default();
            let keys = ["voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"];
            switches += sum(&read("status"), &keys);
            let schedstat = read("schedstat");
            let first = schedstat.split(' ').next();
            nanoseconds += first.and_then(|first| first.parse().ok()).unwrap_or(0);
        }
        let io = fs::read_to_string(proc.join("io")).unwrap_or_default();
        Counters {
            switches,
            nanoseconds,
            reads_and_writes: sum(&io, &["syscr", "syscw"]),
        }
    }
}

/// What /proc counts.
#[derive(Clone, Copy)]
pub struct Counters {
    pub switches: u64,
    /// 0 where the kernel does not tell.
    pub nanoseconds: u64,
    pub reads_and_writes: u64,
}

impl Drop for Server {
    fn drop(&mut self) {
        let limit = Duration::from_secs(3);
        unmount(&self.mountpoint);
        if !ends_within(&mut self.child, limit) {
            // A detached mount ends only when nobody uses it, in no other mount namespace either.
            self.abort();
            // SAFETY: the process has not been waited for, so that the number is still its own.
            unsafe { libc::kill(self.pid().cast_signed(), libc::SIGTERM) };
        }
        if !ends_within(&mut self.child, limit) {
            eprintln!("{}: does not end, killed", self.peer.name);
            drop(self.child.kill());
            drop(self.child.wait());
        }
        unmount(&self.mountpoint);
        drop(fs::remove_dir(&self.mountpoint));
    }
}

fn ends_within(child: &mut Child, limit: Duration) -> bool {
    let begin = Instant::now();
    while begin.elapsed() < limit {
        match child.try_wait() {
            Ok(None) => sleep(TICK),
            _ => return true,
        }
    }
    false
}

/// Starts a process that Ctrl-C does not reach, since we take it down, and that ends when this one
/// does in any other way.
pub fn spawn(command: &mut Command) -> Result<Child, String> {
    let end_with_parent = || {
        // SAFETY: the call takes a plain number.
        match unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    };
    // SAFETY: between fork and exec the closure makes one system call, which is allowed there.
    unsafe { command.pre_exec(end_with_parent) };
    let name = command.get_program().display().to_string();
    let spawned = command.process_group(0).spawn();
    spawned.map_err(|error| format!("{name}: {error}"))
}

/// The line of /proc/self/mountinfo for a mountpoint.
fn mountinfo(mountpoint: &Path) -> Option<String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let escaped = escape(mountpoint.to_str()?);
    let mut lines = mounts.lines().rev();
    let found = lines.find(|line| line.split(' ').nth(4) == Some(&escaped));
    found.map(str::to_owned)
}

/// A path as the kernel writes it there.
fn escape(path: &str) -> String {
    let mut escaped = String::new();
    for char in path.chars() {
        match char {
            ' ' | '\t' | '\n' | '\\' => escaped += &format!("\\{:03o}", u32::from(char)),
            _ => escaped.push(char),
        }
    }
    escaped
}

fn connection_of(mountpoint: &Path) -> Option<u32> {
    let line = mountinfo(mountpoint)?;
    let (_major, minor) = line.split(' ').nth(2)?.split_once(':')?;
    minor.parse().ok()
}

/// Detaches what is mounted there, if anything.
pub fn unmount(mountpoint: &Path) {
    if mountinfo(mountpoint).is_none() {
        return;
    }
    // With force nothing hangs, and the server learns of it at once.
    if umount(mountpoint, libc::MNT_FORCE | libc::MNT_DETACH).is_ok() {
        return;
    }
    let mut fusermount = Command::new("fusermount3");
    let result = fusermount.args(["-u", "-z"]).arg(mountpoint).status();
    if !result.is_ok_and(|status| status.success()) {
        eprintln!("cannot unmount {}", mountpoint.display());
    }
}

fn umount(mountpoint: &Path, flags: i32) -> io::Result<()> {
    let path = CString::new(mountpoint.as_os_str().as_bytes())?;
    // SAFETY: the path is NUL-terminated.
    match unsafe { libc::umount2(path.as_ptr(), flags) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_are_escaped_as_in_mountinfo() {
        assert_eq!(escape("/a b\\c"), "/a\\040b\\134c");
    }
}
