//! `O_TRUNC` comes as a `setattr`, unless the file system asks for it in `open`.

use std::fs;
use std::time::Duration;

use libfuse3::Capabilities;
use libfuse3::OpenFlags;
use libfuse3::SetattrFields;

use crate::common;
use crate::common::Mounted;
use crate::common::memfs::Call;
use crate::common::memfs::MemFs;

/// What is left of a longer text after it was truncated while it was opened, and the calls that did it.
fn truncated(fs: MemFs) -> (Mounted<MemFs>, Vec<Call>) {
    let mounted = common::mount(fs.timeout(Duration::ZERO));
    let path = mounted.join("file");
    fs::write(&path, "hello world").unwrap();
    mounted.ops.forget_calls();
    fs::write(&path, "x").unwrap();
    let calls = mounted.ops.called(|call| match call {
        Call::Open(..) | Call::Setattr(..) | Call::Write(..) => Some(call.clone()),
        _ => None,
    });
    assert_eq!(fs::read_to_string(&path).unwrap(), "x");
    (mounted, calls)
}

#[test]
fn by_default_a_setattr_truncates() {
    common::require_fuse!();
    let (_mounted, calls) = truncated(MemFs::default());
    let [
        Call::Open(_, flags),
        Call::Setattr(_, fields, None),
        Call::Write(_, 0),
    ] = &calls[..]
    else {
        panic!("{calls:?}")
    };
    assert!(
        flags.is_writable() && !flags.contains(OpenFlags::TRUNC),
        "{flags:?}"
    );
    let SetattrFields {
        size,
        mode,
        uid,
        gid,
        ..
    } = fields;
    assert_eq!((size, mode, uid, gid), (&Some(0), &None, &None, &None));
    common::assert_quiet();
}

#[test]
fn open_truncates_when_asked_to() {
    common::require_fuse!();
    let (_mounted, calls) = truncated(MemFs::default().want(Capabilities::ATOMIC_O_TRUNC));
    let [Call::Open(_, flags), Call::Write(_, 0)] = &calls[..] else {
        panic!("{calls:?}")
    };
    assert!(
        flags.contains(OpenFlags::TRUNC | OpenFlags::WRONLY),
        "{flags:?}"
    );
    common::assert_quiet();
}
