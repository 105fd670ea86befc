//! Lookups and listings of one directory run at the same time, also with a libfuse that forgets to
//! ask the kernel for it.

use std::ffi::OsStr;
use std::fs;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use libfuse3::Capabilities;
use libfuse3::ConnInfo;
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

/// Each lookup takes its time.
struct Slow {
    delay: Duration,
    parallel: bool,
}

impl Operations for Slow {
    fn init(&self, conn: &mut ConnInfo) -> Result<()> {
        if !self.parallel {
            conn.unwant(Capabilities::PARALLEL_DIROPS);
        }
        Ok(())
    }

    async fn lookup(&self, _: Inode, name: &OsStr, _: &RequestContext) -> Result<EntryAttributes> {
        Timer::after(self.delay).await;
        let number: u64 = name.to_str().and_then(|name| name.parse().ok()).unwrap();
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

/// How long so many lookups of so long take, all begun at once in one directory.
fn look_up(lookups: usize, delay: Duration, parallel: bool) -> Duration {
    let mounted = common::mount(Slow { delay, parallel });
    fs::metadata(mounted.path()).unwrap();
    let start = Barrier::new(lookups + 1);
    let elapsed = thread::scope(|scope| {
        let clients: Vec<_> = (0..lookups)
            .map(|number| {
                let path = mounted.join(number.to_string());
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    fs::symlink_metadata(path).map(drop)
                })
            })
            .collect();
        let began = Instant::now();
        start.wait();
        for client in clients {
            client.join().unwrap().unwrap();
        }
        began.elapsed()
    });
    common::assert_quiet();
    elapsed
}

#[test]
fn twenty_lookups_of_one_second_in_one_directory_take_less_than_one_after_the_other() {
    common::require_fuse!();
    let elapsed = look_up(20, Duration::from_secs(1), true);
    assert!(elapsed >= Duration::from_secs(1), "{elapsed:?}");
    assert!(elapsed < Duration::from_secs(20), "{elapsed:?}");
}

#[test]
fn without_the_wish_they_come_one_after_the_other() {
    common::require_fuse!();
    let elapsed = look_up(5, Duration::from_millis(100), false);
    assert!(elapsed >= Duration::from_millis(500), "{elapsed:?}");
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
    let gate = Gate::new();
    let mounted = common::mount(Meeting(gate.clone()));
    thread::scope(|scope| {
        let _end = gate.open_at_end();
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
