//! What pyfuse3's tests do with both tmpfs and passthroughfs: one check after the other, each in a
//! directory of its own.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::fs::File;
use std::fs::Metadata;
use std::fs::OpenOptions;
use std::fs::Permissions;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::thread;

use rustix::fs::AtFlags;
use rustix::fs::CWD;
use rustix::fs::FallocateFlags;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::RenameFlags;
use rustix::fs::Timespec;
use rustix::fs::Timestamps;

use crate::common;

/// A file that is longer than one request and not a multiple of anything.
fn contents() -> Vec<u8> {
    (0..1_234_567_u32).map(|n| (n % 251) as u8).collect()
}

/// Runs all checks. When one fails, the last line before the panic says which it was.
pub(crate) fn check_all(root: &Path) {
    check(root, |_| true);
}

/// Runs the checks that need no privilege as another user, who may write to this directory.
pub(crate) fn check_as_other_user(root: &Path) {
    common::as_other_user(|| check(root, |name| !["mknod", "chown"].contains(&name)));
}

fn check(root: &Path, is_wanted: impl Fn(&str) -> bool) {
    type Check = (&'static str, fn(&Path));
    const CHECKS: &[Check] = &[
        ("write", write),
        ("mkdir", mkdir),
        ("symlink", symlink),
        ("mknod", mknod),
        ("chown", chown),
        ("chmod", chmod),
        ("utimens", utimens),
        ("rounding", rounding),
        ("link", link),
        ("rename", rename),
        ("readdir", readdir),
        ("readdir of many", readdir_of_many),
        ("statvfs", statvfs),
        ("truncate", truncate),
        ("ftruncate", ftruncate),
        ("open with O_TRUNC", open_truncates),
        ("append", append),
        ("sparse", sparse),
        ("allocate", allocate),
        ("holes", holes),
        ("cached data", cached_data),
        ("copy_file_range", copy_file_range),
        ("unlink", unlink),
        ("unlink while open", unlink_while_open),
        ("duplicated descriptors", duplicated_descriptors),
    ];
    let wanted = CHECKS.iter().filter(|(name, _)| is_wanted(name));
    for (number, (name, check)) in wanted.enumerate() {
        eprintln!("check: {name}");
        let dir = root.join(format!("check {number}"));
        fs::create_dir(&dir).unwrap();
        check(&dir);
        fs::remove_dir_all(&dir).unwrap();
        assert_eq!(common::errno(fs::symlink_metadata(&dir)), libc::ENOENT);
    }
}

fn names(dir: &Path) -> BTreeSet<OsString> {
    libfuse3::listdir(dir).unwrap().into_iter().collect()
}

fn set(names: &[&str]) -> BTreeSet<OsString> {
    names.iter().map(OsString::from).collect()
}

/// All that `stat` tells, but for the time of access.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stat([i128; 11]);

impl From<Metadata> for Stat {
    fn from(stat: Metadata) -> Self {
        Self([
            stat.mode().into(),
            stat.ino().into(),
            stat.nlink().into(),
            stat.uid().into(),
            stat.gid().into(),
            stat.size().into(),
            stat.rdev().into(),
            stat.mtime().into(),
            stat.mtime_nsec().into(),
            stat.ctime().into(),
            stat.ctime_nsec().into(),
        ])
    }
}

pub(crate) fn stat(path: &Path) -> Stat {
    fs::symlink_metadata(path).unwrap().into()
}

#[track_caller]
fn assert_gone(path: &Path) {
    assert_eq!(common::errno(fs::symlink_metadata(path)), libc::ENOENT);
    let name = path.file_name().unwrap();
    assert!(!names(path.parent().unwrap()).contains(name));
}

#[track_caller]
fn assert_same(left: &[u8], right: &[u8]) {
    assert_eq!(left.len(), right.len());
    assert!(left == right, "contents differ");
}

fn write(dir: &Path) {
    let path = dir.join("file");
    fs::write(&path, contents()).unwrap();
    assert_same(&fs::read(&path).unwrap(), &contents());
    let mut copy = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(dir.join("copy"))
        .unwrap();
    copy.write_all(&contents()).unwrap();
    copy.sync_all().unwrap();
    copy.seek(SeekFrom::Start(100)).unwrap();
    copy.write_all(b"overwritten").unwrap();
    let mut bytes = [0; 13];
    copy.read_exact_at(&mut bytes, 99).unwrap();
    assert_eq!(&bytes[1..12], b"overwritten");
    assert_eq!((bytes[0], bytes[12]), (99, 111));
    assert_eq!(common::errno(File::create_new(&path)), libc::EEXIST);
}

fn mkdir(dir: &Path) {
    let path = dir.join("subdirectory");
    fs::create_dir(&path).unwrap();
    let stat = fs::symlink_metadata(&path).unwrap();
    assert!(stat.is_dir() && [1, 2].contains(&stat.nlink()));
    assert!(names(&path).is_empty());
    assert_eq!(names(dir), set(&["subdirectory"]));
    assert_eq!(common::errno(fs::create_dir(&path)), libc::EEXIST);
    fs::write(path.join("file"), "").unwrap();
    assert_eq!(common::errno(fs::remove_dir(&path)), libc::ENOTEMPTY);
    fs::remove_file(path.join("file")).unwrap();
    fs::remove_dir(&path).unwrap();
    assert_gone(&path);
}

fn symlink(dir: &Path) {
    let link = dir.join("link");
    std::os::unix::fs::symlink("/no/such/file", &link).unwrap();
    let stat = fs::symlink_metadata(&link).unwrap();
    assert!(stat.is_symlink());
    assert_eq!((stat.nlink(), stat.len()), (1, 13));
    assert_eq!(fs::read_link(&link).unwrap(), Path::new("/no/such/file"));
    assert_eq!(names(dir), set(&["link"]));
    assert_eq!(common::errno(fs::metadata(&link)), libc::ENOENT);
    fs::remove_file(&link).unwrap();
    assert_gone(&link);
}

fn mknod(dir: &Path) {
    let path = dir.join("file");
    rustix::fs::mknodat(CWD, &path, FileType::RegularFile, Mode::from(0o640), 0).unwrap();
    let stat = fs::symlink_metadata(&path).unwrap();
    assert_eq!(
        (stat.mode() & !0o7, stat.nlink(), stat.len()),
        (libc::S_IFREG | 0o640, 1, 0)
    );
    fs::copy(std::env::current_exe().unwrap(), &path).unwrap();
    assert_same(
        &fs::read(&path).unwrap(),
        &fs::read(std::env::current_exe().unwrap()).unwrap(),
    );

    let fifo = dir.join("fifo");
    rustix::fs::mknodat(CWD, &fifo, FileType::Fifo, Mode::from(0o600), 0).unwrap();
    assert_eq!(
        fs::symlink_metadata(&fifo).unwrap().mode(),
        libc::S_IFIFO | 0o600
    );
    let read = thread::spawn({
        let fifo = fifo.clone();
        move || fs::read_to_string(fifo).unwrap()
    });
    fs::write(&fifo, "through the fifo").unwrap();
    assert_eq!(read.join().unwrap(), "through the fifo");
    let _socket = std::os::unix::net::UnixListener::bind(dir.join("socket")).unwrap();
    assert_eq!(names(dir), set(&["file", "fifo", "socket"]));
}

fn chown(dir: &Path) {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let path = dir.join("directory");
    fs::create_dir(&path).unwrap();
    let (uid, gid) = (1234, 4321);
    std::os::unix::fs::chown(&path, Some(uid), None).unwrap();
    let stat = fs::symlink_metadata(&path).unwrap();
    assert_eq!(
        (stat.uid(), stat.gid()),
        (uid, rustix::process::getegid().as_raw())
    );
    std::os::unix::fs::chown(&path, None, Some(gid)).unwrap();
    let stat = fs::symlink_metadata(&path).unwrap();
    assert_eq!((stat.uid(), stat.gid()), (uid, gid));
    let link = dir.join("link");
    std::os::unix::fs::symlink("directory", &link).unwrap();
    std::os::unix::fs::lchown(&link, Some(1), Some(2)).unwrap();
    let stat = fs::symlink_metadata(&link).unwrap();
    assert_eq!((stat.uid(), stat.gid()), (1, 2));
    assert_eq!(fs::metadata(&path).unwrap().uid(), uid);
}

fn chmod(dir: &Path) {
    let path = dir.join("file");
    fs::write(&path, "").unwrap();
    for mode in [0o600, 0o755, 0o4711, 0o000, 0o644] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode(), libc::S_IFREG | mode);
    }
    let file = File::open(&path).unwrap();
    file.set_permissions(Permissions::from_mode(0o440)).unwrap();
    assert_eq!(file.metadata().unwrap().mode(), libc::S_IFREG | 0o440);
}

