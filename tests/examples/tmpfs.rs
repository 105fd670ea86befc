//! T16 of pyfuse3's tests.

use std::fs;
use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::fs::AtFlags;
use rustix::fs::CWD;
use rustix::fs::Mode;
use rustix::fs::OFlags;

use crate::common;
use crate::common::MountDir;
use crate::posix;
use crate::program::Program;
use crate::program::failure;
use crate::program::path_of;
use crate::set_id;

#[test]
fn tmpfs_is_a_posix_file_system() {
    common::require_fuse!();
    let tmpfs = Program::start("tmpfs", ["-o", "size=100M"]);
    posix::check_all(tmpfs.path());
    tmpfs.unmount();
}

#[test]
fn tmpfs_is_a_posix_file_system_for_other_users() {
    common::require_fuse!();
    common::require_root!();
    let tmpfs = Program::start("tmpfs", ["-o", "size=100M,allow_other"]);
    posix::check_as_other_user(tmpfs.path());
    tmpfs.unmount();
}

#[test]
fn tmpfs_starts_empty_each_time() {
    common::require_fuse!();
    for _ in 0..2 {
        let tmpfs = Program::start("tmpfs", ["-o", "size=1M"]);
        assert!(libfuse3::listdir(tmpfs.path()).unwrap().is_empty());
        fs::write(tmpfs.join("file"), "contents").unwrap();
        tmpfs.unmount();
    }
}

#[test]
fn tmpfs_keeps_to_its_size_and_gives_room_back() {
    common::require_fuse!();
    let tmpfs = Program::start("tmpfs", ["-o", "size=1M"]);
    let (small, large) = (tmpfs.join("small"), tmpfs.join("large"));
    fs::write(&small, [1; 4096]).unwrap();
    assert_eq!(
        common::errno(fs::write(&large, vec![1; 2 << 20])),
        libc::ENOSPC
    );
    fs::remove_file(&large).unwrap();
    assert_eq!(fs::read(&small).unwrap(), [1; 4096]);
    fs::write(&large, vec![1; 500_000]).unwrap();
    let free = rustix::fs::statvfs(tmpfs.path()).unwrap();
    assert_eq!(free.f_blocks * free.f_frsize, 1 << 20);
    assert!(free.f_bfree * free.f_frsize <= (1 << 20) - 504_096);
    tmpfs.unmount();
}

/// Opens a file without a name, whose permissions no usual umask changes.
fn open_tmpfile(dir: &Path, flags: OFlags) -> File {
    let flags = OFlags::TMPFILE | OFlags::RDWR | flags;
    let opened = rustix::fs::open(dir, flags, Mode::RUSR | Mode::WUSR);
    opened.unwrap().into()
}

fn link(file: &File, name: &Path) -> rustix::io::Result<()> {
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    rustix::fs::linkat(CWD, path, CWD, name, AtFlags::SYMLINK_FOLLOW)
}

#[test]
fn tmpfile_in_tmpfs_gets_names_or_gives_its_space_back() {
    common::require_fuse!();
    common::require_linux!(6, 1);
    let tmpfs = Program::start("tmpfs", ["-o", "size=1M,nr_inodes=10"]);
    let free = || {
        let statvfs = rustix::fs::statvfs(tmpfs.path()).unwrap();
        (statvfs.f_bfree, statvfs.f_ffree)
    };
    let (blocks, files) = free();
    let directory = fs::metadata(tmpfs.path()).unwrap();
    let mut file = open_tmpfile(tmpfs.path(), OFlags::empty());
    file.write_all(&[1; 5000]).unwrap();
    let stat = file.metadata().unwrap();
    assert_eq!((stat.nlink(), stat.len()), (0, 5000));
    assert_eq!(stat.mode(), libc::S_IFREG | 0o600);
    assert!(libfuse3::listdir(tmpfs.path()).unwrap().is_empty());
    let unchanged = fs::metadata(tmpfs.path()).unwrap();
    assert_eq!(
        (unchanged.mtime_nsec(), unchanged.len()),
        (directory.mtime_nsec(), directory.len())
    );
    assert_eq!(free(), (blocks - 2, files - 1));
    let [one, two] = ["one", "two"].map(|name| tmpfs.join(name));
    link(&file, &one).unwrap();
    assert_eq!(free(), (blocks - 2, files - 1));
    link(&file, &two).unwrap();
    assert_eq!(file.metadata().unwrap().nlink(), 2);
    fs::remove_file(&one).unwrap();
    drop(file);
    assert_eq!(fs::read(&two).unwrap(), [1; 5000]);
    // Once all names are gone there are no new ones.
    let file = File::open(&two).unwrap();
    fs::remove_file(&two).unwrap();
    assert_eq!(link(&file, &one), Err(rustix::io::Errno::NOENT));
    drop(file);

    let mut file = open_tmpfile(tmpfs.path(), OFlags::EXCL);
    file.write_all(b"x").unwrap();
    assert_eq!(link(&file, &one), Err(rustix::io::Errno::NOENT));
    drop(file);
    // The kernel closes files asynchronously.
    let limit = common::DEFAULT_LIMIT;
    assert!(common::wait_until(limit, || free() == (blocks, files)));
    tmpfs.unmount();
}

