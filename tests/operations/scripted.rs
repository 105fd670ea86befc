//! A file system that reports each call, and answers as the test says.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::sync::Mutex;
use std::time::Duration;

use libfuse3::AccessFlags;
use libfuse3::Capabilities;
use libfuse3::ConnInfo;
use libfuse3::CopyFileRange;
use libfuse3::Data;
use libfuse3::EntryAttributes;
use libfuse3::Errno;
use libfuse3::FallocateFlags;
use libfuse3::FileInfo;
use libfuse3::FileRef;
use libfuse3::Forget;
use libfuse3::InFlightReport;
use libfuse3::Inode;
use libfuse3::Ioctl;
use libfuse3::IoctlFlags;
use libfuse3::IoctlReply;
use libfuse3::OpenFlags;
use libfuse3::Operations;
use libfuse3::PollEvents;
use libfuse3::PollHandle;
use libfuse3::ReaddirToken;
use libfuse3::ReleaseFlags;
use libfuse3::Rename;
use libfuse3::RenameFlags;
use libfuse3::RequestContext;
use libfuse3::Result;
use libfuse3::SeekTarget;
use libfuse3::SetattrFields;
use libfuse3::StatvfsData;
use libfuse3::StatxData;
use libfuse3::StatxFlags;
use libfuse3::StatxMask;
use libfuse3::WriteBuf;
use libfuse3::XattrFlags;

use crate::common;
use crate::common::Mounted;
use crate::common::Recorder;

/// What a handler was given, but for the context.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Call {
    Destroy,
    Stacktrace(String),
    Forget(Vec<Forget>),
    Getattr(Inode, Option<FileRef>),
    Setattr(Inode, SetattrFields, Option<FileRef>),
    Statx(Inode, StatxFlags, StatxMask, Option<FileRef>),
    Readlink(Inode),
    Access(Inode, AccessFlags),
    Lookup(Inode, OsString),
    Mknod(Inode, OsString, u32, u64),
    Mkdir(Inode, OsString, u32),
    Unlink(Inode, OsString),
    Rmdir(Inode, OsString),
    /// Parent, name, target.
    Symlink(Inode, OsString, OsString),
    Rename(Inode, OsString, Inode, OsString, RenameFlags),
    Link(Inode, Inode, OsString),
    Open(Inode, OpenFlags),
    Create(Inode, OsString, u32, OpenFlags),
    Tmpfile(Inode, u32, OpenFlags),
    Read(FileRef, u64, usize),
    Write(FileRef, u64, Vec<u8>, Cached),
    Flush(FileRef),
    Release(FileRef, ReleaseFlags),
    Fsync(FileRef, bool),
    Fallocate(FileRef, FallocateFlags, u64, u64),
    Lseek(FileRef, u64, SeekTarget),
    CopyFileRange(CopyFileRange),
    Opendir(Inode, OpenFlags),
    Readdir(FileRef, u64),
    Releasedir(FileRef),
    Fsyncdir(FileRef, bool),
    Statfs(Inode),
    Syncfs(Inode),
    /// File, command, argument, flags, input, room for output.
    Ioctl(FileRef, u32, u64, IoctlFlags, Vec<u8>, usize),
    /// File, events, whether there is a handle.
    Poll(FileRef, PollEvents, bool),
    Bmap(Inode, u32, u64),
    Setxattr(Inode, OsString, Vec<u8>, XattrFlags),
    Getxattr(Inode, OsString),
    Listxattr(Inode),
    Removexattr(Inode, OsString),
}

/// Whether a write came out of the kernel's cache.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Cached {
    Yes,
    No,
}

/// Who made a call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Caller {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) pid: u32,
    pub(crate) umask: u32,
    pub(crate) kill_suidgid: bool,
}

