//! Operations on extended attributes.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use libfuse3::Capabilities;
use libfuse3::ENOATTR;
use libfuse3::Errno;
use libfuse3::Inode;
use libfuse3::MountOptions;
use libfuse3::XattrFlags;
use rustix::fs::getxattr;
use rustix::fs::listxattr;
use rustix::fs::removexattr;
use rustix::fs::setxattr;
use rustix::io::Errno as Error;

use crate::common;
use crate::common::Mounted;
use crate::common::as_other_user;
use crate::common::assert_logged;
use crate::common::assert_quiet;
use crate::common::errno;
use crate::common::require_fuse;
use crate::common::require_root;
use crate::scripted::Call;
use crate::scripted::Scripted;
use crate::scripted::answer;
use crate::scripted::this_caller;

/// Mounts, and the path of `file`, inode 2.
fn mount(fs: Scripted) -> (Mounted<Scripted>, PathBuf) {
    let mounted = common::mount(fs);
    let path = mounted.join("file");
    (mounted, path)
}

// ---- setxattr ----------------------------------------------------------------------------------

#[test]
fn setxattr_is_given_name_value_and_flags() {
    require_fuse!();
    let mut fs = Scripted::with_file(0);
    answer!(fs.setxattr = || Ok(()));
    let (mounted, path) = mount(fs);
    for (value, flags) in [
        (b"value".to_vec(), XattrFlags::empty()),
        (Vec::new(), XattrFlags::empty()),
        (b"\0\xff binary".to_vec(), XattrFlags::CREATE),
        (vec![b'x'; 65536], XattrFlags::REPLACE),
    ] {
        let given = rustix::fs::XattrFlags::from_bits_retain(flags.bits().cast_unsigned());
        setxattr(&path, "user.name", &value, given).unwrap();
        let (call, caller) = mounted.ops.next_call();
        let expected = Call::Setxattr(Inode(2), "user.name".into(), value, flags);
        assert!(call == expected, "{flags:?}");
        assert_eq!(caller.pid, this_caller(0).pid);
    }
    assert_quiet();
}

#[test]
fn setxattr_of_all_namespaces_and_name_lengths() {
    require_fuse!();
    let mut fs = Scripted::with_file(0);
    answer!(fs.setxattr = || Ok(()));
    let (mounted, path) = mount(fs);
    let long = format!("user.{}", "n".repeat(250));
    for name in ["user.a", "trusted.b", "security.c", "user.größe", &long] {
        if !name.starts_with("user.") && !rustix::process::geteuid().is_root() {
            continue;
        }
        setxattr(&path, name, b"v", rustix::fs::XattrFlags::empty()).unwrap();
        let (call, _) = mounted.ops.next_call();
        assert!(
            matches!(&call, Call::Setxattr(_, given, ..) if *given == name),
            "{call:?}"
        );
    }
    assert_quiet();
}

#[test]
fn setxattr_returns_the_error_of_the_handler() {
    require_fuse!();
    for (errno, error) in [
        (Errno::EEXIST, Error::EXIST),
        (ENOATTR, Error::NODATA),
        (Errno::ENOSPC, Error::NOSPC),
    ] {
        let mut fs = Scripted::with_file(0);
        answer!(fs.setxattr = move || Err(errno));
        let (_mounted, path) = mount(fs);
        let refused = setxattr(&path, "user.a", b"v", rustix::fs::XattrFlags::CREATE);
        assert_eq!(refused, Err(error));
        assert_quiet();
    }
}

// ---- getxattr ----------------------------------------------------------------------------------

#[test]
fn getxattr_returns_the_value_its_size_or_erange() {
    require_fuse!();
    let mut fs = Scripted::with_file(0);
    answer!(fs.getxattr = || Ok(b"five!".to_vec()));
    let (mounted, path) = mount(fs);
    let get = |room: usize| {
        let mut value = vec![b'.'; room];
        let result = match room {
            0 => rustix::fs::getxattr_query(&path, "user.name"),
            _ => getxattr(&path, "user.name", value.as_mut_slice()),
        };
        let expected = Call::Getxattr(Inode(2), "user.name".into());
        let (call, caller) = mounted.ops.next_call();
        assert_eq!((call, caller.pid), (expected, this_caller(0).pid));
        (result, value)
    };
    assert_eq!(get(0), (Ok(5), b"".to_vec()));
    assert_eq!(get(4), (Err(Error::RANGE), b"....".to_vec()));
    assert_eq!(get(5), (Ok(5), b"five!".to_vec()));
    assert_eq!(get(8), (Ok(5), b"five!...".to_vec()));
    assert_quiet();
}

