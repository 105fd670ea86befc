//! A small file system in memory that writes down what it is asked, and keeps account of what it has
//! given to the kernel.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use libfuse3::Capabilities;
use libfuse3::ConnInfo;
use libfuse3::Data;
use libfuse3::EntryAttributes;
use libfuse3::Errno;
use libfuse3::FileHandle;
use libfuse3::FileInfo;
use libfuse3::FileRef;
use libfuse3::Forget;
use libfuse3::Inode;
use libfuse3::OpenFlags;
use libfuse3::Operations;
use libfuse3::ROOT_INODE;
use libfuse3::ReaddirToken;
use libfuse3::ReleaseFlags;
use libfuse3::RequestContext;
use libfuse3::Result;
use libfuse3::SetattrFields;
use libfuse3::TimeOrNow;
use libfuse3::Timestamp;
use libfuse3::WriteBuf;

use super::Watch;
use super::attributes;

/// The cookie that an inode with the number 0 would have.
const FIRST_COOKIE: u64 = i64::MAX as u64;

/// What a handler was called with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Lookup(Inode, OsString),
    Getattr(Inode),
    Setattr(Inode, SetattrFields, Option<FileHandle>),
    Mknod { mode: u32, umask: u32 },
    Mkdir { mode: u32, umask: u32 },
    Create { mode: u32, umask: u32 },
    Open(Inode, OpenFlags),
    Read(FileHandle, u64),
    Write(FileHandle, u64),
    Flush(FileHandle),
    Release(FileHandle),
    Forget(Inode, u64),
    Destroy,
}

#[derive(Debug, Default)]
struct Node {
    attr: EntryAttributes,
    data: Vec<u8>,
    children: BTreeMap<OsString, Inode>,
    parent: Option<Inode>,
    nlookup: u64,
}

#[derive(Debug, Default)]
struct State {
    nodes: BTreeMap<Inode, Node>,
    open: BTreeSet<FileHandle>,
    last_handle: u64,
}

/// What has been given to the kernel, and taken back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) lookups: u64,
    pub(crate) forgotten: u64,
    pub(crate) opened: u64,
    pub(crate) released: u64,
}

pub(crate) struct MemFs {
    state: Mutex<State>,
    pub(crate) calls: Watch<Vec<Call>>,
    pub(crate) totals: Watch<Totals>,
    wanted: Capabilities,
    timeout: Duration,
}

impl Default for MemFs {
    fn default() -> Self {
        let root = Node {
            attr: EntryAttributes {
                nlink: 2,
                ..attributes(ROOT_INODE, libc::S_IFDIR | 0o755)
            },
            parent: Some(ROOT_INODE),
            ..Default::default()
        };
        let state = State {
            nodes: BTreeMap::from([(ROOT_INODE, root)]),
            ..Default::default()
        };
        Self {
            state: Mutex::new(state),
            calls: Watch::default(),
            totals: Watch::default(),
            wanted: Capabilities::empty(),
            timeout: Duration::from_secs(300),
        }
    }
}

impl MemFs {
    /// Asks for further capabilities.
    pub(crate) fn want(mut self, capabilities: Capabilities) -> Self {
        self.wanted |= capabilities;
        self
    }

    /// What the kernel may take from its cache, and for how long.
    pub(crate) fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The calls so far of which this says something.
    pub(crate) fn called<T>(&self, pick: impl FnMut(&Call) -> Option<T>) -> Vec<T> {
        self.calls
            .read(|calls| calls.iter().filter_map(pick).collect())
    }

    pub(crate) fn forget_calls(&self) {
        self.calls.update(Vec::clear);
    }

    /// How many inodes there are, with a name or without, apart from the root.
    pub(crate) fn nodes(&self) -> usize {
        self.lock().nodes.len() - 1
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, call: Call) {
        self.calls.update(|calls| calls.push(call));
    }

    fn count_lookup(&self) {
        self.totals.update(|totals| totals.lookups += 1);
    }

    fn opened(&self, state: &mut State) -> FileInfo {
        state.last_handle += 1;
        let fh = FileHandle(state.last_handle);
        state.open.insert(fh);
        self.totals.update(|totals| totals.opened += 1);
        FileInfo::new(fh)
    }

