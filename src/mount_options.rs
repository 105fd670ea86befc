//! Mount options, as libfuse takes them.

use std::ffi::CString;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::ffi::OsStringExt;

use crate::Error;

/// The options of a mount: what follows `-o` on a command line.
///
/// They are libfuse's to understand: what it takes can be said here, with
/// [`add`](Self::add) if there is no method for it, and what it does not know is an error when the
/// session is made. They start out with `default_permissions`, as in pyfuse3: the kernel checks
/// permissions by mode, owner and group.
///
/// ```
/// use libfuse3::MountOptions;
///
/// let mut options = MountOptions::default().fsname("backup, daily").allow_other();
/// options.add_list("ro,max_read=65536");
/// assert_eq!(
///     options.to_string(),
///     r"default_permissions,fsname=backup\, daily,allow_other,ro,max_read=65536"
/// );
/// options.remove("default_permissions");
/// assert_eq!(options.get("max_read"), Some("65536".as_ref()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(alias = "default_options")]
pub struct MountOptions {
    /// Each as it stands between the commas: with `\,` and `\\` for a comma and a backslash.
    options: Vec<OsString>,
}

impl Default for MountOptions {
    fn default() -> Self {
        Self {
            options: vec!["default_permissions".into()],
        }
    }
}

impl MountOptions {
    /// No options at all.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            options: Vec::new(),
        }
    }

    /// Nothing can be written.
    #[must_use]
    #[doc(alias = "ro")]
    pub fn read_only(self) -> Self {
        self.with("ro")
    }

    /// Users other than the one who mounts may use it. Without root this needs `user_allow_other`
    /// in `/etc/fuse.conf`.
    #[must_use]
    pub fn allow_other(self) -> Self {
        self.with("allow_other")
    }

    /// Root may use it, too. Without root this needs `user_allow_other` in `/etc/fuse.conf`.
    #[must_use]
    pub fn allow_root(self) -> Self {
        self.with("allow_root")
    }

    /// Unmount when the process ends, however it does.
    #[must_use]
    pub fn auto_unmount(self) -> Self {
        self.with("auto_unmount")
    }

    /// libfuse logs each request and reply.
    #[must_use]
    pub fn debug(self) -> Self {
        self.with("debug")
    }

    /// What stands in the first column of `df` and `/proc/mounts`.
    #[must_use]
    pub fn fsname(mut self, name: impl AsRef<OsStr>) -> Self {
        self.set("fsname", name);
        self
    }

    /// The type of the file system: it shows as `fuse.SUBTYPE`.
    #[must_use]
    pub fn subtype(mut self, subtype: impl AsRef<OsStr>) -> Self {
        self.set("subtype", subtype);
        self
    }

    /// The largest read, in bytes.
    #[must_use]
    pub fn max_read(mut self, bytes: u32) -> Self {
        self.set("max_read", bytes.to_string());
        self
    }

    /// Adds an option as libfuse has it: `name` or `name=value`, with `\,` and `\\` for a comma and
    /// a backslash in the value.
    pub fn add(&mut self, option: impl Into<OsString>) -> &mut Self {
        let option = option.into();
        if !self.options.contains(&option) {
            self.options.push(option);
        }
        self
    }

    /// Adds `name=value` in place of what there was of that name. Commas and backslashes in the
    /// value stand for themselves.
    pub fn set(&mut self, name: &str, value: impl AsRef<OsStr>) -> &mut Self {
        self.remove(name);
        let mut option = name.as_bytes().to_vec();
        option.push(b'=');
        for byte in value.as_ref().as_bytes() {
            if matches!(byte, b',' | b'\\') {
                option.push(b'\\');
            }
            option.push(*byte);
        }
        self.add(OsString::from_vec(option))
    }

    /// Adds a list of options, separated by commas: what follows `-o`, or the fourth field of
    /// fstab.
    pub fn add_list(&mut self, list: impl AsRef<OsStr>) -> &mut Self {
        for option in split(list.as_ref().as_bytes()).filter(|option| !option.is_empty()) {
            self.add(OsStr::from_bytes(option));
        }
        self
    }

    /// Takes out an option, with or without a value. Whether it was there.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.options.len();
        self.options
            .retain(|option| split_value(option).0 != name.as_bytes());
        self.options.len() < before
    }

    /// The value of an option as it stands, escapes included: empty for one without a value, `None`
    /// if it is not there. Of several with the same name the last counts.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        let found = self.options.iter().rev().map(|option| split_value(option));
        found
            .filter(|(found, _)| *found == name.as_bytes())
            .map(|(_, value)| OsStr::from_bytes(value))
            .next()
    }

    /// Takes out an option of the program's own, which libfuse would not know, and returns its
    /// value without escapes: empty for one without a value.
    pub fn take(&mut self, name: &str) -> Option<OsString> {
        let value = unescape(self.get(name)?.as_bytes());
        self.remove(name);
        Some(OsString::from_vec(value))
    }

    /// The command line that libfuse is given.
    pub(crate) fn to_arguments(&self) -> Result<Vec<CString>, Error> {
        let mut arguments = vec![program_name()];
        for option in &self.options {
            let fail = |reason: &str| Error::InvalidOption {
                option: option.display().to_string(),
                reason: reason.to_owned(),
            };
            let bytes = option.as_bytes();
            if split(bytes).count() > 1 {
                return Err(fail(
                    r"there is a comma in it; write `\,` if it belongs to the value",
                ));
            }
            if bytes.is_empty() {
                return Err(fail("it is empty"));
            }
            let option = CString::new(bytes).map_err(|_| fail("there is a NUL in it"))?;
            arguments.push(c"-o".to_owned());
            arguments.push(option);
        }
        Ok(arguments)
    }

    /// `max_read` as a number; 0 if it is not given.
    pub(crate) fn max_read_value(&self) -> Result<u32, Error> {
        let Some(value) = self.get("max_read") else {
            return Ok(0);
        };
        value
            .to_str()
            .and_then(|value| value.parse().ok())
            .ok_or_else(|| Error::InvalidOption {
                option: format!("max_read={}", value.display()),
                reason: "it must be a number of bytes".to_owned(),
            })
    }
}

