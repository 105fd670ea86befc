//! A descriptor of its own for each reader beyond the first, and a libfuse session that belongs to it.
//!
//! The kernel takes an answer only through the descriptor that its request was read from, and libfuse
//! knows of one for each `fuse_session` in its public functions. So a clone is a session as well: made with
//! the same arguments, told that somebody else has mounted its descriptor (`/dev/fd/N`), and shown the INIT
//! that the first one has answered. Two readers then share neither the kernel's list of what was read nor
//! libfuse's list of what is unanswered, each of which has a lock that is taken twice for each request.
//!
//! Some messages do not belong to the session whose descriptor they happen to be read from, see
//! [`Clones::process`].

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::fd::IntoRawFd;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::Once;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use libfuse_sys as sys;

use super::callbacks;
use super::device;
use super::log;
use super::session::RawSession;
use crate::Capabilities;
use crate::ConnInfo;
use crate::logging;
use crate::wire;
use crate::wire::Opcode;
use crate::wire::empty_batch_forget;

/// `FUSE_DEV_IOC_CLONE`.
const CLONE: libc::Ioctl = libc::_IOR::<u32>(229, 0);

/// How many clones a session has at most: an interruption is shown to all of them.
const MAX_CLONES: usize = 15;

/// How many more clones the process may have. Each takes one of the keys that a process has for values of its
/// threads (`PTHREAD_KEYS_MAX`: 1024, with musl 128), which libfuse cannot make a session without.
static LEFT: AtomicUsize = AtomicUsize::new(if cfg!(target_env = "musl") { 32 } else { 256 });

/// Takes as many of those as there are, and no more than `count`.
fn take_left(count: usize) -> usize {
    let take = |left: usize| Some(left - left.min(count));
    let before = LEFT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
    before.unwrap_or(0).min(count)
}

/// The clones of a session.
///
/// # Invariants
///
/// The sessions are valid until the value is dropped.
pub(super) struct Clones {
    list: Box<[Clone]>,
    /// INIT, as the kernel has sent it.
    init: Mutex<Vec<u8>>,
    /// What the first session has made of it.
    pub(super) agreed: OnceLock<ConnInfo>,
}

struct Clone {
    session: *mut sys::fuse_session,
    fd: RawFd,
    /// It has been told what was agreed upon in INIT.
    ready: Once,
}

// SAFETY: libfuse lets any thread receive, work on requests, and answer; `Clones` is what frees it.
unsafe impl Send for Clone {}
// SAFETY: as above.
unsafe impl Sync for Clone {}

/// What one reader receives from.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) session: *mut sys::fuse_session,
    pub(super) fd: RawFd,
}

impl RawSession {
    /// Makes as many clones of the mounted session, or as many as can be had. The caller holds the lock for
    /// mounting.
    pub(super) fn open_clones(self: &Arc<Self>, count: usize) {
        let mut list = Vec::new();
        let taken = take_left(count.min(MAX_CLONES));
        while list.len() < taken {
            match clone_device(self.fd()).and_then(|device| self.clone_session(device)) {
                Ok(clone) => list.push(clone),
                // Of no consequence but for speed.
                Err(why) => {
                    logging::debug!("{} readers have a descriptor: {why}", 1 + list.len());
                    break;
                }
            }
        }
        LEFT.fetch_add(taken - list.len(), Ordering::Relaxed);
        if list.is_empty() {
            return;
        }
        let clones = Clones {
            list: list.into(),
            init: Mutex::default(),
            agreed: OnceLock::new(),
        };
        self.clones.get_or_init(|| Box::new(clones));
    }

    /// A session for the descriptor, which becomes libfuse's.
    fn clone_session(self: &Arc<Self>, device: File) -> Result<Clone, String> {
        let session = self.new_libfuse_session()?.as_ptr();
        let path = CString::new(format!("/dev/fd/{}", device.as_raw_fd())).unwrap_or_default();
        let (result, message) = log::capture(|| {
            // SAFETY: the session is not mounted, and the path is NUL-terminated. libfuse mounts nothing on
            // a path like this.
            unsafe { sys::fuse_session_mount(session, path.as_ptr()) }
        });
        if result != 0 {
            // SAFETY: nobody uses it, and the descriptor has not become its own.
            unsafe { sys::fuse_session_destroy(session) };
            return Err(message);
        }
        Ok(Clone {
            session,
            // It is libfuse's from here on.
            fd: device.into_raw_fd(),
            ready: Once::new(),
        })
    }

    /// What the reader of this number receives from. If there are clones, and it is not the first one, INIT
    /// is done with.
    pub(super) fn place(&self, index: usize) -> Place {
        let first = Place {
            session: self.as_ptr(),
            fd: self.fd(),
        };
        // Payloads in pipes cannot be looked at before libfuse does.
        match self.clones.get() {
            Some(clones) if !self.wanted().contains(Capabilities::SPLICE_READ) => {
                let index = index % (clones.list.len() + 1);
                let own = index.checked_sub(1).map(|index| clones.place(index));
                own.unwrap_or(first)
            }
            _ => first,
        }
    }

    /// Whether readers other than the first have to wait until INIT is answered.
    pub(crate) fn has_clones(&self) -> bool {
        self.clones.get().is_some()
    }
}

