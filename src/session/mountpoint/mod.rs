//! The directory that is mounted on: fit for it beforehand, free again afterwards.

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

/// The mounts of this process that nobody answers for: whoever asks the kernel for a path through one
/// of them waits for ever.
static UNSERVED: Mutex<Vec<Device>> = Mutex::new(Vec::new());

fn unserved() -> MutexGuard<'static, Vec<Device>> {
    UNSERVED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How often unmounting is repeated: a file system may be mounted on many paths, by bind mounts.
const MAX_UNMOUNTS: usize = 1000;

/// How often starting fusermount3 is tried again while the user may not have another process.
const HELPER_ATTEMPTS: usize = 10;
const HELPER_INTERVAL: Duration = Duration::from_millis(50);

/// Where a session is mounted.
///
/// What is needed to find the mount, to abort its connection and to unmount is opened when the session
/// is mounted: at its end, the process may have no descriptor left.
#[derive(Debug)]
pub(super) struct Mountpoint {
    /// As the caller spelled it.
    given: PathBuf,
    /// Absolute, without symbolic links.
    path: PathBuf,
    /// `None` without a /proc: then the file system is looked for on `path` alone.
    table: Option<MountTable>,
    /// What was mounted on `path` before: if it shows again, the session's mount is gone.
    below: Option<MountedAt>,
    /// The mount, once it is there.
    mount: Option<OwnMount>,
    /// The mount was seen to be no longer there. What then is mounted on the path is not ours, though
    /// it may have the same device number.
    gone: AtomicBool,
}

/// What tells a session's mount from others.
#[derive(Debug)]
struct OwnMount {
    device: Device,
    /// In the table of mounts. Other mounts may get it when this one is gone.
    id: Option<u64>,
    /// Of no other mount; `None` before Linux 6.8.
    unique_id: Option<u64>,
    /// The user and group that mounted. The kernel lets no other user look at the mount, unless that is
    /// allowed.
    owner: (u32, u32),
    /// `/sys/fs/fuse/connections/N/abort`. `None` where that file system is not mounted.
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

    /// That of a session that is not mounted.
    pub(super) fn none() -> Self {
        Self::new(Path::new(""), PathBuf::new(), None)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Mounts the session here, with `clones` more descriptors if they can be had.
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

    /// Finds out which mount is the session's own, and opens what its end needs; unmounts if that is
    /// not possible.
    ///
    /// Another program may unmount meanwhile. What was below shows then, and is not the session's.
    fn find(&mut self, raw: &RawSession) -> Result<(), Error> {
        let mounts = self.table.as_ref().map(MountTable::read).transpose();
        let found = mounts.and_then(|mounts| {
            let there = mounted_at(&self.path).filter(|there| self.below != Some(*there));
            let mount = mounts
                .as_ref()
                .and_then(|mounts| mounts.fuse_mount(&self.path));
            // It is not in the table if the thread has changed its namespace or root directory.
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
                // Without the mount in it, the table is of no use.
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

    /// Tells other mounts of this process whether somebody answers requests here.
    pub(super) fn set_served(&self, served: bool) {
        let Some(mount) = &self.mount else { return };
        let mut unserved = unserved();
        unserved.retain(|device| *device != mount.device);
        if !served && !self.is_gone() {
            unserved.push(mount.device);
        }
    }

    /// Looks whether the file system is still mounted, and remembers it if it is not: other file
    /// systems may get its device number and its path.
    pub(super) fn look(&self, raw: &RawSession) {
        if let Err(error) = self.paths(raw) {
            logging::debug!("{:?} counts as mounted: {error}", self.path);
        }
    }

    /// Where the file system is mounted in its mount namespace; empty if nowhere, which is remembered.
    ///
    /// Its mountpoint may have been moved or renamed, and there may be bind mounts.
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
                // While there is a connection, no other file system has its device number.
                match raw.is_connected() == Some(true)
                    || mounts.iter().any(|found| mount.is_same(found, &self.path))
                {
                    true => mounts.into_iter().map(|mount| mount.path).collect(),
                    false => Vec::new(),
                }
            }
            None => {
                let is_there = match mounted_at(&self.path) {
                    Some(there) => mount.is_at(there),
                    None => !mount.may_be_looked_at(),
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

    /// Whether it is mounted. If that cannot be found out, it counts as mounted.
    pub(super) fn is_mounted(&self, raw: &RawSession) -> bool {
        self.mount.is_some() && !self.paths(raw).is_ok_and(|paths| paths.is_empty())
    }

    /// Ends the connection of the session that is mounted here: all requests fail, and whoever waits
    /// in the kernel comes back. Where there is no switch for that, `umount -f` does it, which may
    /// unmount, too.
    pub(super) fn abort(&self, raw: &RawSession, unmount: Unmount) {
        raw.shut_down();
        let Some(mount) = self
            .mount
            .as_ref()
            .filter(|_| raw.is_connected() != Some(false))
        else {
            return;
        };
        // The switch of a connection that has ended does nothing.
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
                // "Busy" is fine: the connection is aborted before the kernel finds out.
                let result = c_path(&path).and_then(|path| sys::umount2(&path, libc::MNT_FORCE));
                logging::debug!("no switch to abort {path:?}; umount -f: {result:?}");
            }
        }
    }

    /// Unmounts the file system wherever it is still mounted in its mount namespace.
    pub(super) fn unmount(&self, raw: &RawSession) -> Result<(), Error> {
        let result = self.detach(raw);
        raw.end_auto_unmount(result.is_ok());
        match result {
            // What fusermount3 has unmounted just now.
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
            // Those on top first. One at a time: others may go with it, where mounts are shared.
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
                // It may have been unmounted by another program meanwhile.
                if self.paths(raw).is_ok_and(|paths| paths.is_empty()) {
                    return Ok(());
                }
                let reason = failure.unwrap_or_default();
                let path = first.clone();
                return Err(Error::StillMounted { path, reason });
            }
        }
        let path = self.path.clone();
        let reason = "it is mounted there again and again".to_owned();
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
    /// Whether this line of the table is the session's mount, although it has no connection. Another
    /// mount may have got its number, its device and even its path meanwhile.
    fn is_same(&self, found: &Mount, path: &Path) -> bool {
        if self.id != Some(found.id) {
            return false;
        }
        match (self.unique_id, mounted_at(&found.path)) {
            // What is mounted on top of it says nothing.
            (Some(_), Some(there)) => there.device != self.device || self.is_at(there),
            // It is another user's.
            (Some(_), None) if self.may_be_looked_at() => false,
            _ => found.path == path,
        }
    }

    /// Whether the kernel lets this process look at the mount: it did, and the process has dropped no
    /// privileges since.
    fn may_be_looked_at(&self) -> bool {
        self.unique_id.is_some() && self.owner == sys::effective_ids()
    }

    fn is_at(&self, there: MountedAt) -> bool {
        self.device == there.device
            && match (self.unique_id, there.unique_id) {
                (Some(ours), Some(found)) => ours == found,
                _ => true,
            }
    }

    /// Whether a mount on this path is one of this file system: it is, or the kernel does not say.
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

fn mounted_at(path: &Path) -> Option<MountedAt> {
    sys::mounted_at(&c_path(path).ok()?)
}

/// Opens the switch that aborts the connection; `None` if there is none.
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
        // With the standard input of this process: another one would take a descriptor.
        let status = Command::new(&fusermount)
            .args(["-u", "-q", "-z", "--"])
            .arg(path)
            .status();
        // The user has too many processes at the moment.
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
