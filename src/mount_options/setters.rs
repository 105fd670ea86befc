//! A method for each option that libfuse and the kernel know.

use std::ffi::OsStr;
use std::ffi::OsString;

use super::MountOptions;

/// Who may use it, and how.
impl MountOptions {
    /// Users other than the one who mounts may use it. Without root this needs `user_allow_other`
    /// in `/etc/fuse.conf`.
    #[must_use]
    pub fn allow_other(self) -> Self {
        self.with("allow_other")
    }

    /// Root may use it, too: the kernel lets everybody in, and libfuse refuses all but root and the user
    /// who mounts. Without root this needs `user_allow_other` in `/etc/fuse.conf`.
    #[must_use]
    pub fn allow_root(self) -> Self {
        self.with("allow_root")
    }

    /// The kernel checks permissions by mode, owner and group. Only needed after
    /// [`empty`](Self::empty).
    #[must_use]
    pub fn default_permissions(self) -> Self {
        self.with("default_permissions")
    }

    /// Nothing can be written.
    #[must_use]
    #[doc(alias = "ro")]
    pub fn read_only(self) -> Self {
        self.instead_of("rw", "ro")
    }

    /// It can be written to, as it can by default.
    #[must_use]
    #[doc(alias = "rw")]
    pub fn read_write(self) -> Self {
        self.instead_of("ro", "rw")
    }

    /// Whether programs on it can be run; by default they can.
    #[must_use]
    #[doc(alias = "noexec")]
    pub fn exec(self, allowed: bool) -> Self {
        self.switch("exec", "noexec", allowed)
    }

    /// Whether programs on it may change user by their set-user-id bit; by default they may not. Takes
    /// root: `fusermount3` leaves it off for others.
    #[must_use]
    #[doc(alias = "nosuid")]
    pub fn suid(self, allowed: bool) -> Self {
        self.switch("suid", "nosuid", allowed)
    }

    /// Whether device files on it are devices; by default they are not. Takes root: `fusermount3`
    /// leaves it off for others.
    #[must_use]
    #[doc(alias = "nodev")]
    pub fn dev(self, allowed: bool) -> Self {
        self.switch("dev", "nodev", allowed)
    }

    /// The SELinux context of all that is on it. Takes root: `fusermount3` does not know it.
    #[must_use]
    pub fn context(self, context: impl AsRef<OsStr>) -> Self {
        self.with_value("context", context)
    }

    /// The SELinux context of the file system itself. Takes root.
    #[must_use]
    pub fn fscontext(self, context: impl AsRef<OsStr>) -> Self {
        self.with_value("fscontext", context)
    }

    /// The SELinux context of files that have none. Takes root.
    #[must_use]
    pub fn defcontext(self, context: impl AsRef<OsStr>) -> Self {
        self.with_value("defcontext", context)
    }

    /// The SELinux context of the root directory. Takes root.
    #[must_use]
    pub fn rootcontext(self, context: impl AsRef<OsStr>) -> Self {
        self.with_value("rootcontext", context)
    }
}

/// How it shows.
impl MountOptions {
    /// What stands in the first column of `df` and `/proc/mounts`.
    #[must_use]
    pub fn fsname(self, name: impl AsRef<OsStr>) -> Self {
        self.with_value("fsname", name)
    }

    /// The type of the file system: it shows as `fuse.SUBTYPE`.
    #[must_use]
    pub fn subtype(self, subtype: impl AsRef<OsStr>) -> Self {
        self.with_value("subtype", subtype)
    }

    /// It is on the block device that [`fsname`](Self::fsname) names, and shows as `fuseblk`. Takes root.
    #[must_use]
    pub fn blkdev(self) -> Self {
        self.with("blkdev")
    }

    /// The size of a block in bytes, with [`blkdev`](Self::blkdev); a power of two from 512 up to the
    /// size of a page.
    #[must_use]
    pub fn blksize(self, bytes: u32) -> Self {
        self.with_value("blksize", bytes.to_string())
    }

