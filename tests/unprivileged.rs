//! Sessions of users other than root, for whom fusermount3 mounts.

mod common;
#[path = "bad_input/namespace.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod namespace;
#[path = "examples/program.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod program;

use std::fs;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use common::TimeLimit;
use common::memfs::MemFs;
use libfuse3::Error;
use libfuse3::ExitReason;
use libfuse3::MountOptions;
use libfuse3::Session;
use libfuse3::Unmount;
use namespace::Namespace;
use namespace::User;
use rustix::mount::UnmountFlags;
use rustix::process::Resource;
use rustix::process::Rlimit;

const ROLE: &str = "LIBFUSE3_TEST_ROLE";
const DIRECTORIES: &str = "LIBFUSE3_TEST_DIRECTORIES";
const OPTIONS: &str = "LIBFUSE3_TEST_OPTIONS";
const CONF: &str = "/etc/fuse.conf";
const NOBODY: u32 = 65_534;
/// Somebody else: daemon.
const OTHER: u32 = 1;

/// Starts this program again as nobody, in a role.
fn start(namespace: &Namespace, role: &str, directories: &Path) -> Child {
    start_with(namespace, role, directories, "")
}

/// The same, with these mount options.
fn start_with(namespace: &Namespace, role: &str, directories: &Path, options: &str) -> Child {
    let mut command = again(namespace, role, directories, options);
    command.uid(NOBODY).gid(NOBODY).spawn().unwrap()
}

/// This program in a role, as the user that it is.
fn again(namespace: &Namespace, role: &str, directories: &Path, options: &str) -> Command {
    // The directory of the build need not be open to everybody. And what this process has open for writing
    // could not be run while another test starts a child. In a chroot, the path of this program is another
    // one inside of the namespace.
    let program = namespace.path("unprivileged");
    program::run(
        Command::new("cp")
            .arg(format!("/proc/{}/exe", std::process::id()))
            .arg(&program),
    );
    let mut command = Command::new(program);
    command.args(["another_process", "--exact", "--nocapture"]);
    command.env(ROLE, role).env(DIRECTORIES, directories);
    command.env(OPTIONS, options).current_dir("/");
    command.stdin(Stdio::null());
    command
}

/// Where the other process starts. Does nothing as a test.
#[test]
fn another_process() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let directories = PathBuf::from(std::env::var_os(DIRECTORIES).unwrap());
    match role.as_str() {
        "mounts while another unmounts" => mount_while_another_unmounts(&directories),
        "serves" => serve(&directories),
        "has its mount moved" => have_the_mount_moved(&directories),
        "drops its privileges" => drop_privileges(&directories),
        "runs out of processes" => run_out_of_processes(&directories),
        _ => panic!("{role}: unknown"),
    }
    std::process::exit(0);
}

/// Until somebody unmounts.
fn serve(directory: &Path) {
    let options = std::env::var(OPTIONS).unwrap();
    let session = Session::builder(MemFs::default());
    let session = session.options(MountOptions::empty().with_list(options));
    let session = session.mount(directory).unwrap().spawn().unwrap();
    assert_eq!(session.join().unwrap(), ExitReason::Unmounted);
}

/// A mount of nobody's, by another process.
struct Served {
    child: Child,
    dir: PathBuf,
}

impl Served {
    fn new(namespace: &Namespace, options: &str) -> Self {
        let name = format!("with {options}");
        let dir = namespace.directory(&name, User::Nobody, 0o755);
        let mut child = start_with(namespace, "serves", &dir, options);
        let mut ended = None;
        let mounted = common::wait_until(common::PATIENCE, || {
            ended = child.try_wait().unwrap();
            ended.is_some() || common::is_mounted(&dir)
        });
        assert!(mounted && ended.is_none(), "{options}: {ended:?}");
        Self { child, dir }
    }

    /// Whether a user can make a file in it, and read it.
    fn lets_in(&self, user: u32) -> bool {
        const SCRIPT: &str = r#"echo text > "$0" && cat "$0" && rm "$0""#;
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT]).arg(self.dir.join("file"));
        let output = program::finish(command.uid(user).gid(user).current_dir("/"));
        let (out, err) = (program::text(&output.stdout), program::text(&output.stderr));
        match output.status.success() {
            true => assert_eq!(out, "text\n"),
            false => assert!(err.contains("ermission denied"), "{err}"),
        }
        output.status.success()
    }

    fn unmount(mut self) {
        let mut message = String::new();
        let unmounted = common::wait_until(common::PATIENCE, || {
            let mut fusermount = Command::new("fusermount3");
            fusermount.arg("-u").arg(&self.dir).uid(NOBODY).gid(NOBODY);
            let output = program::finish(fusermount.current_dir("/"));
            message = program::text(&output.stderr);
            output.status.success()
        });
        assert!(unmounted, "{message}");
        let ended = common::wait_until(common::PATIENCE, || {
            self.child.try_wait().unwrap().is_some()
        });
        assert!(ended && self.child.wait().unwrap().success());
    }
}

