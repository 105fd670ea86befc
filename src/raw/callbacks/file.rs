//! Callbacks about open files.

#[cfg(not(libfuse_since = "3.17"))]
use std::ffi::CStr;
use std::ffi::c_char;
use std::ffi::c_int;

use libfuse_sys::FUSE_BUF_IS_FD;
use libfuse_sys::fuse_bufvec;
use libfuse_sys::fuse_file_info;
use libfuse_sys::fuse_ino_t;
use libfuse_sys::fuse_reply_err;
use libfuse_sys::fuse_req_t;

use super::Inbox;
use super::deliver;
use super::deliver_killing;
use super::file_bits;
use super::is_killpriv_wanted;
use super::kills_suidgid;
use super::name as owned;
use super::open_file;
use super::open_flags;
use super::shim;
use crate::CopyFileRange;
use crate::FallocateFlags;
use crate::Inode;
use crate::OpenFlags;
use crate::ReleaseFlags;
use crate::Result;
use crate::WriteBuf;
use crate::message::Operation;
use crate::raw::buffer::WRITE_HEADERS;
use crate::raw::bufvec;
use crate::raw::pipe::Payload;
#[cfg(not(libfuse_since = "3.17"))]
use crate::raw::tmpfile::NAME as NAME_OF_TMPFILE;
use crate::wire;

/// C: `fuse_lowlevel_ops::open`.
///
/// # Safety
///
/// - Called by libfuse, which gives `req` away.
/// - `fi` lives until this function returns.
pub(super) unsafe extern "C" fn open(req: fuse_req_t, ino: fuse_ino_t, fi: *mut fuse_file_info) {
    // SAFETY: guaranteed by the caller, see above.
    let flags = unsafe { open_flags(fi) };
    // With `O_TRUNC` (`ATOMIC_O_TRUNC`) the kernel sends no `setattr`. Whether the bits are to be cleared, it
    // says only with `HANDLE_KILLPRIV_V2`.
    let kill = flags.contains(OpenFlags::TRUNC) && {
        // SAFETY: libfuse has given `req` to this callback, which runs.
        let is_wanted = unsafe { is_killpriv_wanted(req) };
        // SAFETY: as for `req`, and `fi` lives until this function returns.
        !is_wanted || unsafe { kills_suidgid(req, fi) }.unwrap_or(true)
    };
    let inode = Inode(ino);
    // SAFETY: guaranteed by the caller, see above.
    unsafe { deliver_killing(req, Operation::Open { inode, flags }, kill) };
}

/// C: `fuse_lowlevel_ops::create`.
///
/// # Safety
///
/// - Called by libfuse, which gives `req` away.
/// - `name` is NUL-terminated and lives until this function returns.
/// - `fi` lives until this function returns.
pub(super) unsafe extern "C" fn create(
    req: fuse_req_t,
    parent: fuse_ino_t,
    name: *const c_char,
    mode: libc::mode_t,
    fi: *mut fuse_file_info,
) {
    #[cfg(not(libfuse_since = "3.17"))]
    // SAFETY: `name` is NUL-terminated and lives until this function returns (fuse_lowlevel.h).
    if unsafe { CStr::from_ptr(name) } == NAME_OF_TMPFILE {
        // SAFETY: `tmpfile` asks for the same of `req` and `fi`.
        return unsafe { tmpfile(req, parent, mode, fi) };
    }
    // SAFETY: guaranteed by the caller, see above.
    let name = unsafe { owned(name) };
    // SAFETY: guaranteed by the caller, see above.
    let flags = unsafe { open_flags(fi) };
    let kill = flags.contains(OpenFlags::TRUNC) && {
        // SAFETY: libfuse has given `req` to this callback, which runs.
        let is_wanted = unsafe { is_killpriv_wanted(req) };
        // SAFETY: as for `req`, and `fi` lives until this function returns.
        is_wanted && unsafe { kills_suidgid(req, fi) }.unwrap_or(true)
    };
    // SAFETY: guaranteed by the caller, see above.
    unsafe {
        deliver_killing(
            req,
            Operation::Create {
                parent: Inode(parent),
                name,
                mode,
                flags,
            },
            kill,
        )
    };
}

/// C: `fuse_lowlevel_ops::tmpfile`. libfuse has it since 3.17; with older versions, [`create`] calls this.
///
/// # Safety
///
/// - Called by libfuse, which gives `req` away.
/// - `fi` lives until this function returns.
pub(super) unsafe extern "C" fn tmpfile(
    req: fuse_req_t,
    parent: fuse_ino_t,
    mode: libc::mode_t,
    fi: *mut fuse_file_info,
) {
    // SAFETY: guaranteed by the caller, see above.
    let flags = unsafe { open_flags(fi) };
    // SAFETY: guaranteed by the caller, see above.
    unsafe {
        deliver(
            req,
            Operation::Tmpfile {
                parent: Inode(parent),
                mode,
                flags,
            },
        )
    };
}

