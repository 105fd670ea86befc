//! T17 and T18 of pyfuse3's tests, and what its passthroughfs.py gets wrong.

use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rustix::fs::AtFlags;
use rustix::fs::CWD;
use rustix::fs::FlockOperation;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::Timespec;
use rustix::fs::Timestamps;
use tempfile::TempDir;

use crate::acl;
use crate::common;
use crate::posix;
use crate::program;
use crate::program::Program;
use crate::program::path_of;
use crate::set_id;

/// A directory and its mirror.
struct Mirror {
    program: Program,
    source: TempDir,
}

impl Mirror {
    fn new(options: &[&str]) -> Self {
        let source = tempfile::tempdir().unwrap();
        let arguments = options.iter().map(Path::new).chain([source.path()]);
        let program = Program::start("passthroughfs", arguments);
        Self { program, source }
    }
}

#[test]
fn passthroughfs_is_a_posix_file_system() {
    common::require_fuse!();
    let mirror = Mirror::new(&[]);
    posix::check_all(mirror.program.path());
    mirror.program.unmount();
}

#[test]
fn passthroughfs_is_a_posix_file_system_with_the_writeback_cache() {
    common::require_fuse!();
    let mirror = Mirror::new(&["-o", "writeback"]);
    posix::check_all(mirror.program.path());
    mirror.program.unmount();
}

#[test]
fn passthroughfs_is_a_posix_file_system_with_all_caches() {
    common::require_fuse!();
    let mirror = Mirror::new(&["-o", "writeback,cache=always,timeout=60"]);
    posix::check_all(mirror.program.path());
    mirror.program.unmount();
}

/// The mirrors, for all users.
const FOR_ALL: [(&str, &str); 4] = [
    ("passthroughfs", "allow_other"),
    ("passthrough_ll", "allow_other"),
    ("passthrough_ll", "allow_other,xattr,writeback"),
    ("passthrough_hp", "allow_other"),
];

/// Starts one of [`FOR_ALL`].
fn start_for_all(name: &str, options: &str, source: &Path) -> Program {
    let shown = source.display();
    match name {
        "passthrough_ll" => Program::start(name, ["-o", &format!("{options},source={shown}")]),
        _ => Program::start(name, ["-o", options, &shown.to_string()]),
    }
}

#[test]
fn mirrors_are_posix_file_systems_for_other_users() {
    common::require_fuse!();
    common::require_root!();
    for (name, options) in FOR_ALL {
        eprintln!("{name} -o {options}");
        let source = tempfile::tempdir().unwrap();
        fs::set_permissions(source.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let program = start_for_all(name, options, source.path());
        posix::check_as_other_user(program.path());
        program.unmount();
    }
}

#[test]
fn mirrors_deny_other_users_what_the_source_denies() {
    common::require_fuse!();
    common::require_root!();
    for (name, options) in FOR_ALL {
        eprintln!("{name} -o {options}");
        let source = tempfile::tempdir().unwrap();
        let set_mode = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        set_mode(source.path(), 0o755);
        for (file, mode) in [("private", 0o600), ("public", 0o644), ("listed", 0o644)] {
            fs::write(source.path().join(file), "contents").unwrap();
            set_mode(&source.path().join(file), mode);
        }
        let listed = rustix::fs::setxattr(
            source.path().join("listed"),
            acl::ACCESS,
            &acl::list(0o644, common::OTHER_USER, 0),
            rustix::fs::XattrFlags::empty(),
        );
        let program = start_for_all(name, options, source.path());
        let read = |name| {
            let path = program.join(name);
            common::as_other_user(|| fs::read_to_string(path))
        };
        assert_eq!(read("public").unwrap(), "contents");
        assert_eq!(common::errno(read("private")), libc::EACCES);
        match listed {
            Ok(()) => assert_eq!(common::errno(read("listed")), libc::EACCES),
            Err(error) => eprintln!("the source has no access control lists: {error}"),
        }
        let new = common::as_other_user(|| fs::write(program.join("new"), "contents"));
        assert_eq!(common::errno(new), libc::EACCES);
        program.unmount();
    }
}

#[test]
fn writeback_of_what_is_not_cached_is_rejected() {
    for writeback in ["writeback", "writeback_cache"] {
        let mut command = Command::new(path_of("passthroughfs"));
        command.arg("-o").arg(format!("cache=never,{writeback}"));
        let output = program::finish(command.args(["/tmp", "/tmp"]));
        assert!(!output.status.success());
        let message = program::text(&output.stderr);
        assert!(message.contains("cache=never"), "{message}");
    }
}

/// Asserts that the mtime of a file on a mount is the present time after `change`, as that of its source.
pub(crate) fn assert_mtime_changes(mount: &Path, source: &Path, change: impl FnOnce(&File)) {
    let old = std::time::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let (above, below) = (mount.join("written"), source.join("written"));
    fs::write(&above, vec![b'x'; 8192]).unwrap();
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).open(&above).unwrap();
    file.set_modified(old).unwrap();
    let mtime = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
    assert_eq!(mtime(&above), old);
    change(&file);
    assert!(mtime(&above) > old, "the mtime stands still");
    drop(file);
    assert_eq!(mtime(&above), mtime(&below));
    fs::remove_file(above).unwrap();
}

