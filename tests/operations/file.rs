//! Operations on open files.

use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::io::Write;
use std::os::fd::IntoRawFd;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use libfuse3::Capabilities;
use libfuse3::Data;
use libfuse3::EntryAttributes;
use libfuse3::Errno;
use libfuse3::FileHandle;
use libfuse3::FileInfo;
use libfuse3::FileRef;
use libfuse3::Inode;
use libfuse3::LockOwner;
use libfuse3::MountOptions;
use libfuse3::OpenFlags;
use libfuse3::ReleaseFlags;
use libfuse3::SetattrFields;
use libfuse3::WriteBuf;

use crate::common;
use crate::common::assert_logged;
use crate::common::assert_quiet;
use crate::common::errno;
use crate::common::require_fuse;
use crate::newer::require_libfuse;
use crate::scripted::Cached;
use crate::scripted::Call;
use crate::scripted::HANDLE;
use crate::scripted::Scripted;
use crate::scripted::answer;
use crate::scripted::file;
use crate::scripted::node;
use crate::scripted::this_caller;

/// What the kernel adds on 64 bit machines; libc has it as 0 there.
const O_LARGEFILE: i32 = 0o100_000;

/// The flags without what the kernel adds.
fn plain(flags: OpenFlags) -> OpenFlags {
    flags - OpenFlags::from_bits_retain(O_LARGEFILE)
}

/// A file system with `file`, inode 2, all of whose reads and writes reach the handler.
fn direct(size: u64) -> Scripted {
    let mut fs = Scripted::with_file(size);
    answer!(
        fs.open = || Ok(FileInfo {
            direct_io: true,
            ..FileInfo::new(HANDLE)
        })
    );
    fs
}

/// The answer to `read` from a file with these contents.
fn part(contents: &[u8], offset: u64, size: usize) -> Data {
    let start = contents.len().min(usize::try_from(offset).unwrap());
    let end = contents.len().min(start + size);
    contents[start..end].to_vec().into()
}

/// Bytes that differ from place to place, and from seed to seed.
fn pattern(seed: usize, len: usize) -> Vec<u8> {
    let bytes = (0..len).map(|index| (seed.wrapping_mul(131) + index * 7 + index / 251) as u8);
    bytes.collect()
}

// ---- open --------------------------------------------------------------------------------------

#[test]
fn open_is_given_the_flags() {
    require_fuse!();
    let mounted = common::mount(Scripted::with_file(0));
    let path = mounted.join("file");
    for (flags, given) in [
        (libc::O_RDONLY, OpenFlags::empty()),
        (libc::O_WRONLY, OpenFlags::WRONLY),
        (libc::O_RDWR, OpenFlags::RDWR),
        (
            libc::O_WRONLY | libc::O_APPEND,
            OpenFlags::WRONLY | OpenFlags::APPEND,
        ),
        (
            libc::O_RDWR | libc::O_SYNC | libc::O_NOATIME | libc::O_NOFOLLOW,
            OpenFlags::RDWR | OpenFlags::SYNC | OpenFlags::NOATIME | OpenFlags::NOFOLLOW,
        ),
        (libc::O_RDONLY | libc::O_NONBLOCK, OpenFlags::NONBLOCK),
        // These never come.
        (
            libc::O_RDWR | libc::O_CREAT | libc::O_NOCTTY,
            OpenFlags::RDWR,
        ),
    ] {
        let oflags = rustix::fs::OFlags::from_bits_retain(flags.cast_unsigned());
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        drop(rustix::fs::open(&path, oflags, mode).unwrap());
        let (call, caller) = mounted.ops.next_call();
        let Call::Open(Inode(2), flags) = call else {
            panic!("{call:?}")
        };
        assert_eq!(plain(flags), given);
        assert_eq!(flags.is_readable(), !given.contains(OpenFlags::WRONLY));
        assert_eq!(
            flags.is_writable(),
            given.intersects(OpenFlags::WRONLY | OpenFlags::RDWR)
        );
        assert_eq!(caller.pid, this_caller(0).pid);
        mounted
            .ops
            .calls
            .find(|(call, _)| matches!(call, Call::Release(..)));
    }
    assert_quiet();
}

#[test]
fn open_returns_the_error_of_the_handler() {
    require_fuse!();
    let mut fs = Scripted::with_file(0);
    answer!(fs.open = || Err(Errno::EMFILE));
    let mounted = common::mount(fs);
    assert_eq!(errno(File::open(mounted.join("file"))), libc::EMFILE);
    // Nothing was opened, nothing is closed.
    let closed = mounted
        .ops
        .count(|call| matches!(call, Call::Flush(..) | Call::Release(..)));
    assert_eq!(closed, 0);
    assert_quiet();
}

