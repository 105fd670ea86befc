//! `struct fuse_session`: made, mounted, read from, unmounted, destroyed.

mod end;
mod init;

use std::ffi::CString;
use std::ffi::c_void;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicPtr;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use async_channel::Sender;
use event_listener::Event;
use libfuse_sys as sys;

pub(crate) use end::Use;
pub(crate) use init::InitHook;

use super::args::Args;
use super::auto_unmount;
use super::auto_unmount::AutoUnmount;
use super::callbacks;
use super::clones::Clones;
use super::clones::Place;
use super::conn_info_opts::RawConnInfoOpts;
use super::custom_io::Connection;
use super::device;
use super::foreign::Foreign;
use super::inbox::Inbox;
use super::init_repair::InitRepair;
use super::io_uring;
use super::log;
use super::mount_lock::MOUNT_LOCK;
use super::retrieve::Retrievals;
use super::shim;
use super::stderr;
use super::sys::disconnected_descriptor;
#[cfg(not(libfuse_since = "3.17"))]
use super::tmpfile;
use super::version;
use crate::Capabilities;
use crate::Errno;
use crate::Error;
use crate::Result;
use crate::logging;
use crate::message::Message;
use crate::panics::catch;
use crate::wakers::wake_after;

/// One libfuse session. It is destroyed with the last reference to it; each unanswered request
/// holds one.
///
/// # Invariants
///
/// `session` is set once, before anybody else sees the value, and valid until the value is dropped; but
/// for one that C has made, which is null until C has told it, and valid until C destroys it. The address
/// of the value does not change: it is libfuse's `userdata`.
///
/// What is looked at for each request is at the start, on one cache line.
#[repr(C, align(64))]
pub(crate) struct RawSession {
    pub(super) session: AtomicPtr<sys::fuse_session>,
    /// The option `debug` was given.
    is_debugging: bool,
    pub(super) repair: InitRepair,
    /// What requests come from in place of the kernel.
    pub(super) io: OnceLock<Box<Connection>>,
    pub(super) clones: OnceLock<Box<Clones>>,
    /// What the file system has asked for in INIT.
    wanted: OnceLock<Capabilities>,
    /// Who has made the session in our place, and unmounts and destroys it.
    pub(super) foreign: Option<Foreign>,
    /// What libfuse was given, program name first.
    pub(super) arguments: Box<[CString]>,
    sender: Sender<Message>,
    init: InitHook,
    conn_info_opts: Option<Arc<RawConnInfoOpts>>,
    init_result: OnceLock<Result<()>>,
    init_done: Event,
    /// What the kernel has offered in INIT.
    capable: OnceLock<Capabilities>,
    /// What the file system has asked for in vain.
    refused: OnceLock<String>,
    /// libfuse says which requests have to clear set-user-id bits.
    pub(super) tells_kill_suidgid: bool,
    /// `max_read` of the mount options, which libfuse wants repeated in INIT.
    max_read: u32,
    /// libfuse has mounted, and is to unmount.
    pub(super) is_mounted: AtomicBool,
    /// The fusermount3 that libfuse has left running.
    auto_unmount: Mutex<Option<AutoUnmount>>,
    /// Its descriptors are closed.
    is_disconnected: AtomicBool,
    pub(crate) retrievals: Retrievals,
    /// Calls that use the session's descriptor outside of the receive loop and of handlers.
    users: AtomicUsize,
    unused: Event,
    closed: Mutex<bool>,
}

impl RawSession {
    /// Makes the session with `arguments` as options, program name first.
    pub(crate) fn new(
        arguments: &[CString],
        max_read: u32,
        sender: Sender<Message>,
        init: InitHook,
        conn_info_opts: Option<Arc<RawConnInfoOpts>>,
    ) -> Result<Arc<Self>, Error> {
        let is_debugging = arguments
            .iter()
            .any(|argument| argument.as_c_str() == c"debug");
        let this = Self::unmade(
            arguments,
            max_read,
            sender,
            init,
            conn_info_opts,
            is_debugging,
            None,
        )?;
        // For `disconnect`.
        disconnected_descriptor()
            .map_err(|error| Error::system("cannot open a pipe for the session", error))?;
        let _guard = MOUNT_LOCK.lock();
        let session = this.new_libfuse_session();
        let session = session.map_err(|message| Error::Options { message })?;
        this.session.store(session.as_ptr(), Ordering::Release);
        io_uring::refuse(arguments);
        Ok(this)
    }

