//! Other processes: clients that keep a mount busy, and servers that may be killed. Both are this
//! test program again, told by an environment variable what to do.

use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::ChildStdout;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use libfuse3::*;
use rustix::process::Pid;
use rustix::process::Signal;

use crate::common;
use crate::common::MountDir;
use crate::common::PATIENCE;
use crate::fs::Fs;

const ROLE: &str = "LIBFUSE3_TEST_ROLE";
const FILE: &str = "LIBFUSE3_TEST_FILE";

/// Where the other process starts. Does nothing as a test.
#[test]
fn another_process() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let file = PathBuf::from(std::env::var_os(FILE).expect("a file"));
    let auto_unmount = MountOptions::default().auto_unmount();
    match role.as_str() {
        "reader" | "writer" => client(&file, role == "writer", false),
        "holding reader" | "holding writer" => client(&file, role == "holding writer", true),
        "server" => server(&file, MountOptions::default(), false),
        "server that leaves nothing" => server(&file, auto_unmount, false),
        "server that leaves a child" => server(&file, auto_unmount, true),
        _ => panic!("{role}: unknown"),
    }
}

/// Runs this program again, in a role.
fn start_role(role: &str, file: &Path) -> Child {
    this_program("process::another_process", role)
        .env(FILE, file)
        .stdout(Stdio::piped())
        .spawn()
        .expect("started")
}

/// Runs one test in a process of its own, where [`is_started_again`] is true. Its lines for the harness are
/// kept from that of this process.
pub(crate) fn run_again(test: &str) {
    let mut command = this_program(test, "alone");
    let mut process = Process::new(command.stdout(Stdio::piped()).spawn().expect("started"));
    let mut said = String::new();
    let output = process.output.as_mut().expect("a pipe");
    output.read_to_string(&mut said).expect("its output");
    let status = process.wait();
    let has_run = said.contains("1 passed");
    assert!(status.success() && has_run, "{test}: {status}: {said}");
}

pub(crate) fn is_started_again() -> bool {
    std::env::var(ROLE).is_ok_and(|role| role == "alone")
}

fn this_program(test: &str, role: &str) -> Command {
    // What a test ignores is not for its children to ignore.
    let mut command = Command::new("env");
    command
        .arg("--default-signal")
        .arg(std::env::current_exe().expect("this program"))
        .args([test, "--exact", "--nocapture"])
        .env(ROLE, role)
        .stdin(Stdio::null());
    command
}

/// Reads or writes the file all the time; says when it has begun, and with which error it ended.
fn client(path: &Path, writes: bool, holds: bool) {
    let block = [0x55_u8; 8192];
    let open = || OpenOptions::new().read(true).write(writes).open(path);
    let mut held: Option<File> = None;
    let mut round = 0_u64;
    let error = loop {
        let mut work = || -> io::Result<File> {
            let file = match held.take() {
                Some(file) => file,
                None => open()?,
            };
            let offset = round % 8 * block.len() as u64;
            if writes {
                file.write_all_at(&block, offset)?;
            } else {
                file.read_exact_at(&mut block.clone(), offset)?;
            }
            Ok(file)
        };
        match work() {
            Ok(file) if holds => held = Some(file),
            // Nothing is unmounted unless all its files are closed at some moment.
            Ok(file) => {
                drop(file);
                std::thread::sleep(Duration::from_micros(500));
            }
            Err(error) => break error,
        }
        if round == 100 {
            println!("\nclient: busy");
        }
        round += 1;
    };
    println!("\nclient: {}", error.raw_os_error().unwrap_or(-1));
    std::process::exit(0);
}

/// A file system in a process of its own, until a signal or something else ends it; it may start another
/// program once it has mounted.
fn server(path: &Path, options: MountOptions, starts_child: bool) {
    let session = Session::builder(Fs::default())
        .options(options)
        .handle_signals(true);
    let mut session = session.mount(path).expect("mounted");
    println!("\nserver: mounted");
    let child = starts_child.then(|| {
        Command::new("sleep")
            .arg("1000")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
    });
    let child = child.map(|child| child.expect("started"));
    if let Some(child) = &child {
        println!("\nserver: {}", child.id());
    }
    let reason = smol::block_on(session.run()).expect("ran");
    session.close(Unmount::Yes).expect("closed");
    println!("\nserver: {reason:?}");
    drop(child.map(|mut child| child.kill().and_then(|()| child.wait())));
    std::process::exit(0);
}

/// Clients in processes of their own.
pub(crate) struct Load {
    clients: Vec<Process>,
}

/// Whether a client opens the file anew each time, or keeps it open.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    Reopening,
    Holding,
}

