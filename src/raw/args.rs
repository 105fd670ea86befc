//! `struct fuse_args`: a command line in libfuse's hands.

use std::ffi::CStr;
use std::ffi::CString;
use std::ptr;

use libfuse_sys::fuse_args;
use libfuse_sys::fuse_opt_add_arg;
use libfuse_sys::fuse_opt_free_args;

/// Owned arguments.
pub(super) struct Args(fuse_args);

impl Args {
    /// The program's name, then its arguments.
    pub(super) fn new(arguments: &[CString]) -> Self {
        let mut args = Self(fuse_args {
            argc: 0,
            argv: ptr::null_mut(),
            allocated: 0,
        });
        for argument in arguments {
            // SAFETY: libfuse copies the NUL-terminated argument; `args` started out empty.
            let result = unsafe { fuse_opt_add_arg(&mut args.0, argument.as_ptr()) };
            assert_eq!(result, 0, "out of memory");
        }
        args
    }

    pub(super) fn as_mut_ptr(&mut self) -> *mut fuse_args {
        &raw mut self.0
    }

    /// What is left after libfuse has taken its part.
    pub(super) fn to_vec(&self) -> Vec<CString> {
        let count = usize::try_from(self.0.argc).unwrap_or(0);
        (0..count)
            .map(|index| {
                // SAFETY: argv has argc elements.
                let argument = unsafe { self.0.argv.add(index) };
                // SAFETY: as above.
                let argument = unsafe { *argument };
                // SAFETY: each is a NUL-terminated string of libfuse's that lives as long as
                // `self`.
                unsafe { CStr::from_ptr(argument) }.to_owned()
            })
            .collect()
    }
}

impl Drop for Args {
    fn drop(&mut self) {
        // SAFETY: made by fuse_opt_add_arg, freed once. libfuse resets what it has freed itself.
        unsafe { fuse_opt_free_args(&mut self.0) };
    }
}
