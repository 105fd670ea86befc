//! Which libfuse was found at build time, and which one is loaded.

use std::ffi::CStr;

use libfuse_sys::fuse_pkgversion;

use crate::Error;

/// The version of the headers that this crate was built with.
const HEADERS: &str = env!("LIBFUSE_HEADER_VERSION");

/// The version of the loaded libfuse, such as `"3.14.0"`.
#[doc(alias = "fuse_pkgversion")]
#[must_use]
pub(crate) fn libfuse_version() -> String {
    // SAFETY: no preconditions.
    let version = unsafe { fuse_pkgversion() };
    // SAFETY: libfuse returns a static string.
    unsafe { CStr::from_ptr(version) }
        .to_string_lossy()
        .into_owned()
}

/// Whether this libfuse tells which requests have to clear set-user-id bits: the loaded one may be an
/// older one of the same minor version.
pub(super) fn tells_kill_suidgid() -> bool {
    cfg!(libfuse_has = "kill_suidgid") && parse(&libfuse_version()) >= Some((3, 18, 3))
}

/// Refuses a libfuse whose structures differ from those of the headers, or that is older.
pub(super) fn check() -> Result<(), Error> {
    check_versions(HEADERS, &libfuse_version())
}

fn check_versions(headers: &str, loaded: &str) -> Result<(), Error> {
    let parsed = (parse(headers), parse(loaded));
    let fits = match parsed {
        (Some(headers), Some(loaded)) => {
            (loaded.0, loaded.1) >= (headers.0, headers.1) && layout(loaded) == layout(headers)
        }
        // A version we cannot read is not worth refusing to work.
        _ => true,
    };
    if fits {
        Ok(())
    } else {
        Err(Error::Version {
            headers: headers.to_owned(),
            loaded: loaded.to_owned(),
        })
    }
}

/// Major, minor and patch number; what follows them ("-rc0") does not matter.
fn parse(version: &str) -> Option<(u32, u32, u32)> {
    let mut numbers = version.split('.').map(|part| {
        let digits = part
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(part.len());
        part[..digits].parse().ok()
    });
    Some((
        numbers.next()??,
        numbers.next()??,
        numbers.next().flatten().unwrap_or(0),
    ))
}

/// `fuse_file_info` changed its bit fields in 3.14.1 and again in 3.17 (with a new SONAME).
fn layout(version: (u32, u32, u32)) -> u32 {
    match version {
        version if version < (3, 14, 1) => 0,
        version if version < (3, 17, 0) => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_libfuse_of_this_machine_fits() {
        check().unwrap();
    }

    #[test]
    fn an_older_library_or_another_layout_is_refused() {
        assert!(check_versions("3.14.0", "3.14.0").is_ok());
        assert!(check_versions("3.10.3", "3.14.0").is_ok());
        assert!(check_versions("3.17.2", "3.18.1").is_ok());
        assert!(check_versions("3.14.0", "3.10.3").is_err());
        assert!(check_versions("3.14.0", "3.16.2").is_err());
        assert!(check_versions("3.16.2", "3.17.0").is_err());
        let message = check_versions("3.18.0-rc1", "3.17.4")
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("3.18.0-rc1") && message.contains("3.17.4"),
            "{message}"
        );
    }
}
