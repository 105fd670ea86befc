// Made by `make bindings`, by bindgen from wrapper.h. Used where DOCS_RS is set, and nowhere else.

#[allow(unused_imports, clippy::wildcard_imports)]
use libfuse_sys::*;

pub const SHIM_WRITEPAGE: u32 = 1;
pub const SHIM_FLUSH: u32 = 2;
pub const SHIM_FLOCK_RELEASE: u32 = 4;
pub const SHIM_KILL_SUIDGID: u32 = 8;
pub type shim_log_sink = ::core::option::Option<
    unsafe extern "C" fn(level: ::core::ffi::c_int, message: *const ::core::ffi::c_char),
>;
unsafe extern "C" {
    pub fn shim_set_log_sink(sink: shim_log_sink);
}
unsafe extern "C" {
    pub fn shim_session_new(
        args: *mut fuse_args,
        ops: *const fuse_lowlevel_ops,
        ops_size: usize,
        userdata: *mut ::core::ffi::c_void,
    ) -> *mut fuse_session;
}
unsafe extern "C" {
    pub fn shim_parse_cmdline(
        args: *mut fuse_args,
        opts: *mut fuse_cmdline_opts,
    ) -> ::core::ffi::c_int;
}
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct shim_custom_io {
    pub writev: ::core::option::Option<
        unsafe extern "C" fn(
            fd: ::core::ffi::c_int,
            iov: *mut iovec,
            count: ::core::ffi::c_int,
            userdata: *mut ::core::ffi::c_void,
        ) -> isize,
    >,
    pub read: ::core::option::Option<
        unsafe extern "C" fn(
            fd: ::core::ffi::c_int,
            buf: *mut ::core::ffi::c_void,
            buf_len: usize,
            userdata: *mut ::core::ffi::c_void,
        ) -> isize,
    >,
    pub splice_receive: ::core::option::Option<
        unsafe extern "C" fn(
            fdin: ::core::ffi::c_int,
            offin: *mut off_t,
            fdout: ::core::ffi::c_int,
            offout: *mut off_t,
            len: usize,
            flags: ::core::ffi::c_uint,
            userdata: *mut ::core::ffi::c_void,
        ) -> isize,
    >,
    pub splice_send: ::core::option::Option<
        unsafe extern "C" fn(
            fdin: ::core::ffi::c_int,
            offin: *mut off_t,
            fdout: ::core::ffi::c_int,
            offout: *mut off_t,
            len: usize,
            flags: ::core::ffi::c_uint,
            userdata: *mut ::core::ffi::c_void,
        ) -> isize,
    >,
}
unsafe extern "C" {
    pub fn shim_session_custom_io(
        se: *mut fuse_session,
        io: *const shim_custom_io,
        fd: ::core::ffi::c_int,
    ) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn shim_conn_capable(conn: *const fuse_conn_info) -> u64;
}
unsafe extern "C" {
    pub fn shim_conn_want(conn: *const fuse_conn_info) -> u64;
}
unsafe extern "C" {
    pub fn shim_conn_set_want(conn: *mut fuse_conn_info, want: u64);
}
unsafe extern "C" {
    pub fn shim_conn_set_limits(
        conn: *mut fuse_conn_info,
        max_backing_stack_depth: u32,
        no_interrupt: bool,
        request_timeout: u16,
    );
}
unsafe extern "C" {
    pub fn shim_notify_expire_entry(
        se: *mut fuse_session,
        parent: fuse_ino_t,
        name: *const ::core::ffi::c_char,
        name_len: usize,
    ) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn shim_notify_increment_epoch(se: *mut fuse_session) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn shim_notify_prune(
        se: *mut fuse_session,
        inodes: *mut fuse_ino_t,
        count: u32,
    ) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn shim_req_secctx_reset(req: fuse_req_t);
}
unsafe extern "C" {
    pub fn shim_req_secctx_next(
        req: fuse_req_t,
        name: *mut *const ::core::ffi::c_char,
        value: *mut *const ::core::ffi::c_char,
        len: *mut u32,
    ) -> bool;
}
unsafe extern "C" {
    pub fn shim_file_info_get(fi: *const fuse_file_info) -> u32;
}
