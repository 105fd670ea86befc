//! A handler may notify the kernel of the very inode that its request is about, although the kernel
//! holds the locks that it needs for that.

use std::ffi::OsStr;
use std::fs;
use std::fs::File;
use std::io::Read;
use std::io::Write;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use libfuse3::Capabilities;
use libfuse3::ConnInfo;
use libfuse3::Data;
use libfuse3::EntryAttributes;
use libfuse3::Errno;
use libfuse3::FileInfo;
use libfuse3::FileRef;
use libfuse3::Inode;
use libfuse3::Notifier;
use libfuse3::OpenFlags;
use libfuse3::Operations;
use libfuse3::ROOT_INODE;
use libfuse3::RequestContext;
use libfuse3::Result;
use libfuse3::SetattrFields;
use libfuse3::WriteBuf;

use crate::common;
use crate::common::Gate;
use crate::common::Mounted;
use crate::common::Recorder;

const FILE: Inode = Inode(2);
const SIZE: usize = 3 * 4096;
const FOREVER: Duration = Duration::from_secs(3600);

/// What a handler does before it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Notify {
    Entry,
    EntryAsync,
    Deleted,
    Inode,
    Attributes,
    Store,
    Expire,
    Range,
    Retrieve,
    Epoch,
    Prune,
}

const ALL: [Notify; 11] = [
    Notify::Entry,
    Notify::EntryAsync,
    Notify::Deleted,
    Notify::Inode,
    Notify::Attributes,
    Notify::Store,
    Notify::Expire,
    Notify::Range,
    Notify::Retrieve,
    Notify::Epoch,
    Notify::Prune,
];

/// A root with one file, which notifies in each handler.
struct Fs {
    notifier: OnceLock<Notifier>,
    notify: Notify,
    writeback: bool,
    /// Name of the handler, and what the notification returned.
    notified: Recorder<(&'static str, Result<()>)>,
}

impl Fs {
    async fn notify(&self, handler: &'static str) {
        // Until the test gives it, there is nothing to do.
        let Some(notifier) = self.notifier.get() else {
            return;
        };
        let name = OsStr::new("file");
        let result = match self.notify {
            Notify::Entry => notifier.invalidate_entry(ROOT_INODE, name, None).await,
            Notify::EntryAsync => {
                notifier.invalidate_entry_async(ROOT_INODE, name, None, true);
                Ok(())
            }
            Notify::Deleted => {
                notifier
                    .invalidate_entry(ROOT_INODE, name, Some(FILE))
                    .await
            }
            Notify::Inode => notifier.invalidate_inode(FILE, false).await,
            Notify::Attributes => notifier.invalidate_inode(FILE, true).await,
            Notify::Store => notifier.notify_store(FILE, 0, vec![b'n'; SIZE]).await,
            Notify::Expire => notifier.expire_entry(ROOT_INODE, name).await,
            Notify::Range => notifier.invalidate_range(FILE, 1..4097).await,
            Notify::Retrieve => notifier.retrieve(FILE, 0, SIZE).await.map(drop),
            Notify::Epoch => notifier.increment_epoch().await,
            Notify::Prune => notifier.prune(&[FILE, ROOT_INODE]).await,
        };
        self.notified.record((handler, result));
    }

    fn attributes(inode: Inode) -> EntryAttributes {
        let (mode, size) = match inode {
            ROOT_INODE => (libc::S_IFDIR | 0o755, 0),
            _ => (libc::S_IFREG | 0o644, SIZE as u64),
        };
        let attr = EntryAttributes {
            size,
            ..common::attributes(inode, mode)
        };
        attr.with_timeouts(FOREVER)
    }
}

impl Operations for Fs {
    fn init(&self, conn: &mut ConnInfo) -> Result<()> {
        if self.writeback {
            conn.want(Capabilities::WRITEBACK_CACHE)?;
        }
        Ok(())
    }

    async fn lookup(&self, _: Inode, name: &OsStr, _: &RequestContext) -> Result<EntryAttributes> {
        self.notify("lookup").await;
        match name.to_str() {
            Some("file") => Ok(Self::attributes(FILE)),
            _ => Err(Errno::ENOENT),
        }
    }

    async fn getattr(
        &self,
        inode: Inode,
        _: Option<FileRef>,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        Ok(Self::attributes(inode))
    }

    async fn setattr(
        &self,
        inode: Inode,
        _: SetattrFields,
        _: Option<FileRef>,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        self.notify("setattr").await;
        Ok(Self::attributes(inode))
    }

    async fn open(&self, _: Inode, _: OpenFlags, _: &RequestContext) -> Result<FileInfo> {
        self.notify("open").await;
        Ok(FileInfo::default())
    }

    async fn read(&self, _: FileRef, _: u64, size: usize, _: &RequestContext) -> Result<Data> {
        self.notify("read").await;
        Ok(vec![b'r'; size].into())
    }

    async fn write(&self, _: FileRef, _: u64, data: WriteBuf, _: &RequestContext) -> Result<usize> {
        self.notify("write").await;
        Ok(data.len())
    }

