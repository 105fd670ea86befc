//! What a file system tells the kernel by itself.

use std::ffi::OsString;

use super::decode::Body;
use crate::Errno;
use crate::Inode;
use crate::Result;

/// What a [`Notifier`](crate::Notifier) has sent: from
/// [`MockKernel::notification`](super::MockKernel::notification).
///
/// A real kernel answers some of these with an error, such as `ENOENT` for what is not in its caches.
/// The mock kernel takes them all.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notification {
    /// [`Notifier::invalidate_inode`](crate::Notifier::invalidate_inode): cached attributes, and the
    /// data in this range, are not right any more.
    InvalInode {
        /// The inode.
        inode: Inode,
        /// Where the data begin; negative for attributes alone.
        offset: i64,
        /// How many bytes; 0 or less for all that follow.
        len: i64,
    },
    /// [`Notifier::invalidate_entry`](crate::Notifier::invalidate_entry): a name is not right any more.
    InvalEntry {
        /// The directory.
        parent: Inode,
        /// The name.
        name: OsString,
        /// Whether it is to be looked up again only (`FUSE_EXPIRE_ONLY`).
        expire_only: bool,
    },
    /// The same, of a name that is gone: `inotify` watches hear of it.
    Delete {
        /// The directory.
        parent: Inode,
        /// What the name stood for.
        child: Inode,
        /// The name.
        name: OsString,
    },
    /// [`Notifier::notify_store`](crate::Notifier::notify_store): data for the cache.
    Store {
        /// The inode.
        inode: Inode,
        /// Where the data begin.
        offset: u64,
        /// The data.
        data: Vec<u8>,
    },
    /// What is in the cache is asked for; [`MockKernel::retrieved`](super::MockKernel::retrieved)
    /// answers.
    Retrieve {
        /// What the answer is known by.
        unique: u64,
        /// The inode.
        inode: Inode,
        /// Where the data begin.
        offset: u64,
        /// How many bytes.
        size: u32,
    },
    /// Something has happened to a file that was polled.
    Poll {
        /// The number that [`MockKernel::poll`](super::MockKernel::poll) was given.
        wake_up: u64,
    },
    /// Any other: its number in `enum fuse_notify_code`, and what follows its header.
    Other {
        /// The number.
        code: u32,
        /// What follows.
        body: Vec<u8>,
    },
}

impl Notification {
    /// Reads the body of a message without a request.
    pub(super) fn read(code: u32, body: &[u8]) -> Result<Self> {
        let mut body = Body(body);
        let name = |body: &mut Body<'_>, len: u32| {
            let name = body.name(len as usize)?;
            match body.bytes(1)? {
                [0] => Ok(name),
                _ => Err(Errno::EIO),
            }
        };
        let notification = match code {
            1 => Self::Poll {
                wake_up: body.u64()?,
            },
            2 => Self::InvalInode {
                inode: Inode(body.u64()?),
                offset: body.u64()?.cast_signed(),
                len: body.u64()?.cast_signed(),
            },
            3 => {
                let (parent, len, flags) = (Inode(body.u64()?), body.u32()?, body.u32()?);
                Self::InvalEntry {
                    parent,
                    name: name(&mut body, len)?,
                    expire_only: flags & 1 != 0,
                }
            }
            4 => {
                let (inode, offset) = (Inode(body.u64()?), body.u64()?);
                let (size, _) = (body.u32()?, body.u32()?);
                Self::Store {
                    inode,
                    offset,
                    data: body.bytes(size as usize)?.to_vec(),
                }
            }
            5 => {
                let (unique, inode) = (body.u64()?, Inode(body.u64()?));
                let (offset, size, _) = (body.u64()?, body.u32()?, body.u32()?);
                Self::Retrieve {
                    unique,
                    inode,
                    offset,
                    size,
                }
            }
            6 => {
                let (parent, child) = (Inode(body.u64()?), Inode(body.u64()?));
                let (len, _) = (body.u32()?, body.u32()?);
                Self::Delete {
                    parent,
                    child,
                    name: name(&mut body, len)?,
                }
            }
            _ => Self::Other {
                code,
                body: std::mem::take(&mut body.0).to_vec(),
            },
        };
        body.end()?;
        Ok(notification)
    }
}