#[test]
fn the_handle_and_flags_come_with_each_operation_on_the_file() {
    require_fuse!();
    let mut fs = direct(10);
    answer!(fs.read = |_, _| Ok(Data::from("0123456789")));
    answer!(fs.write = |_, data| Ok(data.len()));
    answer!(fs.fsync = || Ok(()));
    answer!(fs.release = || Ok(()));
    let mounted = common::mount(fs);
    let opened = File::options()
        .read(true)
        .write(true)
        .open(mounted.join("file"))
        .unwrap();
    opened.read_at(&mut [0; 10], 0).unwrap();
    opened.write_at(b"x", 3).unwrap();
    opened.sync_all().unwrap();
    drop(opened);
    let fs = &mounted.ops;
    let opened = |given: FileRef| (given.inode, given.fh) == (Inode(2), HANDLE);
    let (call, _) = fs.next_call();
    assert!(matches!(call, Call::Open(Inode(2), _)), "{call:?}");
    let (call, _) = fs.next_call();
    let Call::Read(given, 0, 10) = call else {
        panic!("{call:?}")
    };
    assert!(opened(given) && plain(given.flags) == OpenFlags::RDWR);
    let (call, _) = fs.next_call();
    let Call::Write(given, 3, data, Cached::No) = call else {
        panic!("{call:?}")
    };
    assert!(opened(given) && plain(given.flags) == OpenFlags::RDWR);
    assert_eq!(data, b"x");
    let (call, _) = fs.next_call();
    let Call::Fsync(given, false) = call else {
        panic!("{call:?}")
    };
    assert!(opened(given));
    let (call, _) = fs.next_call();
    let Call::Flush(given) = call else {
        panic!("{call:?}")
    };
    assert!(opened(given) && given.lock_owner != LockOwner(0));
    let (call, _) = fs.next_call();
    let Call::Release(given, flags) = call else {
        panic!("{call:?}")
    };
    assert!(opened(given) && plain(given.flags) == OpenFlags::RDWR);
    assert_eq!(flags, ReleaseFlags::empty());
    assert_quiet();
}

#[test]
fn o_trunc_comes_as_setattr() {
    require_fuse!();
    let mut fs = Scripted::with_file(10);
    answer!(fs.setattr = |_, _| Ok(file(2)));
    let mounted = common::mount(fs);
    drop(File::create(mounted.join("file")).unwrap());
    let mut calls = mounted.ops.calls_so_far();
    calls.retain(|call| matches!(call, Call::Open(..) | Call::Setattr(..)));
    let [
        Call::Open(_, flags),
        Call::Setattr(Inode(2), SetattrFields { size: Some(0), .. }, None),
    ] = calls[..]
    else {
        panic!("{calls:?}")
    };
    assert_eq!(plain(flags), OpenFlags::WRONLY);
}

#[test]
fn o_trunc_comes_with_open_if_asked_for() {
    require_fuse!();
    let mut fs = Scripted::with_file(10);
    answer!(fs.init = |conn| conn.want(Capabilities::ATOMIC_O_TRUNC));
    let mounted = common::mount(fs);
    drop(File::create(mounted.join("file")).unwrap());
    let mut calls = mounted.ops.calls_so_far();
    calls.retain(|call| matches!(call, Call::Open(..) | Call::Setattr(..)));
    let [Call::Open(_, flags)] = calls[..] else {
        panic!("{calls:?}")
    };
    assert_eq!(plain(flags), OpenFlags::WRONLY | OpenFlags::TRUNC);
}

// ---- create ------------------------------------------------------------------------------------

#[test]
fn create_is_given_mode_and_flags_and_opens() {
    require_fuse!();
    let mut fs = Scripted::new();
    answer!(
        fs.create = |mode| Ok((
            FileInfo {
                direct_io: true,
                ..FileInfo::new(FileHandle(77))
            },
            node(9, mode).with_timeouts(Duration::from_secs(100))
        ))
    );
    answer!(fs.write = |_, data| Ok(data.len()));
    answer!(fs.unlink = || Ok(()));
    let mounted = common::mount(fs);
    let path = mounted.join("new");
    let mut created = File::options()
        .write(true)
        .create_new(true)
        .mode(0o7640)
        .open(&path)
        .unwrap();
    let (call, caller) = mounted.ops.next_call();
    let Call::Create(Inode::ROOT, name, mode, flags) = call else {
        panic!("{call:?}")
    };
    assert_eq!(name, "new");
    assert_eq!(mode, libc::S_IFREG | 0o7640 & !caller.umask);
    assert_eq!(
        plain(flags),
        OpenFlags::WRONLY | OpenFlags::CREAT | OpenFlags::EXCL
    );
    assert_eq!(caller, this_caller(caller.umask));
    created.write_all(b"abc").unwrap();
    let (call, _) = mounted.ops.next_call();
    let Call::Write(given, 0, data, _) = call else {
        panic!("{call:?}")
    };
    assert_eq!((given.inode, given.fh), (Inode(9), FileHandle(77)));
    assert_eq!(data, b"abc");
    // It counts as looked up once.
    fs::remove_file(&path).unwrap();
    drop(created);
    mounted.ops.calls.find(|(call, _)| {
        matches!(call, Call::Forget(list) if list[..] == [libfuse3::Forget { inode: Inode(9), nlookup: 1 }])
    });
    assert_quiet();
}