/// Makes a closure for each operation.
macro_rules! hooks {
    ($($operation:ident: ($($argument:ty),*) -> $answer:ty,)*) => {
        /// What a handler answers; not implemented if there is none.
        ///
        /// `getattr` and `lookup` take the place of the entries that the file system was made with.
        #[derive(Default)]
        pub(crate) struct Hooks {
            $(pub(crate) $operation: Option<Box<dyn Fn($($argument),*) -> Result<$answer> + Send + Sync>>,)*
        }
    };
}

hooks! {
    init: (&mut ConnInfo) -> (),
    getattr: (Inode) -> EntryAttributes,
    lookup: (Inode, &OsStr) -> EntryAttributes,
    setattr: (Inode, &SetattrFields) -> EntryAttributes,
    statx: (Inode) -> StatxData,
    readlink: () -> OsString,
    access: () -> (),
    mknod: (u32, u64) -> EntryAttributes,
    mkdir: (u32) -> EntryAttributes,
    unlink: () -> (),
    rmdir: () -> (),
    symlink: () -> EntryAttributes,
    rename: () -> (),
    link: (Inode) -> EntryAttributes,
    open: () -> FileInfo,
    create: (u32) -> (FileInfo, EntryAttributes),
    tmpfile: (u32) -> (FileInfo, EntryAttributes),
    read: (u64, usize) -> Data,
    write: (u64, WriteBuf) -> usize,
    flush: () -> (),
    release: () -> (),
    fsync: () -> (),
    fallocate: () -> (),
    lseek: (u64, SeekTarget) -> u64,
    copy_file_range: (usize) -> usize,
    opendir: () -> FileInfo,
    readdir: (u64, &mut ReaddirToken) -> (),
    releasedir: () -> (),
    fsyncdir: () -> (),
    statfs: () -> StatvfsData,
    syncfs: () -> (),
    ioctl: (&Ioctl) -> IoctlReply,
    poll: (PollEvents, Option<PollHandle>) -> PollEvents,
    bmap: (u64) -> u64,
    setxattr: () -> (),
    getxattr: () -> Vec<u8>,
    listxattr: () -> Vec<OsString>,
    removexattr: () -> (),
}

/// Sets what a handler answers: `answer!(fs.unlink = || Ok(()))`.
macro_rules! answer {
    ($fs:ident.$operation:ident = $answer:expr) => {
        $fs.on.$operation = Some(Box::new($answer))
    };
}
pub(crate) use answer;

/// A file system that reports each call, and answers what the test has set. It has a root with some
/// entries by itself, which the kernel is not to remember.
pub(crate) struct Scripted {
    pub(crate) on: Hooks,
    pub(crate) calls: Recorder<(Call, Caller)>,
    /// What `init` has been told, and has asked for.
    conn_info: Mutex<Option<ConnInfo>>,
    names: HashMap<OsString, Inode>,
    inodes: Mutex<HashMap<Inode, EntryAttributes>>,
}

impl Scripted {
    /// With nothing but the root.
    pub(crate) fn new() -> Self {
        Self {
            on: Hooks::default(),
            calls: Recorder::new(),
            conn_info: Mutex::new(None),
            names: HashMap::new(),
            inodes: Mutex::new(HashMap::from([(Inode::ROOT, dir(1))])),
        }
    }

    /// With one more entry in the root.
    pub(crate) fn with(mut self, name: &str, attr: EntryAttributes) -> Self {
        self.names.insert(name.into(), attr.ino);
        self.set(attr);
        self
    }

    /// With a file called `file`, inode 2, of this size, that can be opened with handle 42.
    pub(crate) fn with_file(size: u64) -> Self {
        let attr = EntryAttributes { size, ..file(2) };
        let mut fs = Self::new().with("file", attr);
        answer!(fs.open = || Ok(FileInfo::new(HANDLE)));
        answer!(fs.flush = || Ok(()));
        fs
    }