#[test]
fn uncached_write_changes_the_mtime() {
    common::require_fuse!();
    let source = tempfile::tempdir().unwrap();
    let of = format!("source={}", source.path().display());
    let options = ["-o", "cache=never,writeback,timeout=60", "-o", &of];
    let program = Program::start("passthrough_ll", options);
    assert_mtime_changes(program.path(), source.path(), |file| {
        file.write_all_at(b"change", 0).unwrap();
    });
    program.unmount();
}

#[test]
fn what_is_done_on_one_side_shows_on_the_other() {
    common::require_fuse!();
    let mirror = Mirror::new(&[]);
    for (one, other) in [
        (mirror.source.path(), mirror.program.path()),
        (mirror.program.path(), mirror.source.path()),
    ] {
        fs::create_dir_all(one.join("a/b")).unwrap();
        for name in ["file", "a/file", "a/b/file"] {
            fs::write(one.join(name), "contents").unwrap();
            assert_eq!(fs::read_to_string(other.join(name)).unwrap(), "contents");
            fs::write(one.join(name), "changed").unwrap();
            assert_eq!(fs::read_to_string(other.join(name)).unwrap(), "changed");
        }
        assert_eq!(libfuse3::listdir(other.join("a/b")).unwrap(), ["file"]);
        fs::rename(one.join("a"), one.join("renamed")).unwrap();
        assert!(!other.join("a").exists());
        assert_eq!(
            fs::read_to_string(other.join("renamed/b/file")).unwrap(),
            "changed"
        );
        fs::remove_dir_all(one.join("renamed")).unwrap();
        fs::remove_file(one.join("file")).unwrap();
        assert!(libfuse3::listdir(other).unwrap().is_empty());
    }
    mirror.program.unmount();
}

#[test]
fn attributes_are_those_of_the_source() {
    common::require_fuse!();
    let mirror = Mirror::new(&[]);
    let source = mirror.source.path();
    fs::create_dir(source.join("directory")).unwrap();
    fs::write(source.join("directory/file"), "contents").unwrap();
    fs::hard_link(source.join("directory/file"), source.join("link")).unwrap();
    std::os::unix::fs::symlink("link", source.join("symlink")).unwrap();
    for name in ["directory", "directory/file", "link", "symlink"] {
        let (below, above) = (source.join(name), mirror.program.join(name));
        assert_eq!(posix::stat(&below), posix::stat(&above), "{name}");
    }
    let through = |name| fs::metadata(mirror.program.join(name)).unwrap().ino();
    assert_eq!(through("directory/file"), through("link"));
    mirror.program.unmount();
}

