//! Operations on open directories.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::fs;
use std::fs::File;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::DirEntryExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use libfuse3::Capabilities;
use libfuse3::EntryAttributes;
use libfuse3::Errno;
use libfuse3::FileHandle;
use libfuse3::FileInfo;
use libfuse3::FileRef;
use libfuse3::Forget;
use libfuse3::Inode;
use libfuse3::OpenFlags;
use libfuse3::Operations;
use libfuse3::ReaddirToken;
use libfuse3::RequestContext;
use libfuse3::Result;
use rustix::fs::FileType;
use rustix::fs::RawDir;

use crate::common;
use crate::common::assert_logged;
use crate::common::assert_quiet;
use crate::common::errno;
use crate::common::require_fuse;
use crate::scripted::Call;
use crate::scripted::Scripted;
use crate::scripted::answer;
use crate::scripted::dir;
use crate::scripted::file;
use crate::scripted::invalidate_entry;
use crate::scripted::node;
use crate::scripted::this_caller;

/// A root with these entries, each of which is followed by its place in the list, plus one.
fn listing(entries: Vec<(OsString, EntryAttributes)>) -> Scripted {
    let mut fs = Scripted::new();
    for (name, attr) in &entries {
        if let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) {
            fs = fs.with(name, attr.clone());
        }
    }
    answer!(
        fs.readdir = move |start, reply| {
            let start = usize::try_from(start).unwrap();
            for (index, (name, attr)) in entries.iter().enumerate().skip(start) {
                if !reply.add(name, attr, index as u64 + 1) {
                    break;
                }
            }
            Ok(())
        }
    );
    fs
}

fn entries<'a>(
    list: impl IntoIterator<Item = (&'a str, EntryAttributes)>,
) -> Vec<(OsString, EntryAttributes)> {
    let list = list.into_iter();
    list.map(|(name, attr)| (name.into(), attr)).collect()
}

/// Names of 1 to 255 bytes, in an order that mixes them.
fn mixed_names(count: usize) -> Vec<OsString> {
    let name = |index: usize| {
        let mut name = index.to_string().into_bytes();
        let len = (index * 89) % 256;
        if name.len() < len {
            name.resize(len, b'a' + (index % 26) as u8);
        }
        OsString::from_vec(name)
    };
    (0..count).map(name).collect()
}

fn names_in(path: &Path) -> Vec<OsString> {
    libfuse3::listdir(path).unwrap()
}

/// An entry as getdents64(2) returns it.
#[derive(Clone, Debug, PartialEq)]
struct Raw {
    name: Vec<u8>,
    inode: u64,
    kind: FileType,
    next: u64,
}

/// What one getdents64(2) with room for `size` bytes returns.
fn getdents(dir: &File, size: usize) -> std::io::Result<Vec<Raw>> {
    let mut room = vec![MaybeUninit::uninit(); size];
    let mut dir = RawDir::new(dir, &mut room);
    let mut found = Vec::new();
    while let Some(entry) = dir.next() {
        let entry = entry?;
        found.push(Raw {
            name: entry.file_name().to_bytes().to_owned(),
            inode: entry.ino(),
            kind: entry.file_type(),
            next: entry.next_entry_cookie(),
        });
        if dir.is_buffer_empty() {
            break;
        }
    }
    Ok(found)
}

fn seek(dir: &File, to: u64) {
    rustix::fs::seek(dir, rustix::fs::SeekFrom::Start(to)).unwrap();
}

// ---- opendir, releasedir, fsyncdir -------------------------------------------------------------

