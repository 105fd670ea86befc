//! The version of the kernel.

use std::fs;

/// Whether the kernel is this version of Linux, or a later one.
pub(crate) fn linux_since(major: u32, minor: u32) -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("a version");
    let mut numbers = release.split(['.', '-', '+']).map(str::parse);
    let mut next = || numbers.next().expect("a number").expect("a number");
    (next(), next()) >= (major, minor)
}

/// Returns from a test of something that needs this version of Linux; says so.
macro_rules! require_linux {
    ($major:literal, $minor:literal) => {
        if !$crate::common::linux_since($major, $minor) {
            $crate::common::skip(format_args!("before Linux {}.{}", $major, $minor));
            return;
        }
    };
}
pub(crate) use require_linux;
