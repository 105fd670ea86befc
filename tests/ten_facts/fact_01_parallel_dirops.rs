//! Lookups and listings of one directory run at the same time, also with a libfuse that forgets to
//! ask the kernel for it.

use std::ffi::OsStr;
use std::fs;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use libfuse3::EntryAttributes;
use libfuse3::FileRef;
use libfuse3::Inode;
use libfuse3::Operations;
use libfuse3::ReaddirToken;
use libfuse3::RequestContext;
use libfuse3::Result;
use smol::Timer;

use crate::common;
use crate::common::Gate;
use crate::file;
use crate::root_or_file;

const LOOKUPS: usize = 20;

/// Whether this libfuse can be brought to ask for it.
fn libfuse_can() -> bool {
    let version = libfuse3::libfuse_version();
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
    let can = (numbers.next(), numbers.next()) >= (Some(3), Some(13));
    if !can {
        let test = common::test_name();
        common::say(format_args!(
            "{test}: skipped: libfuse {version} cannot ask for it"
        ));
    }
    can
}

/// Each lookup takes a second.
struct Slow;

impl Operations for Slow {
    async fn lookup(&self, _: Inode, name: &OsStr, _: &RequestContext) -> Result<EntryAttributes> {
        Timer::after(Duration::from_secs(1)).await;
        let number: u64 = name
            .to_str()
            .and_then(|name| name.parse().ok())
            .unwrap_or(0);
        Ok(file(Inode(100 + number)))
    }

    async fn getattr(
        &self,
        inode: Inode,
        _: Option<FileRef>,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        Ok(root_or_file(inode))
    }
}

#[test]
fn twenty_lookups_of_one_second_in_one_directory_take_one_second() {
    common::require_fuse!();
    if !libfuse_can() {
        return;
    }
    let mounted = common::mount(Slow);
    fs::metadata(mounted.path()).unwrap();
    let start = Barrier::new(LOOKUPS + 1);
    let elapsed = thread::scope(|scope| {
        let clients: Vec<_> = (0..LOOKUPS)
            .map(|number| {
                let path = mounted.join(number.to_string());
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    fs::symlink_metadata(path).map(drop)
                })
            })
            .collect();
        start.wait();
        let start = Instant::now();
        for client in clients {
            client.join().unwrap().unwrap();
        }
        start.elapsed()
    });
    assert!(elapsed >= Duration::from_secs(1), "{elapsed:?}");
    assert!(elapsed < Duration::from_secs(3), "{elapsed:?}");
    common::assert_quiet();
}

/// Lookups and listings wait until all of them are there.
struct Meeting(std::sync::Arc<Gate>);

impl Operations for Meeting {
    async fn lookup(&self, _: Inode, _: &OsStr, _: &RequestContext) -> Result<EntryAttributes> {
        self.0.pass().await;
        Ok(file(Inode(2)))
    }

    async fn getattr(
        &self,
        inode: Inode,
        _: Option<FileRef>,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        Ok(root_or_file(inode))
    }

    async fn readdir(
        &self,
        _: FileRef,
        _: u64,
        _: &mut ReaddirToken,
        _: &RequestContext,
    ) -> Result<()> {
        self.0.pass().await;
        Ok(())
    }
}

#[test]
fn lookups_and_listings_of_one_directory_run_at_the_same_time() {
    common::require_fuse!();
    if !libfuse_can() {
        return;
    }
    let gate = Gate::new();
    let mounted = common::mount(Meeting(gate.clone()));
    thread::scope(|scope| {
        for name in ["a", "b", "c"] {
            let path = mounted.join(name);
            scope.spawn(move || fs::symlink_metadata(path).unwrap());
            scope.spawn(|| fs::read_dir(mounted.path()).unwrap().count());
        }
        gate.wait_for(6);
        gate.open();
    });
    common::assert_quiet();
}
