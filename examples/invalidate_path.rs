//! Two files that change by themselves, cached by the kernel until it is told so: libfuse's `invalidate_path`.
//!
//! ```sh
//! mkdir /tmp/files
//! cargo run --example invalidate_path -- --update-interval=1 /tmp/files
//! cat /tmp/files/current_time         # The current time is 15:58:40
//! stat -c %s /tmp/files/growing       # 1
//! sleep 1; stat -c %s /tmp/files/growing      # 2
//! fusermount3 -u /tmp/files
//! ```
//!
//! `current_time` changes its contents, and `growing` its size, too. Both are invalidated after each change; with
//! `--no-notify` the kernel keeps what it has cached. libfuse's program names the files by paths, which its
//! high-level API maps to inodes; here there are only inodes.

#![forbid(unsafe_code)]

mod current_time;

use std::ffi::OsStr;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use libfuse3::{Data, EntryAttributes, Errno, FileInfo, FileRef, Inode, Notifier, OpenFlags};
use libfuse3::{Operations, Program, ROOT_INODE, ReaddirToken, RequestContext as Ctx, Result};

use crate::current_time::Changing;
use crate::current_time::ignore_forgotten;
use crate::current_time::time_of_day;

const CURRENT_TIME: Inode = Inode(2);
const GROWING: Inode = Inode(3);
const FILES: [(&str, Inode); 2] = [("current_time", CURRENT_TIME), ("growing", GROWING)];
/// There is no way to say "for ever".
const NO_TIMEOUT: Duration = Duration::from_secs(500_000);

struct Files {
    /// The contents of both, in the order of `FILES`.
    contents: Mutex<[String; 2]>,
    /// Whether the kernel knows of a file: before it is connected, it takes no notifications.
    is_known: AtomicBool,
}

impl Files {
    fn new() -> Self {
        Self {
            contents: Mutex::new([now(), String::new()]),
            is_known: AtomicBool::new(false),
        }
    }

    fn contents(&self, inode: Inode) -> Result<String> {
        let index = FILES.iter().position(|(_, file)| *file == inode);
        let contents = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(contents[index.ok_or(Errno::ENOENT)?].clone())
    }

    fn attributes(&self, inode: Inode) -> Result<EntryAttributes> {
        let (mode, size) = match inode {
            ROOT_INODE => (libc::S_IFDIR | 0o755, 0),
            file => {
                self.is_known.store(true, Ordering::SeqCst);
                (libc::S_IFREG | 0o444, self.contents(file)?.len() as u64)
            }
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

fn now() -> String {
    time_of_day("The current time is %H:%M:%S\n")
}

impl Operations for Files {
    async fn lookup(&self, dir: Inode, name: &OsStr, _: &Ctx) -> Result<EntryAttributes> {
        let found = FILES.iter().find(|(file, _)| name == *file);
        match found {
            Some((_, inode)) if dir == ROOT_INODE => self.attributes(*inode),
            _ => Err(Errno::ENOENT),
        }
    }

    async fn getattr(&self, inode: Inode, _: Option<FileRef>, _: &Ctx) -> Result<EntryAttributes> {
        self.attributes(inode)
    }

    async fn readdir(&self, _: FileRef, from: u64, out: &mut ReaddirToken, _: &Ctx) -> Result<()> {
        for ((name, inode), next) in FILES.into_iter().zip(1..).skip(from as usize) {
            if !out.add(name.as_ref(), &self.attributes(inode)?, next) {
                break;
            }
        }
        Ok(())
    }

    /// By default the cache stays when the file is opened again.
    async fn open(&self, _: Inode, _: OpenFlags, _: &Ctx) -> Result<FileInfo> {
        Ok(FileInfo::default())
    }

    async fn read(&self, file: FileRef, offset: u64, size: usize, _: &Ctx) -> Result<Data> {
        let contents = self.contents(file.inode)?;
        let rest = contents.as_bytes().get(offset as usize..).unwrap_or(&[]);
        Ok(rest[..rest.len().min(size)].to_vec().into())
    }
}

impl Changing for Files {
    async fn change(&self, notifier: Option<&Notifier>) -> Result<(), String> {
        {
            let mut contents = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
            contents[0] = now();
            contents[1].push('x');
        }
        let Some(notifier) = notifier.filter(|_| self.is_known.load(Ordering::SeqCst)) else {
            return Ok(());
        };
        for (_, inode) in FILES {
            let result = notifier.invalidate_inode(inode, false).await;
            ignore_forgotten("invalidate_inode", result)?;
        }
        Ok(())
    }
}

fn main() -> ExitCode {
    let about = "The time of day, and a file that grows; the kernel is told to read both again.";
    current_time::run(Program::new("MOUNTPOINT", about), |_| Ok(Files::new()))
}