    /// Has the kernel collect writes, of which all are taken; the file stays as long as this.
    pub(crate) fn with_writeback(mut self, size: u64) -> Self {
        answer!(self.init = |conn| conn.want(Capabilities::WRITEBACK_CACHE));
        answer!(self.write = |_, data| Ok(data.len()));
        answer!(self.setattr = move |_, _| Ok(EntryAttributes { size, ..file(2) }));
        self
    }

    /// What `getattr` and `lookup` shall answer about an inode from now on.
    pub(crate) fn set(&self, attr: EntryAttributes) {
        self.inodes.lock().unwrap().insert(attr.ino, attr);
    }

    /// Lets `getattr` answer what another operation has.
    fn remember(&self, result: Result<EntryAttributes>) -> Result<EntryAttributes> {
        result.inspect(|attr| self.set(attr.clone()))
    }

    /// The attributes of an inode.
    pub(crate) fn attr(&self, inode: Inode) -> Result<EntryAttributes> {
        let inodes = self.inodes.lock().unwrap();
        inodes.get(&inode).cloned().ok_or(Errno::ENOENT)
    }

    /// What kernel and file system have agreed upon; `None` before that.
    pub(crate) fn conn_info(&self) -> Option<ConnInfo> {
        self.conn_info.lock().unwrap().clone()
    }

    /// The next call that is not one of those that the kernel makes on the way to others.
    #[track_caller]
    pub(crate) fn next_call(&self) -> (Call, Caller) {
        self.calls.find(|(call, _)| match call {
            Call::Getattr(..) | Call::Statx(..) | Call::Lookup(..) | Call::Forget(..) => false,
            // Before writes, truncations and changes of the owner.
            Call::Getxattr(_, name) => name != "security.capability",
            _ => true,
        })
    }

    /// Asserts what the next call is that is not a usual one.
    #[track_caller]
    pub(crate) fn expect(&self, expected: Call) {
        assert_eq!(self.next_call().0, expected);
    }

    /// The calls so far, without their contexts.
    pub(crate) fn calls_so_far(&self) -> Vec<Call> {
        let calls = self.calls.drain().into_iter();
        calls.map(|(call, _)| call).collect()
    }

    /// How many calls there have been for which this holds; forgets all of them.
    pub(crate) fn count(&self, mut wanted: impl FnMut(&Call) -> bool) -> usize {
        let calls = self.calls_so_far();
        calls.iter().filter(|call| wanted(call)).count()
    }

    fn record(&self, call: Call, ctx: &RequestContext) {
        let caller = Caller {
            uid: ctx.uid,
            gid: ctx.gid,
            pid: ctx.pid,
            umask: ctx.umask,
            kill_suidgid: ctx.kill_suidgid,
        };
        self.calls.record((call, caller));
    }

    fn record_without_caller(&self, call: Call) {
        let caller = Caller {
            uid: 0,
            gid: 0,
            pid: 0,
            umask: 0,
            kill_suidgid: false,
        };
        self.calls.record((call, caller));
    }
}

/// The handle that the files of [`Scripted::with_file`] are opened with.
pub(crate) const HANDLE: libfuse3::FileHandle = libfuse3::FileHandle(42);

/// Attributes of a directory, not to be remembered.
pub(crate) fn dir(inode: u64) -> EntryAttributes {
    node(inode, libc::S_IFDIR | 0o755)
}

/// Attributes of an empty file, not to be remembered.
pub(crate) fn file(inode: u64) -> EntryAttributes {
    node(inode, libc::S_IFREG | 0o644)
}

/// Attributes of something with this type and these permissions, not to be remembered.
pub(crate) fn node(inode: u64, mode: u32) -> EntryAttributes {
    EntryAttributes {
        nlink: if mode & libc::S_IFMT == libc::S_IFDIR {
            2
        } else {
            1
        },
        ..common::attributes(Inode(inode), mode)
    }
    .with_timeouts(Duration::ZERO)
}

/// The context that requests of this thread have.
pub(crate) fn this_caller(umask: u32) -> Caller {
    Caller {
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
        pid: rustix::thread::gettid().as_raw_pid().cast_unsigned(),
        umask,
        kill_suidgid: false,
    }
}

