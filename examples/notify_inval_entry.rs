//! An empty file whose name is the time of day, cached by the kernel until it is told that the name
//! has changed: libfuse's `notify_inval_entry`.
//!
//! ```sh
//! mkdir /tmp/time
//! cargo run --example notify_inval_entry -- --update-interval=1 --timeout=30 /tmp/time
//! file=$(ls /tmp/time)                # Time_is_15h_50m_09s
//! stat /tmp/time/$file
//! sleep 1; stat /tmp/time/$file       # No such file or directory
//! fusermount3 -u /tmp/time
//! ```
//!
//! With `--no-notify` the old name stays for 30 seconds. With `--only-expire` the kernel is told to
//! look it up again, instead of to drop it; that needs libfuse 3.13 and Linux 6.2. With `--inc-epoch` it
//! is told to look up every name again; that needs libfuse 3.18 and Linux 6.16.

#![forbid(unsafe_code)]

mod current_time;

use std::ffi::OsStr;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use libfuse3::{EntryAttributes, Errno, FileRef, Forget, Inode, Notifier, Operations, Program};
use libfuse3::{ROOT_INODE, ReaddirToken, RequestContext as Ctx, Result};

use crate::current_time::Changing;
use crate::current_time::ignore_forgotten;
use crate::current_time::number;
use crate::current_time::time_of_day;

const FILE: Inode = Inode(2);

struct TimeAsName {
    name: Mutex<String>,
    /// How often the kernel has been told of the file.
    lookups: AtomicU64,
    timeout: Duration,
    way: Way,
}

/// How the kernel is told that the name is gone.
#[derive(Clone, Copy)]
enum Way {
    Invalidate,
    Expire,
    IncrementEpoch,
}

fn current_name() -> String {
    time_of_day("Time_is_%Hh_%Mm_%Ss")
}

impl TimeAsName {
    fn name(&self) -> String {
        let name = self.name.lock();
        name.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn attributes(&self, inode: Inode) -> Result<EntryAttributes> {
        let mode = match inode {
            ROOT_INODE => libc::S_IFDIR | 0o755,
            FILE => libc::S_IFREG,
            _ => return Err(Errno::ENOENT),
        };
        let attributes = EntryAttributes {
            ino: inode,
            mode,
            ..EntryAttributes::default()
        };
        Ok(attributes.with_timeouts(self.timeout))
    }
}

impl Operations for TimeAsName {
    async fn lookup(&self, dir: Inode, name: &OsStr, _: &Ctx) -> Result<EntryAttributes> {
        if dir != ROOT_INODE || name != OsStr::new(&self.name()) {
            return Err(Errno::ENOENT);
        }
        self.lookups.fetch_add(1, Ordering::SeqCst);
        self.attributes(FILE)
    }

    async fn forget(&self, inodes: &[Forget]) {
        let file = inodes.iter().filter(|forget| forget.inode == FILE);
        let nlookup = file.map(|forget| forget.nlookup).sum();
        self.lookups.fetch_sub(nlookup, Ordering::SeqCst);
    }

    async fn getattr(&self, inode: Inode, _: Option<FileRef>, _: &Ctx) -> Result<EntryAttributes> {
        self.attributes(inode)
    }

    async fn readdir(&self, _: FileRef, from: u64, out: &mut ReaddirToken, _: &Ctx) -> Result<()> {
        if from == 0 && out.add(self.name().as_ref(), &self.attributes(FILE)?, 1) {
            self.lookups.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }
}

impl Changing for TimeAsName {
    fn needs_libfuse(&self) -> &'static str {
        match self.way {
            Way::Invalidate => "3.10",
            Way::Expire => "3.13",
            Way::IncrementEpoch => "3.18",
        }
    }

    async fn change(&self, notifier: Option<&Notifier>) -> Result<(), String> {
        let name = current_name();
        let old = {
            let mut current = self.name.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *current, name)
        };
        let is_known = self.lookups.load(Ordering::SeqCst) > 0;
        let Some(notifier) = notifier.filter(|_| is_known) else {
            return Ok(());
        };
        let old = OsStr::new(&old);
        let (what, result) = match self.way {
            Way::Invalidate => {
                let result = notifier.invalidate_entry(ROOT_INODE, old, None).await;
                ("invalidate_entry", result)
            }
            Way::Expire => ("expire_entry", notifier.expire_entry(ROOT_INODE, old).await),
            Way::IncrementEpoch => ("increment_epoch", notifier.increment_epoch().await),
        };
        ignore_forgotten(what, result)
    }
}

fn main() -> ExitCode {
    let about = "The time of day, as a name that the kernel is told to forget.";
    let program = Program::new("MOUNTPOINT", about)
        .option("--timeout=SECS", "how long the kernel may cache (5)")
        .option("--only-expire", "expire the name instead of dropping it")
        .option("--inc-epoch", "have all names looked up again instead");
    current_time::run(program, |line| {
        let timeout = number(line, "timeout", 5.0)?;
        let mut is_given = |name| line.take_long_option(name).is_some();
        let way = match (is_given("only-expire"), is_given("inc-epoch")) {
            (false, false) => Way::Invalidate,
            (true, false) => Way::Expire,
            (false, true) => Way::IncrementEpoch,
            (true, true) => return Err("--only-expire and --inc-epoch exclude each other".into()),
        };
        Ok(TimeAsName {
            name: Mutex::new(current_name()),
            lookups: AtomicU64::new(0),
            timeout: Duration::try_from_secs_f64(timeout)
                .map_err(|error| format!("--timeout={timeout}: {error}"))?,
            way,
        })
    })
}
