//! The only place with `unsafe`: everything that touches libfuse or C.
//!
//! What leaves this module is safe to use in any order and from any thread.

#![allow(unsafe_code)]

mod args;
mod auto_unmount;
mod background;
mod backing;
mod buffer;
mod bufvec;
mod callbacks;
mod clones;
mod cmdline;
mod conn_info;
mod conn_info_opts;
mod custom_io;
mod device;
mod file_attributes;
mod foreign;
mod handler;
mod inbox;
mod init_repair;
mod interrupt;
mod io_uring;
mod lend;
#[cfg(test)]
mod like_libfuse;
mod lock;
mod log;
mod memory;
mod mount_lock;
mod notify;
mod pipe;
mod poll;
mod request;
mod retrieve;
mod security_context;
mod session;
mod signals;
mod stderr;
pub(crate) mod sys;
#[cfg(not(libfuse_since = "3.17"))]
mod tmpfile;
mod version;
mod wake;

pub(crate) use background::Parent;
pub(crate) use background::fork_and_wait;
pub use backing::BackingFile;
pub use backing::BackingId;
pub(crate) use buffer::ReceivedBytes;
pub(crate) use bufvec::write_at;
pub(crate) use cmdline::libfuse_help;
pub(crate) use cmdline::libfuse_version_lines;
pub(crate) use cmdline::parse_cmdline;
pub(crate) use conn_info_opts::RawConnInfoOpts;
pub(crate) use device::busy_poll::BusyPoll;
pub(crate) use foreign::ForeignLoop;
pub(crate) use foreign::lowlevel_ops;
pub(crate) use handler::Handler;
pub(crate) use interrupt::InterruptHook;
pub(crate) use interrupt::Interrupted;
pub(crate) use interrupt::Interruption;
pub(crate) use lend::Lender;
pub(crate) use lend::Lent;
pub(crate) use log::request_line;
pub use log::reset_log_func;
pub use log::set_log_func;
pub(crate) use pipe::PipedBytes;
pub use poll::PollHandle;
pub(crate) use request::RawRequest;
pub(crate) use retrieve::Cookie;
pub(crate) use session::InitHook;
pub(crate) use session::RawSession;
pub(crate) use signals::Signals;
pub(crate) use version::libfuse_version;
pub(crate) use wake::ReaderThreads;

/// The functions that wrapper.h declares.
#[allow(
    missing_docs,
    non_camel_case_types,
    unreachable_pub,
    clippy::all,
    reason = "generated"
)]
mod shim {
    include!(concat!(env!("OUT_DIR"), "/shim.rs"));
}

use crate::Errno;
use crate::Result;

/// libfuse's convention: negative is minus an error number.
fn ret(result: i32) -> Result<()> {
    if result < 0 {
        Err(Errno::from_negative(result))
    } else {
        Ok(())
    }
}
