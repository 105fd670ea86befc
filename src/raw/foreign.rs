//! Sessions that C makes: `fuse_session_new` is called elsewhere, with our operations. C unmounts and
//! destroys them, unless it has given them away.
//!
//! Their requests come on C's threads, or on readers of ours once C has us run the session.

use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::OnceLock;
use std::sync::Weak;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use async_channel::Sender;
use libfuse_sys as sys;

use super::callbacks;
use super::conn_info_opts::RawConnInfoOpts;
use super::inbox::Inbox;
use super::session::InitHook;
use super::session::RawSession;
use crate::Capabilities;
use crate::ConnInfo;
use crate::Errno;
use crate::Error;
use crate::LowlevelOps;
use crate::Operations;
use crate::Result;
use crate::Session;
use crate::logging;
use crate::message::Message;
use crate::panics::catch;

/// Who works on the requests that come on C's threads.
pub(crate) trait ForeignLoop: Send + Sync {
    /// The file system has agreed to INIT. From here on threads may be started: C has forked by now if it
    /// goes into the background.
    fn init(&self) -> Result<()>;

    /// Works on a message, on the thread that libfuse has called back on.
    fn message(&self, message: Message);

    /// libfuse is about to free the session: returns when nobody needs it any more.
    fn destroy(&self);
}

/// What is known of a session that C has made.
#[derive(Default)]
pub(super) struct Foreign {
    of: OnceLock<Weak<dyn ForeignLoop>>,
    /// C has given the session away.
    is_ours: AtomicBool,
    /// `fuse_lowlevel_ops::destroy` was called.
    is_destroyed: AtomicBool,
}

impl Foreign {
    fn get(&self) -> Option<Arc<dyn ForeignLoop>> {
        self.of.get().and_then(Weak::upgrade)
    }

    /// Hands a message on. If that panics, as a waker may, the drop of the message replies, and the panic does
    /// not unwind into C.
    pub(super) fn message(&self, message: Message) {
        let work = || match self.get() {
            Some(foreign) => foreign.message(message),
            None => drop(message),
        };
        drop(catch(work));
    }

    /// Goes on with INIT. There is nobody to be told of an error but libfuse, which refuses INIT if more
    /// is wanted than the kernel has.
    pub(super) fn init(&self, info: &mut ConnInfo, result: Result<()>) -> Result<()> {
        let work = || result.and_then(|()| self.get().map_or(Ok(()), |foreign| foreign.init()));
        let result = catch(work).unwrap_or(Err(Errno::EIO));
        if let Err(errno) = result {
            let missing = !info.capable.bits();
            info.want |= Capabilities::from_bits_retain(missing & missing.wrapping_neg());
            logging::error!("the file system's init failed, and so does the session: {errno}");
        }
        result
    }
}

impl RawSession {
    /// A session that C will make, with [`lowlevel_ops`] and the address of this value.
    pub(crate) fn foreign(
        max_read: u32,
        sender: Sender<Message>,
        init: InitHook,
        conn_info_opts: Option<Arc<RawConnInfoOpts>>,
        is_debugging: bool,
    ) -> Result<Arc<Self>, Error> {
        let foreign = Some(Foreign::default());
        Self::unmade(
            &[],
            max_read,
            sender,
            init,
            conn_info_opts,
            is_debugging,
            foreign,
        )
    }

    /// Has requests on C's threads worked on.
    pub(crate) fn set_foreign_loop(&self, of: Weak<dyn ForeignLoop>) {
        if let Some(foreign) = &self.foreign {
            foreign.of.get_or_init(|| of);
        }
    }

    /// Whether C unmounts and destroys the session.
    pub(crate) fn is_of_c(&self) -> bool {
        let foreign = self.foreign.as_ref();
        foreign.is_some_and(|foreign| !foreign.is_ours.load(Ordering::Acquire))
    }

    /// Whether libfuse still has the userdata, and may use it: since INIT, and until the end.
    pub(crate) fn is_needed_by_c(&self) -> bool {
        let foreign = self.foreign.as_ref();
        foreign.is_some_and(|foreign| !foreign.is_destroyed.load(Ordering::Acquire))
            && self.is_of_c()
            && self.init_result().is_some()
    }

    /// Whether C has told which session it is, and has mounted it.
    pub(crate) fn is_mounted_by_c(&self) -> bool {
        !self.as_ptr().is_null() && self.fd() >= 0
    }

