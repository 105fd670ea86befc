//! Options of the connection, which libfuse reads for programs that ask for it.

use std::ffi::CString;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use super::MountOptions;
use super::check_number;
use super::invalid;
use super::program_name;
use crate::Error;
use crate::raw::RawConnInfoOpts;

/// What users want to have a say in of what kernel and file system agree upon: from
/// [`MountOptions::take_conn_info_opts`], for
/// [`SessionBuilder::conn_info_opts`](crate::SessionBuilder::conn_info_opts).
///
/// | `-o` | see |
/// |---|---|
/// | `max_write=BYTES` | [`ConnInfo::set_max_write`](crate::ConnInfo::set_max_write) |
/// | `max_readahead=BYTES` | [`ConnInfo::set_max_readahead`](crate::ConnInfo::set_max_readahead) |
/// | `max_background=NUMBER` | [`ConnInfo::set_max_background`](crate::ConnInfo::set_max_background) |
/// | `congestion_threshold=NUMBER` | [`ConnInfo::set_congestion_threshold`](crate::ConnInfo::set_congestion_threshold) |
/// | `time_gran=NANOSECONDS` | [`ConnInfo::set_time_granularity`](crate::ConnInfo::set_time_granularity) |
/// | `async_read`, `sync_read` | [`ASYNC_READ`](crate::Capabilities::ASYNC_READ), or not |
/// | `async_dio`, `no_async_dio` | [`ASYNC_DIO`](crate::Capabilities::ASYNC_DIO) |
/// | `auto_inval_data`, `no_auto_inval_data` | [`AUTO_INVAL_DATA`](crate::Capabilities::AUTO_INVAL_DATA) |
/// | `writeback_cache`, `no_writeback_cache` | [`WRITEBACK_CACHE`](crate::Capabilities::WRITEBACK_CACHE) |
/// | `splice_read`, `splice_write`, `splice_move`, `no_splice_read`, ... | [`SPLICE_READ`](crate::Capabilities::SPLICE_READ) and so on |
/// | `no_remote_posix_lock`, `no_remote_flock`, `no_remote_lock` | not [`POSIX_LOCKS`](crate::Capabilities::POSIX_LOCKS), not [`FLOCK_LOCKS`](crate::Capabilities::FLOCK_LOCKS), neither |
/// | `readdirplus=no`, `yes`, `auto` | without [`READDIRPLUS`](crate::Capabilities::READDIRPLUS), without [`READDIRPLUS_AUTO`](crate::Capabilities::READDIRPLUS_AUTO), as it is |
/// | `atomic_o_trunc` | libfuse reads it, and does nothing about it |
#[derive(Clone, Debug)]
#[doc(alias = "fuse_conn_info_opts")]
pub struct ConnInfoOpts(pub(crate) Arc<RawConnInfoOpts>);

impl MountOptions {
    /// Takes out the options that are about the connection, which libfuse would not know as mount
    /// options.
    ///
    /// ```
    /// use libfuse3::{MountOptions, Operations, Session};
    ///
    /// struct Fs;
    /// impl Operations for Fs {}
    ///
    /// let mut options = MountOptions::default().with_list("ro,max_write=65536,no_splice_read");
    /// let conn = options.take_conn_info_opts()?;
    /// assert_eq!(options.to_string(), "default_permissions,ro");
    /// let builder = Session::builder(Fs).options(options).conn_info_opts(conn);
    /// # Ok::<(), libfuse3::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOption`] for a number that is none or out of range, and [`Error::Options`] if
    /// libfuse does not understand a value; the options are as they were then.
    #[doc(alias = "fuse_parse_conn_info_opts")]
    pub fn take_conn_info_opts(&mut self) -> Result<ConnInfoOpts, Error> {
        let parse = |arguments: &[CString]| {
            RawConnInfoOpts::parse(arguments).map_err(|message| Error::Options { message })
        };
        let mut arguments = vec![program_name()];
        let mut others = Vec::new();
        for option in &self.options {
            check_number(option).map_err(|reason| invalid(option, &reason))?;
            match as_argument(option) {
                // libfuse says which are its own.
                Some(argument) => {
                    let line = [program_name(), c"-o".to_owned(), argument];
                    match parse(&line)? {
                        (_, 0) => arguments.extend(line.into_iter().skip(1)),
                        _ => others.push(option.clone()),
                    }
                }
                None => others.push(option.clone()),
            }
        }
        let (opts, _) = parse(&arguments)?;
        self.options = others;
        Ok(ConnInfoOpts(Arc::new(opts)))
    }
}

/// `None` for what libfuse is never given.
fn as_argument(option: &OsString) -> Option<CString> {
    CString::new(option.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_about_the_connection_is_taken_out() {
        let all = "max_write=8192,max_readahead=1,max_background=4,congestion_threshold=3,\
                   time_gran=1000,sync_read,async_read,atomic_o_trunc,no_remote_lock,\
                   no_remote_flock,no_remote_posix_lock,splice_write,no_splice_write,splice_move,\
                   no_splice_move,splice_read,no_splice_read,auto_inval_data,no_auto_inval_data,\
                   async_dio,no_async_dio,writeback_cache,no_writeback_cache,readdirplus=no,\
                   readdirplus=yes,readdirplus=auto";
        let others = r"default_permissions,fsname=a\,b\\c\040d,nofail,x-any,own=max_write=1";
        let mut options = MountOptions::empty().with_list(others).with_list(all);
        options.take_conn_info_opts().unwrap();
        assert_eq!(options.to_string(), others);
    }

    #[test]
    fn a_value_that_makes_no_sense_is_named() {
        let mut options = MountOptions::default().with_list("max_write=much");
        let error = options.take_conn_info_opts().unwrap_err().to_string();
        assert!(error.contains("max_write=much"), "{error}");
        assert!(options.get("max_write").is_some());
    }
}
