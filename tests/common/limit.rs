//! Tests end, even if a file system does not answer.

use std::cell::RefCell;
use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;

use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::mount::UnmountFlags;
use rustix::mount::unmount;
use rustix::process::geteuid;

use super::mountinfo_of;
use super::say;
use super::test_name;

/// How long a test has to come to its end once its connections are aborted.
const GRACE: Duration = Duration::from_secs(15);

/// A test must end before this does: drop it in time.
///
/// When the time is up, the FUSE connections that this thread has made since are aborted, so that all
/// system calls on them fail, and so does the test. If even that does not end it, the process is
/// aborted.
#[must_use = "the limit ends when this is dropped"]
pub(crate) struct TimeLimit {
    state: Arc<State>,
}

struct State {
    test: String,
    limit: Duration,
    progress: Mutex<Progress>,
    changed: Condvar,
}

#[derive(Default)]
struct Progress {
    done: bool,
    expired: bool,
    connections: Vec<Connection>,
}

/// A mount, and the number of its connection.
struct Connection {
    path: PathBuf,
    device: Option<(u32, u32)>,
}

thread_local! {
    /// The limits that this thread has set, innermost last.
    static LIMITS: RefCell<Vec<Arc<State>>> = const { RefCell::new(Vec::new()) };
}

impl TimeLimit {
    pub(crate) fn new(limit: Duration) -> Self {
        let state = Arc::new(State {
            test: test_name(),
            limit,
            progress: Mutex::default(),
            changed: Condvar::new(),
        });
        LIMITS.with_borrow_mut(|limits| limits.push(Arc::clone(&state)));
        let watched = Arc::clone(&state);
        thread::Builder::new()
            .name("time-limit".to_owned())
            .spawn(move || watched.watch())
            .expect("a thread for the time limit");
        Self { state }
    }

    /// The limit that this thread has set; else a new one.
    pub(super) fn current_or_new(limit: Duration) -> Option<Self> {
        let none = LIMITS.with_borrow(Vec::is_empty);
        none.then(|| Self::new(limit))
    }
}

/// Has the mount on `path` aborted when the time of this thread is up.
pub(crate) fn register_mount(path: PathBuf) {
    let device = mountinfo_of(&path).map(|mount| mount.device);
    LIMITS.with_borrow(|limits| {
        for state in limits {
            let (path, device) = (path.clone(), device);
            state.lock().connections.push(Connection { path, device });
        }
    });
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self) {
        if self.is_done_within(self.limit) {
            return;
        }
        let Self { test, limit, .. } = self;
        say(format_args!(
            "{test}: not done after {limit:?}: aborting its mounts"
        ));
        {
            let mut progress = self.lock();
            progress.expired = true;
            for connection in &progress.connections {
                connection.abort();
            }
        }
        if !self.is_done_within(GRACE) {
            say(format_args!("{test}: still not done: aborting the process"));
            abort_process();
        }
    }

    fn is_done_within(&self, limit: Duration) -> bool {
        let waited = self
            .changed
            .wait_timeout_while(self.lock(), limit, |progress| !progress.done);
        waited.unwrap_or_else(PoisonError::into_inner).0.done
    }
}

impl Drop for TimeLimit {
    fn drop(&mut self) {
        let expired = {
            let mut progress = self.state.lock();
            progress.done = true;
            progress.expired
        };
        self.state.changed.notify_all();
        LIMITS.with_borrow_mut(|limits| limits.retain(|state| !Arc::ptr_eq(state, &self.state)));
        if expired && !thread::panicking() {
            panic!("not done after {:?}", self.state.limit);
        }
    }
}

impl Connection {
    fn abort(&self) {
        // The path may have been mounted on again; the connection's number would be another one.
        let now = mountinfo_of(&self.path).map(|mount| mount.device);
        if self.device.is_none() || now != self.device {
            return;
        }
        if let Err(error) = abort_connection(&self.path) {
            say(format_args!("{:?} cannot be aborted: {error}", self.path));
        }
    }
}

/// Ends the process while threads of it wait for file systems that it serves itself.
///
/// Such a thread does not even end when it is killed, and the kernel closes no descriptor before all
/// threads have ended: so the connections have to go first. Whoever reads from one holds on to it until
/// the end of the process interrupts the read.
fn abort_process() -> ! {
    let null = fs::File::open("/dev/null").expect("/dev/null");
    for entry in fs::read_dir("/proc/self/fd")
        .expect("/proc/self/fd")
        .flatten()
    {
        let is_connection =
            fs::read_link(entry.path()).is_ok_and(|file| file == Path::new("/dev/fuse"));
        let number = entry.file_name().into_string().ok();
        if let Some(number) = number
            .filter(|_| is_connection)
            .and_then(|number| number.parse().ok())
        {
            // SAFETY: it is open. Those who use it are about to end, and find an empty file at worst.
            unsafe { libc::dup2(null.as_raw_fd(), number) };
        }
    }
    std::process::abort()
}

/// Whether this process can abort the connections of its mounts.
pub(crate) fn can_abort() -> bool {
    let mounts = super::mountinfo();
    geteuid().is_root() || mounts.lines().any(|mount| mount.contains(" - fusectl "))
}

/// Aborts the connection of a mount: all its requests fail, those to come included.
pub(super) fn abort_connection(path: &Path) -> io::Result<()> {
    let Some(mount) = mountinfo_of(path) else {
        return Ok(());
    };
    let switch = format!("/sys/fs/fuse/connections/{}/abort", mount.connection());
    if fs::write(switch, "1").is_ok() {
        return Ok(());
    }
    // As `umount -f`: the kernel aborts the connection first, then finds the mount busy. Whoever has waited may
    // be gone by then, and the mount would go, too; so it is held here, which asks nothing of its server.
    let _held = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
    match unmount(path, UnmountFlags::FORCE) {
        Ok(()) | Err(Errno::BUSY) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