#[test]
fn create_that_is_not_implemented_becomes_mknod_and_open() {
    require_fuse!();
    let mut fs = Scripted::new();
    answer!(fs.mknod = |mode, _| Ok(node(9, mode)));
    let mounted = common::mount(fs);
    for _ in 0..2 {
        drop(File::create_new(mounted.join("new")).unwrap());
    }
    let mut calls = mounted.ops.calls_so_far();
    calls.retain(|call| {
        matches!(
            call,
            Call::Create(..) | Call::Mknod(..) | Call::Open(Inode(9), _)
        )
    });
    // Once is enough: the kernel remembers.
    let [
        Call::Create(..),
        Call::Mknod(..),
        Call::Open(..),
        Call::Mknod(..),
        ..,
    ] = &calls[..]
    else {
        panic!("{calls:?}")
    };
}

// ---- read --------------------------------------------------------------------------------------

#[test]
fn read_is_given_offset_and_size() {
    require_fuse!();
    let mut fs = direct(u64::MAX);
    answer!(fs.read = |offset, size| Ok(pattern(offset as usize, size).into()));
    let mounted = common::mount(fs);
    let opened = File::open(mounted.join("file")).unwrap();
    for (offset, size) in [
        (0, 1),
        (5, 4096),
        (4095, 4097),
        (5_000_000_000, 100_000),
        (1 << 62, 10),
    ] {
        let mut bytes = vec![0; size];
        assert_eq!(opened.read_at(&mut bytes, offset).unwrap(), size);
        assert_eq!(bytes, pattern(offset as usize, size));
        let calls = mounted.ops.calls_so_far();
        let read = calls
            .iter()
            .any(|call| matches!(call, Call::Read(_, o, s) if (*o, *s) == (offset, size)));
        assert!(read, "{offset} {size}: {calls:?}");
    }
    assert_quiet();
}

#[test]
fn read_answers_from_all_kinds_of_memory() {
    require_fuse!();
    let mut fs = direct(100);
    answer!(
        fs.read = |offset, _| Ok(match offset {
            0 => vec![b'v'; 10].into(),
            10 => Bytes::from_static(b"0123456789abcdef").slice(3..13).into(),
            20 => Arc::<[u8]>::from([b'a'; 10]).into(),
            30 => b"statically".as_slice().into(),
            40 => "some words".into(),
            50 => WriteBuf::from(vec![b'w'; 10]).into(),
            _ => Data::empty(),
        })
    );
    let mounted = common::mount(fs);
    let opened = File::open(mounted.join("file")).unwrap();
    for (offset, expected) in [
        (0, b"vvvvvvvvvv"),
        (10, b"3456789abc"),
        (20, b"aaaaaaaaaa"),
        (30, b"statically"),
        (40, b"some words"),
        (50, b"wwwwwwwwww"),
    ] {
        let mut bytes = [0; 10];
        opened.read_exact_at(&mut bytes, offset).unwrap();
        assert_eq!(&bytes, expected);
    }
    assert_eq!(opened.read_at(&mut [0; 10], 60).unwrap(), 0);
    assert_quiet();
}

#[test]
fn read_with_direct_io_may_return_less() {
    require_fuse!();
    let mut fs = direct(0);
    answer!(fs.read = |offset, size| Ok(part(b"of unknown size", offset, size)));
    let mounted = common::mount(fs);
    let opened = File::open(mounted.join("file")).unwrap();
    let mut bytes = [b'.'; 20];
    assert_eq!(opened.read_at(&mut bytes, 3).unwrap(), 12);
    assert_eq!(&bytes, b"unknown size........");
    assert_eq!(fs::read(mounted.join("file")).unwrap(), b"of unknown size");
    assert_quiet();
}

#[test]
fn read_through_the_page_cache_gets_pages() {
    require_fuse!();
    let contents = Arc::new(pattern(1, 300_000));
    let mut fs = Scripted::with_file(300_000);
    let source = Arc::clone(&contents);
    answer!(fs.read = move |offset, size| Ok(part(&source, offset, size)));
    let mounted = common::mount(fs);
    assert_eq!(fs::read(mounted.join("file")).unwrap(), *contents);
    for call in mounted.ops.calls_so_far() {
        if let Call::Read(_, offset, size) = call {
            assert_eq!((offset % 4096, size % 4096), (0, 0));
        }
    }
    assert_quiet();
}

#[test]
fn read_of_less_than_there_should_be_leaves_no_garbage() {
    require_fuse!();
    let mut fs = Scripted::with_file(10_000);
    answer!(fs.read = |offset, size| Ok(part(&[b'x'; 5000], offset, size)));
    let mounted = common::mount(fs);
    let bytes = fs::read(mounted.join("file")).unwrap();
    assert_eq!(bytes[..5000], [b'x'; 5000]);
    // The file ends there, or there are zeros: that depends on when the kernel asks for the size.
    assert!(bytes[5000..].iter().all(|byte| *byte == 0));
}

