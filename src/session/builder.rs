//! How a session is set up.

use std::path::Path;
use std::time::Duration;

use super::CustomIo;
use super::LowlevelOps;
use super::Session;
use crate::ConnInfoOpts;
use crate::Error;
use crate::MountOptions;
use crate::Operations;

/// How many handlers may wait at a time. A guard against running out of memory, not a brake: the
/// kernel has its own limits for what it sends by itself
/// ([`ConnInfo::set_max_background`](crate::ConnInfo::set_max_background)), and the rest is a
/// thread of some program each.
const MAX_IN_FLIGHT: usize = 16_384;

/// The most reader threads of a session: more would cost memory without use.
pub(crate) const MAX_READER_THREADS: usize = 1024;

/// How long handlers may go on after the session was told to end.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// What a session keeps of its builder.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    pub(super) reader_threads: usize,
    pub(super) clone_fd: bool,
    pub(super) busy_poll: Duration,
    pub(super) max_in_flight: usize,
    pub(super) shutdown_timeout: Duration,
    pub(super) cancel_on_interrupt: bool,
    pub(super) handle_signals: bool,
}

impl Limits {
    /// How many descriptors the session shall have besides the first.
    pub(super) fn clones(&self) -> usize {
        match self.clone_fd {
            true => self.reader_threads - 1,
            false => 0,
        }
    }
}

/// A session in the making: from [`Session::builder`].
///
/// ```no_run
/// use libfuse3::{MountOptions, Operations, Session};
///
/// struct Fs;
/// impl Operations for Fs {}
///
/// let options = MountOptions::default().fsname("example").read_only();
/// let session = Session::builder(Fs)
///     .options(options)
///     .reader_threads(2)
///     .handle_signals(true)
///     .mount("/mnt/example")?;
/// # Ok::<(), libfuse3::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "nothing is mounted before `mount`"]
pub struct SessionBuilder<O> {
    operations: O,
    /// `None` means the defaults, which differ in [`Program`](crate::Program).
    options: Option<MountOptions>,
    conn_info_opts: Option<ConnInfoOpts>,
    limits: Limits,
}

impl<O: Operations> SessionBuilder<O> {
    pub(super) fn new(operations: O) -> Self {
        Self {
            operations,
            options: None,
            conn_info_opts: None,
            limits: Limits {
                reader_threads: 1,
                clone_fd: true,
                busy_poll: Duration::ZERO,
                max_in_flight: MAX_IN_FLIGHT,
                shutdown_timeout: SHUTDOWN_TIMEOUT,
                cancel_on_interrupt: false,
                handle_signals: false,
            },
        }
    }

    /// The mount options; by default `default_permissions`.
    pub fn options(mut self, options: MountOptions) -> Self {
        self.options = Some(options);
        self
    }

    /// Takes out the options that were set.
    pub(crate) fn take_options(&mut self) -> Option<MountOptions> {
        self.options.take()
    }

    /// What the user wants of the connection, with `-o max_write=65536` and the like. It comes on top of
    /// what [`Operations::init`] asks for: what is switched off there can be switched on, and limits can
    /// be lowered.
    ///
    /// A capability that is not offered ends the session with [`Error::NotOffered`]; libfuse 3.17 and later
    /// leave it out.
    #[doc(alias = "fuse_apply_conn_info_opts")]
    pub fn conn_info_opts(mut self, opts: ConnInfoOpts) -> Self {
        self.conn_info_opts = Some(opts);
        self
    }

    /// How many threads receive requests and run handlers up to their first wait; one by default.
    /// A number above 1024 counts as 1024.
    ///
    /// More of them help handlers that block or compute; handlers that wait by `.await` need no
    /// more than one.
    pub fn reader_threads(mut self, threads: usize) -> Self {
        self.limits.reader_threads = threads.clamp(1, MAX_READER_THREADS);
        self
    }

    /// Whether each reader thread gets a descriptor of the connection of its own, up to 16 of them; they do
    /// by default.
    ///
    /// Readers then wait neither for each other in the kernel nor in libfuse, which has a session for each
    /// descriptor. Where `/dev/fuse` cannot be opened (any more), and with
    /// [`Capabilities::SPLICE_READ`](crate::Capabilities::SPLICE_READ) or the option `debug`, they share one
    /// all the same. What C code does with [`Session::as_raw`] concerns the first of those sessions.
    ///
    /// The kernel hands a request to whichever reader comes first in either case, and nothing else about the
    /// file system is different.
    #[doc(alias = "fuse_loop_cfg_set_clone_fd")]
    pub fn clone_fd(mut self, clone: bool) -> Self {
        self.limits.clone_fd = clone;
        self
    }

