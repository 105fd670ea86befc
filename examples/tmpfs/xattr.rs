//! The extended attributes of an inode.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use libfuse3::Errno;
use libfuse3::Result;
use libfuse3::XattrFlags;

use crate::acl;
use crate::space::Space;

/// Who may touch which of these the kernel has checked, except for listing `trusted.`.
const NAMESPACES: [&[u8]; 3] = [b"user.", b"trusted.", b"security."];

/// # Invariants
///
/// What names and values cost is taken from `space`, and given back when they are dropped.
pub(crate) struct Xattrs {
    values: BTreeMap<OsString, Vec<u8>>,
    space: Arc<Space>,
}

impl Xattrs {
    pub(crate) fn new(space: &Arc<Space>) -> Self {
        Self {
            values: BTreeMap::new(),
            space: Arc::clone(space),
        }
    }

    pub(crate) fn get(&self, name: &OsStr) -> Result<Vec<u8>> {
        check_name(name)?;
        self.values.get(name).cloned().ok_or(Errno::ENOATTR)
    }

    pub(crate) fn value(&self, name: &str) -> Option<&[u8]> {
        self.values.get(OsStr::new(name)).map(Vec::as_slice)
    }

    /// To be changed without changing its length.
    pub(crate) fn value_mut(&mut self, name: &str) -> Option<&mut [u8]> {
        self.values.get_mut(OsStr::new(name)).map(Vec::as_mut_slice)
    }

    pub(crate) fn set(&mut self, name: &OsStr, value: &[u8], flags: XattrFlags) -> Result<()> {
        check_name(name)?;
        match self.values.contains_key(name) {
            true if flags.contains(XattrFlags::CREATE) => return Err(Errno::EEXIST),
            false if flags.contains(XattrFlags::REPLACE) => return Err(Errno::ENOATTR),
            _ => {}
        }
        self.space.take_bytes(cost(name, value))?;
        if let Some(old) = self.values.insert(name.to_owned(), value.to_vec()) {
            self.space.give_bytes(cost(name, &old));
        }
        Ok(())
    }

    pub(crate) fn remove(&mut self, name: &OsStr) -> Result<()> {
        check_name(name)?;
        let old = self.values.remove(name).ok_or(Errno::ENOATTR)?;
        self.space.give_bytes(cost(name, &old));
        Ok(())
    }

    /// `trusted.` attributes are for the administrator's eyes only.
    pub(crate) fn names(&self, administrator: bool) -> Vec<OsString> {
        let visible = |name: &&OsString| administrator || !name.as_bytes().starts_with(b"trusted.");
        self.values.keys().filter(visible).cloned().collect()
    }
}

impl Drop for Xattrs {
    fn drop(&mut self) {
        let total = self
            .values
            .iter()
            .map(|(name, value)| cost(name, value))
            .sum();
        self.space.give_bytes(total);
    }
}

fn cost(name: &OsStr, value: &[u8]) -> u64 {
    (name.len() + value.len()) as u64
}

fn check_name(name: &OsStr) -> Result<()> {
    if acl::is_acl(name) {
        return Ok(());
    }
    let namespace = NAMESPACES
        .into_iter()
        .find(|space| name.as_bytes().starts_with(space));
    match namespace {
        None => Err(Errno::EOPNOTSUPP),
        Some(namespace) if namespace.len() == name.len() => Err(Errno::EINVAL),
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaced_removed_and_dropped_values_give_their_space_back() {
        let space = Arc::new(Space::new(4096, 0));
        let (mut xattrs, name) = (Xattrs::new(&space), OsStr::new("user.a"));
        let none = XattrFlags::empty();
        xattrs.set(name, &[0; 4000], none).unwrap();
        assert_eq!(
            xattrs.set(OsStr::new("user.b"), &[0; 4000], none),
            Err(Errno::ENOSPC)
        );
        xattrs.set(name, b"12", none).unwrap();
        assert_eq!(
            xattrs.set(name, b"3", XattrFlags::CREATE),
            Err(Errno::EEXIST)
        );
        assert_eq!(xattrs.get(name).unwrap(), b"12");
        xattrs.remove(name).unwrap();
        assert_eq!(
            xattrs.set(name, b"3", XattrFlags::REPLACE),
            Err(Errno::ENOATTR)
        );
        xattrs.set(name, &[0; 4000], none).unwrap();
        drop(xattrs);
        assert_eq!(space.take_bytes(4096), Ok(()));
    }

    #[test]
    fn unknown_namespaces_are_not_supported() {
        let xattrs = Xattrs::new(&Arc::new(Space::new(0, 0)));
        for name in ["system.other", "user", "other.x"] {
            let name = OsStr::new(name);
            assert_eq!(xattrs.get(name), Err(Errno::EOPNOTSUPP), "{name:?}");
        }
        assert_eq!(xattrs.get(OsStr::new("user.")), Err(Errno::EINVAL));
    }
}
