//! Callbacks about one inode.

use std::ffi::c_int;

use libfuse_sys as sys;
use libfuse_sys::fuse_file_info;
use libfuse_sys::fuse_ino_t;
use libfuse_sys::fuse_req_t;

use super::RawSession;
use super::deliver;
use super::file_ref;
use super::session;
use crate::AccessFlags;
use crate::Forget;
use crate::Inode;
use crate::SetattrFields;
use crate::TimeOrNow;
use crate::Timestamp;
use crate::message::ForgetList;
use crate::message::Message;
use crate::message::Operation;

/// C: `fuse_lowlevel_ops::forget`.
///
/// # Safety
///
/// - Called by libfuse, which gives `req` away.
pub(super) unsafe extern "C" fn forget(req: fuse_req_t, ino: fuse_ino_t, nlookup: u64) {
    let list = ForgetList::from_buf([Forget {
        inode: Inode(ino),
        nlookup,
    }]);
    // SAFETY: guaranteed by the caller, see above.
    unsafe { deliver_forget(req, list) };
}

/// C: `fuse_lowlevel_ops::forget_multi`.
///
/// # Safety
///
/// - Called by libfuse, which gives `req` away.
/// - `forgets` points to `count` elements that live until this function returns.
pub(super) unsafe extern "C" fn forget_multi(
    req: fuse_req_t,
    count: usize,
    forgets: *mut sys::fuse_forget_data,
) {
    if count == 0 {
        // Not from the kernel, see `Clones::interrupt`.
        // SAFETY: guaranteed by the caller, see above.
        return unsafe { sys::fuse_reply_none(req) };
    }
    let list = (0..count)
        .map(|index| {
            // SAFETY: guaranteed by the caller, see above.
            let forget = unsafe { forgets.add(index) };
            // SAFETY: as above.
            let forget = unsafe { &*forget };
            Forget {
                inode: Inode(forget.ino),
                nlookup: forget.nlookup,
            }
        })
        .collect();
    // SAFETY: guaranteed by the caller, see above.
    unsafe { deliver_forget(req, list) };
}

/// # Safety
///
/// - `req` was given to a callback by libfuse, and the callback does nothing else with it.
unsafe fn deliver_forget(req: fuse_req_t, list: ForgetList) {
    // SAFETY: guaranteed by the caller, see above.
    let session = unsafe { session(req) };
    // SAFETY: as above. A forget has no answer, so the request can end before it is worked on.
    unsafe { sys::fuse_reply_none(req) };
    RawSession::deliver(Message::Forget(list), || session);
}

/// C: `fuse_lowlevel_ops::getattr`.
///
/// # Safety
///
/// - Called by libfuse, which gives `req` away.
/// - `fi` is NULL or lives until this function returns.
pub(super) unsafe extern "C" fn getattr(req: fuse_req_t, ino: fuse_ino_t, fi: *mut fuse_file_info) {
    // SAFETY: guaranteed by the caller, see above.
    let file = unsafe { file_ref(ino, fi) };
    // SAFETY: guaranteed by the caller, see above.
    unsafe {
        deliver(
            req,
            Operation::Getattr {
                inode: Inode(ino),
                file,
            },
        )
    };
}

/// C: `fuse_lowlevel_ops::statx`.
///
/// # Safety
///
/// - Called by libfuse, which gives `req` away.
/// - `fi` is NULL or lives until this function returns.
#[cfg(libfuse_since = "3.18")]
pub(super) unsafe extern "C" fn statx(
    req: fuse_req_t,
    ino: fuse_ino_t,
    flags: c_int,
    mask: c_int,
    fi: *mut fuse_file_info,
) {
    // SAFETY: guaranteed by the caller, see above.
    let file = unsafe { file_ref(ino, fi) };
    // SAFETY: guaranteed by the caller, see above.
    unsafe {
        deliver(
            req,
            Operation::Statx {
                inode: Inode(ino),
                flags: crate::StatxFlags::from_bits_retain(flags),
                mask: crate::StatxMask::from_bits_retain(mask.cast_unsigned()),
                file,
            },
        )
    };
}

