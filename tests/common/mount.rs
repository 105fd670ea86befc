//! A mounted file system that goes away by itself.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use libfuse3::BackgroundSession;
use libfuse3::Error;
use libfuse3::ExitReason;
use libfuse3::Notifier;
use libfuse3::Operations;
use libfuse3::Session;
use libfuse3::SessionBuilder;
use libfuse3::SessionHandle;

use super::DEFAULT_LIMIT;
use super::TimeLimit;
use super::limit::abort_connection;
use super::limit::register_mount;
use super::log;
use super::unmount;

/// A file system that is mounted on a directory of its own, under the time limit of the test.
///
/// Unmounted when it is dropped; that nothing stays mounted is asserted.
pub(crate) struct Mounted<O: Operations> {
    /// The file system, to look at what its handlers were given.
    pub(crate) ops: Arc<O>,
    session: Option<BackgroundSession>,
    handle: SessionHandle,
    notifier: Notifier,
    path: PathBuf,
    /// Dropped last, so that unmounting is under the limit, too.
    _limit: Option<TimeLimit>,
}

/// An empty directory to mount on, for tests that make their session themselves, or have another
/// process mount.
///
/// Removed when it is dropped; that nothing stays mounted is asserted, and seen to if the test fails.
pub(crate) struct MountDir(PathBuf);

impl MountDir {
    pub(crate) fn new() -> Self {
        log::install();
        let dir = tempfile::Builder::new().prefix("libfuse3-").tempdir();
        let path = dir.and_then(|dir| dir.keep().canonicalize());
        Self(path.expect("a directory to mount on"))
    }

    /// A regular file to mount on.
    pub(crate) fn file() -> Self {
        log::install();
        let file = tempfile::Builder::new().prefix("libfuse3-").tempfile();
        let path = file.map(|file| file.into_temp_path().keep());
        Self(path.expect("a file").expect("a file to mount on"))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// A path in it.
    pub(crate) fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }

    /// The number of the connection in `/sys/fs/fuse/connections`.
    pub(crate) fn connection(&self) -> u32 {
        mountinfo_of(&self.0).expect("mounted").connection()
    }
}

impl Drop for MountDir {
    fn drop(&mut self) {
        let left = mountinfo_of(&self.0);
        if left.is_some() {
            drop(unmount(&self.0, true));
        }
        drop(fs::remove_dir(&self.0).or_else(|_| fs::remove_file(&self.0)));
        if !thread::panicking() {
            assert!(left.is_none(), "still mounted: {left:?}");
        }
    }
}

/// Mounts a file system with the default options.
pub(crate) fn mount<O: Operations>(ops: O) -> Mounted<O> {
    mount_with(ops, |builder| builder)
}

/// Mounts a file system with a session that is set up otherwise.
pub(crate) fn mount_with<O: Operations>(
    ops: O,
    configure: impl FnOnce(SessionBuilder<O>) -> SessionBuilder<O>,
) -> Mounted<O> {
    try_mount_with(ops, configure).expect("mounted")
}

/// As [`mount_with`], where it may fail.
pub(crate) fn try_mount_with<O: Operations>(
    ops: O,
    configure: impl FnOnce(SessionBuilder<O>) -> SessionBuilder<O>,
) -> Result<Mounted<O>, Error> {
    log::install();
    let limit = TimeLimit::current_or_new(DEFAULT_LIMIT);
    // Not removed by itself: removing what is in it would remove what is in the file system.
    let path = tempfile::Builder::new()
        .prefix("libfuse3-")
        .tempdir()
        .and_then(|dir| dir.keep().canonicalize())
        .expect("a directory to mount on");
    let session = configure(Session::builder(ops)).mount(&path);
    let session = session.inspect_err(|_| drop(fs::remove_dir(&path)))?;
    register_mount(path.clone());
    let ops = Arc::clone(session.operations());
    let session = session.spawn()?;
    Ok(Mounted {
        ops,
        handle: session.handle(),
        notifier: session.notifier(),
        session: Some(session),
        path,
        _limit: limit,
    })
}