/// Makes the kernel drop what it knows under a name.
#[track_caller]
pub(crate) fn invalidate_entry(mounted: &Mounted<Scripted>, parent: Inode, name: &str) {
    let notifier = mounted.notifier();
    smol::block_on(notifier.invalidate_entry(parent, name.as_ref(), None)).unwrap();
}

/// Reports the call, then answers what the test has set.
macro_rules! answer_of {
    ($self:ident.$operation:ident($($argument:expr),*)) => {
        match &$self.on.$operation {
            Some(answer) => answer($($argument),*),
            None => Err(Errno::NOT_IMPLEMENTED),
        }
    };
}

impl Operations for Scripted {
    fn init(&self, conn: &mut ConnInfo) -> Result<()> {
        let result = self.on.init.as_ref().map_or(Ok(()), |init| init(conn));
        *self.conn_info.lock().unwrap() = Some(conn.clone());
        result
    }

    async fn destroy(&self) {
        self.record_without_caller(Call::Destroy);
    }

    fn stacktrace(&self, report: &InFlightReport) {
        self.record_without_caller(Call::Stacktrace(report.to_string()));
    }

    async fn forget(&self, inodes: &[Forget]) {
        self.record_without_caller(Call::Forget(inodes.to_vec()));
    }

    async fn getattr(
        &self,
        inode: Inode,
        file: Option<FileRef>,
        ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        self.record(Call::Getattr(inode, file), ctx);
        match &self.on.getattr {
            Some(answer) => answer(inode),
            None => self.attr(inode),
        }
    }

    async fn setattr(
        &self,
        inode: Inode,
        fields: SetattrFields,
        file: Option<FileRef>,
        ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        self.record(Call::Setattr(inode, fields.clone(), file), ctx);
        answer_of!(self.setattr(inode, &fields))
    }

    async fn statx(
        &self,
        inode: Inode,
        flags: StatxFlags,
        mask: StatxMask,
        file: Option<FileRef>,
        ctx: &RequestContext,
    ) -> Result<StatxData> {
        self.record(Call::Statx(inode, flags, mask, file), ctx);
        answer_of!(self.statx(inode))
    }

    async fn readlink(&self, inode: Inode, ctx: &RequestContext) -> Result<OsString> {
        self.record(Call::Readlink(inode), ctx);
        answer_of!(self.readlink())
    }

    async fn access(&self, inode: Inode, mode: AccessFlags, ctx: &RequestContext) -> Result<()> {
        self.record(Call::Access(inode, mode), ctx);
        answer_of!(self.access())
    }

    async fn lookup(
        &self,
        parent: Inode,
        name: &OsStr,
        ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        self.record(Call::Lookup(parent, name.to_owned()), ctx);
        if let Some(answer) = &self.on.lookup {
            return self.remember(answer(parent, name));
        }
        match self.names.get(name) {
            Some(inode) if parent == Inode::ROOT => self.attr(*inode),
            _ => Err(Errno::ENOENT),
        }
    }

    async fn mknod(
        &self,
        parent: Inode,
        name: &OsStr,
        mode: u32,
        rdev: u64,
        ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        self.record(Call::Mknod(parent, name.to_owned(), mode, rdev), ctx);
        self.remember(answer_of!(self.mknod(mode, rdev)))
    }

    async fn mkdir(
        &self,
        parent: Inode,
        name: &OsStr,
        mode: u32,
        ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        self.record(Call::Mkdir(parent, name.to_owned(), mode), ctx);
        self.remember(answer_of!(self.mkdir(mode)))
    }

    async fn unlink(&self, parent: Inode, name: &OsStr, ctx: &RequestContext) -> Result<()> {
        self.record(Call::Unlink(parent, name.to_owned()), ctx);
        answer_of!(self.unlink())
    }

