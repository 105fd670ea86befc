//! Numbers that stand for something.

use std::fmt;

macro_rules! define_id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// The plain number.
            #[must_use]
            pub const fn raw(self) -> u64 {
                self.0
            }
        }

        impl From<u64> for $name {
            fn from(number: u64) -> Self {
                Self(number)
            }
        }

        impl From<$name> for u64 {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

define_id! {
    /// The number by which the kernel and the file system speak of an inode.
    ///
    /// Any number but 0, and [`Inode::ROOT`] for the root of the mount. A number may be given to
    /// another inode only when its lookup count is zero (see
    /// [`Operations::forget`](crate::Operations::forget)), and then with a new
    /// [`generation`](crate::EntryAttributes::generation).
    #[doc(alias = "fuse_ino_t")]
    #[doc(alias = "InodeT")]
    Inode
}

impl Inode {
    /// The root of the mount.
    #[doc(alias = "FUSE_ROOT_ID")]
    pub const ROOT: Self = Self(1);
}

/// The root of the mount: [`Inode::ROOT`] under pyfuse3's name.
#[doc(alias = "FUSE_ROOT_ID")]
pub const ROOT_INODE: Inode = Inode::ROOT;

define_id! {
    /// The number that the file system gave an open file or directory, in
    /// [`FileInfo::fh`](crate::FileInfo::fh).
    ///
    /// The kernel hands it back with every operation on that open file until `release` or
    /// `releasedir`, after which the number may be used again.
    #[doc(alias = "FileHandleT")]
    FileHandle
}

define_id! {
    /// Who holds a lock: the same number for all requests of one owner, meaningless otherwise.
    #[doc(alias = "lock_owner")]
    LockOwner
}