/// C: `fuse_lowlevel_ops::read`.
///
/// # Safety
///
/// - Called by libfuse, which gives `req` away.
/// - `fi` lives until this function returns.
pub(super) unsafe extern "C" fn read(
    req: fuse_req_t,
    ino: fuse_ino_t,
    size: usize,
    off: libc::off_t,
    fi: *mut fuse_file_info,
) {
    // SAFETY: guaranteed by the caller, see above.
    let file = unsafe { open_file(ino, fi) };
    // SAFETY: guaranteed by the caller, see above.
    unsafe {
        deliver(
            req,
            Operation::Read {
                file,
                offset: off.cast_unsigned(),
                size,
            },
        )
    };
}

/// C: `fuse_lowlevel_ops::write_buf`.
///
/// # Safety
///
/// - Called by libfuse, which gives `req` away.
/// - `bufv` is of one buffer, in memory or in a pipe, which lives until this function returns.
/// - `fi` lives until this function returns.
pub(super) unsafe extern "C" fn write_buf(
    req: fuse_req_t,
    ino: fuse_ino_t,
    bufv: *mut fuse_bufvec,
    off: libc::off_t,
    fi: *mut fuse_file_info,
) {
    // SAFETY: guaranteed by the caller, see above.
    let file = unsafe { open_file(ino, fi) };
    // SAFETY: guaranteed by the caller, see above.
    let from_cache = unsafe { file_bits(fi) } & shim::SHIM_WRITEPAGE != 0;
    // SAFETY: guaranteed by the caller, see above.
    let bufv = unsafe { &mut *bufv };
    // The kernel always sets the flag where it is due. For writes that bypass its cache, it sends no `setattr`.
    // SAFETY: libfuse has given `bufv` to this callback, which runs.
    let kill = unsafe { write_kills_suidgid(bufv) }.unwrap_or(!from_cache);
    // SAFETY: guaranteed by the caller, see above.
    let data = match unsafe { payload(bufv, from_cache) } {
        Ok(data) => data,
        Err(errno) => {
            // SAFETY: the request is unanswered, and this is its only answer.
            unsafe { fuse_reply_err(req, errno.raw()) };
            return;
        }
    };
    // SAFETY: guaranteed by the caller, see above.
    unsafe {
        deliver_killing(
            req,
            Operation::Write {
                file,
                offset: off.cast_unsigned(),
                data,
            },
            kill,
        )
    };
}

/// Whether a write says that set-user-id bits are to be cleared. `None` if the write is in a pipe of a session
/// that C runs: libfuse 3.18.3 does not set `fuse_file_info::kill_suidgid` for `write_buf`.
///
/// # Safety
///
/// - `bufv` is what libfuse has given to [`write_buf`], which has not returned yet.
#[inline]
unsafe fn write_kills_suidgid(bufv: &fuse_bufvec) -> Option<bool> {
    let says = Inbox::current().and_then(Inbox::kills_suidgid);
    let is_in_memory = bufv.buf[0].flags & FUSE_BUF_IS_FD == 0;
    match says {
        None if is_in_memory => {
            let payload = bufv.buf[0].mem.cast::<u8>();
            // SAFETY: the headers stand before the payload (lib/fuse_lowlevel.c, `do_write_buf`). Only with
            // io_uring they do not, which INIT never asks for.
            let headers = unsafe { payload.sub(WRITE_HEADERS) };
            // SAFETY: `WRITE_HEADERS` bytes are there, as above.
            wire::kills_suidgid(unsafe { super::bytes(headers.cast(), WRITE_HEADERS) })
        }
        says => says,
    }
}

/// Takes what is written out of the hands of libfuse.
///
/// # Safety
///
/// - `bufv` is what libfuse has given to [`write_buf`], which has not returned yet.
unsafe fn payload(bufv: &mut fuse_bufvec, from_cache: bool) -> Result<WriteBuf> {
    let inbox = Inbox::current();
    if bufv.buf[0].flags & FUSE_BUF_IS_FD == 0 {
        let (buf, size) = (bufv.buf[0].mem.cast(), bufv.buf[0].size);
        let received = inbox.and_then(|inbox| inbox.take_received(buf, size));
        return Ok(match received {
            Some(bytes) => WriteBuf::received(bytes, from_cache),
            // SAFETY: guaranteed by the caller, see above.
            None => WriteBuf::copied(unsafe { super::bytes(buf.cast(), size) }.into(), from_cache),
        });
    }
    let payload = match inbox {
        // SAFETY: guaranteed by the caller, see above.
        Some(inbox) => unsafe { inbox.pipes().receive(bufv) }?,
        // SAFETY: guaranteed by the caller, see above.
        None => Payload::Copied(Vec::from(unsafe { bufvec::copy_out(bufv) }?).into()),
    };
    Ok(match payload {
        Payload::Piped(bytes) => WriteBuf::piped(bytes, from_cache),
        Payload::Copied(bytes) => WriteBuf::copied(bytes, from_cache),
    })
}