    async fn rmdir(&self, parent: Inode, name: &OsStr, ctx: &RequestContext) -> Result<()> {
        self.record(Call::Rmdir(parent, name.to_owned()), ctx);
        answer_of!(self.rmdir())
    }

    async fn symlink(
        &self,
        parent: Inode,
        name: &OsStr,
        target: &OsStr,
        ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        let call = Call::Symlink(parent, name.to_owned(), target.to_owned());
        self.record(call, ctx);
        self.remember(answer_of!(self.symlink()))
    }

    async fn rename(&self, rename: Rename<'_>, ctx: &RequestContext) -> Result<()> {
        let Rename {
            parent,
            name,
            new_parent,
            new_name,
            flags,
        } = rename;
        let (name, new_name) = (name.to_owned(), new_name.to_owned());
        self.record(Call::Rename(parent, name, new_parent, new_name, flags), ctx);
        answer_of!(self.rename())
    }

    async fn link(
        &self,
        inode: Inode,
        new_parent: Inode,
        new_name: &OsStr,
        ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        self.record(Call::Link(inode, new_parent, new_name.to_owned()), ctx);
        self.remember(answer_of!(self.link(inode)))
    }

    async fn open(&self, inode: Inode, flags: OpenFlags, ctx: &RequestContext) -> Result<FileInfo> {
        self.record(Call::Open(inode, flags), ctx);
        answer_of!(self.open())
    }

    async fn create(
        &self,
        parent: Inode,
        name: &OsStr,
        mode: u32,
        flags: OpenFlags,
        ctx: &RequestContext,
    ) -> Result<(FileInfo, EntryAttributes)> {
        self.record(Call::Create(parent, name.to_owned(), mode, flags), ctx);
        let (file, attr) = answer_of!(self.create(mode))?;
        Ok((file, self.remember(Ok(attr))?))
    }

    async fn tmpfile(
        &self,
        parent: Inode,
        mode: u32,
        flags: OpenFlags,
        ctx: &RequestContext,
    ) -> Result<(FileInfo, EntryAttributes)> {
        self.record(Call::Tmpfile(parent, mode, flags), ctx);
        let (file, attr) = answer_of!(self.tmpfile(mode))?;
        Ok((file, self.remember(Ok(attr))?))
    }

    async fn read(
        &self,
        file: FileRef,
        offset: u64,
        size: usize,
        ctx: &RequestContext,
    ) -> Result<Data> {
        self.record(Call::Read(file, offset, size), ctx);
        answer_of!(self.read(offset, size))
    }

    async fn write(
        &self,
        file: FileRef,
        offset: u64,
        data: WriteBuf,
        ctx: &RequestContext,
    ) -> Result<usize> {
        let cached = if data.is_from_cache() {
            Cached::Yes
        } else {
            Cached::No
        };
        self.record(Call::Write(file, offset, data.to_vec(), cached), ctx);
        answer_of!(self.write(offset, data))
    }

    async fn flush(&self, file: FileRef, ctx: &RequestContext) -> Result<()> {
        self.record(Call::Flush(file), ctx);
        answer_of!(self.flush())
    }

    async fn release(
        &self,
        file: FileRef,
        flags: ReleaseFlags,
        ctx: &RequestContext,
    ) -> Result<()> {
        self.record(Call::Release(file, flags), ctx);
        answer_of!(self.release())
    }

    async fn fsync(&self, file: FileRef, datasync: bool, ctx: &RequestContext) -> Result<()> {
        self.record(Call::Fsync(file, datasync), ctx);
        answer_of!(self.fsync())
    }

    async fn fallocate(
        &self,
        file: FileRef,
        mode: FallocateFlags,
        offset: u64,
        len: u64,
        ctx: &RequestContext,
    ) -> Result<()> {
        self.record(Call::Fallocate(file, mode, offset, len), ctx);
        answer_of!(self.fallocate())
    }

    async fn lseek(
        &self,
        file: FileRef,
        offset: u64,
        target: SeekTarget,
        ctx: &RequestContext,
    ) -> Result<u64> {
        self.record(Call::Lseek(file, offset, target), ctx);
        answer_of!(self.lseek(offset, target))
    }