#[test]
fn a_mount_is_for_the_user_alone_who_mounts() {
    namespace::alone(|namespace| {
        namespace.set_device_mode(0o666);
        let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
        let served = Served::new(namespace, "");
        let found = [NOBODY, 0, OTHER].map(|user| served.lets_in(user));
        assert_eq!(found, [true, false, false]);
        served.unmount();
    });
}

#[test]
fn others_are_let_in_where_that_is_allowed() {
    namespace::alone(|namespace| {
        if !Path::new(CONF).exists() {
            return common::skip(format_args!("no {CONF} to put another in the place of"));
        }
        namespace.set_device_mode(0o666);
        namespace.replace(CONF, &namespace.file("allowing", "user_allow_other\n"));
        let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
        for (options, expected) in [
            ("allow_root", [true, true, false]),
            ("allow_other", [true, true, true]),
        ] {
            let served = Served::new(namespace, options);
            let found = [NOBODY, 0, OTHER].map(|user| served.lets_in(user));
            assert_eq!(found, expected, "{options}");
            served.unmount();
        }
    });
}

/// fusermount3, as root, looks whether the mount is dead: it has to be let in.
#[test]
fn a_killed_process_leaves_no_mount_with_auto_unmount() {
    namespace::alone(|namespace| {
        if !Path::new(CONF).exists() {
            return common::skip(format_args!("no {CONF} to put another in the place of"));
        }
        namespace.set_device_mode(0o666);
        namespace.replace(CONF, &namespace.file("allowing", "user_allow_other\n"));
        let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
        for options in ["auto_unmount,allow_root", "auto_unmount,allow_other"] {
            // fusermount3 may look whether the mount is dead just before it is, and leaves it then.
            let mut attempts = 1..=5;
            let is_unmounted = attempts.any(|attempt| {
                let options = format!("{options},fsname=number{attempt}");
                let mut served = Served::new(namespace, &options);
                assert!(served.lets_in(NOBODY));
                served.child.kill().unwrap();
                served.child.wait().unwrap();
                let patience = Duration::from_secs(2);
                let gone = common::wait_until(patience, || !common::is_mounted(&served.dir));
                if !gone {
                    common::unmount(&served.dir, true).unwrap();
                }
                gone
            });
            assert!(is_unmounted, "{options}: still mounted");
        }
        // The usual way to end is not in its way.
        let served = Served::new(namespace, "auto_unmount");
        assert!(served.lets_in(NOBODY));
        served.unmount();
    });
}

/// The child that is to become fusermount3 has a copy of a file on a mount that nobody answers for, and
/// closes it before it does.
#[test]
fn an_unmount_does_not_wait_for_a_mount_that_waits_for_it() {
    namespace::alone(|namespace| {
        namespace.set_device_mode(0o666);
        if Path::new("/sys/fs/fuse/connections").exists() {
            // There the connection could be aborted.
            namespace.empty("/sys/fs/fuse/connections");
        }
        let directories = namespace.directory("directories", User::Nobody, 0o755);
        let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
        let mut child = start(namespace, "mounts while another unmounts", &directories);
        let ended = common::wait_until(common::PATIENCE, || child.try_wait().unwrap().is_some());
        if !ended {
            // Not even a signal ends what waits for the file system; aborting the connection does.
            let first = directories.join("first");
            let aborted = rustix::mount::unmount(&first, UnmountFlags::FORCE);
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("both still wait; umount -f: {aborted:?}");
        }
        let status = child.wait().unwrap();
        assert!(status.success(), "{status}");
    });
}

fn mount_while_another_unmounts(directories: &Path) {
    let [first, second] = ["first", "second"].map(|name| directories.join(name));
    fs::create_dir(&first).unwrap();
    fs::create_dir(&second).unwrap();
    let mut session = Session::builder(MemFs::default()).mount(&first).unwrap();
    let handle = session.handle();
    let file = first.join("file");
    let opening = thread::spawn(move || {
        let file = File::create(file).unwrap();
        handle.terminate();
        file
    });
    smol::block_on(session.run()).unwrap();
    // Nobody reads any more, and it is still mounted.
    let _file = opening.join().unwrap();
    let mounting = thread::spawn(move || {
        let session = Session::builder(MemFs::default()).mount(&second).unwrap();
        session.close(Unmount::Yes).unwrap();
    });
    assert!(
        common::wait_until(common::PATIENCE, has_children),
        "no fusermount3"
    );
    session.close(Unmount::Yes).unwrap();
    mounting.join().unwrap();
}

