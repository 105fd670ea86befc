//! Sixteen files, `0` to `F`, that fill up by themselves and can be waited for: libfuse's `poll`.
//!
//! ```sh
//! mkdir /tmp/poll
//! cargo run --example poll -- /tmp/poll
//! cargo build --example poll_client
//! (cd /tmp/poll && ~1/target/debug/examples/poll_client)
//! # _:   1:01 _:   ...              each column is a file, and how much there was to read
//! fusermount3 -u /tmp/poll
//! ```
//!
//! Four times a second one, two or four of the files get a character more, up to ten. Reading takes
//! what is there. With `-f` the program tells what it does.

#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::io;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;

use libfuse3::{Data, EntryAttributes, Errno, FileHandle, FileInfo, FileRef, Inode, OpenFlags};
use libfuse3::{Operations, PollEvents, PollHandle, Program, ROOT_INODE, ReaddirToken};
use libfuse3::{ReleaseFlags, RequestContext as Ctx, Result, Session};

const NAMES: &[u8; 16] = b"0123456789ABCDEF";
/// So many characters fit into a file.
const FULL: usize = 10;
const INTERVAL: Duration = Duration::from_millis(250);
const TIMEOUT: Duration = Duration::from_secs(1);
/// The inode of the first file.
const FIRST: u64 = 2;

#[derive(Default)]
struct File {
    len: usize,
    /// A file can be opened by one at a time.
    is_open: bool,
    /// Whom to tell when there is something to read.
    waiting: Option<PollHandle>,
}

#[derive(Default)]
struct Files {
    files: [File; NAMES.len()],
    /// How often somebody has asked and there was nothing, since there last was.
    polled_zero: usize,
}

#[derive(Clone, Default)]
struct Poll(Arc<Mutex<Files>>);

fn index_of(inode: Inode) -> Result<usize> {
    let index = inode.0.checked_sub(FIRST).ok_or(Errno::ENOENT)? as usize;
    (index < NAMES.len()).then_some(index).ok_or(Errno::ENOENT)
}

/// For whoever watches. Nobody else minds if it cannot be written.
fn say(line: std::fmt::Arguments<'_>) {
    drop(writeln!(io::stdout(), "{line}"));
}

impl Poll {
    fn lock(&self) -> MutexGuard<'_, Files> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn attributes(&self, inode: Inode) -> Result<EntryAttributes> {
        let (mode, nlink, size) = match inode {
            ROOT_INODE => (libc::S_IFDIR | 0o555, 2, 0),
            _ => (
                libc::S_IFREG | 0o444,
                1,
                self.lock().files[index_of(inode)?].len,
            ),
        };
        let attributes = EntryAttributes {
            ino: inode,
            mode,
            nlink,
            size: size as u64,
            ..EntryAttributes::default()
        };
        Ok(attributes.with_timeouts(TIMEOUT))
    }

    /// Adds to some files in turn, for ever: to one, two or four of them at a time.
    fn produce(&self) {
        let (mut first, mut count) = (0, 1);
        loop {
            let mut guard = self.lock();
            for index in (first..).step_by(NAMES.len() / count).take(count) {
                let index = index % NAMES.len();
                let file = &mut guard.files[index];
                if file.len == FULL {
                    continue;
                }
                file.len += 1;
                if let Some(waiting) = file.waiting.take() {
                    say(format_args!("NOTIFY {index:X}"));
                    // After the end of the session, and before that of the program.
                    waiting.notify().unwrap_or_default();
                }
            }
            drop(guard);
            first = (first + 1) % NAMES.len();
            if first == 0 {
                count = if count == 4 { 1 } else { count * 2 };
            }
            thread::sleep(INTERVAL);
        }
    }
}

impl Operations for Poll {
    async fn getattr(&self, inode: Inode, _: Option<FileRef>, _: &Ctx) -> Result<EntryAttributes> {
        self.attributes(inode)
    }

    async fn lookup(&self, dir: Inode, name: &OsStr, _: &Ctx) -> Result<EntryAttributes> {
        let &[name] = name.as_encoded_bytes() else {
            return Err(Errno::ENOENT);
        };
        let index = NAMES.iter().position(|other| *other == name);
        match index {
            Some(index) if dir == ROOT_INODE => self.attributes(Inode(FIRST + index as u64)),
            _ => Err(Errno::ENOENT),
        }
    }

    async fn readdir(&self, _: FileRef, from: u64, out: &mut ReaddirToken, _: &Ctx) -> Result<()> {
        for (index, name) in (0..).zip(NAMES.chunks(1)).skip(from as usize) {
            let name = str::from_utf8(name).unwrap_or_default();
            if !out.add(
                name.as_ref(),
                &self.attributes(Inode(FIRST + index))?,
                index + 1,
            ) {
                break;
            }
        }
        Ok(())
    }

    async fn open(&self, inode: Inode, flags: OpenFlags, _: &Ctx) -> Result<FileInfo> {
        let index = index_of(inode)?;
        if flags.is_writable() {
            return Err(Errno::EACCES);
        }
        let file = &mut self.lock().files[index];
        if file.is_open {
            return Err(Errno::EBUSY);
        }
        file.is_open = true;
        Ok(FileInfo {
            // It is rather a pipe than a file.
            direct_io: true,
            nonseekable: true,
            ..FileInfo::new(FileHandle(index as u64))
        })
    }

    async fn release(&self, file: FileRef, _: ReleaseFlags, _: &Ctx) -> Result<()> {
        self.lock().files[index_of(file.inode)?].is_open = false;
        Ok(())
    }

    async fn read(&self, file: FileRef, _: u64, size: usize, _: &Ctx) -> Result<Data> {
        let index = index_of(file.inode)?;
        let file = &mut self.lock().files[index];
        let size = size.min(file.len);
        say(format_args!(
            "READ   {index:X} transferred={size} cnt={}",
            file.len
        ));
        file.len -= size;
        Ok(vec![NAMES[index]; size].into())
    }

    async fn poll(
        &self,
        file: FileRef,
        _: PollEvents,
        handle: Option<PollHandle>,
        _: &Ctx,
    ) -> Result<PollEvents> {
        let index = index_of(file.inode)?;
        let mut guard = self.lock();
        let files = &mut *guard;
        let file = &mut files.files[index];
        if handle.is_some() {
            file.waiting = handle;
        }
        if file.len == 0 {
            files.polled_zero += 1;
            return Ok(PollEvents::empty());
        }
        let polled_zero = std::mem::take(&mut files.polled_zero);
        say(format_args!(
            "POLL   {index:X} cnt={} polled_zero={polled_zero}",
            file.len
        ));
        Ok(PollEvents::IN)
    }
}

fn main() -> ExitCode {
    Program::new(
        "MOUNTPOINT",
        "Files that fill up by themselves, and can be waited for.",
    )
    .like_libfuse()
    .run_and(
        |_| Ok(Session::builder(Poll::default())),
        |session| {
            let poll = Poll::clone(session.operations());
            thread::Builder::new().spawn(move || poll.produce())?;
            Ok(())
        },
    )
}
