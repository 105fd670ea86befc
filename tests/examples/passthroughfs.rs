//! T17 and T18 of pyfuse3's tests.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use tempfile::TempDir;

use crate::common;
use crate::posix;
use crate::program::Program;

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
