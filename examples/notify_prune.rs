//! A file that holds the time of day, taken whenever the kernel forgets the file, which it is told to:
//! libfuse's `notify_prune`.
//!
//! ```sh
//! mkdir /tmp/time
//! cargo run --example notify_prune -- --update-interval=1 /tmp/time
//! for i in 1 2 3; do cat /tmp/time/current_time; sleep 1; done
//! # The current time is 15:58:40
//! # The current time is 15:58:41
//! # The current time is 15:58:42
//! fusermount3 -u /tmp/time
//! ```
//!
//! In the foreground it prints `prune sent` for each notification, and `prune complete` when the kernel has
//! forgotten the file.
//!
//! That needs libfuse 3.19 and Linux 6.18; with an older libfuse it says so and ends. With `--no-notify`,
//! which any will do for, it is three times the same: the kernel forgets a file by itself only where it
//! needs the memory, or is told so by somebody else (`mount -o remount /tmp/time`).

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
    fn needs_libfuse(&self) -> &'static str {
        "3.19"
    }

    async fn change(&self, notifier: Option<&Notifier>) -> Result<(), String> {
        let Some(notifier) = notifier.filter(|_| self.is_known()) else {
            return Ok(());
        };
        self.prune_begins();
        let result = notifier.prune(&[FILE]).await;
        self.prune_was_sent(result.is_ok());
        ignore_forgotten("prune", result)
    }
}

fn main() -> ExitCode {
    let about = "The time of day, in a file that the kernel is told to forget.";
    let program = Program::new("MOUNTPOINT", about);
    current_time::run(program, |_| Ok(CurrentTime::taken_when_forgotten()))
}
