//! What kernel and file system agree upon at the start, and the end.

use std::fs;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use libfuse3::Capabilities;
use libfuse3::ConnInfo;
use libfuse3::EntryAttributes;
use libfuse3::Errno;
use libfuse3::Error;
use libfuse3::Operations;
use libfuse3::Result;
use libfuse3::Session;
use libfuse3::SetattrFields;
use libfuse3::TimeOrNow;
use libfuse3::Timestamp;
use rustix::fs::AtFlags;
use rustix::fs::CWD;
use rustix::fs::Timespec;
use rustix::fs::Timestamps;

use crate::common;
use crate::common::MountDir;
use crate::common::Recorder;
use crate::common::TimeLimit;
use crate::common::assert_logged;
use crate::common::assert_quiet;
use crate::common::require_fuse;
use crate::common::wait_until;
use crate::scripted::Call;
use crate::scripted::Scripted;
use crate::scripted::answer;
use crate::scripted::file;
use crate::scripted::node;

/// A file system whose `init` is this.
pub(crate) fn with_init(
    init: impl Fn(&mut ConnInfo) -> Result<()> + Send + Sync + 'static,
) -> Scripted {
    let mut fs = Scripted::with_file(0);
    answer!(fs.init = init);
    fs
}

/// The [`ConnInfo`] that `init` is given, after it has done this with it.
pub(crate) fn conn_info_after(
    change: impl Fn(&mut ConnInfo) -> Result<()> + Send + Sync + 'static,
) -> ConnInfo {
    let seen = Arc::new(Mutex::new(None));
    let see = Arc::clone(&seen);
    let mounted = common::mount(with_init(move |conn| {
        let result = change(conn);
        *see.lock().unwrap() = Some(conn.clone());
        result
    }));
    fs::metadata(mounted.join("file")).unwrap();
    drop(mounted);
    seen.lock().unwrap().take().expect("init was called")
}

// ---- what is agreed upon -----------------------------------------------------------------------

#[test]
fn init_is_told_what_the_kernel_offers() {
    require_fuse!();
    let conn = conn_info_after(|_| Ok(()));
    let (major, minor) = conn.protocol();
    assert!(major == 7 && minor >= 23, "{major}.{minor}");
    assert!(conn.capable().contains(Capabilities::READDIRPLUS));
    assert!(conn.max_write() >= 4096 && conn.max_readahead() >= 4096);
    assert_eq!(conn.time_granularity(), Duration::from_nanos(1));
    assert_quiet();
}

#[test]
fn nothing_that_changes_what_handlers_see_is_wanted_by_default() {
    require_fuse!();
    let conn = conn_info_after(|_| Ok(()));
    let usual = Capabilities::ASYNC_READ
        | Capabilities::AUTO_INVAL_DATA
        | Capabilities::ASYNC_DIO
        | Capabilities::PARALLEL_DIROPS
        | Capabilities::READDIRPLUS
        | Capabilities::EXPORT_SUPPORT;
    assert_eq!(conn.wanted(), usual & conn.capable());
}

#[test]
fn the_constants_ask_for_capabilities() {
    struct Constants(Arc<Mutex<Capabilities>>);

    impl Operations for Constants {
        const SUPPORTS_DOT_LOOKUP: bool = false;
        const ENABLE_WRITEBACK_CACHE: bool = true;
        const ENABLE_ACL: bool = true;

        fn init(&self, conn: &mut ConnInfo) -> Result<()> {
            *self.0.lock().unwrap() = conn.wanted();
            Ok(())
        }
    }

    require_fuse!();
    let wanted = Arc::new(Mutex::new(Capabilities::empty()));
    let mounted = common::mount(Constants(Arc::clone(&wanted)));
    drop(fs::metadata(mounted.path()));
    let wanted = *wanted.lock().unwrap();
    assert!(wanted.contains(Capabilities::WRITEBACK_CACHE | Capabilities::POSIX_ACL));
    assert!(!wanted.contains(Capabilities::EXPORT_SUPPORT));
    assert_quiet();
}

#[test]
fn capabilities_can_be_wanted_and_not() {
    require_fuse!();
    let conn = conn_info_after(|conn| {
        conn.unwant(Capabilities::READDIRPLUS | Capabilities::WRITEBACK_CACHE);
        conn.want_if_capable(Capabilities::CACHE_SYMLINKS | NEVER);
        conn.want(Capabilities::DONT_MASK)
    });
    assert!(!conn.wanted().contains(Capabilities::READDIRPLUS));
    assert!(conn.wanted().contains(Capabilities::DONT_MASK));
    assert!(!conn.wanted().intersects(NEVER));
    assert_quiet();
}

