//! Raw bindings to libfuse3, the C library of FUSE: its low-level API, as the installed headers
//! declare it.
//!
//! bindgen makes them at build time, so they fit the libfuse that is there: names, members and
//! layouts differ between its releases, and what a header does not declare is not here either. Use
//! the safe crate, `libfuse3`, unless you have a reason not to.
//!
//! - Names are C's. The values of enums are plain constants, since several of the enums are sets of bits.
//! - The types of the C library (`stat`, `iovec`, `off_t`, ...) are those of the `libc` crate.
//! - `FUSE_USE_VERSION` is 312. Macros and inline functions of the headers are not here, neither is
//!   `fuse_set_log_func`, whose callback takes a `va_list`: these need a few lines of C.
//! - A build script of a dependent finds `DEP_FUSE3_VERSION`, `DEP_FUSE3_VERSION_NUMBER`,
//!   `DEP_FUSE3_INCLUDE` and `DEP_FUSE3_USE_VERSION` in its environment.
//!
//! It needs libfuse 3.10 or later, pkg-config and libclang.

#![no_std]
#![allow(
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unreachable_pub,
    unused_qualifications,
    rustdoc::all,
    clippy::all,
    clippy::doc_markdown,
    clippy::missing_safety_doc,
    clippy::multiple_unsafe_ops_per_block,
    clippy::ptr_as_ptr,
    clippy::undocumented_unsafe_blocks,
    clippy::use_self,
    reason = "the code is generated, after C"
)]

include!(concat!(env!("OUT_DIR"), "/bindings.rs"));

#[cfg(test)]
mod tests {
    use core::ffi::CStr;

    #[test]
    fn headers_and_library_are_of_one_version() {
        // SAFETY: The function takes nothing and only returns a number.
        let library = unsafe { super::fuse_version() };
        let headers = super::FUSE_MAJOR_VERSION * 100 + super::FUSE_MINOR_VERSION;
        assert_eq!(u32::try_from(library), Ok(headers));
    }

    #[test]
    fn pkg_config_and_library_are_of_one_version() {
        // SAFETY: The function takes nothing and returns a string that lives as long as the
        // library.
        let library = unsafe { CStr::from_ptr(super::fuse_pkgversion()) };
        assert_eq!(library.to_str(), Ok(env!("LIBFUSE_HEADER_VERSION")));
    }
}