#[test]
fn read_of_more_than_asked_for_is_refused() {
    require_fuse!();
    for direct_io in [true, false] {
        let mut fs = Scripted::with_file(100);
        answer!(
            fs.open = move || Ok(FileInfo {
                direct_io,
                ..FileInfo::new(HANDLE)
            })
        );
        answer!(fs.read = |_, size| Ok(vec![0; size + 1].into()));
        let mounted = common::mount(fs);
        let mut opened = File::open(mounted.join("file")).unwrap();
        assert_eq!(errno(opened.read(&mut [0; 10])), libc::EIO);
        assert_logged(&["read of inode 2", "asked for"]);
        // The next one may do better.
        assert_eq!(errno(opened.read(&mut [0; 10])), libc::EIO);
    }
}

#[test]
fn read_returns_the_error_of_the_handler() {
    require_fuse!();
    let mut fs = direct(100);
    answer!(fs.read = |_, _| Err(Errno::EHOSTDOWN));
    let mounted = common::mount(fs);
    assert_eq!(errno(fs::read(mounted.join("file"))), libc::EHOSTDOWN);
    assert_quiet();
}

#[test]
fn read_is_no_larger_than_max_read() {
    require_fuse!();
    let contents = Arc::new(pattern(2, 100_000));
    let mut fs = direct(100_000);
    let source = Arc::clone(&contents);
    answer!(fs.read = move |offset, size| Ok(part(&source, offset, size)));
    let mounted = common::mount_with(fs, |builder| {
        builder.options(MountOptions::default().max_read(8192))
    });
    let opened = File::open(mounted.join("file")).unwrap();
    let mut bytes = vec![0; 100_000];
    opened.read_exact_at(&mut bytes, 0).unwrap();
    assert_eq!(bytes, *contents);
    let calls = mounted.ops.calls_so_far();
    let sizes = calls.iter().filter_map(|call| match call {
        Call::Read(_, _, size) => Some(*size),
        _ => None,
    });
    assert!(sizes.clone().all(|size| size <= 8192) && sizes.count() >= 13);
    assert_quiet();
}

/// A temporary file with these contents, open for reading.
fn temporary(contents: &[u8]) -> Arc<OwnedFd> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(contents).unwrap();
    Arc::new(file.into())
}

#[test]
fn read_answers_from_a_range_of_a_file() {
    require_fuse!();
    let contents = pattern(3, 200_000);
    for (direct_io, spliced, at_hand) in [
        (true, false, false),
        (false, false, false),
        (true, true, false),
        (true, false, true),
        (false, true, true),
        (true, true, true),
    ] {
        let source = temporary(&contents);
        let mut fs = Scripted::with_file(100_000);
        answer!(
            fs.init = move |conn| {
                if spliced {
                    conn.want_if_capable(Capabilities::SPLICE_WRITE | Capabilities::SPLICE_MOVE);
                }
                Ok(())
            }
        );
        answer!(
            fs.open = move || Ok(FileInfo {
                direct_io,
                ..FileInfo::new(HANDLE)
            })
        );
        // The file begins behind 50,000 bytes of something else.
        answer!(
            fs.read = move |offset, size| {
                let left = 100_000_u64.saturating_sub(offset);
                let len = size.min(usize::try_from(left).unwrap());
                let data = Data::from_fd(Arc::clone(&source), 50_000 + offset, len);
                Ok(if at_hand { data.at_hand() } else { data })
            }
        );
        let mounted = common::mount(fs);
        let read = fs::read(mounted.join("file")).unwrap();
        assert!(
            read == contents[50_000..150_000],
            "{direct_io} {spliced} {at_hand}"
        );
        assert_quiet();
    }
}

#[test]
fn read_from_a_file_that_is_too_short_ends_there() {
    require_fuse!();
    let source = temporary(b"only this");
    let mut fs = direct(0);
    answer!(fs.read = move |offset, size| Ok(Data::from_fd(Arc::clone(&source), offset, size)));
    let mounted = common::mount(fs);
    assert_eq!(fs::read(mounted.join("file")).unwrap(), b"only this");
    let opened = File::open(mounted.join("file")).unwrap();
    let mut bytes = [0; 4];
    assert_eq!(opened.read_at(&mut bytes, 5).unwrap(), 4);
    assert_eq!(&bytes, b"this");
    assert_eq!(opened.read_at(&mut bytes, 1 << 40).unwrap(), 0);
    assert_quiet();
}

