//! Mountpoints: checks before the mount, the search for the mount and the unmount at the end.

mod check;
mod diagnose;

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use super::Unmount;
use crate::Error;
use crate::MountOptions;
use crate::logging;
use crate::mountinfo::Device;
use crate::mountinfo::Mount;
use crate::mountinfo::MountTable;
use crate::mountinfo::connection;
use crate::mountinfo::is_shortage;
use crate::raw::RawSession;
use crate::raw::sys;
use crate::raw::sys::MountedAt;

/// The mounts of this process that no reader serves: a system call for a path through one of them waits for
/// ever.
static UNSERVED: Mutex<Vec<Device>> = Mutex::new(Vec::new());

fn unserved() -> MutexGuard<'static, Vec<Device>> {
    UNSERVED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many times a session unmounts: a file system may be mounted on many paths, by bind mounts.
const MAX_UNMOUNTS: usize = 1000;

/// How many times, and how often, fusermount3 is started again while the user may have no more processes.
const HELPER_ATTEMPTS: usize = 10;
const HELPER_INTERVAL: Duration = Duration::from_millis(50);

/// The mountpoint of a session, and the mount.
///
/// The descriptors for finding the mount and for aborting its connection are opened when the session is
/// mounted: at the end, the process may have none left.
#[derive(Debug)]
pub(super) struct Mountpoint {
    /// As the caller spelled it.
    given: PathBuf,
    /// Absolute, without symbolic links.
    path: PathBuf,
    /// `None` without a /proc: then the mount is looked for on `path` only.
    table: Option<MountTable>,
    /// The mount on `path` before the session's: if it is the topmost again, the session's mount is gone.
    below: Option<MountedAt>,
    /// `None` before the mount, and if the mount was not found.
    mount: Option<OwnMount>,
    /// The file system was found to be unmounted. A later mount on the path is not the session's, even if
    /// it has the same device number.
    gone: AtomicBool,
}

/// The identity of a session's mount.
#[derive(Debug)]
struct OwnMount {
    device: Device,
    /// The number in the table of mounts, which the kernel gives to another mount after this one.
    id: Option<u64>,
    /// The number that no other mount ever has; `None` before Linux 6.8.
    unique_id: Option<u64>,
    /// The user and group that mounted. The kernel lets no other user look at the mount, unless that is
    /// allowed.
    owner: (u32, u32),
    /// `/sys/fs/fuse/connections/N/abort`. `None` if fusectl is not mounted.
    abort: Option<File>,
}

impl Mountpoint {
    fn new(given: &Path, path: PathBuf, table: Option<MountTable>) -> Self {
        Self {
            given: given.to_owned(),
            path,
            table,
            below: None,
            mount: None,
            gone: AtomicBool::new(false),
        }
    }

