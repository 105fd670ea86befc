//! Files and directories as programs use them, and the accounts that have to be right for it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::fs::File;
use std::io::Read;
use std::io::Seek;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use libfuse3::Capabilities;
use libfuse3::Data;
use libfuse3::EntryAttributes;
use libfuse3::FileRef;
use libfuse3::Inode;
use libfuse3::Operations;
use libfuse3::ROOT_INODE;
use libfuse3::RequestContext;
use libfuse3::Result;

use crate::common;
use crate::common::FileId;
use crate::common::Mounted;
use crate::common::memfs::Call;
use crate::common::memfs::MemFs;

/// Makes the kernel forget the name, and with it the inode.
fn forget(mounted: &Mounted<MemFs>, parent: Inode, name: &str) {
    let notifier = mounted.notifier();
    smol::block_on(notifier.invalidate_entry(parent, OsStr::new(name), None)).unwrap();
}

/// The gotcha that pyfuse3's documents tell of: an inode without a name is not gone.
fn use_a_file_without_a_name(fs: MemFs) {
    let mounted = common::mount(fs);
    let path = mounted.join("file_one");
    let mut options = File::options();
    let first = options.read(true).write(true).create(true).truncate(true);
    let mut first = first.open(&path).unwrap();
    first.write_all(b"foo").unwrap();
    let mut second = File::options().append(true).open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    assert!(libfuse3::listdir(mounted.path()).unwrap().is_empty());
    assert_eq!(common::errno(fs::metadata(&path)), libc::ENOENT);
    second.write_all(b"bar").unwrap();
    drop(first.try_clone().unwrap());
    let mut text = String::new();
    first.rewind().unwrap();
    first.read_to_string(&mut text).unwrap();
    assert_eq!(text, "foobar");
    assert_eq!(mounted.ops.nodes(), 1, "it is open");
    drop((first, second));
    let totals = mounted.ops.totals.wait_for("all is taken back", |totals| {
        totals.released == 2 && totals.forgotten == totals.lookups
    });
    assert_eq!(totals.opened, 2);
    drop(totals);
    assert_eq!(mounted.ops.nodes(), 0);
    common::assert_quiet();
}

#[test]
fn a_file_without_a_name_lives_until_it_is_closed() {
    common::require_fuse!();
    use_a_file_without_a_name(MemFs::default());
}

#[test]
fn a_file_without_a_name_lives_until_it_is_closed_under_the_writeback_cache() {
    common::require_fuse!();
    use_a_file_without_a_name(MemFs::default().want(Capabilities::WRITEBACK_CACHE));
}

#[test]
fn what_was_looked_up_is_forgotten_and_what_was_opened_is_released() {
    common::require_fuse!();
    let mounted = common::mount(MemFs::default().timeout(Duration::ZERO));
    let at = |path: &str| mounted.join(path);
    // Each way to get to know an inode, some of them often.
    fs::create_dir(at("dir")).unwrap();
    for number in 0..20 {
        fs::write(at(&format!("dir/{number}")), "text").unwrap();
    }
    for _ in 0..3 {
        for entry in fs::read_dir(at("dir")).unwrap() {
            let entry = entry.unwrap();
            assert_eq!(fs::read(entry.path()).unwrap(), b"text");
            entry.metadata().unwrap();
        }
    }
    for number in 0..10 {
        fs::remove_file(at(&format!("dir/{number}"))).unwrap();
    }
    // Those that still have a name: the kernel would tell of them only when it needs the memory.
    for number in 10..20 {
        forget(&mounted, Inode(2), &number.to_string());
    }
    forget(&mounted, ROOT_INODE, "dir");
    let totals = mounted.ops.totals.wait_for("all is taken back", |totals| {
        totals.released == totals.opened && totals.forgotten == totals.lookups
    });
    assert_eq!(totals.opened, 20 + 3 * 20);
    assert!(totals.lookups > 100, "{totals:?}");
    drop(totals);
    let fs = std::sync::Arc::clone(&mounted.ops);
    mounted.unmount();
    let totals = fs.totals.read(|totals| *totals);
    assert_eq!(totals.forgotten, totals.lookups, "at the end, too");
    let destroyed = fs.called(|call| (*call == Call::Destroy).then_some(()));
    assert_eq!(destroyed.len(), 1);
    common::assert_quiet();
}

#[test]
fn a_directory_larger_than_a_buffer_is_listed_whole_and_can_be_removed() {
    common::require_fuse!();
    let mounted = common::mount(MemFs::default());
    let dir = mounted.join("dir");
    fs::create_dir(&dir).unwrap();
    // Short ones would fit into a rest that long ones do not fit into.
    let names: BTreeSet<_> = (0..1000)
        .map(|number: usize| format!("{number}{}", "x".repeat(number * 7 % 200)))
        .collect();
    for name in &names {
        File::create_new(dir.join(name)).unwrap();
    }
    let listed = libfuse3::listdir(&dir).unwrap();
    let distinct: BTreeSet<_> = listed.iter().map(|name| name.to_str().unwrap()).collect();
    assert_eq!((listed.len(), distinct.len()), (names.len(), names.len()));
    assert!(distinct.iter().all(|name| names.contains(*name)));
    // Removes what it has listed while it lists on.
    fs::remove_dir_all(&dir).unwrap();
    assert!(libfuse3::listdir(mounted.path()).unwrap().is_empty());
    common::assert_quiet();
}