    async fn copy_file_range(&self, copy: CopyFileRange, ctx: &RequestContext) -> Result<usize> {
        self.record(Call::CopyFileRange(copy), ctx);
        answer_of!(self.copy_file_range(copy.len))
    }

    async fn opendir(
        &self,
        inode: Inode,
        flags: OpenFlags,
        ctx: &RequestContext,
    ) -> Result<FileInfo> {
        self.record(Call::Opendir(inode, flags), ctx);
        answer_of!(self.opendir())
    }

    async fn readdir(
        &self,
        dir: FileRef,
        start_id: u64,
        reply: &mut ReaddirToken,
        ctx: &RequestContext,
    ) -> Result<()> {
        self.record(Call::Readdir(dir, start_id), ctx);
        answer_of!(self.readdir(start_id, reply))
    }

    async fn releasedir(&self, dir: FileRef, ctx: &RequestContext) -> Result<()> {
        self.record(Call::Releasedir(dir), ctx);
        answer_of!(self.releasedir())
    }

    async fn fsyncdir(&self, dir: FileRef, datasync: bool, ctx: &RequestContext) -> Result<()> {
        self.record(Call::Fsyncdir(dir, datasync), ctx);
        answer_of!(self.fsyncdir())
    }

    async fn statfs(&self, inode: Inode, ctx: &RequestContext) -> Result<StatvfsData> {
        self.record(Call::Statfs(inode), ctx);
        answer_of!(self.statfs())
    }

    async fn syncfs(&self, inode: Inode, ctx: &RequestContext) -> Result<()> {
        self.record(Call::Syncfs(inode), ctx);
        answer_of!(self.syncfs())
    }

    async fn ioctl(&self, ioctl: Ioctl<'_>, ctx: &RequestContext) -> Result<IoctlReply> {
        let Ioctl {
            file,
            cmd,
            arg,
            flags,
            input,
            output_size,
        } = ioctl;
        let call = Call::Ioctl(file, cmd, arg, flags, input.to_vec(), output_size);
        self.record(call, ctx);
        answer_of!(self.ioctl(&ioctl))
    }

    async fn poll(
        &self,
        file: FileRef,
        events: PollEvents,
        handle: Option<PollHandle>,
        ctx: &RequestContext,
    ) -> Result<PollEvents> {
        self.record(Call::Poll(file, events, handle.is_some()), ctx);
        answer_of!(self.poll(events, handle))
    }

    async fn bmap(
        &self,
        inode: Inode,
        blocksize: u32,
        index: u64,
        ctx: &RequestContext,
    ) -> Result<u64> {
        self.record(Call::Bmap(inode, blocksize, index), ctx);
        answer_of!(self.bmap(index))
    }

    async fn setxattr(
        &self,
        inode: Inode,
        name: &OsStr,
        value: &[u8],
        flags: XattrFlags,
        ctx: &RequestContext,
    ) -> Result<()> {
        let call = Call::Setxattr(inode, name.to_owned(), value.to_owned(), flags);
        self.record(call, ctx);
        answer_of!(self.setxattr())
    }

    async fn getxattr(&self, inode: Inode, name: &OsStr, ctx: &RequestContext) -> Result<Vec<u8>> {
        self.record(Call::Getxattr(inode, name.to_owned()), ctx);
        answer_of!(self.getxattr())
    }

    async fn listxattr(&self, inode: Inode, ctx: &RequestContext) -> Result<Vec<OsString>> {
        self.record(Call::Listxattr(inode), ctx);
        answer_of!(self.listxattr())
    }

    async fn removexattr(&self, inode: Inode, name: &OsStr, ctx: &RequestContext) -> Result<()> {
        self.record(Call::Removexattr(inode, name.to_owned()), ctx);
        answer_of!(self.removexattr())
    }
}