fn set_times(path: &Path, atime: (i64, u32), mtime: (i64, u32)) {
    let time = |(tv_sec, nanos): (i64, u32)| Timespec {
        tv_sec,
        tv_nsec: nanos.into(),
    };
    let times = Timestamps {
        last_access: time(atime),
        last_modification: time(mtime),
    };
    rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

#[track_caller]
fn assert_times(path: &Path, atime: (i64, u32), mtime: (i64, u32)) {
    let stat = fs::symlink_metadata(path).unwrap();
    let found = (
        stat.atime(),
        stat.atime_nsec(),
        stat.mtime(),
        stat.mtime_nsec(),
    );
    assert_eq!(found, (atime.0, atime.1.into(), mtime.0, mtime.1.into()));
}

fn utimens(dir: &Path) {
    let path = dir.join("directory");
    fs::create_dir(&path).unwrap();
    let stat = fs::symlink_metadata(&path).unwrap();
    let (atime, mtime) = (
        (stat.atime() + 42, 987_654_321),
        (stat.mtime() - 42, 123_456_789),
    );
    set_times(&path, atime, mtime);
    assert_times(&path, atime, mtime);
    let link = dir.join("link");
    std::os::unix::fs::symlink("directory", &link).unwrap();
    set_times(&link, (7, 8), (9, 10));
    assert_times(&link, (7, 8), (9, 10));
    assert_times(&path, atime, mtime);
    let file = File::create(dir.join("file")).unwrap();
    let time = std::time::UNIX_EPOCH + std::time::Duration::new(1_000_000_000, 5);
    file.set_modified(time).unwrap();
    assert_eq!(file.metadata().unwrap().modified().unwrap(), time);
}

/// A time that does not survive as floating point seconds.
fn rounding(dir: &Path) {
    let path = dir.join("file");
    fs::write(&path, "").unwrap();
    let time = (67 * 365 * 24 * 3600 + 999, 999_999_999);
    set_times(&path, time, time);
    assert_times(&path, time, time);
}

fn link(dir: &Path) {
    let (one, two) = (dir.join("one"), dir.join("two"));
    fs::write(&one, contents()).unwrap();
    assert_eq!(fs::metadata(&one).unwrap().nlink(), 1);
    fs::hard_link(&one, &two).unwrap();
    assert_eq!(stat(&one), stat(&two));
    assert_eq!(fs::metadata(&one).unwrap().nlink(), 2);
    assert_eq!(names(dir), set(&["one", "two"]));
    OpenOptions::new()
        .append(true)
        .open(&two)
        .unwrap()
        .write_all(b"more")
        .unwrap();
    assert_same(
        &fs::read(&one).unwrap(),
        &[&contents()[..], b"more"].concat(),
    );
    fs::remove_file(&one).unwrap();
    assert_gone(&one);
    assert_eq!(fs::metadata(&two).unwrap().nlink(), 1);
    assert_eq!(fs::read(&two).unwrap().len(), contents().len() + 4);
}

fn rename(dir: &Path) {
    let (one, two, below) = (dir.join("one"), dir.join("two"), dir.join("below"));
    fs::write(&one, "one").unwrap();
    fs::create_dir(&below).unwrap();
    let before = fs::metadata(&one).unwrap();
    fs::rename(&one, &two).unwrap();
    assert_gone(&one);
    let after = fs::metadata(&two).unwrap();
    assert_eq!(
        (before.ino(), before.len(), before.mtime_nsec()),
        (after.ino(), after.len(), after.mtime_nsec())
    );
    fs::write(&one, "another").unwrap();
    let rename =
        |from: &Path, to: &Path, flags| rustix::fs::renameat_with(CWD, from, CWD, to, flags);
    let refused = rename(&one, &two, RenameFlags::NOREPLACE).map_err(Into::into);
    assert_eq!(common::errno::<()>(refused), libc::EEXIST);
    rename(&one, &two, RenameFlags::EXCHANGE).unwrap();
    assert_eq!(fs::read_to_string(&one).unwrap(), "one");
    assert_eq!(fs::read_to_string(&two).unwrap(), "another");
    fs::rename(&one, &two).unwrap();
    assert_eq!(fs::read_to_string(&two).unwrap(), "one");
    // What is open, or below, goes along.
    let mut file = File::open(&two).unwrap();
    fs::rename(&two, below.join("three")).unwrap();
    fs::rename(&below, dir.join("elsewhere")).unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "one");
    assert_eq!(
        fs::read_to_string(dir.join("elsewhere/three")).unwrap(),
        "one"
    );
    assert_eq!(names(dir), set(&["elsewhere"]));
}

