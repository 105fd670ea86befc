//! What all tests that mount have in common: whether they can, how long they may take, a mount that
//! goes away by itself, log lines to look at, and news from handlers.
//!
//! ```ignore
//! mod common;
//!
//! #[test]
//! fn behaviour_that_is_shown() {
//!     common::require_fuse!();
//!     let mounted = common::mount(Fs::default());
//!     std::fs::metadata(mounted.path()).unwrap();
//!     mounted.ops.recorder.expect(Inode::ROOT);
//!     common::assert_quiet();
//! }
//! ```

#![allow(dead_code, reason = "no test binary uses all of it")]
#![allow(unused_imports, reason = "no test binary uses all of it")]
#![allow(unused_macros, reason = "no test binary uses all of it")]

mod c_program;
mod caller;
mod client;
mod file_handle;
mod fusectl;
mod kernel;
mod limit;
mod log;
mod loop_device;
mod mapping;
pub(crate) mod memfs;
mod mount;
mod recorder;
mod valgrind;
mod wait;

use std::fmt;
use std::fs;
use std::io;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use libfuse3::EntryAttributes;
use libfuse3::Inode;
use rustix::mount::UnmountFlags;

pub(crate) use c_program::CProgram;
pub(crate) use c_program::require_c_program;
pub(crate) use caller::OTHER_USER;
pub(crate) use caller::as_other_user;
pub(crate) use caller::become_user;
pub(crate) use caller::on_own_thread;
pub(crate) use client::Client;
pub(crate) use file_handle::FileId;
pub(crate) use file_handle::name_to_handle;
pub(crate) use fusectl::connection_value;
pub(crate) use fusectl::fusectl;
pub(crate) use fusectl::require_fusectl;
pub(crate) use kernel::linux_since;
pub(crate) use kernel::require_linux;
pub(crate) use limit::TimeLimit;
pub(crate) use limit::can_abort;
pub(crate) use limit::register_mount;
pub(crate) use log::Line;
pub(crate) use log::assert_logged;
pub(crate) use log::assert_quiet;
pub(crate) use log::install as install_logger;
pub(crate) use log::log_lines;
pub(crate) use log::trace as install_tracing_logger;
pub(crate) use loop_device::LoopDevice;
pub(crate) use mapping::Mapping;
pub(crate) use mount::MountDir;
pub(crate) use mount::Mounted;
pub(crate) use mount::mount;
pub(crate) use mount::mount_with;
pub(crate) use mount::mountinfo;
pub(crate) use mount::mountinfo_line;
pub(crate) use mount::mountinfo_of;
pub(crate) use mount::try_mount_with;
pub(crate) use recorder::Recorder;
pub(crate) use valgrind::Valgrind;
pub(crate) use valgrind::require_valgrind;
pub(crate) use wait::Gate;
pub(crate) use wait::Watch;

/// How long a test may take unless it says otherwise.
pub(crate) const DEFAULT_LIMIT: Duration = Duration::from_secs(30);

/// How long to wait for something that is about to happen. Only failing tests wait for so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Returns from a test where nothing can be mounted; says why. With `REQUIRE_FUSE=1` the test fails.
macro_rules! require_fuse {
    () => {
        if !$crate::common::fuse_available(&$crate::common::test_name()) {
            return;
        }
    };
}
pub(crate) use require_fuse;

/// Returns from a test where connections cannot be aborted; says why. Only for users other than root.
macro_rules! require_abort {
    () => {
        if !$crate::common::can_abort() {
            $crate::common::skip("not root, and /sys/fs/fuse/connections is not mounted");
            return;
        }
    };
}
pub(crate) use require_abort;

/// Returns from a test of something that only root may do; says so.
macro_rules! require_root {
    () => {
        if !rustix::process::geteuid().is_root() {
            $crate::common::skip("not root");
            return;
        }
    };
}
pub(crate) use require_root;

