//! Operations on the whole file system, what is left out, and what all operations have in common.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::fs;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use libfuse3::Data;
use libfuse3::EntryAttributes;
use libfuse3::Errno;
use libfuse3::FileInfo;
use libfuse3::FileRef;
use libfuse3::Forget;
use libfuse3::Inode;
use libfuse3::MountOptions;
use libfuse3::Operations;
use libfuse3::ReleaseFlags;
use libfuse3::RequestContext;
use libfuse3::Result;
use libfuse3::StatvfsData;
use rustix::fs::CWD;
use rustix::fs::FileType;
use rustix::fs::Mode;

use crate::common;
use crate::common::Gate;
use crate::common::Recorder;
use crate::common::TimeLimit;
use crate::common::assert_logged;
use crate::common::assert_quiet;
use crate::common::errno;
use crate::common::require_fuse;
use crate::one_file::one_file;
use crate::scripted::Call;
use crate::scripted::Scripted;
use crate::scripted::answer;
use crate::scripted::dir;
use crate::scripted::file;
use crate::scripted::node;
use crate::scripted::this_caller;

// ---- statfs ------------------------------------------------------------------------------------

#[test]
fn statfs_shows_all_numbers() {
    require_fuse!();
    let mut fs = Scripted::with_file(0);
    answer!(
        fs.statfs = || Ok(StatvfsData {
            bsize: 65536,
            frsize: 4096,
            blocks: 1 << 50,
            bfree: 1 << 49,
            bavail: (1 << 49) - 1,
            files: 1 << 40,
            ffree: 12345,
            favail: 77,
            namemax: 1000,
        })
    );
    let mounted = common::mount(fs);
    let numbers = rustix::fs::statvfs(mounted.join("file")).unwrap();
    assert_eq!((numbers.f_bsize, numbers.f_frsize), (65536, 4096));
    assert_eq!(numbers.f_blocks, 1 << 50);
    assert_eq!(
        (numbers.f_bfree, numbers.f_bavail),
        (1 << 49, (1 << 49) - 1)
    );
    // There is no field for `favail` on the way.
    assert_eq!(
        (numbers.f_files, numbers.f_ffree, numbers.f_favail),
        (1 << 40, 12345, 12345)
    );
    assert_eq!(numbers.f_namemax, 1000);
    let (call, caller) = mounted.ops.next_call();
    assert_eq!(call, Call::Statfs(Inode(2)));
    assert_eq!(caller.pid, this_caller(0).pid);
    assert_quiet();
}

#[test]
fn statfs_returns_the_error_of_the_handler() {
    require_fuse!();
    let mut fs = Scripted::new();
    answer!(fs.statfs = || Err(Errno::ENOLINK));
    let mounted = common::mount(fs);
    let refused = rustix::fs::statvfs(mounted.path());
    assert_eq!(refused.map(|_| ()), Err(rustix::io::Errno::NOLINK));
    assert_quiet();
}

// ---- what is left out --------------------------------------------------------------------------

/// Nothing at all.
struct Nothing;

impl Operations for Nothing {}

#[test]
fn a_file_system_of_nothing_can_be_mounted() {
    require_fuse!();
    let mounted = common::mount(Nothing);
    assert_eq!(errno(fs::metadata(mounted.path())), libc::ENOSYS);
    let numbers = rustix::fs::statvfs(mounted.path()).unwrap();
    assert_eq!((numbers.f_bsize, numbers.f_namemax), (512, 255));
    drop(mounted);
    assert_quiet();
}

/// What a call returned: 0 or the number of the error.
fn code<T, E: Into<io::Error>>(result: std::result::Result<T, E>) -> i32 {
    match result {
        Ok(_) => 0,
        Err(error) => error.into().raw_os_error().unwrap(),
    }
}

