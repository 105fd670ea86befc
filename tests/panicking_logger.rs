//! A logger that panics. There is one for the whole process, so this test has a process for itself.

mod common;

use std::ffi::OsStr;
use std::fs;
use std::panic::resume_unwind;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use common::TimeLimit;
use libfuse3::Data;
use libfuse3::EntryAttributes;
use libfuse3::Errno;
use libfuse3::ExitReason;
use libfuse3::FileInfo;
use libfuse3::FileRef;
use libfuse3::Inode;
use libfuse3::OpenFlags;
use libfuse3::Operations;
use libfuse3::ROOT_INODE;
use libfuse3::RequestContext;
use libfuse3::Result;
use libfuse3::Session;

/// Wants every line, and panics with each.
struct Panics(AtomicUsize);

static LOGGER: Panics = Panics(AtomicUsize::new(0));

/// As `panic!`, without a line on the terminal.
fn panic_quietly() -> ! {
    resume_unwind(Box::new("as the test has asked for"))
}

impl log::Log for Panics {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, _: &log::Record<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
        panic_quietly()
    }

    fn flush(&self) {}
}

struct Fs;

impl Operations for Fs {
    async fn lookup(&self, _: Inode, name: &OsStr, _: &RequestContext) -> Result<EntryAttributes> {
        match name.to_str() {
            Some("panics") => panic_quietly(),
            Some("panics-later") => {
                smol::future::yield_now().await;
                panic_quietly()
            }
            Some("file") => Ok(common::attributes(Inode(2), libc::S_IFREG | 0o444)),
            _ => Err(Errno::ENOENT),
        }
    }

    async fn getattr(
        &self,
        inode: Inode,
        _: Option<FileRef>,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        let mode = match inode {
            ROOT_INODE => libc::S_IFDIR | 0o755,
            _ => libc::S_IFREG | 0o444,
        };
        Ok(common::attributes(inode, mode))
    }

    async fn open(&self, _: Inode, _: OpenFlags, _: &RequestContext) -> Result<FileInfo> {
        smol::future::yield_now().await;
        Ok(FileInfo {
            direct_io: true,
            ..FileInfo::default()
        })
    }

    async fn read(&self, _: FileRef, offset: u64, _: usize, _: &RequestContext) -> Result<Data> {
        match offset {
            0 => Ok("text".into()),
            _ => Ok(Data::empty()),
        }
    }

    async fn destroy(&self) {
        panic_quietly()
    }
}

#[test]
fn logger_that_panics_harms_no_request_and_no_session() {
    common::require_fuse!();
    log::set_logger(&LOGGER).expect("the only logger");
    log::set_max_level(log::LevelFilter::Trace);
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    for readers in [1, 3] {
        let dir = tempfile::tempdir().unwrap();
        let builder = Session::builder(Fs).reader_threads(readers);
        let session = builder.mount(dir.path()).unwrap();
        common::register_mount(dir.path().to_owned());
        let session = session.spawn().unwrap();
        for _ in 0..10 {
            let path = |name: &str| dir.path().join(name);
            assert_eq!(fs::read(path("file")).unwrap(), b"text");
            assert_eq!(common::errno(fs::metadata(path("missing"))), libc::ENOENT);
            for name in ["panics", "panics-later"] {
                assert_eq!(common::errno(fs::metadata(path(name))), libc::EIO);
            }
        }
        assert_eq!(session.unmount().unwrap(), ExitReason::Terminated);
    }
    assert!(LOGGER.0.load(Ordering::Relaxed) > 100);
}