#[test]
fn renames_in_the_source_do_not_disturb_what_is_open() {
    common::require_fuse!();
    let mirror = Mirror::new(&[]);
    let source = mirror.source.path();
    fs::create_dir_all(source.join("a/b")).unwrap();
    fs::write(source.join("a/b/file"), "contents").unwrap();
    let directory = File::open(mirror.program.join("a/b")).unwrap();
    let file = File::open(mirror.program.join("a/b/file")).unwrap();

    fs::rename(source.join("a"), source.join("elsewhere")).unwrap();
    fs::rename(source.join("elsewhere/b/file"), source.join("moved")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", source.join("elsewhere/b/file")).unwrap();

    assert_eq!(std::io::read_to_string(&file).unwrap(), "contents");
    file.set_permissions(fs::Permissions::from_mode(0o600))
        .unwrap();
    assert_eq!(
        fs::metadata(source.join("moved")).unwrap().mode() & 0o777,
        0o600
    );
    let flags = OFlags::CREATE | OFlags::WRONLY;
    rustix::fs::openat(&directory, "new", flags, Mode::RUSR).unwrap();
    assert!(source.join("elsewhere/b/new").exists());
    let link = rustix::fs::readlinkat(&directory, "file", Vec::new()).unwrap();
    assert_eq!(link.as_c_str(), c"/etc/passwd");
    drop((directory, file));
    mirror.program.unmount();
}

#[test]
fn new_files_belong_to_the_caller() {
    common::require_fuse!();
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can act as somebody else");
        return;
    }
    let mirror = Mirror::new(&["-o", "allow_other"]);
    let source = mirror.source.path();
    fs::set_permissions(source, fs::Permissions::from_mode(0o777)).unwrap();
    let create = "umask 027; echo x >file; mkdir directory; ln -s file symlink; mkfifo fifo";
    let mut shell = Command::new("sh");
    shell
        .args(["-ec", create])
        .current_dir(mirror.program.path());
    assert!(shell.uid(1234).gid(4321).status().unwrap().success());
    for (name, mode) in [
        ("file", 0o640),
        ("directory", 0o750),
        ("symlink", 0o777),
        ("fifo", 0o640),
    ] {
        let metadata = fs::symlink_metadata(source.join(name)).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (1234, 4321), "{name}");
        assert_eq!(metadata.mode() & 0o7777, mode, "{name}");
    }
    fs::write(mirror.program.join("roots"), "").unwrap();
    assert_eq!(fs::metadata(source.join("roots")).unwrap().uid(), 0);
    mirror.program.unmount();
}

#[test]
fn appending_goes_to_the_end_of_the_source() {
    common::require_fuse!();
    let mirror = Mirror::new(&[]);
    let below = mirror.source.path().join("log");
    let open = |path: &Path| {
        OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .unwrap()
    };
    let mut above = open(&mirror.program.join("log"));
    above.write_all(b"1").unwrap();
    open(&below).write_all(b"2").unwrap();
    above.write_all(b"3").unwrap();
    assert_eq!(fs::read_to_string(&below).unwrap(), "123");
    // The flag can be taken off an open file.
    rustix::fs::fcntl_setfl(&above, OFlags::empty()).unwrap();
    above.write_all_at(b"x", 0).unwrap();
    assert_eq!(fs::read_to_string(&below).unwrap(), "x23");
    drop(above);
    mirror.program.unmount();
}

/// Starts a mirror that can have 64 descriptors.
fn start_with_few_descriptors(source: &Path) -> Program {
    let mut command = Command::new("sh");
    command.args(["-c", r#"ulimit -n 64 && exec "$0" "$@""#]);
    command.arg(path_of("passthroughfs")).arg(source);
    Program::start_command("passthroughfs", command, common::DEFAULT_LIMIT)
}

#[test]
fn more_inodes_than_descriptors() {
    common::require_fuse!();
    let source = tempfile::tempdir().unwrap();
    let program = start_with_few_descriptors(source.path());
    // Open directories keep the kernel from forgetting what is above them.
    let mut open = Vec::new();
    for number in 0..20 {
        let directory = program.join(number.to_string());
        fs::create_dir_all(directory.join("a/b/c")).unwrap();
        open.push(rustix::fs::open(directory.join("a/b"), OFlags::PATH, Mode::empty()).unwrap());
    }
    for (number, directory) in open.iter().enumerate() {
        rustix::fs::mkdirat(directory, "new", Mode::RWXU).unwrap();
        assert!(source.path().join(format!("{number}/a/b/new")).exists());
    }
    // Through the mirror, what is in use may be renamed and removed.
    let last = program.join("19");
    fs::rename(last.join("a"), last.join("renamed")).unwrap();
    rustix::fs::mkdirat(&open[19], "later", Mode::RWXU).unwrap();
    assert!(last.join("renamed/b/later").exists());
    fs::remove_dir_all(last).unwrap();
    assert_eq!(rustix::fs::fstat(&open[19]).unwrap().st_nlink, 0);
    drop(open);
    program.unmount();
}

#[test]
fn the_mirror_is_not_in_the_mirror() {
    common::require_fuse!();
    let program = Program::start("passthroughfs", ["/"]);
    let itself = program.path().canonicalize().unwrap();
    let within = program.path().join(itself.strip_prefix("/").unwrap());
    let error = fs::metadata(&within).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ELOOP));
    assert!(fs::read_dir(within.parent().unwrap()).unwrap().count() > 0);
    program.unmount();
}

