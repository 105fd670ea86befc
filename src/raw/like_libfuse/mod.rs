//! That `crate::wire` encodes answers as libfuse does, byte for byte.
//!
//! libfuse's come from a session over a socket, whose callbacks do what those of a file system in C do.

mod samples;

use std::ffi::CString;
use std::ffi::c_char;
use std::ffi::c_void;
use std::mem;
use std::os::fd::AsRawFd;
use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixDatagram;
use std::ptr;
use std::ptr::NonNull;
use std::sync::Mutex;
use std::time::Duration;

use libfuse_sys as sys;

use self::samples::Numbers;
use self::samples::attributes;
use self::samples::infos;
use super::args::Args;
use super::mount_lock::MOUNT_LOCK;
use super::shim;
use crate::EntryAttributes;
use crate::FileInfo;
use crate::Inode;
use crate::wire;
use crate::wire::Dirents;
use crate::wire::IN_HEADER;
use crate::wire::OUT_HEADER;
use crate::wire::Opcode;

/// What libfuse, too, says of an inode number that it does not know.
const UNKNOWN_INO: u64 = 0xffff_ffff;

// ---- the structures of C ---------------------------------------------------------------------------

#[allow(
    clippy::unnecessary_cast,
    reason = "the types in struct stat differ between architectures"
)]
fn stat(attr: &EntryAttributes) -> libc::stat {
    // SAFETY: all-zero is a valid `struct stat`.
    let mut stat: libc::stat = unsafe { mem::zeroed() };
    stat.st_ino = attr.stat_ino.unwrap_or(attr.ino.raw());
    stat.st_mode = attr.mode;
    stat.st_nlink = attr.nlink as _;
    stat.st_uid = attr.uid;
    stat.st_gid = attr.gid;
    stat.st_rdev = attr.rdev as _;
    stat.st_size = i64::try_from(attr.size).unwrap_or(i64::MAX) as _;
    stat.st_blksize = attr.blksize as _;
    stat.st_blocks = attr.blocks as _;
    stat.st_atime = attr.atime.secs() as _;
    stat.st_atime_nsec = attr.atime.subsec_nanos() as _;
    stat.st_mtime = attr.mtime.secs() as _;
    stat.st_mtime_nsec = attr.mtime.subsec_nanos() as _;
    stat.st_ctime = attr.ctime.secs() as _;
    stat.st_ctime_nsec = attr.ctime.subsec_nanos() as _;
    stat
}

fn entry_param(attr: &EntryAttributes) -> sys::fuse_entry_param {
    sys::fuse_entry_param {
        ino: attr.ino.raw(),
        generation: attr.generation,
        attr: stat(attr),
        attr_timeout: attr.attr_timeout.as_secs_f64(),
        entry_timeout: attr.entry_timeout.as_secs_f64(),
    }
}

fn file_info(info: &FileInfo) -> sys::fuse_file_info {
    let mut raw = sys::fuse_file_info {
        fh: info.fh.raw(),
        ..sys::fuse_file_info::default()
    };
    raw.set_direct_io(info.direct_io.into());
    raw.set_keep_cache(info.keep_cache.into());
    raw.set_nonseekable(info.nonseekable.into());
    raw.set_cache_readdir(info.cache_readdir.into());
    #[cfg(libfuse_since = "3.11")]
    raw.set_noflush(info.noflush.into());
    #[cfg(libfuse_since = "3.14.1")]
    raw.set_parallel_direct_writes(info.parallel_direct_writes.into());
    #[cfg(libfuse_since = "3.17")]
    if let Some(id) = info.backing_id {
        raw.backing_id = id.raw();
        raw.set_keep_cache(0);
        raw.set_nonseekable(0);
        raw.set_cache_readdir(0);
    }
    raw
}

// ---- a session of C --------------------------------------------------------------------------------

/// What the callbacks answer.
#[derive(Default)]
struct Answer {
    entry: sys::fuse_entry_param,
    info: sys::fuse_file_info,
}

struct Reference {
    session: NonNull<sys::fuse_session>,
    socket: UnixDatagram,
    answer: Box<Mutex<Answer>>,
}

/// # Safety
///
/// - `req` is an unanswered request of a [`Reference`].
unsafe fn answer<'a>(req: sys::fuse_req_t) -> std::sync::MutexGuard<'a, Answer> {
    // SAFETY: guaranteed by the caller, see above.
    let userdata = unsafe { sys::fuse_req_userdata(req) };
    // SAFETY: the userdata is the box of the `Reference`, which lives as long as the session.
    let answer = unsafe { &*userdata.cast::<Mutex<Answer>>() };
    answer.lock().unwrap()
}

