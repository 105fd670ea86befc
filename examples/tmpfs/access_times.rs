//! When reading changes the time of access, which the kernel leaves to the file system.

use libfuse3::MountOptions;
use libfuse3::Timestamp;

/// After this time `relatime` changes a time of access in any case.
const DAY: i64 = 24 * 60 * 60;

/// The mount options about times of access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AccessTimes {
    when: When,
    directories: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "memfs_ll has the default alone")]
enum When {
    Never,
    /// Once after each change, and once a day.
    Relative,
    Always,
}

impl Default for AccessTimes {
    /// As the kernel's default.
    fn default() -> Self {
        Self {
            when: When::Relative,
            directories: true,
        }
    }
}

impl AccessTimes {
    /// Takes the options out of what goes to libfuse that not every version of it knows.
    #[allow(dead_code, reason = "memfs_ll has no such options")]
    pub(crate) fn take_from(options: &mut MountOptions) -> Self {
        let mut take = |name| options.take(name).is_some();
        let (is_strict, is_atime) = (take("strictatime"), take("atime"));
        let directories = !take("nodiratime") || is_strict;
        for default in ["relatime", "norelatime", "nostrictatime", "diratime"] {
            take(default);
        }
        let has = |name| options.get(name).is_some();
        let is_read_only = has("ro") && !has("rw");
        let when = match () {
            () if is_read_only => When::Never,
            // It overrides `noatime`, as in the kernel.
            () if is_strict => When::Always,
            () if has("noatime") && !is_atime => When::Never,
            () => When::Relative,
        };
        Self { when, directories }
    }

    /// Whether each reading changes the time of access.
    pub(crate) fn always_change(self) -> bool {
        self.when == When::Always
    }

    /// Whether reading now changes the time of access of an inode.
    pub(crate) fn change(
        self,
        is_dir: bool,
        now: Timestamp,
        atime: Timestamp,
        last_change: Timestamp,
    ) -> bool {
        let is_due = match self.when {
            When::Never => false,
            When::Relative => {
                atime <= last_change || now.secs().saturating_sub(atime.secs()) >= DAY
            }
            When::Always => true,
        };
        is_due && (self.directories || !is_dir)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(options: &str) -> (AccessTimes, MountOptions) {
        let mut options = MountOptions::empty().with_list(options);
        (AccessTimes::take_from(&mut options), options)
    }

    #[test]
    fn options_are_those_of_mount_8() {
        let with = |when, directories| AccessTimes { when, directories };
        for (options, expected) in [
            ("", AccessTimes::default()),
            ("relatime", AccessTimes::default()),
            ("noatime", with(When::Never, true)),
            ("ro", with(When::Never, true)),
            ("strictatime,ro", with(When::Never, true)),
            ("strictatime", with(When::Always, true)),
            ("noatime,strictatime", with(When::Always, true)),
            ("nodiratime", with(When::Relative, false)),
            ("noatime,atime", AccessTimes::default()),
        ] {
            assert_eq!(taken(options).0, expected, "{options}");
        }
    }

    #[test]
    fn reading_changes_the_time_of_access_once_after_each_change_and_once_a_day() {
        let at = |seconds| Timestamp::new(seconds, 0);
        let change = |options, is_dir, [now, atime, last_change]: [i64; 3]| {
            let access_times = taken(options).0;
            access_times.change(is_dir, at(now), at(atime), at(last_change))
        };
        for (now, atime, last_change, expected) in [
            (10, 5, 5, true),
            (10, 5, 6, true),
            (10, 5, 4, false),
            (DAY + 4, 5, 4, false),
            (DAY + 5, 5, 4, true),
        ] {
            let times = [now, atime, last_change];
            assert_eq!(change("", false, times), expected, "{times:?}");
            assert_eq!(change("nodiratime", false, times), expected, "{times:?}");
            assert!(!change("nodiratime", true, times));
            assert!(!change("noatime", false, times));
            assert!(change("strictatime", true, times));
        }
    }
}
