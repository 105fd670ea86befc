//! Set-user-id and set-group-id bits after a change by various callers, compared with another file system.
//!
//! The kernel clears the bits by itself in the usual cases. The file system must clear the set-group-id bit if
//! the group may not execute the file and the caller is not in the group.

use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::fs::AtFlags;
use rustix::fs::CWD;
use rustix::fs::FallocateFlags;
use rustix::fs::Gid;
use rustix::fs::StatxFlags;
use rustix::fs::Uid;
use rustix::fs::XattrFlags;
use rustix::thread::CapabilitySet;
use rustix::thread::capabilities;
use rustix::thread::set_capabilities;

use crate::acl;
use crate::common;

const USER: u32 = common::OTHER_USER;
/// The group of all files.
const GROUP: u32 = 4321;

/// The process that changes a file, and the file's owner.
#[derive(Clone, Copy, Debug)]
struct Caller {
    name: &'static str,
    uid: u32,
    groups: &'static [u32],
    file_owner: u32,
    /// Only root can have it.
    has_fsetid: bool,
}

const CALLERS: [Caller; 6] = [
    Caller {
        name: "owner in the group",
        uid: USER,
        groups: &[GROUP],
        file_owner: USER,
        has_fsetid: false,
    },
    Caller {
        name: "owner outside the group",
        uid: USER,
        groups: &[],
        file_owner: USER,
        has_fsetid: false,
    },
    Caller {
        name: "member",
        uid: USER,
        groups: &[1, GROUP],
        file_owner: 0,
        has_fsetid: false,
    },
    Caller {
        name: "non-member",
        uid: USER,
        groups: &[],
        file_owner: 0,
        has_fsetid: false,
    },
    Caller {
        name: "root",
        uid: 0,
        groups: &[],
        file_owner: USER,
        has_fsetid: true,
    },
    Caller {
        name: "root without CAP_FSETID",
        uid: 0,
        groups: &[],
        file_owner: USER,
        has_fsetid: false,
    },
];

impl Caller {
    /// Runs `change` on a thread of its own, whose ids and capabilities are its own, too.
    fn run<T: Send>(self, change: impl FnOnce() -> T + Send) -> T {
        common::on_own_thread(|| {
            common::become_user(self.uid, self.groups);
            if self.uid == 0 && !self.has_fsetid {
                let mut sets = capabilities(None).unwrap();
                sets.effective -= CapabilitySet::FSETID;
                set_capabilities(None, sets).unwrap();
            }
            change()
        })
    }
}

type Change = fn(&Path) -> io::Result<()>;

const CHANGES: [(&str, Change); 15] = [
    ("chmod", |path| set_mode(path, 0o2664)),
    ("chmod with all bits", |path| set_mode(path, 0o6777)),
    ("chown to the same", |path| chown(path, None, None)),
    ("chown to the caller", |path| {
        chown(path, Some(rustix::process::geteuid()), None)
    }),
    ("chgrp", |path| {
        chown(path, None, Some(rustix::process::getegid()))
    }),
    ("write", |path| open(path)?.write_all_at(b"written", 2)),
    ("write of nothing", |path| open(path)?.write(b"").map(drop)),
    ("append", |path| {
        OpenOptions::new()
            .append(true)
            .open(path)?
            .write_all(b"end")
    }),
    ("truncate", |path| Ok(nix::unistd::truncate(path, 3)?)),
    ("truncate to the same size", |path| {
        Ok(nix::unistd::truncate(path, 8)?)
    }),
    ("ftruncate", |path| open(path)?.set_len(3)),
    ("O_TRUNC", |path| File::create(path).map(drop)),
    ("fallocate", |path| {
        let keep_size = FallocateFlags::KEEP_SIZE;
        Ok(rustix::fs::fallocate(open(path)?, keep_size, 0, 8192)?)
    }),
    ("copy_file_range", |path| {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let (mut from, mut to) = (0, 100);
        rustix::fs::copy_file_range(&file, Some(&mut from), &file, Some(&mut to), 4)?;
        Ok(())
    }),
    ("setfacl", |path| {
        let (list, flags) = (acl::list(0o666, 9, 4), XattrFlags::empty());
        Ok(rustix::fs::setxattr(path, acl::ACCESS, &list, flags)?)
    }),
];

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).open(path)
}

fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

fn chown(path: &Path, uid: Option<Uid>, gid: Option<Gid>) -> io::Result<()> {
    Ok(rustix::fs::chownat(CWD, path, uid, gid, AtFlags::empty())?)
}

/// What a change returned, and the mode of the file afterwards.
type Outcome = (Result<(), i32>, u32);

/// Makes a change as `caller`. Runs as root.
fn outcome(dir: &Path, mode: u32, caller: Caller, change: Change) -> Outcome {
    let path = dir.join("file");
    fs::write(&path, "contents").unwrap();
    let (uid, gid) = (Uid::from_raw(caller.file_owner), Gid::from_raw(GROUP));
    chown(&path, Some(uid), Some(gid)).unwrap();
    set_mode(&path, mode).unwrap();
    // The kernel has the attributes at hand.
    assert_eq!(mode_of(&path), mode);
    let result = caller.run(|| change(&path));
    let result = result.map_err(|error| error.raw_os_error().unwrap());
    (result, mode_of(&path))
}

/// Without the times, which the kernel would ask for after each write.
fn mode_of(path: &Path) -> u32 {
    let mode = rustix::fs::statx(CWD, path, AtFlags::empty(), StatxFlags::MODE);
    u32::from(mode.unwrap().stx_mode) & 0o7777
}

/// Whether the kernel clears the set-group-id bit also if the group may not execute the file: Linux 6.2.
/// If not, says so.
pub(crate) fn is_cleared_without_group_execute(truth: &Path) -> bool {
    set_mode(truth, 0o777).unwrap();
    let [.., non_member, _, _] = CALLERS;
    let (result, mode) = outcome(truth, 0o2666, non_member, |path| {
        open(path)?.write_all_at(b"written", 2)
    });
    result.unwrap();
    fs::remove_file(truth.join("file")).unwrap();
    if mode != 0o666 {
        common::skip("this kernel keeps set-group-id if the group may not execute the file");
    }
    mode == 0o666
}

/// Runs `change` as root without `CAP_FSETID`, outside of all groups but root's.
pub(crate) fn without_fsetid<T: Send>(change: impl FnOnce() -> T + Send) -> T {
    let [.., root] = CALLERS;
    root.run(change)
}

/// Makes each change as each caller below `dir` and below `truth`, two directories that all users can get
/// at, and returns a line for each outcome that differs. What `dir` shows must also be what `source` has, if
/// it is the mirror of that.
pub(crate) fn differences(truth: &Path, dir: &Path, source: Option<&Path>) -> Vec<String> {
    let mut wrong = Vec::new();
    for root in [truth, dir] {
        set_mode(root, 0o777).unwrap();
    }
    for (name, change) in CHANGES {
        for caller in CALLERS {
            // A chown that changes neither owner nor group succeeds for every caller on a FUSE mount.
            if name == "chown to the same" && ![0, caller.file_owner].contains(&caller.uid) {
                continue;
            }
            for mode in [0o2666, 0o6666, 0o6777] {
                let expected = outcome(truth, mode, caller, change);
                let found = outcome(dir, mode, caller, change);
                let below = source.map_or(found.1, |source| mode_of(&source.join("file")));
                if found != expected || below != expected.1 {
                    let caller = caller.name;
                    wrong.push(format!(
                        "{name} of a file {mode:o} by {caller}: {:?}, mode {:o}, in the source {below:o}; \
                         expected: {:?}, mode {:o}",
                        found.0, found.1, expected.0, expected.1
                    ));
                }
                for root in [truth, dir] {
                    fs::remove_file(root.join("file")).unwrap();
                }
            }
        }
    }
    wrong
}
