//! A mount namespace of a test's own, where /dev/fuse and fusermount3 can be taken away.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::thread;

use rustix::fs::CWD;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::makedev;
use rustix::mount::MountFlags;
use rustix::mount::MountPropagationFlags;
use rustix::mount::UnmountFlags;
use rustix::thread::UnshareFlags;

use crate::common;
use crate::program;

const NOBODY: u32 = 65_534;

/// Who starts a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum User {
    Root,
    Nobody,
}

pub(crate) struct Namespace {
    /// An empty file system, which all users can look at.
    scratch: PathBuf,
    program: PathBuf,
}

/// Runs a test that has the file systems of this machine for itself; nothing of what it mounts is left.
///
/// Only root can do that.
pub(crate) fn alone(test: impl FnOnce(&Namespace) + Send) {
    if !rustix::process::geteuid().is_root() {
        common::skip("not root");
        return;
    }
    common::require_fuse!();
    let name = common::test_name();
    let scratch = tempfile::tempdir().unwrap();
    // In a chroot, the path of this program is another one inside of the namespace.
    let hello = program::path_of("hello");
    thread::scope(|scope| {
        let thread = thread::Builder::new().name(name).spawn_scoped(scope, || {
            let namespace = Namespace::enter(scratch.path(), &hello);
            test(&namespace);
            assert_eq!(fuse_mounts(), [""; 0], "left mounted");
        });
        let result = thread.unwrap().join();
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}

/// The FUSE mounts that this thread sees.
fn fuse_mounts() -> Vec<String> {
    let table = common::mountinfo();
    let mounts = table.lines().filter_map(|line| {
        let (mount, about) = line.split_once(" - ")?;
        let kind = about.split(' ').next()?;
        let is_fuse = kind == "fuse" || kind == "fuseblk" || kind.starts_with("fuse.");
        let path = mount.split(' ').nth(4)?.replace("\\040", " ");
        (is_fuse && path != "/").then_some(path)
    });
    mounts.collect()
}

impl Namespace {
    /// Has this thread, and the programs that it starts, see mounts of its own.
    fn enter(scratch: &Path, hello: &Path) -> Self {
        // SAFETY: nothing but the mounts that this thread sees becomes its own.
        unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNS) }.unwrap();
        let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        rustix::mount::mount_change("/", private).unwrap();
        // These copies would keep the mounts of others alive.
        for path in fuse_mounts().iter().rev() {
            rustix::mount::unmount(path, UnmountFlags::DETACH).unwrap();
        }
        rustix::mount::mount("none", scratch, "tmpfs", MountFlags::empty(), None).unwrap();
        let this = Self {
            scratch: scratch.to_owned(),
            program: scratch.join("hello"),
        };
        this.set_mode(scratch, 0o755);
        // Other users need not be able to look into the directory of the build.
        this.replace(this.file("hello", ""), hello);
        this
    }

    pub(crate) fn set_mode(&self, path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// A directory of this user's with this mode.
    pub(crate) fn directory(&self, name: &str, owner: User, mode: u32) -> PathBuf {
        let path = self.scratch.join(name);
        fs::create_dir(&path).unwrap();
        if owner == User::Nobody {
            std::os::unix::fs::chown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        self.set_mode(&path, mode);
        path
    }

    /// Where there is nothing yet.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.scratch.join(name)
    }

    /// A new file; a relative path is one where it is in nobody's way.
    pub(crate) fn file(&self, name: &str, contents: &str) -> PathBuf {
        let path = self.scratch.join(name);
        fs::write(&path, contents).unwrap();
        path
    }

    /// Lets a file be found in the place of another, for as long as the namespace is there.
    pub(crate) fn replace(&self, place: impl AsRef<Path>, file: &Path) {
        rustix::mount::mount_bind(file, place.as_ref()).unwrap();
    }

    /// Lets a directory be found empty.
    pub(crate) fn empty(&self, directory: impl AsRef<Path>) {
        let flags = MountFlags::empty();
        rustix::mount::mount("none", directory.as_ref(), "tmpfs", flags, None).unwrap();
    }

    /// A device of this major and minor number.
    pub(crate) fn device(&self, name: &str, number: (u32, u32), mode: u32) -> PathBuf {
        let path = self.scratch.join(name);
        let number = makedev(number.0, number.1);
        rustix::fs::mknodat(CWD, &path, FileType::CharacterDevice, Mode::empty(), number).unwrap();
        self.set_mode(&path, mode);
        path
    }

    /// Gives /dev/fuse this mode, here alone.
    pub(crate) fn set_device_mode(&self, mode: u32) {
        self.replace("/dev/fuse", &self.device("fuse", (10, 229), mode));
    }

    /// The example that all this is tried with, without a mountpoint.
    pub(crate) fn hello(&self, user: User) -> Command {
        let mut command = Command::new(&self.program);
        if user == User::Nobody {
            command.uid(NOBODY).gid(NOBODY);
        }
        command.arg("-f").current_dir("/");
        command
    }

    /// Asserts that a program cannot mount; the line that it says instead.
    #[track_caller]
    pub(crate) fn refusal(&self, command: &mut Command, mountpoint: &Path) -> String {
        command.arg(mountpoint);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let ended = common::wait_until(common::PATIENCE, || child.try_wait().unwrap().is_some());
        if !ended {
            child.kill().unwrap();
        }
        let output = child.wait_with_output().unwrap();
        let message = program::text(&output.stderr);
        assert!(ended, "it did not end: {message}");
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert_eq!(output.stdout, b"");
        assert_eq!(message.lines().count(), 1, "not one line: {message}");
        let beginning = format!("hello: cannot mount on {mountpoint:?}: ");
        assert!(message.starts_with(&beginning), "{message}");
        assert_eq!(fuse_mounts(), [""; 0], "mounted all the same");
        message
    }

    /// Asserts that a program can mount, and ends it.
    #[track_caller]
    pub(crate) fn assert_mounts(&self, command: &mut Command, mountpoint: &Path) {
        let mut child = command.arg(mountpoint).spawn().unwrap();
        let mut ended = None;
        let mounted = common::wait_until(common::PATIENCE, || {
            ended = child.try_wait().unwrap();
            ended.is_some() || fuse_mounts() == [mountpoint.to_str().unwrap()]
        });
        rustix::process::kill_process(
            rustix::process::Pid::from_child(&child),
            rustix::process::Signal::TERM,
        )
        .unwrap();
        let status = child.wait().unwrap();
        assert!(mounted && ended.is_none() && status.success(), "{status}");
        assert_eq!(fuse_mounts(), [""; 0], "left mounted");
    }
}