#[test]
fn what_is_not_implemented_answers_as_libfuse_does() {
    require_fuse!();
    let mut fs = Scripted::new()
        .with("file", file(2))
        .with("dir", dir(3))
        .with("link", node(4, libc::S_IFLNK | 0o777));
    fs.on.flush = None;
    fs.on.open = None;
    let mounted = common::mount_with(fs, |builder| builder.options(MountOptions::empty()));
    let (path, new) = (mounted.join("file"), mounted.join("new"));
    // Each of them twice: the kernel remembers some answers.
    for _ in 0..2 {
        // These succeed.
        let opened = File::options().read(true).write(true).open(&path);
        let opened = opened.expect("open");
        assert_eq!(code(opened.sync_all()), 0, "fsync");
        assert_eq!(code(opened.sync_data()), 0, "fdatasync");
        let listed = File::open(mounted.join("dir")).expect("opendir");
        assert_eq!(code(listed.sync_all()), 0, "fsyncdir");
        drop(listed);
        let access = rustix::fs::access(&path, rustix::fs::Access::READ_OK);
        assert_eq!(code(access), 0, "access");
        let numbers = rustix::fs::statvfs(&path).expect("statfs");
        assert_eq!(
            (numbers.f_bsize, numbers.f_namemax, numbers.f_blocks),
            (512, 255, 0)
        );
        // These do not.
        assert_eq!(code(fs::read_link(mounted.join("link"))), libc::ENOSYS);
        let mode = fs::Permissions::from_mode(0o600);
        assert_eq!(code(fs::set_permissions(&path, mode)), libc::ENOSYS);
        assert_eq!(code(opened.write_at(b"x", 0)), libc::ENOSYS);
        assert_eq!(code(fs::create_dir(&new)), libc::ENOSYS);
        let made = rustix::fs::mknodat(CWD, &new, FileType::Fifo, Mode::RUSR, 0);
        assert_eq!(code(made), libc::ENOSYS);
        assert_eq!(code(File::create_new(&new)), libc::ENOSYS);
        assert_eq!(code(std::os::unix::fs::symlink("x", &new)), libc::ENOSYS);
        assert_eq!(code(fs::hard_link(&path, &new)), libc::EPERM);
        assert_eq!(code(fs::remove_file(&path)), libc::ENOSYS);
        assert_eq!(code(fs::remove_dir(mounted.join("dir"))), libc::ENOSYS);
        assert_eq!(code(fs::rename(&path, &new)), libc::ENOSYS);
        let flags = rustix::fs::RenameFlags::NOREPLACE;
        let renamed = rustix::fs::renameat_with(CWD, &path, CWD, &new, flags);
        assert_eq!(code(renamed), libc::EINVAL);
    }
    // Silently.
    drop(mounted);
    assert_quiet();
}

#[test]
fn what_this_library_has_no_operation_for_is_done_by_the_kernel_or_not_at_all() {
    require_fuse!();
    let contents = b"what there is to copy";
    let mut fs = Scripted::with_file(contents.len() as u64);
    answer!(
        fs.read = |offset, size| Ok(contents[usize::try_from(offset).unwrap()..]
            .iter()
            .take(size)
            .copied()
            .collect::<Vec<_>>()
            .into())
    );
    let mounted = common::mount(fs);
    let opened = File::options()
        .read(true)
        .write(true)
        .open(mounted.join("file"))
        .unwrap();
    let allocated = rustix::fs::fallocate(&opened, rustix::fs::FallocateFlags::empty(), 0, 10);
    assert_eq!(code(allocated), libc::EOPNOTSUPP);
    let hole = rustix::fs::seek(&opened, rustix::fs::SeekFrom::Hole(0));
    assert_eq!(hole, Ok(contents.len() as u64));
    let copy = tempfile::NamedTempFile::new().unwrap();
    fs::copy(mounted.join("file"), copy.path()).unwrap();
    assert_eq!(fs::read(copy.path()).unwrap(), contents);
    assert_quiet();
}

// ---- errors ------------------------------------------------------------------------------------

#[test]
fn each_error_number_reaches_the_caller() {
    require_fuse!();
    let mut fs = Scripted::new();
    answer!(
        fs.lookup = |_, name| {
            let number: i32 = name.to_str().unwrap().parse().unwrap();
            Err(Errno::from_raw(number).expect("an error"))
        }
    );
    let mounted = common::mount(fs);
    for number in (1..=511).filter(|number| has_description(*number)) {
        let result = fs::metadata(mounted.join(number.to_string()));
        assert_eq!(errno(result), number);
    }
    assert_quiet();
    // From 3.17 on libfuse takes the others for mistakes.
    for number in (1..=511).filter(|number| !has_description(*number)) {
        let result = fs::metadata(mounted.join(number.to_string()));
        if cfg!(libfuse_since = "3.17") {
            assert_eq!(errno(result), libc::ERANGE, "{number}");
            assert_logged(&["bad error value", &format!("-{number}")]);
        } else {
            assert_eq!(errno(result), number);
        }
    }
}

