//! Going into the background, between `mount` and `run`, and what the process that was called tells of it.
//!
//! Without the test harness, whose threads are in the way: this program is the tests, and is started by
//! them once more as the one that goes into the background.

mod common;

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;
use std::thread;

use common::MountDir;
use common::TimeLimit;
use common::memfs::MemFs;
use libfuse3::Capabilities;
use libfuse3::CommandLine;
use libfuse3::ConnInfo;
use libfuse3::Errno;
use libfuse3::Operations;
use libfuse3::Session;
use libfuse3::Unmount;
use tempfile::TempDir;

/// Where the other process mounts, how it fares there, and where it tells.
const MOUNTPOINT: &str = "LIBFUSE3_TEST_MOUNTPOINT";
const ROLE: &str = "LIBFUSE3_TEST_ROLE";
const NEWS: &str = "LIBFUSE3_TEST_NEWS";

const TESTS: [(&str, fn()); 6] = [
    ("daemonize_goes_on_in_a_child_process", goes_on),
    (
        "a_failure_before_init_is_that_of_the_process_that_was_called",
        fails,
    ),
    ("a_failure_before_init_is_one_of_mount_8", fails_below_mount),
    (
        "a_child_that_is_killed_before_init_leaves_nothing_mounted",
        is_killed,
    ),
    (
        "a_mount_that_is_gone_before_init_is_a_failure",
        is_unmounted,
    ),
    (
        "an_interruption_from_the_terminal_before_init_ends_it",
        is_interrupted,
    ),
];

fn main() {
    if let Some(role) = std::env::var_os(ROLE) {
        let mountpoint = std::env::var_os(MOUNTPOINT).unwrap();
        be(role.to_str().unwrap(), mountpoint.as_ref());
        return;
    }
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    // As much of the language of test harnesses as `cargo test` and its like need.
    if has("--ignored") {
        return;
    }
    let (mut passed, mut failed) = (0, 0);
    for (name, test) in TESTS {
        let mut filters = arguments.iter().filter(|filter| !filter.starts_with('-'));
        if has("--list") {
            println!("{name}: test");
        } else if filters.clone().next().is_none()
            || filters.any(|filter| name.contains(filter.as_str()))
        {
            let count = match succeeds(name, test) {
                true => &mut passed,
                false => &mut failed,
            };
            *count += 1;
        }
    }
    let result = if failed == 0 { "ok" } else { "FAILED" };
    if !has("--list") {
        println!("test result: {result}. {passed} passed; {failed} failed; 0 ignored;");
    }
    if failed > 0 {
        std::process::exit(101);
    }
}

/// Runs a test on a thread of its name, and says how it went.
fn succeeds(name: &'static str, test: fn()) -> bool {
    let thread = thread::Builder::new().name(name.to_owned());
    let run = move || {
        if common::fuse_available(name) {
            let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
            test();
        }
    };
    let succeeded = thread.spawn(run).unwrap().join().is_ok();
    println!(
        "test {name} ... {}",
        if succeeded { "ok" } else { "FAILED" }
    );
    succeeded
}

/// A file system whose `init` goes wrong, or takes its time.
struct Init(fn(&mut ConnInfo) -> libfuse3::Result<()>);

impl Operations for Init {
    fn init(&self, conn: &mut ConnInfo) -> libfuse3::Result<()> {
        (self.0)(conn)
    }
}

/// What the other process is.
fn be(role: &str, mountpoint: &Path) {
    let init: fn(&mut ConnInfo) -> libfuse3::Result<()> = match role {
        "serves" => return serve(mountpoint),
        "unmounts" => return unmount_before_it_runs(mountpoint),
        "fails" => |_| Err(Errno::ENODATA),
        "panics" => |_| panic!("init has no idea"),
        "needs what is not offered" => |conn| conn.want(Capabilities::from_bits_retain(1 << 62)),
        "waits" => |_| {
            let news = PathBuf::from(std::env::var_os(NEWS).unwrap());
            fs::write(&news, "waiting").unwrap();
            assert!(common::wait_until(common::PATIENCE, || !news.exists()));
            Ok(())
        },
        "is killed" => |_| {
            let this = rustix::process::getpid();
            rustix::process::kill_process(this, rustix::process::Signal::KILL).unwrap();
            Ok(())
        },
        _ => panic!("{role}: unknown"),
    };
    // As `Program` does it with the arguments of the process.
    let line = CommandLine::parse(["example".as_ref(), mountpoint]).unwrap();
    if let Err(error) = line.run(|_| Ok(Session::builder(Init(init)))) {
        eprintln!("example: {error}");
        std::process::exit(1);
    }
}

fn serve(mountpoint: &Path) {
    let news = std::env::var_os(NEWS).unwrap();
    let mut session = Session::builder(MemFs::default())
        .mount(mountpoint)
        .unwrap();
    session.daemonize().unwrap();
    fs::write(&news, std::process::id().to_string()).unwrap();
    let reason = smol::block_on(session.run()).unwrap();
    session.close(Unmount::Yes).unwrap();
    fs::write(news, format!("{reason:?}")).unwrap();
}

fn unmount_before_it_runs(mountpoint: &Path) {
    let mut session = Session::builder(MemFs::default())
        .mount(mountpoint)
        .unwrap();
    if let Err(error) = session.daemonize() {
        eprintln!("example: {error}");
        std::process::exit(3);
    }
    common::unmount(mountpoint, true).unwrap();
    smol::block_on(session.run()).unwrap();
}