    /// The mountpoint of a session that is not mounted.
    pub(super) fn none() -> Self {
        Self::new(Path::new(""), PathBuf::new(), None)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Mounts the session here, with up to `clones` cloned descriptors.
    pub(super) fn mount(
        mut self,
        raw: &Arc<RawSession>,
        options: &MountOptions,
        clones: usize,
    ) -> Result<Self, Error> {
        self.below = mounted_at(&self.path);
        raw.mount(&self.path, clones)
            .map_err(|message| Error::Mount {
                path: self.given.clone(),
                message: diagnose::explain(message, &self.path, options),
            })?;
        if raw.has_mounted() {
            self.find(raw)?;
        }
        self.set_served(false);
        Ok(self)
    }

    /// Finds the session's mount, and opens the files that its end needs. Unmounts on failure.
    ///
    /// Another program may unmount meanwhile: then the topmost mount on the path is not the session's.
    fn find(&mut self, raw: &RawSession) -> Result<(), Error> {
        let mounts = self.table.as_ref().map(MountTable::read).transpose();
        let found = mounts.and_then(|mounts| {
            let there = mounted_at(&self.path).filter(|there| self.below != Some(*there));
            let mount = mounts
                .as_ref()
                .and_then(|mounts| mounts.fuse_mount(&self.path));
            // The table lacks the mount if the thread has changed its namespace or root directory.
            let device = mount.map(|mount| mount.device);
            let Some(device) = device.or(there.map(|there| there.device)) else {
                return Ok(None);
            };
            Ok(Some(OwnMount {
                device,
                id: mount.map(|mount| mount.id),
                unique_id: there
                    .filter(|there| there.device == device)
                    .and_then(|there| there.unique_id),
                owner: sys::effective_ids(),
                abort: open_abort(device)?,
            }))
        });
        match found {
            Ok(mount) => {
                // A table without the mount would make it look unmounted.
                let is_in_table = |mount: &OwnMount| mount.id.is_some();
                self.table
                    .take_if(|_| !mount.as_ref().is_some_and(is_in_table));
                self.mount = mount;
            }
            Err(error) => {
                raw.disconnect();
                self.unmount(raw)?;
                return Err(Error::Mount {
                    path: self.given.clone(),
                    message: format!("cannot open what unmounting needs: {error}"),
                });
            }
        }
        Ok(())
    }

    /// Records whether readers serve this mount, for later mounts of this process.
    pub(super) fn set_served(&self, served: bool) {
        let Some(mount) = &self.mount else { return };
        let mut unserved = unserved();
        unserved.retain(|device| *device != mount.device);
        if !served && !self.is_gone() {
            unserved.push(mount.device);
        }
    }

    /// Looks whether the file system is still mounted. If not, remembers it, since another file system may
    /// get its device number and its path.
    pub(super) fn look(&self, raw: &RawSession) {
        if let Err(error) = self.paths(raw) {
            logging::debug!("{:?} counts as mounted: {error}", self.path);
        }
    }

    /// The paths on which the file system is mounted in its mount namespace: the mount may have been moved or
    /// renamed, and there may be bind mounts. None means unmounted, which is remembered.
    fn paths(&self, raw: &RawSession) -> io::Result<Vec<PathBuf>> {
        let Some(mount) = &self.mount else {
            if self.below.is_some() && mounted_at(&self.path) == self.below {
                self.set_gone();
            }
            let is_known = !self.path.as_os_str().is_empty();
            let is_mounted = is_known && raw.has_mounted() && !self.is_gone();
            return Ok(Vec::from_iter(is_mounted.then(|| self.path.clone())));
        };
        if self.is_gone() {
            return Ok(Vec::new());
        }
        let paths = match &self.table {
            Some(table) => {
                let mut mounts = table.read()?.of_fuse_device(mount.device);
                if mounts.is_empty() {
                    // Linux before 5.8 may leave out a mount while others are unmounted.
                    mounts = table.read()?.of_fuse_device(mount.device);
                }
                // As long as the connection lasts, no other file system has its device number.
                match raw.is_connected() == Some(true)
                    || mounts.iter().any(|found| mount.is_same(found, &self.path))
                {
                    true => mounts.into_iter().map(|mount| mount.path).collect(),
                    false => Vec::new(),
                }
            }
            None => {
                let is_there = match look_at(&self.path) {
                    Ok(there) => mount.is_at(there),
                    Err(error) if is_denied(&error) => !mount.is_of_other_user_if_denied(),
                    Err(_) => mount.unique_id.is_none(),
                };
                Vec::from_iter(is_there.then(|| self.path.clone()))
            }
        };
        if paths.is_empty() {
            self.set_gone();
        }
        Ok(paths)
    }

    fn set_gone(&self) {
        self.gone.store(true, Ordering::Release);
        self.set_served(true);
    }

    fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// Whether the file system is mounted. If that cannot be determined, it counts as mounted.
    pub(super) fn is_mounted(&self, raw: &RawSession) -> bool {
        self.mount.is_some() && !self.paths(raw).is_ok_and(|paths| paths.is_empty())
    }

    /// Aborts the connection: all requests fail, and threads that wait for a reply return. Without the
    /// `abort` file this takes `umount -f`, which may also unmount.
    pub(super) fn abort(&self, raw: &RawSession, unmount: Unmount) {
        raw.shut_down();
        let Some(mount) = self
            .mount
            .as_ref()
            .filter(|_| raw.is_connected() != Some(false))
        else {
            return;
        };
        // After the end of the connection, a write to the file has no effect.
        if let Some(mut switch) = mount.abort.as_ref()
            && switch.write_all(b"1").is_ok()
        {
            return;
        }
        if unmount == Unmount::Leave {
            return;
        }
        for path in self.paths(raw).unwrap_or_else(|_| vec![self.path.clone()]) {
            if mount.may_be_at(&path) {
                // EBUSY is fine: the kernel aborts the connection before it returns that.
                let result = c_path(&path).and_then(|path| sys::umount2(&path, libc::MNT_FORCE));
                logging::debug!("umount -f {path:?}, to abort its connection: {result:?}");
            }
        }
    }

    /// Unmounts the file system wherever it is still mounted in its mount namespace.
    pub(super) fn unmount(&self, raw: &RawSession) -> Result<(), Error> {
        let result = self.detach(raw);
        raw.end_auto_unmount(result.is_ok());
        match result {
            // fusermount3 has unmounted it just now.
            Err(_) if self.paths(raw).is_ok_and(|paths| paths.is_empty()) => Ok(()),
            result => result,
        }
    }

    fn detach(&self, raw: &RawSession) -> Result<(), Error> {
        let mut failure = None;
        for _ in 0..MAX_UNMOUNTS {
            let paths = match self.paths(raw) {
                Ok(paths) => paths,
                Err(error) => {
                    failure = Some(format!("cannot read the table of mounts: {error}"));
                    vec![self.path.clone()]
                }
            };
            // The topmost first. One per round: with shared mounts, one umount2(2) may remove several.
            let mut from_top = paths.iter().rev();
            let Some(first) = from_top.next() else {
                return Ok(());
            };
            let unmounted = [first].into_iter().chain(from_top).any(|path| {
                let result = self.unmount_at(path);
                result.map_err(|reason| failure = Some(reason)).is_ok()
            });
            if unmounted && (self.mount.is_none() || self.table.is_none()) {
                self.set_gone();
                return Ok(());
            }
            if !unmounted {
                // Another program may have unmounted it meanwhile.
                if self.paths(raw).is_ok_and(|paths| paths.is_empty()) {
                    return Ok(());
                }
                let reason = failure.unwrap_or_default();
                let path = first.clone();
                return Err(Error::StillMounted { path, reason });
            }
        }
        let path = self.path.clone();
        let reason = format!("it was unmounted {MAX_UNMOUNTS} times, and is mounted again");
        Err(Error::StillMounted { path, reason })
    }

    fn unmount_at(&self, path: &Path) -> Result<(), String> {
        if let Some(mount) = &self.mount
            && !mount.may_be_at(path)
        {
            return Err("another file system is mounted on top of it".to_owned());
        }
        let flags = libc::MNT_DETACH | libc::UMOUNT_NOFOLLOW;
        match c_path(path).and_then(|path| sys::umount2(&path, flags)) {
            Ok(()) => Ok(()),
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => unmount_by_helper(path),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl OwnMount {
    /// Whether this entry of the table is the session's mount, whose connection has ended. Another mount may
    /// have got its number, its device and even its path meanwhile.
    fn is_same(&self, found: &Mount, path: &Path) -> bool {
        if self.id != Some(found.id) {
            return false;
        }
        match look_at(&found.path) {
            _ if self.unique_id.is_none() => found.path == path,
            // A mount on top of it hides whether it is the session's.
            Ok(there) => there.device != self.device || self.is_at(there),
            Err(error) if is_denied(&error) => {
                found.path == path && !self.is_of_other_user_if_denied()
            }
            // A mount on a directory above hides it.
            Err(_) => true,
        }
    }

    /// Whether `EACCES` means that a mount is another user's: the kernel lets root look at the mounts of root,
    /// through any directory, and this process still is root if it was. For other users, and after
    /// privileges were dropped, the mount may be the session's.
    fn is_of_other_user_if_denied(&self) -> bool {
        let ids = sys::effective_ids();
        ids.0 == 0 && ids == self.owner
    }

    fn is_at(&self, there: MountedAt) -> bool {
        self.device == there.device
            && match (self.unique_id, there.unique_id) {
                (Some(ours), Some(found)) => ours == found,
                _ => true,
            }
    }

    /// Whether the topmost mount on this path is of this file system. If the kernel does not say, it is.
    fn may_be_at(&self, path: &Path) -> bool {
        mounted_at(path).is_none_or(|there| there.device == self.device)
    }
}

impl Drop for Mountpoint {
    fn drop(&mut self) {
        self.set_served(true);
    }
}

fn c_path(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

fn look_at(path: &Path) -> io::Result<MountedAt> {
    sys::mounted_at(&c_path(path)?)
}

fn mounted_at(path: &Path) -> Option<MountedAt> {
    look_at(path).ok()
}

fn is_denied(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EACCES)
}

/// Opens the file that aborts the connection; `None` if there is none.
fn open_abort(device: Device) -> io::Result<Option<File>> {
    let switch = format!("/sys/fs/fuse/connections/{}/abort", connection(device));
    match File::options().write(true).open(switch) {
        Ok(file) => Ok(Some(file)),
        Err(error) if is_shortage(&error) => Err(error),
        Err(_) => Ok(None),
    }
}

fn unmount_by_helper(path: &Path) -> Result<(), String> {
    let Some(fusermount) = diagnose::find_fusermount() else {
        return Err("this user may not unmount, and there is no fusermount3".to_owned());
    };
    let mut attempts = 0..HELPER_ATTEMPTS;
    let status = loop {
        // The child keeps the standard input of this process: opening /dev/null would take a descriptor.
        let status = Command::new(&fusermount)
            .args(["-u", "-q", "-z", "--"])
            .arg(path)
            .status();
        // EAGAIN: the user has as many processes as the limit allows.
        let is_short = status
            .as_ref()
            .is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
        if !is_short || attempts.next().is_none() {
            break status;
        }
        thread::sleep(HELPER_INTERVAL);
    };
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("fusermount3: {status}")),
        Err(error) => Err(format!("cannot start fusermount3: {error}")),
    }
}
