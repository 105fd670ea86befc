//! An example program as a child process.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Output;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use rustix::process::Pid;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::common;
use crate::common::MountDir;
use crate::common::PATIENCE;
use crate::common::TimeLimit;

/// All of the examples that are mounted on a directory, with any libfuse, and the operands that come
/// before the mountpoint: `SOURCE` stands for a directory.
pub(crate) const ALL: [(&str, &[&str]); 10] = [
    ("hello", &[]),
    ("tmpfs", &[]),
    ("passthroughfs", &["SOURCE"]),
    ("hello_ll", &[]),
    ("ioctl_ll", &[]),
    ("memfs_ll", &[]),
    ("notify_inval_entry", &[]),
    ("notify_inval_inode", &[]),
    ("notify_store_retrieve", &[]),
    ("poll", &[]),
];

/// Operands that may be left out.
pub(crate) fn optional_operands(name: &str) -> &'static [&'static str] {
    match name {
        "tmpfs" => &["[NAME]"],
        _ => &[],
    }
}

/// The exit status for a command line that makes no sense.
pub(crate) fn usage_status(name: &str) -> i32 {
    match name {
        "hello" | "tmpfs" | "passthroughfs" => 2,
        // As libfuse's program of that name.
        _ => 1,
    }
}

/// The program itself. cargo builds the examples along with the tests, next to them.
pub(crate) fn path_of(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let profile = test.ancestors().nth(2).expect("target/PROFILE/deps/TEST");
    let program = profile.join("examples").join(name);
    let hint = "build it first: cargo build --examples";
    assert!(program.exists(), "{program:?} is not there; {hint}");
    program
}

/// A program that has mounted its file system and runs in the foreground.
///
/// Unmounted and ended when it is dropped, whatever happens.
pub(crate) struct Program {
    child: Child,
    output: PathBuf,
    mountpoint: MountDir,
    _dir: TempDir,
    _limit: TimeLimit,
}

impl Program {
    /// Starts a program with these arguments, a mountpoint and `-f`, and waits until it has mounted.
    pub(crate) fn start<A: AsRef<OsStr>>(
        name: &str,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        Self::start_with_limit(name, arguments, common::DEFAULT_LIMIT)
    }

    /// The same, for tests that take longer.
    pub(crate) fn start_with_limit<A: AsRef<OsStr>>(
        name: &str,
        arguments: impl IntoIterator<Item = A>,
        limit: Duration,
    ) -> Self {
        let mut command = Command::new(path_of(name));
        command.args(arguments);
        Self::start_command(name, command, limit)
    }

    /// As `start`, with a regular file for a mountpoint.
    pub(crate) fn start_on_file<A: AsRef<OsStr>>(
        name: &str,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        let mut command = Command::new(path_of(name));
        command.args(arguments);
        Self::start_at(MountDir::file(), name, command, common::DEFAULT_LIMIT)
    }

    /// The same, for a command that starts the program if a mountpoint and `-f` are added to it.
    pub(crate) fn start_command(name: &str, command: Command, limit: Duration) -> Self {
        Self::start_at(MountDir::new(), name, command, limit)
    }

    fn start_at(mountpoint: MountDir, name: &str, mut command: Command, limit: Duration) -> Self {
        let patience = limit / 2;
        let limit = TimeLimit::new(limit);
        let dir = tempfile::tempdir().expect("a directory");
        let output = dir.path().join("output");
        let file = fs::File::create(&output).expect("a file for the output");
        command.arg(mountpoint.path()).arg(match name {
            // It has options of its own.
            "passthrough_hp" => "--foreground",
            _ => "-f",
        });
        command.stdin(Stdio::null());
        command.stdout(file.try_clone().expect("another descriptor"));
        command.stderr(file);
        let child = command.spawn().expect("started");
        let mut this = Self {
            child,
            output,
            mountpoint,
            _dir: dir,
            _limit: limit,
        };
        let mut ended = None;
        // Longer where the test may take longer.
        let mounted = common::wait_until(PATIENCE.max(patience), || {
            ended = this.child.try_wait().expect("waited for");
            ended.is_some() || common::is_mounted(this.path())
        });
        assert!(
            mounted && ended.is_none(),
            "{name} has not mounted ({ended:?}): {}",
            this.output()
        );
        common::register_mount(this.path().to_owned());
        this
    }

    /// The mountpoint.
    pub(crate) fn path(&self) -> &Path {
        self.mountpoint.path()
    }

    /// A path in the mount.
    pub(crate) fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.mountpoint.join(name)
    }

    /// What it has printed so far, on both standard output and standard error.
    pub(crate) fn output(&self) -> String {
        fs::read_to_string(&self.output).expect("its output")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.pid(), signal).expect("sent");
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Waits until the program ends, which something else sees to; it must have unmounted.
    pub(crate) fn join_process(&mut self) -> ExitStatus {
        let mut status = None;
        common::wait_until(PATIENCE, || {
            status = self.child.try_wait().expect("waited for");
            status.is_some()
        });
        let output = self.output();
        let status = status.unwrap_or_else(|| panic!("does not end: {output}"));
        assert!(!common::is_mounted(self.path()), "still mounted: {output}");
        status
    }

    /// Unmounts as a user would. The program must end well, and must have had nothing to say.
    pub(crate) fn unmount(mut self) {
        unmount(self.path());
        let status = self.join_process();
        let output = self.output();
        assert!(status.success(), "{status}: {output}");
        assert_eq!(output, "", "it had something to say");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            drop(self.child.kill());
            drop(self.child.wait());
        }
        // Where there is no root, the mountpoint's own clean-up is not allowed to.
        if common::is_mounted(self.path()) && thread::panicking() {
            drop(
                Command::new("fusermount3")
                    .args(["-uzq"])
                    .arg(self.path())
                    .status(),
            );
        }
        if thread::panicking() {
            eprintln!("output of the program:\n{}", self.output());
        }
    }
}

/// Unmounts, without force.
///
/// Tries again while the mount is busy: a child that another test is starting has all descriptors of
/// this process for a moment, also those of directories that are being read.
pub(crate) fn unmount(path: &Path) {
    let mut result = Ok(());
    common::wait_until(PATIENCE, || {
        result = common::unmount(path, false);
        result.is_ok()
    });
    result.expect("unmounted");
}

/// Runs a command that must succeed. Returns what it wrote to standard output.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> String {
    let output = finish(command);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}

/// Runs a command to its end, which need not be a good one.
pub(crate) fn finish(command: &mut Command) -> Output {
    command.stdin(Stdio::null());
    let output = command.output();
    output.unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What a program prints, that must fail with status 1.
#[track_caller]
pub(crate) fn failure(command: &mut Command) -> String {
    let output = finish(command);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(text(&output.stdout), "");
    text(&output.stderr)
}