/// A directory to mount on, and the program that does.
struct Mount {
    dir: MountDir,
    elsewhere: TempDir,
}

impl Mount {
    fn new() -> Self {
        let dir = MountDir::new();
        common::register_mount(dir.path().to_owned());
        Self {
            dir,
            elsewhere: tempfile::tempdir().unwrap(),
        }
    }

    fn start(&self, role: &str) -> Output {
        self.finish(Command::new(std::env::current_exe().unwrap()).env(ROLE, role))
    }

    /// What is written to standard error ends when the last process is gone that could.
    fn finish(&self, command: &mut Command) -> Output {
        command.env(MOUNTPOINT, self.dir.path());
        command.env(NEWS, self.elsewhere.path().join("news"));
        command.stdin(Stdio::null()).output().unwrap()
    }
}

/// Standard error of a process that must have failed with this status.
#[track_caller]
fn failure(mount: &Mount, output: &Output, status: i32) -> String {
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(status), "{message}");
    assert!(!common::is_mounted(mount.dir.path()), "{message}");
    message
}

fn goes_on() {
    let mount = Mount::new();
    let (dir, news) = (&mount.dir, mount.elsewhere.path().join("news"));
    let output = mount.start("serves");
    assert!(output.status.success(), "the process that was called ends");
    assert!(common::is_mounted(dir.path()));

    // The other one serves.
    fs::write(dir.join("file"), "text").unwrap();
    assert_eq!(fs::read(dir.join("file")).unwrap(), b"text");
    let process = fs::read_to_string(&news).unwrap();
    let about = Path::new("/proc").join(&process);
    assert_eq!(fs::read_link(about.join("cwd")).unwrap(), Path::new("/"));
    for descriptor in ["fd/0", "fd/1", "fd/2"] {
        let file = fs::read_link(about.join(descriptor)).unwrap();
        assert_eq!(file, Path::new("/dev/null"), "{descriptor}");
    }
    // pid (name) state ppid pgrp session ..
    let stat = fs::read_to_string(about.join("stat")).unwrap();
    let session = stat
        .rsplit(") ")
        .next()
        .and_then(|rest| rest.split(' ').nth(3));
    assert_eq!(session, Some(process.as_str()), "it has no terminal");

    common::unmount(dir.path(), false).unwrap();
    let has_ended = || fs::read(&news).is_ok_and(|news| news == b"Unmounted");
    assert!(common::wait_until(common::PATIENCE, has_ended));
}

fn fails() {
    for (role, expected) in [
        ("fails", "init failed: No data available"),
        ("panics", "init has no idea"),
        ("panics", "init failed: Input/output error"),
        ("needs what is not offered", "does not offer"),
    ] {
        let mount = Mount::new();
        let message = failure(&mount, &mount.start(role), 1);
        assert!(message.contains(expected), "{role}: {message}");
        assert!(message.contains("example: "), "{role}: {message}");
    }
}

/// mount(8) starts mount.fuse3, and that a program by its path.
fn fails_below_mount() {
    let helper = ["/sbin/mount.fuse3", "/usr/sbin/mount.fuse3"];
    if !rustix::process::geteuid().is_root() || !helper.iter().any(|path| Path::new(path).exists())
    {
        return common::skip("not root, or no mount.fuse3");
    }
    let mount = Mount::new();
    let program = mount.elsewhere.path().join("program");
    let this = std::env::current_exe().unwrap();
    let script = format!(
        "#!/bin/sh\n{ROLE}=fails {MOUNTPOINT}=\"$2\" exec '{}'\n",
        this.display()
    );
    fs::write(&program, script).unwrap();
    let mut executable = Command::new("chmod");
    let executable = executable.arg("+x").arg(&program).status();
    assert!(executable.unwrap().success());
    let mut command = Command::new("mount");
    command.args(["-t", "fuse3"]);
    command.arg(format!("{}#source", program.display()));
    let output = mount.finish(command.arg(mount.dir.path()));
    let message = failure(&mount, &output, 1);
    assert!(message.contains("init failed: No data"), "{message}");
}

/// As Ctrl-C does it.
fn is_interrupted() {
    let mount = Mount::new();
    let news = mount.elsewhere.path().join("news");
    // A shell has programs in its background ignore the signal.
    let mut command = Command::new("env");
    command.arg("--default-signal");
    command.arg(std::env::current_exe().unwrap());
    command.env(ROLE, "waits").env(MOUNTPOINT, mount.dir.path());
    command
        .env(NEWS, &news)
        .stdin(Stdio::null())
        .process_group(0);
    let mut child = command.spawn().unwrap();
    let is_waiting = || fs::read(&news).is_ok_and(|news| news == b"waiting");
    assert!(common::wait_until(common::PATIENCE, is_waiting));
    assert!(child.try_wait().unwrap().is_none(), "it waits for init");
    let group = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process_group(group, rustix::process::Signal::INT).unwrap();
    fs::remove_file(&news).unwrap();
    child.wait().unwrap();
    let is_gone = || !common::is_mounted(mount.dir.path());
    assert!(common::wait_until(common::PATIENCE, is_gone));
}

fn is_killed() {
    let mount = Mount::new();
    let message = failure(&mount, &mount.start("is killed"), 1);
    assert!(
        message.contains("example: cannot go into the background"),
        "{message}"
    );
    assert!(message.contains("signal: 9"), "{message}");
}

fn is_unmounted() {
    let mount = Mount::new();
    let message = failure(&mount, &mount.start("unmounts"), 3);
    assert!(message.contains("ended before it was served"), "{message}");
}
