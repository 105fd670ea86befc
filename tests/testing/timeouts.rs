//! How long the kernel may keep what it is told: to the nanosecond, for ever, or not at all.

use std::ffi::OsStr;
use std::time::Duration;

use libfuse3::testing::MockKernel;
use libfuse3::*;

use crate::common;

const FILE: Inode = Inode(2);

/// For names, and for attributes.
const TIMEOUTS: [(Duration, Duration); 6] = [
    (Duration::ZERO, Duration::from_nanos(1)),
    (Duration::from_nanos(1), Duration::MAX),
    (Duration::MAX, Duration::ZERO),
    (Duration::from_millis(1500), Duration::from_secs(300)),
    // What floating-point numbers do not hold.
    (Duration::new(1 << 40, 999_999_999), Duration::new(0, 3)),
    (Duration::new(u64::MAX, 0), Duration::new(1, 999_999_999)),
];

/// A file whose attributes may be kept for as long as is said here.
struct Fs(EntryAttributes);

impl Operations for Fs {
    async fn lookup(&self, _: Inode, name: &OsStr, _: &RequestContext) -> Result<EntryAttributes> {
        match name.to_str() {
            Some("file") => Ok(self.0.clone()),
            _ => Ok(EntryAttributes::negative(self.0.entry_timeout)),
        }
    }

    async fn getattr(
        &self,
        _: Inode,
        _: Option<FileRef>,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        Ok(self.0.clone())
    }

    async fn setattr(
        &self,
        _: Inode,
        _: SetattrFields,
        _: Option<FileRef>,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        Ok(self.0.clone())
    }

    async fn create(
        &self,
        _: Inode,
        _: &OsStr,
        _: u32,
        _: OpenFlags,
        _: &RequestContext,
    ) -> Result<(FileInfo, EntryAttributes)> {
        Ok((FileInfo::default(), self.0.clone()))
    }

    async fn readdir(
        &self,
        _: FileRef,
        start_id: u64,
        reply: &mut ReaddirToken,
        _: &RequestContext,
    ) -> Result<()> {
        let _ = start_id > 0 || reply.add("file".as_ref(), &self.0, 1);
        Ok(())
    }
}

fn start((entry_timeout, attr_timeout): (Duration, Duration)) -> MockKernel<Fs> {
    common::install_logger();
    let attr = EntryAttributes {
        entry_timeout,
        attr_timeout,
        ..common::attributes(FILE, libc::S_IFREG | 0o600)
    };
    MockKernel::new(Fs(attr)).unwrap()
}

#[test]
fn timeouts_of_entries_are_exact() {
    for timeouts in TIMEOUTS {
        let kernel = start(timeouts);
        let created = kernel.create(ROOT_INODE, "file", 0o600, OpenFlags::RDWR);
        let listed = kernel.list(ROOT_INODE, true).unwrap();
        let entries = [
            kernel.lookup(ROOT_INODE, "file").unwrap(),
            created.unwrap().1,
            listed[0].attr.clone().unwrap(),
        ];
        for entry in entries {
            assert_eq!((entry.entry_timeout, entry.attr_timeout), timeouts);
        }
        let nothing = kernel.lookup(ROOT_INODE, "other").unwrap();
        assert_eq!((nothing.ino, nothing.entry_timeout), (Inode(0), timeouts.0));
    }
    common::assert_quiet();
}

#[test]
fn timeouts_of_attributes_are_exact() {
    for timeouts in TIMEOUTS {
        let kernel = start(timeouts);
        let changed = kernel.setattr(FILE, &SetattrFields::default()).unwrap();
        for attr in [kernel.getattr(FILE).unwrap(), changed] {
            assert_eq!(attr.attr_timeout, timeouts.1);
        }
    }
    common::assert_quiet();
}