#[test]
fn getxattr_of_an_empty_value() {
    require_fuse!();
    let mut fs = Scripted::with_file(0);
    answer!(fs.getxattr = || Ok(Vec::new()));
    let (_mounted, path) = mount(fs);
    assert_eq!(rustix::fs::getxattr_query(&path, "user.a"), Ok(0));
    assert_eq!(getxattr(&path, "user.a", &mut [0_u8; 10]), Ok(0));
    assert_eq!(libfuse3::getxattr(&path, "user.a").unwrap(), b"");
    assert_quiet();
}

#[test]
fn getxattr_of_large_values() {
    require_fuse!();
    for len in [4096, 65536] {
        let mut fs = Scripted::with_file(0);
        answer!(fs.getxattr = move || Ok(vec![b'x'; len]));
        let (_mounted, path) = mount(fs);
        let value = libfuse3::getxattr(&path, "user.a").unwrap();
        assert!(value == vec![b'x'; len]);
        assert_quiet();
    }
}

#[test]
fn getxattr_of_a_value_that_no_system_call_has_room_for_does_not_hang() {
    require_fuse!();
    let mut fs = Scripted::with_file(0);
    answer!(fs.getxattr = || Ok(vec![b'x'; 65537]));
    let (_mounted, path) = mount(fs);
    let result = getxattr(&path, "user.a", &mut vec![0_u8; 65536]);
    assert!(
        matches!(result, Err(Error::RANGE | Error::TOOBIG)),
        "{result:?}"
    );
}

#[test]
fn getxattr_returns_the_error_of_the_handler() {
    require_fuse!();
    for (errno, error) in [(ENOATTR, Error::NODATA), (Errno::EACCES, Error::ACCESS)] {
        let mut fs = Scripted::with_file(0);
        answer!(fs.getxattr = move || Err(errno));
        let (_mounted, path) = mount(fs);
        assert_eq!(getxattr(&path, "user.a", &mut [0_u8; 10]), Err(error));
        assert_quiet();
    }
}

#[test]
fn unsupported_acl_locks_no_user_out() {
    require_fuse!();
    require_root!();
    let mut fs = Scripted::with_file(0);
    answer!(fs.init = |conn| conn.want(Capabilities::POSIX_ACL));
    answer!(fs.getxattr = || Err(Errno::EOPNOTSUPP));
    let options = MountOptions::default().allow_other();
    let mounted = common::mount_with(fs, |builder| builder.options(options));
    let path = mounted.join("file");
    let read = || File::open(&path).map(drop);
    let write = || File::options().write(true).open(&path).map(drop);
    as_other_user(read).unwrap();
    assert_eq!(errno(as_other_user(write)), libc::EACCES);
    let asked = |call: &Call| matches!(call, Call::Getxattr(_, name) if name == ACL);
    assert!(mounted.ops.count(asked) > 0);
    // Of all others it is the reply.
    let result = getxattr(&path, "user.name", &mut [0_u8; 10]);
    assert_eq!(result, Err(Error::OPNOTSUPP));
    assert_quiet();
}

const ACL: &str = "system.posix_acl_access";

// ---- listxattr ---------------------------------------------------------------------------------

