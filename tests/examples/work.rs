//! The work of a day on a mirror: version control, archives, copies, a compiler.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::common;
use crate::program::Program;
use crate::program::run;

const LIMIT: Duration = Duration::from_secs(300);

/// How the kernel may be told to cache.
const WAYS: [&[&str]; 2] = [&[], &["-o", "writeback,cache=always,timeout=60"]];

/// Whether there are these programs; says which is missing.
fn have(programs: &[&str]) -> bool {
    for name in programs {
        if common::find_program(name).is_none() {
            common::say(format_args!("{}: skipped: no {name}", common::test_name()));
            return false;
        }
    }
    true
}

/// Does this on mirrors with different options: the mirror, the directory below it, and another one.
fn on_mirrors(test: impl Fn(&Path, &Path, &Path)) {
    for options in WAYS {
        eprintln!("options {options:?}");
        let (source, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let arguments = options
            .iter()
            .map(OsStr::new)
            .chain([source.path().as_os_str()]);
        let mirror = Program::start_with_limit("passthroughfs", arguments, LIMIT);
        test(mirror.path(), source.path(), elsewhere.path());
        mirror.unmount();
    }
}

/// git without the settings of whoever runs the tests.
fn git<A: AsRef<OsStr>>(dir: &Path, arguments: impl IntoIterator<Item = A>) -> String {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=Test", "-c", "user.email=test@example.org"]);
    command.args([
        "-c",
        "protocol.file.allow=always",
        "-c",
        "gc.autoDetach=false",
    ]);
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        command.env_remove(variable);
    }
    command
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1");
    run(command.arg("-C").arg(dir).args(arguments))
}

/// A tree with directories, files of several sizes, links and a program.
fn make_tree(dir: &Path) {
    for number in 0..200 {
        let place = dir.join(format!("directory {}/below", number % 7));
        fs::create_dir_all(&place).unwrap();
        let line = format!("line of file {number}\n");
        fs::write(
            place.join(format!("file {number}")),
            line.repeat(number * number),
        )
        .unwrap();
    }
    fs::create_dir(dir.join("empty")).unwrap();
    fs::hard_link(dir.join("directory 0/below/file 7"), dir.join("hard link")).unwrap();
    std::os::unix::fs::symlink("directory 0/below/file 7", dir.join("symlink")).unwrap();
    std::os::unix::fs::symlink("no such file", dir.join("dangling")).unwrap();
    fs::write(dir.join("program"), "#!/bin/sh\necho it runs\n").unwrap();
    run(Command::new("chmod").arg("755").arg(dir.join("program")));
}

/// A repository with some commits and a branch.
fn make_repository() -> TempDir {
    let repository = tempfile::tempdir().unwrap();
    let dir = repository.path();
    git(dir, ["init", "-q", "-b", "main"]);
    make_tree(dir);
    for number in 0..5 {
        fs::write(
            dir.join("changing"),
            format!("version {number}\n").repeat(1000),
        )
        .unwrap();
        git(dir, ["add", "-A"]);
        git(dir, ["commit", "-q", "-m", &format!("Commit {number}")]);
    }
    git(dir, ["branch", "older", "HEAD~2"]);
    repository
}

/// Asserts that two trees are the same, as `diff` sees them.
fn assert_same_tree(one: &Path, two: &Path) {
    let differences = run(Command::new("diff")
        .arg("-r")
        .arg("--no-dereference")
        .args([one, two]));
    assert_eq!(differences, "");
}

#[test]
fn git_clones_checks_and_commits() {
    common::require_fuse!();
    if !have(&["git"]) {
        return;
    }
    let repository = make_repository();
    on_mirrors(|mirror, source, _| {
        let url = format!("file://{}", repository.path().display());
        git(mirror, ["clone", "-q", &url, "clone"]);
        let clone = mirror.join("clone");
        git(&clone, ["fsck", "--full", "--strict"]);
        assert_eq!(git(&clone, ["status", "--porcelain"]), "");
        assert_eq!(git(&clone, ["rev-list", "--count", "HEAD"]), "5\n");

        // Within the mount git makes hard links.
        git(mirror, ["clone", "-q", "clone", "second clone"]);
        git(&mirror.join("second clone"), ["fsck", "--full"]);

        git(&clone, ["checkout", "-q", "-b", "work", "origin/older"]);
        fs::write(clone.join("new"), "new\n").unwrap();
        git(&clone, ["mv", "hard link", "moved"]);
        git(&clone, ["add", "-A"]);
        git(&clone, ["commit", "-q", "-m", "Work"]);
        git(&clone, ["rebase", "-q", "origin/main"]);
        git(&clone, ["gc", "-q", "--prune=now"]);
        git(&clone, ["fsck", "--full", "--strict"]);
        assert_eq!(git(&clone, ["status", "--porcelain"]), "");

        // And it is all there without the mount. (sync: the writeback cache may have kept some.)
        libfuse3::syncfs(mirror).unwrap();
        run(Command::new("sync").arg("-f").arg(clone.join("new")));
        git(&source.join("clone"), ["fsck", "--full", "--strict"]);
        assert_eq!(
            git(&source.join("clone"), ["rev-list", "--count", "HEAD"]),
            "6\n"
        );
    });
}