    fn add(&self, parent: Inode, name: &OsStr, mode: u32) -> Result<EntryAttributes> {
        let mut state = self.lock();
        let last = state
            .nodes
            .keys()
            .next_back()
            .map_or(1, |inode| inode.raw());
        let inode = Inode(last + 1);
        let parent_node = state.node(parent)?;
        if parent_node.children.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        parent_node.children.insert(name.to_owned(), inode);
        let attr = attributes(inode, mode).with_timeouts(self.timeout);
        let node = Node {
            attr: attr.clone(),
            parent: Some(parent),
            nlookup: 1,
            ..Default::default()
        };
        state.nodes.insert(inode, node);
        drop(state);
        self.count_lookup();
        Ok(attr)
    }

    fn remove(&self, parent: Inode, name: &OsStr) -> Result<()> {
        let mut state = self.lock();
        let inode = state.node(parent)?.children.remove(name);
        let inode = inode.ok_or(Errno::ENOENT)?;
        state.node(inode)?.attr.nlink = 0;
        state.drop_unused(inode);
        Ok(())
    }
}

impl State {
    fn node(&mut self, inode: Inode) -> Result<&mut Node> {
        self.nodes.get_mut(&inode).ok_or(Errno::ESTALE)
    }

    fn drop_unused(&mut self, inode: Inode) {
        let node = &self.nodes[&inode];
        if node.attr.nlink == 0 && node.nlookup == 0 {
            self.nodes.remove(&inode);
        }
    }

    fn check(&self, file: FileRef) -> Result<()> {
        let is_open = self.open.contains(&file.fh);
        is_open.then_some(()).ok_or(Errno::EBADF)
    }
}

impl Operations for MemFs {
    fn init(&self, conn: &mut ConnInfo) -> Result<()> {
        conn.want(self.wanted)
    }

    async fn destroy(&self) {
        self.note(Call::Destroy);
    }

    async fn forget(&self, inodes: &[Forget]) {
        for &Forget { inode, nlookup } in inodes {
            let mut state = self.lock();
            let node = state.node(inode).expect("forgotten, and not known");
            node.nlookup = node
                .nlookup
                .checked_sub(nlookup)
                .expect("forgotten more often than looked up");
            state.drop_unused(inode);
            drop(state);
            self.totals.update(|totals| totals.forgotten += nlookup);
            self.note(Call::Forget(inode, nlookup));
        }
    }

    async fn lookup(
        &self,
        parent: Inode,
        name: &OsStr,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        self.note(Call::Lookup(parent, name.to_owned()));
        let mut state = self.lock();
        let node = state.node(parent)?;
        let inode = match name.as_encoded_bytes() {
            b"." => Some(parent),
            b".." => node.parent,
            _ => node.children.get(name).copied(),
        };
        let node = state.node(inode.ok_or(Errno::ENOENT)?)?;
        let attr = node.attr.clone();
        if attr.ino != ROOT_INODE {
            node.nlookup += 1;
            drop(state);
            self.count_lookup();
        }
        Ok(attr.with_timeouts(self.timeout))
    }

    async fn getattr(
        &self,
        inode: Inode,
        _: Option<FileRef>,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        self.note(Call::Getattr(inode));
        let attr = self.lock().node(inode)?.attr.clone();
        Ok(attr.with_timeouts(self.timeout))
    }

    async fn setattr(
        &self,
        inode: Inode,
        fields: SetattrFields,
        file: Option<FileRef>,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        self.note(Call::Setattr(inode, fields.clone(), file.map(|f| f.fh)));
        let mut state = self.lock();
        let node = state.node(inode)?;
        let attr = &mut node.attr;
        attr.mode = fields.mode.unwrap_or(attr.mode);
        attr.uid = fields.uid.unwrap_or(attr.uid);
        attr.gid = fields.gid.unwrap_or(attr.gid);
        attr.atime = fields.atime.map_or(attr.atime, TimeOrNow::resolve);
        attr.mtime = fields.mtime.map_or(attr.mtime, TimeOrNow::resolve);
        attr.ctime = fields.ctime.unwrap_or_else(Timestamp::now);
        if let Some(size) = fields.size {
            attr.size = size;
            node.data.resize(size as usize, 0);
        }
        Ok(node.attr.clone().with_timeouts(self.timeout))
    }

