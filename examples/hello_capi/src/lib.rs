//! A file system in Rust as a library for C programs: what `include/hello_capi.h` declares.
//!
//! `make` builds the library, and C programs with it: see README.md.

mod fs;

use std::ffi::CStr;
use std::ffi::c_char;
use std::ffi::c_int;
use std::ffi::c_void;
use std::ptr;
use std::ptr::NonNull;
use std::time::Duration;

use libfuse3::LowlevelOps;
use libfuse3::Session;
use libfuse3::sys::fuse_lowlevel_ops;
use libfuse3::sys::fuse_session;

use crate::fs::Hello;

/// `struct hello_capi`.
#[derive(Debug)]
pub struct HelloCapi(LowlevelOps<Hello>);

/// See the header.
#[unsafe(no_mangle)]
pub extern "C" fn hello_capi_new() -> *mut HelloCapi {
    let builder = Session::builder(Hello::default())
        .shutdown_timeout(Duration::from_secs(1))
        // For `hello_capi_run` alone: otherwise signals are C's.
        .handle_signals(true);
    match builder.lowlevel_ops() {
        Ok(ops) => Box::into_raw(Box::new(HelloCapi(ops))),
        Err(error) => {
            eprintln!("hello_capi: {error}");
            ptr::null_mut()
        }
    }
}

/// See the header.
///
/// # Safety
///
/// - `fs` comes from `hello_capi_new`, and was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hello_capi_ops(fs: *const HelloCapi) -> *const fuse_lowlevel_ops {
    // SAFETY: guaranteed by the caller, see above.
    let fs = unsafe { &*fs };
    fs.0.as_raw()
}

/// See the header.
///
/// # Safety
///
/// - `fs` comes from `hello_capi_new`, and was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hello_capi_userdata(fs: *const HelloCapi) -> *mut c_void {
    // SAFETY: guaranteed by the caller, see above.
    let fs = unsafe { &*fs };
    fs.0.userdata()
}

/// See the header.
///
/// # Safety
///
/// - `fs` comes from `hello_capi_new`, and was not freed.
/// - `se` was made with the operations and the userdata of `fs`, and is not destroyed before
///   `hello_capi_stop` has returned.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hello_capi_set_session(fs: *mut HelloCapi, se: *mut fuse_session) {
    // SAFETY: guaranteed by the caller, see above.
    let fs = unsafe { &*fs };
    if let Some(se) = NonNull::new(se) {
        // SAFETY: guaranteed by the caller, see above.
        unsafe { fs.0.set_session(se) };
    }
}

/// See the header.
///
/// # Safety
///
/// - `fs` comes from `hello_capi_new`, and is not freed before this returns.
/// - `se` was made with the operations and the userdata of `fs`, and is neither unmounted nor destroyed
///   before this returns.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hello_capi_run(fs: *mut HelloCapi, se: *mut fuse_session) -> c_int {
    // SAFETY: guaranteed by the caller, see above.
    let fs = unsafe { &*fs };
    let run = || {
        let se = NonNull::new(se).ok_or("there is no session")?;
        // SAFETY: guaranteed by the caller, see above.
        let mut session = unsafe { fs.0.adopt(se) }?;
        smol::block_on(session.run())?;
        // Waits for readers and handlers; unmounts nothing.
        session.close(libfuse3::Unmount::Leave)?;
        Ok::<(), Box<dyn std::error::Error>>(())
    };
    match run() {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("hello_capi: {error}");
            -1
        }
    }
}

/// See the header.
///
/// # Safety
///
/// - `fs` comes from `hello_capi_new`, and was not freed.
/// - `text` is NUL-terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hello_capi_set_message(fs: *mut HelloCapi, text: *const c_char) -> c_int {
    // SAFETY: guaranteed by the caller, see above.
    let fs = unsafe { &*fs };
    // SAFETY: guaranteed by the caller, see above.
    let text = unsafe { CStr::from_ptr(text) };
    fs.0.operations().set_message(text.to_bytes());
    let notifier = fs.0.notifier();
    // Not `smol::block_on`, which may start a thread, that fuse_daemonize would lose.
    match smol::future::block_on(notifier.invalidate_inode(fs::MESSAGE, false)) {
        Ok(()) => 0,
        Err(errno) => -errno.raw(),
    }
}

/// See the header.
///
/// # Safety
///
/// - `fs` comes from `hello_capi_new`, and was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hello_capi_stop(fs: *mut HelloCapi) {
    // SAFETY: guaranteed by the caller, see above.
    let fs = unsafe { &*fs };
    fs.0.stop();
}

/// See the header.
///
/// # Safety
///
/// - `fs` comes from `hello_capi_new` and was not freed, or is NULL.
/// - The session that was made with it is destroyed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hello_capi_free(fs: *mut HelloCapi) {
    if let Some(fs) = NonNull::new(fs) {
        // SAFETY: it was a box, and nobody uses it any more; guaranteed by the caller.
        drop(unsafe { Box::from_raw(fs.as_ptr()) });
    }
}

/// The functions as the header declares them, for the compiler to compare: in an array, they have to be of
/// one type.
mod header {
    #![allow(
        improper_ctypes,
        missing_docs,
        non_camel_case_types,
        unreachable_pub,
        reason = "generated, after C, which sees pointers only"
    )]

    use crate::HelloCapi as hello_capi;
    use libfuse3::sys::fuse_lowlevel_ops;
    use libfuse3::sys::fuse_session;

    include!(concat!(env!("OUT_DIR"), "/header.rs"));

    type New = unsafe extern "C" fn() -> *mut hello_capi;
    const _: [New; 2] = [crate::hello_capi_new, hello_capi_new];

    macro_rules! compare {
        ($($function:ident)*) => {
            $(const _: () = drop_both([crate::$function, $function]);)*
        };
    }

    const fn drop_both<F: Copy>(_: [F; 2]) {}

    compare! {
        hello_capi_ops hello_capi_userdata hello_capi_set_session hello_capi_run hello_capi_set_message
        hello_capi_stop hello_capi_free
    }
}
