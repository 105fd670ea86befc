//! The directory that is mounted on: fit for it beforehand, free again afterwards.

mod check;
mod diagnose;
mod mountinfo;

use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use self::mountinfo::Device;
use self::mountinfo::MountTable;
use self::mountinfo::connection;
use super::Unmount;
use crate::Error;
use crate::MountOptions;
use crate::raw::RawSession;
use crate::raw::sys;

/// The mounts of this process that nobody answers for: whoever asks the kernel for a path through one
/// of them waits for ever.
static UNSERVED: Mutex<Vec<Device>> = Mutex::new(Vec::new());

fn unserved() -> MutexGuard<'static, Vec<Device>> {
    UNSERVED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where a session is mounted.
#[derive(Debug)]
pub(super) struct Mountpoint {
    /// As the caller spelled it.
    given: PathBuf,
    /// Absolute, without symbolic links.
    path: PathBuf,
    /// The device number of the mount, once it is there.
    device: Option<Device>,
    /// The number of the mount, where the kernel tells.
    mount_id: Option<u64>,
    /// The mount was seen to be no longer there. What then is mounted on the path is not ours, though
    /// it may have the same device number.
    gone: AtomicBool,
}

impl Mountpoint {
    fn new(given: &Path, path: PathBuf) -> Self {
        Self {
            given: given.to_owned(),
            path,
            device: None,
            mount_id: None,
            gone: AtomicBool::new(false),
        }
    }

    /// That of a session that is not mounted.
    pub(super) fn none() -> Self {
        Self::new(Path::new(""), PathBuf::new())
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
        raw.mount(&self.path, clones)
            .map_err(|message| Error::Mount {
                path: self.given.clone(),
                message: diagnose::explain(message, &self.path, options),
            })?;
        self.device = MountTable::read().fuse_device(&self.path);
        self.mount_id = self.mount_id_now();
        self.set_served(false);
        Ok(self)
    }

    /// Tells other mounts of this process whether somebody answers requests here.
    pub(super) fn set_served(&self, served: bool) {
        let Some(device) = self.device else { return };
        let mut unserved = unserved();
        unserved.retain(|other| *other != device);
        if !served && !self.is_gone() {
            unserved.push(device);
        }
    }

    /// Looks whether the file system is still mounted, in this mount namespace.
    pub(super) fn look(&self) {
        let Some(device) = self.device.filter(|_| !self.is_gone()) else {
            return;
        };
        let is_there = MountTable::read().fuse_device(&self.path) == Some(device)
            // Whoever mounts there after an unmount may get the same device number.
            && match (self.mount_id, self.mount_id_now()) {
                (Some(ours), Some(found)) => found == ours,
                _ => true,
            };
        if !is_there {
            self.gone.store(true, Ordering::Release);
            self.set_served(true);
        }
    }

    fn mount_id_now(&self) -> Option<u64> {
        self.device?;
        sys::mount_id(&self.c_path()?)
    }

    fn c_path(&self) -> Option<CString> {
        CString::new(self.path.as_os_str().as_bytes()).ok()
    }

    /// Whether it was unmounted.
    pub(super) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// Whether it is mounted, as far as can be told.
    pub(super) fn is_mounted(&self) -> bool {
        self.look();
        self.device.is_some() && !self.is_gone()
    }

    /// Ends the connection of the session that is mounted here: all requests fail, and whoever waits
    /// in the kernel comes back. Where there is no switch for that, `umount -f` does it, which may
    /// unmount, too.
    pub(super) fn abort(&self, raw: &RawSession, unmount: Unmount) {
        raw.shut_down();
        // While it is connected, nobody else has its number.
        let Some(device) = self.device.filter(|_| raw.is_connected()) else {
            return;
        };
        let connection = connection(device);
        let switch = format!("/sys/fs/fuse/connections/{connection}/abort");
        if fs::write(&switch, "1").is_err()
            && unmount == Unmount::Yes
            && self.is_mounted()
            && let Some(path) = self.c_path()
            && let Err(error) = sys::umount2(&path, libc::MNT_FORCE)
        {
            // "Busy" is fine: the connection is aborted before the kernel finds out.
            log::debug!("{switch} is not there, and umount -f says: {error}");
        }
    }

    /// Takes the mount away if it is still there: libfuse leaves one whose connection was aborted.
    pub(super) fn detach(&self) {
        let Some(path) = self.c_path().filter(|_| self.is_mounted()) else {
            return;
        };
        let unmounted =
            sys::umount2(&path, libc::MNT_DETACH).is_ok() || unmount_by_helper(&self.path);
        if unmounted {
            self.gone.store(true, Ordering::Release);
            self.set_served(true);
        } else {
            log::error!("{:?} is still mounted: fusermount3 -u -z it", self.path);
        }
    }
}

impl Drop for Mountpoint {
    fn drop(&mut self) {
        self.set_served(true);
    }
}

fn unmount_by_helper(path: &Path) -> bool {
    diagnose::find_fusermount().is_some_and(|fusermount| {
        Command::new(fusermount)
            .args(["-u", "-q", "-z", "--"])
            .arg(path)
            .stdin(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    })
}
