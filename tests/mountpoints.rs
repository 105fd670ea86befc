//! Mountpoints as they come: relative paths, names of any bytes, symbolic links; in user namespaces, and of
//! block devices.

mod common;
#[path = "bad_input/namespace.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod namespace;
#[path = "examples/program.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod program;

use std::ffi::OsStr;
use std::fs;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::chown;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use common::LoopDevice;
use common::MountDir;
use common::TimeLimit;
use common::memfs::MemFs;
use libfuse3::ExitReason;
use libfuse3::MountOptions;
use namespace::Namespace;
use namespace::User;
use program::Program;
use program::finish;
use program::run;
use program::text;

const NOBODY: u32 = 65_534;

/// Names that something on the way might take for something else.
const NAMES: [&[u8]; 14] = [
    b"plain",
    b"with space",
    b" ",
    b"comma,comma",
    br"back\slash",
    br"octal\054digits\",
    b"tab\tand\nnewline",
    b"\xff\xfe\x80 is not UTF-8",
    "\u{fc}n\u{ef}c\u{f6}d\u{e9}".as_bytes(),
    b"hash#hash",
    b"'quotes\"",
    b"equals=ro,fsname=x",
    b"-o",
    b"$(touch x);*?[a]",
];

/// hello, without `-f`.
fn hello(namespace: &Namespace, user: User) -> Command {
    let foreground = namespace.hello(user);
    let mut command = Command::new(foreground.get_program());
    if user == User::Nobody {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.current_dir("/");
    command
}

/// A directory of this user's with such a name.
fn directory(namespace: &Namespace, user: User, name: &[u8]) -> PathBuf {
    let parent = namespace.path(&format!("{user:?}"));
    if !parent.exists() {
        namespace.directory(&format!("{user:?}"), user, 0o755);
    }
    let path = parent.join(OsStr::from_bytes(name));
    fs::create_dir(&path).unwrap();
    if user == User::Nobody {
        chown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    path
}

fn unmount(path: &Path, user: User) {
    let mut output = None;
    let gone = common::wait_until(common::PATIENCE, || {
        let mut fusermount = Command::new("fusermount3");
        fusermount.args(["-u", "--"]).arg(path).current_dir("/");
        if user == User::Nobody {
            fusermount.uid(NOBODY).gid(NOBODY);
        }
        let result = finish(&mut fusermount);
        let success = result.status.success();
        output = Some(result);
        success
    });
    assert!(gone, "{output:?}");
    assert!(!common::is_mounted(path), "{path:?}");
}

#[track_caller]
fn assert_says_hello(mountpoint: &Path, user: User) {
    let mut command = Command::new("cat");
    command.arg(mountpoint.join("message")).current_dir("/");
    if user == User::Nobody {
        command.uid(NOBODY).gid(NOBODY);
    }
    assert_eq!(run(&mut command), "hello world\n", "{mountpoint:?}");
}

/// In the background, where the path that was given means nothing any more.
#[test]
fn relative_paths_of_any_bytes() {
    namespace::alone(|namespace| {
        let _limit = TimeLimit::new(2 * common::DEFAULT_LIMIT);
        namespace.set_device_mode(0o666);
        for user in [User::Root, User::Nobody] {
            for name in NAMES {
                let path = directory(namespace, user, name);
                let mut command = hello(namespace, user);
                command.current_dir(path.parent().unwrap());
                // Otherwise it would be an option.
                command.args((name == b"-o").then_some("--"));
                run(command.arg(OsStr::from_bytes(name)));
                assert!(common::is_mounted(&path), "{path:?}");
                assert_says_hello(&path, user);
                unmount(&path, user);
            }
        }
    });
}

/// The other way to unmount: by the program itself.
#[test]
fn absolute_paths_of_any_bytes() {
    namespace::alone(|namespace| {
        let _limit = TimeLimit::new(2 * common::DEFAULT_LIMIT);
        namespace.set_device_mode(0o666);
        for user in [User::Root, User::Nobody] {
            for name in NAMES {
                let path = directory(namespace, user, name);
                let mut child = namespace.hello(user).arg(&path).spawn().unwrap();
                let mounted = common::wait_until(common::PATIENCE, || common::is_mounted(&path));
                assert!(mounted, "{path:?}");
                assert_says_hello(&path, user);
                let pid = rustix::process::Pid::from_child(&child);
                rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
                assert!(child.wait().unwrap().success());
                assert!(!common::is_mounted(&path), "{path:?}");
            }
        }
    });
}

#[test]
fn a_killed_program_leaves_no_mount_whatever_it_is_called() {
    namespace::alone(|namespace| {
        let _limit = TimeLimit::new(2 * common::DEFAULT_LIMIT);
        namespace.set_device_mode(0o666);
        for name in NAMES {
            let path = directory(namespace, User::Root, name);
            // fusermount3 may look whether the mount is dead just before it is, and leaves it then.
            let mut attempts = 0..5;
            assert!(
                attempts.any(|_| killed_program_is_unmounted(namespace, &path)),
                "{path:?}"
            );
        }
    });
}

fn killed_program_is_unmounted(namespace: &Namespace, path: &Path) -> bool {
    let mut command = namespace.hello(User::Root);
    command.args(["-o", "auto_unmount"]).arg(path);
    let mut child = command.spawn().unwrap();
    let mounted = common::wait_until(common::PATIENCE, || common::is_mounted(path));
    assert!(mounted, "{path:?}");
    assert_says_hello(path, User::Root);
    child.kill().unwrap();
    child.wait().unwrap();
    let gone = common::wait_until(Duration::from_secs(2), || !common::is_mounted(path));
    if !gone {
        common::unmount(path, true).unwrap();
    }
    gone
}

#[test]
fn symbolic_links() {
    common::require_fuse!();
    let dir = MountDir::new();
    let links = tempfile::tempdir().unwrap();
    let links = links.path().canonicalize().unwrap();
    let parent = dir.path().parent().unwrap();
    let name = dir.path().file_name().unwrap();
    symlink(dir.path(), links.join("to_it")).unwrap();
    symlink(parent, links.join("to its parent")).unwrap();
    symlink("to its parent", links.join("relative")).unwrap();
    for (link, through) in [
        ("to_it", links.join("to_it")),
        ("to its parent", links.join("to its parent").join(name)),
        ("relative", links.join("relative/.").join(name)),
    ] {
        let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
        let session = libfuse3::Session::builder(MemFs::default());
        let session = session.mount(&through).unwrap();
        common::register_mount(dir.path().to_owned());
        assert_eq!(session.mountpoint(), dir.path());
        let session = session.spawn().unwrap();
        fs::write(through.join("file"), "text").unwrap();
        assert_eq!(fs::read(dir.join("file")).unwrap(), b"text");
        // What it was mounted through leads elsewhere by the time it is unmounted.
        fs::remove_file(links.join(link)).unwrap();
        symlink("/proc", links.join(link)).unwrap();
        session.unmount().unwrap();
        assert!(!common::is_mounted(dir.path()), "{link}");
        fs::remove_file(links.join(link)).unwrap();
        let target = if link == "relative" {
            Path::new("to its parent")
        } else {
            parent
        };
        symlink(target, links.join(link)).unwrap();
    }
}

/// Where users are root among themselves, and mount without fusermount3.
#[test]
fn namespaces_of_users() {
    const SCRIPT: &str = r#"
        "$0" -o fsname=mine "$1" &&
        cat "$1/message" &&
        grep " - fuse.hello mine " /proc/self/mountinfo > /dev/null &&
        umount "$1" &&
        ! grep " - fuse.hello mine " /proc/self/mountinfo
    "#;
    namespace::alone(|namespace| {
        if common::find_program("unshare").is_none() {
            return common::skip("no unshare");
        }
        namespace.set_device_mode(0o666);
        // In there nobody but they themselves has a name.
        let unshare = |arguments: &[&OsStr]| {
            let mut command = Command::new("unshare");
            command.args(["--user", "--map-root-user", "--mount"]);
            command.args(arguments).uid(NOBODY).gid(NOBODY);
            finish(command.current_dir("/"))
        };
        let possible = unshare(&["true".as_ref()]);
        if !possible.status.success() {
            return common::skip(text(&possible.stderr).trim());
        }
        let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
        let dir = namespace.directory("mine", User::Nobody, 0o755);
        let hello = hello(namespace, User::Nobody);
        let output = unshare(&[
            "sh".as_ref(),
            "-c".as_ref(),
            SCRIPT.as_ref(),
            hello.get_program(),
            dir.as_os_str(),
        ]);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(text(&output.stdout), "hello world\n");
        assert_eq!(text(&output.stderr), "");
    });
}

/// The kernel tells such a file system of its end, and waits for it.
#[test]
fn a_block_device() {
    common::require_fuse!();
    common::require_root!();
    let Some(device) = LoopDevice::available() else {
        return;
    };
    for kind in [None, Some("kind")] {
        let mut options = MountOptions::default().blkdev().fsname(&device.path);
        options = options.blksize(4096);
        if let Some(kind) = kind {
            options = options.subtype(kind);
        }
        let mounted = common::mount_with(MemFs::default(), |builder| builder.options(options));
        let found = common::mountinfo_of(mounted.path()).unwrap();
        let expected = kind.map_or("fuseblk".to_owned(), |kind| format!("fuseblk.{kind}"));
        assert_eq!((found.kind, &found.source), (expected, &device.path));
        assert!(found.options.contains("blksize=4096"), "{}", found.options);
        fs::write(mounted.join("file"), "text").unwrap();
        assert_eq!(fs::read(mounted.join("file")).unwrap(), b"text");
        drop(mounted);
    }
}

/// Its connection is not the one that has the minor number of the device.
#[test]
fn the_connection_of_a_block_device_is_aborted() {
    common::require_fuse!();
    common::require_root!();
    common::require_fusectl!();
    let Some(device) = LoopDevice::available() else {
        return;
    };
    let options = MountOptions::default().blkdev().fsname(&device.path);
    for options in [options.clone(), options.subtype("kind")] {
        let mounted = common::mount_with(MemFs::default(), |builder| builder.options(options));
        fs::write(mounted.join("file"), "text").unwrap();
        // It is there.
        common::connection_value(mounted.connection(), "waiting");
        mounted.abort();
        assert_eq!(mounted.join_session().unwrap(), ExitReason::Aborted);
    }
}

#[test]
fn a_block_device_of_a_program_in_the_background() {
    common::require_fuse!();
    common::require_root!();
    let Some(device) = LoopDevice::available() else {
        return;
    };
    let mut program = Command::new(program::path_of("hello"));
    program
        .arg("-o")
        .arg(format!("blkdev,fsname={}", device.path));
    let program = Program::start_command("hello", program, common::DEFAULT_LIMIT);
    assert_says_hello(program.path(), User::Root);
    program.unmount();
}

/// By mode, owner and group, for those who are let in.
#[test]
fn the_kernel_checks_permissions_if_it_is_asked_to() {
    common::require_fuse!();
    common::require_root!();
    for (options, expected) in [
        (MountOptions::default(), false),
        (MountOptions::empty(), true),
        (MountOptions::empty().default_permissions(), false),
    ] {
        let options = options.allow_other();
        let mounted = common::mount_with(MemFs::default(), |builder| builder.options(options));
        let file = mounted.join("file");
        File::create(&file).unwrap();
        fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let mut read = Command::new("cat");
        read.arg(&file).uid(NOBODY).gid(NOBODY).stdin(Stdio::null());
        let output = finish(&mut read);
        assert_eq!(output.status.success(), expected, "{output:?}");
    }
}

/// A session in a directory of its own below this one, and its mountpoint.
fn session_below(parent: &Path) -> (libfuse3::BackgroundSession, PathBuf) {
    let path = parent.join("mountpoint");
    fs::create_dir_all(&path).unwrap();
    let session = libfuse3::Session::builder(MemFs::default());
    let session = session.mount(&path).unwrap().spawn().unwrap();
    common::register_mount(path.clone());
    (session, path)
}

#[test]
fn mount_whose_parent_was_renamed_is_unmounted() {
    common::require_fuse!();
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().canonicalize().unwrap();
    let (session, path) = session_below(&dir.join("before"));
    fs::rename(dir.join("before"), dir.join("after")).unwrap();
    // Not the session's, whatever its path.
    let (other, _) = session_below(&dir.join("before"));
    assert_eq!(session.unmount().unwrap(), ExitReason::Terminated);
    assert!(!common::is_mounted(&dir.join("after/mountpoint")));
    assert!(common::is_mounted(&path), "the other one is unmounted");
    assert_eq!(other.unmount().unwrap(), ExitReason::Terminated);
    assert!(!common::is_mounted(&path));
}

#[test]
fn mount_that_was_moved_and_its_bind_mounts_are_unmounted() {
    namespace::alone(|namespace| {
        let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
        let [moved, bound] = ["moved", "bound to"].map(|name| {
            let path = namespace.path(name);
            fs::create_dir(&path).unwrap();
            path
        });
        for aborted in [false, true] {
            if aborted && !common::linux_since(6, 8) {
                return common::skip("an aborted mount: before Linux 6.8");
            }
            let (session, path) = session_below(&namespace.path("parent"));
            rustix::mount::mount_move(&path, &moved).unwrap();
            // Twice on the same path.
            rustix::mount::mount_bind(&moved, &bound).unwrap();
            rustix::mount::mount_bind(&moved, &bound).unwrap();
            let expected = match aborted {
                false => ExitReason::Terminated,
                true => {
                    abort(&moved);
                    ExitReason::Aborted
                }
            };
            let reason = match aborted {
                false => session.unmount(),
                true => session.join(),
            };
            assert_eq!(reason.unwrap(), expected);
            for path in [&path, &moved, &bound] {
                assert!(!common::is_mounted(path), "{path:?}, aborted: {aborted}");
            }
        }
    });
}

/// Aborts the connection, and leaves everything mounted.
fn abort(path: &Path) {
    let held = rustix::fs::open(
        path,
        rustix::fs::OFlags::PATH | rustix::fs::OFlags::CLOEXEC,
        rustix::fs::Mode::empty(),
    );
    let result = rustix::mount::unmount(path, rustix::mount::UnmountFlags::FORCE);
    assert_eq!(result, Err(rustix::io::Errno::BUSY));
    drop(held);
}

#[test]
fn mount_below_another_file_system_is_reported_as_still_mounted() {
    namespace::alone(|namespace| {
        let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
        for (directory, reason) in [("parent", "on top of it"), ("hidden", "No such file")] {
            let (session, path) = session_below(&namespace.path(directory));
            let covered = match directory {
                "hidden" => path.parent().unwrap(),
                _ => &path,
            };
            namespace.empty(covered);
            let result = session.unmount();
            rustix::mount::unmount(covered, rustix::mount::UnmountFlags::empty()).unwrap();
            let Err(error @ libfuse3::Error::StillMounted { .. }) = result else {
                panic!("{directory}: {result:?}");
            };
            let message = error.to_string();
            for part in ["still mounted", reason, "fusermount3 -u"] {
                assert!(message.contains(part), "no `{part}` in {message}");
            }
            assert!(common::is_mounted(&path), "it is not");
            rustix::mount::unmount(&path, rustix::mount::UnmountFlags::DETACH).unwrap();
        }
    });
}

/// The kernel gives the numbers of a mount and its device to the next one, which root may not look at.
#[test]
fn session_that_was_unmounted_leaves_another_users_mount_alone() {
    namespace::alone(|namespace| {
        let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
        namespace.set_device_mode(0o666);
        let path = namespace.directory("first", User::Root, 0o755);
        let session = libfuse3::Session::builder(MemFs::default());
        let session = session.mount(&path).unwrap();
        rustix::mount::unmount(&path, rustix::mount::UnmountFlags::empty()).unwrap();
        let other = namespace.directory("second", User::Nobody, 0o755);
        run(hello(namespace, User::Nobody).arg(&other));
        assert!(common::is_mounted(&other));
        drop(session);
        assert!(common::is_mounted(&other), "unmounted");
        assert_says_hello(&other, User::Nobody);
        unmount(&other, User::Nobody);
    });
}

/// Another program may unmount before the session has found its own mount.
#[test]
fn session_that_is_unmounted_at_once_leaves_what_is_below_alone() {
    namespace::alone(|namespace| {
        let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
        let path = namespace.directory("mountpoint", User::Root, 0o755);
        namespace.empty(&path);
        let is_fuse = || common::mountinfo_of(&path).is_some_and(|mount| mount.kind == "fuse");
        for _ in 0..200 {
            let session = thread::scope(|scope| {
                let unmounted = scope.spawn(|| {
                    while !is_fuse() {
                        thread::yield_now();
                    }
                    common::unmount(&path, true)
                });
                let session = libfuse3::Session::builder(MemFs::default());
                let session = session.mount(&path).unwrap();
                unmounted.join().unwrap().unwrap();
                session
            });
            session.close(libfuse3::Unmount::Yes).unwrap();
            let mount = common::mountinfo_of(&path).expect("what was below");
            assert_eq!(mount.kind, "tmpfs");
        }
        rustix::mount::unmount(&path, rustix::mount::UnmountFlags::DETACH).unwrap();
    });
}
