//! `struct fuse_session`: made, mounted, read from, unmounted, destroyed.

use std::ffi::CString;
use std::ffi::c_void;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicPtr;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use async_channel::Sender;
use event_listener::Event;
use libfuse_sys as sys;

use super::args::Args;
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
use super::pipe;
use super::retrieve::Retrievals;
use super::shim;
use super::stderr;
use super::version;
use crate::Capabilities;
use crate::ConnInfo;
use crate::Errno;
use crate::Error;
use crate::Result;
use crate::message::Message;

/// What a session does on INIT.
pub(crate) type InitHook = Box<dyn Fn(&mut ConnInfo) -> Result<()> + Send + Sync>;

/// Who clears set-user-id bits, and whether libfuse tells when.
#[derive(Clone, Copy, Default)]
pub(super) enum KillSuidgid {
    /// The kernel, by a `setattr`.
    #[default]
    ByKernel,
    /// The file system, where it is told to.
    Told,
    /// The file system, and this libfuse does not tell.
    Untold,
}

impl KillSuidgid {
    fn agreed(want: Capabilities) -> Self {
        match want.contains(Capabilities::HANDLE_KILLPRIV_V2) {
            true if version::tells_kill_suidgid() => Self::Told,
            true => Self::Untold,
            false => Self::ByKernel,
        }
    }
}

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
    kill_suidgid: OnceLock<KillSuidgid>,
    /// `max_read` of the mount options, which libfuse wants repeated in INIT.
    max_read: u32,
    /// libfuse has mounted, and is to unmount.
    pub(super) is_mounted: AtomicBool,
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
        let _guard = MOUNT_LOCK.lock();
        let (session, message) = log::capture(|| {
            let mut args = Args::new(arguments);
            let operations = callbacks::operations();
            let userdata = Arc::as_ptr(&this).cast_mut().cast::<c_void>();
            // SAFETY: libfuse copies the operations and takes what it wants of the arguments.
            // `userdata` outlives the session, which `this` destroys when it is dropped.
            unsafe {
                shim::shim_session_new(
                    args.as_mut_ptr(),
                    &operations,
                    size_of_val(&operations),
                    userdata,
                )
            }
        });
        if session.is_null() {
            return Err(Error::Options { message });
        }
        this.session.store(session, Ordering::Release);
        io_uring::refuse(arguments);
        Ok(this)
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
            kill_suidgid: OnceLock::new(),
            is_debugging,
            max_read,
            repair: InitRepair::default(),
            is_mounted: AtomicBool::new(false),
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
        let ((result, message), of_helper) = stderr::capture(|| log::capture(mount));
        let parts = [message, log::one_line(&of_helper)];
        let message = parts.into_iter().filter(|part| !part.is_empty());
        let message = message.collect::<Vec<_>>().join("; ");
        if result != 0 {
            return Err(message);
        }
        if !message.is_empty() {
            ::log::warn!("{message}");
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
                (Some(io), _) => unsafe { io.receive(mem, inbox.request_size()) },
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
        let process = |buf: &_| match self.clones.get() {
            None => self.repair_answer(buf, || process(buf)),
            Some(clones) => clones.process(self, session, buf),
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
        // Refused at the end of the session only, when dropping it answers the request.
        if let Err(refused) = self.sender.try_send(message) {
            ::log::debug!("a request after the end of the session: {refused}");
        }
    }

    /// Called by the INIT callback, with libfuse's own structure; what it is to become is in `info` then.
    pub(super) fn on_init(&self, info: &mut ConnInfo, conn: &mut sys::fuse_conn_info) {
        let agreed = self.clones.get().map(|clones| &clones.agreed);
        if let Some(agreed) = agreed.and_then(OnceLock::get) {
            *info = agreed.clone();
            return;
        }
        info.max_read = self.max_read;
        if self.is_custom_io() {
            // libfuse offers it where it has no functions of ours to send with.
            let splicing =
                Capabilities::SPLICE_READ | Capabilities::SPLICE_WRITE | Capabilities::SPLICE_MOVE;
            info.capable -= splicing;
            info.want -= splicing;
        }
        let hook = std::panic::AssertUnwindSafe(|| (self.init)(info));
        let mut result = std::panic::catch_unwind(hook).unwrap_or(Err(Errno::EIO));
        if let (Ok(()), Some(opts)) = (result, &self.conn_info_opts) {
            result = opts.apply(info, conn);
        }
        if result.is_ok() {
            self.repair.wanted(info);
            if info.want.contains(Capabilities::SPLICE_READ) {
                info.max_write = pipe::largest_write(info.max_write);
            }
        }
        self.kill_suidgid
            .get_or_init(|| KillSuidgid::agreed(info.want));
        self.capable.get_or_init(|| info.capable);
        self.wanted.get_or_init(|| info.want);
        if let Some(what) = info.refused.take() {
            self.refused.get_or_init(|| what);
        }
        let result = match &self.foreign {
            Some(foreign) => foreign.init(info, result),
            None => result,
        };
        if let Some(agreed) = agreed {
            agreed.get_or_init(|| info.clone());
        }
        self.init_result.get_or_init(|| result);
        self.init_done.notify(usize::MAX);
    }

    /// Whether requests and replies are to be shown.
    #[inline]
    pub(crate) fn is_debugging(&self) -> bool {
        self.is_debugging
    }

    /// What the file system has asked for in vain.
    pub(crate) fn refused(&self) -> Option<&str> {
        self.refused.get().map(String::as_str)
    }

    /// How INIT went; `None` before it has come.
    pub(crate) fn init_result(&self) -> Option<Result<()>> {
        self.init_result.get().copied()
    }

    /// Waits until INIT went well; for ever if it does not.
    pub(crate) async fn initialized(&self) {
        while self.init_result() != Some(Ok(())) {
            let listener = self.init_done.listen();
            if self.init_result() != Some(Ok(())) {
                listener.await;
            }
        }
    }

    /// What the kernel has offered; nothing before INIT.
    pub(super) fn capable(&self) -> Capabilities {
        self.capable.get().copied().unwrap_or_default()
    }

    /// What the file system has asked for; nothing before INIT.
    pub(super) fn wanted(&self) -> Capabilities {
        self.wanted.get().copied().unwrap_or_default()
    }

    pub(super) fn kill_suidgid(&self) -> KillSuidgid {
        self.kill_suidgid.get().copied().unwrap_or_default()
    }

    /// Whether libfuse has given up the session: `exit` was called, or libfuse and the kernel could
    /// not agree in INIT.
    pub(crate) fn has_exited(&self) -> bool {
        // SAFETY: any thread may ask.
        unsafe { sys::fuse_session_exited(self.as_ptr()) != 0 }
    }

    /// Whether the kernel still sends requests: it does until the file system is unmounted and all
    /// its files are closed, or the connection is aborted.
    pub(crate) fn is_connected(&self) -> bool {
        let fd = self.fd();
        let mut poll = libc::pollfd {
            fd,
            events: 0,
            revents: 0,
        };
        // SAFETY: `poll` is one valid element.
        unsafe { libc::poll(&mut poll, 1, 0) };
        fd >= 0 && poll.revents & (libc::POLLERR | libc::POLLNVAL) == 0
    }

    /// From here on libfuse keeps quiet about replies that the kernel does not want.
    pub(crate) fn exit(&self) {
        if self.is_of_c() {
            return; // Which may have it run again.
        }
        // SAFETY: any thread may set the flag.
        unsafe { sys::fuse_session_exit(self.as_ptr()) };
        if let Some(clones) = self.clones.get() {
            clones.exit();
        }
    }

    /// `ENOTCONN` if C has made the session, and has not told which one it is.
    pub(super) fn is_known(&self) -> Result<()> {
        match self.as_ptr().is_null() {
            true => Err(Errno::ENOTCONN),
            false => Ok(()),
        }
    }

    /// Keeps the session's descriptor open while the value lives. `ENODEV` once it is closed.
    pub(crate) fn begin_use(&self) -> Result<Use<'_>> {
        let closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        if *closed {
            return Err(Errno::ENODEV);
        }
        self.users.fetch_add(1, Ordering::AcqRel);
        Ok(Use(self))
    }

    /// Lets nobody begin to use the descriptor any more; the number of those who still do.
    pub(crate) fn refuse_use(&self) -> usize {
        *self.closed.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.users.load(Ordering::Acquire)
    }

    /// Waits until nobody uses the descriptor any more. Nobody may begin to.
    pub(crate) async fn unused(&self) {
        loop {
            let listener = self.unused.listen();
            if self.refuse_use() == 0 {
                return;
            }
            listener.await;
        }
    }

    /// Unmounts, if that is still to be done, and closes the descriptor. Nobody may use it any
    /// more.
    pub(crate) fn unmount(&self) {
        if self.is_of_c() {
            return;
        }
        let _guard = MOUNT_LOCK.lock_to_unmount();
        if let Some(clones) = self.clones.get() {
            // First: where the kernel has somebody told of the end (DESTROY), it waits for an answer as long
            // as a descriptor is open.
            clones.close();
        }
        if self.is_mounted.load(Ordering::Acquire) {
            // SAFETY: readers and handlers are gone, as the caller has made sure of; libfuse does
            // nothing when called twice.
            unsafe { sys::fuse_session_unmount(self.as_ptr()) };
            return;
        }
        // libfuse would leave the descriptor open, or close it and then unmount whatever /dev/fd/N is
        // by that time.
        let further = self.io.get().and_then(|io| io.further_fd());
        for fd in [self.fd(), further.map_or(-1, AsRawFd::as_raw_fd)] {
            super::sys::close_but_keep_number(fd);
        }
    }
}

impl Drop for RawSession {
    fn drop(&mut self) {
        let session = self.as_ptr();
        if !session.is_null() && !self.is_of_c() {
            if self.is_mounted.load(Ordering::Acquire) && !self.is_connected() {
                // libfuse frees the mountpoint's path nowhere else. Where the connection has ended it does
                // not unmount: it looks, as was done just now.
                // SAFETY: as below.
                unsafe { sys::fuse_session_unmount(session) };
            }
            // SAFETY: this was the last reference, so no request is unanswered and nobody reads.
            unsafe { sys::fuse_session_destroy(session) };
        }
    }
}

/// A promise to the session that its descriptor is in use.
pub(crate) struct Use<'a>(&'a RawSession);

impl Drop for Use<'_> {
    fn drop(&mut self) {
        self.0.users.fetch_sub(1, Ordering::AcqRel);
        self.0.unused.notify(usize::MAX);
    }
}

/// Goes on in the background, in a child process; the parent exits with status 0. The caller makes
/// sure that there is no other thread.
pub(crate) fn daemonize() -> Result<()> {
    // SAFETY: with a single thread fork(2) is safe to go on after.
    super::ret(unsafe { sys::fuse_daemonize(0) })
}
