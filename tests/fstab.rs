//! Programs that mount(8) starts: lines in `/etc/fstab`, `mount -t fuse.NAME`, `mount.fuse3`.
//!
//! Each test has a mount namespace of its own, with an `/etc/fstab` of its own.

mod common;
#[path = "bad_input/namespace.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod namespace;
#[path = "examples/program.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod program;

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;

use common::TimeLimit;
use namespace::Namespace;
use namespace::User;
use program::finish;
use program::run;
use program::text;

const NOBODY: u32 = 65_534;
const FSTAB: &str = "/etc/fstab";
/// mount(8) has a PATH of its own, and this is in it.
const BIN: &str = "/usr/local/bin";
const PROGRAMS: [&str; 2] = ["tmpfs", "passthroughfs"];

/// A place where mount(8) finds the programs, and writes down what it likes.
struct Machine<'a> {
    namespace: &'a Namespace,
    /// Has a file, `file`.
    source: PathBuf,
    _limit: TimeLimit,
}

/// Runs a test on a machine of its own.
fn on_a_machine(test: impl FnOnce(&Machine<'_>) + Send) {
    for helper in ["mount", "umount", "mount.fuse3", "fusermount3"] {
        if find(helper).is_none() {
            common::skip(format_args!("no {helper}"));
            return;
        }
    }
    if !Path::new(FSTAB).exists() {
        common::skip(format_args!("no {FSTAB} to put another in the place of"));
        return;
    }
    // In a chroot, the path of this program is another one inside of the namespace.
    let paths = PROGRAMS.map(program::path_of);
    namespace::alone(|namespace| {
        namespace.set_device_mode(0o666);
        if Path::new("/run/mount").exists() {
            namespace.empty("/run/mount");
        }
        namespace.empty(BIN);
        for (name, path) in PROGRAMS.into_iter().zip(&paths) {
            namespace.replace(namespace.file(&format!("{BIN}/{name}"), ""), path);
        }
        let source = namespace.directory("source", User::Nobody, 0o755);
        namespace.file("source/file", "contents");
        test(&Machine {
            namespace,
            source,
            _limit: TimeLimit::new(common::DEFAULT_LIMIT),
        });
    });
}

fn find(name: &str) -> Option<PathBuf> {
    let system = ["/usr/sbin", "/sbin"].map(|dir| Path::new(dir).join(name));
    let system = system.into_iter().find(|file| file.is_file());
    common::find_program(name).or(system)
}

impl Machine<'_> {
    fn fstab(&self, line: &str) {
        let file = self.namespace.file("fstab", &format!("{line}\n"));
        self.namespace.replace(FSTAB, &file);
    }

    /// A program of the system's, which starts ours.
    fn command(&self, name: &str, user: User) -> Command {
        let mut command = Command::new(find(name).unwrap());
        command.env("PATH", format!("{BIN}:/usr/bin:/bin"));
        if user == User::Nobody {
            command.uid(NOBODY).gid(NOBODY);
        }
        command.current_dir("/");
        command
    }

    fn umount(&self, mountpoint: &Path, user: User) {
        let mut result = String::new();
        let gone = common::wait_until(common::PATIENCE, || {
            // "Busy", while a child that another test starts has a copy of all descriptors.
            let output = finish(self.command("umount", user).arg(mountpoint));
            result = text(&output.stderr);
            output.status.success()
        });
        assert!(gone, "{result}");
        assert!(!common::is_mounted(mountpoint));
    }
}

#[track_caller]
fn assert_has(options: &str, wanted: &[&str]) {
    let list: Vec<_> = options.split(',').collect();
    for option in wanted {
        assert!(list.contains(option), "no {option} in {options}");
    }
}

fn failure(output: &Output) -> String {
    assert!(!output.status.success(), "{output:?}");
    text(&output.stderr)
}

#[test]
fn a_line_of_fstab_as_root() {
    on_a_machine(|machine| {
        let mountpoint = machine.namespace.directory("mountpoint", User::Root, 0o755);
        machine.fstab(&format!(
            "{} {} fuse.passthroughfs ro,noauto,nofail,_netdev,allow_other,x-systemd.automount 0 0",
            machine.source.display(),
            mountpoint.display()
        ));
        run(machine.command("mount", User::Root).arg(&mountpoint));
        let mounted = common::mountinfo_of(&mountpoint).unwrap();
        assert_eq!(mounted.kind, "fuse.passthroughfs");
        assert_has(&mounted.options, &["ro", "allow_other", "user_id=0"]);
        let file = fs::read(mountpoint.join("file")).unwrap();
        assert_eq!(file, b"contents");
        machine.umount(&mountpoint, User::Root);
    });
}