#[test]
fn the_handle_comes_with_each_operation_on_the_directory() {
    require_fuse!();
    let handle = FileHandle(0xdead_beef_dead_beef);
    let mut fs = listing(entries([("a", file(2))])).with("dir", dir(3));
    answer!(fs.opendir = move || Ok(FileInfo::new(handle)));
    answer!(fs.releasedir = || Ok(()));
    answer!(fs.fsyncdir = || Ok(()));
    let mounted = common::mount(fs);
    let opened = File::open(mounted.join("dir")).unwrap();
    let (call, caller) = mounted.ops.next_call();
    let Call::Opendir(Inode(3), flags) = call else {
        panic!("{call:?}")
    };
    assert!(flags.is_readable() && !flags.contains(OpenFlags::TRUNC));
    assert_eq!(caller.pid, this_caller(0).pid);
    let same = |given: FileRef| (given.inode, given.fh) == (Inode(3), handle);

    assert_eq!(getdents(&opened, 4096).unwrap().len(), 1);
    let (call, caller) = mounted.ops.next_call();
    let Call::Readdir(given, 0) = call else {
        panic!("{call:?}")
    };
    assert!(same(given));
    assert_eq!(caller.pid, this_caller(0).pid);
    assert!(getdents(&opened, 4096).unwrap().is_empty());
    let (call, _) = mounted.ops.next_call();
    assert!(matches!(call, Call::Readdir(given, 1) if same(given)));

    for datasync in [false, true] {
        if datasync {
            opened.sync_data().unwrap();
        } else {
            opened.sync_all().unwrap();
        }
        let (call, _) = mounted.ops.next_call();
        assert!(
            matches!(call, Call::Fsyncdir(given, as_asked) if same(given) && as_asked == datasync)
        );
    }
    drop(opened);
    let (call, _) = mounted.ops.next_call();
    assert!(matches!(call, Call::Releasedir(given) if same(given)));
    assert_quiet();
}

#[test]
fn operations_on_directories_return_the_errors_of_the_handlers() {
    require_fuse!();
    let mut fs = listing(Vec::new())
        .with("closed", dir(2))
        .with("open", dir(3));
    answer!(fs.readdir = |_, _| Err(Errno::EBADMSG));
    answer!(fs.fsyncdir = || Err(Errno::EDQUOT));
    answer!(fs.releasedir = || Err(Errno::EIO));
    let mounted = common::mount(fs);
    let opened = File::open(mounted.join("open")).unwrap();
    assert_eq!(errno(getdents(&opened, 4096)), libc::EBADMSG);
    assert_eq!(errno(opened.sync_all()), libc::EDQUOT);
    drop(opened);

    let mut fs = Scripted::new();
    answer!(fs.opendir = || Err(Errno::EMFILE));
    let mounted = common::mount(fs);
    assert_eq!(errno(fs::read_dir(mounted.path())), libc::EMFILE);
    // Nothing was opened, nothing is closed.
    let fs = Arc::clone(&mounted.ops);
    mounted.unmount();
    assert_eq!(fs.count(|call| matches!(call, Call::Releasedir(_))), 0);
    assert_quiet();
}

#[test]
fn only_readdir_is_needed_to_list() {
    require_fuse!();
    let list = entries([("a", file(2)), ("b", dir(3))]);
    let mounted = common::mount(listing(list));
    assert_eq!(names_in(mounted.path()), ["a", "b"]);
    let opened = File::open(mounted.path()).unwrap();
    opened.sync_all().unwrap();
    assert_quiet();
}

#[test]
fn readdir_that_is_not_implemented_is_enosys() {
    require_fuse!();
    let mounted = common::mount(Scripted::new());
    let listed = fs::read_dir(mounted.path())
        .unwrap()
        .next()
        .expect("an error");
    assert_eq!(errno(listed.map(|_| ())), libc::ENOSYS);
    assert_quiet();
}

// ---- what is listed ----------------------------------------------------------------------------

#[test]
fn readdir_shows_names_inodes_types_and_what_follows() {
    require_fuse!();
    for plus in [true, false] {
        let kinds = [
            (".", libc::S_IFDIR, FileType::Directory),
            ("..", libc::S_IFDIR, FileType::Directory),
            ("file", libc::S_IFREG, FileType::RegularFile),
            ("dir", libc::S_IFDIR, FileType::Directory),
            ("link", libc::S_IFLNK, FileType::Symlink),
            ("char", libc::S_IFCHR, FileType::CharacterDevice),
            ("block", libc::S_IFBLK, FileType::BlockDevice),
            ("fifo", libc::S_IFIFO, FileType::Fifo),
            ("socket", libc::S_IFSOCK, FileType::Socket),
        ];
        let list = kinds.iter().zip(10..);
        let list = list.map(|((name, kind, _), inode)| (*name, node(inode, *kind | 0o600)));
        let mut fs = listing(entries(list));
        answer!(
            fs.init = move |conn| {
                if !plus {
                    conn.unwant(Capabilities::READDIRPLUS);
                }
                Ok(())
            }
        );
        let mounted = common::mount(fs);
        let found = getdents(&File::open(mounted.path()).unwrap(), 4096).unwrap();
        let expected: Vec<_> = kinds
            .iter()
            .zip(1..)
            .map(|((name, _, kind), next)| Raw {
                name: name.as_bytes().to_owned(),
                inode: next + 9,
                kind: *kind,
                next,
            })
            .collect();
        assert_eq!(found, expected, "plus: {plus}");
        assert_quiet();
    }
}

