//! POSIX access control lists.
//!
//! The kernel decides by them who may do what, and has checked a list before it asks to store it. The
//! rest is up to the file system: the mode shows what the list grants, `chmod` changes the list, and
//! what is created in a directory gets that directory's default list.
//!
//! A list is kept as it comes, as the value of an extended attribute: a header, and an entry for each
//! grant. An entry is a tag and permissions, two bytes each, and a user or group, all little endian.

use std::ffi::OsStr;
use std::sync::Arc;

use libfuse3::Errno;
use libfuse3::Result;
use libfuse3::XattrFlags;

use crate::node::Ownership;
use crate::space::Space;
use crate::xattr::Xattrs;

pub(crate) const ACCESS: &str = "system.posix_acl_access";
pub(crate) const DEFAULT: &str = "system.posix_acl_default";

const HEADER: [u8; 4] = 2_u32.to_le_bytes();
const ENTRY_LEN: usize = 8;

// Tags, of which the first byte is enough.
const OWNER: u8 = 1;
const GROUP: u8 = 4;
const MASK: u8 = 16;
const OTHERS: u8 = 32;

/// What the three parts of a mode can express.
const PERMISSIONS: u32 = 0o777;

pub(crate) fn is_acl(name: &OsStr) -> bool {
    name == ACCESS || name == DEFAULT
}

/// Stores a list that grants access, or one for new files in a directory.
pub(crate) fn set(xattrs: &mut Xattrs, name: &OsStr, acl: &[u8], mode: &mut u32) -> Result<()> {
    if !acl.starts_with(&HEADER) || !(acl.len() - HEADER.len()).is_multiple_of(ENTRY_LEN) {
        return Err(Errno::EINVAL);
    }
    store(xattrs, name, acl)?;
    if name == ACCESS {
        *mode = *mode & !PERMISSIONS | granted(&mut acl.to_vec());
    }
    Ok(())
}

/// The mode was changed: the list that grants access follows.
pub(crate) fn chmod(xattrs: &mut Xattrs, mode: u32) {
    if let Some(acl) = xattrs.value_mut(ACCESS) {
        for (permissions, shift) in classes(acl) {
            *permissions = (mode >> shift & 7) as u8;
        }
    }
}

/// The lists of what is created in a directory with these attributes. They limit the mode in place of
/// the umask, or else the umask does.
pub(crate) fn inherit(
    parent: &Xattrs,
    owner: &mut Ownership,
    umask: u32,
    space: &Arc<Space>,
) -> Result<Xattrs> {
    let mut xattrs = Xattrs::new(space);
    let file_type = owner.mode & libc::S_IFMT;
    if file_type == libc::S_IFLNK {
        return Ok(xattrs);
    }
    let Some(default) = parent.value(DEFAULT) else {
        owner.mode &= !umask;
        return Ok(xattrs);
    };
    let mut acl = default.to_vec();
    for (permissions, shift) in classes(&mut acl) {
        *permissions &= (owner.mode >> shift & 7) as u8;
    }
    owner.mode = owner.mode & !PERMISSIONS | granted(&mut acl);
    store(&mut xattrs, ACCESS.as_ref(), &acl)?;
    if file_type == libc::S_IFDIR {
        store(&mut xattrs, DEFAULT.as_ref(), default)?;
    }
    Ok(xattrs)
}

/// A list of the three basic grants says no more than the mode, and is not worth keeping.
fn store(xattrs: &mut Xattrs, name: &OsStr, acl: &[u8]) -> Result<()> {
    let mut entries = acl[HEADER.len()..].chunks_exact(ENTRY_LEN);
    if name == ACCESS && entries.all(|entry| [OWNER, GROUP, OTHERS].contains(&entry[0])) {
        // There may have been none.
        let _ = xattrs.remove(name);
        return Ok(());
    }
    xattrs.set(name, acl, XattrFlags::empty())
}

