//! File handles, by which NFS servers and `open_by_handle_at(2)` find files that the kernel has forgotten.

use std::fs;
use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;
use std::path::Path;

use libfuse3::Errno;
use rustix::mount::MountFlags;
use rustix::mount::mount_remount;

use crate::common;
use crate::common::FileId;
use crate::program::Program;

const NO_ARGUMENTS: [&str; 0] = [];

/// Has the kernel forget all inodes of a mount that nothing uses, as a remount does.
fn forget_all(mount: &Path) {
    mount_remount(mount, MountFlags::NOSUID | MountFlags::NODEV, "").unwrap();
}

fn open(id: &FileId, mount: &Path) -> Result<OwnedFd, Errno> {
    Ok(id.open(File::open(mount).unwrap().as_fd())?)
}

/// The names in an open directory.
fn names(directory: &OwnedFd) -> Vec<String> {
    let listing = rustix::fs::Dir::read_from(directory).unwrap();
    let names = listing.map(|entry| entry.unwrap().file_name().to_str().unwrap().to_owned());
    names.filter(|name| !name.starts_with('.')).collect()
}

fn check(program: &str) {
    let mounted = Program::start(program, NO_ARGUMENTS);
    fs::create_dir_all(mounted.join("outer/inner")).unwrap();
    fs::write(mounted.join("outer/inner/file"), "contents").unwrap();
    fs::write(mounted.join("outer/removed"), "").unwrap();
    let [outer, inner, file, removed] =
        ["outer", "outer/inner", "outer/inner/file", "outer/removed"]
            .map(|name| FileId::of(&mounted.join(name)).unwrap());
    fs::remove_file(mounted.join("outer/removed")).unwrap();

    forget_all(mounted.path());
    let mut contents = String::new();
    let opened = open(&file, mounted.path()).unwrap();
    File::from(opened).read_to_string(&mut contents).unwrap();
    assert_eq!(contents, "contents");
    forget_all(mounted.path());
    // The kernel asks for the parents of a directory, too.
    assert_eq!(names(&open(&inner, mounted.path()).unwrap()), ["file"]);
    forget_all(mounted.path());
    assert_eq!(names(&open(&outer, mounted.path()).unwrap()), ["inner"]);
    let gone = open(&removed, mounted.path()).unwrap_err();
    assert_eq!(gone, Errno::ESTALE);

    // In another mount the same numbers are those of other files.
    let other = Program::start(program, NO_ARGUMENTS);
    fs::create_dir_all(other.join("outer/inner")).unwrap();
    fs::write(other.join("outer/inner/file"), "other").unwrap();
    for id in [&outer, &inner, &file] {
        assert_eq!(open(id, other.path()).unwrap_err(), Errno::ESTALE);
        forget_all(other.path());
        assert_eq!(open(id, other.path()).unwrap_err(), Errno::ESTALE);
    }
    other.unmount();
    mounted.unmount();
}

#[test]
fn file_handle_in_tmpfs_outlives_what_the_kernel_knows() {
    common::require_fuse!();
    common::require_root!();
    check("tmpfs");
}

#[test]
fn file_handle_in_memfs_ll_outlives_what_the_kernel_knows() {
    common::require_fuse!();
    common::require_root!();
    check("memfs_ll");
}