#[test]
fn mount_whose_parent_was_renamed_is_unmounted() {
    namespace::alone(|namespace| {
        namespace.set_device_mode(0o666);
        let directories = namespace.directory("directories", User::Nobody, 0o755);
        let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
        let status = start(namespace, "has its mount moved", &directories).wait();
        assert!(status.unwrap().success());
    });
}

fn have_the_mount_moved(directories: &Path) {
    let [before, after] = ["before", "after"].map(|name| directories.join(name));
    fs::create_dir_all(before.join("mountpoint")).unwrap();
    let session = Session::builder(MemFs::default());
    let session = session.mount(before.join("mountpoint")).unwrap();
    let session = session.spawn().unwrap();
    fs::rename(&before, &after).unwrap();
    assert!(common::is_mounted(&after.join("mountpoint")));
    assert_eq!(session.unmount().unwrap(), ExitReason::Terminated);
    assert!(!common::is_mounted(&after.join("mountpoint")));
}

/// The kernel does not let another user look at the mount, which is not to be taken for "not there".
#[test]
fn session_that_may_not_unmount_any_more_says_that_it_is_still_mounted() {
    namespace::alone(|namespace| {
        namespace.set_device_mode(0o666);
        let directory = namespace.directory("root", User::Root, 0o755);
        let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
        let status = again(namespace, "drops its privileges", &directory, "").status();
        let is_mounted = common::is_mounted(&directory);
        if is_mounted {
            common::unmount(&directory, true).unwrap();
        }
        assert!(status.unwrap().success() && is_mounted);
    });
}

fn drop_privileges(directory: &Path) {
    let session = Session::builder(MemFs::default()).mount(directory).unwrap();
    let session = session.spawn().unwrap();
    // SAFETY: no preconditions. Unlike the function of rustix, it changes all threads.
    assert_eq!(unsafe { libc::setresgid(NOBODY, NOBODY, NOBODY) }, 0);
    // SAFETY: as above.
    assert_eq!(unsafe { libc::setresuid(NOBODY, NOBODY, NOBODY) }, 0);
    let result = session.unmount();
    assert!(
        matches!(result, Err(Error::StillMounted { .. })),
        "{result:?}"
    );
}

/// Without a process for fusermount3 nothing can be unmounted, unless one is there already.
#[test]
fn session_without_processes_says_that_it_is_still_mounted() {
    namespace::alone(|namespace| {
        namespace.set_device_mode(0o666);
        let directory = namespace.directory("plain", User::Nobody, 0o755);
        let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
        let status = start(namespace, "runs out of processes", &directory).wait();
        assert!(status.unwrap().success());
        if !Path::new(CONF).exists() {
            return common::skip(format_args!("no {CONF} to put another in the place of"));
        }
        namespace.replace(CONF, &namespace.file("allowing", "user_allow_other\n"));
        let directory = namespace.directory("auto_unmount", User::Nobody, 0o755);
        let options = "auto_unmount,allow_other";
        let status = start_with(namespace, "runs out of processes", &directory, options).wait();
        assert!(status.unwrap().success());
    });
}

fn run_out_of_processes(directory: &Path) {
    type End = fn(Session<MemFs>, &dyn Fn()) -> Result<ExitReason, Error>;
    let before_start: End = |session, forbid| {
        forbid();
        session.spawn()?.unmount()
    };
    let at_the_end: End = |session, forbid| {
        let session = session.spawn().unwrap();
        forbid();
        session.unmount()
    };
    for end in [before_start, at_the_end] {
        let options = MountOptions::empty().with_list(std::env::var(OPTIONS).unwrap());
        let auto_unmount = options.get("auto_unmount").is_some();
        let session = Session::builder(MemFs::default()).options(options);
        let session = session.mount(directory).unwrap();
        let limit = rustix::process::getrlimit(Resource::Nproc);
        let set_limit = |current| {
            let limit = Rlimit { current, ..limit };
            rustix::process::setrlimit(Resource::Nproc, limit).unwrap();
        };
        let result = end(session, &|| set_limit(Some(0)));
        set_limit(limit.current);
        if auto_unmount {
            assert!(
                !matches!(result, Err(Error::StillMounted { .. })),
                "{result:?}"
            );
            assert!(!common::is_mounted(directory));
            continue;
        }
        let Err(error @ Error::StillMounted { .. }) = result else {
            panic!("{result:?}");
        };
        assert!(
            error.to_string().contains("cannot start fusermount3"),
            "{error}"
        );
        assert!(common::is_mounted(directory));
        program::run(Command::new("fusermount3").arg("-u").arg(directory));
    }
}

fn has_children() -> bool {
    let threads = fs::read_dir("/proc/self/task").unwrap().flatten();
    let mut children = threads.map(|thread| fs::read(thread.path().join("children")));
    children.any(|children| children.is_ok_and(|children| !children.is_empty()))
}