impl Clones {
    fn init(&self) -> MutexGuard<'_, Vec<u8>> {
        self.init.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The place of one of them, which is made ready for it.
    fn place(&self, index: usize) -> Place {
        let Clone { session, fd, ready } = &self.list[index];
        ready.call_once(|| {
            let mut init = self.init();
            let buf = sys::fuse_buf {
                mem: init.as_mut_ptr().cast(),
                size: init.len(),
                ..<_>::default()
            };
            log::capture(|| {
                // SAFETY: libfuse reads the whole message and keeps nothing of it. `on_init` gives the
                // answer that it has given before; what libfuse makes of it the kernel refuses, since
                // INIT was read from another descriptor, and libfuse takes no notice of that.
                unsafe { sys::fuse_session_process_buf(*session, &buf) }
            });
            // Not before: functions of ours would mend the answer in the first one's place.
            // SAFETY: the session is valid, and was made with the first one's userdata.
            unsafe { device::install_sending(*session, *fd) };
        });
        Place {
            session: *session,
            fd: *fd,
        }
    }

    /// Has libfuse work on a request that was read from the descriptor of `own`. Most belong there; but
    ///
    /// - an `INTERRUPT` is about a request that may have been read from any descriptor;
    /// - a `NOTIFY_REPLY` answers a notification, all of which the first session sends.
    ///
    /// (`DESTROY` is answered like any other request: through the descriptor that it was read from.)
    pub(super) fn process(
        &self,
        first: &RawSession,
        own: *mut sys::fuse_session,
        request: &sys::fuse_buf,
    ) {
        if request.flags & sys::FUSE_BUF_IS_FD != 0 {
            return process(own, request); // Then all readers share the first place.
        }
        // SAFETY: so many bytes have been received into the memory, which libfuse only reads.
        let message = unsafe { callbacks::bytes(request.mem.cast(), request.size) };
        match wire::opcode(message) {
            Some(Opcode::Interrupt) => self.interrupt(first, request),
            Some(Opcode::NotifyReply) => process(first.as_ptr(), request),
            Some(Opcode::Init) => {
                *self.init() = message.into();
                first.repair_answer(request, || process(own, request));
            }
            _ => process(own, request),
        }
    }

    /// Tells every session of an interruption: the one that has the request finds it.
    ///
    /// The others keep it for a request that is still to come, as the right one does if another thread has
    /// the request, but has not given it to libfuse yet. libfuse lets go of one with each other request: it
    /// gives it back to the kernel, through the session's descriptor, by which the kernel sends it
    /// again if the request is one of that descriptor's. An empty request before each interruption sees
    /// to it that a session which has nothing else to do keeps one at most.
    fn interrupt(&self, first: &RawSession, request: &sys::fuse_buf) {
        let ready = self.list.iter().filter(|clone| clone.ready.is_completed());
        for session in ready.map(|clone| clone.session).chain([first.as_ptr()]) {
            let_go_of_interruption(session);
            process(session, request);
        }
    }

    /// From here on libfuse keeps quiet about replies that the kernel does not want.
    pub(super) fn exit(&self) {
        for clone in &self.list {
            // SAFETY: any thread may set the flag.
            unsafe { sys::fuse_session_exit(clone.session) };
        }
    }

    /// Closes all descriptors. Nobody may use one any more.
    pub(super) fn close(&self) {
        for clone in &self.list {
            super::sys::close_but_keep_number(clone.fd);
        }
    }
}

impl Drop for Clones {
    fn drop(&mut self) {
        for clone in &self.list {
            if clone.ready.is_completed() {
                let_go_of_interruptions(clone.session);
            }
            // SAFETY: valid until here, by the invariants. It goes with the first session: no request is
            // unanswered, and nobody reads.
            unsafe { sys::fuse_session_destroy(clone.session) };
        }
        LEFT.fetch_add(self.list.len(), Ordering::Relaxed);
    }
}

/// The number of interruptions that are freed at the end. Each reader may have received one after the reply to
/// its request; libfuse keeps more of them only while no other request comes.
const LAST_INTERRUPTIONS: usize = 16;

/// Has libfuse free one of the interruptions that it keeps for requests still to come: it frees one with each
/// request. Called after INIT.
pub(super) fn let_go_of_interruption(session: *mut sys::fuse_session) {
    let mut other = empty_batch_forget();
    let other = sys::fuse_buf {
        mem: other.as_mut_ptr().cast(),
        size: other.len(),
        ..<_>::default()
    };
    process(session, &other);
}

/// Frees the interruptions before the session is destroyed, since libfuse then does not. libfuse replies to
/// each, although the descriptor is closed.
pub(super) fn let_go_of_interruptions(session: *mut sys::fuse_session) {
    let result = super::sys::without_sigpipe(|| {
        for _ in 0..LAST_INTERRUPTIONS {
            let_go_of_interruption(session);
        }
    });
    if let Err(error) = result {
        logging::debug!("libfuse keeps its interruptions: {error}");
    }
}

fn process(session: *mut sys::fuse_session, request: &sys::fuse_buf) {
    // SAFETY: the session is a valid one of ours; any thread may have it work on any message.
    unsafe { sys::fuse_session_process_buf(session, request) };
}

/// Another descriptor of the connection that `fd` is one of.
fn clone_device(fd: RawFd) -> Result<File, String> {
    let explain = |error: io::Error| format!("/dev/fuse: {error}");
    // Which no child inherits, as with all files that are opened so.
    let device = File::options().read(true).write(true).open("/dev/fuse");
    let device = device.map_err(explain)?;
    let fd = fd.cast_unsigned();
    // SAFETY: the kernel reads a number, that of a descriptor.
    let result = unsafe { libc::ioctl(device.as_raw_fd(), CLONE, &fd) };
    super::sys::check(result as isize).map_err(explain)?;
    Ok(device)
}
