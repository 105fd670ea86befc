//! A file system with one file, `current_time`, that the kernel may cache for ever.

use std::ffi::OsStr;
use std::io;
use std::io::Write;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use libfuse3::{Data, EntryAttributes, Errno, FileInfo, FileRef, Forget, Inode, OpenFlags};
use libfuse3::{Operations, ROOT_INODE, ReaddirToken, RequestContext as Ctx, Result};

use super::time_of_day;

pub(crate) const FILE: Inode = Inode(2);
const NAME: &str = "current_time";
/// There is no way to say "for ever".
const NO_TIMEOUT: Duration = Duration::from_secs(500_000);

#[derive(Debug)]
pub(crate) struct CurrentTime {
    contents: Mutex<String>,
    /// How often the kernel has been told of the file.
    lookups: AtomicU64,
    /// Whether it takes the time whenever the kernel has forgotten the file.
    takes_time_when_forgotten: bool,
    prune: Mutex<Prune>,
}

/// How far a prune is. The `forget` may come before the notification returns.
#[derive(Debug, Default, PartialEq)]
enum Prune {
    #[default]
    None,
    Begun,
    ForgottenBeforeSent,
    Sent,
}

/// Prints a line; a closed standard output is ignored.
fn say(words: &str) {
    drop(writeln!(io::stdout(), "{words}"));
}

impl CurrentTime {
    pub(crate) fn new() -> Self {
        let this = Self {
            contents: Mutex::default(),
            lookups: AtomicU64::new(0),
            takes_time_when_forgotten: false,
            prune: Mutex::default(),
        };
        this.update();
        this
    }

    /// One that takes the time when the kernel has forgotten the file, by itself.
    pub(crate) fn taken_when_forgotten() -> Self {
        Self {
            takes_time_when_forgotten: true,
            ..Self::new()
        }
    }

    pub(crate) fn is_known(&self) -> bool {
        self.lookups.load(Ordering::SeqCst) > 0
    }

    pub(crate) fn prune_begins(&self) {
        *self.prune.lock().unwrap_or_else(PoisonError::into_inner) = Prune::Begun;
    }

    pub(crate) fn prune_was_sent(&self, sent: bool) {
        let mut prune = self.prune.lock().unwrap_or_else(PoisonError::into_inner);
        if sent {
            say("prune sent");
        }
        *prune = match *prune {
            Prune::Begun if sent => Prune::Sent,
            Prune::ForgottenBeforeSent if sent => {
                say("prune complete");
                Prune::None
            }
            _ => Prune::None,
        };
    }

    fn was_forgotten(&self) {
        let mut prune = self.prune.lock().unwrap_or_else(PoisonError::into_inner);
        *prune = match *prune {
            Prune::Begun | Prune::ForgottenBeforeSent => Prune::ForgottenBeforeSent,
            Prune::Sent => {
                say("prune complete");
                Prune::None
            }
            Prune::None => Prune::None,
        };
    }

    /// Takes the time. Returns the new contents if the kernel knows of the file.
    pub(crate) fn update(&self) -> Option<String> {
        let contents = time_of_day("The current time is %H:%M:%S\n");
        *self.contents.lock().unwrap_or_else(PoisonError::into_inner) = contents.clone();
        self.is_known().then_some(contents)
    }

    fn contents(&self) -> String {
        let contents = self.contents.lock();
        contents.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn attributes(&self, inode: Inode) -> Result<EntryAttributes> {
        let (mode, size) = match inode {
            ROOT_INODE => (libc::S_IFDIR | 0o755, 0),
            FILE => (libc::S_IFREG | 0o444, self.contents().len() as u64),
            _ => return Err(Errno::ENOENT),
        };
        let attributes = EntryAttributes {
            ino: inode,
            mode,
            size,
            ..EntryAttributes::default()
        };
        Ok(attributes.with_timeouts(NO_TIMEOUT))
    }
}

impl Operations for CurrentTime {
    async fn lookup(&self, dir: Inode, name: &OsStr, _: &Ctx) -> Result<EntryAttributes> {
        if dir != ROOT_INODE || name != NAME {
            return Err(Errno::ENOENT);
        }
        self.lookups.fetch_add(1, Ordering::SeqCst);
        self.attributes(FILE)
    }

    async fn forget(&self, inodes: &[Forget]) {
        let file = inodes.iter().filter(|forget| forget.inode == FILE);
        let nlookup = file.map(|forget| forget.nlookup).sum();
        let known = self.lookups.fetch_sub(nlookup, Ordering::SeqCst);
        if self.takes_time_when_forgotten && nlookup > 0 && known == nlookup {
            self.update();
            self.was_forgotten();
        }
    }

    async fn getattr(&self, inode: Inode, _: Option<FileRef>, _: &Ctx) -> Result<EntryAttributes> {
        self.attributes(inode)
    }

    async fn readdir(&self, _: FileRef, from: u64, out: &mut ReaddirToken, _: &Ctx) -> Result<()> {
        if from == 0 && out.add(NAME.as_ref(), &self.attributes(FILE)?, 1) {
            self.lookups.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }

    async fn open(&self, _: Inode, flags: OpenFlags, _: &Ctx) -> Result<FileInfo> {
        if flags.is_writable() {
            return Err(Errno::EACCES);
        }
        // By default the cache stays when the file is opened again.
        Ok(FileInfo::default())
    }

    async fn read(&self, _: FileRef, offset: u64, size: usize, _: &Ctx) -> Result<Data> {
        let contents = self.contents();
        let rest = contents.as_bytes().get(offset as usize..).unwrap_or(&[]);
        Ok(rest[..rest.len().min(size)].to_vec().into())
    }
}
