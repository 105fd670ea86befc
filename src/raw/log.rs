//! libfuse's log messages, and lines about requests: caught while a session is set up, else sent to a
//! function of the program's or to the `log` crate.

use std::cell::RefCell;
use std::ffi::CStr;
use std::ffi::c_char;
use std::ffi::c_int;
use std::fmt;
use std::sync::Arc;
use std::sync::Once;
use std::sync::PoisonError;
use std::sync::RwLock;

use super::shim;
use crate::logging;
use crate::panics::catch;
use libfuse_sys as sys;

thread_local! {
    /// The messages of this thread while [`capture`] runs.
    static CAPTURED: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// What [`set_log_func`] takes.
type LogFunc = Arc<dyn Fn(log::Level, &str) + Send + Sync>;

static LOG_FUNC: RwLock<Option<LogFunc>> = RwLock::new(None);

/// Has libfuse's log messages sent to this function, for all sessions of the process, and with them what
/// the option `debug` shows of requests. `None` has them sent to the [`log`] crate again, with the target
/// `libfuse`.
///
/// It is called on whichever thread has something to say, without the line feed at the end. A panic in it
/// is ignored. It must not set another one.
///
/// Not among the messages: what libfuse has to say about a session that cannot be set up, which is in the
/// [`Error`](crate::Error).
///
/// ```
/// libfuse3::set_log_func(|level, message| println!("<{level}> {message}"));
/// libfuse3::reset_log_func();
/// ```
#[doc(alias = "fuse_set_log_func")]
pub fn set_log_func(func: impl Fn(log::Level, &str) + Send + Sync + 'static) {
    install();
    *LOG_FUNC.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(func));
}

/// Undoes [`set_log_func`]: libfuse's log messages go to the [`log`] crate again. Where the program has no
/// logger, they go to standard error.
pub fn reset_log_func() {
    *LOG_FUNC.write().unwrap_or_else(PoisonError::into_inner) = None;
}

/// Whether the program has a function for it, and has been told.
fn told_program(level: log::Level, message: &str) -> bool {
    let func = LOG_FUNC.read().unwrap_or_else(PoisonError::into_inner);
    let Some(func) = func.clone() else {
        return false;
    };
    drop(catch(|| func(level, message)));
    true
}

/// A line about a request: for loggers that want to know everything, and for sessions with the option
/// `debug`, next to libfuse's own lines.
#[cold]
pub(crate) fn request_line(is_debugging: bool, line: fmt::Arguments<'_>) {
    const TARGET: &str = "libfuse3::request";
    if logging::is_enabled(TARGET, log::Level::Trace) {
        logging::trace!(target: TARGET, "{line}");
    } else if is_debugging {
        let line = line.to_string();
        if !told_program(log::Level::Debug, &line) {
            logging::to_stderr(format_args!("{line}"));
        }
    }
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
    handle(level, &message);
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
    if told_program(level, message) {
        return;
    }
    if logging::is_enabled("libfuse", level) {
        logging::write_line!(target: "libfuse", level, "{message}");
    } else if level == log::Level::Debug || log::max_level() == log::LevelFilter::Off {
        // The option `debug` asks to see these lines, logger or not; and without any logger libfuse
        // would have written its complaints here.
        logging::to_stderr(format_args!("{message}"));
    }
}