#[test]
fn flock_is_the_source_files() {
    common::require_fuse!();
    let mirror = Mirror::new(&[]);
    let open = |path: &Path| OpenOptions::new().write(true).open(path).unwrap();
    let source = mirror.source.path().join("file");
    fs::write(&source, "").unwrap();
    let mirrored = mirror.program.join("file");
    for (one, other) in [
        (&source, &mirrored),
        (&mirrored, &source),
        (&mirrored, &mirrored),
    ] {
        let (first, second) = (open(one), open(other));
        let flock = |file: &File, operation| rustix::fs::flock(file, operation);
        flock(&first, FlockOperation::LockShared).unwrap();
        flock(&second, FlockOperation::NonBlockingLockShared).unwrap();
        let refused = flock(&first, FlockOperation::NonBlockingLockExclusive);
        assert_eq!(refused, Err(rustix::io::Errno::AGAIN));
        flock(&second, FlockOperation::Unlock).unwrap();
        flock(&first, FlockOperation::NonBlockingLockExclusive).unwrap();
        let refused = flock(&second, FlockOperation::NonBlockingLockShared);
        assert_eq!(refused, Err(rustix::io::Errno::AGAIN));
        let waiting = std::thread::spawn(move || {
            rustix::fs::flock(&second, FlockOperation::LockExclusive).unwrap();
        });
        // It ends with the open file.
        drop(first);
        waiting.join().unwrap();
    }
    mirror.program.unmount();
}

#[test]
fn times_of_creation_are_those_of_the_source() {
    common::require_fuse!();
    let mirror = Mirror::new(&[]);
    fs::write(mirror.source.path().join("file"), "").unwrap();
    let created = |directory: &Path| fs::metadata(directory.join("file")).unwrap().created();
    match created(mirror.program.path()) {
        Ok(time) => assert_eq!(time, created(mirror.source.path()).unwrap()),
        Err(error) => common::skip(format_args!("libfuse, the kernel or the source: {error}")),
    }
    mirror.program.unmount();
}

#[test]
fn a_file_without_a_name_gets_one() {
    common::require_fuse!();
    let mirror = Mirror::new(&[]);
    let flags = OFlags::TMPFILE | OFlags::RDWR;
    let mode = Mode::from_raw_mode(0o600);
    let mut file: File = match rustix::fs::open(mirror.program.path(), flags, mode) {
        Ok(file) => file.into(),
        Err(rustix::io::Errno::OPNOTSUPP) => {
            mirror.program.unmount();
            return common::skip("the kernel or the source has no such files");
        }
        Err(error) => panic!("{error}"),
    };
    file.write_all(b"contents").unwrap();
    assert!(libfuse3::listdir(mirror.source.path()).unwrap().is_empty());
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let named = mirror.program.join("named");
    rustix::fs::linkat(CWD, path, CWD, &named, AtFlags::SYMLINK_FOLLOW).unwrap();
    let source = mirror.source.path().join("named");
    assert_eq!(fs::read_to_string(&source).unwrap(), "contents");
    assert_eq!(posix::stat(&source), posix::stat(&named));
    drop(file);
    mirror.program.unmount();
}

/// What libfuse says that it has answered to INIT.
struct Agreed(String);

