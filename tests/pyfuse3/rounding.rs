//! pyfuse3's `test_rounding.py`: times are exact.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt;

use libfuse3::EntryAttributes;
use libfuse3::FileRef;
use libfuse3::Inode;
use libfuse3::Operations;
use libfuse3::ROOT_INODE;
use libfuse3::RequestContext;
use libfuse3::Result;
use libfuse3::Timestamp;

use crate::common;

/// Three times, and the file system whose files all have them.
#[derive(Clone, Copy, Debug)]
struct Times {
    atime: Timestamp,
    mtime: Timestamp,
    ctime: Timestamp,
}

impl Times {
    fn attributes(self, ino: Inode) -> EntryAttributes {
        let mode = match ino {
            ROOT_INODE => libc::S_IFDIR | 0o755,
            _ => libc::S_IFREG | 0o644,
        };
        let Self {
            atime,
            mtime,
            ctime,
        } = self;
        EntryAttributes {
            atime,
            mtime,
            ctime,
            ..common::attributes(ino, mode)
        }
    }
}

impl Operations for Times {
    async fn lookup(&self, _: Inode, _: &OsStr, _: &RequestContext) -> Result<EntryAttributes> {
        Ok(self.attributes(Inode(2)))
    }

    async fn getattr(
        &self,
        inode: Inode,
        _: Option<FileRef>,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        Ok(self.attributes(inode))
    }
}

fn assert_exact(times: Times) {
    let mounted = common::mount(times);
    // The root's come out of `getattr`, the file's out of `lookup`.
    for path in [mounted.path().to_owned(), mounted.join("file")] {
        let metadata = fs::metadata(path).unwrap();
        for (what, sent, received) in [
            (
                "atime",
                times.atime,
                (metadata.atime(), metadata.atime_nsec()),
            ),
            (
                "mtime",
                times.mtime,
                (metadata.mtime(), metadata.mtime_nsec()),
            ),
            (
                "ctime",
                times.ctime,
                (metadata.ctime(), metadata.ctime_nsec()),
            ),
        ] {
            let (seconds, nanoseconds) = received;
            assert_eq!(Timestamp::new(seconds, nanoseconds), sent, "{what}");
        }
    }
    common::assert_quiet();
}

#[test]
fn t07_sixty_seven_years_and_almost_a_second_come_through_exactly() {
    common::require_fuse!();
    let time = Timestamp::new(67 * 365 * 24 * 3600 + 999, 999_999_999);
    assert_exact(Times {
        atime: time,
        mtime: time,
        ctime: time,
    });
}

#[test]
fn times_before_1970_come_through_exactly() {
    common::require_fuse!();
    assert_exact(Times {
        atime: Timestamp::from_nanos(-1),
        mtime: Timestamp::new(-67 * 365 * 24 * 3600, 1),
        ctime: Timestamp::from_nanos(-1_000_000_000),
    });
}
