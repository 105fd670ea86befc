//! The file system: it knows nothing of C.

use std::ffi::OsStr;
use std::pin::pin;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use event_listener::Event;
use futures::future::Either;
use futures::future::select;
use libfuse3::{Data, EntryAttributes, Errno, FileHandle, FileInfo, FileRef, Inode, OpenFlags};
use libfuse3::{Operations, ROOT_INODE, ReaddirToken, RequestContext as Ctx, Result};
use libfuse3::{SetattrFields, WriteBuf};

const HELLO: Inode = Inode(2);
pub(crate) const MESSAGE: Inode = Inode(3);
const NEXT: Inode = Inode(4);
const PANIC: Inode = Inode(5);

const FILES: [(&str, Inode, u32); 4] = [
    ("hello", HELLO, 0o444),
    ("message", MESSAGE, 0o644),
    ("next", NEXT, 0o444),
    ("panic", PANIC, 0o444),
];

const TEXT: &str = "Hello from Rust!\n";

/// For the message, which is all that is kept.
const MAX_SIZE: usize = 16 << 20;

#[derive(Default)]
pub(crate) struct Hello {
    message: Mutex<Vec<u8>>,
    changed: Event,
}

impl Hello {
    pub(crate) fn set_message(&self, text: &[u8]) {
        *self.message() = text.to_owned();
        self.changed.notify(usize::MAX);
    }

    fn message(&self) -> MutexGuard<'_, Vec<u8>> {
        self.message.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn attributes(&self, inode: Inode) -> Result<EntryAttributes> {
        let mode = match FILES.iter().find(|(_, file, _)| *file == inode) {
            Some((.., permissions)) => libc::S_IFREG | permissions,
            None if inode == ROOT_INODE => libc::S_IFDIR | 0o755,
            None => return Err(Errno::ENOENT),
        };
        let size = match inode {
            HELLO => TEXT.len(),
            MESSAGE => self.message().len(),
            _ => 0,
        };
        let attributes = EntryAttributes {
            ino: inode,
            mode,
            size: size as u64,
            ..EntryAttributes::default()
        };
        Ok(attributes.with_timeouts(Duration::from_secs(60)))
    }
}

/// What of a file lies in this range.
fn part(bytes: &[u8], offset: u64, size: usize) -> Data {
    let start = bytes.len().min(offset as usize);
    let end = bytes.len().min(start + size);
    bytes[start..end].to_vec().into()
}

impl Operations for Hello {
    async fn lookup(&self, _: Inode, name: &OsStr, _: &Ctx) -> Result<EntryAttributes> {
        let mut files = FILES.iter();
        let (_, inode, _) = files
            .find(|(file, ..)| name == *file)
            .ok_or(Errno::ENOENT)?;
        self.attributes(*inode)
    }

    async fn getattr(&self, inode: Inode, _: Option<FileRef>, _: &Ctx) -> Result<EntryAttributes> {
        self.attributes(inode)
    }

    async fn setattr(
        &self,
        inode: Inode,
        fields: SetattrFields,
        _: Option<FileRef>,
        _: &Ctx,
    ) -> Result<EntryAttributes> {
        if inode != MESSAGE {
            return Err(Errno::EPERM);
        }
        if let Some(size) = fields.size {
            let size = usize::try_from(size).map_err(|_| Errno::EFBIG)?;
            if size > MAX_SIZE {
                return Err(Errno::EFBIG);
            }
            self.message().resize(size, 0);
        }
        self.attributes(inode)
    }

    async fn readdir(&self, _: FileRef, start: u64, out: &mut ReaddirToken, _: &Ctx) -> Result<()> {
        for ((name, inode, _), next) in FILES.into_iter().zip(1..).skip(start as usize) {
            if !out.add(name.as_ref(), &self.attributes(inode)?, next) {
                break;
            }
        }
        Ok(())
    }

    async fn open(&self, inode: Inode, _: OpenFlags, _: &Ctx) -> Result<FileInfo> {
        Ok(FileInfo {
            // Their size is not known beforehand.
            direct_io: [NEXT, PANIC].contains(&inode),
            keep_cache: [HELLO, MESSAGE].contains(&inode),
            ..FileInfo::new(FileHandle(0))
        })
    }

    async fn read(&self, file: FileRef, offset: u64, size: usize, ctx: &Ctx) -> Result<Data> {
        match file.inode {
            HELLO => Ok(part(TEXT.as_bytes(), offset, size)),
            MESSAGE => Ok(part(&self.message(), offset, size)),
            NEXT if offset > 0 => Ok(Data::default()),
            NEXT => loop {
                // Meanwhile C's thread goes on to the next request.
                let changed = self.changed.listen();
                match select(changed, pin!(ctx.interrupted())).await {
                    Either::Left(_) => {
                        let message = self.message();
                        // The next writer may have emptied it already, which is no message.
                        if !message.is_empty() {
                            break Ok(part(&message, offset, size));
                        }
                    }
                    Either::Right(_) => break Err(Errno::EINTR),
                }
            },
            _ => panic!("as the reader has asked for"),
        }
    }

    async fn write(&self, _: FileRef, offset: u64, data: WriteBuf, _: &Ctx) -> Result<usize> {
        let start = usize::try_from(offset).map_err(|_| Errno::EFBIG)?;
        let end = start.checked_add(data.len()).ok_or(Errno::EFBIG)?;
        if end > MAX_SIZE {
            return Err(Errno::EFBIG);
        }
        let mut message = self.message();
        let len = message.len().max(end);
        message.resize(len, 0);
        message[start..end].copy_from_slice(&data);
        drop(message);
        self.changed.notify(usize::MAX);
        Ok(data.len())
    }
}