unsafe extern "C" fn lookup(req: sys::fuse_req_t, _: sys::fuse_ino_t, _: *const c_char) {
    // SAFETY: libfuse calls with an unanswered request.
    let answer = unsafe { answer(req) };
    // SAFETY: the request is unanswered; libfuse copies the entry.
    unsafe { sys::fuse_reply_entry(req, &answer.entry) };
}

unsafe extern "C" fn getattr(
    req: sys::fuse_req_t,
    _: sys::fuse_ino_t,
    _: *mut sys::fuse_file_info,
) {
    // SAFETY: libfuse calls with an unanswered request.
    let answer = unsafe { answer(req) };
    let sys::fuse_entry_param {
        attr, attr_timeout, ..
    } = answer.entry;
    // SAFETY: the request is unanswered; libfuse copies the attributes.
    unsafe { sys::fuse_reply_attr(req, &attr, attr_timeout) };
}

unsafe extern "C" fn open(req: sys::fuse_req_t, _: sys::fuse_ino_t, _: *mut sys::fuse_file_info) {
    // SAFETY: libfuse calls with an unanswered request.
    let answer = unsafe { answer(req) };
    // SAFETY: the request is unanswered; libfuse copies the structure.
    unsafe { sys::fuse_reply_open(req, &answer.info) };
}

unsafe extern "C" fn create(
    req: sys::fuse_req_t,
    _: sys::fuse_ino_t,
    _: *const c_char,
    _: libc::mode_t,
    _: *mut sys::fuse_file_info,
) {
    // SAFETY: libfuse calls with an unanswered request.
    let answer = unsafe { answer(req) };
    // SAFETY: the request is unanswered; libfuse copies both.
    unsafe { sys::fuse_reply_create(req, &answer.entry, &answer.info) };
}

impl Reference {
    fn new() -> Self {
        let operations = sys::fuse_lowlevel_ops {
            lookup: Some(lookup),
            getattr: Some(getattr),
            open: Some(open),
            opendir: Some(open),
            create: Some(create),
            ..sys::fuse_lowlevel_ops::default()
        };
        let answer = Box::<Mutex<Answer>>::default();
        let userdata = ptr::from_ref(&*answer).cast_mut().cast::<c_void>();
        let _guard = MOUNT_LOCK.lock();
        let mut args = Args::new(&[CString::from(c"test")]);
        let size = size_of_val(&operations);
        // SAFETY: libfuse copies the operations and takes what it wants of the arguments; the userdata
        // outlives the session, which `drop` destroys.
        let session =
            unsafe { shim::shim_session_new(args.as_mut_ptr(), &operations, size, userdata) };
        let session = NonNull::new(session).expect("made");
        let (socket, device) = UnixDatagram::pair().unwrap();
        let path = CString::new(format!("/dev/fd/{}", device.as_raw_fd())).unwrap();
        // SAFETY: the session is not mounted yet and the path is NUL-terminated.
        let result = unsafe { sys::fuse_session_mount(session.as_ptr(), path.as_ptr()) };
        assert_eq!(result, 0);
        // It is libfuse's from here on.
        let _ = device.into_raw_fd();
        let timeout = Some(Duration::from_secs(10));
        socket.set_read_timeout(timeout).unwrap();
        let this = Self {
            session,
            socket,
            answer,
        };
        // Version 7.31, no read-ahead, no flags.
        this.ask(Opcode::Init, &[7, 31, 0, 0].map(u32::to_ne_bytes).concat());
        this
    }

    /// The body of the answer.
    fn ask(&self, opcode: Opcode, body: &[u8]) -> Vec<u8> {
        let mut message = vec![0; IN_HEADER];
        message[..4].copy_from_slice(&((IN_HEADER + body.len()) as u32).to_ne_bytes());
        message[4..8].copy_from_slice(&(opcode as u32).to_ne_bytes());
        message[8..16].copy_from_slice(&4711_u64.to_ne_bytes());
        message[16..24].copy_from_slice(&1_u64.to_ne_bytes());
        message.extend(body);
        let buf = sys::fuse_buf {
            size: message.len(),
            mem: message.as_mut_ptr().cast(),
            ..sys::fuse_buf::default()
        };
        // SAFETY: the buffer is a whole request, and its memory lives until the call returns.
        unsafe { sys::fuse_session_process_buf(self.session.as_ptr(), &buf) };
        let mut answer = vec![0; 4096];
        let len = self.socket.recv(&mut answer).unwrap();
        answer.truncate(len);
        assert_eq!(wire::u32_at(&answer, 0), Some(len as u32), "{opcode:?}");
        assert_eq!(wire::u32_at(&answer, 4), Some(0), "{opcode:?}");
        assert_eq!(wire::u64_at(&answer, 8), Some(4711), "{opcode:?}");
        answer.split_off(OUT_HEADER)
    }