    /// For how long a reader thread that has just served a request looks for the next one before it
    /// sleeps. Zero by default, which is off; a millisecond at most, and more is taken as that.
    ///
    /// A client that makes one request after the other, such as `find` or `git status`, has the reader
    /// sleep between any two, and each time wait for being woken: for a small request that is often more
    /// than all the rest. A reader that is still looking needs not be woken. What is lost is a processor:
    /// up to one for each session, for this time after each request, which is in vain after the last one
    /// of a row. An idle session costs nothing: a reader that has looked in vain sleeps until there is a
    /// request again.
    ///
    /// So this is for clients that wait for each answer, on machines with processors to spare, and 20 to
    /// 100 µs are a good first try. It does not help where a client keeps the readers busy anyway, where
    /// handlers take much longer than waking does, and hardly with more than one
    /// [reader](Self::reader_threads): one of them looks at a time, but the kernel wakes another one that
    /// sleeps. Others who want the processor meanwhile get it.
    ///
    /// It has no effect where there is one processor for this process, as
    /// [`available_parallelism`](std::thread::available_parallelism) says; where requests come from
    /// elsewhere than the kernel ([`custom_io`](Self::custom_io)); and in sessions that C has made
    /// ([`lowlevel_ops`](Self::lowlevel_ops)). At the level `trace` the log target
    /// `libfuse3::busy_poll` has a line for each look, with what came of it: whether the time is well
    /// chosen.
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use libfuse3::{Operations, Session};
    ///
    /// struct Fs;
    /// impl Operations for Fs {}
    ///
    /// let builder = Session::builder(Fs).busy_poll(Duration::from_micros(50));
    /// let session = builder.mount("/mnt/example")?;
    /// # Ok::<(), libfuse3::Error>(())
    /// ```
    pub fn busy_poll(mut self, time: Duration) -> Self {
        self.limits.busy_poll = time;
        self
    }

    /// How many handlers may wait at the same time; 16384 by default, at least 1.
    ///
    /// Further requests are queued, and answered with `EINTR` if they are interrupted there.
    /// `forget` never waits. The kernel of this machine limits the number of requests by itself. For other peers
    /// ([`custom_io`](Self::custom_io), [`lowlevel_ops`](Self::lowlevel_ops)), the queue has room for 16384
    /// requests and 256 MiB to write; a request beyond that fails with `ENOMEM`.
    #[doc(alias = "max_tasks")]
    pub fn max_in_flight(mut self, requests: usize) -> Self {
        self.limits.max_in_flight = requests.max(1);
        self
    }

