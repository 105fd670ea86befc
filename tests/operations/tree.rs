//! Operations on names.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use libfuse3::Capabilities;
use libfuse3::EntryAttributes;
use libfuse3::Errno;
use libfuse3::Inode;
use libfuse3::MountOptions;
use libfuse3::RENAME_EXCHANGE;
use libfuse3::RENAME_NOREPLACE;
use libfuse3::RenameFlags;
use rustix::fs::CWD;
use rustix::fs::FileType;
use rustix::fs::Mode;

use crate::common;
use crate::common::FileId;
use crate::common::assert_logged;
use crate::common::assert_quiet;
use crate::common::errno;
use crate::common::require_fuse;
use crate::common::require_root;
use crate::common::skip;
use crate::scripted::Call;
use crate::scripted::Caller;
use crate::scripted::Scripted;
use crate::scripted::answer;
use crate::scripted::dir;
use crate::scripted::file;
use crate::scripted::invalidate_entry;
use crate::scripted::node;
use crate::scripted::this_caller;

/// Asserts a call by this thread, whose umask is this.
#[track_caller]
fn expect_by(fs: &Scripted, umask: u32, expected: Call) {
    assert_eq!(fs.next_call(), (expected, this_caller(umask)));
}

/// The umask of this process, which tests must not change: it is one for all threads.
fn umask() -> u32 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let mut lines = status.lines();
    let umask = lines.find_map(|line| line.strip_prefix("Umask:")).unwrap();
    u32::from_str_radix(umask.trim(), 8).unwrap()
}

/// Runs a shell command as somebody else, with 1001 as user and 1002 as group id.
#[track_caller]
fn run_as_other(command: &str) -> u32 {
    use std::os::unix::process::CommandExt;
    let mut child = Command::new("sh")
        .args(["-c", command])
        .uid(1001)
        .gid(1002)
        .spawn()
        .unwrap();
    assert!(child.wait().unwrap().success(), "{command}");
    child.id()
}

// ---- lookup ------------------------------------------------------------------------------------

#[test]
fn lookup_is_given_parent_and_name_and_caller() {
    require_fuse!();
    let mounted = common::mount(Scripted::new().with("name", file(7)));
    assert_eq!(fs::metadata(mounted.join("name")).unwrap().ino(), 7);
    let (call, caller) = mounted
        .ops
        .calls
        .find(|(call, _)| matches!(call, Call::Lookup(..)));
    assert_eq!(call, Call::Lookup(Inode::ROOT, "name".into()));
    let this = this_caller(0);
    assert_eq!(
        (caller.uid, caller.gid, caller.pid),
        (this.uid, this.gid, this.pid)
    );
    assert_quiet();
}

#[test]
fn lookup_takes_any_name_that_the_kernel_lets_through() {
    require_fuse!();
    let mut fs = Scripted::new();
    answer!(fs.lookup = |_, _| Ok(file(7)));
    let mounted = common::mount(fs);
    for name in [
        vec![b'n'; 255],
        b"not \xff\xfe utf-8".to_vec(),
        b" \n\t\\\"*?".to_vec(),
        "größe 大きさ".as_bytes().to_vec(),
        // One more than is kept without an allocation.
        vec![b'n'; 49],
    ] {
        let name = OsString::from_vec(name);
        fs::metadata(mounted.join(&name)).unwrap();
        let calls = mounted.ops.calls_so_far();
        assert!(
            calls.contains(&Call::Lookup(Inode::ROOT, name)),
            "{calls:?}"
        );
    }
}

#[test]
fn lookup_of_a_file_that_is_not_there_is_asked_again_after_enoent() {
    require_fuse!();
    let mounted = common::mount(Scripted::new());
    for _ in 0..3 {
        assert_eq!(errno(fs::metadata(mounted.join("missing"))), libc::ENOENT);
    }
    let lookups = mounted.ops.count(|call| matches!(call, Call::Lookup(..)));
    assert_eq!(lookups, 3);
    assert_quiet();
}

#[test]
fn lookup_that_is_negative_is_remembered_for_its_timeout() {
    require_fuse!();
    let mut fs = Scripted::new();
    answer!(
        fs.lookup = |_, name| match name.as_bytes() {
            b"for long" => Ok(EntryAttributes::negative(Duration::from_secs(100))),
            b"not at all" => Ok(EntryAttributes::negative(Duration::ZERO)),
            _ => Err(Errno::EIO),
        }
    );
    let mounted = common::mount(fs);
    for (name, asked) in [("for long", 1), ("not at all", 3)] {
        for _ in 0..3 {
            assert_eq!(errno(fs::metadata(mounted.join(name))), libc::ENOENT);
        }
        let lookups = mounted.ops.count(|call| matches!(call, Call::Lookup(..)));
        assert_eq!(lookups, asked, "{name}");
    }
    assert_quiet();
}