    /// Makes a session of libfuse's with the arguments of this one, which must destroy it when it is
    /// dropped; libfuse's message if that fails. The caller holds the lock for mounting.
    pub(super) fn new_libfuse_session(
        self: &Arc<Self>,
    ) -> Result<NonNull<sys::fuse_session>, String> {
        let (session, message) = log::capture(|| {
            let mut args = Args::new(&self.arguments);
            let operations = callbacks::operations();
            let userdata = Arc::as_ptr(self).cast_mut().cast::<c_void>();
            // SAFETY: libfuse copies the operations and takes what it wants of the arguments.
            // `userdata` outlives the session, which is destroyed when `self` is dropped.
            unsafe {
                shim::shim_session_new(
                    args.as_mut_ptr(),
                    &operations,
                    size_of_val(&operations),
                    userdata,
                )
            }
        });
        NonNull::new(session).ok_or(message)
    }

    /// All but libfuse's part of it.
    pub(super) fn unmade(
        arguments: &[CString],
        max_read: u32,
        sender: Sender<Message>,
        init: InitHook,
        conn_info_opts: Option<Arc<RawConnInfoOpts>>,
        is_debugging: bool,
        foreign: Option<Foreign>,
    ) -> Result<Arc<Self>, Error> {
        version::check()?;
        Ok(Arc::new(Self {
            session: AtomicPtr::new(ptr::null_mut()),
            foreign,
            arguments: arguments.into(),
            sender,
            init,
            conn_info_opts,
            init_result: OnceLock::new(),
            init_done: Event::new(),
            capable: OnceLock::new(),
            wanted: OnceLock::new(),
            refused: OnceLock::new(),
            tells_kill_suidgid: version::tells_kill_suidgid(),
            is_debugging,
            max_read,
            repair: InitRepair::default(),
            is_mounted: AtomicBool::new(false),
            auto_unmount: Mutex::default(),
            is_disconnected: AtomicBool::new(false),
            retrievals: Retrievals::default(),
            io: OnceLock::new(),
            clones: OnceLock::new(),
            users: AtomicUsize::new(0),
            unused: Event::new(),
            closed: Mutex::new(false),
        }))
    }

    /// Mounts on `path`, which must be absolute; nothing is mounted on `/dev/fd/N`, a descriptor that
    /// is libfuse's from here on. If they can be had, there are as many more descriptors then as `clones`
    /// says.
    pub(crate) fn mount(self: &Arc<Self>, path: &Path, clones: usize) -> Result<(), String> {
        let c_path = CString::new(path.as_os_str().as_bytes())
            .map_err(|_| "the path has a NUL in it".to_owned())?;
        let _guard = MOUNT_LOCK.lock();
        let mount = || {
            // SAFETY: the session is not mounted yet and the path is NUL-terminated.
            unsafe { sys::fuse_session_mount(self.as_ptr(), c_path.as_ptr()) }
        };
        let mount = || stderr::capture(|| log::capture(mount));
        let has_auto_unmount = self
            .arguments
            .iter()
            .any(|argument| **argument == *c"auto_unmount");
        let (((result, message), of_helper), auto_unmount) = match has_auto_unmount {
            true => auto_unmount::watch(mount),
            false => (mount(), None),
        };
        *self.auto_unmount() = auto_unmount;
        let parts = [message, log::one_line(&of_helper)];
        let message = parts.into_iter().filter(|part| !part.is_empty());
        let message = message.collect::<Vec<_>>().join("; ");
        if result != 0 {
            self.end_auto_unmount(true);
            return Err(message);
        }
        if !message.is_empty() {
            logging::warn!("{message}");
        }
        let is_mounted = !path.starts_with("/dev/fd");
        self.is_mounted.store(is_mounted, Ordering::Release);
        // SAFETY: the session is valid, and so is its userdata, by the invariants.
        unsafe { device::install_sending(self.as_ptr(), self.fd()) };
        // libfuse shows what it does where it does it.
        if clones > 0 && !self.is_debugging {
            self.open_clones(clones);
        }
        Ok(())
    }

    pub(crate) fn as_ptr(&self) -> *mut sys::fuse_session {
        self.session.load(Ordering::Relaxed)
    }

    /// The descriptor of the connection; -1 when not mounted.
    pub(crate) fn fd(&self) -> i32 {
        let session = self.as_ptr();
        if session.is_null() {
            return -1;
        }
        // SAFETY: the session is valid, by the invariants.
        unsafe { sys::fuse_session_fd(session) }
    }

    /// What the thread of reader number `reader` receives with. If there are clones, and it is not the
    /// first one's, INIT is done with.
    pub(crate) fn inbox(self: &Arc<Self>, reader: usize) -> Inbox {
        Inbox::new(Arc::clone(self), reader)
    }