impl Agreed {
    fn with(options: &str) -> Self {
        let mut program = Mirror::new(&["-d", "-o", options]).program;
        libfuse3::listdir(program.path()).unwrap();
        program::unmount(program.path());
        assert!(program.join_process().success());
        let output = program.output();
        // The second time, after what the kernel has offered.
        let answer = output.split("   INIT: ").nth(1).expect(&output);
        Self(answer.to_owned())
    }

    fn number(&self, name: &str) -> u32 {
        let line = self
            .0
            .lines()
            .find_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='));
        let number = line.unwrap_or_else(|| panic!("no {name} in {}", self.0));
        match number.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16).unwrap(),
            None => number.parse().unwrap(),
        }
    }
}

#[test]
fn limits_of_the_connection_reach_the_kernel() {
    common::require_fuse!();
    let limits = Agreed::with(
        "max_write=8192,max_readahead=4096,max_background=5,congestion_threshold=3,time_gran=1000",
    );
    for (name, expected) in [
        ("max_write", 8192),
        ("max_readahead", 4096),
        ("max_background", 5),
        ("congestion_threshold", 3),
        ("time_gran", 1000),
    ] {
        assert_eq!(limits.number(name), expected, "{name}");
    }
}

#[test]
fn a_value_of_the_connection_that_makes_no_sense_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(path_of("passthroughfs"));
    command.args(["-o", "ro,max_write=much"]);
    let message = program::failure(command.arg(dir.path()).arg(dir.path()));
    assert!(message.contains("max_write=much"), "{message}");
}

#[test]
fn close_without_free_descriptors_succeeds() {
    common::require_fuse!();
    let source = tempfile::tempdir().unwrap();
    let program = start_with_few_descriptors(source.path());
    let mut files = Vec::new();
    // As many as the program can have open.
    let error = loop {
        match File::create(program.join("file")) {
            Ok(file) => files.push(file),
            Err(error) => break error,
        }
    };
    assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
    for mut file in files {
        file.write_all(b"contents").unwrap();
        nix::unistd::close(file).unwrap();
    }
    assert_eq!(fs::read(source.path().join("file")).unwrap(), b"contents");
    program.unmount();
}

#[test]
fn flock_after_close_finds_the_file_unlocked() {
    common::require_fuse!();
    let mirror = Mirror::new(&[]);
    let path = mirror.program.join("file");
    let mut locked = File::create(&path).unwrap();
    for _ in 0..2000 {
        rustix::fs::flock(&locked, FlockOperation::NonBlockingLockExclusive).unwrap();
        // Open already: nothing but the release comes between close and lock.
        let next = File::open(&path).unwrap();
        drop(std::mem::replace(&mut locked, next));
    }
    drop(locked);
    mirror.program.unmount();
}

#[test]
fn flock_outlives_the_close_of_a_duplicate() {
    common::require_fuse!();
    let mirror = Mirror::new(&[]);
    let path = mirror.program.join("file");
    let file = File::create(&path).unwrap();
    rustix::fs::flock(&file, FlockOperation::LockExclusive).unwrap();
    drop(file.try_clone().unwrap());
    let other = File::create(&path).unwrap();
    let refused = rustix::fs::flock(&other, FlockOperation::NonBlockingLockExclusive);
    assert_eq!(refused, Err(rustix::io::Errno::AGAIN));
    drop((file, other));
    mirror.program.unmount();
}

#[test]
fn reading_with_noatime_or_ro_leaves_atime_of_the_source() {
    common::require_fuse!();
    let old = Timespec {
        tv_sec: 1_000_000_000,
        tv_nsec: 0,
    };
    let times = Timestamps {
        last_access: old,
        last_modification: old,
    };
    // Whether reading in the mirror changes times of access in the source.
    let changes = |name: &str, options: &[&str]| {
        let source = tempfile::tempdir().unwrap();
        let directory = source.path().join("directory");
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("file"), "contents").unwrap();
        let sources = [&directory, &directory.join("file")];
        for path in sources {
            rustix::fs::utimensat(CWD, path, &times, AtFlags::empty()).unwrap();
        }
        let arguments = options.iter().map(Path::new).chain([source.path()]);
        let program = Program::start(name, arguments);
        let names = libfuse3::listdir(program.join("directory")).unwrap();
        assert_eq!(names, ["file"]);
        let read = fs::read_to_string(program.join("directory/file"));
        assert_eq!(read.unwrap(), "contents");
        program.unmount();
        sources.map(|path| fs::metadata(path).unwrap().atime() != old.tv_sec)
    };
    if changes("passthroughfs", &[]) != [true, true] {
        return common::skip("the source keeps no times of access");
    }
    for name in ["passthroughfs", "passthrough_hp"] {
        for options in ["noatime", "ro"] {
            let found = changes(name, &["-o", options]);
            assert_eq!(found, [false, false], "{name} -o {options}");
        }
    }
    // libfuse 3.17 and later do not know `atime`.
    if !cfg!(libfuse_since = "3.17") {
        let found = changes("passthroughfs", &["-o", "noatime,atime"]);
        assert_eq!(found, [true, true]);
    }
}

