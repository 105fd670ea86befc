//! Requests, as the kernel writes them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::SetattrFields;
use crate::TimeOrNow;
use crate::Timestamp;

/// The body of a request.
#[derive(Clone, Debug, Default)]
pub(super) struct Body(pub(super) Vec<u8>);

impl Body {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn u32(mut self, number: u32) -> Self {
        self.0.extend(number.to_ne_bytes());
        self
    }

    pub(super) fn i32(self, number: i32) -> Self {
        self.u32(number.cast_unsigned())
    }

    pub(super) fn u64(mut self, number: u64) -> Self {
        self.0.extend(number.to_ne_bytes());
        self
    }

    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    /// A name, and the NUL behind it.
    pub(super) fn name(self, name: &OsStr) -> Self {
        self.bytes(name.as_bytes()).bytes(&[0])
    }

    /// `struct fuse_setattr_in`.
    pub(super) fn setattr(self, fields: &SetattrFields, fh: Option<u64>, lock_owner: u64) -> Self {
        let mut valid = 0;
        // FATTR_*
        let mut set = |bit: u32, is_set: bool| {
            if is_set {
                valid |= 1 << bit;
            }
        };
        set(0, fields.mode.is_some());
        set(1, fields.uid.is_some());
        set(2, fields.gid.is_some());
        set(3, fields.size.is_some());
        set(4, fields.atime.is_some());
        set(5, fields.mtime.is_some());
        set(6, fh.is_some());
        set(7, fields.atime == Some(TimeOrNow::Now));
        set(8, fields.mtime == Some(TimeOrNow::Now));
        set(9, fh.is_some());
        set(10, fields.ctime.is_some());
        set(11, fields.kill_suid || fields.kill_sgid);
        let time = |time: Option<TimeOrNow>| match time {
            Some(TimeOrNow::Time(time)) => time,
            _ => Timestamp::EPOCH,
        };
        let times = [
            time(fields.atime),
            time(fields.mtime),
            fields.ctime.unwrap_or_default(),
        ];
        let mut body = self
            .u32(valid)
            .u32(0)
            .u64(fh.unwrap_or(0))
            .u64(fields.size.unwrap_or(0))
            .u64(lock_owner);
        for time in times {
            body = body.u64(time.secs().cast_unsigned());
        }
        for time in times {
            body = body.u32(time.subsec_nanos());
        }
        body.u32(fields.mode.unwrap_or(0))
            .u32(0)
            .u32(fields.uid.unwrap_or(0))
            .u32(fields.gid.unwrap_or(0))
            .u32(0)
    }
}
