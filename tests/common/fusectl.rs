//! The control file system: `/sys/fs/fuse/connections`, wherever it is mounted.

use std::fs;
use std::path::PathBuf;

/// Returns from a test that looks at a connection where none can be looked at; says why.
macro_rules! require_fusectl {
    () => {
        if $crate::common::fusectl().is_none() {
            $crate::common::skip("fusectl is not mounted, see /sys/fs/fuse/connections");
            return;
        }
    };
}
pub(crate) use require_fusectl;

/// Where the control file system is mounted.
pub(crate) fn fusectl() -> Option<PathBuf> {
    let mounts = super::mountinfo();
    let mount = mounts.lines().find(|mount| mount.contains(" - fusectl "))?;
    mount.split(' ').nth(4).map(PathBuf::from)
}

/// What the control file system has on a connection, under this name.
#[track_caller]
pub(crate) fn connection_value(connection: u32, name: &str) -> String {
    let file = fusectl().expect("looked for before");
    let file = file.join(connection.to_string()).join(name);
    match fs::read_to_string(&file) {
        Ok(value) => value.trim_end().to_owned(),
        Err(error) => panic!("{file:?}: {error}"),
    }
}
