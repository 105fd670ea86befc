//! The extended attributes of an inode.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use libfuse3::Errno;
use libfuse3::Result;
use libfuse3::XattrFlags;

use crate::space::Space;

/// Who may touch which of these the kernel has checked, except for listing `trusted.`.
const NAMESPACES: [&[u8]; 3] = [b"user.", b"trusted.", b"security."];

#[derive(Default)]
pub(crate) struct Xattrs {
    values: BTreeMap<OsString, Vec<u8>>,
}

impl Xattrs {
    pub(crate) fn get(&self, name: &OsStr) -> Result<Vec<u8>> {
        check_namespace(name)?;
        self.values.get(name).cloned().ok_or(Errno::ENOATTR)
    }

    pub(crate) fn set(
        &mut self,
        name: &OsStr,
        value: &[u8],
        flags: XattrFlags,
        space: &Space,
    ) -> Result<()> {
        check_namespace(name)?;
        match self.values.contains_key(name) {
            true if flags.contains(XattrFlags::CREATE) => return Err(Errno::EEXIST),
            false if flags.contains(XattrFlags::REPLACE) => return Err(Errno::ENOATTR),
            _ => {}
        }
        space.take_bytes(cost(name, value))?;
        if let Some(old) = self.values.insert(name.to_owned(), value.to_vec()) {
            space.give_bytes(cost(name, &old));
        }
        Ok(())
    }

    pub(crate) fn remove(&mut self, name: &OsStr, space: &Space) -> Result<()> {
        check_namespace(name)?;
        let old = self.values.remove(name).ok_or(Errno::ENOATTR)?;
        space.give_bytes(cost(name, &old));
        Ok(())
    }

    /// `trusted.` attributes are for the administrator's eyes only.
    pub(crate) fn names(&self, administrator: bool) -> Vec<OsString> {
        let visible = |name: &&OsString| administrator || !name.as_bytes().starts_with(b"trusted.");
        self.values.keys().filter(visible).cloned().collect()
    }

    /// What `set` has taken in all.
    pub(crate) fn total_cost(&self) -> u64 {
        self.values
            .iter()
            .map(|(name, value)| cost(name, value))
            .sum()
    }
}

fn cost(name: &OsStr, value: &[u8]) -> u64 {
    (name.len() + value.len()) as u64
}

/// Access control lists are among what is refused: they would have to be kept in step with the mode.
fn check_namespace(name: &OsStr) -> Result<()> {
    let prefix = NAMESPACES
        .into_iter()
        .find(|prefix| name.as_bytes().starts_with(prefix));
    match prefix {
        None => Err(Errno::EOPNOTSUPP),
        Some(prefix) if prefix.len() == name.len() => Err(Errno::EINVAL),
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaced_and_removed_values_give_their_space_back() {
        let space = Space::new(4096, 0);
        let (mut xattrs, name) = (Xattrs::default(), OsStr::new("user.a"));
        let none = XattrFlags::empty();
        xattrs.set(name, &[0; 4000], none, &space).unwrap();
        assert_eq!(
            xattrs.set(OsStr::new("user.b"), &[0; 4000], none, &space),
            Err(Errno::ENOSPC)
        );
        xattrs.set(name, b"12", none, &space).unwrap();
        assert_eq!(xattrs.total_cost(), 8);
        assert_eq!(
            xattrs.set(name, b"3", XattrFlags::CREATE, &space),
            Err(Errno::EEXIST)
        );
        assert_eq!(xattrs.get(name).unwrap(), b"12");
        xattrs.remove(name, &space).unwrap();
        assert_eq!(
            xattrs.set(name, b"3", XattrFlags::REPLACE, &space),
            Err(Errno::ENOATTR)
        );
        assert_eq!(space.take_bytes(4096), Ok(()));
    }

    #[test]
    fn unknown_namespaces_are_not_supported() {
        let xattrs = Xattrs::default();
        for name in ["system.other", "user", "other.x"] {
            let name = OsStr::new(name);
            assert_eq!(xattrs.get(name), Err(Errno::EOPNOTSUPP), "{name:?}");
        }
        assert_eq!(xattrs.get(OsStr::new("user.")), Err(Errno::EINVAL));
    }
}