#[test]
fn read_from_a_file_that_shrinks_meanwhile_ends_with_it() {
    require_fuse!();
    let contents = pattern(4, 200_000);
    for (direct_io, spliced, at_hand) in [
        (true, false, false),
        (false, false, true),
        (true, true, true),
        (false, true, false),
    ] {
        for left in [50_001, 4096, 1, 0] {
            let source = temporary(&contents);
            let mut fs = Scripted::with_file(200_000);
            answer!(
                fs.init = move |conn| {
                    if spliced {
                        conn.want(Capabilities::SPLICE_WRITE | Capabilities::SPLICE_MOVE)?;
                    }
                    Ok(())
                }
            );
            answer!(
                fs.open = move || Ok(FileInfo {
                    direct_io,
                    ..FileInfo::new(HANDLE)
                })
            );
            answer!(
                fs.read = move |offset, size| {
                    let len = size.min(200_000 - usize::try_from(offset).unwrap());
                    // Somebody else cuts it off when the handler has looked at its length.
                    rustix::fs::ftruncate(&*source, left).unwrap();
                    let data = Data::from_fd(Arc::clone(&source), offset, len);
                    Ok(if at_hand { data.at_hand() } else { data })
                }
            );
            let mounted = common::mount(fs);
            let opened = File::open(mounted.join("file")).unwrap();
            let mut read = vec![1; 100_000];
            let len = opened.read_at(&mut read, 0).unwrap();
            let left = usize::try_from(left).unwrap();
            assert_eq!(len, left, "{direct_io} {spliced}");
            assert!(read[..left] == contents[..left], "{direct_io} {spliced}");
            assert_quiet();
        }
    }
}

#[test]
fn read_from_a_file_that_cannot_be_read_returns_its_error() {
    require_fuse!();
    let dir = tempfile::tempdir().unwrap();
    let write_only = File::create(dir.path().join("f")).unwrap();
    let source = Arc::new(OwnedFd::from(write_only));
    let mut fs = direct(0);
    answer!(fs.read = move |offset, size| Ok(Data::from_fd(Arc::clone(&source), offset, size)));
    let mounted = common::mount(fs);
    assert_eq!(errno(fs::read(mounted.join("file"))), libc::EBADF);
    // A directory, too.
    let source = Arc::new(OwnedFd::from(File::open(dir.path()).unwrap()));
    let mut fs = direct(0);
    answer!(
        fs.read =
            move |offset, size| { Ok(Data::from_fd(Arc::clone(&source), offset, size).at_hand()) }
    );
    let mounted = common::mount(fs);
    assert_eq!(errno(fs::read(mounted.join("file"))), libc::EISDIR);
}

#[test]
fn read_of_more_from_a_file_than_asked_for_is_refused() {
    require_fuse!();
    let source = temporary(&[0; 100]);
    let mut fs = direct(0);
    answer!(fs.read = move |_, size| Ok(Data::from_fd(Arc::clone(&source), 0, size + 1)));
    let mounted = common::mount(fs);
    let opened = File::open(mounted.join("file")).unwrap();
    assert_eq!(errno(opened.read_at(&mut [0; 10], 0)), libc::EIO);
    assert_logged(&["read of inode 2", "11 bytes where 10"]);
}

// ---- write -------------------------------------------------------------------------------------

#[test]
fn write_is_given_offset_and_data() {
    require_fuse!();
    for direct_io in [true, false] {
        let mut fs = Scripted::with_file(u64::MAX);
        answer!(
            fs.open = move || Ok(FileInfo {
                direct_io,
                ..FileInfo::new(HANDLE)
            })
        );
        answer!(fs.write = |_, data| Ok(data.len()));
        let mounted = common::mount(fs);
        let opened = File::options()
            .write(true)
            .open(mounted.join("file"))
            .unwrap();
        for (offset, len) in [(0, 1), (7, 5000), (4096, 4096), (5_000_000_001, 100_000)] {
            let data = pattern(len, len);
            assert_eq!(opened.write_at(&data, offset).unwrap(), len);
            let mut next = offset;
            while next < offset + len as u64 {
                let (call, _) = mounted.ops.next_call();
                match call {
                    Call::Write(given, at, part, Cached::No) => {
                        assert_eq!((given.inode, given.fh), (Inode(2), HANDLE));
                        assert_eq!(at, next);
                        let start = usize::try_from(at - offset).unwrap();
                        assert!(part == data[start..start + part.len()]);
                        next += part.len() as u64;
                    }
                    Call::Open(..) => {}
                    other => panic!("{other:?}"),
                }
            }
        }
        assert_quiet();
    }
}

#[test]
fn write_is_no_larger_than_max_write() {
    require_fuse!();
    for (max_write, len) in [(None, 3 << 20), (Some(8192), 100_000)] {
        let mut fs = direct(0);
        answer!(
            fs.init = move |conn| {
                assert_eq!(conn.max_write(), 1 << 20);
                max_write.inspect(|bytes| conn.set_max_write(*bytes));
                Ok(())
            }
        );
        answer!(fs.write = |_, data| Ok(data.len()));
        let mounted = common::mount(fs);
        let mut opened = File::options()
            .write(true)
            .open(mounted.join("file"))
            .unwrap();
        let data = pattern(4, len);
        opened.write_all(&data).unwrap();
        let mut written = Vec::new();
        for call in mounted.ops.calls_so_far() {
            if let Call::Write(_, offset, part, _) = call {
                assert_eq!(offset, written.len() as u64);
                assert!(part.len() <= max_write.unwrap_or(1 << 20) as usize);
                written.extend_from_slice(&part);
            }
        }
        assert!(written == data);
        assert_quiet();
    }
}

