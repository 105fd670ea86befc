//! Options that users type and libfuse's low level does not know: which of them are nobody's concern
//! here, and what to say about the others.

use std::ffi::OsStr;

use super::list;
use crate::raw;

/// What mount(8) has seen to before it starts the program. mount.fuse3 leaves them out, too.
const FOR_MOUNT: [&str; 11] = [
    "defaults", "auto", "noauto", "user", "nouser", "users", "owner", "group", "nofail", "_netdev",
    // What FUSE 2 wanted to hear, and FUSE 3 does anyway.
    "nonempty",
];

/// Whether libfuse is not to be told about this one.
pub(super) fn is_for_others(option: &OsStr) -> bool {
    let (name, _) = list::split_value(option);
    let is_comment =
        name == b"comment" || (name.starts_with(b"x-") && cfg!(not(libfuse_since = "3.17")));
    // `user=name` is libfuse's.
    is_comment || FOR_MOUNT.iter().any(|other| option == *other)
}

/// What to do instead, for options that libfuse has refused.
const INSTEAD: &[(&[&str], &str)] = &[
    (
        &[
            "entry_timeout",
            "attr_timeout",
            "ac_attr_timeout",
            "negative_timeout",
        ],
        "is up to the file system, which gives entry_timeout and attr_timeout with each `EntryAttributes`",
    ),
    (
        &[
            "kernel_cache",
            "auto_cache",
            "noauto_cache",
            "direct_io",
            "parallel_direct_write",
        ],
        "is up to the file system, which decides with each `FileInfo` that `open` returns",
    ),
    (
        &["umask", "fmask", "dmask", "uid", "gid"],
        "is up to the file system, which gives owner and mode with each `EntryAttributes`",
    ),
    (
        &[
            "noforget",
            "remember",
            "modules",
            "no_rofd_flush",
            "use_ino",
            "readdir_ino",
        ],
        "belongs to libfuse's high-level interface; leave it out",
    ),
    (
        &[
            "max_write",
            "max_readahead",
            "max_background",
            "congestion_threshold",
            "time_gran",
            "writeback_cache",
            "no_writeback_cache",
            "sync_read",
            "async_read",
            "atomic_o_trunc",
            "no_remote_lock",
            "no_remote_flock",
            "no_remote_posix_lock",
            "splice_write",
            "no_splice_write",
            "splice_move",
            "no_splice_move",
            "splice_read",
            "no_splice_read",
            "auto_inval_data",
            "no_auto_inval_data",
            "async_dio",
            "no_async_dio",
            "readdirplus",
        ],
        "is up to the file system, which asks for it through `ConnInfo` in `Operations::init`",
    ),
    (
        &["clone_fd", "max_threads", "max_idle_threads"],
        "is for programs that libfuse reads the command line of; use `SessionBuilder::reader_threads` and `clone_fd`",
    ),
    (
        &["fd", "rootmode", "user_id", "group_id"],
        "is set by libfuse itself; leave it out",
    ),
    (
        &["setuid", "drop_privileges"],
        "is for mount.fuse3, which starts the program; mount with `mount -t fuse3`",
    ),
    (
        &["remount"],
        "is for mount(8), which `Program` serves; use `mount -i -o remount,...`",
    ),
];

/// The versions of libfuse that have an option that this one may lack.
const VERSIONS: &[(&[&str], &str)] = &[
    (&["atime"], "up to 3.14"),
    (&["nodiratime", "nostrictatime"], "3.14.1 or later"),
    (
        &[
            "diratime",
            "relatime",
            "norelatime",
            "strictatime",
            "lazytime",
            "nolazytime",
        ],
        "3.14.1, and no other",
    ),
    (&["symfollow", "nosymfollow"], "3.17 or later"),
    (
        &["io_uring", "io_uring_q_depth"],
        "3.18 or later, built with liburing",
    ),
];

/// What to do about an option that libfuse has refused.
pub(super) fn advice(option: &OsStr) -> Option<String> {
    let (name, _) = list::split_value(option);
    let name = std::str::from_utf8(name).ok()?;
    let find = |table: &[(&[&str], &'static str)]| {
        let found = table.iter().find(|(names, _)| names.contains(&name));
        found.map(|(_, advice)| *advice)
    };
    let instead = || find(INSTEAD).map(|advice| format!("`{name}` {advice}"));
    let version = || {
        let loaded = raw::libfuse_version();
        find(VERSIONS).map(|which| format!("`{name}` takes libfuse {which}; this is {loaded}"))
    };
    instead().or_else(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_names_the_option_and_says_what_to_do() {
        let advice = |option: &str| advice(option.as_ref()).unwrap();
        assert!(advice("max_write=4096").starts_with("`max_write` is up to the file system"));
        assert!(advice("clone_fd").contains("reader_threads"));
        assert!(advice("lazytime").contains("libfuse 3.14.1"));
        assert_eq!(super::advice("no_such_option".as_ref()), None);
    }
}
