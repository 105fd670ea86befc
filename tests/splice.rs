//! Writes whose payload comes in a pipe, with `Capabilities::SPLICE_READ`, and goes into a file from there.

mod common;

use std::ffi::OsStr;
use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::future::Future;
use std::io::Read;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::Once;
use std::sync::PoisonError;
use std::thread;

use bytes::Bytes;
use libfuse3::Capabilities;
use libfuse3::ConnInfo;
use libfuse3::Data;
use libfuse3::EntryAttributes;
use libfuse3::Errno;
use libfuse3::FileHandle;
use libfuse3::FileInfo;
use libfuse3::FileRef;
use libfuse3::Inode;
use libfuse3::OpenFlags;
use libfuse3::Operations;
use libfuse3::RequestContext;
use libfuse3::Result;
use libfuse3::WriteBuf;

use crate::common::Gate;
use crate::common::Mounted;
use crate::common::Recorder;
use crate::common::assert_logged;
use crate::common::assert_quiet;
use crate::common::errno;
use crate::common::require_fuse;

const MIB: usize = 1 << 20;

type Written = Pin<Box<dyn Future<Output = Result<usize>> + Send>>;

/// Any number of files, called `0`, `1` and so on, whose writes the test answers.
struct Fs {
    spliced: bool,
    direct_io: bool,
    write: Box<dyn Fn(u64, WriteBuf) -> Written + Send + Sync>,
    /// What reads are answered from, and whether at hand.
    read: Option<(Arc<OwnedFd>, bool)>,
    /// Length of each payload, and whether it was in memory when it came.
    payloads: Recorder<(usize, bool)>,
}

impl Fs {
    fn new<F>(write: impl Fn(u64, WriteBuf) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<usize>> + Send + 'static,
    {
        Self {
            spliced: true,
            direct_io: true,
            write: Box::new(move |offset, data| Box::pin(write(offset, data))),
            read: None,
            payloads: Recorder::new(),
        }
    }

    /// With a handler that has nothing to wait for.
    fn at_once(write: impl Fn(u64, WriteBuf) -> Result<usize> + Send + Sync + 'static) -> Self {
        Self::new(move |offset, data| std::future::ready(write(offset, data)))
    }

    /// Writes all that it is given into a file.
    fn into(file: &File) -> Self {
        let file = file.try_clone().unwrap();
        Self::at_once(move |offset, mut data| data.write_to(&file, offset, usize::MAX))
    }
}

fn attributes(inode: Inode) -> EntryAttributes {
    let mode = match inode {
        Inode::ROOT => libc::S_IFDIR | 0o755,
        _ => libc::S_IFREG | 0o666,
    };
    common::attributes(inode, mode)
}

impl Operations for Fs {
    fn init(&self, conn: &mut ConnInfo) -> Result<()> {
        if self.spliced {
            conn.want(Capabilities::SPLICE_READ | Capabilities::SPLICE_WRITE)?;
        }
        Ok(())
    }

    async fn getattr(
        &self,
        inode: Inode,
        _: Option<FileRef>,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        Ok(attributes(inode))
    }

    async fn lookup(&self, _: Inode, name: &OsStr, _: &RequestContext) -> Result<EntryAttributes> {
        let number: u64 = name.to_string_lossy().parse().map_err(|_| Errno::ENOENT)?;
        Ok(attributes(Inode(2 + number)))
    }

    async fn open(&self, _: Inode, _: OpenFlags, _: &RequestContext) -> Result<FileInfo> {
        Ok(FileInfo {
            direct_io: self.direct_io,
            ..FileInfo::new(FileHandle(1))
        })
    }

    async fn read(&self, _: FileRef, offset: u64, size: usize, _: &RequestContext) -> Result<Data> {
        let (fd, at_hand) = self.read.as_ref().ok_or(Errno::EIO)?;
        let data = Data::from_fd(Arc::clone(fd), offset, size);
        Ok(if *at_hand { data.at_hand() } else { data })
    }