/// The entries that a mode stands for, as their permissions and the place of these in a mode: the
/// owner's, the mask or else the group's, the others'.
fn classes(acl: &mut [u8]) -> impl Iterator<Item = (&mut u8, u32)> {
    let entries = &mut acl[HEADER.len()..];
    let has_mask = entries
        .chunks_exact(ENTRY_LEN)
        .any(|entry| entry[0] == MASK);
    entries
        .chunks_exact_mut(ENTRY_LEN)
        .filter_map(move |entry| {
            let shift = match entry[0] {
                OWNER => 6,
                MASK => 3,
                GROUP if !has_mask => 3,
                OTHERS => 0,
                _ => return None,
            };
            Some((&mut entry[2], shift))
        })
}

/// What a list grants, as the permissions of a mode.
fn granted(acl: &mut [u8]) -> u32 {
    classes(acl).fold(0, |mode, (permissions, shift)| {
        mode | u32::from(*permissions & 7) << shift
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: u8 = 2;

    fn list(entries: &[(u8, u8)]) -> Vec<u8> {
        let entry = |&(tag, permissions): &(u8, u8)| [tag, 0, permissions, 0, 0, 0, 0, 0];
        HEADER
            .into_iter()
            .chain(entries.iter().flat_map(entry))
            .collect()
    }

    fn xattrs() -> Xattrs {
        Xattrs::new(&Arc::new(Space::new(0, 0)))
    }

    #[test]
    fn mode_and_list_follow_each_other() {
        let (mut xattrs, mut mode) = (xattrs(), libc::S_IFREG | 0o4644);
        let acl = list(&[(OWNER, 7), (USER, 7), (GROUP, 4), (MASK, 5), (OTHERS, 1)]);
        set(&mut xattrs, ACCESS.as_ref(), &acl, &mut mode).unwrap();
        assert_eq!(mode, libc::S_IFREG | 0o4751);

        chmod(&mut xattrs, 0o620);
        let changed = list(&[(OWNER, 6), (USER, 7), (GROUP, 4), (MASK, 2), (OTHERS, 0)]);
        assert_eq!(xattrs.value(ACCESS), Some(&changed[..]));

        let basic = list(&[(OWNER, 6), (GROUP, 4), (OTHERS, 4)]);
        set(&mut xattrs, ACCESS.as_ref(), &basic, &mut mode).unwrap();
        assert_eq!((mode, xattrs.value(ACCESS)), (libc::S_IFREG | 0o4644, None));
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for bad in [&[][..], &[2, 0, 0], &[1, 0, 0, 0], &[2, 0, 0, 0, 1]] {
            let set = set(&mut xattrs(), DEFAULT.as_ref(), bad, &mut 0);
            assert_eq!(set, Err(Errno::EINVAL));
        }
    }

    #[test]
    fn a_default_list_takes_the_place_of_the_umask() {
        let (mut parent, space) = (xattrs(), Arc::new(Space::new(0, 0)));
        let mut owner = Ownership {
            mode: libc::S_IFREG | 0o666,
            uid: 0,
            gid: 0,
        };
        inherit(&parent, &mut owner, 0o022, &space).unwrap();
        assert_eq!(owner.mode, libc::S_IFREG | 0o644);

        let default = list(&[(OWNER, 7), (USER, 7), (GROUP, 5), (MASK, 7), (OTHERS, 0)]);
        set(&mut parent, DEFAULT.as_ref(), &default, &mut owner.mode).unwrap();
        owner.mode = libc::S_IFDIR | 0o766;
        let child = inherit(&parent, &mut owner, 0o022, &space).unwrap();
        assert_eq!(owner.mode, libc::S_IFDIR | 0o760);
        let access = list(&[(OWNER, 7), (USER, 7), (GROUP, 5), (MASK, 6), (OTHERS, 0)]);
        assert_eq!(child.value(ACCESS), Some(&access[..]));
        assert_eq!(child.value(DEFAULT), Some(&default[..]));
    }
}