    /// A name for libmount's table of mounts, where that is a file: `user=name`.
    #[must_use]
    pub fn user(self, name: impl AsRef<OsStr>) -> Self {
        self.with_value("user", name)
    }
}

/// How it works.
impl MountOptions {
    /// Unmount when the process ends, however it does.
    ///
    /// For users other than root this takes [`allow_root`](Self::allow_root) or
    /// [`allow_other`](Self::allow_other), too: `fusermount3`, which is root, looks whether the mount is
    /// dead, and nobody lets it look otherwise (libfuse issue 1491).
    ///
    /// Before libfuse 3.15 `fusermount3` then mounts for root, too, and with it what `fusermount3` does not
    /// know is lost: SELinux contexts.
    #[must_use]
    pub fn auto_unmount(self) -> Self {
        self.with("auto_unmount")
    }

    /// libfuse logs each request and reply, and this library what a handler is asked and what it answers:
    /// to the function of [`set_log_func`](crate::set_log_func); else to the `log` crate if its level is
    /// debug, trace for our own lines; else to standard error.
    #[must_use]
    pub fn debug(self) -> Self {
        self.with("debug")
    }

    /// The largest read, in bytes.
    #[must_use]
    pub fn max_read(self, bytes: u32) -> Self {
        self.with_value("max_read", bytes.to_string())
    }

    /// Whether each write goes to the disk at once; by default it does not.
    #[must_use]
    #[doc(alias = "async")]
    pub fn sync(self, at_once: bool) -> Self {
        self.switch("sync", "async", at_once)
    }

    /// Changes of directories go to the disk at once.
    #[must_use]
    pub fn dirsync(self) -> Self {
        self.with("dirsync")
    }

    /// Whether reading changes the time of access, as far as the kernel is concerned. `true` takes
    /// libfuse up to 3.14, and is the default in all of them.
    #[must_use]
    #[doc(alias = "noatime")]
    pub fn atime(self, updated: bool) -> Self {
        self.switch("atime", "noatime", updated)
    }

    /// Whether listing a directory changes its time of access. `false` takes libfuse 3.14.1 or later, `true`
    /// 3.14.1 alone.
    #[must_use]
    #[doc(alias = "nodiratime")]
    pub fn diratime(self, updated: bool) -> Self {
        self.switch("diratime", "nodiratime", updated)
    }

    /// Whether the time of access changes only if it lies before that of a change. Takes libfuse 3.14.1
    /// alone.
    #[must_use]
    #[doc(alias = "norelatime")]
    pub fn relatime(self, relative: bool) -> Self {
        self.switch("relatime", "norelatime", relative)
    }

    /// Whether the time of access changes at each access. `false` takes libfuse 3.14.1 or later, `true`
    /// 3.14.1 alone.
    #[must_use]
    #[doc(alias = "nostrictatime")]
    pub fn strictatime(self, strict: bool) -> Self {
        self.switch("strictatime", "nostrictatime", strict)
    }

    /// Whether times are written back late. Takes libfuse 3.14.1 alone.
    #[must_use]
    #[doc(alias = "nolazytime")]
    pub fn lazytime(self, late: bool) -> Self {
        self.switch("lazytime", "nolazytime", late)
    }

    /// Whether symbolic links on it are followed; by default they are. libfuse 3.17 or later.
    #[must_use]
    #[doc(alias = "nosymfollow")]
    pub fn symfollow(self, followed: bool) -> Self {
        self.switch("symfollow", "nosymfollow", followed)
    }
}

impl MountOptions {
    fn switch(self, yes: &str, no: &str, on: bool) -> Self {
        if on {
            self.instead_of(no, yes)
        } else {
            self.instead_of(yes, no)
        }
    }

    fn instead_of(mut self, contrary: &str, option: &str) -> Self {
        self.remove(contrary);
        self.with(OsString::from(option))
    }
}
