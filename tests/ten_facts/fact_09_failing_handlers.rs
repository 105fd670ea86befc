//! A handler that fails fails one call, however it does.

use std::ffi::OsStr;
use std::fs;
use std::panic::resume_unwind;
use std::time::Duration;

use libfuse3::EntryAttributes;
use libfuse3::Errno;
use libfuse3::ExitReason;
use libfuse3::FileRef;
use libfuse3::Inode;
use libfuse3::Operations;
use libfuse3::RequestContext;
use libfuse3::Result;
use smol::Timer;

use crate::common;
use crate::file;
use crate::root_or_file;

const LATER_CALLS: usize = 10_000;

struct Careless;

/// As `panic!`, without a line on the terminal.
fn panic_quietly() -> ! {
    resume_unwind(Box::new("as the test has asked for"))
}

impl Operations for Careless {
    async fn lookup(&self, _: Inode, name: &OsStr, _: &RequestContext) -> Result<EntryAttributes> {
        match name.to_str() {
            Some("panics") => panic_quietly(),
            Some("panics-later") => {
                Timer::after(Duration::from_millis(1)).await;
                panic_quietly()
            }
            Some("io-error") => {
                let bytes = fs::read("/no/such/file")?;
                panic!("{bytes:?}")
            }
            Some("own-error") => Err(std::io::Error::other("a mistake"))?,
            Some("negative") => Err(Errno::from(std::io::Error::from_raw_os_error(-2))),
            _ => Ok(file(Inode(2))),
        }
    }

    async fn getattr(
        &self,
        inode: Inode,
        _: Option<FileRef>,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        Ok(root_or_file(inode))
    }

    async fn destroy(&self) {
        panic_quietly()
    }
}

#[test]
fn a_panic_is_eio_and_ten_thousand_later_calls_succeed() {
    common::require_fuse!();
    let mounted = common::mount(Careless);
    for name in ["panics", "panics-later"] {
        assert_eq!(common::errno(fs::metadata(mounted.join(name))), libc::EIO);
        let line = common::assert_logged(&["lookup of inode 1", "panicked", "EIO"]);
        assert_eq!(line.level, log::Level::Error);
        for _ in 0..LATER_CALLS {
            fs::metadata(mounted.join("fine")).unwrap();
        }
    }
    assert_eq!(mounted.unmount(), ExitReason::Terminated);
    common::assert_logged(&["destroy panicked"]);
}

#[test]
fn an_error_is_the_answer_to_one_call() {
    common::require_fuse!();
    let mounted = common::mount(Careless);
    for (name, errno) in [
        ("io-error", libc::ENOENT),
        ("own-error", libc::EIO),
        ("negative", libc::EIO),
    ] {
        assert_eq!(
            common::errno(fs::metadata(mounted.join(name))),
            errno,
            "{name}"
        );
        fs::metadata(mounted.join("fine")).unwrap();
    }
    common::assert_quiet();
}