#[test]
fn an_empty_directory_is_empty() {
    require_fuse!();
    let mounted = common::mount(listing(Vec::new()));
    assert!(names_in(mounted.path()).is_empty());
    mounted
        .ops
        .calls
        .find(|(call, _)| matches!(call, Call::Readdir(_, 0)));
    assert_quiet();
}

#[test]
fn names_of_all_lengths_are_listed_over_several_buffers() {
    require_fuse!();
    for plus in [true, false] {
        let names = mixed_names(2000);
        let list = names.iter().zip(10..);
        let list = list.map(|(name, inode)| (name.clone(), file(inode)));
        let mut fs = listing(list.collect());
        answer!(
            fs.init = move |conn| {
                if !plus {
                    conn.unwant(Capabilities::READDIRPLUS);
                }
                Ok(())
            }
        );
        let mounted = common::mount(fs);
        assert!(names_in(mounted.path()) == names, "plus: {plus}");
        let readdirs = mounted.ops.count(|call| matches!(call, Call::Readdir(..)));
        assert!(readdirs > 2, "{readdirs}");
        assert_quiet();
    }
}

#[test]
fn ten_thousand_entries_are_listed() {
    require_fuse!();
    const COUNT: u64 = 10_000;
    let mut fs = Scripted::new();
    answer!(
        fs.readdir = |start, reply| {
            for number in start..COUNT {
                let name = format!("entry {number}");
                if !reply.add(name.as_ref(), &file(number + 10), number + 1) {
                    break;
                }
            }
            Ok(())
        }
    );
    let mounted = common::mount(fs);
    let mut numbers = BTreeSet::new();
    for entry in fs::read_dir(mounted.path()).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let number: u64 = name["entry ".len()..].parse().unwrap();
        assert_eq!(entry.ino(), number + 10);
        assert!(numbers.insert(number), "{number} twice");
    }
    assert_eq!(numbers.len() as u64, COUNT);
    assert_quiet();
}

#[test]
fn names_that_are_not_utf_8_are_listed() {
    require_fuse!();
    let names = [
        b"\xff\xfe".to_vec(),
        b"new\nline".to_vec(),
        vec![0x80; 255],
        b" ".to_vec(),
        b"...".to_vec(),
    ];
    let names = names.map(OsString::from_vec);
    let list = names.iter().zip(10..);
    let list = list.map(|(name, inode)| (name.clone(), file(inode)));
    let mounted = common::mount(listing(list.collect()));
    assert_eq!(names_in(mounted.path()), names);
    assert_quiet();
}

#[test]
fn a_full_buffer_takes_nothing_more_however_short() {
    require_fuse!();
    let accepted = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&accepted);
    let mut fs = Scripted::new();
    answer!(
        fs.readdir = move |start, reply| {
            let mut all = Vec::new();
            // Long and short ones by turns; none is left out after the first that does not fit.
            for number in start..200 {
                let len = if number % 2 == 0 { 250 } else { 3 };
                let name = format!("{number:0len$}");
                all.push(reply.add(name.as_ref(), &file(number + 10), number + 1));
            }
            noted.lock().unwrap().push(all);
            Ok(())
        }
    );
    let mounted = common::mount(fs);
    let names = names_in(mounted.path());
    let numbers = names
        .iter()
        .map(|name| name.to_str().unwrap().parse::<u64>().unwrap());
    assert!(numbers.eq(0..200), "{names:?}");
    let accepted = accepted.lock().unwrap();
    assert!(accepted.len() > 2, "one buffer is enough");
    for all in &*accepted {
        assert!(all.is_sorted_by(|a, b| a >= b), "{all:?}");
    }
    assert_quiet();
}

