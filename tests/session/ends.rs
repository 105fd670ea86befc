//! Each way a mount can end, while a reader and a writer are at work.

use std::os::unix::fs::OpenOptionsExt;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::panic::resume_unwind;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
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

/// A session of this process, and what tells that nothing of it is left.
fn mount() -> (MountDir, Session<Fs>, Arc<AtomicBool>) {
    let dir = MountDir::new();
    let fs = Fs::default();
    let dropped = Arc::clone(&fs.dropped);
    let session = Session::builder(fs).mount(dir.path()).expect("mounted");
    common::register_mount(dir.path().to_owned());
    (dir, session, dropped)
}

/// Ends a session of this process under load, and checks what it says and leaves.
fn ends_by(client: Client, end: impl FnOnce(&MountDir, &BackgroundSession)) -> ExitReason {
    let _limit = TimeLimit::new(Duration::from_secs(30));
    let (dir, session, dropped) = mount();
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
    assert!(dropped.load(Ordering::Acquire), "leaked");
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

#[test]
fn drop_of_the_background_session() {
    common::require_fuse!();
    let _limit = TimeLimit::new(Duration::from_secs(30));
    let (dir, session, dropped) = mount();
    let session = session.spawn().expect("runs");
    let load = Load::start(&dir.join("data"), Client::Holding);
    drop(session);
    assert!(!common::is_mounted(dir.path()), "still mounted");
    assert_gone(load);
    assert!(dropped.load(Ordering::Acquire), "leaked");
}

/// Ends a session by a panic of the thread that has it.
fn ends_by_panic(panics: impl FnOnce(Session<Fs>, &MountDir)) {
    let _limit = TimeLimit::new(Duration::from_secs(30));
    let (dir, session, dropped) = mount();
    let result = catch_unwind(AssertUnwindSafe(|| panics(session, &dir)));
    let panic = result.expect_err("it panics");
    assert_eq!(*panic.downcast::<&str>().expect("a message"), PANIC);
    assert!(!common::is_mounted(dir.path()), "still mounted");
    assert!(dropped.load(Ordering::Acquire), "leaked");
    common::assert_quiet();
}

const PANIC: &str = "as the test has asked for";

/// Without a message and a backtrace.
fn panic_quietly() -> ! {
    resume_unwind(Box::new(PANIC))
}

#[test]
fn panic_with_a_session() {
    common::require_fuse!();
    ends_by_panic(|_session, _| panic_quietly());
}

#[test]
fn panic_beside_run() {
    common::require_fuse!();
    ends_by_panic(|mut session, dir| {
        let load = dir.join("data");
        let load = smol::unblock(move || Load::start(&load, Client::Holding));
        let panics = async {
            let _load = load.await;
            panic_quietly()
        };
        let (run, panics) = (pin!(session.run()), pin!(panics));
        let _never = smol::block_on(futures::future::select(run, panics));
    });
}

#[test]
fn panic_with_a_background_session() {
    common::require_fuse!();
    ends_by_panic(|session, dir| {
        let _session = session.spawn().expect("runs");
        let _load = Load::start(&dir.join("data"), Client::Holding);
        panic_quietly()
    });
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

/// Kills a server that has mounted with `auto_unmount`. Whether the mount goes away.
fn is_free_after_kill(server: &mut Process, dir: &MountDir, load: Option<Load>) -> bool {
    server.signal(Signal::KILL);
    assert!(!server.wait().success());
    if let Some(load) = load {
        assert_gone(load);
    }
    let is_free = || !common::is_mounted(dir.path());
    let is_free = common::wait_until(Duration::from_secs(2), is_free);
    if !is_free {
        common::unmount(dir.path(), true).unwrap();
    }
    is_free
}

/// Whether `attempt` succeeds once: fusermount3 looks once whether the mount is dead, perhaps just before it
/// is, and leaves it then.
fn succeeds_once(attempt: impl Fn(&MountDir) -> bool) -> bool {
    (0..5).any(|_| attempt(&MountDir::new()))
}

#[test]
fn kill_with_auto_unmount() {
    common::require_fuse!();
    if common::find_program("fusermount3").is_none() {
        common::skip("no fusermount3");
        return;
    }
    let _limit = TimeLimit::new(Duration::from_secs(60));
    assert!(succeeds_once(|dir| {
        let mut server = Process::auto_unmounting_server(dir);
        let load = Load::start(&dir.join("data"), Client::Holding);
        is_free_after_kill(&mut server, dir, Some(load))
    }));
}

#[test]
fn kill_with_auto_unmount_and_a_child_of_the_server() {
    common::require_fuse!();
    if common::find_program("fusermount3").is_none() {
        common::skip("no fusermount3");
        return;
    }
    let _limit = TimeLimit::new(Duration::from_secs(60));
    assert!(succeeds_once(|dir| {
        let (mut server, child) = Process::auto_unmounting_server_with_child(dir);
        let is_free = is_free_after_kill(&mut server, dir, None);
        assert!(child.is_alive(), "it shows nothing");
        is_free
    }));
}

/// libfuse leaves both behind, until the process ends.
#[test]
fn auto_unmount_leaves_no_process_and_no_descriptor() {
    common::require_fuse!();
    if common::find_program("fusermount3").is_none() {
        common::skip("no fusermount3");
        return;
    }
    if !std::path::Path::new("/proc/thread-self/children").exists() {
        common::skip("this kernel does not list child processes (CONFIG_PROC_CHILDREN)");
        return;
    }
    if !process::is_started_again() {
        let test = "ends::auto_unmount_leaves_no_process_and_no_descriptor";
        process::run_again(test);
        return;
    }
    let _limit = TimeLimit::new(Duration::from_secs(30));
    let mut descriptors = Vec::new();
    for unmount_outside in [false, true, false, true] {
        let dir = MountDir::new();
        let options = MountOptions::default().auto_unmount();
        let session = Session::builder(Fs::default()).options(options);
        let session = session.mount(dir.path()).unwrap().spawn().unwrap();
        common::register_mount(dir.path().to_owned());
        assert!(dir.join("data").exists());
        assert_ne!(children(), "", "no fusermount3");
        let reason = match unmount_outside {
            true => {
                process::unmount("fusermount3", &["-u"], dir.path());
                session.join()
            }
            false => session.unmount(),
        };
        reason.unwrap();
        assert!(!common::is_mounted(dir.path()));
        assert_eq!(children(), "");
        descriptors.push(std::fs::read_dir("/proc/self/fd").unwrap().count());
    }
    // The first session makes what sessions have in common.
    assert!(
        descriptors.windows(2).all(|pair| pair[0] == pair[1]),
        "{descriptors:?}"
    );
}

/// A request there would not be replied to.
#[test]
fn mount_with_auto_unmount_sends_no_request_for_an_open_file_of_another_mount() {
    common::require_fuse!();
    if common::find_program("fusermount3").is_none() {
        common::skip("no fusermount3");
        return;
    }
    let _limit = TimeLimit::new(Duration::from_secs(30));
    let (unserved, dir) = (MountDir::new(), MountDir::new());
    let first = Session::builder(Fs::default()).mount(unserved.path());
    let first = first.unwrap();
    common::register_mount(unserved.path().to_owned());
    let path = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_PATH)
        .open(unserved.path())
        .unwrap();
    let options = MountOptions::default().auto_unmount();
    let second = Session::builder(Fs::default()).options(options);
    let second = second.mount(dir.path()).unwrap();
    second.close(Unmount::Yes).unwrap();
    drop(path);
    first.close(Unmount::Yes).unwrap();
}

/// The child processes of this one.
fn children() -> String {
    let threads = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let children = threads.map(|thread| std::fs::read_to_string(thread.path().join("children")));
    children.flatten().collect()
}
