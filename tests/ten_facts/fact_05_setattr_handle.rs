//! `setattr` is given the open file by `ftruncate` only.

use std::ffi::CString;
use std::fs::File;
use std::fs::FileTimes;
use std::fs::Permissions;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::fchown;
use std::time::Duration;
use std::time::SystemTime;

use libfuse3::FileHandle;
use libfuse3::SetattrFields;
use libfuse3::TimeOrNow;
use libfuse3::Timestamp;
use rustix::process::getegid;
use rustix::process::geteuid;

use crate::common;
use crate::common::memfs::Call;
use crate::common::memfs::MemFs;

#[test]
fn only_ftruncate_brings_the_handle_and_only_what_changes_is_set() {
    common::require_fuse!();
    let mounted = common::mount(MemFs::default());
    let file = File::create_new(mounted.join("file")).unwrap();
    let changed = || {
        let calls = mounted.ops.called(|call| match call {
            Call::Setattr(_, fields, handle) => Some((fields.clone(), *handle)),
            _ => None,
        });
        mounted.ops.forget_calls();
        let [change]: [_; 1] = calls.try_into().unwrap();
        change
    };
    let nothing = SetattrFields::default();

    file.set_permissions(Permissions::from_mode(0o600)).unwrap();
    let mode = Some(libc::S_IFREG | 0o600);
    assert_eq!(
        changed(),
        (
            SetattrFields {
                mode,
                ..nothing.clone()
            },
            None
        )
    );

    // What they are already, so that it is allowed.
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    fchown(&file, Some(uid), None).unwrap();
    let (fields, handle) = changed();
    assert_eq!((fields.uid, fields.gid, handle), (Some(uid), None, None));
    fchown(&file, None, Some(gid)).unwrap();
    let (fields, handle) = changed();
    assert_eq!((fields.uid, fields.gid, handle), (None, Some(gid), None));
    assert_eq!(
        (fields.size, fields.mtime, fields.atime),
        (None, None, None)
    );

    let time = SystemTime::UNIX_EPOCH + Duration::new(1_000_000, 7);
    file.set_times(FileTimes::new().set_modified(time)).unwrap();
    let mtime = Some(TimeOrNow::Time(Timestamp::new(1_000_000, 7)));
    assert_eq!(
        changed(),
        (
            SetattrFields {
                mtime,
                ..nothing.clone()
            },
            None
        )
    );

    file.set_len(42).unwrap();
    let (fields, handle) = changed();
    assert_eq!((fields.size, handle), (Some(42), Some(FileHandle(1))));
    assert_eq!((fields.mode, fields.uid, fields.gid), (None, None, None));

    let path = CString::new(mounted.join("file").into_os_string().into_vec()).unwrap();
    // SAFETY: the path is NUL-terminated.
    assert_eq!(unsafe { libc::truncate(path.as_ptr(), 41) }, 0);
    let (fields, handle) = changed();
    assert_eq!((fields.size, handle), (Some(41), None));
    common::assert_quiet();
}
