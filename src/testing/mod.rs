//! A mock kernel: runs a file system without mounting it, without `/dev/fuse` and without privileges.
//!
//! Between the test and the file system is all that is there with a real mount: libfuse, the session,
//! its threads. Only the kernel is played by [`MockKernel`], which sends the requests that a test asks
//! for, and no others: there are no caches, no permission checks, no `lookup` before an `unlink`. So a
//! test can send what a real kernel sends once in a year, in any order, and look at the answers as the
//! kernel sees them, timeouts and lookup counts included.
//!
//! ```
//! use std::ffi::OsStr;
//! use libfuse3::testing::MockKernel;
//! use libfuse3::*;
//!
//! struct Hello;
//!
//! impl Operations for Hello {
//!     async fn lookup(&self, _: Inode, name: &OsStr, _: &RequestContext) -> Result<EntryAttributes> {
//!         match name.to_str() {
//!             Some("message") => Ok(EntryAttributes { ino: Inode(2), size: 5, ..Default::default() }),
//!             _ => Err(Errno::ENOENT),
//!         }
//!     }
//!
//!     async fn read(&self, _: FileRef, offset: u64, _: usize, _: &RequestContext) -> Result<Data> {
//!         Ok("hello"[offset as usize..].into())
//!     }
//! }
//!
//! # fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
//! let kernel = MockKernel::new(Hello)?;
//! let entry = kernel.lookup(ROOT_INODE, "message")?;
//! assert_eq!((entry.ino, entry.size), (Inode(2), 5));
//! assert_eq!(kernel.lookup(ROOT_INODE, "other"), Err(Errno::ENOENT));
//!
//! let file = kernel.open(entry.ino, OpenFlags::empty())?;
//! assert_eq!(kernel.read(&file, 1, 4096)?, b"ello");
//! kernel.release(file)?;
//!
//! assert_eq!(kernel.lookup_count(entry.ino), 1);
//! kernel.forget(entry.ino, 1);
//! let report = kernel.unmount()?;
//! assert!(report.is_balanced(), "{report}");
//! # Ok(())
//! # }
//! ```
//!
//! # Several requests at once
//!
//! The methods of `MockKernel` wait for the answer, and may be called from several threads.
//! [`MockKernel::start`] sends a [`Request`] and does not wait: that is for requests that wait for each
//! other, and for interruptions.
//!
//! ```
//! # use libfuse3::testing::*;
//! # use libfuse3::*;
//! struct Slow;
//!
//! impl Operations for Slow {
//!     async fn statfs(&self, _: Inode, ctx: &RequestContext) -> Result<StatvfsData> {
//!         ctx.interrupted().await;
//!         Err(Errno::EINTR)
//!     }
//! }
//!
//! # fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
//! let kernel = MockKernel::new(Slow)?;
//! let call = kernel.start(Request::statfs(ROOT_INODE));
//! call.interrupt();
//! assert_eq!(call.wait(), Err(Errno::EINTR));
//! # Ok(())
//! # }
//! ```
//!
//! # Lookup counts
//!
//! The mock kernel counts what it was given, as the kernel does: [`MockKernel::lookup_count`]. At the
//! end [`MockKernel::unmount`] looks for inodes that the file system has dropped too early, or has kept
//! after their last name and their last reference are gone. Where the file system can say what it has
//! counted itself, as [`InodeTable`](crate::InodeTable) can,
//! [`MockKernel::compare_lookup_counts`] compares number by number.
//!
//! # What it takes
//!
//! The feature `testing` of this crate, for tests alone:
//!
//! ```toml
//! [dev-dependencies]
//! libfuse3 = { version = "0.1", features = ["testing"] }
//! ```
//!
//! A file system that works here may still meet a real kernel's ideas of caching and permissions: mount
//! it in a few tests, too.

mod builder;
mod calls;
mod client;
mod counts;
mod decode;
mod encode;
mod kernel;
mod notification;
mod request;
mod types;

pub use builder::MockKernelBuilder;
pub use client::Pending;
pub use counts::LookupProblem;
pub use counts::LookupReport;
pub use kernel::MockKernel;
pub use notification::Notification;
pub use request::Request;
pub use types::Caller;
pub use types::DirEntry;
pub use types::OpenFile;