fn readdir(dir: &Path) {
    fs::create_dir_all(dir.join("directory/below/deeper")).unwrap();
    fs::write(dir.join("directory/file"), "").unwrap();
    fs::write(dir.join("directory/below/file"), "").unwrap();
    assert_eq!(names(dir), set(&["directory"]));
    assert_eq!(names(&dir.join("directory")), set(&["below", "file"]));
    assert_eq!(
        names(&dir.join("directory/below")),
        set(&["deeper", "file"])
    );
    assert!(names(&dir.join("directory/below/deeper")).is_empty());
}

/// More than one buffer full, with names of all lengths, half of which go away meanwhile.
fn readdir_of_many(dir: &Path) {
    let all: BTreeSet<_> = (0..1000)
        .map(|n| format!("{n:0width$}", width = 4 + n % 200).into())
        .collect();
    for name in &all {
        fs::write(dir.join(name), "").unwrap();
    }
    assert_eq!(names(dir), all);
    let (mut seen, mut removed) = (BTreeSet::new(), BTreeSet::new());
    for entry in fs::read_dir(dir).unwrap() {
        let name: OsString = entry.unwrap().file_name();
        assert!(seen.insert(name.clone()), "{name:?} is there twice");
        if seen.len() % 2 == 0 {
            fs::remove_file(dir.join(&name)).unwrap();
            removed.insert(name);
        }
    }
    assert_eq!(seen, all);
    assert_eq!(names(dir), all.difference(&removed).cloned().collect());
}

