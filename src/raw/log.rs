//! libfuse's log messages: caught while a session is set up, else sent to the `log` crate.

use std::cell::RefCell;
use std::ffi::CStr;
use std::ffi::c_char;
use std::ffi::c_int;
use std::sync::Once;

use super::shim;
use libfuse_sys as sys;

thread_local! {
    /// The messages of this thread while [`capture`] runs.
    static CAPTURED: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Makes libfuse log through here. The function is one for the whole process.
pub(super) fn install() {
    static INSTALL: Once = Once::new();
    // SAFETY: `receive` lives for ever and may be called from any thread.
    INSTALL.call_once(|| unsafe { shim::shim_set_log_sink(Some(receive)) });
}

/// Runs `f` and returns, along with its result, what libfuse had to say on this thread meanwhile,
/// except debug messages.
pub(super) fn capture<R>(f: impl FnOnce() -> R) -> (R, String) {
    install();
    CAPTURED.set(Some(String::new()));
    let result = f();
    let messages = CAPTURED.take().unwrap_or_default();
    (result, one_line(&messages))
}

/// libfuse makes up some of its lines out of several messages.
pub(super) fn one_line(messages: &str) -> String {
    let lines: Vec<_> = messages.lines().map(str::trim_end).collect();
    lines.join("; ")
}

/// # Safety
///
/// - `message` is NUL-terminated and lives until this function returns.
unsafe extern "C" fn receive(level: c_int, message: *const c_char) {
    // SAFETY: guaranteed by the caller, see above.
    let message = unsafe { CStr::from_ptr(message) }.to_string_lossy();
    // A logger of the user's that panics must not unwind into C.
    drop(std::panic::catch_unwind(|| handle(level, &message)));
}

fn handle(level: c_int, message: &str) {
    #[allow(
        clippy::unnecessary_cast,
        reason = "the type of C's enums differs between platforms"
    )]
    let level = match level as u32 {
        sys::FUSE_LOG_DEBUG => log::Level::Debug,
        sys::FUSE_LOG_INFO | sys::FUSE_LOG_NOTICE => log::Level::Info,
        sys::FUSE_LOG_WARNING => log::Level::Warn,
        _ => log::Level::Error,
    };
    if level < log::Level::Debug {
        let captured = CAPTURED.with_borrow_mut(|captured| {
            captured
                .as_mut()
                .map(|captured| captured.push_str(message))
                .is_some()
        });
        if captured {
            return;
        }
    }
    let message = message.trim_end();
    if log::log_enabled!(target: "libfuse", level) {
        log::log!(target: "libfuse", level, "{message}");
    } else if level == log::Level::Debug || log::max_level() == log::LevelFilter::Off {
        // The option `debug` asks to see these lines, logger or not; and without any logger libfuse
        // would have written its complaints here.
        eprintln!("{message}");
    }
}