#[test]
fn lookup_is_asked_again_when_the_entry_timeout_is_over() {
    require_fuse!();
    let lasting = |inode, entry_timeout| EntryAttributes {
        entry_timeout,
        attr_timeout: Duration::from_secs(100),
        ..file(inode)
    };
    let fs = Scripted::new()
        .with("short", lasting(2, Duration::ZERO))
        .with("long", lasting(3, Duration::from_secs(100)));
    let mounted = common::mount(fs);
    for (name, asked) in [("long", 1), ("short", 3)] {
        for _ in 0..3 {
            fs::metadata(mounted.join(name)).unwrap();
        }
        let lookups = mounted.ops.count(|call| matches!(call, Call::Lookup(..)));
        assert_eq!(lookups, asked, "{name}");
    }
}

#[test]
fn lookup_returns_the_error_of_the_handler() {
    require_fuse!();
    let mut fs = Scripted::new();
    answer!(fs.lookup = |_, _| Err(Errno::EACCES));
    let mounted = common::mount(fs);
    assert_eq!(errno(fs::metadata(mounted.join("x"))), libc::EACCES);
    assert_quiet();
}

#[test]
fn lookups_and_forgets_add_up() {
    require_fuse!();
    const FILES: u64 = 300;
    let looked_up = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&looked_up);
    let mut fs = Scripted::new();
    answer!(
        fs.lookup = move |_, name| {
            let number: u64 = name.to_str().unwrap().parse().unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            // The entries are asked for each time, so that counts above one come up.
            Ok(file(100 + number))
        }
    );
    let mounted = common::mount(fs);
    for round in 1..=3 {
        for number in (0..FILES).step_by(round) {
            fs::metadata(mounted.join(number.to_string())).unwrap();
        }
    }
    assert_eq!(looked_up.load(Ordering::SeqCst), 300 + 150 + 100);
    for number in 0..FILES {
        let name = number.to_string();
        invalidate_entry(&mounted, Inode::ROOT, &name);
    }
    let mut forgotten = std::collections::HashMap::new();
    while forgotten.values().sum::<u64>() < looked_up.load(Ordering::SeqCst) {
        if let (Call::Forget(list), _) = mounted.ops.calls.next() {
            for forget in list {
                *forgotten.entry(forget.inode.raw()).or_default() += forget.nlookup;
            }
        }
    }
    for number in 0..FILES {
        let rounds = [1, 2, 3].iter().filter(|step| number % **step == 0).count();
        assert_eq!(forgotten[&(100 + number)], rounds as u64, "{number}");
    }
    assert_eq!(looked_up.load(Ordering::SeqCst), 550, "nobody else looked");
    assert_quiet();
}

#[test]
fn forgets_come_in_batches() {
    require_fuse!();
    const FILES: usize = 100;
    let gate = Arc::new(std::sync::Barrier::new(2));
    let reader = Arc::clone(&gate);
    let mut fs = Scripted::new();
    answer!(
        fs.lookup = |_, name| {
            let number: u64 = name.to_str().unwrap().parse().unwrap();
            Ok(file(100 + number).with_timeouts(Duration::from_secs(100)))
        }
    );
    answer!(
        fs.statfs = move || {
            // Keeps the only reader, so that forgets pile up.
            reader.wait();
            reader.wait();
            Err(Errno::EIO)
        }
    );
    let mounted = common::mount(fs);
    for number in 0..FILES {
        fs::metadata(mounted.join(number.to_string())).unwrap();
    }
    let path = mounted.path().to_owned();
    let blocked = std::thread::spawn(move || rustix::fs::statfs(&path).is_err());
    gate.wait();
    mounted.ops.calls.drain();
    for number in 0..FILES {
        invalidate_entry(&mounted, Inode::ROOT, &number.to_string());
    }
    gate.wait();
    assert!(blocked.join().unwrap());
    let mut inodes = Vec::new();
    let mut batches = Vec::new();
    while inodes.len() < FILES {
        if let (Call::Forget(list), _) = mounted.ops.calls.next() {
            batches.push(list.len());
            inodes.extend(
                list.iter()
                    .map(|forget| (forget.inode.raw(), forget.nlookup)),
            );
        }
    }
    inodes.sort_unstable();
    let expected: Vec<_> = (100..100 + FILES as u64).map(|inode| (inode, 1)).collect();
    assert_eq!(inodes, expected);
    assert!(batches.iter().any(|len| *len > 1), "{batches:?}");
}