/// C: `fuse_lowlevel_ops::flush`.
///
/// # Safety
///
/// - Called by libfuse, which gives `req` away.
/// - `fi` lives until this function returns.
pub(super) unsafe extern "C" fn flush(req: fuse_req_t, ino: fuse_ino_t, fi: *mut fuse_file_info) {
    // SAFETY: guaranteed by the caller, see above.
    let file = unsafe { open_file(ino, fi) };
    // SAFETY: guaranteed by the caller, see above.
    unsafe { deliver(req, Operation::Flush { file }) };
}

/// C: `fuse_lowlevel_ops::release`.
///
/// # Safety
///
/// - Called by libfuse, which gives `req` away.
/// - `fi` lives until this function returns.
pub(super) unsafe extern "C" fn release(req: fuse_req_t, ino: fuse_ino_t, fi: *mut fuse_file_info) {
    // SAFETY: guaranteed by the caller, see above.
    let file = unsafe { open_file(ino, fi) };
    // SAFETY: guaranteed by the caller, see above.
    let bits = unsafe { file_bits(fi) };
    let mut flags = ReleaseFlags::empty();
    flags.set(ReleaseFlags::FLUSH, bits & shim::SHIM_FLUSH != 0);
    flags.set(
        ReleaseFlags::FLOCK_RELEASE,
        bits & shim::SHIM_FLOCK_RELEASE != 0,
    );
    // SAFETY: guaranteed by the caller, see above.
    unsafe { deliver(req, Operation::Release { file, flags }) };
}

/// C: `fuse_lowlevel_ops::fsync`.
///
/// # Safety
///
/// - Called by libfuse, which gives `req` away.
/// - `fi` lives until this function returns.
pub(super) unsafe extern "C" fn fsync(
    req: fuse_req_t,
    ino: fuse_ino_t,
    datasync: c_int,
    fi: *mut fuse_file_info,
) {
    // SAFETY: guaranteed by the caller, see above.
    let file = unsafe { open_file(ino, fi) };
    // SAFETY: guaranteed by the caller, see above.
    unsafe {
        deliver(
            req,
            Operation::Fsync {
                file,
                datasync: datasync != 0,
            },
        )
    };
}

/// C: `fuse_lowlevel_ops::fallocate`.
///
/// # Safety
///
/// - Called by libfuse, which gives `req` away.
/// - `fi` lives until this function returns.
pub(super) unsafe extern "C" fn fallocate(
    req: fuse_req_t,
    ino: fuse_ino_t,
    mode: c_int,
    offset: libc::off_t,
    length: libc::off_t,
    fi: *mut fuse_file_info,
) {
    // SAFETY: guaranteed by the caller, see above.
    let file = unsafe { open_file(ino, fi) };
    // The kernel leaves it to the file system then, and does not say who the caller is.
    // SAFETY: libfuse has given `req` to this callback, which runs.
    let kill = unsafe { is_killpriv_wanted(req) };
    // SAFETY: guaranteed by the caller, see above.
    unsafe {
        deliver_killing(
            req,
            Operation::Fallocate {
                file,
                mode: FallocateFlags::from_bits_retain(mode),
                offset: offset.cast_unsigned(),
                len: length.cast_unsigned(),
            },
            kill,
        )
    };
}

/// C: `fuse_lowlevel_ops::lseek`.
///
/// # Safety
///
/// - Called by libfuse, which gives `req` away.
/// - `fi` lives until this function returns.
pub(super) unsafe extern "C" fn lseek(
    req: fuse_req_t,
    ino: fuse_ino_t,
    off: libc::off_t,
    whence: c_int,
    fi: *mut fuse_file_info,
) {
    // SAFETY: guaranteed by the caller, see above.
    let file = unsafe { open_file(ino, fi) };
    // SAFETY: guaranteed by the caller, see above.
    unsafe {
        deliver(
            req,
            Operation::Lseek {
                file,
                offset: off.cast_unsigned(),
                whence,
            },
        )
    };
}

/// C: `fuse_lowlevel_ops::copy_file_range`.
///
/// # Safety
///
/// - Called by libfuse, which gives `req` away.
/// - `fi_in` and `fi_out` live until this function returns.
pub(super) unsafe extern "C" fn copy_file_range(
    req: fuse_req_t,
    ino_in: fuse_ino_t,
    off_in: libc::off_t,
    fi_in: *mut fuse_file_info,
    ino_out: fuse_ino_t,
    off_out: libc::off_t,
    fi_out: *mut fuse_file_info,
    len: usize,
    flags: c_int,
) {
    // SAFETY: guaranteed by the caller, see above.
    let file_in = unsafe { open_file(ino_in, fi_in) };
    // SAFETY: guaranteed by the caller, see above.
    let file_out = unsafe { open_file(ino_out, fi_out) };
    let copy = CopyFileRange {
        file_in,
        offset_in: off_in.cast_unsigned(),
        file_out,
        offset_out: off_out.cast_unsigned(),
        len,
        flags: flags.cast_unsigned(),
    };
    // As for `fallocate`.
    // SAFETY: libfuse has given `req` to this callback, which runs.
    let kill = unsafe { is_killpriv_wanted(req) };
    // SAFETY: guaranteed by the caller, see above.
    unsafe { deliver_killing(req, Operation::CopyFileRange(Box::new(copy)), kill) };
}