/// Has one file in the root, and nothing but what is needed to read it.
struct Least;

const TEXT: &str = "text";

impl Least {
    fn attributes(inode: Inode) -> EntryAttributes {
        let (mode, size) = match inode {
            ROOT_INODE => (libc::S_IFDIR | 0o755, 0),
            _ => (libc::S_IFREG | 0o444, TEXT.len() as u64),
        };
        EntryAttributes {
            size,
            ..common::attributes(inode, mode)
        }
    }
}

impl Operations for Least {
    async fn lookup(&self, _: Inode, _: &OsStr, _: &RequestContext) -> Result<EntryAttributes> {
        Ok(Self::attributes(Inode(2)))
    }

    async fn getattr(
        &self,
        inode: Inode,
        _: Option<FileRef>,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        Ok(Self::attributes(inode))
    }

    async fn read(&self, _: FileRef, _: u64, _: usize, _: &RequestContext) -> Result<Data> {
        Ok(TEXT.into())
    }
}

#[test]
fn a_file_system_without_open_release_and_statfs_is_usable() {
    common::require_fuse!();
    let mounted = common::mount(Least);
    for _ in 0..2 {
        assert_eq!(fs::read_to_string(mounted.join("file")).unwrap(), TEXT);
        File::open(mounted.path()).unwrap();
        let numbers = rustix::fs::statvfs(mounted.path()).unwrap();
        assert_eq!((numbers.f_bsize, numbers.f_namemax), (512, 255));
        assert_eq!((numbers.f_blocks, numbers.f_files), (0, 0));
    }
    common::assert_quiet();
}

/// Opens by number what the kernel has forgotten, as an NFS server does after it was started again.
fn open_forgotten(
    mounted: &Mounted<MemFs>,
    path: &str,
    names: &[(Inode, &str)],
) -> Option<OwnedFd> {
    let id = FileId::of(&mounted.join(path)).unwrap();
    for (parent, name) in names {
        forget(mounted, *parent, name);
    }
    let totals = &mounted.ops.totals;
    drop(totals.wait_for("all is forgotten", |totals| {
        totals.forgotten == totals.lookups
    }));
    mounted.ops.forget_calls();
    match id.open(File::open(mounted.path()).unwrap().as_fd()) {
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
            let test = common::test_name();
            common::say(format_args!("{test}: skipped: {error}"));
            None
        }
        result => Some(result.unwrap()),
    }
}

/// The names that were looked up, and in which inode.
fn lookups(mounted: &Mounted<MemFs>) -> Vec<(Inode, String)> {
    mounted.ops.called(|call| match call {
        Call::Lookup(parent, name) => Some((*parent, name.to_str()?.to_owned())),
        _ => None,
    })
}

#[test]
fn a_file_opened_by_number_is_looked_up_as_dot() {
    common::require_fuse!();
    let mounted = common::mount(MemFs::default());
    fs::write(mounted.join("file"), "text").unwrap();
    let opened = open_forgotten(&mounted, "file", &[(ROOT_INODE, "file")]);
    let Some(file) = opened else { return };
    assert_eq!(lookups(&mounted), [(Inode(2), ".".to_owned())]);
    assert_eq!(std::io::read_to_string(File::from(file)).unwrap(), "text");
    common::assert_quiet();
}

#[test]
fn a_directory_opened_by_number_is_connected_through_dot_dot() {
    common::require_fuse!();
    let mounted = common::mount(MemFs::default());
    fs::create_dir_all(mounted.join("a/b")).unwrap();
    fs::write(mounted.join("a/b/file"), "text").unwrap();
    let names = [(Inode(3), "file"), (Inode(2), "b"), (ROOT_INODE, "a")];
    let Some(dir) = open_forgotten(&mounted, "a/b", &names) else {
        return;
    };
    let (dot, dot_dot) = (".".to_owned(), "..".to_owned());
    let lookups = lookups(&mounted);
    assert_eq!(
        lookups[..2],
        [(Inode(3), dot), (Inode(3), dot_dot)],
        "{lookups:?}"
    );
    let path = Path::new("/proc/self/fd").join(std::os::fd::AsRawFd::as_raw_fd(&dir).to_string());
    assert_eq!(fs::read_link(&path).unwrap(), mounted.join("a/b"));
    assert_eq!(fs::read_to_string(path.join("file")).unwrap(), "text");
    common::assert_quiet();
}