#[test]
fn lookup_of_dot_finds_an_inode_by_its_handle() {
    require_fuse!();
    let mut fs = Scripted::new();
    let long = Duration::from_secs(100);
    answer!(
        fs.lookup = move |parent, name| match (parent, name.as_bytes()) {
            (Inode::ROOT, b"file") => Ok(file(5).with_timeouts(long)),
            (Inode(5), b".") => Ok(file(5).with_timeouts(long)),
            _ => Err(Errno::ENOENT),
        }
    );
    let mounted = common::mount(fs);
    let handle = FileId::of(&mounted.join("file")).unwrap();
    // Away with what the kernel knows of it.
    invalidate_entry(&mounted, Inode::ROOT, "file");
    mounted.ops.calls.find(|(call, _)| {
        matches!(call, Call::Forget(list) if list.iter().any(|forget| forget.inode == Inode(5)))
    });
    let root = fs::File::open(mounted.path()).unwrap();
    let found = match handle.open(root.as_fd()) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return skip("this user may open nothing by its handle");
        }
        found => found.unwrap(),
    };
    let attr = rustix::fs::fstat(&found).unwrap();
    assert_eq!(attr.st_ino, 5);
    let calls = mounted.ops.calls_so_far();
    assert!(
        calls.contains(&Call::Lookup(Inode(5), ".".into())),
        "{calls:?}"
    );
    assert_quiet();
}

// ---- new inodes --------------------------------------------------------------------------------

#[test]
fn mkdir_is_given_type_and_permissions_without_the_umask() {
    require_fuse!();
    let mut fs = Scripted::new();
    answer!(fs.mkdir = |mode| Ok(node(9, mode)));
    let mounted = common::mount(fs);
    rustix::fs::mkdirat(CWD, mounted.join("new"), Mode::from_raw_mode(0o1777)).unwrap();
    let mode = libc::S_IFDIR | 0o1777 & !umask();
    expect_by(
        &mounted.ops,
        umask(),
        Call::Mkdir(Inode::ROOT, "new".into(), mode),
    );
    assert_quiet();
}

#[test]
fn requests_tell_who_makes_them() {
    require_fuse!();
    require_root!();
    let mut fs = Scripted::new().with("file", file(2));
    answer!(fs.mkdir = |mode| Ok(node(9, mode)));
    fs.set(node(1, libc::S_IFDIR | 0o777));
    let mounted = common::mount_with(fs, |builder| {
        builder.options(MountOptions::default().allow_other())
    });
    let new = mounted.join("new");
    // mkdir is a program of its own, in place of the shell.
    let pid = run_as_other(&format!("umask 027; exec mkdir {}", new.display()));
    let expected = Caller {
        uid: 1001,
        gid: 1002,
        pid,
        umask: 0o027,
        kill_suidgid: false,
    };
    let mode = libc::S_IFDIR | 0o750;
    let call = Call::Mkdir(Inode::ROOT, "new".into(), mode);
    assert_eq!(mounted.ops.next_call(), (call, expected));
}

#[test]
fn umask_is_left_to_the_handler_if_it_asks_for_that() {
    require_fuse!();
    require_root!();
    let mut fs = Scripted::new();
    answer!(fs.init = |conn| conn.want(Capabilities::DONT_MASK));
    answer!(fs.mkdir = |mode| Ok(node(9, mode)));
    answer!(fs.mknod = |mode, _| Ok(node(10, mode)));
    fs.set(node(1, libc::S_IFDIR | 0o777));
    let mounted = common::mount_with(fs, |builder| {
        builder.options(MountOptions::default().allow_other())
    });
    let (dir, file) = (mounted.join("dir"), mounted.join("file"));
    run_as_other(&format!("umask 027; exec mkdir {}", dir.display()));
    run_as_other(&format!("umask 077; exec mkfifo {}", file.display()));
    let (call, caller) = mounted.ops.next_call();
    let mode = libc::S_IFDIR | 0o777;
    assert_eq!(call, Call::Mkdir(Inode::ROOT, "dir".into(), mode));
    assert_eq!(caller.umask, 0o027);
    let (call, caller) = mounted.ops.next_call();
    let mode = libc::S_IFIFO | 0o666;
    assert_eq!(call, Call::Mknod(Inode::ROOT, "file".into(), mode, 0));
    assert_eq!(caller.umask, 0o077);
}