#[test]
fn write_with_o_append_goes_to_the_end() {
    require_fuse!();
    let mut fs = direct(1000);
    answer!(fs.write = |_, data| Ok(data.len()));
    let mounted = common::mount(fs);
    let mut opened = File::options()
        .append(true)
        .open(mounted.join("file"))
        .unwrap();
    assert_eq!(opened.write(b"more").unwrap(), 4);
    let write = mounted
        .ops
        .calls
        .find(|(call, _)| matches!(call, Call::Write(..)));
    assert!(
        matches!(&write.0, Call::Write(file, 1000, data, _)
            if data == b"more" && file.flags.contains(OpenFlags::APPEND)),
        "{write:?}"
    );
}

#[test]
fn write_returns_the_count_and_the_error_of_the_handler() {
    require_fuse!();
    let mut fs = direct(0);
    answer!(
        fs.write = |offset, data| match offset {
            0 => Ok(data.len() - 3),
            1 => Ok(0),
            _ => Err(Errno::ENOSPC),
        }
    );
    let mounted = common::mount(fs);
    let opened = File::options()
        .write(true)
        .open(mounted.join("file"))
        .unwrap();
    assert_eq!(opened.write_at(&[0; 10], 0).unwrap(), 7);
    assert_eq!(opened.write_at(&[0; 10], 1).unwrap(), 0);
    assert_eq!(errno(opened.write_at(&[0; 10], 2)), libc::ENOSPC);
    assert_quiet();
}

#[test]
fn write_of_more_than_was_sent_is_refused() {
    require_fuse!();
    for direct_io in [true, false] {
        let mut fs = Scripted::with_file(0);
        answer!(
            fs.open = move || Ok(FileInfo {
                direct_io,
                ..FileInfo::new(HANDLE)
            })
        );
        answer!(fs.write = |_, data| Ok(data.len() + 1));
        let mounted = common::mount(fs);
        let opened = File::options()
            .write(true)
            .open(mounted.join("file"))
            .unwrap();
        assert_eq!(errno(opened.write_at(&[0; 10], 0)), libc::EIO);
        assert_logged(&["write of inode 2", "11 of 10"]);
        assert_eq!(errno(opened.write_at(&[0; 10], 0)), libc::EIO);
    }
}

#[test]
fn write_buffers_that_are_kept_stay_as_they_are() {
    require_fuse!();
    const WRITES: usize = 400;
    enum Kept {
        Buffer(WriteBuf),
        Bytes(Bytes),
    }
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keeper = Arc::clone(&kept);
    let mut fs = direct(0);
    answer!(
        fs.write = move |offset, data| {
            let len = data.len();
            let number = usize::try_from(offset).unwrap();
            // Of some a part is kept, some are dropped, so that buffers are used again.
            let keep = match number % 4 {
                0 => Some(Kept::Buffer(data)),
                1 => Some(Kept::Bytes(data.into_bytes())),
                2 => Some(Kept::Bytes(data.into_bytes().slice(..len / 2))),
                _ => None,
            };
            if let Some(keep) = keep {
                keeper.lock().unwrap().push((number, len, keep));
            }
            Ok(len)
        }
    );
    let mounted = common::mount_with(fs, |builder| builder.reader_threads(2));
    let size = |number: usize| match number % 5 {
        0 => 1,
        1 => 100,
        2 => 4096,
        3 => 5000,
        _ => 150_000,
    };
    let path = mounted.join("file");
    let check = |number: usize, len: usize, keep: &Kept| {
        let expected = pattern(number, len);
        let same = match keep {
            Kept::Buffer(data) => data[..] == expected,
            Kept::Bytes(bytes) if number % 4 == 1 => bytes[..] == expected,
            Kept::Bytes(bytes) => bytes[..] == expected[..len / 2],
        };
        assert!(same, "write {number} of {len} bytes has changed");
    };
    thread::scope(|scope| {
        for half in 0..2 {
            let path = &path;
            scope.spawn(move || {
                let opened = File::options().write(true).open(path).unwrap();
                for number in (half..WRITES).step_by(2) {
                    let data = pattern(number, size(number));
                    opened.write_all_at(&data, number as u64).unwrap();
                }
            });
        }
    });
    let mut kept = std::mem::take(&mut *kept.lock().unwrap());
    assert_eq!(kept.len(), WRITES * 3 / 4);
    for (number, len, keep) in &kept {
        assert_eq!(*len, size(*number));
        check(*number, *len, keep);
    }
    // They outlive the session, and what is written later.
    kept.truncate(50);
    let opened = File::options().write(true).open(&path).unwrap();
    for number in (3..200).step_by(4) {
        opened.write_all_at(&[0xff; 100_000], number).unwrap();
    }
    drop(opened);
    drop(mounted);
    for (number, len, keep) in &kept {
        check(*number, *len, keep);
    }
    assert_quiet();
}