/// A capability that no kernel has.
const NEVER: Capabilities = Capabilities::from_bits_retain(1 << 63);

#[test]
fn asking_for_what_is_not_offered_is_an_error() {
    require_fuse!();
    let conn = conn_info_after(|conn| {
        let before = conn.wanted();
        let both = Capabilities::DONT_MASK | NEVER;
        assert_eq!(conn.want(both), Err(Errno::EOPNOTSUPP));
        assert_eq!(conn.wanted(), before, "none of them is wanted");
        Ok(())
    });
    assert!(!conn.wanted().contains(Capabilities::DONT_MASK));
    assert_logged(&["does not offer", "0x8000000000000000"]);
}

#[test]
fn limits_stay_in_their_ranges() {
    require_fuse!();
    let conn = conn_info_after(|conn| {
        let (max_write, max_readahead) = (conn.max_write(), conn.max_readahead());
        conn.set_max_write(u32::MAX);
        assert_eq!(conn.max_write(), max_write);
        conn.set_max_write(1);
        assert_eq!(conn.max_write(), 4096);
        conn.set_max_readahead(u32::MAX);
        assert_eq!(conn.max_readahead(), max_readahead);
        conn.set_max_background(u32::MAX);
        assert_eq!(conn.max_background(), 65535);
        conn.set_congestion_threshold(u32::MAX);
        assert_eq!(conn.congestion_threshold(), 65535);
        for wrong in [0, 2, 20, 1_000_000_001] {
            let step = Duration::from_nanos(wrong);
            assert_eq!(conn.set_time_granularity(step), Err(Errno::EINVAL));
        }
        assert_eq!(conn.set_time_granularity(Duration::MAX), Err(Errno::EINVAL));
        Ok(())
    });
    assert_eq!(conn.time_granularity(), Duration::from_nanos(1));
    assert_quiet();
}

#[test]
fn the_kernel_reads_ahead_as_far_as_told() {
    require_fuse!();
    let mounted = common::mount(with_init(|conn| {
        conn.set_max_readahead(16 * 1024);
        Ok(())
    }));
    fs::metadata(mounted.path()).unwrap();
    let minor = mounted.connection();
    let setting = format!("/sys/class/bdi/0:{minor}/read_ahead_kb");
    match fs::read_to_string(&setting) {
        Ok(kilobytes) => assert_eq!(kilobytes.trim(), "16"),
        Err(error) => common::skip(format_args!("{setting}: {error}")),
    }
}

#[test]
fn times_are_rounded_to_the_granularity() {
    require_fuse!();
    let mut fs = with_init(|conn| conn.set_time_granularity(Duration::from_secs(1)));
    answer!(fs.setattr = |_, _| Ok(file(2)));
    let mounted = common::mount(fs);
    let time = Timespec {
        tv_sec: 1000,
        tv_nsec: 999_999_999,
    };
    let times = Timestamps {
        last_access: time,
        last_modification: time,
    };
    rustix::fs::utimensat(CWD, mounted.join("file"), &times, AtFlags::empty()).unwrap();
    let time = Some(TimeOrNow::Time(Timestamp::new(1000, 0)));
    let fields = SetattrFields {
        atime: time,
        mtime: time,
        ..SetattrFields::default()
    };
    let inode = libfuse3::Inode(2);
    mounted.ops.expect(Call::Setattr(inode, fields, None));
}

#[test]
fn targets_of_links_are_cached_if_wanted() {
    require_fuse!();
    let long = Duration::from_secs(100);
    for cached in [true, false] {
        let attr = EntryAttributes {
            size: 6,
            ..node(2, libc::S_IFLNK | 0o777).with_timeouts(long)
        };
        let mut fs = with_init(move |conn| {
            if cached {
                conn.want_if_capable(Capabilities::CACHE_SYMLINKS);
            }
            Ok(())
        })
        .with("link", attr);
        answer!(fs.readlink = || Ok("target".into()));
        let mounted = common::mount(fs);
        for _ in 0..3 {
            let target = fs::read_link(mounted.join("link")).unwrap();
            assert_eq!(target.as_os_str(), "target");
        }
        let asked = mounted.ops.count(|call| matches!(call, Call::Readlink(_)));
        assert_eq!(asked, if cached { 1 } else { 3 });
    }
}

// ---- a start that fails ------------------------------------------------------------------------

