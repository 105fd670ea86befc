//! A system, or a user, that lacks what it takes to mount.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::common;
use crate::namespace::Namespace;
use crate::namespace::User;
use crate::namespace::alone;
use crate::program;

const CONF: &str = "/etc/fuse.conf";

/// Everybody may use /dev/fuse, and nobody but root may let others in.
fn as_usual(namespace: &Namespace) {
    namespace.set_device_mode(0o666);
    if Path::new(CONF).exists() {
        namespace.replace(CONF, &namespace.file("fuse.conf", "# user_allow_other\n"));
    }
}

#[track_caller]
fn assert_says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "no `{part}` in {message}");
    }
}

/// The other tests show something only if this succeeds.
#[test]
fn nothing_is_wrong_by_itself() {
    alone(|namespace| {
        as_usual(namespace);
        for user in [User::Root, User::Nobody] {
            let dir = namespace.directory(&format!("{user:?}"), user, 0o755);
            namespace.assert_mounts(&mut namespace.hello(user), &dir);
        }
    });
}

#[test]
fn a_mountpoint_of_somebody_else() {
    alone(|namespace| {
        as_usual(namespace);
        let not_writable = namespace.directory("roots", User::Root, 0o755);
        let sticky = namespace.directory("sticky", User::Root, 0o1777);
        for dir in [not_writable, sticky] {
            let message = namespace.refusal(&mut namespace.hello(User::Nobody), &dir);
            assert_says(
                &message,
                &["fusermount3: ", "on a directory or file of their own"],
            );
        }
        let hidden = namespace.directory("hidden", User::Root, 0o700);
        let dir = hidden.join("dir");
        fs::create_dir(&dir).unwrap();
        let message = namespace.refusal(&mut namespace.hello(User::Nobody), &dir);
        assert_says(&message, &["this user may not look at"]);
    });
}

#[test]
fn a_device_that_is_missing() {
    alone(|namespace| {
        let dirs = [User::Root, User::Nobody]
            .map(|user| (user, namespace.directory(&format!("{user:?}"), user, 0o755)));
        let null = namespace.device("null", (1, 3), 0o666);
        namespace.empty("/dev");
        namespace.replace(namespace.file("/dev/null", ""), &null);
        for (user, dir) in dirs {
            let message = namespace.refusal(&mut namespace.hello(user), &dir);
            assert_says(
                &message,
                &["/dev/fuse does not exist", "`modprobe fuse`", "container"],
            );
        }
    });
}

#[test]
fn a_device_that_is_forbidden() {
    alone(|namespace| {
        namespace.set_device_mode(0o600);
        let dir = namespace.directory("dir", User::Nobody, 0o755);
        let message = namespace.refusal(&mut namespace.hello(User::Nobody), &dir);
        assert_says(
            &message,
            &["this user may not use /dev/fuse", "run as root", "0666"],
        );
    });
}

#[test]
fn a_device_that_is_none() {
    alone(|namespace| {
        namespace.replace("/dev/fuse", &namespace.file("file", ""));
        let dir = namespace.directory("dir", User::Root, 0o755);
        let message = namespace.refusal(&mut namespace.hello(User::Root), &dir);
        assert_says(
            &message,
            &["/dev/fuse is something else", "`mknod /dev/fuse c 10 229`"],
        );
    });
}

#[test]
fn no_fusermount3() {
    alone(|namespace| {
        as_usual(namespace);
        let mount = namespace.path("mount");
        program::run(Command::new("cp").arg("/bin/mount").arg(&mount));
        for dir in ["/usr/bin", "/bin", "/usr/local/bin"] {
            namespace.empty(dir);
        }
        // libfuse 3.17 has mount(8) note down what root mounts.
        namespace.replace(namespace.file("/bin/mount", ""), &mount);
        let dir = namespace.directory("nobodys", User::Nobody, 0o755);
        let mut hello = namespace.hello(User::Nobody);
        let message = namespace.refusal(hello.env("PATH", "/usr/bin:/bin"), &dir);
        assert_says(&message, &["fusermount3", "install the package fuse3"]);
        // Root does not need it.
        let dir = namespace.directory("roots", User::Root, 0o755);
        namespace.assert_mounts(&mut namespace.hello(User::Root), &dir);
    });
}

#[test]
fn a_fusermount3_without_privileges() {
    alone(|namespace| {
        as_usual(namespace);
        let Some(fusermount) = common::find_program("fusermount3") else {
            common::skip("no fusermount3");
            return;
        };
        let powerless = namespace.path("fusermount3");
        // What this process has open for writing could not be run while another test starts a child.
        program::run(Command::new("cp").arg(&fusermount).arg(&powerless));
        namespace.set_mode(&powerless, 0o755);
        namespace.replace(fusermount.canonicalize().unwrap(), &powerless);
        let dir = namespace.directory("dir", User::Nobody, 0o755);
        let message = namespace.refusal(&mut namespace.hello(User::Nobody), &dir);
        assert_says(&message, &["fusermount3", "set-user-id", "chmod u+s"]);
    });
}

#[test]
fn others_let_in_by_a_user_who_may_not() {
    alone(|namespace| {
        as_usual(namespace);
        let dir = namespace.directory("dir", User::Nobody, 0o755);
        for option in ["allow_other", "allow_root"] {
            let mut hello = namespace.hello(User::Nobody);
            let message = namespace.refusal(hello.args(["-o", option]), &dir);
            assert_says(&message, &["user_allow_other", CONF]);
        }
        if Path::new(CONF).exists() {
            namespace.replace(CONF, &namespace.file("allowing", "user_allow_other\n"));
            let mut hello = namespace.hello(User::Nobody);
            namespace.assert_mounts(hello.args(["-o", "allow_other"]), &dir);
        }
    });
}

#[test]
fn root_without_the_capability() {
    alone(|namespace| {
        let Some(setpriv) = common::find_program("setpriv") else {
            common::skip("no setpriv");
            return;
        };
        let dir = namespace.directory("dir", User::Root, 0o755);
        let mut command = Command::new(setpriv);
        command.arg("--bounding-set=-sys_admin");
        let hello = namespace.hello(User::Root);
        command.arg(hello.get_program()).args(hello.get_args());
        let message = namespace.refusal(&mut command, &dir);
        assert_says(&message, &["SYS_ADMIN"]);
    });
}

#[test]
fn mount_in_user_namespace_without_map_or_mount_namespace_names_what_is_missing() {
    alone(|namespace| {
        as_usual(namespace);
        let unshare = |options: &[&str], program: &Command| {
            let mut command = Command::new("unshare");
            command.args(options).arg(program.get_program());
            command.args(program.get_args());
            command
        };
        let works = unshare(&["--user", "--map-root-user"], &Command::new("true")).output();
        if !works.is_ok_and(|output| output.status.success()) {
            common::skip("no user namespaces, or no unshare(1)");
            return;
        }
        let dir = namespace.directory("dir", User::Root, 0o755);
        for (options, why) in [
            (&["--user"][..], "no map of user ids"),
            (
                &["--user", "--map-root-user"],
                "the mount namespace does not belong to this user namespace",
            ),
        ] {
            let mut command = unshare(options, &namespace.hello(User::Root));
            let message = namespace.refusal(&mut command, &dir);
            assert_says(&message, &[why, "`unshare --map-root-user --mount`"]);
            assert!(!message.contains("chmod"), "{message}");
        }
    });
}
