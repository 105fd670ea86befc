//! pyfuse3's `test_api.py`: functions and types that need no mount.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::time::SystemTime;

use libfuse3::EntryAttributes;
use libfuse3::Errno;
use libfuse3::Inode;
use libfuse3::RequestContext;
use libfuse3::StatvfsData;
use libfuse3::Timestamp;
use rustix::fs::Gid;

use crate::common;

#[test]
fn t01_listdir_lists_what_the_system_lists() {
    let mine: BTreeSet<_> = libfuse3::listdir("/usr/bin").unwrap().into_iter().collect();
    let systems: BTreeSet<OsString> = fs::read_dir("/usr/bin")
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(mine.len() > 1);
    assert_eq!(mine, systems);
    let missing = libfuse3::listdir("/no/such/directory");
    assert_eq!(common::errno(missing), libc::ENOENT);
}

#[test]
fn t02_get_sup_groups_agrees_with_getgroups() {
    let mine = libfuse3::get_sup_groups(std::process::id()).unwrap();
    let systems = rustix::process::getgroups().unwrap();
    let systems: BTreeSet<_> = systems.into_iter().map(Gid::as_raw).collect();
    assert_eq!(mine, systems);
}

#[test]
fn t03_syncfs_takes_a_directory() {
    libfuse3::syncfs(".").unwrap();
    assert_eq!(common::errno(libfuse3::syncfs("/no/such")), libc::ENOENT);
}

#[test]
fn t04_a_time_survives_as_a_float() {
    let seconds = 1000.2735;
    let attr = EntryAttributes {
        atime: Timestamp::from_nanos((seconds * 1e9) as i128),
        ..EntryAttributes::default()
    };
    assert_eq!(attr.atime.as_nanos() as f64 / 1e9, seconds);
    let as_system_time = SystemTime::from(attr.atime);
    assert_eq!(Timestamp::from(as_system_time), attr.atime);
}

#[test]
fn t05_xattrs_agree_with_the_system() {
    // Not every tmpfs, which /tmp may be, has attributes of users.
    let file = tempfile::NamedTempFile::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = file.path();
    let (name, value) = ("user.new_attribute", b"a nice little bytestring");
    let get = |name: &str| {
        let mut value = [0; 1000];
        let len = rustix::fs::getxattr(path, name, &mut value[..])?;
        Ok(value[..len].to_vec())
    };
    let absent = common::errno(libfuse3::getxattr(path, name));
    assert_eq!(
        absent,
        common::errno(get(name).map_err(|e: rustix::io::Errno| e.into()))
    );
    match libfuse3::setxattr(path, name, value) {
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {
            let test = common::test_name();
            common::say(format_args!("{test}: skipped: no attributes here: {error}"));
            return;
        }
        result => result.unwrap(),
    }
    assert_eq!(absent, Errno::ENOATTR.raw());
    assert_eq!(get(name).unwrap(), value);
    assert_eq!(libfuse3::getxattr(path, name).unwrap(), value);
    // Longer than the first guess.
    let long = vec![7; 500];
    rustix::fs::setxattr(path, "user.long", &long, rustix::fs::XattrFlags::empty()).unwrap();
    assert_eq!(libfuse3::getxattr(path, "user.long").unwrap(), long);
}

#[test]
fn t06_copies_are_independent_and_contexts_have_none() {
    let attr = EntryAttributes {
        mode: libc::S_IFREG,
        ..EntryAttributes::default()
    };
    let mut copy = attr.clone();
    copy.mode = libc::S_IFDIR;
    copy.ino = Inode(7);
    assert_eq!((attr.mode, attr.ino), (libc::S_IFREG, Inode(0)));
    assert_eq!((copy.mode, copy.ino), (libc::S_IFDIR, Inode(7)));

    let numbers = StatvfsData::default();
    let mut copy = numbers;
    copy.files = 22;
    assert_eq!((numbers.files, copy.files), (0, 22));

    let errno = Errno::ENOENT;
    let copy = errno;
    assert_eq!((errno.raw(), copy.raw()), (libc::ENOENT, libc::ENOENT));

    // Compiles only as long as there is one implementation to choose from.
    trait NotClone<Which> {
        fn check() {}
    }
    impl<T: ?Sized> NotClone<()> for T {}
    impl<T: Clone> NotClone<u8> for T {}
    <RequestContext as NotClone<_>>::check();
}