    async fn write(
        &self,
        _: FileRef,
        offset: u64,
        data: WriteBuf,
        _: &RequestContext,
    ) -> Result<usize> {
        self.payloads.record((data.len(), data.is_in_memory()));
        (self.write)(offset, data).await
    }
}

/// The tests look at all descriptors of the process: one after the other.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many ends of pipes this process has open.
fn pipe_ends() -> usize {
    let mut ends = 0;
    for entry in fs::read_dir("/proc/self/fd").unwrap() {
        let target = fs::read_link(entry.unwrap().path());
        if target.is_ok_and(|target| target.as_os_str().to_string_lossy().starts_with("pipe:")) {
            ends += 1;
        }
    }
    ends
}

/// Mounts, does something with the file, and unmounts; no pipe is left behind.
fn with_file(fs: Fs, use_it: impl FnOnce(&File, &Mounted<Fs>)) {
    // The first session of a process opens one end that stays.
    static FIRST: Once = Once::new();
    FIRST.call_once(|| drop(common::mount(Fs::at_once(|_, data| Ok(data.len())))));
    let before = pipe_ends();
    let mounted: Mounted<Fs> = common::mount(fs);
    let mut options = OpenOptions::new();
    let file = options.write(true).open(mounted.join("0")).unwrap();
    use_it(&file, &mounted);
    drop(file);
    drop(mounted);
    let none_left = common::wait_until(common::PATIENCE, || pipe_ends() <= before);
    assert!(none_left, "{} ends of pipes, {before} before", pipe_ends());
}

/// Bytes that differ from place to place, and from seed to seed.
fn pattern(seed: usize, len: usize) -> Vec<u8> {
    let bytes = (0..len).map(|index| (seed.wrapping_mul(131) + index * 7 + index / 251) as u8);
    bytes.collect()
}

fn contents(mut file: &File) -> Vec<u8> {
    use std::io::Seek;
    let mut bytes = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut bytes).unwrap();
    bytes
}

/// Has all payloads in a pipe that are large enough, and no others.
fn assert_piped(fs: &Fs) {
    let payloads = fs.payloads.drain();
    assert!(!payloads.is_empty());
    for (len, in_memory) in payloads {
        assert_eq!(in_memory, len < 4096, "{len} bytes");
    }
}

#[test]
fn a_payload_goes_from_the_pipe_into_a_file_byte_for_byte() {
    require_fuse!();
    let _alone = alone();
    for direct_io in [true, false] {
        let stored = tempfile::tempfile().unwrap();
        let fs = Fs {
            direct_io,
            ..Fs::into(&stored)
        };
        let mut expected = Vec::new();
        with_file(fs, |file, mounted| {
            let mut memory = vec![0];
            let mut seed = 0;
            // From the start of a page, and from elsewhere; also in the program's memory.
            for offset in [0, 4096, 100, 10_001] {
                for len in [
                    1,
                    100,
                    4095,
                    4096,
                    4097,
                    5000,
                    128 << 10,
                    MIB - 1,
                    MIB,
                    MIB + 7,
                ] {
                    seed += 1;
                    memory.truncate(1);
                    memory.extend(pattern(seed, len));
                    file.write_all_at(&memory[1..], offset).unwrap();
                    let mut read = vec![0; len];
                    stored.read_exact_at(&mut read, offset).unwrap();
                    assert!(read == memory[1..], "{len} at {offset}, {direct_io}");
                    // Nothing else has been written to.
                    let offset = usize::try_from(offset).unwrap();
                    expected.resize(expected.len().max(offset + len), 0);
                    expected[offset..offset + len].copy_from_slice(&memory[1..]);
                }
                assert!(contents(&stored) == expected, "{offset}, {direct_io}");
            }
            assert_piped(&mounted.ops);
        });
        assert_quiet();
    }
}

#[test]
fn without_the_capability_all_is_in_memory() {
    require_fuse!();
    let _alone = alone();
    let stored = tempfile::tempfile().unwrap();
    let fs = Fs {
        spliced: false,
        ..Fs::into(&stored)
    };
    let bytes = pattern(1, MIB);
    with_file(fs, |file, mounted| {
        file.write_all_at(&bytes, 0).unwrap();
        assert!(
            mounted
                .ops
                .payloads
                .drain()
                .iter()
                .all(|(_, in_memory)| *in_memory)
        );
    });
    assert!(contents(&stored) == bytes);
    assert_quiet();
}