    fn set(&self, attr: &EntryAttributes, info: &FileInfo) {
        *self.answer.lock().unwrap() = Answer {
            entry: entry_param(attr),
            info: file_info(info),
        };
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        // SAFETY: nobody else has the session, and every request was answered.
        unsafe { sys::fuse_session_destroy(self.session.as_ptr()) };
    }
}

// ---- the comparison --------------------------------------------------------------------------------

#[test]
fn attributes_and_entries_are_the_same() {
    let reference = Reference::new();
    for attr in attributes() {
        reference.set(&attr, &FileInfo::default());
        let theirs = reference.ask(Opcode::Getattr, &[0; 16]);
        assert_eq!(wire::attr_out(&attr).as_bytes(), theirs, "{attr:?}");
        let theirs = reference.ask(Opcode::Lookup, b"name\0");
        assert_eq!(wire::entry_out(&attr).as_bytes(), theirs, "{attr:?}");
    }
}

#[test]
fn open_files_are_the_same() {
    let reference = Reference::new();
    let create = [&[0; 16][..], b"name\0"].concat();
    for (info, attr) in infos().into_iter().zip(attributes()) {
        reference.set(&attr, &info);
        for opcode in [Opcode::Open, Opcode::Opendir] {
            let theirs = reference.ask(opcode, &[0; 8]);
            assert_eq!(wire::open_out(&info).as_bytes(), theirs, "{info:?}");
        }
        let theirs = reference.ask(Opcode::Create, &create);
        let ours = wire::create_out(&info, &attr);
        assert_eq!(ours.as_bytes(), theirs, "{info:?} {attr:?}");
    }
}

/// What libfuse takes the longest timeout for, which `RawRequest::reply_statx` gets around.
#[test]
fn only_an_infinite_timeout_is_a_long_one_to_libfuse() {
    let reference = Reference::new();
    let seconds = |timeout: f64| {
        reference.answer.lock().unwrap().entry.attr_timeout = timeout;
        wire::u64_at(&reference.ask(Opcode::Getattr, &[0; 16]), 0)
    };
    assert_eq!(seconds(f64::INFINITY), Some(u64::MAX));
    assert_eq!(seconds(1e9), Some(1_000_000_000));
}

/// Entries as libfuse writes them.
struct TheirDirents {
    bytes: Vec<u8>,
    used: usize,
    plus: bool,
}

impl TheirDirents {
    fn add(&mut self, name: &[u8], attr: &EntryAttributes, next_id: u64) -> bool {
        let name = CString::new(name).unwrap();
        let mut entry = entry_param(attr);
        if attr.ino == Inode(0) {
            entry.attr.st_ino = attr.stat_ino.unwrap_or(UNKNOWN_INO);
        }
        let next_id = next_id.cast_signed();
        let free = &mut self.bytes[self.used..];
        let (start, room) = (free.as_mut_ptr().cast::<c_char>(), free.len());
        let (name, stat) = (name.as_ptr(), &entry.attr);
        let needed = if self.plus {
            // SAFETY: libfuse writes no more than `room` bytes, and nothing if that is too little. It
            // does not use the request.
            unsafe {
                sys::fuse_add_direntry_plus(ptr::null_mut(), start, room, name, &entry, next_id)
            }
        } else {
            // SAFETY: as above.
            unsafe { sys::fuse_add_direntry(ptr::null_mut(), start, room, name, stat, next_id) }
        };
        let fits = needed <= room;
        if fits {
            self.used += needed;
        }
        fits
    }
}

#[test]
fn directory_entries_are_the_same_and_end_at_the_same_place() {
    let longest = vec![b'x'; 1024];
    let mut numbers = Numbers(1);
    let all = attributes();
    for plus in [false, true] {
        let mut refused = 0;
        for size in (0..1500).chain([4096, 32768]) {
            let mut ours = Dirents::new(size, plus);
            let mut theirs = TheirDirents {
                bytes: vec![0xaa; size],
                used: 0,
                plus,
            };
            loop {
                let len = numbers.next32() as usize % if size > 1400 { 1025 } else { 40 };
                let attr = &all[numbers.next32() as usize % all.len()];
                let (name, next_id) = (&longest[..len], numbers.next());
                let fits = ours.add(name, attr, next_id);
                assert_eq!(fits, theirs.add(name, attr, next_id), "{size}, {len}");
                assert!(ours.bytes() == &theirs.bytes[..theirs.used], "{attr:?}");
                if !fits {
                    refused += 1;
                    break;
                }
            }
        }
        assert_eq!(refused, 1502);
    }
}
