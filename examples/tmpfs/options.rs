//! The options of the program itself; all others are libfuse's.

use std::error::Error;
use std::fs;

use libfuse3::CommandLine;
use libfuse3::MountOptions;

use crate::contents::PAGE;
use crate::node::Ownership;
use crate::space::Space;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What mount(8) calls the device shows in the list of mounts, as it does for the kernel's tmpfs.
pub(crate) fn name(command_line: &mut CommandLine) {
    if let [name] = command_line.operands.as_slice()
        && !name.is_empty()
        && command_line.options.get("fsname").is_none()
    {
        let options = &mut command_line.options;
        *options = std::mem::replace(options, MountOptions::empty()).fsname(name);
    }
}

/// Takes `size` and `nr_inodes` out of what goes to libfuse. Both are half of the machine's memory
/// unless given, where an inode counts as a page.
pub(crate) fn take_space(options: &mut MountOptions) -> Result<Space> {
    let pages = |text: &str| parse_size(text)?.checked_next_multiple_of(PAGE);
    let bytes = match take(options, "size", pages)? {
        Some(bytes) => bytes,
        None => (memory()? / 2).next_multiple_of(PAGE),
    };
    let inodes = match take(options, "nr_inodes", parse_size)? {
        Some(inodes) => inodes,
        None => memory()? / 2 / PAGE,
    };
    Ok(Space::new(bytes, inodes))
}

/// Takes `mode`, `uid` and `gid` of the root directory. It belongs to whoever runs the program and is
/// open to everybody, like `/tmp`, unless they say otherwise.
pub(crate) fn take_root(options: &mut MountOptions) -> Result<Ownership> {
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    // The last number means "no change" to chown(2).
    let number = |text: &str| text.parse().ok().filter(|id| *id != u32::MAX);
    let mode = |text: &str| {
        u32::from_str_radix(text, 8)
            .ok()
            .filter(|mode| *mode <= 0o7777)
    };
    Ok(Ownership {
        mode: libc::S_IFDIR | take(options, "mode", mode)?.unwrap_or(0o1777),
        uid: take(options, "uid", number)?.unwrap_or(uid.as_raw()),
        gid: take(options, "gid", number)?.unwrap_or(gid.as_raw()),
    })
}

fn take<T>(
    options: &mut MountOptions,
    name: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>> {
    let Some(value) = options.take(name) else {
        return Ok(None);
    };
    match value.to_str().and_then(parse) {
        Some(value) => Ok(Some(value)),
        None => Err(format!("bad value in option {name}={}", value.display()).into()),
    }
}

/// A number, or one of kibi, mebi, gibi or tebi, or a percentage of the machine's memory.
fn parse_size(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let number = digits.parse::<u64>().ok()?;
    match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" => Some(number),
        "k" => number.checked_mul(1 << 10),
        "m" => number.checked_mul(1 << 20),
        "g" => number.checked_mul(1 << 30),
        "t" => number.checked_mul(1 << 40),
        "%" => (memory().ok()? / 100).checked_mul(number),
        _ => None,
    }
}

/// The size of the machine's memory in bytes.
fn memory() -> Result<u64> {
    let path = "/proc/meminfo";
    let text = fs::read_to_string(path).map_err(|error| {
        format!("cannot read the size of the memory from {path}: {error}; mount /proc, or give size and nr_inodes")
    })?;
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kibibytes = total.and_then(|total| total.trim().strip_suffix(" kB"));
    let kibibytes = kibibytes.ok_or_else(|| format!("no MemTotal in {path}"))?;
    Ok(kibibytes.parse::<u64>()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_numbers_with_or_without_a_unit() {
        assert_eq!(parse_size("4096"), Some(4096));
        assert_eq!(parse_size("64k"), Some(64 << 10));
        assert_eq!(parse_size("3G"), Some(3 << 30));
        assert_eq!(parse_size("200%"), parse_size("100%").map(|all| all * 2));
        for bad in ["", "k", "1kk", "-1", "1.5G", "16777216T", "1x"] {
            assert_eq!(parse_size(bad), None, "{bad}");
        }
    }
}
