//! The program's own `-o` options.

use std::time::Duration;

use libfuse3::MountOptions;

/// What the kernel may keep of the files' contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cache {
    /// Nothing: each `read` and `write` reaches the source.
    Never,
    /// What has been read, until the file is opened again or its attributes say that it has changed.
    Auto,
    /// All that fits in memory. For a source that nobody else changes.
    Always,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub(crate) cache: Cache,
    /// How long the kernel may keep names and attributes.
    pub(crate) timeout: Duration,
    /// Whether the kernel collects writes.
    pub(crate) writeback: bool,
    /// Whether there are extended attributes, and with them access control lists.
    pub(crate) xattr: bool,
    /// Whether `flock` locks files of the source.
    pub(crate) flock: bool,
    /// Whether the kernel reads and writes files by itself, where it can.
    pub(crate) passthrough: bool,
    /// Whether contents go between files and the kernel without passing through memory.
    pub(crate) splice: bool,
    /// Whether files bypass the kernel's cache.
    pub(crate) direct_io: bool,
    /// Whether the source's times of access stay as they are.
    pub(crate) noatime: bool,
}

/// Whether the mount options say that reading changes no time of access.
pub(crate) fn leaves_atime(options: &MountOptions) -> bool {
    let is_on = |on, off| options.get(on).is_some() && options.get(off).is_none();
    is_on("noatime", "atime") || is_on("ro", "rw")
}

#[allow(dead_code, reason = "each of the three programs has its own")]
impl Options {
    /// Takes those of `passthrough_ll` out of the mount options: nothing is on that was not asked for,
    /// and the kernel may keep names and attributes for a second.
    pub(crate) fn take_from_libfuse(options: &mut MountOptions) -> Result<Self, String> {
        let mut is_on = |on, off| {
            let (on, off) = (options.take(on).is_some(), options.take(off).is_some());
            on && !off
        };
        let flock = is_on("flock", "no_flock");
        let xattr = is_on("xattr", "no_xattr");
        let writeback = is_on("writeback", "no_writeback");
        let is_timeout_set = options.get("timeout").is_some();
        let mut options = Self::take_from(options)?;
        if !is_timeout_set && options.cache == Cache::Auto {
            options.timeout = Duration::from_secs(1);
        }
        Ok(Self {
            // libfuse's program takes both, and a write does not change the mtime.
            writeback: writeback && options.cache != Cache::Never,
            xattr,
            flock,
            ..options
        })
    }

    /// Takes them out of the mount options, of which libfuse gets the rest.
    pub(crate) fn take_from(options: &mut MountOptions) -> Result<Self, String> {
        let mut take = |name| {
            let value = options.take(name);
            value.map(|value| value.to_string_lossy().into_owned())
        };
        let cache = match take("cache").as_deref() {
            Some("never") => Cache::Never,
            None | Some("auto") => Cache::Auto,
            Some("always") => Cache::Always,
            Some(other) => {
                return Err(format!(
                    "option cache={other}: expected never, auto or always"
                ));
            }
        };
        let timeout = match take("timeout") {
            Some(value) => parse_seconds(&value)?,
            None if cache == Cache::Always => Duration::from_secs(24 * 60 * 60),
            None => Duration::ZERO,
        };
        let writeback = take("writeback").is_some() || options.get("writeback_cache").is_some();
        if writeback && cache == Cache::Never {
            return Err("writeback and cache=never do not go together: \
                        what is not cached cannot be collected"
                .to_owned());
        }
        Ok(Self {
            cache,
            timeout,
            writeback,
            xattr: true,
            flock: true,
            passthrough: false,
            splice: false,
            direct_io: false,
            noatime: leaves_atime(options),
        })
    }
}

fn parse_seconds(value: &str) -> Result<Duration, String> {
    let seconds = value.parse().ok();
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| format!("option timeout={value}: expected seconds, such as 0 or 1.5"))
}