/// Which of the first and the second reading of a path changes its time of access.
fn changes_of_atime(path: &Path, read: impl Fn(&Path)) -> [bool; 2] {
    let atime = || {
        let stat = fs::symlink_metadata(path).unwrap();
        (stat.atime(), stat.atime_nsec())
    };
    [(); 2].map(|()| {
        let before = atime();
        read(path);
        atime() != before
    })
}

#[test]
fn reading_tmpfs_changes_atime_as_the_mount_options_say() {
    common::require_fuse!();
    const NEVER: [bool; 2] = [false, false];
    const ONCE: [bool; 2] = [true, false];
    const ALWAYS: [bool; 2] = [true, true];
    for (options, expected, expected_of_directory) in [
        ("size=1M", ONCE, ONCE),
        ("relatime", ONCE, ONCE),
        ("noatime", NEVER, NEVER),
        ("nodiratime", ONCE, NEVER),
        ("strictatime", ALWAYS, ALWAYS),
        ("strictatime,nodiratime,noatime", ALWAYS, ALWAYS),
    ] {
        let tmpfs = Program::start("tmpfs", ["-o", options]);
        let [file, link, directory] = ["file", "link", "directory"].map(|name| tmpfs.join(name));
        fs::write(&file, "contents").unwrap();
        std::os::unix::fs::symlink("file", &link).unwrap();
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("entry"), "").unwrap();
        let of_file = changes_of_atime(&file, |path| {
            assert_eq!(fs::read(path).unwrap(), b"contents");
        });
        let of_link = changes_of_atime(&link, |path| {
            assert_eq!(fs::read_link(path).unwrap(), Path::new("file"));
        });
        let of_directory = changes_of_atime(&directory, |path| {
            assert_eq!(libfuse3::listdir(path).unwrap(), ["entry"]);
        });
        assert_eq!(
            [of_file, of_link, of_directory],
            [expected, expected, expected_of_directory],
            "{options}"
        );
        // A change makes the next reading count.
        fs::write(&file, "contents").unwrap();
        let of_file = changes_of_atime(&file, |path| drop(fs::read(path)));
        assert_eq!(of_file, expected, "{options}, after a change");
        tmpfs.unmount();
    }
}

#[test]
fn set_id_bits_in_tmpfs_after_a_change_are_those_of_other_file_systems() {
    common::require_fuse!();
    common::require_root!();
    let truth = common::open_directory();
    common::require!(set_id::is_cleared_without_group_execute(truth.path()));
    let arguments = ["-o", "size=1M,allow_other"];
    let tmpfs = Program::start_with_limit("tmpfs", arguments, Duration::from_secs(120));
    let wrong = set_id::differences(truth.path(), tmpfs.path(), None);
    assert!(
        wrong.is_empty(),
        "{} cases:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    tmpfs.unmount();
}

#[test]
fn tmpfs_without_proc_names_the_file_and_the_options_that_do_without() {
    common::require_root!();
    common::require_fuse!();
    if common::find_program("unshare").is_none() {
        return common::skip("no unshare(1)");
    }
    let dir = MountDir::new();
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-c"])
        .arg("mount -t tmpfs none /proc && exec \"$0\" -f \"$1\"")
        .arg(path_of("tmpfs"))
        .arg(dir.path());
    let message = failure(&mut command);
    for part in ["/proc/meminfo", "No such file", "size and nr_inodes"] {
        assert!(message.contains(part), "no {part:?} in {message}");
    }
}