/// Mounts and runs a file system whose `init` fails; what came of it, and of a program that used it.
fn run_failing(
    init: impl Fn(&mut ConnInfo) -> Result<()> + Send + Sync + 'static,
) -> (Error, Arc<Scripted>) {
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    let dir = MountDir::new();
    let session = Session::builder(with_init(init)).mount(dir.path()).unwrap();
    common::register_mount(dir.path().to_owned());
    let fs = Arc::clone(session.operations());
    // Waits for INIT, and must not do so for ever. What it gets depends on who is faster.
    let path = dir.path().to_owned();
    let client = thread::spawn(move || drop(fs::metadata(path.join("file"))));
    let result = session.spawn().unwrap().join();
    client.join().unwrap();
    assert!(!common::is_mounted(dir.path()));
    (result.expect_err("init has failed"), fs)
}

#[test]
fn an_error_of_init_ends_the_session() {
    require_fuse!();
    let (error, fs) = run_failing(|_| Err(Errno::ENOMEDIUM));
    assert!(matches!(error, Error::Init(Errno::ENOMEDIUM)), "{error:?}");
    assert!(error.to_string().contains("No medium found"), "{error}");
    // What has not begun does not end.
    assert_eq!(fs.count(|call| matches!(call, Call::Destroy)), 0);
}

#[test]
fn a_capability_that_is_not_offered_ends_the_session_if_init_says_so() {
    require_fuse!();
    let (error, _) = run_failing(|conn| conn.want(NEVER));
    let text = error.to_string();
    assert!(matches!(error, Error::NotOffered { .. }), "{error:?}");
    let libfuse = libfuse3::libfuse_version();
    for part in ["0x8000000000000000", "does not offer", &libfuse] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    assert_logged(&["does not offer", "0x8000000000000000", &libfuse]);
}

#[test]
fn another_error_than_that_of_the_capability_is_told_as_it_is() {
    require_fuse!();
    let (error, _) = run_failing(|conn| {
        assert_eq!(conn.want(NEVER), Err(Errno::EOPNOTSUPP));
        Err(Errno::ENOMEDIUM)
    });
    assert!(matches!(error, Error::Init(Errno::ENOMEDIUM)), "{error:?}");
}

#[test]
fn a_panic_of_init_ends_the_session() {
    require_fuse!();
    let (error, fs) = run_failing(|_| std::panic::resume_unwind(Box::new("as asked for")));
    assert!(matches!(error, Error::Init(Errno::EIO)), "{error:?}");
    assert_eq!(fs.count(|call| matches!(call, Call::Destroy)), 0);
}

// ---- the end -----------------------------------------------------------------------------------

#[test]
fn destroy_comes_once_and_last() {
    require_fuse!();
    let mounted = common::mount(Scripted::with_file(0));
    let opened = File::open(mounted.join("file")).unwrap();
    assert_eq!(opened.metadata().unwrap().ino(), 2);
    drop(opened);
    let fs = Arc::clone(&mounted.ops);
    mounted.unmount();
    let calls = fs.calls_so_far();
    assert_eq!(calls.last(), Some(&Call::Destroy), "{calls:?}");
    let destroyed = calls.iter().filter(|call| matches!(call, Call::Destroy));
    assert_eq!(destroyed.count(), 1);
    assert_quiet();
}

#[test]
fn destroy_may_wait() {
    struct Slow(Recorder<&'static str>);

    impl Operations for Slow {
        async fn destroy(&self) {
            self.0.record("begins");
            smol::Timer::after(Duration::from_millis(20)).await;
            self.0.record("ends");
        }
    }

    require_fuse!();
    let mounted = common::mount(Slow(Recorder::new()));
    drop(fs::metadata(mounted.path()));
    let fs = Arc::clone(&mounted.ops);
    mounted.unmount();
    assert_eq!(fs.0.drain(), ["begins", "ends"]);
}

#[test]
fn the_file_system_is_dropped_with_the_session() {
    struct Dropped(Arc<Mutex<bool>>);

    impl Operations for Dropped {}

    impl Drop for Dropped {
        fn drop(&mut self) {
            *self.0.lock().unwrap() = true;
        }
    }

    require_fuse!();
    let dropped = Arc::new(Mutex::new(false));
    let mounted = common::mount(Dropped(Arc::clone(&dropped)));
    drop(fs::metadata(mounted.path()));
    drop(mounted);
    assert!(wait_until(common::PATIENCE, || *dropped.lock().unwrap()));
}