#[test]
fn a_listing_can_be_rewound_and_gone_on_with_anywhere() {
    require_fuse!();
    let list = (0..500).map(|number| (format!("entry-{number}").into(), file(number + 10)));
    let mounted = common::mount(listing(list.collect()));
    let opened = File::open(mounted.path()).unwrap();
    let mut all = Vec::new();
    loop {
        let some = getdents(&opened, 2000).unwrap();
        if some.is_empty() {
            break;
        }
        all.extend(some);
    }
    assert_eq!(all.len(), 500);
    for index in [250, 3, 498] {
        seek(&opened, all[index].next);
        let found = getdents(&opened, 100).unwrap();
        assert_eq!(found[0], all[index + 1]);
    }
    seek(&opened, 0);
    assert_eq!(getdents(&opened, 2000).unwrap()[0], all[0]);
    assert_quiet();
}

#[test]
fn start_ids_of_64_bits_come_back_as_they_were() {
    require_fuse!();
    let ids = [0, 1 << 40, i64::MAX as u64 - 1, 5];
    let mut fs = Scripted::new();
    answer!(
        fs.readdir = move |start, reply| {
            let index = ids.iter().position(|id| *id == start).unwrap();
            // One entry at a time.
            if let Some(next) = ids.get(index + 1) {
                assert!(reply.add(
                    format!("to {next}").as_ref(),
                    &file(index as u64 + 10),
                    *next
                ));
            }
            Ok(())
        }
    );
    let mounted = common::mount(fs);
    let expected = ids[1..].iter().map(|id| OsString::from(format!("to {id}")));
    assert_eq!(names_in(mounted.path()), expected.collect::<Vec<_>>());
    assert_quiet();
}

/// A directory that entries go from while it is listed.
struct Shrinking {
    names: Mutex<BTreeMap<u64, OsString>>,
}

impl Operations for Shrinking {
    async fn getattr(
        &self,
        inode: Inode,
        _file: Option<FileRef>,
        _ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        match inode {
            Inode::ROOT => Ok(dir(1)),
            inode => Ok(file(inode.raw())),
        }
    }

    async fn lookup(
        &self,
        _parent: Inode,
        name: &OsStr,
        _ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        let names = self.names.lock().unwrap();
        let found = names.iter().find(|(_, found)| *found == name);
        found.map_or(Err(Errno::ENOENT), |(id, _)| Ok(file(id + 10)))
    }

    async fn readdir(
        &self,
        _dir: FileRef,
        start_id: u64,
        reply: &mut ReaddirToken,
        _ctx: &RequestContext,
    ) -> Result<()> {
        for (id, name) in self.names.lock().unwrap().range(start_id + 1..) {
            if !reply.add(name, &file(id + 10), *id) {
                break;
            }
        }
        Ok(())
    }

    async fn unlink(&self, _parent: Inode, name: &OsStr, _ctx: &RequestContext) -> Result<()> {
        let mut names = self.names.lock().unwrap();
        let before = names.len();
        names.retain(|_, found| found != name);
        if names.len() < before {
            Ok(())
        } else {
            Err(Errno::ENOENT)
        }
    }
}

#[test]
fn all_entries_can_be_removed_while_they_are_listed() {
    require_fuse!();
    let names: BTreeMap<_, _> = (1..).zip(mixed_names(1000)).collect();
    let mounted = common::mount(Shrinking {
        names: Mutex::new(names),
    });
    for entry in fs::read_dir(mounted.path()).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    assert!(mounted.ops.names.lock().unwrap().is_empty());
    assert!(names_in(mounted.path()).is_empty());
    assert_quiet();
}

// ---- attributes and lookup counts --------------------------------------------------------------

