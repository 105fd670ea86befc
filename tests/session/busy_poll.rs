//! Readers that look for the next request before they sleep.
//!
//! What came of each look is in the log.

use std::fs;
use std::sync::Arc;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use libfuse3::*;

use crate::common;
use crate::common::Mounted;
use crate::common::PATIENCE;
use crate::fs::Fs;

/// The most there is: so that a request that comes soon is soon enough.
const LONG: Duration = Duration::from_millis(1);

/// Returns from a test where there is one processor.
macro_rules! require_processors {
    () => {
        if thread::available_parallelism().map_or(1, usize::from) == 1 {
            common::skip("one processor");
            return;
        }
    };
}

fn mount(ops: Fs, threads: usize, time: Duration) -> Mounted<Fs> {
    common::install_tracing_logger();
    common::mount_with(ops, |builder| {
        builder.reader_threads(threads).busy_poll(time)
    })
}

/// How the looks of this test's readers have ended so far.
pub(crate) fn looks(end: &str) -> usize {
    let lines = common::log_lines().into_iter();
    let looks = lines.filter(|line| line.target.ends_with("busy_poll"));
    looks.filter(|line| line.text.starts_with(end)).count()
}

#[test]
fn a_request_that_comes_soon_is_found() {
    common::require_fuse!();
    require_processors!();
    for threads in [1, 4] {
        let mounted = mount(Fs::default(), threads, LONG);
        let path = mounted.join("data");
        let before = looks("Found");
        // Whoever is kept from the processor for longer than that is late, but not always.
        let found = common::wait_until(PATIENCE, || {
            for _ in 0..100 {
                fs::metadata(&path).expect("served");
            }
            looks("Found") > before
        });
        assert!(found, "{threads} readers");
        assert_eq!(mounted.unmount(), ExitReason::Terminated);
        common::assert_quiet();
    }
}

#[test]
fn a_look_in_vain_ends() {
    common::require_fuse!();
    require_processors!();
    // A time that would never end is cut short.
    let mounted = mount(Fs::default(), 1, Duration::MAX);
    fs::metadata(mounted.join("data")).expect("served");
    common::assert_logged(&["InVain after"]);
    assert_eq!(mounted.unmount(), ExitReason::Terminated);
}

#[test]
fn a_look_ends_with_the_session() {
    common::require_fuse!();
    require_processors!();
    let handle: Arc<OnceLock<SessionHandle>> = Arc::default();
    let of_lookup = Arc::clone(&handle);
    let ops = Fs::new(move |_| {
        of_lookup.wait().terminate();
        std::future::ready(Ok(()))
    });
    let mounted = mount(ops, 1, LONG);
    assert!(handle.set(mounted.handle()).is_ok());
    let error = common::errno(fs::metadata(mounted.join("x")));
    assert_eq!(error, libc::ENOENT);
    common::assert_logged(&["Stopped after"]);
    assert_eq!(
        mounted.join_session().expect("ended"),
        ExitReason::Terminated
    );
}

#[test]
fn no_reader_looks_unless_asked_to() {
    common::require_fuse!();
    let mounted = mount(Fs::default(), 2, Duration::ZERO);
    for _ in 0..100 {
        fs::metadata(mounted.join("data")).expect("served");
    }
    assert_eq!(mounted.unmount(), ExitReason::Terminated);
    assert_eq!(looks(""), 0);
}