/// What lsattr prints of a file or directory, without its name: the flags, and the number of the project.
fn lsattr(path: &Path) -> String {
    let listed = program::run(Command::new("lsattr").arg("-pd").arg(path));
    let [project, flags, ..] = listed.split_whitespace().collect::<Vec<_>>()[..] else {
        panic!("{listed}")
    };
    format!("{project} {flags}")
}

/// A file or directory that loses its attribute `i` when this is dropped: with it nothing removes it.
struct MutableAtEnd(PathBuf);

impl Drop for MutableAtEnd {
    fn drop(&mut self) {
        drop(Command::new("chattr").arg("-i").arg(&self.0).status());
    }
}

#[test]
fn chattr_changes_the_source() {
    common::require_fuse!();
    common::require_root!();
    if ["chattr", "lsattr"]
        .iter()
        .any(|name| common::find_program(name).is_none())
    {
        return common::skip("no chattr, or no lsattr");
    }
    let chattr = |flags: &[&str], path: &Path| {
        program::finish(Command::new("chattr").args(flags).arg(path))
            .status
            .success()
    };
    let source = common::open_directory();
    fs::write(source.path().join("file"), "contents").unwrap();
    fs::create_dir(source.path().join("directory")).unwrap();
    let below = source.path().join("file");
    if !(chattr(&["+d"], &below) && chattr(&["-d"], &below)) {
        return common::skip("the source has no such attributes");
    }
    let _mutable = ["file", "directory"].map(|name| MutableAtEnd(source.path().join(name)));
    for (name, options) in [
        ("passthroughfs", "allow_other"),
        ("passthroughfs", "allow_other,cache=never"),
        ("passthrough_hp", "allow_other"),
    ] {
        let arguments = [Path::new("-o"), Path::new(options), source.path()];
        let program = Program::start(name, arguments);
        for name in ["file", "directory"] {
            let (above, below) = (program.join(name), source.path().join(name));
            assert_eq!(lsattr(&above), lsattr(&below));
            assert!(chattr(&["+di"], &above));
            let flags = lsattr(&below);
            assert!(flags.contains('d') && flags.contains('i'), "{flags}");
            assert_eq!(lsattr(&above), flags);
            assert!(fs::set_permissions(&above, fs::Permissions::from_mode(0o600)).is_err());
            assert!(chattr(&["-di"], &above));
            // With FS_IOC_FSSETXATTR. Most file systems keep no projects.
            let project = ["-p", "7"];
            assert_eq!(chattr(&project, &above), chattr(&project, &below));
            assert_eq!(lsattr(&above), lsattr(&below));
        }
        // For the owner alone, and the kernel's own conditions are met.
        let as_user = |flags: &str, path: &Path| {
            let mut command = Command::new("chattr");
            command.arg(flags).arg(path).uid(1234).gid(1234);
            program::finish(&mut command).status.success()
        };
        let above = program.join("file");
        assert!(!as_user("+d", &above));
        std::os::unix::fs::chown(&above, Some(1234), None).unwrap();
        assert!(as_user("+d", &above) && as_user("-d", &above));
        assert!(!as_user("+i", &above));
        // What ext4 keeps for CAP_SYS_RESOURCE.
        assert_eq!(as_user("+j", &above), as_user("+j", &below));
        std::os::unix::fs::chown(&above, Some(0), None).unwrap();
        program.unmount();
    }
}

