//! Panics of code that is not ours: handlers, loggers, wakers, and what they leave behind.

use std::any::Any;
use std::mem;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;

/// What a call has panicked with, in words.
#[derive(Debug)]
pub(crate) struct Panicked(pub(crate) String);

/// Calls `call`. If it panics, drops the payload, which may itself panic, and returns the message.
#[inline]
pub(crate) fn catch<R>(call: impl FnOnce() -> R) -> Result<R, Panicked> {
    catch_unwind(AssertUnwindSafe(call)).map_err(dispose)
}

/// Drops the payload of a panic, which may itself panic; returns the message.
#[cold]
pub(crate) fn dispose(payload: Box<dyn Any + Send>) -> Panicked {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let panicked = Panicked(text.unwrap_or("no message").to_owned());
    if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        // A payload whose destructor panics may have panicked with one of its kind.
        mem::forget(another);
    }
    panicked
}

#[cfg(test)]
mod tests {
    use std::panic::panic_any;

    use super::*;

    #[test]
    fn message_of_panic_is_returned() {
        assert_eq!(catch(|| 1).unwrap(), 1);
        assert_eq!(catch(|| panic!("text")).unwrap_err().0, "text");
        assert_eq!(catch(|| panic!("{}", 1)).unwrap_err().0, "1");
        assert_eq!(catch(|| panic_any(1)).unwrap_err().0, "no message");
    }

    #[test]
    fn payload_whose_destructor_panics_is_caught() {
        struct Payload;
        impl Drop for Payload {
            fn drop(&mut self) {
                panic_any(Self);
            }
        }
        assert_eq!(catch(|| panic_any(Payload)).unwrap_err().0, "no message");
    }
}