#[test]
fn listed_attributes_save_lookups() {
    require_fuse!();
    let long = Duration::from_secs(100);
    let attr = EntryAttributes {
        size: 123,
        ..file(2).with_timeouts(long)
    };
    let mounted = common::mount(listing(entries([("file", attr), ("other", file(3))])));
    for entry in fs::read_dir(mounted.path()).unwrap() {
        let entry = entry.unwrap();
        let expected = if entry.ino() == 2 { 123 } else { 0 };
        assert_eq!(entry.metadata().unwrap().len(), expected);
    }
    let calls = mounted.ops.calls_so_far();
    let asked: Vec<_> = calls
        .iter()
        .filter(|call| {
            matches!(call, Call::Lookup(_, name) if name == "file")
                || matches!(call, Call::Getattr(Inode(2), _))
        })
        .collect();
    assert!(asked.is_empty(), "{calls:?}");
    assert_quiet();
}

#[test]
fn wants_attributes_tells_what_the_kernel_takes() {
    require_fuse!();
    for plus in [true, false] {
        let told = Arc::new(Mutex::new(None));
        let tell = Arc::clone(&told);
        let mut fs = Scripted::new();
        answer!(
            fs.init = move |conn| {
                if !plus {
                    conn.unwant(Capabilities::READDIRPLUS);
                }
                Ok(())
            }
        );
        answer!(
            fs.readdir = move |_, reply| {
                *tell.lock().unwrap() = Some(reply.wants_attributes());
                Ok(())
            }
        );
        let mounted = common::mount(fs);
        assert!(names_in(mounted.path()).is_empty());
        assert_eq!(*told.lock().unwrap(), Some(plus));
    }
}

/// Counts what the kernel forgets until all of these inodes have been.
fn forgotten(fs: &Scripted, inodes: &[u64]) -> HashMap<u64, u64> {
    let mut counts = HashMap::new();
    while !inodes.iter().all(|inode| counts.contains_key(inode)) {
        if let (Call::Forget(list), _) = fs.calls.next() {
            for Forget { inode, nlookup } in list {
                *counts.entry(inode.raw()).or_default() += nlookup;
            }
        }
    }
    counts
}

#[test]
fn a_listed_entry_counts_as_looked_up_except_dots() {
    require_fuse!();
    let long = Duration::from_secs(100);
    let lasting = |inode| file(inode).with_timeouts(long);
    let list = [
        (".", dir(1)),
        ("..", dir(1)),
        ("a", lasting(10)),
        ("b", lasting(11)),
        ("c", lasting(12)),
    ];
    let mounted = common::mount(listing(entries(list)));
    let listings = 3;
    for _ in 0..listings {
        assert_eq!(names_in(mounted.path()).len(), 3);
    }
    for name in ["a", "b", "c"] {
        invalidate_entry(&mounted, Inode::ROOT, name);
    }
    let counts = forgotten(&mounted.ops, &[10, 11, 12]);
    let expected = HashMap::from([(10, listings), (11, listings), (12, listings)]);
    assert_eq!(counts, expected);
    assert_quiet();
}

#[test]
fn counts_of_names_alone_are_taken_back() {
    require_fuse!();
    let list = [
        (".", dir(1)),
        ("..", dir(1)),
        ("a", file(10)),
        ("b", file(11)),
    ];
    let mut fs = listing(entries(list));
    answer!(
        fs.init = |conn| {
            conn.unwant(Capabilities::READDIRPLUS);
            Ok(())
        }
    );
    let mounted = common::mount(fs);
    assert_eq!(names_in(mounted.path()).len(), 2);
    let counts = forgotten(&mounted.ops, &[10, 11]);
    assert_eq!(counts, HashMap::from([(10, 1), (11, 1)]));
    assert_quiet();
}

#[test]
fn an_entry_without_inode_is_looked_up_when_needed() {
    require_fuse!();
    let nameless = EntryAttributes {
        stat_ino: Some(77),
        ..node(0, libc::S_IFREG)
    };
    let mut fs = listing(entries([("name", nameless)]));
    answer!(fs.lookup = |_, _| Ok(file(5)));
    let mounted = common::mount(fs);
    let found = getdents(&File::open(mounted.path()).unwrap(), 4096).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].inode, found[0].kind), (77, FileType::RegularFile));
    let lookups = mounted.ops.count(|call| matches!(call, Call::Lookup(..)));
    assert_eq!(lookups, 0);
    fs::metadata(mounted.join("name")).unwrap();
    let lookups = mounted.ops.count(|call| matches!(call, Call::Lookup(..)));
    assert_eq!(lookups, 1);
    assert_quiet();
}