    /// How long handlers may go on when the session ends; five seconds by default. What is left
    /// then is dropped, and its requests are answered with `EIO`.
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.limits.shutdown_timeout = timeout;
        self
    }

    /// Whether handlers are dropped when the caller of their request is interrupted, which is then
    /// answered with `EINTR`. Off by default.
    ///
    /// Only handlers that nothing is lost by: `lookup`, `getattr`, `readlink`, `access`, `read`,
    /// `readdir`, `statfs`, `getxattr`, `listxattr`, and `setlk` and `flock` that wait for a lock. A
    /// `lookup` must therefore count behind its last `.await`, and a lock be taken there. Mind that some programs are interrupted all the time and do not expect these calls
    /// to fail.
    pub fn cancel_on_interrupt(mut self, cancel: bool) -> Self {
        self.limits.cancel_on_interrupt = cancel;
        self
    }

    /// Whether SIGINT, SIGTERM and SIGHUP end the session cleanly while it runs. Off by default,
    /// since signals belong to the program.
    ///
    /// Those that the process ignores stay ignored: what was started by nohup(1) outlives its
    /// terminal. A handler that the program has set before is called, too. A second signal, while the
    /// session ends, does nothing. When the session is closed, and no other handles signals, what was
    /// there before comes back, unless the program has set a handler meanwhile.
    pub fn handle_signals(mut self, handle: bool) -> Self {
        self.limits.handle_signals = handle;
        self
    }

    /// Mounts on `mountpoint`: a directory, or a regular file if the root of the file system is one.
    ///
    /// The kernel accepts requests from here on, and they wait until [`Session::run`] answers them:
    /// do not touch the mount from this thread before.
    ///
    /// `/dev/fd/N` is a descriptor of `/dev/fuse` that this process was started with, and that
    /// somebody else has mounted, or is about to: mount.fuse3(8) with `drop_privileges`, a container
    /// manager, a program that talks to `fusermount3` by itself. Where, and with which options, is up to
    /// them, and so is unmounting. The session takes the descriptor over and closes it at its end; it
    /// must not belong to another part of the program, which hands it to
    /// [`custom_io`](Self::custom_io) instead.
    ///
    /// # Errors
    ///
    /// The mountpoint does not exist, is neither a directory nor a regular file, has a FUSE mount on
    /// it already, or may not be mounted on; the descriptor is not one of `/dev/fuse`; libfuse does not
    /// know an option; /dev/fuse or `fusermount3` is missing; the loaded libfuse does not fit. Nothing
    /// is mounted then.
    #[doc(alias = "fuse_session_mount")]
    pub fn mount(self, mountpoint: impl AsRef<Path>) -> Result<Session<O>, Error> {
        Session::mount(
            self.operations,
            &self.options.unwrap_or_default(),
            self.conn_info_opts,
            self.limits,
            mountpoint.as_ref(),
        )
    }

    /// Hands the file system to C, which makes the session, mounts it and runs it.
    ///
    /// Nothing of libfuse is called and no thread started. Of the options two count: `max_read`, which
    /// must be the same here as in the arguments that C gives to `fuse_session_new`, and `debug`, which has
    /// requests and answers logged, but not libfuse's own lines. Of the rest what is about INIT and handlers
    /// counts, and with [`LowlevelOps::adopt`] all.
    ///
    /// # Errors
    ///
    /// [`Error::Version`] if the loaded libfuse does not fit; [`Error::InvalidOption`] for `max_read`.
    ///
    /// Names in requests are checked as for [`custom_io`](Self::custom_io), since C may receive requests from any
    /// peer. libfuse trusts their lengths: if they do not come from the kernel, C has to check them.
    #[doc(alias = "fuse_session_new")]
    #[doc(alias = "fuse_lowlevel_ops")]
    pub fn lowlevel_ops(self) -> Result<LowlevelOps<O>, Error> {
        LowlevelOps::new(
            self.operations,
            &self.options.unwrap_or_default(),
            self.conn_info_opts,
            self.limits,
        )
    }

    /// Takes requests from a descriptor, in place of the kernel: a socket, or a pair of pipes, with
    /// somebody at the other side who speaks the kernel's protocol. Nothing is mounted, so options that
    /// concern the mount have no effect.
    ///
    /// The session ends with [`ExitReason::Disconnected`](crate::ExitReason::Disconnected) when the
    /// other side closes the connection, and closes it at its own end, whatever
    /// [`Unmount`](crate::Unmount) says.
    ///
    /// Each request is checked before libfuse, which trusts the kernel, and before a handler sees it:
    ///
    /// | the peer sends | reply |
    /// |---|---|
    /// | a request that is shorter than it says, or a name without a NUL | `EINVAL` |
    /// | a name of an entry that is empty, `.` or `..`, or has a `/`; `lookup` of `.` and `..` is fine where `EXPORT_SUPPORT` was agreed on | `EINVAL` |
    /// | an empty target of a symbolic link, an empty name of an extended attribute | `EINVAL` |
    /// | a name, or a target, of more than 4095 bytes | `ENAMETOOLONG` |
    /// | a request before INIT, or a second INIT | `EIO` |
    /// | an unknown request | `ENOSYS` |
    /// | more requests than there is [room](Self::max_in_flight) for | `ENOMEM` |
    /// | an invalid `FORGET` or `INTERRUPT`, a `NOTIFY_REPLY` without a retrieval | none |
    /// | a message of an impossible length | none; the session ends |
    ///
    /// Inodes, file handles, offsets, flags and modes are not checked: a peer may send any, even those that it
    /// was never given, or has forgotten.
    ///
    /// # Errors
    ///
    /// [`Error::CustomIo`] if the descriptor is nothing that requests can come from, or if this libfuse
    /// cannot send answers there: before 3.13, or built without custom I/O as some later ones are, it
    /// takes nothing but `/dev/fuse` and sockets of type `SOCK_SEQPACKET`, where an answer that is too
    /// large for the socket is lost. Otherwise as [`mount`](Self::mount), as far as that is about options
    /// and libfuse.
    #[doc(alias = "fuse_session_custom_io")]
    pub fn custom_io(self, io: impl Into<CustomIo>) -> Result<Session<O>, Error> {
        Session::connect(
            self.operations,
            &self.options.unwrap_or_default(),
            self.conn_info_opts,
            self.limits,
            io.into(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fs;

    impl Operations for Fs {}

    #[test]
    fn reader_threads_are_one_at_least_and_1024_at_most() {
        for (asked, expected) in [(0, 1), (7, 7), (usize::MAX, 1024)] {
            let builder = Session::builder(Fs).reader_threads(asked);
            assert_eq!(builder.limits.reader_threads, expected);
        }
    }
}
