//! How much, how long, how many: what is agreed upon with numbers; and what is offered at all.

use std::ffi::OsStr;
use std::fs;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use libfuse3::Capabilities;
use libfuse3::ConnInfo;
use libfuse3::EntryAttributes;
use libfuse3::Errno;
use libfuse3::Error;
use libfuse3::ExitReason;
use libfuse3::FileRef;
use libfuse3::Inode;
use libfuse3::MountOptions;
use libfuse3::Operations;
use libfuse3::RequestContext;
use libfuse3::Result;

use crate::common;
use crate::common::Client;
use crate::common::Gate;
use crate::common::Recorder;
use crate::common::TimeLimit;
use crate::common::assert_logged;
use crate::common::assert_quiet;
use crate::common::errno;
use crate::common::require_fuse;
use crate::common::wait_until;
use crate::init::conn_info_after;
use crate::init::with_init;
use crate::scripted::Call;
use crate::scripted::Scripted;
use crate::scripted::answer;
use crate::scripted::dir;

/// Mounts, and reads the control file system's value of this name.
fn connection_value_after(
    name: &str,
    change: impl Fn(&mut ConnInfo) -> Result<()> + Send + Sync + 'static,
) -> String {
    let mounted = common::mount(with_init(change));
    fs::metadata(mounted.join("file")).unwrap();
    common::connection_value(mounted.connection(), name)
}

#[test]
fn the_kernel_knows_the_number_of_background_requests() {
    require_fuse!();
    common::require_fusectl!();
    let background = |conn: &mut ConnInfo| {
        conn.set_max_background(40);
        Ok(())
    };
    assert_eq!(connection_value_after("max_background", background), "40");
    // libfuse says three quarters.
    assert_eq!(
        connection_value_after("congestion_threshold", background),
        "30"
    );
    let both = |conn: &mut ConnInfo| {
        conn.set_max_background(40);
        conn.set_congestion_threshold(17);
        Ok(())
    };
    assert_eq!(connection_value_after("congestion_threshold", both), "17");
    let too_much = |conn: &mut ConnInfo| {
        conn.set_max_background(40);
        conn.set_congestion_threshold(41);
        Ok(())
    };
    assert_eq!(
        connection_value_after("congestion_threshold", too_much),
        "40"
    );
    // The kernel's own.
    assert_eq!(connection_value_after("max_background", |_| Ok(())), "12");
    let ignored = |conn: &mut ConnInfo| {
        conn.set_congestion_threshold(3);
        Ok(())
    };
    assert_eq!(connection_value_after("congestion_threshold", ignored), "9");
}

#[test]
fn writes_are_no_larger_than_told() {
    require_fuse!();
    const MAX_WRITE: u32 = 16 * 1024;
    let mut fs = with_init(|conn| {
        conn.set_max_write(MAX_WRITE);
        Ok(())
    });
    answer!(fs.write = |_, data| Ok(data.len()));
    let mounted = common::mount(fs);
    let mut file = File::options()
        .write(true)
        .open(mounted.join("file"))
        .unwrap();
    file.write_all(&vec![1; 50_000]).unwrap();
    let sizes = mounted.ops.calls_so_far().into_iter().filter_map(|call| {
        let Call::Write(_, _, data, _) = call else {
            return None;
        };
        Some(data.len())
    });
    let sizes: Vec<_> = sizes.collect();
    // The kernel may send less where the program's memory is not at hand.
    assert_eq!(sizes.iter().max(), Some(&16384), "{sizes:?}");
    assert_eq!(sizes.iter().sum::<usize>(), 50_000, "{sizes:?}");
}

#[test]
fn reads_are_no_larger_than_the_mount_option_says() {
    require_fuse!();
    let mut fs = Scripted::with_file(100_000);
    answer!(
        fs.init = |conn| {
            assert_eq!(conn.max_read(), 16384);
            Ok(())
        }
    );
    answer!(fs.read = |_, size| Ok(vec![b'r'; size].into()));
    let mounted = common::mount_with(fs, |builder| {
        builder.options(MountOptions::default().max_read(16384))
    });
    assert_eq!(fs::read(mounted.join("file")).unwrap().len(), 100_000);
    let calls = mounted.ops.calls_so_far();
    let sizes = calls.iter().filter_map(|call| match call {
        Call::Read(_, _, size) => Some(*size),
        _ => None,
    });
    assert_eq!(sizes.max(), Some(16384));
    assert_quiet();
}

