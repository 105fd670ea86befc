//! File systems in user space, as an async trait, on the system's libfuse3.
//!
//! [`Operations`] is the file system: one `async fn` for each request that the kernel makes.
//! libfuse does the talking to the kernel, the mounting, and the reading of options, so that `-o`
//! means what it means to libfuse.
//!
//! ```no_run
//! use std::ffi::OsStr;
//! use libfuse3::*;
//!
//! struct Hello;
//!
//! impl Operations for Hello {
//!     async fn getattr(
//!         &self,
//!         inode: Inode,
//!         _file: Option<FileRef>,
//!         _ctx: &RequestContext,
//!     ) -> Result<EntryAttributes> {
//!         match inode {
//!             ROOT_INODE => Ok(EntryAttributes {
//!                 ino: inode,
//!                 mode: libc::S_IFDIR | 0o755,
//!                 ..Default::default()
//!             }),
//!             _ => Err(Errno::ENOENT),
//!         }
//!     }
//! }
//!
//! fn main() -> Result<(), Error> {
//!     let mounted = Session::builder(Hello).mount("/mnt/hello")?.spawn()?;
//!     println!("{mounted:?} until it is unmounted");
//!     mounted.join().map(drop)
//! }
//! ```
//!
//! # The way of a request
//!
//! ```text
//! kernel -> [1] session/receive.rs      a thread reads it
//!        -> [2] raw/callbacks/*.rs      libfuse calls back: its arguments are copied
//!        -> [3] message.rs              into a message, which is handed over
//!        -> [4] session/dispatch/*.rs   and comes out where the handler is called
//!        -> [5] operations.rs           which is yours
//!        -> [6] reply/*.rs              and whose answer is sent
//! ```
//!
//! What this library does not do: keep paths (inodes are what the kernel speaks of), choose what to
//! cache, or run an executor of its own besides [smol]'s.

#![deny(unsafe_code)]
// Both panic where the stream is closed.
#![deny(clippy::print_stderr, clippy::print_stdout)]

// What one is given and returns.
mod context;
mod errno;
mod types;
// The way of a request.
mod message;
mod operations;
mod reply;
mod request;
mod session;
// Around it.
mod command_line;
mod conn_info;
mod error;
mod inode_table;
mod logging;
mod mount_options;
mod mountinfo;
mod notify;
mod panics;
mod raw;
mod sd_notify;
#[cfg(feature = "testing")]
pub mod testing;
mod util;
mod wakers;
mod wire;

pub use command_line::CommandLine;
pub use command_line::Program;
pub use conn_info::Capabilities;
pub use conn_info::ConnInfo;
pub use context::RequestContext;
pub use errno::Errno;
pub use errno::Result;
pub use error::Error;
pub use inode_table::InodeTable;
pub use mount_options::ConnInfoOpts;
pub use mount_options::MountOptions;
pub use notify::Notifier;
pub use operations::Operations;
pub use raw::BackingFile;
pub use raw::BackingId;
pub use raw::PollHandle;
pub use raw::reset_log_func;
pub use raw::set_log_func;
pub use reply::ReaddirToken;
pub use sd_notify::sd_notify;
pub use session::BackgroundSession;
pub use session::CustomIo;
pub use session::ExitReason;
pub use session::InFlightReport;
pub use session::InFlightRequest;
pub use session::LowlevelOps;
pub use session::Session;
pub use session::SessionBuilder;
pub use session::SessionHandle;
pub use session::Unmount;
pub use types::AccessFlags;
pub use types::CopyFileRange;
pub use types::Data;
pub use types::EntryAttributes;
pub use types::FallocateFlags;
pub use types::FileHandle;
pub use types::FileInfo;
pub use types::FileLock;
pub use types::FileRef;
pub use types::Forget;
pub use types::Inode;
pub use types::Ioctl;
pub use types::IoctlFlags;
pub use types::IoctlRange;
pub use types::IoctlReply;
pub use types::LockOwner;
pub use types::LockType;
pub use types::OpenFlags;
pub use types::PollEvents;
pub use types::RENAME_EXCHANGE;
pub use types::RENAME_NOREPLACE;
pub use types::ROOT_INODE;
pub use types::ReleaseFlags;
pub use types::Rename;
pub use types::RenameFlags;
pub use types::SecurityContext;
pub use types::SeekTarget;
pub use types::SetattrFields;
pub use types::StatvfsData;
pub use types::StatxData;
pub use types::StatxFlags;
pub use types::StatxMask;
pub use types::TimeOrNow;
pub use types::Timestamp;
pub use types::WriteBuf;
pub use types::XattrFlags;
pub use util::get_sup_groups;
pub use util::getxattr;
pub use util::libfuse_version;
pub use util::listdir;
pub use util::setxattr;
pub use util::syncfs;

/// The bindings to libfuse, for what this library does not have: see [`RequestContext::as_raw`] and
/// [`Session::as_raw`].
///
/// They mirror the headers of the libfuse that a program is built with, whatever its version: what is
/// in here is not covered by the promises of this library's versions.
pub use libfuse_sys as sys;

/// pyfuse3's name for [`Errno::ENOATTR`].
pub const ENOATTR: Errno = Errno::ENOATTR;

/// Has the code in these documents compiled and run along with the examples above.
#[cfg(doctest)]
mod documents {
    // One of its examples takes the feature.
    #[cfg(feature = "testing")]
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../docs/lookup-counts.md")]
    struct LookupCounts;
}
