//! T16 of pyfuse3's tests.

use std::fs;

use crate::common;
use crate::posix;
use crate::program::Program;

#[test]
fn tmpfs_is_a_posix_file_system() {
    common::require_fuse!();
    let tmpfs = Program::start("tmpfs", ["-o", "size=100M"]);
    posix::check_all(tmpfs.path());
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
