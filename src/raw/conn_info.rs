//! `struct fuse_conn_info` to [`ConnInfo`] and back.

use libfuse_sys::fuse_conn_info;

use super::init_repair::UNKNOWN_TO_LIBFUSE;
use super::shim;
use crate::Capabilities;
use crate::ConnInfo;

/// Reads what libfuse proposes.
pub(super) fn load(conn: &fuse_conn_info) -> ConnInfo {
    // SAFETY: `conn` is a valid structure of the headers that the shim was compiled with.
    let capable = unsafe { shim::shim_conn_capable(conn) };
    // SAFETY: as above.
    let want = unsafe { shim::shim_conn_want(conn) };
    ConnInfo {
        proto_major: conn.proto_major,
        proto_minor: conn.proto_minor,
        capable: Capabilities::from_bits_retain(capable),
        want: Capabilities::from_bits_retain(want),
        max_write: conn.max_write,
        max_readahead: conn.max_readahead,
        max_background: conn.max_background,
        congestion_threshold: conn.congestion_threshold,
        time_gran: conn.time_gran,
        max_read: conn.max_read,
        max_backing_stack_depth: 0,
        no_interrupt: false,
        request_timeout: 0,
        refused: None,
    }
}

/// Writes the file system's wishes, and the `max_read` of the mount options, which libfuse wants to
/// find here too.
pub(super) fn store(info: &ConnInfo, conn: &mut fuse_conn_info) {
    let want = info.want - UNKNOWN_TO_LIBFUSE;
    // SAFETY: `conn` is libfuse's own structure, as the functions behind `want` need it to be.
    unsafe { shim::shim_conn_set_want(conn, want.bits()) };
    conn.max_write = info.max_write;
    conn.max_read = info.max_read;
    conn.max_readahead = info.max_readahead;
    conn.max_background = info.max_background;
    conn.congestion_threshold = info.congestion_threshold;
    conn.time_gran = info.time_gran;
    // SAFETY: `conn` is a valid structure of the headers that the shim was compiled with.
    unsafe {
        shim::shim_conn_set_limits(
            conn,
            info.max_backing_stack_depth,
            info.no_interrupt,
            info.request_timeout,
        )
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn io_uring_is_not_wanted_even_if_libfuse_does() {
        let all = !0;
        let mut conn = fuse_conn_info {
            #[cfg(libfuse_since = "3.17")]
            capable_ext: all,
            #[cfg(not(libfuse_since = "3.17"))]
            capable: all,
            ..fuse_conn_info::default()
        };
        // SAFETY: `conn` is a valid structure.
        unsafe { shim::shim_conn_set_want(&mut conn, !0) };
        let mut info = load(&conn);
        info.apply_defaults(true, true, true);
        info.want(Capabilities::OVER_IO_URING).unwrap_err();
        info.want_if_capable(Capabilities::OVER_IO_URING);
        store(&info, &mut conn);
        // SAFETY: as above.
        let want = unsafe { shim::shim_conn_want(&conn) };
        assert_eq!(want & Capabilities::OVER_IO_URING.bits(), 0);
    }
}
