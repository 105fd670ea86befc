//! Which inode of the source is which, and how it is held.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::Weak;

use libfuse3::BackingFile;
use libfuse3::Errno;
use libfuse3::RequestContext;
use libfuse3::Result;
use rustix::fs::Statx;
use rustix::fs::StatxFlags;

use crate::path_fd::PathFd;

/// More levels of directories than a path can have.
const DEEPEST: usize = 4096;

/// What makes two descriptors the same inode.
///
/// The mount is part of it: a directory that is bound to a second place has its own mounts below, and
/// the kernel wants a directory to be in one place. A number is not used again while a descriptor
/// holds its inode, so that birth times are not needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) dev: (u32, u32),
    ino: u64,
    mount: u64,
}

impl From<&Statx> for Key {
    fn from(stat: &Statx) -> Self {
        let has_mount = stat.stx_mask & StatxFlags::MNT_ID.bits() != 0;
        Self {
            dev: (stat.stx_dev_major, stat.stx_dev_minor),
            ino: stat.stx_ino,
            mount: if has_mount { stat.stx_mnt_id } else { 0 },
        }
    }
}

/// An inode that the kernel knows of.
///
/// A descriptor holds it, unless descriptors are running short: then it is found by its last known
/// name, and given up if that has come to mean another one.
#[derive(Debug)]
pub(crate) struct Node {
    key: Key,
    held: OnceLock<Arc<PathFd>>,
    /// Where it is, if it is not held.
    place: Mutex<Option<Place>>,
    /// What the kernel reads and writes while the inode is open.
    backing: Mutex<Weak<BackingFile>>,
}

#[derive(Clone, Debug)]
struct Place {
    directory: Arc<Node>,
    name: OsString,
}

impl Node {
    pub(crate) fn held(key: Key, fd: PathFd) -> Self {
        Self {
            key,
            held: OnceLock::from(Arc::new(fd)),
            place: Mutex::default(),
            backing: Mutex::default(),
        }
    }

    pub(crate) fn placed(key: Key, directory: &Arc<Self>, name: &OsStr) -> Self {
        let node = Self {
            key,
            held: OnceLock::new(),
            place: Mutex::default(),
            backing: Mutex::default(),
        };
        node.move_to(directory, name);
        node
    }

    /// A descriptor of the inode. [`Errno::ESTALE`], which makes the kernel look up its name again, if
    /// it is not where it was.
    pub(crate) fn fd(&self) -> Result<Arc<PathFd>> {
        self.fd_within(DEEPEST)
    }

    /// Renames behind the mirror's back may have left a circle of places.
    fn fd_within(&self, levels: usize) -> Result<Arc<PathFd>> {
        if let Some(fd) = self.held.get() {
            return Ok(Arc::clone(fd));
        }
        let place = self.place().clone();
        let (Some(place), Some(levels)) = (place, levels.checked_sub(1)) else {
            return Err(Errno::ESTALE);
        };
        let directory = place.directory.fd_within(levels)?;
        let (fd, _) = directory.child(&place.name).map_err(|errno| match errno {
            Errno::ENOENT | Errno::ENOTDIR => Errno::ESTALE,
            errno => errno,
        })?;
        if Key::from(&fd.stat()?) == self.key {
            Ok(Arc::new(fd))
        } else {
            Err(Errno::ESTALE)
        }
    }

    /// Holds the inode by this descriptor, as it is about to lose its name.
    pub(crate) fn hold(&self, fd: PathFd) {
        // If it is held already, that is as good.
        drop(self.held.set(Arc::new(fd)));
    }

    /// Notes where the inode is.
    pub(crate) fn move_to(&self, directory: &Arc<Self>, name: &OsStr) {
        if self.held.get().is_none() {
            let place = Place {
                directory: Arc::clone(directory),
                name: name.to_owned(),
            };
            *self.place() = Some(place);
        }
    }

    /// What the kernel reads and writes, if it is to: the same for all that are open at a time.
    pub(crate) fn backing(&self, fd: impl AsFd, ctx: &RequestContext) -> Result<Arc<BackingFile>> {
        let mut shared = self.backing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(backing) = shared.upgrade() {
            return Ok(backing);
        }
        let backing = Arc::new(ctx.passthrough_open(fd)?);
        *shared = Arc::downgrade(&backing);
        Ok(backing)
    }

    fn place(&self) -> MutexGuard<'_, Option<Place>> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
