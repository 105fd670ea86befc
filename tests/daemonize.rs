//! Going into the background, between `mount` and `run`.
//!
//! Without the test harness, whose threads are in the way: this program is the test, and is started by
//! it once more as the one that goes into the background.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use common::MountDir;
use common::TimeLimit;
use common::memfs::MemFs;
use libfuse3::Session;
use libfuse3::Unmount;

const NAME: &str = "daemonize_goes_on_in_a_child_process";
/// Where the other process mounts, and where it tells how it fares.
const MOUNTPOINT: &str = "LIBFUSE3_TEST_MOUNTPOINT";
const NEWS: &str = "LIBFUSE3_TEST_NEWS";

fn main() {
    if let Some(mountpoint) = std::env::var_os(MOUNTPOINT) {
        let news = std::env::var_os(NEWS).unwrap();
        serve_in_the_background(mountpoint.as_ref(), news.as_ref());
    } else if is_wanted() {
        daemonize_goes_on_in_a_child_process();
        println!("test {NAME} ... ok");
    }
}

/// Speaks as much of the language of test harnesses as `cargo test` and its like need.
fn is_wanted() -> bool {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    if has("--ignored") {
        return false;
    }
    if has("--list") {
        println!("{NAME}: test");
        return false;
    }
    let mut filters = arguments.iter().filter(|filter| !filter.starts_with('-'));
    filters.all(|filter| NAME.contains(filter.as_str()))
}

fn serve_in_the_background(mountpoint: &Path, news: &Path) {
    let mut session = Session::builder(MemFs::default())
        .mount(mountpoint)
        .unwrap();
    session.daemonize().unwrap();
    fs::write(news, std::process::id().to_string()).unwrap();
    let reason = smol::block_on(session.run()).unwrap();
    session.close(Unmount::Yes).unwrap();
    fs::write(news, format!("{reason:?}")).unwrap();
}

fn daemonize_goes_on_in_a_child_process() {
    if !common::fuse_available(NAME) {
        return;
    }
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    let dir = MountDir::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let news = elsewhere.path().join("news");
    let mut command = Command::new(std::env::current_exe().unwrap());
    let command = command.env(MOUNTPOINT, dir.path()).env(NEWS, &news);
    let status = command.stdin(Stdio::null()).status().unwrap();
    assert!(status.success(), "the process that was called ends");
    common::register_mount(dir.path().to_owned());
    assert!(common::is_mounted(dir.path()));

    // The other one serves.
    fs::write(dir.join("file"), "text").unwrap();
    assert_eq!(fs::read(dir.join("file")).unwrap(), b"text");
    let process = fs::read_to_string(&news).unwrap();
    let about = Path::new("/proc").join(&process);
    assert_eq!(fs::read_link(about.join("cwd")).unwrap(), Path::new("/"));
    for descriptor in ["fd/0", "fd/1", "fd/2"] {
        let file = fs::read_link(about.join(descriptor)).unwrap();
        assert_eq!(file, Path::new("/dev/null"), "{descriptor}");
    }
    // pid (name) state ppid pgrp session ..
    let stat = fs::read_to_string(about.join("stat")).unwrap();
    let session = stat
        .rsplit(") ")
        .next()
        .and_then(|rest| rest.split(' ').nth(3));
    assert_eq!(session, Some(process.as_str()), "it has no terminal");

    common::unmount(dir.path(), false).unwrap();
    let has_ended = || fs::read(&news).is_ok_and(|news| news == b"Unmounted");
    assert!(common::wait_until(common::PATIENCE, has_ended));
}