#[test]
fn writes_out_of_the_cache_say_so() {
    require_fuse!();
    let mut fs = Scripted::with_file(0);
    answer!(fs.init = |conn| conn.want(Capabilities::WRITEBACK_CACHE));
    answer!(fs.write = |_, data| Ok(data.len()));
    answer!(fs.fsync = || Ok(()));
    answer!(fs.read = |_, _| Ok(Data::empty()));
    answer!(
        fs.setattr = |_, fields| Ok(EntryAttributes {
            size: fields.size.unwrap_or(10),
            ..file(2)
        })
    );
    let mounted = common::mount(fs);
    let mut opened = File::options()
        .write(true)
        .open(mounted.join("file"))
        .unwrap();
    opened.write_all(b"collected ").unwrap();
    opened.write_all(b"in pieces").unwrap();
    opened.sync_all().unwrap();
    let calls = mounted.ops.calls_so_far();
    let writes: Vec<_> = calls
        .iter()
        .filter(|call| matches!(call, Call::Write(..)))
        .collect();
    let [Call::Write(given, 0, data, Cached::Yes)] = writes[..] else {
        panic!("{calls:?}")
    };
    assert_eq!((given.inode, given.fh), (Inode(2), HANDLE));
    assert_eq!(data, b"collected in pieces");
}

// ---- how a file is opened ----------------------------------------------------------------------

#[test]
fn a_nonseekable_file_cannot_be_sought_in() {
    require_fuse!();
    let mut fs = Scripted::with_file(100);
    answer!(
        fs.open = || Ok(FileInfo {
            nonseekable: true,
            direct_io: true,
            ..FileInfo::new(HANDLE)
        })
    );
    answer!(fs.read = |_, size| Ok(vec![b'x'; size].into()));
    let mounted = common::mount(fs);
    let mut opened = File::open(mounted.join("file")).unwrap();
    opened.read_exact(&mut [0; 10]).unwrap();
    assert_eq!(errno(opened.seek(SeekFrom::Start(0))), libc::ESPIPE);
    assert_eq!(errno(opened.read_at(&mut [0; 10], 5)), libc::ESPIPE);
}

#[test]
fn cached_contents_are_kept_if_asked_for() {
    require_fuse!();
    for (keep_cache, asked) in [(true, 0), (false, 1)] {
        let mut fs = Scripted::with_file(100);
        answer!(
            fs.open = move || Ok(FileInfo {
                keep_cache,
                ..FileInfo::new(HANDLE)
            })
        );
        answer!(fs.read = |offset, size| Ok(part(&[b'x'; 100], offset, size)));
        let mounted = common::mount(fs);
        let path = mounted.join("file");
        assert_eq!(fs::read(&path).unwrap(), [b'x'; 100]);
        mounted.ops.calls.drain();
        assert_eq!(fs::read(&path).unwrap(), [b'x'; 100]);
        let reads = mounted.ops.count(|call| matches!(call, Call::Read(..)));
        assert_eq!(reads, asked, "keep_cache: {keep_cache}");
    }
}

/// Whether the libfuse that is loaded is no older than this.
pub(crate) fn libfuse_at_least(wanted: [u32; 3]) -> bool {
    let version = libfuse3::libfuse_version();
    let numbers = version
        .split('.')
        .map(|number| number.parse::<u32>().unwrap_or(0));
    numbers.collect::<Vec<_>>().as_slice() >= wanted.as_slice()
}

#[test]
fn noflush_leaves_flush_out() {
    require_fuse!();
    require_libfuse!(3, 11, 0);
    let mut fs = Scripted::with_file(0);
    answer!(
        fs.open = || Ok(FileInfo {
            noflush: true,
            ..FileInfo::new(HANDLE)
        })
    );
    let mounted = common::mount(fs);
    drop(File::open(mounted.join("file")).unwrap());
    let (call, _) = mounted
        .ops
        .calls
        .find(|(call, _)| matches!(call, Call::Flush(..) | Call::Release(..)));
    assert!(matches!(call, Call::Release(..)), "{call:?}");
}

// ---- flush, release, fsync ---------------------------------------------------------------------

