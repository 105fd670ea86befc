//! `memfs_ll`, which has less than `tmpfs`: what a script sees of the one and not of the other.

use std::fs;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;
use std::process::Command;

use rustix::fs::CWD;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::RenameFlags;

use crate::common;
use crate::program::Program;
use crate::program::run;

const NO_ARGUMENTS: [&str; 0] = [];

#[test]
fn files_directories_and_links() {
    common::require_fuse!();
    let memfs = Program::start("memfs_ll", NO_ARGUMENTS);
    let root = fs::metadata(memfs.path()).unwrap();
    assert_eq!(
        (root.mode(), root.nlink(), root.ino(), root.len()),
        (libc::S_IFDIR | 0o755, 2, 1, 0)
    );
    fs::create_dir(memfs.join("directory")).unwrap();
    let file = memfs.join("directory/file");
    fs::write(&file, "some contents").unwrap();
    assert_eq!(fs::metadata(memfs.path()).unwrap().nlink(), 3);
    let stat = fs::metadata(&file).unwrap();
    assert_eq!((stat.len(), stat.nlink(), stat.blocks()), (13, 1, 1));
    // What is made belongs to root, whoever makes it.
    assert_eq!((stat.uid(), stat.gid()), (0, 0));

    fs::hard_link(&file, memfs.join("link")).unwrap();
    fs::rename(&file, memfs.join("renamed")).unwrap();
    let linked = fs::metadata(memfs.join("link")).unwrap();
    assert_eq!((linked.ino(), linked.nlink()), (stat.ino(), 2));
    // The newest first, without `.` and `..`.
    let mut list = Command::new("ls");
    let listed = run(list.arg("-f").arg(memfs.path()));
    assert_eq!(listed, "renamed\nlink\ndirectory\n");

    fs::write(memfs.join("other"), "other").unwrap();
    fs::rename(memfs.join("other"), memfs.join("link")).unwrap();
    assert_eq!(fs::read(memfs.join("link")).unwrap(), b"other");
    assert_eq!(fs::metadata(memfs.join("renamed")).unwrap().nlink(), 1);
    fs::write(memfs.join("link"), "x").unwrap();
    assert_eq!(fs::read(memfs.join("link")).unwrap(), b"x", "cut off first");
    fs::write(memfs.join("directory/last"), "").unwrap();
    let removed = fs::remove_dir(memfs.join("directory"));
    assert_eq!(common::errno(removed), libc::ENOTEMPTY);
    fs::remove_file(memfs.join("directory/last")).unwrap();
    fs::remove_dir(memfs.join("directory")).unwrap();
    let missing = fs::metadata(memfs.join("directory"));
    assert_eq!(common::errno(missing), libc::ENOENT);
    memfs.unmount();
}

#[test]
fn attributes_are_what_they_are_set_to() {
    common::require_fuse!();
    let memfs = Program::start("memfs_ll", NO_ARGUMENTS);
    let path = memfs.join("file");
    let file = OpenOptions::new()
        .create_new(true)
        .read(true)
        .write(true)
        .open(&path)
        .unwrap();
    file.write_all_at(b"end", 10_000).unwrap();
    let mut start = [1; 100];
    file.read_exact_at(&mut start, 0).unwrap();
    assert_eq!(start, [0; 100]);
    let stat = file.metadata().unwrap();
    assert_eq!((stat.len(), stat.blocks()), (10_003, 20));
    file.set_len(5).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH)
        .unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o2751)).unwrap();
    let stat = fs::metadata(&path).unwrap();
    assert_eq!((stat.len(), stat.mtime()), (5, 0));
    assert_eq!(stat.mode(), libc::S_IFREG | 0o2751);
    std::os::unix::fs::chown(&path, Some(5), Some(6)).unwrap();
    let stat = fs::metadata(&path).unwrap();
    assert_eq!((stat.uid(), stat.gid()), (5, 6));
    drop(file);
    // The umask is the kernel's business.
    let mut make = Command::new("sh");
    run(make
        .args(["-c", "umask 0; mkdir open"])
        .current_dir(memfs.path()));
    let open = fs::metadata(memfs.join("open")).unwrap();
    assert_eq!(open.mode(), libc::S_IFDIR | 0o777);
    memfs.unmount();
}

#[test]
fn mknod_makes_files_and_fifos_of_root() {
    common::require_fuse!();
    let memfs = Program::start("memfs_ll", NO_ARGUMENTS);
    for (name, kind, file_type) in [
        ("file", FileType::RegularFile, libc::S_IFREG),
        ("fifo", FileType::Fifo, libc::S_IFIFO),
    ] {
        let path = memfs.join(name);
        rustix::fs::mknodat(CWD, &path, kind, Mode::RUSR, 0).unwrap();
        let stat = fs::metadata(&path).unwrap();
        assert_eq!((stat.mode(), stat.nlink()), (file_type | 0o400, 1));
        assert_eq!((stat.uid(), stat.gid()), (0, 0));
        let again = rustix::fs::mknodat(CWD, &path, kind, Mode::RUSR, 0);
        assert_eq!(again, Err(rustix::io::Errno::EXIST));
    }
    fs::write(memfs.join("file"), "contents").unwrap();
    assert_eq!(fs::read(memfs.join("file")).unwrap(), b"contents");
    memfs.unmount();
}

#[test]
fn what_it_has_not_is_refused() {
    common::require_fuse!();
    let memfs = Program::start("memfs_ll", NO_ARGUMENTS);
    let (file, other) = (memfs.join("file"), memfs.join("other"));
    fs::write(&file, "").unwrap();
    let linked = symlink("file", memfs.join("link"));
    assert_eq!(common::errno(linked), libc::ENOSYS);
    let named = libfuse3::setxattr(&file, "user.name", b"value");
    assert_eq!(common::errno(named), libc::EOPNOTSUPP);
    fs::write(&other, "").unwrap();
    for flags in [RenameFlags::EXCHANGE, RenameFlags::NOREPLACE] {
        let target = match flags {
            RenameFlags::EXCHANGE => other.clone(),
            _ => memfs.join("free"),
        };
        let renamed = rustix::fs::renameat_with(CWD, &file, CWD, target, flags);
        assert_eq!(renamed, Err(rustix::io::Errno::INVAL));
    }
    memfs.unmount();
}

#[test]
fn df_shows_a_fixed_size() {
    common::require_fuse!();
    let memfs = Program::start("memfs_ll", NO_ARGUMENTS);
    let statvfs = || rustix::fs::statvfs(memfs.path()).unwrap();
    let empty = statvfs();
    assert_eq!((empty.f_bsize, empty.f_frsize), (4096, 4096));
    assert_eq!((empty.f_blocks, empty.f_bfree), (1_000_000, 999_990));
    assert_eq!((empty.f_files, empty.f_namemax), (1, 4096));
    let name = "n".repeat(300);
    fs::write(memfs.join(&name), "").unwrap();
    assert_eq!(libfuse3::listdir(memfs.path()).unwrap(), [&*name]);
    let full = statvfs();
    assert_eq!((full.f_files, full.f_bavail), (2, 999_980));
    memfs.unmount();
}