#[test]
fn a_payload_reads_as_bytes_that_can_be_kept() {
    require_fuse!();
    let _alone = alone();
    let kept = Arc::new(Mutex::new(Vec::<(u64, Bytes)>::new()));
    let keep = Arc::clone(&kept);
    let fs = Fs::at_once(move |offset, data| {
        let len = data.len();
        assert!(!data.is_in_memory());
        assert_eq!(data[len - 1], data.as_ref()[len - 1]);
        assert!(data.is_in_memory());
        keep.lock().unwrap().push((offset, data.into_bytes()));
        Ok(len)
    });
    let bytes = pattern(2, 16 * 5000);
    with_file(fs, |file, mounted| {
        for (index, chunk) in bytes.chunks(5000).enumerate() {
            file.write_all_at(chunk, index as u64 * 5000).unwrap();
        }
        assert_piped(&mounted.ops);
    });
    // The mount is gone; the bytes are still here.
    let mut kept = std::mem::take(&mut *kept.lock().unwrap());
    kept.sort_by_key(|(offset, _)| *offset);
    assert!(kept.into_iter().flat_map(|(_, bytes)| bytes).eq(bytes));
    assert_quiet();
}

#[test]
fn a_payload_can_be_kept_in_its_pipe_beyond_the_end_of_the_mount() {
    require_fuse!();
    let _alone = alone();
    let before = pipe_ends();
    let kept = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&kept);
    let fs = Fs::at_once(move |_, data| {
        let len = data.len();
        *keep.lock().unwrap() = Some(data);
        Ok(len)
    });
    let mounted = common::mount(fs);
    // Direct, so that it is not a page of the kernel's cache that is kept.
    let mut options = OpenOptions::new();
    let file = options.write(true).open(mounted.join("0")).unwrap();
    let bytes = pattern(3, 128 << 10);
    file.write_all_at(&bytes, 0).unwrap();
    drop(file);
    drop(mounted);
    let mut data = kept.lock().unwrap().take().unwrap();
    assert!(!data.is_in_memory());
    let stored = tempfile::tempfile().unwrap();
    assert_eq!(data.write_to(&stored, 5, bytes.len()), Ok(bytes.len()));
    assert!(contents(&stored)[5..] == bytes);
    assert!(data.is_empty());
    drop(data);
    assert!(common::wait_until(common::PATIENCE, || pipe_ends() <= before));
    assert_quiet();
}

#[test]
fn a_payload_can_be_divided() {
    require_fuse!();
    let _alone = alone();
    for look_first in [false, true] {
        let [first, second] = [(); 2].map(|()| tempfile::tempfile().unwrap());
        let [to_first, to_second] = [&first, &second].map(|file| file.try_clone().unwrap());
        let fs = Fs::at_once(move |offset, mut data| {
            let len = data.len();
            if look_first {
                assert_eq!(data.iter().len(), len);
            }
            assert_eq!(data.write_to(&to_first, offset, 0), Ok(0));
            assert_eq!(data.write_to(&to_first, offset, 10_001), Ok(10_001));
            assert_eq!(data.len(), len - 10_001);
            assert_eq!(data.is_in_memory(), look_first);
            assert_eq!(data.write_to(&to_second, 3, 20_000), Ok(20_000));
            // What is left is dropped, and some of it looked at.
            assert_eq!(data.len(), data.iter().len());
            assert!(data[..] == pattern(4, len)[30_001..]);
            Ok(len)
        });
        let bytes = pattern(4, 128 << 10);
        with_file(fs, |file, mounted| {
            for _ in 0..20 {
                file.write_all_at(&bytes, 0).unwrap();
            }
            assert_piped(&mounted.ops);
        });
        assert!(contents(&first) == bytes[..10_001]);
        assert!(contents(&second)[3..] == bytes[10_001..30_001]);
        assert_quiet();
    }
}

#[test]
fn a_payload_that_nobody_looks_at_does_no_harm() {
    require_fuse!();
    let _alone = alone();
    let stored = tempfile::tempfile().unwrap();
    let file = stored.try_clone().unwrap();
    let fs = Fs::at_once(move |offset, mut data| match offset {
        0 => Ok(data.len()),
        1 => Err(Errno::ENOSPC),
        2 => panic!("on purpose"),
        // Half of it.
        3 => data.write_to(&file, 0, 4000).map(|_| data.len() + 4000),
        _ => data.write_to(&file, offset, data.len()),
    });
    with_file(fs, |file, mounted| {
        let bytes = pattern(5, 8192);
        for _ in 0..10 {
            file.write_all_at(&bytes, 0).unwrap();
            assert_eq!(errno(file.write_all_at(&bytes, 1)), libc::ENOSPC);
            assert_eq!(errno(file.write_all_at(&bytes, 2)), libc::EIO);
            file.write_all_at(&bytes, 3).unwrap();
            // All the same, the next one is itself.
            file.write_all_at(&bytes, 4096).unwrap();
            assert!(contents(&stored)[4096..] == bytes);
        }
        assert_piped(&mounted.ops);
    });
    assert_logged(&["write of inode 2", "panicked"]);
}