#[test]
fn file_handles_are_refused_rather_than_going_stale() {
    common::require_fuse!();
    let mirror = Mirror::new(&[]);
    fs::write(mirror.source.path().join("file"), "").unwrap();
    match common::name_to_handle(&mirror.program.join("file")) {
        Ok(()) => common::skip("before Linux 6.9 the kernel makes file handles in any case"),
        Err(errno) => assert_eq!(errno, libfuse3::Errno::EOPNOTSUPP),
    }
    mirror.program.unmount();
}

/// As for a mirror that is not root's: the kernel below it clears the bits then.
#[test]
fn writes_succeed_if_the_mirror_may_not_clear_set_id_bits() {
    common::require_fuse!();
    common::require_root!();
    if common::find_program("setpriv").is_none() {
        return common::skip("no setpriv");
    }
    let truth = common::open_directory();
    common::require!(set_id::is_cleared_without_group_execute(truth.path()));
    for options in ["allow_other", "allow_other,cache=never"] {
        let source = common::open_directory();
        let below = source.path().join("file");
        fs::write(&below, "contents").unwrap();
        std::os::unix::fs::chown(&below, Some(1234), Some(4321)).unwrap();
        fs::set_permissions(&below, fs::Permissions::from_mode(0o2666)).unwrap();
        let mut command = Command::new("setpriv");
        command.arg("--bounding-set=-fowner,-fsetid");
        command.arg(path_of("passthroughfs")).args(["-o", options]);
        command.arg(source.path());
        let limit = common::DEFAULT_LIMIT;
        let program = Program::start_command("passthroughfs", command, limit);
        let above = program.join("file");
        set_id::without_fsetid(|| {
            let mut file = OpenOptions::new().append(true).open(&above).unwrap();
            file.write_all(b" and more").unwrap();
        });
        assert_eq!(fs::metadata(&above).unwrap().mode() & 0o7777, 0o666);
        assert_eq!(fs::read_to_string(&below).unwrap(), "contents and more");
        program.unmount();
    }
}

/// All ways that contents take, in all of the mirrors.
#[test]
fn set_id_bits_after_a_change_are_those_of_the_source() {
    common::require_fuse!();
    common::require_root!();
    let truth = common::open_directory();
    common::require!(set_id::is_cleared_without_group_execute(truth.path()));
    let mut wrong = Vec::new();
    for (name, options) in [
        ("passthroughfs", &["-o", "allow_other"][..]),
        ("passthroughfs", &["-o", "allow_other,cache=never"]),
        ("passthroughfs", &["-o", "allow_other,cache=always"]),
        (
            "passthroughfs",
            &["-o", "allow_other,cache=always,writeback"],
        ),
        ("passthrough_hp", &["-o", "allow_other"]),
        ("passthrough_hp", &["-o", "allow_other", "--nopassthrough"]),
        (
            "passthrough_hp",
            &["-o", "allow_other", "--nopassthrough", "--nosplice"],
        ),
        (
            "passthrough_hp",
            &["-o", "allow_other", "--nopassthrough", "--nocache"],
        ),
        (
            "passthrough_hp",
            &["-o", "allow_other", "--nopassthrough", "--direct-io"],
        ),
        ("passthrough_ll", &["-o", "allow_other,xattr"]),
        ("passthrough_ll", &["-o", "allow_other,xattr,cache=never"]),
        ("passthrough_ll", &["-o", "allow_other,xattr,cache=always"]),
        ("passthrough_ll", &["-o", "allow_other,xattr,writeback"]),
    ] {
        let source = common::open_directory();
        let mut command = Command::new(path_of(name));
        command.args(options);
        match name {
            "passthrough_ll" => {
                let mut option = std::ffi::OsString::from("-osource=");
                option.push(source.path());
                command.arg(option)
            }
            _ => command.arg(source.path()),
        };
        let program = Program::start_command(name, command, Duration::from_secs(120));
        let found = set_id::differences(truth.path(), program.path(), Some(source.path()));
        wrong.extend(
            found
                .iter()
                .map(|line| format!("{name} {options:?}: {line}")),
        );
        program.unmount();
    }
    assert!(
        wrong.is_empty(),
        "{} cases:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