#[test]
fn listxattr_returns_the_names_their_size_or_erange() {
    require_fuse!();
    let mut fs = Scripted::with_file(0);
    let names = || vec!["user.a".into(), OsString::from_vec(b"user.\xff".to_vec())];
    answer!(fs.listxattr = move || Ok(names()));
    let (mounted, path) = mount(fs);
    let list = |room: usize| {
        let mut names = vec![b'.'; room];
        let result = match room {
            0 => rustix::fs::listxattr_query(&path),
            _ => listxattr(&path, names.as_mut_slice()),
        };
        let (call, caller) = mounted.ops.next_call();
        let expected = Call::Listxattr(Inode(2));
        assert_eq!((call, caller.pid), (expected, this_caller(0).pid));
        (result, names)
    };
    let expected = b"user.a\0user.\xff\0".to_vec();
    assert_eq!(list(0), (Ok(14), Vec::new()));
    assert_eq!(list(13), (Err(Error::RANGE), vec![b'.'; 13]));
    assert_eq!(list(14), (Ok(14), expected.clone()));
    let with_room = [&expected[..], b".."].concat();
    assert_eq!(list(16), (Ok(14), with_room));
    assert_quiet();
}

#[test]
fn listxattr_of_no_names() {
    require_fuse!();
    let mut fs = Scripted::with_file(0);
    answer!(fs.listxattr = || Ok(Vec::new()));
    let (_mounted, path) = mount(fs);
    assert_eq!(rustix::fs::listxattr_query(&path), Ok(0));
    assert_eq!(listxattr(&path, &mut [0_u8; 10]), Ok(0));
    assert_quiet();
}

#[test]
fn listxattr_returns_the_error_of_the_handler() {
    require_fuse!();
    let mut fs = Scripted::with_file(0);
    answer!(fs.listxattr = || Err(Errno::EACCES));
    let (_mounted, path) = mount(fs);
    assert_eq!(listxattr(&path, &mut [0_u8; 10]), Err(Error::ACCESS));
    assert_quiet();
}

#[test]
fn listxattr_of_names_that_cannot_be_is_refused() {
    require_fuse!();
    for name in [&b""[..], b"user.a\0b"] {
        let mut fs = Scripted::with_file(0);
        answer!(fs.listxattr = move || Ok(vec![OsString::from_vec(name.to_vec())]));
        let (_mounted, path) = mount(fs);
        assert_eq!(listxattr(&path, &mut [0_u8; 100]), Err(Error::IO));
        assert_logged(&["listxattr of inode 2", "NUL"]);
    }
}

// ---- removexattr -------------------------------------------------------------------------------

#[test]
fn removexattr_is_given_the_name() {
    require_fuse!();
    let mut fs = Scripted::with_file(0);
    answer!(fs.removexattr = || Ok(()));
    let (mounted, path) = mount(fs);
    removexattr(&path, "user.name").unwrap();
    let (call, caller) = mounted.ops.next_call();
    assert_eq!(call, Call::Removexattr(Inode(2), "user.name".into()));
    assert_eq!(caller.pid, this_caller(0).pid);
    assert_quiet();
}

#[test]
fn removexattr_returns_the_error_of_the_handler() {
    require_fuse!();
    let mut fs = Scripted::with_file(0);
    answer!(fs.removexattr = || Err(ENOATTR));
    let (_mounted, path) = mount(fs);
    assert_eq!(removexattr(&path, "user.a"), Err(Error::NODATA));
    assert_quiet();
}

// ---- not implemented ---------------------------------------------------------------------------

#[test]
fn extended_attributes_that_are_not_implemented_are_not_supported() {
    require_fuse!();
    let (mounted, path) = mount(Scripted::with_file(0));
    for _ in 0..3 {
        let none = rustix::fs::XattrFlags::empty();
        assert_eq!(setxattr(&path, "user.a", b"v", none), Err(Error::OPNOTSUPP));
        assert_eq!(
            getxattr(&path, "user.a", &mut [0_u8; 9]),
            Err(Error::OPNOTSUPP)
        );
        assert_eq!(listxattr(&path, &mut [0_u8; 9]), Err(Error::OPNOTSUPP));
        assert_eq!(removexattr(&path, "user.a"), Err(Error::OPNOTSUPP));
    }
    // The kernel remembers each of them.
    let asked = mounted.ops.count(|call| {
        matches!(
            call,
            Call::Setxattr(..) | Call::Getxattr(..) | Call::Listxattr(_) | Call::Removexattr(..)
        )
    });
    assert_eq!(asked, 4);
    assert_quiet();
}