/// Whether the C library knows what to say about an error.
fn has_description(number: i32) -> bool {
    let text = io::Error::from_raw_os_error(number).to_string();
    !text.starts_with("Unknown error")
}

#[test]
fn numbers_that_are_no_errors_are_none() {
    for number in [0, -1, -libc::ENOENT, i32::MIN, i32::MAX, 1000, 512] {
        assert_eq!(Errno::from_raw(number), None, "{number}");
        let error = io::Error::from_raw_os_error(number);
        assert_eq!(Errno::from(error), Errno::EIO, "{number}");
    }
}

#[test]
fn an_error_number_of_the_kernels_own_does_not_hang_the_caller() {
    require_fuse!();
    let mut fs = Scripted::new();
    answer!(
        fs.lookup = |_, name| {
            // Such as ENOTSUPP, 524, which some drivers let out.
            let number: i32 = name.to_str().unwrap().parse().unwrap();
            Err(io::Error::from_raw_os_error(number).into())
        }
    );
    let mounted = common::mount(fs);
    for number in [512, 524, 530, 999, 1000, 5000] {
        let result = fs::metadata(mounted.join(number.to_string()));
        assert_eq!(errno(result), libc::EIO, "{number}");
    }
    assert_quiet();
}

// ---- panics ------------------------------------------------------------------------------------

/// As `panic!`, without a line on the terminal.
fn panic_quietly() -> ! {
    std::panic::resume_unwind(Box::new("as the test has asked for"))
}

#[test]
fn a_panic_where_nobody_waits_for_the_answer_ends_nothing() {
    require_fuse!();
    let mut fs = Scripted::with_file(0);
    answer!(fs.release = || panic_quietly());
    answer!(fs.releasedir = || panic_quietly());
    let mounted = common::mount(fs);
    for _ in 0..3 {
        drop(File::open(mounted.join("file")).unwrap());
        drop(File::open(mounted.path()).unwrap());
    }
    assert_logged(&["release of inode 2", "panicked"]);
    assert_logged(&["releasedir of inode 1", "panicked"]);
    fs::metadata(mounted.join("file")).unwrap();
}

struct ForgetsBadly {
    forgets: Recorder<Vec<Forget>>,
}

impl Operations for ForgetsBadly {
    one_file!();

    async fn unlink(&self, _parent: Inode, _name: &OsStr, _ctx: &RequestContext) -> Result<()> {
        Ok(())
    }

    async fn forget(&self, inodes: &[Forget]) {
        self.forgets.record(inodes.to_vec());
        panic_quietly()
    }
}

#[test]
fn a_panic_in_forget_ends_nothing() {
    require_fuse!();
    let mounted = common::mount(ForgetsBadly {
        forgets: Recorder::new(),
    });
    for _ in 0..3 {
        fs::remove_file(mounted.join("file")).unwrap();
        assert_eq!(mounted.ops.forgets.next()[0].inode, Inode(2));
    }
    assert_logged(&["forget of inode 2", "panicked"]);
}

// ---- many at once ------------------------------------------------------------------------------

/// Reads wait at a gate.
struct Gated {
    gate: Arc<Gate>,
    released: Recorder<()>,
}

impl Gated {
    fn new() -> Self {
        Self {
            gate: Gate::new(),
            released: Recorder::new(),
        }
    }
}

impl Operations for Gated {
    one_file!(open: FileInfo {
        direct_io: true,
        ..FileInfo::default()
    });

    async fn read(
        &self,
        _file: FileRef,
        offset: u64,
        _size: usize,
        _ctx: &RequestContext,
    ) -> Result<Data> {
        self.gate.pass().await;
        Ok(offset.to_ne_bytes().to_vec().into())
    }

    async fn release(
        &self,
        _file: FileRef,
        _flags: ReleaseFlags,
        _ctx: &RequestContext,
    ) -> Result<()> {
        self.released.record(());
        Ok(())
    }
}