#[test]
fn payloads_wait_with_their_handlers() {
    require_fuse!();
    let _alone = alone();
    const WRITERS: usize = 24;
    let stored = tempfile::tempfile().unwrap();
    let file = Arc::new(stored.try_clone().unwrap());
    let gate = Gate::new();
    let at_gate = Arc::clone(&gate);
    let fs = Fs::new(move |offset, mut data| {
        let (file, gate) = (Arc::clone(&file), Arc::clone(&at_gate));
        async move {
            gate.pass().await;
            smol::unblock(move || data.write_to(&*file, offset, data.len())).await
        }
    });
    with_file(fs, |_, mounted| {
        // As many files, since writes to one wait for each other.
        thread::scope(|scope| {
            let _open = gate.open_at_end();
            for writer in 0..WRITERS {
                let path = mounted.join(writer.to_string());
                scope.spawn(move || {
                    let file = OpenOptions::new().write(true).open(path).unwrap();
                    let bytes = pattern(writer, 30_000);
                    file.write_all_at(&bytes, writer as u64 * 30_000).unwrap();
                });
            }
            gate.wait_for(WRITERS);
        });
        assert_piped(&mounted.ops);
    });
    let contents = contents(&stored);
    for writer in 0..WRITERS {
        assert!(contents[writer * 30_000..][..30_000] == pattern(writer, 30_000));
    }
    assert_quiet();
}

#[test]
fn a_file_that_takes_nothing_from_a_pipe_gets_it_from_memory() {
    require_fuse!();
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("appended");
    let appended = OpenOptions::new().append(true).create(true).open(&path);
    let mut appended = appended.unwrap();
    appended.write_all(b"before").unwrap();
    let fs = Fs::into(&appended);
    let bytes = pattern(6, 50_000);
    with_file(fs, |file, mounted| {
        file.write_all_at(&bytes, 0).unwrap();
        assert_piped(&mounted.ops);
    });
    assert!(fs::read(&path).unwrap()[6..] == bytes);
    assert_quiet();
}

#[test]
fn a_write_to_a_file_that_fails_takes_nothing_away() {
    require_fuse!();
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let stored = tempfile::tempfile().unwrap();
    let file = stored.try_clone().unwrap();
    let read_only = File::open(dir.path()).unwrap();
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let fs = Fs::at_once(move |offset, mut data| {
        let len = data.len();
        assert_eq!(data.write_to(&read_only, 0, len), Err(Errno::EBADF));
        assert_eq!(data.write_to(&file, u64::MAX, len), Err(Errno::EFBIG));
        assert_eq!(data.len(), len);
        assert!(!data.is_in_memory());
        assert_eq!(data.write_to(&full, 0, len), Err(Errno::ENOSPC));
        assert_eq!(data.len(), len);
        data.write_to(&file, offset, len)
    });
    let bytes = pattern(7, 50_000);
    with_file(fs, |file, _| file.write_all_at(&bytes, 0).unwrap());
    assert!(contents(&stored) == bytes);
    assert_quiet();
}

#[test]
fn answers_from_a_file_leave_no_pipes_behind() {
    require_fuse!();
    let _alone = alone();
    let bytes = pattern(8, MIB);
    for at_hand in [true, false] {
        let mut stored = tempfile::tempfile().unwrap();
        stored.write_all(&bytes).unwrap();
        let stored = Arc::new(OwnedFd::from(stored));
        let fs = Fs {
            read: Some((stored, at_hand)),
            ..Fs::at_once(|_, _| Err(Errno::EIO))
        };
        with_file(fs, |_, mounted| {
            assert!(fs::read(mounted.join("0")).unwrap() == bytes, "{at_hand}");
        });
        assert_quiet();
    }
}

#[test]
fn bytes_in_memory_are_written_to_files_as_well() {
    let stored = tempfile::tempfile().unwrap();
    let mut data = WriteBuf::from(vec![1, 2, 3, 4, 5]);
    assert_eq!(data.write_to(&stored, 1, 2), Ok(2));
    assert_eq!(&data[..], [3, 4, 5]);
    assert_eq!(data.write_to(&stored, 8, usize::MAX), Ok(3));
    assert!(data.is_empty());
    assert_eq!(data.write_to(&stored, 8, 1), Ok(0));
    assert_eq!(contents(&stored), [0, 1, 2, 0, 0, 0, 0, 0, 3, 4, 5]);
    assert_eq!(&data.into_bytes()[..], []);
}