#[test]
fn tar_takes_a_tree_out_and_in() {
    common::require_fuse!();
    if !have(&["tar", "diff"]) {
        return;
    }
    on_mirrors(|mirror, _, elsewhere| {
        let (archive, second) = (elsewhere.join("archive.tar"), elsewhere.join("second.tar"));
        let tree = mirror.join("tree");
        fs::create_dir(&tree).unwrap();
        make_tree(&tree);
        let tar = |action: &str, archive: &Path, dir: &Path| {
            let mut command = Command::new("tar");
            command.arg("-C").arg(dir).arg(action).arg(archive);
            if action == "-cf" {
                command.arg(".")
            } else {
                command.arg("-p")
            };
            run(&mut command);
        };
        tar("-cf", &archive, &tree);
        for dir in [elsewhere.join("tree"), mirror.join("again")] {
            fs::create_dir(&dir).unwrap();
            tar("-xf", &archive, &dir);
            assert_same_tree(&tree, &dir);
            run(Command::new("tar")
                .arg("-C")
                .arg(&dir)
                .arg("-df")
                .arg(&archive));
        }
        tar("-cf", &second, &mirror.join("again"));
        run(Command::new("tar")
            .arg("-C")
            .arg(&tree)
            .arg("-df")
            .arg(&second));
        assert_eq!(
            run(&mut Command::new(mirror.join("again/program"))),
            "it runs\n"
        );
    });
}

#[test]
fn rsync_has_nothing_to_send_the_second_time() {
    common::require_fuse!();
    if !have(&["rsync", "diff"]) {
        return;
    }
    on_mirrors(|mirror, _, elsewhere| {
        let tree = elsewhere.join("tree");
        fs::create_dir(&tree).unwrap();
        make_tree(&tree);
        let rsync = |from: &Path, to: &Path| {
            let mut command = Command::new("rsync");
            // The window makes it compare nanoseconds as well: otherwise a directory that changed twice in a second counts
            // as unchanged.
            command.args(["-aH", "--checksum", "--delete", "--out-format=%n"]);
            command.arg("--modify-window=-1");
            run(command.arg(from.join("")).arg(to))
        };
        for (from, to) in [
            (tree.clone(), mirror.join("in")),
            (mirror.join("in"), elsewhere.join("out")),
        ] {
            assert!(rsync(&from, &to).lines().count() > 200);
            assert_same_tree(&from, &to);
            assert_eq!(rsync(&from, &to), "", "it has sent something again");
        }
        fs::write(tree.join("one more"), "file").unwrap();
        assert_eq!(rsync(&tree, &mirror.join("in")), "./\none more\n");
    });
}

#[test]
fn cargo_builds_a_crate_in_it() {
    common::require_fuse!();
    on_mirrors(|mirror, _, _| {
        let dir = mirror.join("crate");
        fs::create_dir_all(dir.join("src")).unwrap();
        fs::write(
            dir.join("Cargo.toml"),
            "[package]\nname = \"small\"\nedition = \"2021\"\n[workspace]\n",
        )
        .unwrap();
        fs::write(dir.join("src/lib.rs"), "pub fn answer() -> u32 { 42 }\n").unwrap();
        fs::write(
            dir.join("src/main.rs"),
            "fn main() { println!(\"{}\", small::answer()) }\n",
        )
        .unwrap();
        let cargo = || {
            let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
            // Not those of the cargo that runs this test.
            for (name, _) in std::env::vars_os() {
                let name = name.to_string_lossy().into_owned();
                let is_ours = name.starts_with("CARGO") && name != "CARGO_HOME";
                if is_ours
                    || ["RUSTFLAGS", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER"].contains(&&*name)
                {
                    command.env_remove(name);
                }
            }
            command
                .args(["build", "--offline", "--message-format=short"])
                .current_dir(&dir);
            let output = crate::program::finish(&mut command);
            let text = crate::program::text(&output.stderr);
            assert!(output.status.success(), "{text}");
            text
        };
        let answer = || run(&mut Command::new(dir.join("target/debug/small")));
        assert!(cargo().contains("Compiling small"));
        assert_eq!(answer(), "42\n");
        assert!(!cargo().contains("Compiling"), "nothing has changed");
        fs::write(dir.join("src/lib.rs"), "pub fn answer() -> u32 { 43 }\n").unwrap();
        assert!(cargo().contains("Compiling small"));
        assert_eq!(answer(), "43\n");
    });
}