    async fn unlink(&self, _: Inode, _: &OsStr, _: &RequestContext) -> Result<()> {
        self.notify("unlink").await;
        Ok(())
    }
}

fn mount(notify: Notify, writeback: bool) -> Mounted<Fs> {
    let mounted = common::mount(Fs {
        notifier: OnceLock::new(),
        notify,
        writeback,
        notified: Recorder::new(),
    });
    // So that INIT is over.
    fs::metadata(mounted.path()).unwrap();
    let unset = mounted.ops.notifier.set(mounted.notifier());
    assert!(unset.is_ok());
    mounted
}

/// Looks up, opens, reads, writes and removes the file, while each handler notifies.
fn use_the_file(notify: Notify, writeback: bool) {
    let mounted = mount(notify, writeback);
    let path = mounted.join("file");
    let mut contents = Vec::new();
    let mut file = File::options().read(true).write(true).open(&path).unwrap();
    file.read_to_end(&mut contents).unwrap();
    // Pages that were stored meanwhile, or what the handler has returned.
    assert_eq!(contents.len(), SIZE, "{notify:?}");
    assert!(
        contents.iter().all(|byte| b"nr".contains(byte)),
        "{notify:?}"
    );
    drop(file);
    let mut file = File::options().write(true).open(&path).unwrap();
    file.write_all(&[b'w'; SIZE]).unwrap();
    file.sync_all().unwrap();
    drop(file);
    fs::remove_file(&path).unwrap();
    let notified = mounted.ops.notified.drain();
    for handler in ["lookup", "open", "write", "unlink"] {
        let was_called = notified.iter().any(|(name, _)| *name == handler);
        assert!(was_called, "{handler} with {notify:?}: {notified:?}");
    }
    // What is about the request's own inode is not waited for, and else nothing is in the way.
    for (handler, result) in &notified {
        let allowed = [Ok(()), Err(Errno::ENOENT), Err(Errno::ETIMEDOUT)];
        // Not every libfuse has these.
        let may_lack = [Notify::Expire, Notify::Epoch, Notify::Prune].contains(&notify);
        assert!(
            allowed.contains(result) || may_lack && *result == Err(Errno::ENOSYS),
            "{handler} with {notify:?}: {result:?}"
        );
    }
}

#[test]
fn every_notification_in_every_handler_returns() {
    common::require_fuse!();
    for notify in ALL {
        use_the_file(notify, false);
    }
}

#[test]
fn every_notification_in_every_handler_returns_under_the_writeback_cache() {
    common::require_fuse!();
    for notify in ALL {
        use_the_file(notify, true);
    }
}

#[test]
fn invalidating_the_entry_in_its_own_lookup_takes_effect_afterwards() {
    common::require_fuse!();
    let mounted = mount(Notify::Entry, false);
    let path = mounted.join("file");
    fs::metadata(&path).unwrap();
    mounted.ops.notified.expect(("lookup", Ok(())));
    // The name could be cached for an hour.
    assert!(common::wait_until(common::PATIENCE, || {
        fs::metadata(&path).unwrap();
        let looked_up_again = mounted.ops.notified.drain();
        !looked_up_again.is_empty()
    }));
    common::assert_quiet();
}

#[test]
fn invalidating_or_storing_in_its_own_read_takes_effect_afterwards() {
    common::require_fuse!();
    for notify in [Notify::Inode, Notify::Store] {
        let mounted = mount(notify, false);
        let path = mounted.join("file");
        fs::read(&path).unwrap();
        let is_done = || {
            let contents = fs::read(&path).unwrap();
            let read_again = mounted.ops.notified.drain();
            match notify {
                Notify::Store => contents == vec![b'n'; SIZE],
                _ => read_again.iter().any(|(handler, _)| *handler == "read"),
            }
        };
        assert!(common::wait_until(common::PATIENCE, is_done), "{notify:?}");
    }
    common::assert_quiet();
}

/// Looking up in directory 2 invalidates an entry of directory 3, where a lookup waits for the former.
struct Crossing {
    notifier: OnceLock<Notifier>,
    first: std::sync::Arc<Gate>,
    second: std::sync::Arc<Gate>,
    notified: Recorder<Result<()>>,
}

impl Operations for Crossing {
    async fn lookup(
        &self,
        parent: Inode,
        name: &OsStr,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        match (parent, name.to_str()) {
            (ROOT_INODE, Some("2")) => Ok(crate::directory(Inode(2))),
            (ROOT_INODE, Some("3")) => Ok(crate::directory(Inode(3))),
            (Inode(2), _) => {
                self.second.pass().await;
                let notifier = self.notifier.get().unwrap();
                let result = notifier.invalidate_entry(Inode(3), name, None).await;
                self.notified.record(result);
                self.first.open();
                Err(Errno::ENOENT)
            }
            (Inode(3), _) => {
                self.second.open();
                self.first.pass().await;
                Err(Errno::ENOENT)
            }
            _ => Err(Errno::ENOENT),
        }
    }

    async fn getattr(
        &self,
        inode: Inode,
        _: Option<FileRef>,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        Ok(crate::directory(inode))
    }
}

#[test]
fn two_handlers_that_would_wait_for_each_other_come_to_an_end() {
    common::require_fuse!();
    let mounted = common::mount(Crossing {
        notifier: OnceLock::new(),
        first: Gate::new(),
        second: Gate::new(),
        notified: Recorder::new(),
    });
    assert!(mounted.ops.notifier.set(mounted.notifier()).is_ok());
    thread::scope(|scope| {
        for path in ["2/name", "3/name"] {
            let path = mounted.join(path);
            scope.spawn(move || {
                assert_eq!(common::errno(fs::metadata(path)), libc::ENOENT);
            });
        }
    });
    mounted.ops.notified.expect(Err(Errno::ETIMEDOUT));
    common::assert_quiet();
}