#[test]
fn mknod_makes_files_of_all_types() {
    require_fuse!();
    let mut fs = Scripted::new();
    answer!(
        fs.mknod = |mode, rdev| Ok(EntryAttributes {
            rdev,
            ..node(9, mode)
        })
    );
    let mounted = common::mount(fs);
    // The largest numbers that the protocol has room for.
    let (small, large) = (
        rustix::fs::makedev(1, 3),
        rustix::fs::makedev(0xfff, 0xf_ffff),
    );
    for (index, (kind, rdev)) in [
        (FileType::RegularFile, 0),
        (FileType::CharacterDevice, small),
        (FileType::CharacterDevice, large),
        (FileType::BlockDevice, small),
        (FileType::Fifo, 0),
        (FileType::Socket, 0),
    ]
    .into_iter()
    .enumerate()
    {
        let is_device = matches!(kind, FileType::CharacterDevice | FileType::BlockDevice);
        if is_device && !rustix::process::geteuid().is_root() {
            skip("only root may make devices");
            continue;
        }
        let name = index.to_string();
        let path = mounted.join(&name);
        rustix::fs::mknodat(CWD, &path, kind, Mode::from_raw_mode(0o640), rdev).unwrap();
        let mode = kind.as_raw_mode() | 0o640 & !umask();
        expect_by(
            &mounted.ops,
            umask(),
            Call::Mknod(Inode::ROOT, name.into(), mode, rdev),
        );
    }
    assert_quiet();
}

#[test]
fn symlink_is_given_name_and_target() {
    require_fuse!();
    let mut fs = Scripted::new();
    answer!(fs.symlink = || Ok(node(9, libc::S_IFLNK | 0o777)));
    let mounted = common::mount(fs);
    for target in [
        b"/any/where".to_vec(),
        b"\xff\xfe".to_vec(),
        vec![b't'; 4095],
    ] {
        let target = OsString::from_vec(target);
        std::os::unix::fs::symlink(&target, mounted.join("new")).unwrap();
        let (call, caller) = mounted.ops.next_call();
        assert_eq!(call, Call::Symlink(Inode::ROOT, "new".into(), target));
        assert_eq!(caller.pid, this_caller(0).pid);
    }
    assert_quiet();
}

#[test]
fn link_is_given_inode_and_new_name() {
    require_fuse!();
    let long = Duration::from_secs(100);
    let mut fs = Scripted::new()
        .with("old", file(2).with_timeouts(long))
        .with("dir", dir(3).with_timeouts(long));
    answer!(
        fs.link = move |inode| Ok(EntryAttributes {
            nlink: 2,
            ..file(inode.raw())
        }
        .with_timeouts(long))
    );
    let mounted = common::mount(fs);
    fs::hard_link(mounted.join("old"), mounted.join("dir/new")).unwrap();
    mounted
        .ops
        .expect(Call::Link(Inode(2), Inode(3), "new".into()));
    let metadata = fs::metadata(mounted.join("dir/new")).unwrap();
    assert_eq!((metadata.ino(), metadata.nlink()), (2, 2));
    assert_quiet();
}

#[test]
fn a_new_inode_counts_as_looked_up() {
    require_fuse!();
    let mut fs = Scripted::new();
    let long = Duration::from_secs(100);
    answer!(fs.mkdir = move |mode| Ok(node(9, mode).with_timeouts(long)));
    answer!(fs.mknod = move |mode, _| Ok(node(10, mode).with_timeouts(long)));
    answer!(fs.symlink = move || Ok(node(11, libc::S_IFLNK | 0o777).with_timeouts(long)));
    answer!(fs.rmdir = || Ok(()));
    answer!(fs.unlink = || Ok(()));
    let mounted = common::mount(fs);
    let forgotten = |inode| {
        mounted.ops.calls.find(|(call, _)| {
            let Call::Forget(list) = call else {
                return false;
            };
            let of = list.iter().find(|forget| forget.inode == Inode(inode));
            of.is_some_and(|forget| forget.nlookup == 1)
        });
    };
    fs::create_dir(mounted.join("dir")).unwrap();
    fs::remove_dir(mounted.join("dir")).unwrap();
    forgotten(9);
    let path = mounted.join("node");
    rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::RUSR, 0).unwrap();
    fs::remove_file(&path).unwrap();
    forgotten(10);
    std::os::unix::fs::symlink("x", mounted.join("link")).unwrap();
    fs::remove_file(mounted.join("link")).unwrap();
    forgotten(11);
}

