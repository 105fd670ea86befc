//! `struct fuse_conn_info_opts`: what users ask for of the connection.

use std::ffi::CString;
use std::fmt;
use std::ptr::NonNull;

use libfuse_sys as sys;

use super::args::Args;
use super::conn_info;
use super::init_repair::UNKNOWN_TO_LIBFUSE;
use super::log;
use crate::ConnInfo;
use crate::logging;

/// libfuse's structure, which is opaque.
///
/// # Invariants
///
/// The pointer is valid, owned by this value, and what it points to never changes.
pub(crate) struct RawConnInfoOpts(NonNull<sys::fuse_conn_info_opts>);

// SAFETY: memory of malloc(3), which any thread may free.
unsafe impl Send for RawConnInfoOpts {}
// SAFETY: nobody changes it.
unsafe impl Sync for RawConnInfoOpts {}

impl RawConnInfoOpts {
    /// What libfuse makes of `arguments`, program name first, and how many of them it leaves to others.
    /// The error is libfuse's message.
    pub(crate) fn parse(arguments: &[CString]) -> Result<(Self, usize), String> {
        let mut args = Args::new(arguments);
        let (opts, message) = log::capture(|| {
            // SAFETY: the arguments are valid; libfuse takes its own out of them.
            unsafe { sys::fuse_parse_conn_info_opts(args.as_mut_ptr()) }
        });
        match NonNull::new(opts) {
            // INVARIANT: made just now, for the caller to free.
            Some(opts) => Ok((Self(opts), args.to_vec().len() - 1)),
            None => Err(message),
        }
    }

    /// Has libfuse write them into its own `conn`, on top of what `info` says; `info` becomes what came
    /// of it, as far as it can be had. `EOPNOTSUPP` if a capability is not offered.
    pub(super) fn apply(
        &self,
        info: &mut ConnInfo,
        conn: &mut sys::fuse_conn_info,
    ) -> crate::Result<()> {
        conn_info::store(info, conn);
        // SAFETY: both are libfuse's own and valid. It only reads the first.
        unsafe { sys::fuse_apply_conn_info_opts(self.0.as_ptr(), conn) };
        let asked = conn_info::load(conn);
        if asked.max_write != info.max_write {
            info.set_max_write(asked.max_write);
        }
        info.set_max_readahead(asked.max_readahead);
        info.set_max_background(asked.max_background);
        info.set_congestion_threshold(asked.congestion_threshold);
        if asked.time_gran != info.time_gran {
            info.set_time_granularity(asked.time_granularity())
                .inspect_err(|_| {
                    logging::error!("time_gran={} is no power of ten", asked.time_gran);
                })?;
        }
        // Those that libfuse wants by itself stay as they were.
        let (before, now) = (info.wanted() - UNKNOWN_TO_LIBFUSE, asked.wanted());
        info.unwant(before - now);
        let added = now - before;
        if added.is_empty() {
            return Ok(());
        }
        info.want(added)
    }
}

impl Drop for RawConnInfoOpts {
    fn drop(&mut self) {
        // SAFETY: made by malloc(3) for the caller of libfuse to free; freed once.
        unsafe { libc::free(self.0.as_ptr().cast()) };
    }
}

impl fmt::Debug for RawConnInfoOpts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("fuse_conn_info_opts")
            .finish_non_exhaustive()
    }
}
