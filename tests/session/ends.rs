//! Each way a mount can end, while a reader and a writer are at work.

use std::sync::Arc;
use std::time::Duration;

use libfuse3::*;
use rustix::process::Signal;

use crate::common;
use crate::common::MountDir;
use crate::common::TimeLimit;
use crate::fs::Fs;
use crate::process;
use crate::process::Client;
use crate::process::Load;
use crate::process::Process;

/// What programs may see of a mount that goes away: the directory below has no such file; or the call
/// was cut off.
const GONE: [i32; 5] = [
    libc::ENOENT,
    libc::ENOTCONN,
    libc::ECONNABORTED,
    libc::EIO,
    libc::ENODEV,
];

#[track_caller]
fn assert_gone(load: Load) {
    let errors = load.ends();
    assert!(
        errors.iter().all(|error| GONE.contains(error)),
        "{errors:?}"
    );
}

/// Ends a session of this process under load, and checks what it says and leaves.
fn ends_by(client: Client, end: impl FnOnce(&MountDir, &BackgroundSession)) -> ExitReason {
    let _limit = TimeLimit::new(Duration::from_secs(30));
    let dir = MountDir::new();
    let fs = Fs::default();
    let dropped = Arc::clone(&fs.dropped);
    let session = Session::builder(fs).mount(dir.path()).expect("mounted");
    common::register_mount(dir.path().to_owned());
    let session = session.spawn().expect("runs");
    let load = Load::start(&dir.join("data"), client);
    end(&dir, &session);
    if client == Client::Holding {
        // A file that is kept open keeps the connection.
        session.handle().terminate();
    }
    let reason = session.join().expect("ended well");
    assert_gone(load);
    assert!(!common::is_mounted(dir.path()), "still mounted");
    assert!(dropped.load(std::sync::atomic::Ordering::Acquire), "leaked");
    reason
}

#[test]
fn umount() {
    common::require_fuse!();
    let reason = ends_by(Client::Reopening, |dir, _| {
        process::unmount("umount", &[], dir.path());
    });
    assert_eq!(reason, ExitReason::Unmounted);
}

#[test]
fn fusermount() {
    common::require_fuse!();
    let reason = ends_by(Client::Reopening, |dir, _| {
        process::unmount("fusermount3", &["-u"], dir.path());
    });
    assert_eq!(reason, ExitReason::Unmounted);
}

#[test]
fn lazy_umount() {
    common::require_fuse!();
    let reason = ends_by(Client::Reopening, |dir, _| {
        process::unmount("umount", &["-l"], dir.path());
    });
    assert_eq!(reason, ExitReason::Unmounted);
}

#[test]
fn lazy_umount_then_terminate_while_files_are_open() {
    common::require_fuse!();
    let reason = ends_by(Client::Holding, |dir, session| {
        process::unmount("umount", &["-l"], dir.path());
        assert!(!session.is_finished(), "files are open");
    });
    assert_eq!(reason, ExitReason::Terminated);
}

#[test]
fn terminate() {
    common::require_fuse!();
    let reason = ends_by(Client::Reopening, |_, session| session.handle().terminate());
    assert_eq!(reason, ExitReason::Terminated);
}

#[test]
fn terminate_twice() {
    common::require_fuse!();
    let reason = ends_by(Client::Reopening, |_, session| {
        let handle = session.handle();
        std::thread::spawn(move || handle.terminate());
        session.handle().terminate();
    });
    assert_eq!(reason, ExitReason::Terminated);
}

#[test]
fn abort() {
    common::require_fuse!();
    let reason = ends_by(Client::Reopening, |dir, _| process::abort(dir));
    assert_eq!(reason, ExitReason::Aborted);
}

#[test]
fn forced_umount() {
    common::require_fuse!();
    let reason = ends_by(Client::Reopening, |dir, _| {
        process::unmount("umount", &["-f"], dir.path());
    });
    // The connection is aborted first, and then the file system is unmounted.
    let either = [ExitReason::Unmounted, ExitReason::Aborted];
    assert!(either.contains(&reason), "{reason:?}");
}

/// Ends the session of another process under load.
fn server_ends_by(end: impl FnOnce(&MountDir, &Process)) -> String {
    let _limit = TimeLimit::new(Duration::from_secs(30));
    let dir = MountDir::new();
    let mut server = Process::server(&dir);
    let load = Load::start(&dir.join("data"), Client::Reopening);
    end(&dir, &server);
    let reason = server.next_line("server: ");
    assert!(server.wait().success());
    assert_gone(load);
    assert!(!common::is_mounted(dir.path()), "still mounted");
    reason
}

#[test]
fn signals() {
    common::require_fuse!();
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let reason = server_ends_by(|_, server| server.signal(signal));
        assert_eq!(reason, format!("Signal({})", signal.as_raw()));
    }
}

#[test]
fn kill() {
    common::require_fuse!();
    let _limit = TimeLimit::new(Duration::from_secs(30));
    let dir = MountDir::new();
    let mut server = Process::server(&dir);
    let load = Load::start(&dir.join("data"), Client::Reopening);
    server.signal(Signal::KILL);
    assert!(!server.wait().success());
    assert_gone(load);
    // The mount stays, and is dead.
    assert!(common::is_mounted(dir.path()));
    let error = std::fs::metadata(dir.join("data"));
    assert_eq!(common::errno(error), libc::ENOTCONN);
    let again = Session::builder(Fs::default()).mount(dir.path());
    let message = again.expect_err("it is in the way").to_string();
    assert!(message.contains("fusermount3 -u"), "{message}");
    process::unmount("fusermount3", &["-u"], dir.path());
    // And everything is as before.
    drop(Process::server(&dir));
    process::unmount("umount", &[], dir.path());
}