/// Makes something called `new` in each way that there is; the errors, one after the other.
fn make_all(path: &Path) -> Vec<(&'static str, i32)> {
    let new = path.join("new");
    let raw = |error: rustix::io::Errno| error.raw_os_error();
    vec![
        (
            "mknod",
            raw(
                rustix::fs::mknodat(CWD, &new, FileType::Fifo, Mode::RUSR, 0).expect_err("refused"),
            ),
        ),
        ("mkdir", errno(fs::create_dir(&new))),
        ("symlink", errno(std::os::unix::fs::symlink("x", &new))),
        ("link", errno(fs::hard_link(path.join("file"), &new))),
        ("create", errno(fs::File::create_new(&new))),
    ]
}

#[test]
fn making_returns_the_error_of_the_handler() {
    require_fuse!();
    let mut fs = Scripted::new().with("file", file(2));
    answer!(fs.mknod = |_, _| Err(Errno::EDQUOT));
    answer!(fs.mkdir = |_| Err(Errno::EDQUOT));
    answer!(fs.symlink = || Err(Errno::EDQUOT));
    answer!(fs.link = |_| Err(Errno::EDQUOT));
    answer!(fs.create = |_| Err(Errno::EDQUOT));
    let mounted = common::mount(fs);
    for (operation, error) in make_all(mounted.path()) {
        assert_eq!(error, libc::EDQUOT, "{operation}");
    }
    assert_quiet();
}

#[test]
fn inode_0_is_refused_for_what_was_made() {
    require_fuse!();
    let mut fs = Scripted::new().with("file", file(2));
    answer!(fs.mknod = |mode, _| Ok(node(0, mode)));
    answer!(fs.mkdir = |mode| Ok(node(0, mode)));
    answer!(fs.symlink = || Ok(node(0, libc::S_IFLNK | 0o777)));
    answer!(fs.link = |_| Ok(file(0)));
    answer!(fs.create = |mode| Ok((libfuse3::FileInfo::default(), node(0, mode))));
    let mounted = common::mount(fs);
    for (operation, error) in make_all(mounted.path()) {
        assert_eq!(error, libc::EIO, "{operation}");
        assert_logged(&[&format!("{operation} of inode"), "inode 0"]);
    }
    // Nothing that the kernel has not taken is left to be forgotten.
    let forgets = mounted
        .ops
        .count(|call| matches!(call, Call::Forget(list) if list.iter().any(|f| f.inode.0 == 0)));
    assert_eq!(forgets, 0);
}

// ---- names that go or change -------------------------------------------------------------------

#[test]
fn unlink_and_rmdir_are_given_parent_and_name() {
    require_fuse!();
    let mut fs = Scripted::new().with("file", file(2)).with("dir", dir(3));
    answer!(fs.unlink = || Ok(()));
    answer!(fs.rmdir = || Ok(()));
    let mounted = common::mount(fs);
    fs::remove_file(mounted.join("file")).unwrap();
    let (call, caller) = mounted.ops.next_call();
    assert_eq!(call, Call::Unlink(Inode::ROOT, "file".into()));
    assert_eq!(caller.pid, this_caller(0).pid);
    fs::remove_dir(mounted.join("dir")).unwrap();
    mounted.ops.expect(Call::Rmdir(Inode::ROOT, "dir".into()));
    assert_quiet();
}

#[test]
fn removing_returns_the_error_of_the_handler() {
    require_fuse!();
    let mut fs = Scripted::new().with("file", file(2)).with("dir", dir(3));
    answer!(fs.unlink = || Err(Errno::ETXTBSY));
    answer!(fs.rmdir = || Err(Errno::ENOTEMPTY));
    let mounted = common::mount(fs);
    assert_eq!(errno(fs::remove_file(mounted.join("file"))), libc::ETXTBSY);
    assert_eq!(errno(fs::remove_dir(mounted.join("dir"))), libc::ENOTEMPTY);
    assert_quiet();
}