impl<O: Operations> Mounted<O> {
    /// The mountpoint.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A path in the mount.
    pub(crate) fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }

    pub(crate) fn handle(&self) -> SessionHandle {
        self.handle.clone()
    }

    pub(crate) fn notifier(&self) -> Notifier {
        self.notifier.clone()
    }

    /// The number of the connection in `/sys/fs/fuse/connections`.
    pub(crate) fn connection(&self) -> u32 {
        mountinfo_of(&self.path).expect("mounted").connection()
    }

    /// Aborts the connection: all requests fail that have no answer, and all that are to come.
    pub(crate) fn abort(&self) {
        abort_connection(&self.path).expect("aborted");
    }

    /// Whether the session has ended by itself.
    pub(crate) fn is_finished(&self) -> bool {
        self.session
            .as_ref()
            .is_none_or(BackgroundSession::is_finished)
    }

    /// Ends the session.
    pub(crate) fn unmount(mut self) -> ExitReason {
        let session = self.session.take().expect("there until now");
        session.unmount().expect("unmounted")
    }

    /// Waits until the session has ended, which something else sees to.
    pub(crate) fn join_session(mut self) -> Result<ExitReason, Error> {
        self.session.take().expect("there until now").join()
    }
}

impl<O: Operations> Drop for Mounted<O> {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            let result = session.unmount();
            if !thread::panicking() {
                result.expect("the session ended well");
            }
        }
        let left = mountinfo_of(&self.path);
        if left.is_none() {
            drop(fs::remove_dir(&self.path));
        }
        if !thread::panicking() {
            assert!(left.is_none(), "still mounted: {left:?}");
        }
    }
}

/// What `/proc/self/mountinfo` has on a mount.
#[derive(Debug)]
pub(crate) struct MountInfo {
    /// Major and minor number of the device.
    pub(crate) device: (u32, u32),
    /// The type, such as `fuse.hello`.
    pub(crate) kind: String,
    /// What is mounted, as `fsname` says.
    pub(crate) source: String,
    /// Options of the mount and of its file system.
    pub(crate) options: String,
}

impl MountInfo {
    /// The number of the mount's connection in `/sys/fs/fuse/connections`: that of its device, as the
    /// kernel writes it. Just the minor number would be another mount's if this one is on a block device.
    pub(crate) fn connection(&self) -> u32 {
        let (major, minor) = self.device;
        major << 20 | minor
    }
}

/// `/proc/self/mountinfo` as this thread sees it. What is mounted there need not have names in UTF-8.
pub(crate) fn mountinfo() -> String {
    let mounts = fs::read("/proc/thread-self/mountinfo").expect("mountinfo");
    String::from_utf8_lossy(&mounts).into_owned()
}

/// A path as it stands there.
fn as_in_mountinfo(path: &Path) -> String {
    let mut escaped = Vec::new();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b' ' | b'\t' | b'\n' | b'\\' => escaped.extend(format!("\\{byte:03o}").bytes()),
            _ => escaped.push(*byte),
        }
    }
    String::from_utf8_lossy(&escaped).into_owned()
}

/// What is mounted on a path, as far as this thread sees.
pub(crate) fn mountinfo_of(path: &Path) -> Option<MountInfo> {
    let (mounts, path) = (mountinfo(), as_in_mountinfo(path));
    let mut lines = mounts.lines().rev();
    lines.find_map(|line| {
        // 36 35 98:0 /root /mountpoint options tag.. - type source superoptions
        let mut fields = line.split(' ');
        let (major, minor) = fields.nth(2)?.split_once(':')?;
        if fields.nth(1)? != path {
            return None;
        }
        let options = fields.next()?;
        let mut fields = fields.skip_while(|field| *field != "-").skip(1);
        let (kind, source) = (fields.next()?, fields.next()?);
        Some(MountInfo {
            device: (major.parse().ok()?, minor.parse().ok()?),
            kind: kind.to_owned(),
            source: source.to_owned(),
            options: format!("{options},{}", fields.next()?),
        })
    })
}

/// The line of `/proc/self/mountinfo` on a mount, without what differs between any two: numbers, the path,
/// propagation.
pub(crate) fn mountinfo_line(path: &Path) -> Option<String> {
    let (mounts, path) = (mountinfo(), as_in_mountinfo(path));
    let mut lines = mounts.lines().rev();
    lines.find_map(|line| {
        let (mount, about) = line.split_once(" - ")?;
        let fields: Vec<_> = mount.split(' ').collect();
        (fields[4] == path).then(|| format!("{} {} - {about}", fields[3], fields[5]))
    })
}
