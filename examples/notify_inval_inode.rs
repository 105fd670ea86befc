//! A file that holds the time of day, cached by the kernel until it is told that the time has
//! changed: libfuse's `notify_inval_inode`.
//!
//! ```sh
//! mkdir /tmp/time
//! cargo run --example notify_inval_inode -- --update-interval=1 /tmp/time
//! for i in 1 2 3; do cat /tmp/time/current_time; sleep 1; done
//! # The current time is 15:58:40
//! # The current time is 15:58:41
//! # The current time is 15:58:42
//! fusermount3 -u /tmp/time
//! ```
//!
//! With `--no-notify` it is three times the same. `notify_store_retrieve` does not wait until the kernel
//! asks for the new contents.

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
        let (Some(_), Some(notifier)) = (self.update(), notifier) else {
            return Ok(());
        };
        let result = notifier.invalidate_inode(FILE, false).await;
        ignore_forgotten("invalidate_inode", result)
    }
}

fn main() -> ExitCode {
    let about = "The time of day, in a file that the kernel is told to read again.";
    current_time::run(
        Program::new("MOUNTPOINT", about),
        |_| Ok(CurrentTime::new()),
    )
}