#[test]
fn a_line_of_fstab_as_a_user() {
    on_a_machine(|machine| {
        let mountpoint = machine.namespace.directory("mine", User::Nobody, 0o755);
        machine.fstab(&format!(
            "{} {} fuse.passthroughfs user,noauto,timeout=5 0 0",
            machine.source.display(),
            mountpoint.display()
        ));
        run(machine.command("mount", User::Nobody).arg(&mountpoint));
        let mounted = common::mountinfo_of(&mountpoint).unwrap();
        assert_eq!(mounted.kind, "fuse.passthroughfs");
        assert_has(
            &mounted.options,
            &["nosuid", "nodev", "noexec", "user_id=65534"],
        );
        let mut read = Command::new("cat");
        read.arg(mountpoint.join("file")).uid(NOBODY).gid(NOBODY);
        assert_eq!(run(&mut read), "contents");
        machine.umount(&mountpoint, User::Nobody);
    });
}

#[test]
fn a_line_of_fstab_without_a_device() {
    on_a_machine(|machine| {
        let mountpoint = machine.namespace.directory("mountpoint", User::Root, 0o755);
        let dir = mountpoint.display();
        machine.fstab(&format!("scratch {dir} fuse.tmpfs size=1M,mode=0700 0 0"));
        // As at boot.
        run(machine
            .command("mount", User::Root)
            .args(["-a", "-t", "fuse.tmpfs"]));
        let mounted = common::mountinfo_of(&mountpoint).unwrap();
        assert_eq!(
            (&*mounted.kind, &*mounted.source),
            ("fuse.tmpfs", "scratch")
        );
        fs::write(mountpoint.join("file"), "text").unwrap();
        machine.umount(&mountpoint, User::Root);
    });
}

/// What is after `mount` on the command line, or a helper of mount(8) with what it is given.
#[test]
fn by_type_and_by_name() {
    on_a_machine(|machine| {
        let mountpoint = machine.namespace.directory("mountpoint", User::Root, 0o755);
        let dir = mountpoint.to_str().unwrap();
        let source = machine.source.to_str().unwrap();
        let by_name = format!("passthroughfs#{source}");
        let by_path = format!("{BIN}/{by_name}");
        let tmpfs = format!("{BIN}/tmpfs");
        for (helper, arguments, kind) in [
            (
                "mount",
                &["-t", "fuse.passthroughfs", source, dir][..],
                "fuse.passthroughfs",
            ),
            (
                "mount",
                &["-t", "fuse", &by_name, dir],
                "fuse.passthroughfs",
            ),
            (
                "mount",
                &["-t", "fuse3", &by_path, dir],
                "fuse.passthroughfs",
            ),
            (
                "mount",
                &["-t", "fuse.tmpfs", "-o", "noatime", "none", dir],
                "fuse.tmpfs",
            ),
            ("mount", &["-t", "fuse3", &tmpfs, dir], "fuse.tmpfs"),
            ("mount", &["-t", "fuse", "tmpfs#", dir], "fuse.tmpfs"),
            (
                "mount.fuse3",
                &[&by_name, dir, "-o", "ro,user,nofail"],
                "fuse.passthroughfs",
            ),
            (
                "mount.fuse3",
                &[source, dir, "-t", "passthroughfs"],
                "fuse.passthroughfs",
            ),
            // Where the helper mounts, and the program gets a descriptor.
            (
                "mount.fuse3",
                &[&by_name, dir, "-o", "drop_privileges,ro"],
                "fuse.passthroughfs",
            ),
        ] {
            run(machine.command(helper, User::Root).args(arguments));
            let mounted = common::mountinfo_of(&mountpoint).expect(arguments[0]);
            assert_eq!(mounted.kind, kind, "{helper} {arguments:?}");
            libfuse3::listdir(&mountpoint).unwrap();
            machine.umount(&mountpoint, User::Root);
        }
    });
}

/// mount.fuse3 then becomes that user before it starts the program.
#[test]
fn with_another_user() {
    on_a_machine(|machine| {
        let mountpoint = machine.namespace.directory("mine", User::Nobody, 0o755);
        let mut mount = machine.command("mount", User::Root);
        mount.args(["-t", "fuse.tmpfs", "-o", "setuid=nobody", "none"]);
        run(mount.arg(&mountpoint));
        let mounted = common::mountinfo_of(&mountpoint).unwrap();
        assert_eq!(mounted.kind, "fuse.tmpfs");
        assert_has(&mounted.options, &["user_id=65534"]);
        machine.umount(&mountpoint, User::Root);
    });
}

#[test]
fn what_cannot_be_mounted_is_a_failure_of_mount() {
    on_a_machine(|machine| {
        let mountpoint = machine.namespace.directory("mountpoint", User::Root, 0o755);
        let mut missing = machine.command("mount", User::Root);
        missing.args(["-t", "fuse.passthroughfs", "/no/such/source"]);
        let message = failure(&finish(missing.arg(&mountpoint)));
        assert!(message.contains("passthroughfs: ") && message.contains("/no/such/source"));
        let mut unknown = machine.command("mount", User::Root);
        unknown.args(["-t", "fuse.tmpfs", "-o", "no_such_option", "none"]);
        let message = failure(&finish(unknown.arg(&mountpoint)));
        assert!(message.contains("no_such_option"), "{message}");
        assert!(!common::is_mounted(&mountpoint));
    });
}