    /// Called by the callback `destroy`: at the end of `fuse_session_destroy`, or for the kernel's DESTROY.
    pub(super) fn on_destroy(&self) {
        let Some(foreign) = &self.foreign else { return };
        foreign.is_destroyed.store(true, Ordering::Release);
        if Inbox::current().is_some() {
            return; // DESTROY: whoever runs the session sees that it has ended.
        }
        if let Some(of) = foreign.get() {
            drop(catch(|| of.destroy()));
        }
    }

    /// # Safety
    ///
    /// - C has made `session` with this one as its userdata, and does not destroy it before it destroys
    ///   this one's operations.
    unsafe fn set_session(&self, session: NonNull<sys::fuse_session>) {
        self.session.store(session.as_ptr(), Ordering::Release);
    }

    fn take_from_c(&self) {
        if let Some(foreign) = &self.foreign {
            foreign.is_ours.store(true, Ordering::Release);
            self.is_mounted.store(true, Ordering::Release);
        }
    }
}

/// The operations of sessions that C makes.
pub(crate) fn lowlevel_ops() -> &'static sys::fuse_lowlevel_ops {
    static OPERATIONS: LazyLock<sys::fuse_lowlevel_ops> =
        LazyLock::new(callbacks::foreign_operations);
    &OPERATIONS
}

/// What takes C's word for it.
impl<O: Operations> LowlevelOps<O> {
    /// Tells which session C has made, which libfuse does not say. Until then the
    /// [`notifier`](Self::notifier) and
    /// [`RequestContext::passthrough_open`](crate::RequestContext::passthrough_open) return
    /// [`Errno::ENOTCONN`], and [`Operations::lseek`] is called without cached data being written back.
    /// Nothing else needs it.
    ///
    /// # Safety
    ///
    /// - `session` was made by `fuse_session_new` with [`as_raw`](Self::as_raw) and
    ///   [`userdata`](Self::userdata) of this value, and is not destroyed while notifications are made:
    ///   there are none after [`stop`](Self::stop).
    pub unsafe fn set_session(&self, session: NonNull<sys::fuse_session>) {
        // SAFETY: guaranteed by the caller, see above.
        unsafe { self.raw().set_session(session) };
    }

    /// A [`Session`] for the session that C has made and mounted: [`run`](Session::run) it, in place of
    /// `fuse_session_loop`.
    ///
    /// C goes on owning it: neither closing nor dropping the `Session` unmounts or destroys anything, and
    /// C does both when `run` has returned, in this order: `fuse_session_unmount`,
    /// `fuse_session_destroy`, drop of this value.
    ///
    /// `run` ends as always, and when C calls `fuse_session_exit`: within a tenth of a second, with
    /// [`ExitReason::Terminated`](crate::ExitReason::Terminated). As libfuse does not tell where it has
    /// mounted, [`Session::mountpoint`] is empty, and an abort counts as
    /// [`ExitReason::Unmounted`](crate::ExitReason::Unmounted). The options of the builder, such as
    /// [`reader_threads`](crate::SessionBuilder::reader_threads), count.
    ///
    /// # Errors
    ///
    /// [`Error::Adopt`] if the session is not mounted, or was adopted before.
    ///
    /// # Safety
    ///
    /// - `session` was made by `fuse_session_new` with [`as_raw`](Self::as_raw) and
    ///   [`userdata`](Self::userdata) of this value.
    /// - It is neither unmounted nor destroyed before the returned value has been closed or dropped, nor
    ///   destroyed if [`Session::close`] has returned [`Error::Busy`].
    pub unsafe fn adopt(&self, session: NonNull<sys::fuse_session>) -> Result<Session<O>, Error> {
        // SAFETY: guaranteed by the caller, see above.
        unsafe { self.raw().set_session(session) };
        self.session()
    }

    /// As [`adopt`](Self::adopt), and takes the session from C: the returned [`Session`] unmounts and
    /// destroys it, when it is closed or dropped, as it does with those that it has made itself.
    ///
    /// With an error the session is still C's.
    ///
    /// # Errors
    ///
    /// As [`adopt`](Self::adopt).
    ///
    /// # Safety
    ///
    /// - `session` was made by `fuse_session_new` with [`as_raw`](Self::as_raw) and
    ///   [`userdata`](Self::userdata) of this value, and mounted by `fuse_session_mount` on a path that is
    ///   not `/dev/fd/N`.
    /// - C does not use it any more once this has returned `Ok`.
    pub unsafe fn into_session(
        self,
        session: NonNull<sys::fuse_session>,
    ) -> Result<Session<O>, Error> {
        // SAFETY: guaranteed by the caller, see above.
        unsafe { self.raw().set_session(session) };
        let session = self.session()?;
        self.raw().take_from_c();
        Ok(session)
    }
}