#[test]
fn the_stacking_of_backing_files_has_its_limits() {
    require_fuse!();
    let conn = conn_info_after(|conn| {
        let mut set = |depth| conn.set_max_backing_stack_depth(depth);
        if cfg!(libfuse_since = "3.17") && conn_offers(&set(0)) {
            assert_eq!(set(1), Ok(()));
            assert_eq!(set(2), Err(Errno::EINVAL));
        } else {
            assert_eq!(set(0), Err(Errno::EOPNOTSUPP));
            assert_eq!(set(2), Err(Errno::EOPNOTSUPP));
        }
        Ok(())
    });
    if conn.capable().contains(Capabilities::PASSTHROUGH) {
        assert_eq!(conn.max_backing_stack_depth(), 1);
    } else {
        assert_logged(&["does not offer", "max_backing_stack_depth"]);
        assert_eq!(conn.max_backing_stack_depth(), 0);
    }
}

/// Whether the kernel has what libfuse has.
fn conn_offers(result: &Result<()>) -> bool {
    *result != Err(Errno::EOPNOTSUPP)
}

#[test]
fn interruptions_can_be_kept_away() {
    struct Interruptible {
        gate: Arc<Gate>,
        interrupted: Recorder<bool>,
    }

    impl Operations for Interruptible {
        fn init(&self, conn: &mut ConnInfo) -> Result<()> {
            let result = conn.set_no_interrupt(true);
            assert_eq!(result.is_ok(), cfg!(libfuse_since = "3.17"));
            assert_eq!(conn.no_interrupt(), result.is_ok());
            Ok(())
        }

        async fn getattr(
            &self,
            _: Inode,
            _: Option<FileRef>,
            _: &RequestContext,
        ) -> Result<EntryAttributes> {
            Ok(dir(1))
        }

        async fn lookup(
            &self,
            _: Inode,
            _: &OsStr,
            ctx: &RequestContext,
        ) -> Result<EntryAttributes> {
            self.gate.pass().await;
            self.interrupted.record(ctx.is_interrupted());
            Err(Errno::ENOENT)
        }
    }

    require_fuse!();
    let mounted = common::mount(Interruptible {
        gate: Gate::new(),
        interrupted: Recorder::new(),
    });
    let gate = &mounted.ops.gate;
    let _opened = gate.open_at_end();
    let path = mounted.join("name");
    let client = Client::start(move || fs::metadata(path));
    gate.wait_for(1);
    client.interrupt();
    // The kernel queues the interruption first, then waits in another way.
    let stat = format!("/proc/self/task/{}/stat", client.id.as_raw_pid());
    let is_queued = || fs::read_to_string(&stat).unwrap().contains(") D ");
    assert!(wait_until(common::PATIENCE, is_queued));
    // It is received before any other request.
    fs::metadata(mounted.path()).unwrap();
    gate.open();
    let interrupted = !cfg!(libfuse_since = "3.17");
    mounted.ops.interrupted.expect(interrupted);
    assert_eq!(errno(client.result()), libc::ENOENT);
}

#[test]
fn requests_without_an_answer_end_the_connection_after_their_timeout() {
    struct Hanging(Arc<Gate>);

    impl Operations for Hanging {
        fn init(&self, conn: &mut ConnInfo) -> Result<()> {
            conn.set_request_timeout(Duration::from_millis(900))?;
            assert_eq!(conn.request_timeout(), Some(Duration::from_secs(1)));
            for wrong in [Duration::ZERO, Duration::from_secs(65536), Duration::MAX] {
                assert_eq!(conn.set_request_timeout(wrong), Err(Errno::EINVAL));
            }
            Ok(())
        }

        async fn getattr(
            &self,
            _: Inode,
            _: Option<FileRef>,
            _: &RequestContext,
        ) -> Result<EntryAttributes> {
            self.0.pass().await;
            Err(Errno::EIO)
        }
    }

    require_fuse!();
    // The kernel looks every 15 seconds.
    let _limit = TimeLimit::new(Duration::from_secs(90));
    let mounted = common::mount_with(Hanging(Gate::new()), |builder| {
        builder.shutdown_timeout(Duration::from_millis(10))
    });
    let path = mounted.path().to_owned();
    let client = thread::spawn(move || fs::metadata(path));
    match mounted.join_session() {
        Ok(reason) => {
            assert_eq!(reason, ExitReason::Aborted);
            let error = errno(client.join().unwrap());
            let expected = [libc::ECONNABORTED, libc::ENOTCONN];
            assert!(expected.contains(&error), "{error}");
        }
        Err(Error::NotOffered { what, .. }) => {
            assert_eq!(what, "request_timeout");
            // It may have come too late to meet the mount.
            drop(client.join().unwrap());
        }
        Err(error) => panic!("{error:?}"),
    }
}

