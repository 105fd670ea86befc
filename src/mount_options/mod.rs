//! Mount options, as libfuse takes them.

mod conn_info_opts;
mod list;
mod setters;
mod tables;
mod values;

use std::ffi::CString;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::ffi::OsStringExt;

pub use self::conn_info_opts::ConnInfoOpts;
use self::values::check_number;
use crate::Error;

/// The options of a mount: what follows `-o` on a command line.
///
/// They are libfuse's to understand: what it takes can be said here, with
/// [`with`](Self::with) if there is no method for it, and what it does not know is an error when the
/// session is made. They start out with `default_permissions`, as in pyfuse3: the kernel checks
/// permissions by mode, owner and group.
///
/// What adds an option takes the options by value and returns them; [`extend`](Extend::extend) does it in
/// place.
///
/// ```
/// use libfuse3::MountOptions;
///
/// let mut options = MountOptions::default()
///     .fsname("backup, daily")
///     .allow_other()
///     .with_list("ro,max_read=65536");
/// assert_eq!(
///     options.to_string(),
///     r"default_permissions,fsname=backup\, daily,allow_other,ro,max_read=65536"
/// );
/// options.remove("default_permissions");
/// options.extend(["nosuid,nodev", "noatime"]);
/// assert_eq!(options.get("max_read"), Some("65536".as_ref()));
/// ```
///
/// What stands in fstab for others than libfuse, and comes along all the same, is left out of what libfuse
/// is given: `defaults`, `auto`, `noauto`, `user`, `nouser`, `users`, `owner`, `group`, `nofail`, `_netdev`,
/// `comment=`, `nonempty`, and before libfuse 3.17 what begins with `x-`. mount(8) has seen to it by then.
/// Of options that are contrary to each other, as `ro` and `rw`, the last counts.
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

    /// Adds an option as libfuse has it: `name` or `name=value`, with `\,` and `\\` for a comma and
    /// a backslash in the value.
    #[must_use]
    pub fn with(mut self, option: impl Into<OsString>) -> Self {
        self.push(option.into());
        self
    }

    /// Adds `name=value` in place of what there was of that name. Commas and backslashes in the
    /// value stand for themselves.
    #[must_use]
    pub fn with_value(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.remove(name);
        self.push(list::with_value(name, value.as_ref()));
        self
    }

    /// Adds a list of options, separated by commas: what follows `-o`, or the fourth field of
    /// fstab.
    #[must_use]
    pub fn with_list(mut self, list: impl AsRef<OsStr>) -> Self {
        self.extend([list]);
        self
    }

    /// Takes out an option, with or without a value. Whether it was there.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.options.len();
        self.options
            .retain(|option| list::split_value(option).0 != name.as_bytes());
        self.options.len() < before
    }

    /// The value of an option as it stands, escapes included: empty for one without a value, `None`
    /// if it is not there. Of several with the same name the last counts.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        let found = self
            .options
            .iter()
            .rev()
            .map(|option| list::split_value(option));
        found
            .filter(|(found, _)| *found == name.as_bytes())
            .map(|(_, value)| OsStr::from_bytes(value))
            .next()
    }

    /// Takes out an option of the program's own, which libfuse would not know, and returns its
    /// value without escapes: empty for one without a value.
    pub fn take(&mut self, name: &str) -> Option<OsString> {
        let value = list::unescape(self.get(name)?.as_bytes());
        self.remove(name);
        Some(OsString::from_vec(value))
    }

    /// Adds the options of `last`, which replace those of the same name.
    pub(crate) fn overridden_by(mut self, last: Self) -> Self {
        for option in last.options {
            let (name, _) = list::split_value(&option);
            self.options.retain(|other| {
                let (other, _) = list::split_value(other);
                // libfuse refuses to have both.
                other != name && !(is_for_allowing(other) && is_for_allowing(name))
            });
            self.options.push(option);
        }
        self
    }

    /// Each option, escaped as in a list.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &OsStr> {
        self.options.iter().map(OsString::as_os_str)
    }

    /// Whether libfuse can be given the options.
    pub(crate) fn is_valid(&self) -> bool {
        self.to_arguments().is_ok()
    }

    /// Fails if the value of this option, which is a number, is none or out of range.
    pub(crate) fn check_number(&self, name: &str) -> Result<(), Error> {
        let mut options = self.options.iter();
        options.try_for_each(
            |option| match list::split_value(option).0 == name.as_bytes() {
                true => check_number(option).map_err(|reason| invalid(option, &reason)),
                false => Ok(()),
            },
        )
    }

    /// The command line that libfuse is given.
    pub(crate) fn to_arguments(&self) -> Result<Vec<CString>, Error> {
        let mut arguments = vec![program_name()];
        for option in self
            .options
            .iter()
            .filter(|option| !tables::is_for_others(option))
        {
            let fail = |reason: &str| invalid(option, reason);
            let bytes = option.as_bytes();
            if list::split(bytes).count() > 1 {
                return Err(fail(
                    r"there is a comma in it; write `\,` if it belongs to the value",
                ));
            }
            if bytes.is_empty() {
                return Err(fail("it is empty"));
            }
            values::check(option).map_err(|reason| fail(&reason))?;
            let option = CString::new(bytes).map_err(|_| fail("there is a NUL in it"))?;
            arguments.push(c"-o".to_owned());
            arguments.push(option);
        }
        Ok(arguments)
    }

    /// Adds to libfuse's refusal what is to be done about it.
    pub(crate) fn explain(&self, error: Error) -> Error {
        let Error::Options { mut message } = error else {
            return error;
        };
        let refused = |option: &&OsString| message.contains(&*option.to_string_lossy());
        let advice: Vec<_> = self
            .options
            .iter()
            .filter(refused)
            .filter_map(|option| tables::advice(option))
            .collect();
        for advice in advice {
            message = format!("{message}; {advice}");
        }
        Error::Options { message }
    }

    /// `max_read` as a number; 0 if it is not given.
    pub(crate) fn max_read_value(&self) -> Result<u32, Error> {
        let Some(value) = self.get("max_read") else {
            return Ok(0);
        };
        let number = value.to_str().and_then(|value| value.parse().ok());
        number.ok_or_else(|| {
            let option = list::with_value("max_read", value);
            let reason = check_number(&option).err();
            invalid(&option, &reason.unwrap_or_default())
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

/// Adds options in place, each item as what follows one `-o`.
impl<S: AsRef<OsStr>> Extend<S> for MountOptions {
    fn extend<I: IntoIterator<Item = S>>(&mut self, lists: I) {
        for list in lists {
            let options = list::split(list.as_ref().as_bytes());
            for option in options.filter(|option| !option.is_empty()) {
                self.push(OsStr::from_bytes(option).to_owned());
            }
        }
    }
}

impl MountOptions {
    /// The last counts, so one that was there already moves to the end.
    fn push(&mut self, option: OsString) {
        self.options.retain(|other| *other != option);
        self.options.push(option);
    }
}

fn is_for_allowing(name: &[u8]) -> bool {
    name == b"allow_other" || name == b"allow_root"
}

fn invalid(option: impl AsRef<OsStr>, reason: &str) -> Error {
    Error::InvalidOption {
        option: option.as_ref().display().to_string(),
        reason: reason.to_owned(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_split_at_plain_commas_only() {
        let mut options = MountOptions::empty().with_list(r"ro,fsname=a\,b,,subtype=x\\,nosuid");
        assert_eq!(options.get("fsname"), Some(r"a\,b".as_ref()));
        assert_eq!(options.take("subtype"), Some(r"x\".into()));
        assert_eq!(options.to_string(), r"ro,fsname=a\,b,nosuid");
    }

    #[test]
    fn a_stray_comma_or_nul_is_named() {
        let options = MountOptions::empty().with("fsname=a,b");
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
        let options = MountOptions::empty().suid(true).exec(false).suid(false);
        assert_eq!(options.to_string(), "noexec,nosuid");
        let options = MountOptions::empty().read_only().read_write();
        assert_eq!(options.to_string(), "rw");
    }

    #[test]
    fn the_last_one_counts() {
        let options = MountOptions::empty().with_list("ro,rw,ro");
        assert_eq!(options.to_string(), "rw,ro");
    }

    #[test]
    fn overriding_options_come_last_and_replace_those_of_the_same_name() {
        let first = MountOptions::empty().with_list("ro,fsname=a,max_read=4096,allow_other");
        let last = MountOptions::empty().with_list("rw,fsname=b,allow_root");
        let merged = first.overridden_by(last).to_string();
        assert_eq!(merged, "ro,max_read=4096,rw,fsname=b,allow_root");
    }

    #[test]
    fn what_is_for_mount_8_does_not_reach_libfuse() {
        let list = "defaults,nofail,_netdev,noauto,user,users,nonempty,comment=x,ro";
        let arguments = MountOptions::empty()
            .with_list(list)
            .to_arguments()
            .unwrap();
        assert_eq!(arguments[1..], [c"-o".to_owned(), c"ro".to_owned()]);
        // libfuse knows this one, and it is something else.
        let arguments = MountOptions::empty().with("user=x").to_arguments().unwrap();
        assert_eq!(arguments[1..], [c"-o".to_owned(), c"user=x".to_owned()]);
    }
}
