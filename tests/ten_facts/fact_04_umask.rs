//! The kernel has applied the umask to the mode of what is created, unless it was asked not to.

use std::process::Command;

use libfuse3::Capabilities;

use crate::common;
use crate::common::memfs::Call;
use crate::common::memfs::MemFs;

/// Creates a file, a directory and a FIFO with umask 027, and returns the modes that the handlers were
/// given.
fn modes(fs: MemFs) -> [u32; 3] {
    let mounted = common::mount(fs);
    let script = "umask 027 && : > file && mkdir directory && mkfifo fifo";
    let mut shell = Command::new("sh");
    let status = shell
        .args(["-c", script])
        .current_dir(mounted.path())
        .status();
    assert!(status.unwrap().success());
    let modes = mounted.ops.called(|call| match *call {
        Call::Create { mode, umask }
        | Call::Mkdir { mode, umask }
        | Call::Mknod { mode, umask } => {
            assert_eq!(umask, 0o027, "{call:?}");
            Some(mode)
        }
        _ => None,
    });
    common::assert_quiet();
    modes.try_into().unwrap()
}

#[test]
fn the_umask_is_taken_off_already() {
    common::require_fuse!();
    let [file, directory, fifo] = modes(MemFs::default());
    assert_eq!(file, libc::S_IFREG | 0o640);
    assert_eq!(directory, libc::S_IFDIR | 0o750);
    assert_eq!(fifo, libc::S_IFIFO | 0o640);
}

#[test]
fn with_dont_mask_it_is_left_to_the_file_system() {
    common::require_fuse!();
    let [file, directory, fifo] = modes(MemFs::default().want(Capabilities::DONT_MASK));
    assert_eq!(file, libc::S_IFREG | 0o666);
    assert_eq!(directory, libc::S_IFDIR | 0o777);
    assert_eq!(fifo, libc::S_IFIFO | 0o666);
}
