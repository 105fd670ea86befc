//! What is reported of lookup counts.

use std::ffi::OsStr;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use libfuse3::testing::LookupProblem;
use libfuse3::testing::MockKernel;
use libfuse3::*;

use crate::common;
use crate::common::attributes;

/// A file system that keeps its counts as badly as it is told to. Each name is a file; those with a `-`
/// have been unlinked.
struct Fs {
    table: InodeTable<String, ()>,
    /// Takes off twice as much as it is told to forget.
    forgets_twice: AtomicBool,
    /// Does not forget at all.
    remembers: AtomicBool,
}

fn start() -> MockKernel<Fs> {
    common::install_logger();
    let fs = Fs {
        table: InodeTable::new("/".to_owned(), ()),
        forgets_twice: AtomicBool::new(false),
        remembers: AtomicBool::new(false),
    };
    MockKernel::new(fs).unwrap()
}

impl Operations for Fs {
    async fn lookup(&self, _: Inode, name: &OsStr, _: &RequestContext) -> Result<EntryAttributes> {
        if name == "negative" {
            return Ok(EntryAttributes::negative(std::time::Duration::from_secs(5)));
        }
        let name = name.to_str().unwrap().to_owned();
        let (ino, _) = self.table.remember(name, |_| ());
        Ok(attributes(ino, libc::S_IFREG | 0o644))
    }

    async fn getattr(
        &self,
        inode: Inode,
        _: Option<FileRef>,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        self.table.get(inode)?;
        let unlinked = self
            .table
            .find("unlinked")
            .is_some_and(|found| found.0 == inode);
        Ok(EntryAttributes {
            nlink: u32::from(!unlinked),
            ..attributes(inode, libc::S_IFREG | 0o644)
        })
    }

    async fn forget(&self, inodes: &[Forget]) {
        if self.remembers.load(Ordering::Relaxed) {
            return;
        }
        self.table.forget(inodes);
        if self.forgets_twice.load(Ordering::Relaxed) {
            self.table.forget(inodes);
        }
    }
}

#[test]
fn what_is_forgotten_as_often_as_it_was_looked_up_balances() {
    let kernel = start();
    let a = kernel.lookup(ROOT_INODE, "a").unwrap().ino;
    let b = kernel.lookup(ROOT_INODE, "unlinked").unwrap().ino;
    kernel.lookup(ROOT_INODE, "a").unwrap();
    assert_eq!((kernel.lookup_count(a), kernel.lookup_count(b)), (2, 1));
    assert_eq!(kernel.lookup_counts(), [(a, 2), (b, 1)]);
    // What is not there does not count.
    let negative = kernel.lookup(ROOT_INODE, "negative").unwrap();
    assert_eq!(
        (negative.ino, negative.entry_timeout.as_secs()),
        (Inode(0), 5)
    );
    assert_eq!(kernel.lookup_count(Inode(0)), 0);

    kernel.forget(a, 1);
    assert_eq!(kernel.getattr(a).unwrap().ino, a);
    kernel.forget(a, 1);
    assert_eq!(kernel.getattr(a), Err(Errno::ESTALE));
    assert_eq!(kernel.lookup_counts(), [(b, 1)]);
    let report = kernel.compare_lookup_counts(kernel.operations().table.lookup_counts());
    assert!(report.is_balanced(), "{report}");
    let fs = std::sync::Arc::clone(kernel.operations());
    let report = kernel.unmount().unwrap();
    assert!(report.is_balanced(), "{report}");
    assert_eq!(fs.table.lookup_counts(), []);
}

#[test]
fn an_inode_that_is_dropped_too_early() {
    let kernel = start();
    let ino = kernel.lookup(ROOT_INODE, "a").unwrap().ino;
    kernel.lookup(ROOT_INODE, "a").unwrap();
    kernel
        .operations()
        .forgets_twice
        .store(true, Ordering::Relaxed);
    kernel.forget(ino, 1);
    assert_eq!(kernel.getattr(ino), Err(Errno::ESTALE));
    let report = kernel.compare_lookup_counts(kernel.operations().table.lookup_counts());
    let differs = LookupProblem::Differs {
        inode: ino,
        kernel: 1,
        file_system: 0,
    };
    assert_eq!(report.problems(), [differs]);

    let report = kernel.unmount().unwrap();
    let lost = LookupProblem::Lost {
        inode: ino,
        count: 1,
        errno: Errno::ESTALE,
    };
    assert_eq!(report.problems(), [lost]);
    let text = report.to_string();
    assert!(
        text.starts_with("1 inodes do not balance\n  inode 2 is lost"),
        "{text}"
    );
}

#[test]
fn an_inode_that_is_never_dropped() {
    let kernel = start();
    let ino = kernel.lookup(ROOT_INODE, "unlinked").unwrap().ino;
    kernel.lookup(ROOT_INODE, "named").unwrap();
    kernel.operations().remembers.store(true, Ordering::Relaxed);
    // One that still has a name may stay.
    let report = kernel.unmount().unwrap();
    assert_eq!(report.problems(), [LookupProblem::Kept { inode: ino }]);
}

#[test]
fn many_inodes_are_forgotten_at_once() {
    let kernel = start();
    for index in 0..5000 {
        kernel.lookup(ROOT_INODE, index.to_string()).unwrap();
    }
    assert_eq!(kernel.lookup_counts().len(), 5000);
    kernel.forget_all();
    assert_eq!(kernel.lookup_counts(), []);
    kernel.getattr(ROOT_INODE).unwrap();
    assert_eq!(kernel.operations().table.lookup_counts(), []);
}

#[test]
fn an_answer_that_nobody_waits_for_counts() {
    let kernel = start();
    drop(kernel.start(testing::Request::lookup(ROOT_INODE, "a")));
    kernel.getattr(ROOT_INODE).unwrap();
    assert_eq!(kernel.lookup_count(Inode(2)), 1);
}