    async fn mknod(
        &self,
        parent: Inode,
        name: &OsStr,
        mode: u32,
        _: u64,
        ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        let umask = ctx.umask;
        self.note(Call::Mknod { mode, umask });
        self.add(parent, name, mode)
    }

    async fn mkdir(
        &self,
        parent: Inode,
        name: &OsStr,
        mode: u32,
        ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        let umask = ctx.umask;
        self.note(Call::Mkdir { mode, umask });
        self.add(parent, name, mode)
    }

    async fn create(
        &self,
        parent: Inode,
        name: &OsStr,
        mode: u32,
        _: OpenFlags,
        ctx: &RequestContext,
    ) -> Result<(FileInfo, EntryAttributes)> {
        let umask = ctx.umask;
        self.note(Call::Create { mode, umask });
        let attr = self.add(parent, name, mode)?;
        Ok((self.opened(&mut self.lock()), attr))
    }

    async fn unlink(&self, parent: Inode, name: &OsStr, _: &RequestContext) -> Result<()> {
        self.remove(parent, name)
    }

    async fn rmdir(&self, parent: Inode, name: &OsStr, _: &RequestContext) -> Result<()> {
        self.remove(parent, name)
    }

    async fn open(&self, inode: Inode, flags: OpenFlags, _: &RequestContext) -> Result<FileInfo> {
        self.note(Call::Open(inode, flags));
        let mut state = self.lock();
        let node = state.node(inode)?;
        if flags.contains(OpenFlags::TRUNC) {
            node.data.clear();
            node.attr.size = 0;
        }
        Ok(self.opened(&mut state))
    }

    async fn read(
        &self,
        file: FileRef,
        offset: u64,
        size: usize,
        _: &RequestContext,
    ) -> Result<Data> {
        self.note(Call::Read(file.fh, offset));
        let mut state = self.lock();
        state.check(file)?;
        let data = &state.node(file.inode)?.data;
        let start = data.len().min(offset as usize);
        let end = data.len().min(start + size);
        Ok(data[start..end].to_vec().into())
    }

    async fn write(
        &self,
        file: FileRef,
        offset: u64,
        data: WriteBuf,
        _: &RequestContext,
    ) -> Result<usize> {
        self.note(Call::Write(file.fh, offset));
        let mut state = self.lock();
        state.check(file)?;
        let node = state.node(file.inode)?;
        let (start, end) = (offset as usize, offset as usize + data.len());
        node.data.resize(node.data.len().max(end), 0);
        node.data[start..end].copy_from_slice(&data);
        node.attr.size = node.data.len() as u64;
        Ok(data.len())
    }

    async fn flush(&self, file: FileRef, _: &RequestContext) -> Result<()> {
        self.note(Call::Flush(file.fh));
        self.lock().check(file)
    }

    async fn release(&self, file: FileRef, _: ReleaseFlags, _: &RequestContext) -> Result<()> {
        let was_open = self.lock().open.remove(&file.fh);
        assert!(was_open, "released, and not open");
        self.totals.update(|totals| totals.released += 1);
        self.note(Call::Release(file.fh));
        Ok(())
    }

    async fn readdir(
        &self,
        dir: FileRef,
        start_id: u64,
        reply: &mut ReaddirToken,
        _: &RequestContext,
    ) -> Result<()> {
        let mut state = self.lock();
        let children = &state.node(dir.inode)?.children;
        // The newest first: a listing ends even if each entry that it shows leads to a new one.
        let by_cookie: BTreeMap<_, _> = children
            .iter()
            .map(|(name, inode)| (FIRST_COOKIE - inode.raw(), (*inode, name.clone())))
            .filter(|(cookie, _)| *cookie > start_id)
            .collect();
        for (cookie, (inode, name)) in by_cookie {
            let node = state.node(inode)?;
            let attr = node.attr.clone().with_timeouts(self.timeout);
            if !reply.add(&name, &attr, cookie) {
                break;
            }
            node.nlookup += 1;
            self.count_lookup();
        }
        Ok(())
    }
}