/// A file system with the files `a` and `b` and the directory `dir`, which can be renamed.
fn renamable() -> Scripted {
    let mut fs = Scripted::new()
        .with("a", file(2))
        .with("b", file(3))
        .with("dir", dir(4));
    answer!(fs.rename = || Ok(()));
    fs
}

fn rename_with(from: &Path, to: &Path, flags: u32) -> rustix::io::Result<()> {
    let flags = rustix::fs::RenameFlags::from_bits_retain(flags);
    rustix::fs::renameat_with(CWD, from, CWD, to, flags)
}

#[test]
fn rename_is_given_both_directories_and_names() {
    require_fuse!();
    let mounted = common::mount(renamable());
    fs::rename(mounted.join("a"), mounted.join("dir/new")).unwrap();
    let (call, caller) = mounted.ops.next_call();
    let expected = Call::Rename(
        Inode::ROOT,
        "a".into(),
        Inode(4),
        "new".into(),
        RenameFlags::empty(),
    );
    assert_eq!(call, expected);
    assert_eq!(caller.pid, this_caller(0).pid);
    assert_quiet();
}

#[test]
fn rename_is_given_its_flags() {
    require_fuse!();
    let mounted = common::mount(renamable());
    for (new_name, flags) in [
        ("new", RENAME_NOREPLACE),
        ("b", RENAME_EXCHANGE),
        ("new", RenameFlags::WHITEOUT),
        ("new", RenameFlags::WHITEOUT | RENAME_NOREPLACE),
    ] {
        rename_with(&mounted.join("a"), &mounted.join(new_name), flags.bits()).unwrap();
        let root = Inode::ROOT;
        let expected = Call::Rename(root, "a".into(), root, new_name.into(), flags);
        mounted.ops.expect(expected);
    }
    assert_quiet();
}

#[test]
fn rename_with_unknown_or_contradictory_flags_is_refused() {
    require_fuse!();
    let mounted = common::mount(renamable());
    for flags in [1 << 3, 1 << 31, (RENAME_NOREPLACE | RENAME_EXCHANGE).bits()] {
        let refused = rename_with(&mounted.join("a"), &mounted.join("b"), flags);
        assert_eq!(refused, Err(rustix::io::Errno::INVAL), "{flags:#x}");
    }
    assert_eq!(
        mounted.ops.count(|call| matches!(call, Call::Rename(..))),
        0
    );
}

#[test]
fn rename_returns_the_error_of_the_handler() {
    require_fuse!();
    let mut fs = renamable();
    answer!(fs.rename = || Err(Errno::EXDEV));
    let mounted = common::mount(fs);
    let refused = fs::rename(mounted.join("a"), mounted.join("b"));
    assert_eq!(errno(refused), libc::EXDEV);
    let refused = rename_with(&mounted.join("a"), &mounted.join("new"), 1);
    assert_eq!(refused, Err(rustix::io::Errno::XDEV));
    assert_quiet();
}

#[test]
fn names_are_handed_on_as_they_are() {
    require_fuse!();
    let mut fs = Scripted::new();
    answer!(fs.lookup = |_, _| Err(Errno::ENOENT));
    answer!(fs.mkdir = |mode| Ok(node(9, mode)));
    let mounted = common::mount(fs);
    for name in [vec![b'n'; 255], b"\xff \xfe\n".to_vec()] {
        let name = OsString::from_vec(name);
        fs::create_dir(mounted.join(&name)).unwrap();
        let (call, _) = mounted.ops.next_call();
        assert!(
            matches!(&call, Call::Mkdir(_, given, _) if *given == name),
            "{call:?}"
        );
    }
}

#[test]
fn names_longer_than_usual_are_handed_on_or_refused() {
    require_fuse!();
    let mut fs = Scripted::new();
    answer!(fs.lookup = |_, _| Ok(file(9)));
    let mounted = common::mount(fs);
    for len in [1024, 1025, 4000] {
        let name = OsString::from_vec(vec![b'n'; len]);
        match fs::metadata(mounted.join(&name)) {
            Ok(_) => {
                let calls = mounted.ops.calls_so_far();
                let lookup = Call::Lookup(Inode::ROOT, name);
                assert!(calls.contains(&lookup), "{len}: {calls:?}");
            }
            // The limit of older kernels is 1024.
            Err(error) => assert_eq!(error.raw_os_error(), Some(libc::ENAMETOOLONG)),
        }
    }
}