/// Returns from a test of something that cannot be tested here; the condition says why.
macro_rules! require {
    ($condition:expr) => {
        if !$condition {
            return;
        }
    };
}
pub(crate) use require;

/// Says that a test is skipped, and why.
pub(crate) fn skip(why: impl fmt::Display) {
    say(format_args!("{}: skipped: {why}", test_name()));
}

/// Whether this process can mount FUSE file systems. If not, says why, or fails if `REQUIRE_FUSE` is 1.
pub(crate) fn fuse_available(test_name: &str) -> bool {
    let Err(why) = can_mount() else { return true };
    let required = std::env::var_os("REQUIRE_FUSE").is_some_and(|value| value == "1");
    assert!(!required, "REQUIRE_FUSE=1, but {why}");
    say(format_args!("{test_name}: skipped: {why}"));
    false
}

fn can_mount() -> Result<(), String> {
    /// Bit of the effective capabilities in /proc/self/status.
    const CAP_SYS_ADMIN: u64 = 1 << 21;
    let device = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/fuse");
    drop(device.map_err(|error| format!("/dev/fuse: {error}"))?);
    if !rustix::process::geteuid().is_root() {
        return match find_program("fusermount3") {
            Some(_) => Ok(()),
            None => Err("not root, and there is no fusermount3".to_owned()),
        };
    }
    let status = fs::read_to_string("/proc/self/status").map_err(|error| error.to_string())?;
    let capabilities = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|set| u64::from_str_radix(set.trim(), 16).ok());
    match capabilities {
        Some(set) if set & CAP_SYS_ADMIN == 0 => {
            Err("root, but without the capability to mount".to_owned())
        }
        _ => Ok(()),
    }
}

/// A program in the PATH.
pub(crate) fn find_program(name: &str) -> Option<std::path::PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
}

/// A directory that all users can look into.
pub(crate) fn open_directory() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let everybody = fs::Permissions::from_mode(0o755);
    fs::set_permissions(dir.path(), everybody).expect("allowed");
    dir
}

/// The name of the test that runs on this thread.
pub(crate) fn test_name() -> String {
    thread::current().name().unwrap_or("a test").to_owned()
}

/// Prints a line past the capturing of the test harness.
pub(crate) fn say(line: impl fmt::Display) {
    // One write, so that lines of several tests do not get mixed up.
    drop(io::stderr().write_all(format!("{line}\n").as_bytes()));
}

/// Waits for a condition that there is no event for. Whether it came true in time.
pub(crate) fn wait_until(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    loop {
        if condition() {
            return true;
        }
        if start.elapsed() > limit {
            return false;
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// The number of the error that a call of the standard library returned.
pub(crate) fn errno<T: fmt::Debug>(result: io::Result<T>) -> i32 {
    let error = result.expect_err("the call succeeded");
    error.raw_os_error().expect("an error of the system")
}

/// The attributes of an inode that belongs to the user who mounts.
pub(crate) fn attributes(ino: Inode, mode: u32) -> EntryAttributes {
    EntryAttributes {
        ino,
        mode,
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
        ..EntryAttributes::default()
    }
}

/// Unmounts, as root or as the user who has mounted; `lazily` also what is in use.
pub(crate) fn unmount(path: &Path, lazily: bool) -> io::Result<()> {
    if rustix::process::geteuid().is_root() {
        let flags = match lazily {
            true => UnmountFlags::DETACH,
            false => UnmountFlags::empty(),
        };
        return Ok(rustix::mount::unmount(path, flags)?);
    }
    let mut command = Command::new("fusermount3");
    command.args(["-u", "-q"]).args(lazily.then_some("-z"));
    match command.arg(path).status()?.success() {
        true => Ok(()),
        false => Err(io::Error::other("fusermount3 could not unmount it")),
    }
}

/// Whether something is mounted on this path.
pub(crate) fn is_mounted(path: &Path) -> bool {
    mountinfo_of(path).is_some()
}
