//! What is compared: made up, but the same each time.

use std::time::Duration;

use crate::EntryAttributes;
use crate::FileHandle;
use crate::FileInfo;
use crate::Inode;
use crate::Timestamp;

/// Numbers as good as random (xorshift), the same ones each time.
pub(super) struct Numbers(pub(super) u64);

impl Numbers {
    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        // Small and large ones.
        self.0 >> (self.0 % 8 * 8)
    }

    pub(super) fn next32(&mut self) -> u32 {
        self.next() as u32
    }

    fn timestamp(&mut self) -> Timestamp {
        let secs = self.next().cast_signed();
        Timestamp::new(secs, i64::from(self.next32() % 1_000_000_000))
    }

    /// One that `f64` holds exactly.
    fn timeout(&mut self) -> Duration {
        let nanos = [0, 500_000_000, 250_000_000, 125_000_000];
        let which = self.next32() % 4;
        Duration::new(u64::from(self.next32()), nanos[which as usize])
    }

    fn attributes(&mut self) -> EntryAttributes {
        EntryAttributes {
            ino: Inode(self.next()),
            stat_ino: [Some(self.next()), None][self.next32() as usize % 2],
            generation: self.next(),
            entry_timeout: self.timeout(),
            attr_timeout: self.timeout(),
            mode: self.next32(),
            nlink: self.next32(),
            uid: self.next32(),
            gid: self.next32(),
            rdev: self.next(),
            size: self.next(),
            blksize: self.next32(),
            blocks: self.next(),
            atime: self.timestamp(),
            mtime: self.timestamp(),
            ctime: self.timestamp(),
        }
    }
}

/// Many of which are alike in nothing, and some that are special.
pub(super) fn attributes() -> Vec<EntryAttributes> {
    let device = EntryAttributes {
        ino: Inode(9),
        mode: libc::S_IFCHR | 0o600,
        rdev: libc::makedev(0xabc, 0xf_edcb),
        ..EntryAttributes::default()
    };
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let mut all: Vec<_> = (0..2000).map(|_| numbers.attributes()).collect();
    all.extend([
        EntryAttributes::default(),
        EntryAttributes::negative(Duration::from_secs(7)),
        EntryAttributes::default().with_timeouts(Duration::ZERO),
        EntryAttributes {
            size: u64::MAX,
            blocks: u64::MAX,
            rdev: u64::MAX,
            atime: Timestamp::MIN,
            mtime: Timestamp::from_nanos(-1),
            ctime: Timestamp::MAX,
            ..device
        },
        device,
    ]);
    all
}

pub(super) fn infos() -> Vec<FileInfo> {
    let info = |bits: u64| FileInfo {
        fh: FileHandle(bits.wrapping_mul(0x0123_4567_89ab_cdef)),
        direct_io: bits & 1 != 0,
        keep_cache: bits & 2 != 0,
        nonseekable: bits & 4 != 0,
        cache_readdir: bits & 8 != 0,
        noflush: bits & 16 != 0,
        parallel_direct_writes: bits & 32 != 0,
        #[cfg(libfuse_since = "3.17")]
        backing_id: super::super::backing::BackingId::numbered((bits >> 6) as i32),
        #[cfg(not(libfuse_since = "3.17"))]
        backing_id: None,
    };
    (0..256).map(info).collect()
}