fn statvfs(dir: &Path) {
    let stat = rustix::fs::statvfs(dir).unwrap();
    assert!(stat.f_bsize > 0 && stat.f_namemax >= 255);
    assert!(stat.f_bfree <= stat.f_blocks && stat.f_ffree <= stat.f_files);
}

/// Both ways of truncating: a size, what is lost, and what is filled up with zeros.
fn check_truncation(path: &Path, set_len: impl Fn(u64)) {
    fs::write(path, contents()).unwrap();
    let size = contents().len();
    set_len(size as u64 + 1024);
    assert_eq!(fs::metadata(path).unwrap().len(), size as u64 + 1024);
    assert_same(
        &fs::read(path).unwrap(),
        &[&contents()[..], &[0; 1024]].concat(),
    );
    set_len(size as u64 - 1024);
    assert_eq!(fs::metadata(path).unwrap().len(), size as u64 - 1024);
    assert_same(&fs::read(path).unwrap(), &contents()[..size - 1024]);
    set_len(size as u64);
    assert_same(
        &fs::read(path).unwrap(),
        &[&contents()[..size - 1024], &[0; 1024]].concat(),
    );
}

fn truncate(dir: &Path) {
    let path = dir.join("file");
    let len = |len: u64| i64::try_from(len).unwrap();
    check_truncation(&path, |size| {
        nix::unistd::truncate(&path, len(size)).unwrap()
    });
}