#[test]
fn flush_comes_for_each_close_and_release_once() {
    require_fuse!();
    let mut fs = Scripted::with_file(0);
    answer!(fs.release = || Err(Errno::EIO));
    let mounted = common::mount(fs);
    let first = File::open(mounted.join("file")).unwrap();
    let second = first.try_clone().unwrap();
    let third = second.try_clone().unwrap();
    let mut owners = Vec::new();
    for (number, descriptor) in [first, second, third].into_iter().enumerate() {
        mounted.ops.calls.drain();
        drop(descriptor);
        let (call, caller) = mounted.ops.next_call();
        let Call::Flush(flushed) = call else {
            panic!("{number}: {call:?}")
        };
        assert_eq!((flushed.inode, flushed.fh), (Inode(2), HANDLE));
        assert_eq!(caller.pid, this_caller(0).pid);
        owners.push(flushed.lock_owner);
    }
    // One process, one owner of locks.
    assert!(owners.iter().all(|owner| *owner == owners[0]), "{owners:?}");
    let Call::Release(released, flags) = mounted.ops.next_call().0 else {
        panic!("released")
    };
    assert_eq!((released.fh, flags), (HANDLE, ReleaseFlags::empty()));
    // Another opening is on its own.
    drop(File::open(mounted.join("file")).unwrap());
    mounted
        .ops
        .calls
        .find(|(call, _)| matches!(call, Call::Release(..)));
    let fs = Arc::clone(&mounted.ops);
    mounted.unmount();
    assert_eq!(fs.count(|call| matches!(call, Call::Release(..))), 0);
    assert_quiet();
}

#[test]
fn close_returns_the_error_of_flush() {
    require_fuse!();
    let mut fs = Scripted::with_file(0);
    answer!(fs.flush = || Err(Errno::EDQUOT));
    let mounted = common::mount(fs);
    let opened = File::open(mounted.join("file")).unwrap();
    // The standard library drops the error of close(2).
    // SAFETY: the descriptor was owned, and is not used again.
    let result = unsafe { libc::close(opened.into_raw_fd()) };
    let error = io::Error::last_os_error();
    assert_eq!((result, error.raw_os_error()), (-1, Some(libc::EDQUOT)));
    mounted
        .ops
        .calls
        .find(|(call, _)| matches!(call, Call::Release(..)));
}

#[test]
fn flush_and_fsync_that_are_not_implemented_succeed() {
    require_fuse!();
    let mut fs = Scripted::with_file(0);
    fs.on.flush = None;
    let mounted = common::mount(fs);
    for _ in 0..3 {
        let opened = File::open(mounted.join("file")).unwrap();
        opened.sync_all().unwrap();
        // SAFETY: the descriptor was owned, and is not used again.
        assert_eq!(unsafe { libc::close(opened.into_raw_fd()) }, 0);
    }
    let calls = mounted.ops.calls_so_far();
    let count = |wanted: fn(&Call) -> bool| calls.iter().filter(|call| wanted(call)).count();
    assert_eq!(count(|call| matches!(call, Call::Flush(..))), 1);
    assert_eq!(count(|call| matches!(call, Call::Fsync(..))), 1);
}

#[test]
fn fsync_tells_data_from_all() {
    require_fuse!();
    let mut fs = Scripted::with_file(0);
    answer!(fs.fsync = || Ok(()));
    let mounted = common::mount(fs);
    let opened = File::options()
        .write(true)
        .open(mounted.join("file"))
        .unwrap();
    for datasync in [false, true] {
        mounted.ops.calls.drain();
        if datasync {
            opened.sync_data().unwrap();
        } else {
            opened.sync_all().unwrap();
        }
        let (call, _) = mounted.ops.next_call();
        let Call::Fsync(given, given_datasync) = call else {
            panic!("{call:?}")
        };
        assert_eq!((given.inode, given.fh), (Inode(2), HANDLE));
        assert_eq!(given_datasync, datasync);
    }
    assert_quiet();
}

#[test]
fn fsync_returns_the_error_of_the_handler() {
    require_fuse!();
    let mut fs = Scripted::with_file(0);
    answer!(fs.fsync = || Err(Errno::EDQUOT));
    let mounted = common::mount(fs);
    let opened = File::open(mounted.join("file")).unwrap();
    assert_eq!(errno(opened.sync_all()), libc::EDQUOT);
    assert_eq!(errno(opened.sync_data()), libc::EDQUOT);
    assert_quiet();
}

#[test]
fn a_file_that_is_not_opened_by_a_handler_has_handle_0() {
    require_fuse!();
    let long = Duration::from_secs(100);
    let mut fs = Scripted::new().with(
        "file",
        EntryAttributes {
            size: 5,
            ..file(2).with_timeouts(long)
        },
    );
    answer!(fs.read = |offset, size| Ok(part(b"hello", offset, size)));
    let mounted = common::mount(fs);
    assert_eq!(fs::read(mounted.join("file")).unwrap(), b"hello");
    let (call, _) = mounted
        .ops
        .calls
        .find(|(call, _)| matches!(call, Call::Read(..)));
    let Call::Read(given, 0, _) = call else {
        panic!("{call:?}")
    };
    assert_eq!((given.inode, given.fh), (Inode(2), FileHandle(0)));
    assert_quiet();
}