    /// Waits for one request and has it turned into a message. `Ok(false)`: the connection has
    /// ended.
    pub(crate) fn receive(&self, inbox: &Inbox) -> Result<bool> {
        let session = inbox.place().map_or(self.as_ptr(), |place| place.session);
        let receive = |buf: &mut sys::fuse_buf| {
            let mem = NonNull::new(buf.mem.cast()).expect("the inbox has set it");
            let received = match (self.io.get(), inbox.place()) {
                // SAFETY: the memory has room for the largest request, and nobody else uses it.
                (Some(io), _) => unsafe { io.receive(self, mem, inbox.request_size()) },
                // Into its pipe only libfuse can receive.
                (None, Some(Place { fd, .. }))
                    if !self.wanted().contains(Capabilities::SPLICE_READ) =>
                {
                    // SAFETY: as above.
                    let received = unsafe { device::receive(fd, mem, inbox.request_size()) };
                    self.after_receiving(received)
                }
                // SAFETY: any thread may receive; the memory has room for the largest request that libfuse
                // asks for.
                _ => return unsafe { sys::fuse_session_receive_buf(session, buf) },
            };
            buf.size = usize::try_from(received).unwrap_or(0);
            received
        };
        // SAFETY: `buf` is as libfuse has filled it, and its memory lives: in this thread's hands, or
        // in those of the message that took it.
        let process = |buf: &_| unsafe { sys::fuse_session_process_buf(session, buf) };
        let process = |buf: &_| {
            #[cfg(not(libfuse_since = "3.17"))]
            // SAFETY: `buf` is as `receive` or libfuse has filled it, and has its memory for itself.
            unsafe {
                tmpfile::show_as_create(buf);
            }
            match self.clones.get() {
                None => self.repair_answer(buf, || process(buf)),
                Some(clones) => clones.process(self, session, buf),
            }
        };
        // SAFETY: libfuse returns how many bytes it has received.
        let received = unsafe { inbox.receive(receive, process) };
        match received {
            0 => Ok(false),
            // Nothing to read after all: interrupted, by a signal or by whoever sent the request.
            _ if [-libc::EINTR, -libc::EAGAIN, -libc::ENOENT].contains(&received) => Ok(true),
            _ if received < 0 => Err(Errno::from_negative(received)),
            _ => Ok(true),
        }
    }

    /// Has libfuse process a message that comes from a connection.
    ///
    /// # Safety
    ///
    /// - The message is as long as the lengths in it say.
    pub(super) unsafe fn process_message(&self, message: &[u8]) {
        let buf = sys::fuse_buf {
            mem: message.as_ptr().cast_mut().cast(),
            size: message.len(),
            ..<_>::default()
        };
        self.repair_answer(&buf, || {
            // SAFETY: the message is as long as it says, as the caller guarantees. libfuse only reads it, and
            // keeps no pointer to it.
            unsafe { sys::fuse_session_process_buf(self.as_ptr(), &buf) }
        });
    }

    /// Whether requests come from the kernel, which has checked their names. Not known in sessions that C has
    /// made: they count as untrusted.
    #[inline]
    pub(crate) fn is_from_kernel(&self) -> bool {
        self.io.get().is_none() && self.foreign.is_none()
    }

    /// What `fuse_session_receive_buf` does behind the system call.
    fn after_receiving(&self, received: i32) -> i32 {
        if received == -libc::ENODEV {
            self.exit();
        }
        match self.has_exited() {
            true => 0,
            false => received,
        }
    }

    /// Called by callbacks: hands a message on, to the thread if it is one of our readers, else to
    /// whoever runs `session`.
    #[inline]
    pub(super) fn deliver<'a>(message: Message, session: impl FnOnce() -> &'a Self) {
        match Inbox::current().filter(|inbox| inbox.is_empty()) {
            Some(inbox) => inbox.put(message),
            None => session().send(message),
        }
    }

    #[cold]
    fn send(&self, message: Message) {
        if let Some(foreign) = &self.foreign {
            return foreign.message(message);
        }
        // Fails at the end of the session only: then the drop of the message replies.
        // A waker that panics must not unwind into C.
        if let Ok(Err(refused)) = catch(|| wake_after(|| self.sender.try_send(message))) {
            logging::debug!("a request after the end of the session: {refused}");
        }
    }

    /// Whether requests and replies are to be shown.
    #[inline]
    pub(crate) fn is_debugging(&self) -> bool {
        self.is_debugging
    }

    /// Whether libfuse has given up the session: `exit` was called, or libfuse and the kernel could
    /// not agree in INIT.
    pub(crate) fn has_exited(&self) -> bool {
        // SAFETY: any thread may ask.
        unsafe { sys::fuse_session_exited(self.as_ptr()) != 0 }
    }

    /// `ENOTCONN` if C has made the session, and has not told which one it is.
    pub(super) fn is_known(&self) -> Result<()> {
        match self.as_ptr().is_null() {
            true => Err(Errno::ENOTCONN),
            false => Ok(()),
        }
    }
}