fn ftruncate(dir: &Path) {
    let path = dir.join("file");
    fs::write(&path, "").unwrap();
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    check_truncation(&path, |len| file.set_len(len).unwrap());
}

fn open_truncates(dir: &Path) {
    let path = dir.join("file");
    fs::write(&path, "a long text").unwrap();
    fs::write(&path, "x").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"x");
    let stat = fs::metadata(&path).unwrap();
    assert_eq!(stat.len(), 1);
}

fn append(dir: &Path) {
    let path = dir.join("file");
    let mut one = OpenOptions::new()
        .append(true)
        .create(true)
        .open(&path)
        .unwrap();
    let mut two = OpenOptions::new().append(true).open(&path).unwrap();
    for _ in 0..10 {
        one.write_all(b"one ").unwrap();
        two.write_all(b"two ").unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), "one two ".repeat(10));
}

fn sparse(dir: &Path) {
    let path = dir.join("file");
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)
        .unwrap();
    file.write_all_at(b"end", 50_000_000).unwrap();
    assert_eq!(file.metadata().unwrap().len(), 50_000_003);
    let mut bytes = [1; 8];
    file.read_exact_at(&mut bytes, 25_000_000).unwrap();
    assert_eq!(bytes, [0; 8]);
    file.read_exact_at(&mut bytes, 49_999_995).unwrap();
    assert_eq!(&bytes, b"\0\0\0\0\0end");
    file.sync_all().unwrap();
    assert!(file.metadata().unwrap().blocks() * 512 < 10_000_000);
}

fn allocate(dir: &Path) {
    let path = dir.join("file");
    fs::write(&path, [1; 20_000]).unwrap();
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    let allocate = |mode, offset, len| rustix::fs::fallocate(&file, mode, offset, len);
    let mut expected = vec![1; 20_000];
    let keep_size = FallocateFlags::KEEP_SIZE;

    allocate(FallocateFlags::empty(), 10_000, 15_000).unwrap();
    expected.resize(25_000, 0);
    assert_same(&fs::read(&path).unwrap(), &expected);

    allocate(keep_size, 0, 1 << 20).unwrap();
    let stat = fs::metadata(&path).unwrap();
    assert_eq!(stat.len(), 25_000);
    assert!(stat.blocks() >= (1 << 20) / 512, "{stat:?}");

    allocate(FallocateFlags::PUNCH_HOLE | keep_size, 5000, 1 << 20).unwrap();
    expected[5000..].fill(0);
    assert_same(&fs::read(&path).unwrap(), &expected);
    let stat = fs::metadata(&path).unwrap();
    assert!(stat.blocks() < (1 << 20) / 512, "{stat:?}");

    // Not every file system can do this.
    match allocate(FallocateFlags::ZERO_RANGE, 4000, 30_000) {
        Ok(()) => {
            expected[4000..].fill(0);
            expected.resize(34_000, 0);
        }
        Err(error) => assert_eq!(error, rustix::io::Errno::OPNOTSUPP),
    }
    assert_same(&fs::read(&path).unwrap(), &expected);
    let refused = allocate(FallocateFlags::COLLAPSE_RANGE, 0, 4096);
    assert_eq!(refused, Err(rustix::io::Errno::OPNOTSUPP));
}

fn holes(dir: &Path) {
    let path = dir.join("file");
    let file = File::create(&path).unwrap();
    file.write_all_at(&[1; 1 << 16], 1 << 20).unwrap();
    file.set_len(3 << 20).unwrap();
    let seek = |to| rustix::fs::seek(&file, to);
    let (start, end) = (1 << 20, (1 << 20) + (1 << 16));
    assert_eq!(seek(rustix::fs::SeekFrom::Data(5)), Ok(start));
    assert_eq!(seek(rustix::fs::SeekFrom::Hole(5)), Ok(5));
    assert_eq!(seek(rustix::fs::SeekFrom::Hole(start + 9)), Ok(end));
    let no_data = seek(rustix::fs::SeekFrom::Data(end));
    assert_eq!(no_data, Err(rustix::io::Errno::NXIO));
}

