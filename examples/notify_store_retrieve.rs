//! A file that holds the time of day, put into the kernel's cache when it changes: libfuse's
//! `notify_store_retrieve`.
//!
//! ```sh
//! mkdir /tmp/time
//! cargo run --example notify_store_retrieve -- --update-interval=1 /tmp/time
//! for i in 1 2 3; do cat /tmp/time/current_time; sleep 1; done
//! # The current time is 15:58:40
//! # The current time is 15:58:41
//! # The current time is 15:58:42
//! fusermount3 -u /tmp/time
//! ```
//!
//! With `--no-notify` it is three times the same. What was stored is retrieved again and compared; the
//! program fails if that differs.

#![forbid(unsafe_code)]

mod current_time;

use std::process::ExitCode;

use libfuse3::Notifier;
use libfuse3::Program;

use crate::current_time::Changing;
use crate::current_time::file::CurrentTime;
use crate::current_time::file::FILE;
use crate::current_time::ignore_forgotten;

impl Changing for CurrentTime {
    async fn change(&self, notifier: Option<&Notifier>) -> Result<(), String> {
        let (Some(contents), Some(notifier)) = (self.update(), notifier) else {
            return Ok(());
        };
        let stored = notifier.notify_store(FILE, 0, contents.clone()).await;
        ignore_forgotten("notify_store", stored)?;
        let retrieved = notifier.retrieve(FILE, 0, contents.len()).await;
        // The kernel may have dropped it since.
        if let Ok(bytes) = &retrieved
            && !contents.as_bytes().starts_with(bytes)
        {
            return Err(format!("stored {contents:?}, retrieved {bytes:?}"));
        }
        ignore_forgotten("retrieve", retrieved.map(drop))
    }
}

fn main() -> ExitCode {
    let about = "The time of day, in a file that the kernel is given when it changes.";
    current_time::run(
        Program::new("MOUNTPOINT", about),
        |_| Ok(CurrentTime::new()),
    )
}
