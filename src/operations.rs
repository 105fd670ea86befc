//! The trait that is a file system.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::future::Future;

use crate::AccessFlags;
use crate::ConnInfo;
use crate::CopyFileRange;
use crate::Data;
use crate::EntryAttributes;
use crate::Errno;
use crate::FallocateFlags;
use crate::FileInfo;
use crate::FileLock;
use crate::FileRef;
use crate::Forget;
use crate::InFlightReport;
use crate::Inode;
use crate::Ioctl;
use crate::IoctlReply;
use crate::LockType;
use crate::OpenFlags;
use crate::PollEvents;
use crate::PollHandle;
use crate::ReaddirToken;
use crate::ReleaseFlags;
use crate::Rename;
use crate::RequestContext;
use crate::Result;
use crate::SeekTarget;
use crate::SetattrFields;
use crate::StatvfsData;
use crate::StatxData;
use crate::StatxFlags;
use crate::StatxMask;
use crate::WriteBuf;
use crate::XattrFlags;
use crate::logging;

/// The body of every method that is not implemented.
fn not_implemented<T: Send>() -> impl Future<Output = Result<T>> + Send {
    std::future::ready(Err(Errno::NOT_IMPLEMENTED))
}

/// A file system: what it answers to each request of the kernel.
///
/// Implement the methods that the file system has, as `async fn`, in any order. A method that is
/// left out answers what libfuse answers for it: `open`, `opendir`, `release`, `releasedir` and
/// `statfs` succeed, the rest is `ENOSYS`, and the kernel does without.
///
/// ```
/// use std::ffi::OsStr;
/// use libfuse3::*;
///
/// struct Empty;
///
/// impl Operations for Empty {
///     async fn getattr(
///         &self,
///         inode: Inode,
///         _file: Option<FileRef>,
///         _ctx: &RequestContext,
///     ) -> Result<EntryAttributes> {
///         Ok(EntryAttributes { ino: inode, mode: libc::S_IFDIR | 0o755, ..Default::default() })
///     }
///     async fn lookup(
///         &self,
///         _parent: Inode,
///         _name: &OsStr,
///         _ctx: &RequestContext,
///     ) -> Result<EntryAttributes> {
///         Err(Errno::ENOENT)
///     }
///     async fn readdir(
///         &self,
///         _dir: FileRef,
///         _start_id: u64,
///         _reply: &mut ReaddirToken,
///         _ctx: &RequestContext,
///     ) -> Result<()> {
///         Ok(())
///     }
/// }
/// ```
///
/// # How a method runs
///
/// A method is polled first by the thread that received its request, so one that has its answer at
/// hand costs no switch of threads. A method that has to wait goes on on the session's executor,
/// and any number of them wait at the same time. Do not block in a method for long: hand blocking
/// calls to `smol::unblock`, or give the session more reader threads
/// ([`SessionBuilder::reader_threads`](crate::SessionBuilder::reader_threads)).
///
/// The futures are polled on threads of the session: a runtime that wants to know its own threads,
/// such as tokio, is entered by its handle. `handle.spawn(work).await` is the simplest way.
///
/// A method that panics answers `EIO`, and the session lives on. The future of a method is dropped
/// before it is ready only when the session ends, or on an interrupt if the session was built with
/// [`cancel_on_interrupt`](crate::SessionBuilder::cancel_on_interrupt).
///
/// # Names
///
/// A name is one component of a path: bytes without a slash or a NUL, not necessarily UTF-8.
///
/// # Lookup counts
///
/// The kernel refers to an inode by number for as long as its *lookup count* is above zero. A
/// successful `lookup`, `mknod`, `mkdir`, `symlink`, `link` or `create` raises the count of the
/// inode it returns by one, and so does each entry that [`ReaddirToken::add`] accepted. `forget`
/// lowers it. An inode that has lost its last name must go on working until its count is zero.
/// [`InodeTable`](crate::InodeTable) keeps the counts for you. The root's count never matters.
///
/// # What the kernel locks
///
/// While a method runs that changes a directory (`create`, `mknod`, `mkdir`, `symlink`, `link`,
/// `unlink`, `rmdir`, `rename`), the kernel sends no other such request for that directory. Several
/// `lookup`s and `readdir`s of one directory run at once (see
/// [`Capabilities::PARALLEL_DIROPS`](crate::Capabilities::PARALLEL_DIROPS)). Writes to one inode
/// come one after the other, except with the writeback cache or parallel direct writes.
pub trait Operations: Send + Sync + 'static {
    /// Whether `lookup` knows the names `.` and `..`, by which the kernel makes inodes of file handles:
    /// for NFS servers, and for `open_by_handle_at(2)`. The kernel is told so where it can do something
    /// with it.
    ///
    /// The kernel looks up `.` in an inode that it has forgotten, which may be a regular file, and `..` in
    /// a directory. If the file system finds no inode by its number then, it can refuse file handles:
    /// [`Capabilities::NO_EXPORT_SUPPORT`](crate::Capabilities::NO_EXPORT_SUPPORT).
    #[doc(alias = "FUSE_CAP_EXPORT_SUPPORT")]
    const SUPPORTS_DOT_LOOKUP: bool = true;

    /// Whether the kernel shall collect writes in its cache
    /// ([`Capabilities::WRITEBACK_CACHE`](crate::Capabilities::WRITEBACK_CACHE)). The kernel then
    /// keeps size and times of files by itself, may read files that were opened for writing only,
    /// and takes care of `O_APPEND`.
    #[doc(alias = "FUSE_CAP_WRITEBACK_CACHE")]
    const ENABLE_WRITEBACK_CACHE: bool = false;

    /// Whether the file system stores POSIX access control lists
    /// ([`Capabilities::POSIX_ACL`](crate::Capabilities::POSIX_ACL)), as extended attributes
    /// `system.posix_acl_access` and `system.posix_acl_default`, and keeps permissions and lists in
    /// step. Switches `default_permissions` on.
    #[doc(alias = "FUSE_CAP_POSIX_ACL")]
    const ENABLE_ACL: bool = false;

    // ---- session ---------------------------------------------------------------------------------

    /// Called once, before any request: the place to ask the kernel for capabilities and limits.
    ///
    /// It runs on the thread that received the INIT request and must not block. An error ends the
    /// session: [`Session::run`](crate::Session::run) returns it, and the file system is unmounted.
    fn init(&self, conn: &mut ConnInfo) -> Result<()> {
        let _ = conn;
        Ok(())
    }

    /// Called once at the end of the session, after the last request has been answered.
    ///
    /// Unless unmounting is what has ended the session, the file system is still mounted then, and is
    /// unmounted when this has returned. Whoever uses the mount waits so long; hence it must not be
    /// used from here. Not called if [`init`](Self::init) failed, or if the kernel never got to it.
    ///
    /// The kernel does not send `forget` for what it still knows at that time: all lookup counts
    /// are zero now.
    fn destroy(&self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// Called when the extended attribute `fuse_stacktrace` of the mount's root is set, to any
    /// value:
    ///
    /// ```sh
    /// setfattr -n fuse_stacktrace -v 1 MOUNTPOINT
    /// ```
    ///
    /// By default it logs, as an error, each request in flight: what it is, for whom, since when,
    /// and whether it waits in its handler or in the queue.
    ///
    /// The request for it does not queue up behind them. But the kernel holds it back while it looks
    /// up a name in the root itself, or lists or changes the root.
    fn stacktrace(&self, report: &InFlightReport) {
        logging::error!("{report}");
    }

    // ---- inode -----------------------------------------------------------------------------------

    /// Lowers the lookup counts of some inodes; those at zero may be dropped.
    ///
    /// There is no answer, hence no error. The session may end without it: see
    /// [`destroy`](Self::destroy).
    #[doc(alias = "forget_multi")]
    fn forget(&self, inodes: &[Forget]) -> impl Future<Output = ()> + Send {
        let _ = inodes;
        std::future::ready(())
    }

    /// Returns the attributes of an inode. `entry_timeout` is not used.
    ///
    /// `file` is given where the kernel needs the size for an operation on an open file, such as
    /// `lseek` to its end; not for `fstat`. The lookup count does not change.
    fn getattr(
        &self,
        inode: Inode,
        file: Option<FileRef>,
        ctx: &RequestContext,
    ) -> impl Future<Output = Result<EntryAttributes>> + Send {
        let _ = (inode, file, ctx);
        not_implemented()
    }

    /// Returns the attributes of an inode along with what only `statx(2)` has: the time of creation.
    ///
    /// Asked for only where a program wants that time; otherwise the kernel calls
    /// [`getattr`](Self::getattr), which must be there in any case. What is not in `mask` may be
    /// right or not. Not implemented: files have no time of creation, and the kernel never asks
    /// again. libfuse 3.18, Linux 6.6; never called before.
    fn statx(
        &self,
        inode: Inode,
        flags: StatxFlags,
        mask: StatxMask,
        file: Option<FileRef>,
        ctx: &RequestContext,
    ) -> impl Future<Output = Result<StatxData>> + Send {
        let _ = (inode, flags, mask, file, ctx);
        not_implemented()
    }

    /// Changes attributes (`chmod`, `chown`, `truncate`, `utimensat`) and returns all of them.
    ///
    /// Only the fields that are `Some` may change, and the ctime, which becomes the current time
    /// unless `fields` brings one. `file` is given for `ftruncate` only. The request may come for
    /// an inode that has no name any more. The lookup count does not change.
    fn setattr(
        &self,
        inode: Inode,
        fields: SetattrFields,
        file: Option<FileRef>,
        ctx: &RequestContext,
    ) -> impl Future<Output = Result<EntryAttributes>> + Send {
        let _ = (inode, fields, file, ctx);
        not_implemented()
    }

    /// Returns the target of a symbolic link: up to 4095 bytes without a NUL, else the caller gets
    /// `EIO`.
    fn readlink(
        &self,
        inode: Inode,
        ctx: &RequestContext,
    ) -> impl Future<Output = Result<OsString>> + Send {
        let _ = (inode, ctx);
        not_implemented()
    }

    /// May the caller of the request do this? Answers `access(2)` and `chdir(2)`; `Ok` means yes,
    /// [`Errno::EACCES`] no.
    ///
    /// Never called with the mount option `default_permissions`, which
    /// [`MountOptions`](crate::MountOptions) has by default. Not implemented: all is allowed.
    /// [`RequestContext::groups`] tells the caller's further groups.
    fn access(
        &self,
        inode: Inode,
        mode: AccessFlags,
        ctx: &RequestContext,
    ) -> impl Future<Output = Result<()>> + Send {
        let _ = (inode, mode, ctx);
        not_implemented()
    }

    // ---- tree ------------------------------------------------------------------------------------

    /// Looks up `name` in the directory `parent`.
    ///
    /// Return [`EntryAttributes::negative`] to let the kernel remember that there is no such entry,
    /// or [`Errno::ENOENT`] to be asked again. With
    /// [`SUPPORTS_DOT_LOOKUP`](Self::SUPPORTS_DOT_LOOKUP), `name` may be `.` or `..`. On success
    /// the lookup count of the returned inode grows by one.
    fn lookup(
        &self,
        parent: Inode,
        name: &OsStr,
        ctx: &RequestContext,
    ) -> impl Future<Output = Result<EntryAttributes>> + Send {
        let _ = (parent, name, ctx);
        not_implemented()
    }

    /// Creates a file of the type in `mode`: regular, character or block device (number `rdev`),
    /// FIFO or socket.
    ///
    /// The caller's umask is already taken off `mode`, unless
    /// [`Capabilities::DONT_MASK`](crate::Capabilities::DONT_MASK) was asked for. The lookup count
    /// of the new inode is one.
    fn mknod(
        &self,
        parent: Inode,
        name: &OsStr,
        mode: u32,
        rdev: u64,
        ctx: &RequestContext,
    ) -> impl Future<Output = Result<EntryAttributes>> + Send {
        let _ = (parent, name, mode, rdev, ctx);
        not_implemented()
    }

    /// Creates a directory. `mode` has the type `S_IFDIR` set; about the umask see
    /// [`mknod`](Self::mknod). The lookup count of the new inode is one.
    fn mkdir(
        &self,
        parent: Inode,
        name: &OsStr,
        mode: u32,
        ctx: &RequestContext,
    ) -> impl Future<Output = Result<EntryAttributes>> + Send {
        let _ = (parent, name, mode, ctx);
        not_implemented()
    }

    /// Removes a name that is not a directory's.
    ///
    /// The inode itself lives on while it has other names, or a lookup count above zero: then until
    /// [`forget`](Self::forget) brings that to zero.
    fn unlink(
        &self,
        parent: Inode,
        name: &OsStr,
        ctx: &RequestContext,
    ) -> impl Future<Output = Result<()>> + Send {
        let _ = (parent, name, ctx);
        not_implemented()
    }

    /// Removes a directory, which must be empty ([`Errno::ENOTEMPTY`]). About the inode see
    /// [`unlink`](Self::unlink).
    fn rmdir(
        &self,
        parent: Inode,
        name: &OsStr,
        ctx: &RequestContext,
    ) -> impl Future<Output = Result<()>> + Send {
        let _ = (parent, name, ctx);
        not_implemented()
    }

    /// Creates a symbolic link called `name` that points to `target`. The lookup count of the new
    /// inode is one.
    fn symlink(
        &self,
        parent: Inode,
        name: &OsStr,
        target: &OsStr,
        ctx: &RequestContext,
    ) -> impl Future<Output = Result<EntryAttributes>> + Send {
        let _ = (parent, name, target, ctx);
        not_implemented()
    }

    /// Renames an entry, to another directory perhaps.
    ///
    /// An entry in the way is replaced in one step, unless `flags` say otherwise; its inode lives
    /// on as in [`unlink`](Self::unlink). Answer flags that the file system does not know with
    /// [`Errno::EINVAL`].
    fn rename(
        &self,
        rename: Rename<'_>,
        ctx: &RequestContext,
    ) -> impl Future<Output = Result<()>> + Send {
        let _ = (rename, ctx);
        not_implemented()
    }

    /// Gives an inode one more name and returns its attributes. Its lookup count grows by one.
    fn link(
        &self,
        inode: Inode,
        new_parent: Inode,
        new_name: &OsStr,
        ctx: &RequestContext,
    ) -> impl Future<Output = Result<EntryAttributes>> + Send {
        let _ = (inode, new_parent, new_name, ctx);
        not_implemented()
    }

    // ---- file ------------------------------------------------------------------------------------

    /// Opens a file.
    ///
    /// Permissions have been checked with `default_permissions`, else that is up to you. Exactly
    /// one [`release`](Self::release) follows. Not implemented: succeeds with handle 0.
    fn open(
        &self,
        inode: Inode,
        flags: OpenFlags,
        ctx: &RequestContext,
    ) -> impl Future<Output = Result<FileInfo>> + Send {
        let _ = (inode, flags, ctx);
        not_implemented()
    }

    /// Creates a regular file and opens it, in one step.
    ///
    /// If the file exists already and `flags` lack [`OpenFlags::EXCL`], open it. About `mode` and
    /// the umask see [`mknod`](Self::mknod). Not implemented: the kernel calls `mknod` and `open`.
    /// The lookup count of the returned inode grows by one.
    fn create(
        &self,
        parent: Inode,
        name: &OsStr,
        mode: u32,
        flags: OpenFlags,
        ctx: &RequestContext,
    ) -> impl Future<Output = Result<(FileInfo, EntryAttributes)>> + Send {
        let _ = (parent, name, mode, flags, ctx);
        not_implemented()
    }

    /// Creates a regular file without a name in the directory `parent` and opens it (`open` with
    /// `O_TMPFILE`).
    ///
    /// It is gone when it is closed, unless [`link`](Self::link) has given it a name until then,
    /// which `flags` with [`OpenFlags::EXCL`] rule out: the kernel sees to that. About `mode` and the
    /// umask see [`mknod`](Self::mknod). Not implemented: programs get `EOPNOTSUPP`, and the kernel
    /// never asks again. The lookup count of the new inode is one. Linux 6.1, with any libfuse; but
    /// libfuse before 3.17 has no such operation of its own, so C's loops reply `EOPNOTSUPP` there
    /// ([`LowlevelOps`](crate::LowlevelOps)).
    fn tmpfile(
        &self,
        parent: Inode,
        mode: u32,
        flags: OpenFlags,
        ctx: &RequestContext,
    ) -> impl Future<Output = Result<(FileInfo, EntryAttributes)>> + Send {
        let _ = (parent, mode, flags, ctx);
        not_implemented()
    }

    /// Returns `size` bytes from `offset` on; fewer only at the end of the file (or with
    /// `direct_io`): the kernel fills up what is missing with zeros. More than `size` is answered
    /// with `EIO`.
    fn read(
        &self,
        file: FileRef,
        offset: u64,
        size: usize,
        ctx: &RequestContext,
    ) -> impl Future<Output = Result<Data>> + Send {
        let _ = (file, offset, size, ctx);
        not_implemented()
    }

    /// Writes `data` at `offset` and returns the number of bytes written: all of them, unless the
    /// file was opened with `direct_io`. A number larger than `data.len()` is answered with `EIO`.
    ///
    /// `data` may be kept without a copy, and written to a file: [`WriteBuf::write_to`].
    #[doc(alias = "write_buf")]
    fn write(
        &self,
        file: FileRef,
        offset: u64,
        data: WriteBuf,
        ctx: &RequestContext,
    ) -> impl Future<Output = Result<usize>> + Send {
        drop((file, offset, data, ctx));
        not_implemented()
    }

    /// A descriptor of the open file was closed.
    ///
    /// Comes once for each `close(2)`, so any number of times per `open`, and its error is what
    /// `close` returns: the last chance to report that written data was lost.
    fn flush(
        &self,
        file: FileRef,
        ctx: &RequestContext,
    ) -> impl Future<Output = Result<()>> + Send {
        let _ = (file, ctx);
        not_implemented()
    }

    /// The last descriptor of the open file is gone: the handle may be used again.
    ///
    /// Comes exactly once per `open` or `create`. Nobody sees its error.
    fn release(
        &self,
        file: FileRef,
        flags: ReleaseFlags,
        ctx: &RequestContext,
    ) -> impl Future<Output = Result<()>> + Send {
        let _ = (file, flags, ctx);
        not_implemented()
    }

    /// Makes sure that what was written is stored; with `datasync` the contents only, without
    /// attributes that are not needed to read them back. Not implemented: the kernel takes it as
    /// done.
    fn fsync(
        &self,
        file: FileRef,
        datasync: bool,
        ctx: &RequestContext,
    ) -> impl Future<Output = Result<()>> + Send {
        let _ = (file, datasync, ctx);
        not_implemented()
    }

    /// Reserves the space of a range of `len` bytes, gives it back, or fills it with zeros, as `mode`
    /// says. `len` is never 0, and the range ends before 2⁶³.
    ///
    /// Where the range ends behind the end of the file, the file gets longer, unless `mode` has
    /// [`FallocateFlags::KEEP_SIZE`]: the kernel takes that for granted. Answer a `mode` that the
    /// file system cannot do with [`Errno::EOPNOTSUPP`]. Not implemented: so is everything, and the
    /// kernel never asks again.
    fn fallocate(
        &self,
        file: FileRef,
        mode: FallocateFlags,
        offset: u64,
        len: u64,
        ctx: &RequestContext,
    ) -> impl Future<Output = Result<()>> + Send {
        let _ = (file, mode, offset, len, ctx);
        not_implemented()
    }

    /// Returns where the next data or the next hole is, at `offset` or behind it:
    /// `lseek` with `SEEK_DATA` or `SEEK_HOLE`. All other seeking is the kernel's business.
    ///
    /// [`Errno::ENXIO`] if `offset` is not in the file, or there is no data behind it. What lies
    /// before `offset` is answered with `EIO`. Not implemented: the kernel takes the whole file for
    /// data, and never asks again.
    ///
    /// The kernel does not write back what it has cached before it sends this request: what a program
    /// has written through a shared mapping, or with the writeback cache, would look like a hole, and
    /// `cp` would leave it out. Therefore the library first has the kernel write back and drop what it
    /// has cached from `offset` on, and calls this when the writes have been replied to. They take no
    /// room from [`max_in_flight`](crate::SessionBuilder::max_in_flight) in which they could wait for
    /// this request. Without a kernel ([`custom_io`](crate::SessionBuilder::custom_io)) the other side
    /// must do it, and a session that C runs must be told by
    /// [`LowlevelOps::set_session`](crate::LowlevelOps::set_session). libfuse does nothing about it.
    fn lseek(
        &self,
        file: FileRef,
        offset: u64,
        target: SeekTarget,
        ctx: &RequestContext,
    ) -> impl Future<Output = Result<u64>> + Send {
        let _ = (file, offset, target, ctx);
        not_implemented()
    }

    /// Copies a range of a file to another file of this file system, or to another place in the same
    /// one, and returns the number of bytes copied.
    ///
    /// Fewer than `len` are fine, and the caller comes again with the rest; 0 only where there is
    /// nothing more to read. More than `len` are answered with `EIO`. The kernel has written back
    /// what it had cached of both ranges, and drops what it has cached of the second afterwards.
    /// Answer what the file system cannot do with [`Errno::EOPNOTSUPP`]: the kernel then copies by
    /// reading and writing. Not implemented: it does so always.
    fn copy_file_range(
        &self,
        copy: CopyFileRange,
        ctx: &RequestContext,
    ) -> impl Future<Output = Result<usize>> + Send {
        let _ = (copy, ctx);
        not_implemented()
    }

    // ---- lock ------------------------------------------------------------------------------------

    /// Returns a lock of somebody else's that `lock` would have to wait for, or `None` if there is
    /// none (`fcntl` with `F_GETLK`).
    ///
    /// Somebody else is who has another [`lock_owner`](FileRef::lock_owner). Asked for only with
    /// [`Capabilities::POSIX_LOCKS`](crate::Capabilities::POSIX_LOCKS): otherwise the kernel keeps
    /// the locks, which works among the users of the mount.
    fn getlk(
        &self,
        file: FileRef,
        lock: FileLock,
        ctx: &RequestContext,
    ) -> impl Future<Output = Result<Option<FileLock>>> + Send {
        let _ = (file, lock, ctx);
        not_implemented()
    }

    /// Takes, changes or gives back a lock on a range of a file for
    /// [`file.lock_owner`](FileRef::lock_owner) (`fcntl` with `F_SETLK`, or `F_SETLKW` if `sleep`).
    ///
    /// While somebody else's lock is in the way: without `sleep`, answer [`Errno::EAGAIN`]; with it,
    /// wait. The caller may be interrupted meanwhile, and then waits for the answer all the same:
    /// wait for [`ctx.interrupted()`](RequestContext::interrupted) along with the lock, and answer
    /// [`Errno::EINTR`]. A session with
    /// [`cancel_on_interrupt`](crate::SessionBuilder::cancel_on_interrupt) does that by itself.
    ///
    /// A process that closes any of its descriptors of a file gives back all its locks of it: that
    /// is what `lock_owner` in [`flush`](Self::flush) is for. Asked for only with
    /// [`Capabilities::POSIX_LOCKS`](crate::Capabilities::POSIX_LOCKS).
    fn setlk(
        &self,
        file: FileRef,
        lock: FileLock,
        sleep: bool,
        ctx: &RequestContext,
    ) -> impl Future<Output = Result<()>> + Send {
        let _ = (file, lock, sleep, ctx);
        not_implemented()
    }

    /// Takes, changes or gives back the lock on a whole file for
    /// [`file.lock_owner`](FileRef::lock_owner), which is an open file here and not a process
    /// (`flock`).
    ///
    /// About `sleep` see [`setlk`](Self::setlk); a lock that is in the way is [`Errno::EAGAIN`]
    /// without it. The lock ends with the open file: then [`release`](Self::release) has
    /// [`ReleaseFlags::FLOCK_RELEASE`]. `close(2)` does not wait for that: a program that closes the file and
    /// locks it again at once may be early. [`flush`](Self::flush), which `close` waits for, must not
    /// unlock, as the open file may have other descriptors. Asked for only with
    /// [`Capabilities::FLOCK_LOCKS`](crate::Capabilities::FLOCK_LOCKS).
    fn flock(
        &self,
        file: FileRef,
        lock_type: LockType,
        sleep: bool,
        ctx: &RequestContext,
    ) -> impl Future<Output = Result<()>> + Send {
        let _ = (file, lock_type, sleep, ctx);
        not_implemented()
    }

    // ---- dir -------------------------------------------------------------------------------------

    /// Opens a directory. Exactly one [`releasedir`](Self::releasedir) follows. Not implemented:
    /// succeeds with handle 0.
    fn opendir(
        &self,
        inode: Inode,
        flags: OpenFlags,
        ctx: &RequestContext,
    ) -> impl Future<Output = Result<FileInfo>> + Send {
        let _ = (inode, flags, ctx);
        not_implemented()
    }

    /// Lists a directory, from `start_id` on.
    ///
    /// Call [`reply.add(name, attributes, next_id)`](ReaddirToken::add) for each entry until it
    /// returns `false`, then return. `next_id` is the `start_id` with which a later call goes on
    /// behind this entry: any number but 0 that stays right while entries come and go. The first
    /// call has `start_id` 0; no entry added means the end. `.` and `..` may be left out.
    ///
    /// A program may add or rename an entry for each one that it is shown, so a listing ends only if
    /// new entries come before those that were shown: number them downwards, for example. An entry
    /// that is renamed within its directory keeps its number. The example `tmpfs` does both.
    ///
    /// The lookup count of each entry that `add` accepted grows by one, except `.` and `..`. Where
    /// the kernel asks for names only, the library takes those counts back with a `forget`.
    #[doc(alias = "readdirplus")]
    fn readdir(
        &self,
        dir: FileRef,
        start_id: u64,
        reply: &mut ReaddirToken,
        ctx: &RequestContext,
    ) -> impl Future<Output = Result<()>> + Send {
        let _ = (dir, start_id, reply, ctx);
        not_implemented()
    }

    /// The open directory is closed. Comes exactly once per `opendir`; nobody sees its error.
    fn releasedir(
        &self,
        dir: FileRef,
        ctx: &RequestContext,
    ) -> impl Future<Output = Result<()>> + Send {
        let _ = (dir, ctx);
        not_implemented()
    }

    /// Makes sure that the entries of the directory are stored. See [`fsync`](Self::fsync).
    fn fsyncdir(
        &self,
        dir: FileRef,
        datasync: bool,
        ctx: &RequestContext,
    ) -> impl Future<Output = Result<()>> + Send {
        let _ = (dir, datasync, ctx);
        not_implemented()
    }

    /// Returns the numbers of the file system (`df`). Not implemented: blocks of 512 bytes, names
    /// of 255, all else zero.
    fn statfs(
        &self,
        inode: Inode,
        ctx: &RequestContext,
    ) -> impl Future<Output = Result<StatvfsData>> + Send {
        let _ = (inode, ctx);
        not_implemented()
    }

    /// Makes sure that everything that was written to the file system is stored (`syncfs`, `sync`).
    ///
    /// Only for file systems on block devices, those with the mount option `blkdev`. Not implemented:
    /// the kernel takes it as done. libfuse 3.19, Linux 6.18; never called before.
    fn syncfs(
        &self,
        inode: Inode,
        ctx: &RequestContext,
    ) -> impl Future<Output = Result<()>> + Send {
        let _ = (inode, ctx);
        not_implemented()
    }

    /// Does a command that is none of the usual operations (`ioctl`), and returns what it has to
    /// say.
    ///
    /// The kernel passes on what it does not know itself, for files, and with
    /// [`Capabilities::IOCTL_DIR`](crate::Capabilities::IOCTL_DIR) for directories. Input and
    /// output are those that the number of the command tells. Answer a command that the file system
    /// does not know with [`Errno::ENOTTY`]. More output than there is room for, or a negative
    /// result, are answered with `EIO`. Not implemented: all are `ENOTTY`.
    fn ioctl(
        &self,
        ioctl: Ioctl<'_>,
        ctx: &RequestContext,
    ) -> impl Future<Output = Result<IoctlReply>> + Send {
        let _ = (ioctl, ctx);
        not_implemented()
    }

    /// Returns what the open file is ready for now (`poll`, `select`, `epoll`).
    ///
    /// `events` is what the caller wants to know; answering with more is fine. With a `handle`,
    /// somebody waits: keep it, in place of the one before of the same open file, and call
    /// [`PollHandle::notify`] as soon as the file is ready for something else; the kernel then calls
    /// `poll` again. Not implemented: files are always ready to be read and written, and the kernel
    /// never asks again.
    fn poll(
        &self,
        file: FileRef,
        events: PollEvents,
        handle: Option<PollHandle>,
        ctx: &RequestContext,
    ) -> impl Future<Output = Result<PollEvents>> + Send {
        drop((file, events, handle, ctx));
        not_implemented()
    }

    /// Returns the number, on the device, of the block that holds a file's block `index`; both count
    /// blocks of `blocksize` bytes. 0 where there is none.
    ///
    /// For file systems on block devices only, those with the mount option `blkdev`: for swap files,
    /// and the `ioctl` `FIBMAP`. Not implemented: `FIBMAP` finds 0, and the kernel never asks again.
    fn bmap(
        &self,
        inode: Inode,
        blocksize: u32,
        index: u64,
        ctx: &RequestContext,
    ) -> impl Future<Output = Result<u64>> + Send {
        let _ = (inode, blocksize, index, ctx);
        not_implemented()
    }

    // ---- xattr -----------------------------------------------------------------------------------

    /// Sets an extended attribute. `name` has its namespace, such as `user.comment`.
    ///
    /// Not called for `fuse_stacktrace` on the root: see [`stacktrace`](Self::stacktrace).
    fn setxattr(
        &self,
        inode: Inode,
        name: &OsStr,
        value: &[u8],
        flags: XattrFlags,
        ctx: &RequestContext,
    ) -> impl Future<Output = Result<()>> + Send {
        let _ = (inode, name, value, flags, ctx);
        not_implemented()
    }

    /// Returns the value of an extended attribute, or [`Errno::ENOATTR`].
    ///
    /// The library answers queries for the size, and buffers that are too small, by itself: the
    /// handler is called for each of them.
    ///
    /// With [`Capabilities::POSIX_ACL`](crate::Capabilities::POSIX_ACL) the kernel asks for
    /// `system.posix_acl_access` to check permissions, and for `system.posix_acl_default` of a
    /// directory in which something is created. An error other than [`Errno::ENOATTR`], which means
    /// that there is no list, fails the check for all but the owner. For these two names the library
    /// replies `ENOATTR` in place of [`Errno::EOPNOTSUPP`].
    fn getxattr(
        &self,
        inode: Inode,
        name: &OsStr,
        ctx: &RequestContext,
    ) -> impl Future<Output = Result<Vec<u8>>> + Send {
        let _ = (inode, name, ctx);
        not_implemented()
    }

    /// Returns the names of all extended attributes.
    fn listxattr(
        &self,
        inode: Inode,
        ctx: &RequestContext,
    ) -> impl Future<Output = Result<Vec<OsString>>> + Send {
        let _ = (inode, ctx);
        not_implemented()
    }

    /// Removes an extended attribute, or answers [`Errno::ENOATTR`].
    fn removexattr(
        &self,
        inode: Inode,
        name: &OsStr,
        ctx: &RequestContext,
    ) -> impl Future<Output = Result<()>> + Send {
        let _ = (inode, name, ctx);
        not_implemented()
    }
}