/// What the kernel has not written back yet is no hole: cp(1) would leave it out.
fn cached_data(dir: &Path) {
    const SIZE: usize = 1_000_000;
    let mapped = |path: &Path| {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).open(path);
        let file = file.unwrap();
        file.set_len(SIZE as u64).unwrap();
        let mut mapping = common::Mapping::shared(&file, SIZE)?;
        // Closing a file has the kernel write it back.
        drop(file);
        mapping.fill(b'D');
        Ok::<_, std::io::Error>(mapping)
    };
    let (path, written) = (dir.join("mapped"), dir.join("written"));
    let mapping = mapped(&path);
    // Not with `direct_io`.
    if mapping.is_ok() {
        assert_copy_is_complete(&path, SIZE);
    }
    drop(mapping);
    let file = File::create_new(&written).unwrap();
    file.set_len(SIZE as u64).unwrap();
    file.write_all_at(&[b'D'; SIZE], 0).unwrap();
    assert_copy_is_complete(&written, SIZE);
    let data = rustix::fs::seek(&file, rustix::fs::SeekFrom::Data(0));
    assert_eq!(data, Ok(0));
    let hole = rustix::fs::seek(&file, rustix::fs::SeekFrom::Hole(0));
    assert_eq!(hole, Ok(SIZE as u64));
}

/// Asserts that cp(1) copies all of a file that is full of `D`.
fn assert_copy_is_complete(path: &Path, size: usize) {
    let elsewhere = common::open_directory();
    let copy = elsewhere.path().join("copy");
    crate::program::run(Command::new("cp").arg(path).arg(&copy));
    assert_same(&fs::read(&copy).unwrap(), &vec![b'D'; size]);
}

fn copy_file_range(dir: &Path) {
    let (path, other) = (dir.join("file"), dir.join("other"));
    fs::write(&path, contents()).unwrap();
    fs::write(&other, "something else").unwrap();
    let from = File::open(&path).unwrap();
    let to = OpenOptions::new().write(true).open(&other).unwrap();
    let (mut offset_in, mut offset_out) = (1000, 9);
    let copied = rustix::fs::copy_file_range(
        &from,
        Some(&mut offset_in),
        &to,
        Some(&mut offset_out),
        100_000,
    );
    let copied = copied.unwrap();
    assert!(copied > 0 && copied <= 100_000, "{copied}");
    assert_eq!(
        (offset_in, offset_out),
        (1000 + copied as u64, 9 + copied as u64)
    );
    let mut expected = b"something".to_vec();
    expected.extend_from_slice(&contents()[1000..1000 + copied]);
    assert_same(&fs::read(&other).unwrap(), &expected);
}

fn unlink(dir: &Path) {
    let path = dir.join("file");
    fs::write(&path, contents()).unwrap();
    fs::remove_file(&path).unwrap();
    assert_gone(&path);
    assert_eq!(common::errno(fs::remove_file(&path)), libc::ENOENT);
}

fn unlink_while_open(dir: &Path) {
    let path = dir.join("file");
    let mut file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)
        .unwrap();
    file.write_all(b"before ").unwrap();
    fs::remove_file(&path).unwrap();
    assert_gone(&path);
    file.write_all(b"after").unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "before after");
    assert_eq!(file.metadata().unwrap().nlink(), 0);
    file.set_permissions(Permissions::from_mode(0o600)).unwrap();
    file.set_len(3).unwrap();
    assert_eq!(file.metadata().unwrap().len(), 3);
}

/// "Common gotchas" of pyfuse3's documents: two open files of an inode without a name, one of which
/// is duplicated and closed.
fn duplicated_descriptors(dir: &Path) {
    let path = dir.join("file");
    let mut one = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)
        .unwrap();
    let two = File::open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let again = two.try_clone().unwrap();
    drop(two);
    one.write_all(b"foobar").unwrap();
    drop(one);
    let mut text = [0; 6];
    again.read_exact_at(&mut text, 0).unwrap();
    assert_eq!(&text, b"foobar");
}