impl Load {
    /// A reader and a writer, once both are at it.
    pub(crate) fn start(file: &Path, client: Client) -> Self {
        let roles = match client {
            Client::Reopening => ["reader", "writer"],
            Client::Holding => ["holding reader", "holding writer"],
        };
        let mut clients = roles.map(|role| Process::new(start_role(role, file)));
        for client in &mut clients {
            assert_eq!(client.next_line("client: "), "busy");
        }
        Self {
            clients: clients.into(),
        }
    }

    /// Waits until the mount is gone for the clients, too; the errors that told them.
    pub(crate) fn ends(mut self) -> Vec<i32> {
        let errors = self.clients.iter_mut().map(|client| {
            let error = client.next_line("client: ").parse().expect("a number");
            assert!(client.wait().success());
            error
        });
        errors.collect()
    }
}

/// A child of another process, killed when this is dropped.
pub(crate) struct Grandchild(Pid);

impl Grandchild {
    pub(crate) fn is_alive(&self) -> bool {
        rustix::process::test_kill_process(self.0).is_ok()
    }
}

impl Drop for Grandchild {
    fn drop(&mut self) {
        let _ = rustix::process::kill_process(self.0, Signal::KILL);
    }
}

/// Another process, killed and reaped when this is dropped.
pub(crate) struct Process {
    child: Child,
    output: Option<BufReader<ChildStdout>>,
}

impl Process {
    pub(crate) fn new(mut child: Child) -> Self {
        let output = child.stdout.take().map(BufReader::new);
        Self { child, output }
    }

    /// A server of this program's own file system on `dir`, once it is mounted.
    pub(crate) fn server(dir: &MountDir) -> Self {
        Self::server_in_role("server", dir)
    }

    /// The same, mounted with `auto_unmount`.
    pub(crate) fn auto_unmounting_server(dir: &MountDir) -> Self {
        Self::server_in_role("server that leaves nothing", dir)
    }

    /// The same, and the program that it has started.
    pub(crate) fn auto_unmounting_server_with_child(dir: &MountDir) -> (Self, Grandchild) {
        let mut server = Self::server_in_role("server that leaves a child", dir);
        let child = server.next_line("server: ").parse().ok();
        let child = child.and_then(Pid::from_raw).expect("a number");
        (server, Grandchild(child))
    }

    fn server_in_role(role: &str, dir: &MountDir) -> Self {
        let mut server = Self::new(start_role(role, dir.path()));
        assert_eq!(server.next_line("server: "), "mounted");
        common::register_mount(dir.path().to_owned());
        server
    }

    /// The rest of the next line of output that begins so.
    pub(crate) fn next_line(&mut self, prefix: &str) -> String {
        let output = self.output.as_mut().expect("piped");
        let mut lines = output.lines().map(|line| line.expect("UTF-8"));
        let line = lines.find_map(|line| line.strip_prefix(prefix).map(str::to_owned));
        line.unwrap_or_else(|| panic!("no `{prefix}` before the end of the output"))
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.pid(), signal).expect("it is there");
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.wait_within(PATIENCE).expect("it ends in time")
    }

    pub(crate) fn wait_within(&mut self, limit: Duration) -> Option<ExitStatus> {
        let mut status = None;
        common::wait_until(limit, || {
            status = self.child.try_wait().expect("waited");
            status.is_some()
        });
        status
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Runs a program to its end; its exit status, and what it printed to standard error.
pub(crate) fn run(program: &str, arguments: &[&str], path: &Path) -> (ExitStatus, String) {
    let output = Command::new(program)
        .args(arguments)
        .arg(path)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status, stderr)
}

/// Unmounts as a user would, as often as it takes while files are open for moments.
#[track_caller]
pub(crate) fn unmount(program: &str, arguments: &[&str], path: &Path) {
    let start = Instant::now();
    loop {
        let (status, stderr) = run(program, arguments, path);
        if status.success() {
            return;
        }
        let forced = arguments == ["-f"];
        if forced && stderr.contains("not mounted") {
            return; // It was aborted at first, and then unmounted by its server.
        }
        assert!(stderr.contains("busy"), "{program}: {stderr}");
        assert!(start.elapsed() < PATIENCE, "{program}: {stderr}");
    }
}

/// Aborts a connection as an administrator would.
pub(crate) fn abort(dir: &MountDir) {
    let connection = dir.connection();
    let control = Path::new("/sys/fs/fuse/connections");
    if control.join(connection.to_string()).exists() {
        fs::write(control.join(format!("{connection}/abort")), "1").expect("aborted");
        return;
    }
    // Nobody has mounted it here.
    let dir = MountDir::new();
    let (status, stderr) = run("mount", &["-t", "fusectl", "none"], dir.path());
    assert!(status.success(), "{stderr}");
    let aborted = fs::write(dir.join(format!("{connection}/abort")), "1");
    unmount("umount", &[], dir.path());
    aborted.expect("aborted");
}