impl std::fmt::Display for MountOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, option) in self.options.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{}", option.display())?;
        }
        Ok(())
    }
}

impl MountOptions {
    fn with(mut self, option: &str) -> Self {
        self.add(option);
        self
    }
}

/// What libfuse calls the program in its messages.
fn program_name() -> CString {
    let name = std::env::args_os()
        .next()
        .and_then(|name| CString::new(name.into_vec()).ok());
    name.filter(|name| !name.is_empty())
        .unwrap_or_else(|| c"libfuse3".to_owned())
}

/// The parts between commas that have no backslash before them.
fn split(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut escaped = false;
    list.split(move |byte| {
        let is_separator = *byte == b',' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        is_separator
    })
}

fn split_value(option: &OsStr) -> (&[u8], &[u8]) {
    let bytes = option.as_bytes();
    match bytes.iter().position(|byte| *byte == b'=') {
        Some(equals) => (&bytes[..equals], &bytes[equals + 1..]),
        None => (bytes, &[]),
    }
}

fn unescape(value: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(value.len());
    let mut bytes = value.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => plain.extend(bytes.next()),
            _ => plain.push(*byte),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_split_at_plain_commas_only() {
        let mut options = MountOptions::empty();
        options.add_list(r"ro,fsname=a\,b,,subtype=x\\,nosuid");
        assert_eq!(options.get("fsname"), Some(r"a\,b".as_ref()));
        assert_eq!(options.take("subtype"), Some(r"x\".into()));
        assert_eq!(options.to_string(), r"ro,fsname=a\,b,nosuid");
    }

    #[test]
    fn a_stray_comma_or_nul_is_named() {
        let mut options = MountOptions::empty();
        options.add("fsname=a,b");
        let message = options.to_arguments().unwrap_err().to_string();
        assert!(
            message.contains("\"fsname=a,b\"") && message.contains("comma"),
            "{message}"
        );
        let options = MountOptions::empty().fsname("a\0b");
        let message = options.to_arguments().unwrap_err().to_string();
        assert!(message.contains("NUL"), "{message}");
    }

    #[test]
    fn typed_values_replace_each_other() {
        let options = MountOptions::empty().fsname("a").fsname("b").max_read(4096);
        assert_eq!(options.to_string(), "fsname=b,max_read=4096");
        assert_eq!(options.max_read_value().unwrap(), 4096);
    }
}
