//! A file system with one file, `data`, and names that do what a test wants.

use std::ffi::OsStr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use libfuse3::*;

use crate::common::Recorder;

pub(crate) const DATA: Inode = Inode(2);
pub(crate) const DATA_SIZE: usize = 64 * 1024;

/// What happens when a name is looked up; it exists in no case.
pub(crate) type OnLookup = Box<dyn Fn(String) -> BoxFuture<'static, Result<()>> + Send + Sync>;

pub(crate) struct Fs {
    data: Mutex<Vec<u8>>,
    on_lookup: OnLookup,
    /// What `init` does beside returning this.
    on_init: Box<dyn Fn() -> Result<()> + Send + Sync>,
    on_destroy: Box<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>,
    direct_io: bool,
    pub(crate) requests: AtomicUsize,
    pub(crate) destroyed: AtomicBool,
    /// Set when the file system itself is dropped: nothing of the session is left then.
    pub(crate) dropped: Arc<AtomicBool>,
    /// Names whose lookup has begun.
    pub(crate) lookups: Recorder<String>,
}

impl Default for Fs {
    fn default() -> Self {
        Self::new(|_| async { Ok(()) })
    }
}

impl Fs {
    pub(crate) fn new<F>(on_lookup: impl Fn(String) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        Self {
            data: Mutex::new(vec![0; DATA_SIZE]),
            on_lookup: Box::new(move |name| on_lookup(name).boxed()),
            on_init: Box::new(|| Ok(())),
            on_destroy: Box::new(|| Box::pin(std::future::ready(()))),
            direct_io: true,
            requests: AtomicUsize::new(0),
            destroyed: AtomicBool::new(false),
            dropped: Arc::default(),
            lookups: Recorder::new(),
        }
    }

    /// The kernel caches contents.
    pub(crate) fn cached(mut self) -> Self {
        self.direct_io = false;
        self
    }

    /// Looking up any name never ends.
    pub(crate) fn hanging() -> Self {
        Self::new(|_| std::future::pending())
    }

    pub(crate) fn on_init(
        mut self,
        on_init: impl Fn() -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.on_init = Box::new(on_init);
        self
    }

    pub(crate) fn on_destroy<F>(
        mut self,
        on_destroy: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.on_destroy = Box::new(move || on_destroy().boxed());
        self
    }

    fn count(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Fs {
    fn drop(&mut self) {
        self.dropped.store(true, Ordering::Release);
    }
}

fn attributes(inode: Inode) -> Result<EntryAttributes> {
    let (mode, size) = match inode {
        ROOT_INODE => (libc::S_IFDIR | 0o755, 0),
        DATA => (libc::S_IFREG | 0o644, DATA_SIZE as u64),
        _ => return Err(Errno::ENOENT),
    };
    Ok(EntryAttributes {
        ino: inode,
        mode,
        size,
        // Each access comes here.
        attr_timeout: Duration::ZERO,
        entry_timeout: Duration::ZERO,
        ..EntryAttributes::default()
    })
}

impl Operations for Fs {
    fn init(&self, _conn: &mut ConnInfo) -> Result<()> {
        (self.on_init)()
    }

    async fn destroy(&self) {
        (self.on_destroy)().await;
        self.destroyed.store(true, Ordering::Release);
    }

    async fn lookup(
        &self,
        _parent: Inode,
        name: &OsStr,
        _ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        self.count();
        if name == "data" {
            return attributes(DATA);
        }
        let name = name.display().to_string();
        self.lookups.record(name.clone());
        (self.on_lookup)(name).await?;
        Err(Errno::ENOENT)
    }

    async fn getattr(
        &self,
        inode: Inode,
        _file: Option<FileRef>,
        _ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        self.count();
        attributes(inode)
    }

    async fn open(&self, _: Inode, _: OpenFlags, _: &RequestContext) -> Result<FileInfo> {
        Ok(FileInfo {
            direct_io: self.direct_io,
            ..FileInfo::default()
        })
    }

    async fn read(
        &self,
        _file: FileRef,
        offset: u64,
        size: usize,
        _ctx: &RequestContext,
    ) -> Result<Data> {
        self.count();
        let data = self.data.lock().unwrap_or_else(PoisonError::into_inner);
        let start = DATA_SIZE.min(usize::try_from(offset).unwrap_or(usize::MAX));
        let end = DATA_SIZE.min(start.saturating_add(size));
        Ok(data[start..end].to_vec().into())
    }

    async fn write(
        &self,
        _file: FileRef,
        offset: u64,
        buf: WriteBuf,
        _ctx: &RequestContext,
    ) -> Result<usize> {
        self.count();
        let mut data = self.data.lock().unwrap_or_else(PoisonError::into_inner);
        let start = DATA_SIZE.min(usize::try_from(offset).unwrap_or(usize::MAX));
        let end = DATA_SIZE.min(start.saturating_add(buf.len()));
        data[start..end].copy_from_slice(&buf[..end - start]);
        Ok(end - start)
    }

    /// What is not zero is data.
    async fn lseek(
        &self,
        _file: FileRef,
        offset: u64,
        target: SeekTarget,
        _ctx: &RequestContext,
    ) -> Result<u64> {
        self.count();
        let data = self.data.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |byte: &u8| (*byte != 0) == (target == SeekTarget::Data);
        let start = DATA_SIZE.min(usize::try_from(offset).unwrap_or(usize::MAX));
        let found = data[start..].iter().position(is_it);
        Ok((start + found.ok_or(Errno::ENXIO)?) as u64)
    }
}