/// C: `fuse_lowlevel_ops::setattr`.
///
/// # Safety
///
/// - Called by libfuse, which gives `req` away.
/// - `attr` lives until this function returns.
/// - `fi` is NULL or lives until this function returns.
pub(super) unsafe extern "C" fn setattr(
    req: fuse_req_t,
    ino: fuse_ino_t,
    attr: *mut libc::stat,
    to_set: c_int,
    fi: *mut fuse_file_info,
) {
    // SAFETY: guaranteed by the caller, see above.
    let file = unsafe { file_ref(ino, fi) };
    // SAFETY: guaranteed by the caller, see above.
    let fields = Box::new(setattr_fields(unsafe { &*attr }, to_set.cast_unsigned()));
    // SAFETY: guaranteed by the caller, see above.
    unsafe {
        deliver(
            req,
            Operation::Setattr {
                inode: Inode(ino),
                fields,
                file,
            },
        )
    };
}

/// The members of `attr` that `to_set` names.
#[allow(
    clippy::unnecessary_cast,
    reason = "the types in struct stat differ between architectures"
)]
fn setattr_fields(attr: &libc::stat, to_set: u32) -> SetattrFields {
    let has = |bit: u32| to_set & bit != 0;
    let time = |bit: u32, bit_now: u32, secs: i64, nanos: i64| match () {
        () if has(bit_now) => Some(TimeOrNow::Now),
        () if has(bit) => Some(TimeOrNow::Time(Timestamp::new(secs, nanos))),
        () => None,
    };
    SetattrFields {
        mode: has(sys::FUSE_SET_ATTR_MODE).then_some(attr.st_mode),
        uid: has(sys::FUSE_SET_ATTR_UID).then_some(attr.st_uid),
        gid: has(sys::FUSE_SET_ATTR_GID).then_some(attr.st_gid),
        size: has(sys::FUSE_SET_ATTR_SIZE).then_some(attr.st_size.cast_unsigned()),
        atime: time(
            sys::FUSE_SET_ATTR_ATIME,
            sys::FUSE_SET_ATTR_ATIME_NOW,
            attr.st_atime as i64,
            attr.st_atime_nsec as i64,
        ),
        mtime: time(
            sys::FUSE_SET_ATTR_MTIME,
            sys::FUSE_SET_ATTR_MTIME_NOW,
            attr.st_mtime as i64,
            attr.st_mtime_nsec as i64,
        ),
        ctime: has(sys::FUSE_SET_ATTR_CTIME)
            .then(|| Timestamp::new(attr.st_ctime as i64, attr.st_ctime_nsec as i64)),
        kill_suid: has(FUSE_SET_ATTR_KILL_SUID),
        kill_sgid: has(FUSE_SET_ATTR_KILL_SGID),
    }
}

/// In the headers only from 3.12 on; sent by libfuse before that, too.
const FUSE_SET_ATTR_KILL_SUID: u32 = 1 << 11;
/// As above.
const FUSE_SET_ATTR_KILL_SGID: u32 = 1 << 12;

/// C: `fuse_lowlevel_ops::readlink`.
///
/// # Safety
///
/// - Called by libfuse, which gives `req` away.
pub(super) unsafe extern "C" fn readlink(req: fuse_req_t, ino: fuse_ino_t) {
    // SAFETY: guaranteed by the caller, see above.
    unsafe { deliver(req, Operation::Readlink { inode: Inode(ino) }) };
}

/// C: `fuse_lowlevel_ops::access`.
///
/// # Safety
///
/// - Called by libfuse, which gives `req` away.
pub(super) unsafe extern "C" fn access(req: fuse_req_t, ino: fuse_ino_t, mask: c_int) {
    let mode = AccessFlags::from_bits_retain(mask);
    // SAFETY: guaranteed by the caller, see above.
    unsafe {
        deliver(
            req,
            Operation::Access {
                inode: Inode(ino),
                mode,
            },
        )
    };
}