#[test]
fn a_listing_is_kept_if_asked_for() {
    require_fuse!();
    for (cache_readdir, asked) in [(true, false), (false, true)] {
        let mut fs = listing(entries([("a", file(2)), ("b", file(3))]));
        answer!(
            fs.opendir = move || Ok(FileInfo {
                cache_readdir,
                ..FileInfo::default()
            })
        );
        let mounted = common::mount(fs);
        assert_eq!(names_in(mounted.path()), ["a", "b"]);
        mounted.ops.calls.drain();
        assert_eq!(names_in(mounted.path()), ["a", "b"]);
        let readdirs = mounted.ops.count(|call| matches!(call, Call::Readdir(..)));
        assert_eq!(readdirs > 0, asked, "{readdirs}");
    }
}

// ---- mistakes ----------------------------------------------------------------------------------

#[test]
fn an_entry_that_cannot_be_is_refused() {
    require_fuse!();
    for (name, next_id, words) in [
        (&b"a/b"[..], 1, "entry \"a/b\": slash in the name"),
        (b"/", 1, "entry \"/\": slash in the name"),
        (b"a\0\xff\n", 1, r#"entry "a\x00\xff\n": NUL in the name"#),
        (b"", 1, "entry \"\": empty name"),
        (&[b'n'; 1025], 1, "nnn...\": name longer than 1024 bytes"),
        (b"name", 0, "entry \"name\": next_id is 0"),
    ] {
        let mut fs = Scripted::new();
        answer!(
            fs.readdir = move |_, reply| {
                let good = reply.add("good".as_ref(), &file(2), 7);
                let bad = reply.add(OsStr::from_bytes(name), &file(3), next_id);
                let after = reply.add("after".as_ref(), &file(4), 8);
                assert_eq!((good, bad, after), (true, false, false));
                Ok(())
            }
        );
        let mounted = common::mount(fs);
        let opened = File::open(mounted.path()).unwrap();
        assert_eq!(errno(getdents(&opened, 4096)), libc::EIO, "{words}");
        assert_logged(&["of inode 1", words]);
        // What the handler has counted for nothing is taken back.
        let counts = forgotten(&mounted.ops, &[2]);
        assert_eq!(counts, HashMap::from([(2, 1)]));
    }
}

#[test]
fn names_up_to_1024_bytes_are_listed() {
    require_fuse!();
    let name = OsString::from_vec(vec![b'n'; 1024]);
    let list = vec![(name.clone(), file(2)), ("short".into(), file(3))];
    let mounted = common::mount(listing(list));
    assert_eq!(names_in(mounted.path()), [name, "short".into()]);
    assert_quiet();
}

#[test]
fn an_error_after_some_entries_returns_the_error_and_takes_back_counts() {
    require_fuse!();
    let mut fs = Scripted::new();
    answer!(
        fs.readdir = |_, reply| {
            assert!(reply.add("a".as_ref(), &file(2), 1));
            assert!(reply.add("b".as_ref(), &file(3), 2));
            Err(Errno::EIO)
        }
    );
    let mounted = common::mount(fs);
    let opened = File::open(mounted.path()).unwrap();
    assert_eq!(errno(getdents(&opened, 4096)), libc::EIO);
    let counts = forgotten(&mounted.ops, &[2, 3]);
    assert_eq!(counts, HashMap::from([(2, 1), (3, 1)]));
}

#[test]
fn a_buffer_without_a_request_takes_entries_too() {
    let mut reply = ReaddirToken::detached(4096);
    let mut added = 0;
    while reply.add(format!("{added}").as_ref(), &file(2), added + 1) {
        added += 1;
    }
    assert!((10..40).contains(&added), "{added}");
    assert!(!reply.add("x".as_ref(), &file(2), 1));
}