#[test]
fn each_capability_that_is_offered_can_be_wanted() {
    require_fuse!();
    let all = Capabilities::all()
        .iter_names()
        .map(|(_, capability)| capability);
    let offered = conn_info_after(|_| Ok(())).capable();
    for capability in all.filter(|capability| offered.contains(*capability)) {
        if capability == Capabilities::OVER_IO_URING {
            continue;
        }
        let conn = conn_info_after(move |conn| conn.want(capability));
        assert!(conn.wanted().contains(capability), "{capability}");
    }
    assert_quiet();
}

#[test]
fn what_is_offered_by_libfuse_follows_its_version() {
    require_fuse!();
    let conn = conn_info_after(|_| Ok(()));
    let offered = |capability| conn.capable().contains(capability);
    let since = |libfuse: bool, minor| libfuse && conn.protocol() >= (7, minor);
    for (capability, expected) in [
        (Capabilities::ASYNC_READ, true),
        (
            Capabilities::EXPIRE_ONLY,
            since(cfg!(libfuse_since = "3.13"), 38),
        ),
        (
            Capabilities::SETXATTR_EXT,
            since(cfg!(libfuse_since = "3.15"), 33),
        ),
        (
            Capabilities::HANDLE_KILLPRIV_V2,
            since(cfg!(libfuse_since = "3.17"), 33),
        ),
        (
            Capabilities::DIRECT_IO_ALLOW_MMAP,
            since(cfg!(libfuse_since = "3.17"), 39),
        ),
        (
            Capabilities::PASSTHROUGH,
            since(cfg!(libfuse_since = "3.17"), 40),
        ),
        (
            Capabilities::NO_EXPORT_SUPPORT,
            // Before libfuse 3.17 this library does it.
            since(true, 40),
        ),
    ] {
        assert_eq!(offered(capability), expected, "{capability}");
    }
    assert_quiet();
}

#[test]
fn io_uring_is_not_for_init_to_decide() {
    require_fuse!();
    let conn = conn_info_after(|conn| {
        let asked = conn.want(Capabilities::OVER_IO_URING);
        assert_eq!(asked, Err(Errno::EOPNOTSUPP));
        conn.want_if_capable(Capabilities::OVER_IO_URING);
        Ok(())
    });
    assert!(!conn.wanted().contains(Capabilities::OVER_IO_URING));
    assert_logged(&["does not offer", "OVER_IO_URING"]);
}

#[test]
fn without_export_support_there_are_no_file_handles() {
    require_fuse!();
    let handle_of = |exported: bool| {
        let mounted = common::mount(with_init(move |conn| {
            if !exported {
                conn.want_if_capable(Capabilities::NO_EXPORT_SUPPORT);
            }
            Ok(())
        }));
        let path = mounted.join("file");
        fs::metadata(&path).unwrap();
        let offered = mounted.ops.conn_info().unwrap().capable();
        (common::name_to_handle(&path), offered)
    };
    let (handle, offered) = handle_of(true);
    assert_eq!(handle, Ok(()));
    if offered.contains(Capabilities::NO_EXPORT_SUPPORT) {
        let (handle, _) = handle_of(false);
        assert_eq!(handle, Err(Errno::EOPNOTSUPP));
    } else {
        common::skip("NO_EXPORT_SUPPORT is not offered");
    }
}