/// The lines of fstab are mounted once, show by source and type, and are unmounted by type.
#[test]
fn mount_a_twice_mounts_once_and_umount_a_finds_it() {
    on_a_machine(|machine| {
        let dirs = ["mirror", "mirror-of-a-link", "scratch"];
        let dirs = dirs.map(|name| machine.namespace.directory(name, User::Root, 0o755));
        let [mirror, of_link, scratch] = dirs.each_ref().map(|dir| dir.display());
        let source = machine.source.canonicalize().unwrap();
        let link = machine.namespace.path("link");
        std::os::unix::fs::symlink(&source, &link).unwrap();
        machine.fstab(&format!(
            "{} {mirror} fuse.passthroughfs nofail,_netdev 0 0\n\
             {} {of_link} fuse.passthroughfs nofail 0 0\n\
             name {scratch} fuse.tmpfs size=1M 0 0",
            source.display(),
            link.display(),
        ));
        for attempt in 1..=2 {
            let output = finish(machine.command("mount", User::Root).arg("-a"));
            let said = text(&output.stdout) + &text(&output.stderr);
            assert_eq!((output.status.code(), &*said), (Some(0), ""), "{attempt}");
        }
        let source = source.to_str().unwrap();
        for (dir, kind, source) in [
            (&dirs[0], "fuse.passthroughfs", source),
            (&dirs[1], "fuse.passthroughfs", source),
            (&dirs[2], "fuse.tmpfs", "name"),
        ] {
            let lines = common::mountinfo();
            let is_there = |line: &&str| line.split(' ').nth(4) == dir.to_str();
            assert_eq!(lines.lines().filter(is_there).count(), 1, "{lines}");
            let mounted = common::mountinfo_of(dir).unwrap();
            assert_eq!((&*mounted.kind, &*mounted.source), (kind, source));
        }
        let unmounted = common::wait_until(common::PATIENCE, || {
            let mut umount = machine.command("umount", User::Root);
            finish(umount.args(["-a", "-t", "fuse.passthroughfs"]));
            !common::is_mounted(&dirs[0]) && !common::is_mounted(&dirs[1])
        });
        assert!(unmounted && common::is_mounted(&dirs[2]));
        machine.umount(&dirs[2], User::Root);
    });
}

#[test]
fn a_remount_changes_the_flags_of_the_mount() {
    on_a_machine(|machine| {
        let mountpoint = machine.namespace.directory("mountpoint", User::Root, 0o755);
        let mut mount = machine.command("mount", User::Root);
        mount.args(["-t", "fuse.tmpfs", "-o", "noexec", "name"]);
        run(mount.arg(&mountpoint));
        let file = mountpoint.join("file");
        fs::write(&file, "text").unwrap();
        let remount = |options: &str| {
            let mut mount = machine.command("mount", User::Root);
            mount.args(["-o", &format!("remount,{options}")]);
            assert_eq!(run(mount.arg(&mountpoint)), "");
            common::mountinfo_of(&mountpoint).unwrap().options
        };
        assert_has(&remount("ro"), &["ro", "noexec"]);
        let refused = common::errno(fs::write(&file, "other"));
        assert_eq!(refused, libc::EROFS);
        assert_has(&remount("rw,noatime"), &["rw", "noatime"]);
        fs::write(&file, "other").unwrap();
        machine.umount(&mountpoint, User::Root);

        let mut nothing = machine.command("mount.fuse3", User::Root);
        nothing.arg("tmpfs#name").arg(&mountpoint);
        let message = failure(&finish(nothing.args(["-o", "remount,ro"])));
        assert!(
            message.contains("tmpfs: cannot remount") && message.contains("no FUSE file system"),
            "{message}"
        );
        assert!(!common::is_mounted(&mountpoint));
    });
}

/// mount.fuse3 adds `dev,suid` for root.
#[test]
fn a_remount_keeps_nosuid_and_nodev() {
    on_a_machine(|machine| {
        let mountpoint = machine.namespace.directory("mine", User::Nobody, 0o755);
        machine.fstab(&format!(
            "name {} fuse.tmpfs user,noauto 0 0",
            mountpoint.display()
        ));
        run(machine.command("mount", User::Nobody).arg(&mountpoint));
        let mut remount = machine.command("mount.fuse3", User::Root);
        remount.arg("tmpfs#name").arg(&mountpoint);
        run(remount.args(["-o", "remount,ro"]));
        let options = common::mountinfo_of(&mountpoint).unwrap().options;
        assert_has(&options, &["ro", "nosuid", "nodev"]);
        machine.umount(&mountpoint, User::Nobody);
    });
}