/// Reads from so many threads; the answers.
fn read_at_once(
    mounted: &common::Mounted<Gated>,
    threads: u64,
    meanwhile: impl FnOnce(),
) -> HashSet<u64> {
    let opened = File::open(mounted.join("file")).unwrap();
    thread::scope(|scope| {
        let readers: Vec<_> = (0..threads)
            .map(|number| {
                let opened = &opened;
                scope.spawn(move || {
                    let mut bytes = [0; 8];
                    opened.read_exact_at(&mut bytes, number).unwrap();
                    u64::from_ne_bytes(bytes)
                })
            })
            .collect();
        meanwhile();
        let answers = readers.into_iter().map(|reader| reader.join().unwrap());
        answers.collect()
    })
}

#[test]
fn handlers_wait_at_the_same_time() {
    require_fuse!();
    for reader_threads in [1, 4] {
        let mounted = common::mount_with(Gated::new(), |builder| {
            builder.reader_threads(reader_threads)
        });
        let gate = Arc::clone(&mounted.ops.gate);
        let answers = read_at_once(&mounted, 60, || {
            gate.wait_for(60);
            // The rest goes on meanwhile.
            fs::metadata(mounted.join("file")).unwrap();
            gate.open();
        });
        assert_eq!(answers, (0..60).collect());
    }
    assert_quiet();
}

#[test]
fn no_more_handlers_wait_than_allowed_and_all_come_to_their_turn() {
    require_fuse!();
    let mounted = common::mount_with(Gated::new(), |builder| builder.max_in_flight(3));
    let gate = Arc::clone(&mounted.ops.gate);
    let answers = read_at_once(&mounted, 20, || {
        gate.wait_for(3);
        // Time for those that must not come.
        thread::sleep(Duration::from_millis(50));
        assert_eq!(gate.arrived(), 3);
        gate.open();
    });
    assert_eq!(answers, (0..20).collect());
    assert_eq!(mounted.ops.gate.arrived(), 20);
    mounted.ops.released.next();
    assert_quiet();
}

#[test]
fn several_readers_answer_several_callers() {
    require_fuse!();
    let _limit = TimeLimit::new(Duration::from_secs(60));
    let mut fs = Scripted::new();
    answer!(
        fs.lookup = |_, name| {
            let number: u64 = name.to_str().unwrap().parse().unwrap();
            Ok(EntryAttributes {
                size: number * 3,
                ..file(number + 10)
            })
        }
    );
    let mounted = common::mount_with(fs, |builder| builder.reader_threads(3));
    thread::scope(|scope| {
        for thread in 0..6 {
            let mounted = &mounted;
            scope.spawn(move || {
                for round in 0..500 {
                    let number = thread * 1000 + round % 100;
                    let path = mounted.join(number.to_string());
                    assert_eq!(fs::metadata(path).unwrap().len(), number * 3);
                }
            });
        }
    });
    assert_quiet();
}

// ---- helpers -----------------------------------------------------------------------------------

#[test]
fn the_groups_of_the_caller_can_be_found() {
    require_fuse!();
    let mut fs = Scripted::new();
    answer!(fs.unlink = || Ok(()));
    let mounted = common::mount(fs.with("file", file(2)));
    fs::remove_file(mounted.join("file")).unwrap();
    let (_, caller) = mounted.ops.next_call();
    let groups = libfuse3::get_sup_groups(caller.pid).unwrap();
    let expected = rustix::process::getgroups().unwrap();
    let expected = expected.into_iter().map(rustix::process::Gid::as_raw);
    assert_eq!(groups, expected.collect());
}

#[test]
fn helpers_work_on_a_mount() {
    require_fuse!();
    let mut fs = Scripted::with_file(0);
    answer!(fs.setxattr = || Ok(()));
    answer!(fs.getxattr = || Ok(vec![7; 1000]));
    answer!(
        fs.readdir = |start, reply| {
            if start == 0 {
                assert!(reply.add(".".as_ref(), &dir(1), 1));
                assert!(reply.add("file".as_ref(), &file(2), 2));
            }
            Ok(())
        }
    );
    let mounted = common::mount(fs);
    let names = libfuse3::listdir(mounted.path()).unwrap();
    assert_eq!(names, [OsString::from("file")]);
    libfuse3::setxattr(mounted.join("file"), "user.a", b"value").unwrap();
    mounted.ops.calls.find(
        |(call, _)| matches!(call, Call::Setxattr(Inode(2), _, value, _) if value == b"value"),
    );
    let value = libfuse3::getxattr(mounted.join("file"), "user.a").unwrap();
    assert_eq!(value, [7; 1000]);
    libfuse3::syncfs(mounted.path()).unwrap();
    assert_quiet();
}
