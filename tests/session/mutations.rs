//! Requests that are nearly right: each that wants a reply gets one, whatever is wrong with it.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;

use libfuse3::*;

use crate::common;
use crate::common::TimeLimit;
use crate::custom_io::init;
use crate::custom_io::packets;
use crate::custom_io::receive;
use crate::custom_io::request;
use crate::custom_io::send;

/// How many mutations of each request are tried.
const ROUNDS: usize = 200;

/// A file system that looks at every byte it is given, and has all names.
struct Anything;

fn touch(bytes: &[u8]) {
    let sum = bytes.iter().map(|byte| u32::from(*byte)).sum::<u32>();
    std::hint::black_box(sum);
}

fn entry(name: &OsStr) -> Result<EntryAttributes> {
    touch(name.as_encoded_bytes());
    assert!(!name.is_empty() && name != ".." && !name.as_encoded_bytes().contains(&b'/'));
    Ok(EntryAttributes {
        ino: Inode(2),
        mode: libc::S_IFREG | 0o644,
        ..EntryAttributes::default()
    })
}

impl Operations for Anything {
    const SUPPORTS_DOT_LOOKUP: bool = false;

    async fn lookup(&self, _: Inode, name: &OsStr, _: &RequestContext) -> Result<EntryAttributes> {
        entry(name)
    }

    async fn getattr(
        &self,
        _: Inode,
        _: Option<FileRef>,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        entry("x".as_ref())
    }

    async fn mkdir(
        &self,
        _: Inode,
        name: &OsStr,
        _: u32,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        entry(name)
    }

    async fn mknod(
        &self,
        _: Inode,
        name: &OsStr,
        _: u32,
        _: u64,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        entry(name)
    }

    async fn symlink(
        &self,
        _: Inode,
        name: &OsStr,
        target: &OsStr,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        touch(target.as_encoded_bytes());
        entry(name)
    }

    async fn link(
        &self,
        _: Inode,
        _: Inode,
        name: &OsStr,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        entry(name)
    }

    async fn unlink(&self, _: Inode, name: &OsStr, _: &RequestContext) -> Result<()> {
        entry(name).map(drop)
    }

    async fn rmdir(&self, _: Inode, name: &OsStr, _: &RequestContext) -> Result<()> {
        entry(name).map(drop)
    }

    async fn rename(&self, rename: Rename<'_>, _: &RequestContext) -> Result<()> {
        entry(rename.name)?;
        entry(rename.new_name).map(drop)
    }

    async fn create(
        &self,
        _: Inode,
        name: &OsStr,
        _: u32,
        _: OpenFlags,
        _: &RequestContext,
    ) -> Result<(FileInfo, EntryAttributes)> {
        Ok((FileInfo::default(), entry(name)?))
    }

    async fn read(&self, _: FileRef, _: u64, size: usize, _: &RequestContext) -> Result<Data> {
        Ok(vec![0; size.min(100)].into())
    }

    async fn write(&self, _: FileRef, _: u64, data: WriteBuf, _: &RequestContext) -> Result<usize> {
        touch(&data);
        Ok(data.len())
    }

    async fn setxattr(
        &self,
        _: Inode,
        name: &OsStr,
        value: &[u8],
        _: XattrFlags,
        _: &RequestContext,
    ) -> Result<()> {
        touch(name.as_encoded_bytes());
        touch(value);
        Ok(())
    }

    async fn getxattr(&self, _: Inode, name: &OsStr, _: &RequestContext) -> Result<Vec<u8>> {
        Ok(name.as_encoded_bytes().to_vec())
    }

    async fn removexattr(&self, _: Inode, name: &OsStr, _: &RequestContext) -> Result<()> {
        touch(name.as_encoded_bytes());
        Ok(())
    }

    async fn ioctl(&self, ioctl: Ioctl<'_>, _: &RequestContext) -> Result<IoctlReply> {
        touch(ioctl.input);
        Err(Errno::ENOTTY)
    }

    async fn forget(&self, inodes: &[Forget]) {
        std::hint::black_box(inodes.iter().map(|forget| forget.nlookup).max());
    }
}

/// `FORGET`, `INTERRUPT`, `NOTIFY_REPLY` and `BATCH_FORGET`.
const WITHOUT_REPLY: [u32; 4] = [2, 36, 41, 42];

/// Bodies as the kernel sends them.
fn seeds() -> Vec<(u32, Vec<u8>)> {
    let fixed = |len: usize, rest: &[u8]| [&vec![0; len], rest].concat();
    let sized = |len: usize, at: usize, size: u32, rest: &[u8]| {
        let mut body = fixed(len, rest);
        body[at..at + 4].copy_from_slice(&size.to_ne_bytes());
        body
    };
    let names = [
        (1, 0),
        (10, 0),
        (11, 0),
        (24, 0),
        (9, 8),
        (13, 8),
        (8, 16),
        (35, 16),
        (51, 16),
    ];
    let names = names.map(|(opcode, len)| (opcode, fixed(len, b"a name\0")));
    let two = [(6, 0), (12, 8), (45, 16)];
    let two = two.map(|(opcode, len)| (opcode, fixed(len, b"a name\0another\0")));
    // All that consist of numbers alone.
    let numbers = [
        (2, 8),
        (3, 16),
        (4, 88),
        (5, 0),
        (14, 8),
        (17, 0),
        (18, 24),
        (20, 16),
        (25, 24),
        (27, 8),
        (29, 24),
        (30, 16),
        (31, 48),
        (32, 48),
        (33, 48),
        (34, 8),
        (36, 8),
        (37, 16),
        (40, 24),
        (43, 32),
        (46, 24),
        (47, 56),
        (50, 8),
        (52, 24),
        (53, 56),
    ];
    let numbers = numbers.map(|(opcode, len)| (opcode, fixed(len, b"")));
    let payload = [7; 300];
    let sizes = [
        (15, sized(40, 16, 4096, b"")),
        (28, sized(40, 16, 4096, b"")),
        (44, sized(40, 16, 4096, b"")),
        (16, sized(40, 16, 300, &payload)),
        (41, sized(40, 16, 300, &payload)),
        (39, sized(32, 24, 300, &payload)),
        (21, sized(8, 0, 300, &[b"user.x\0", &payload[..]].concat())),
        (
            21,
            sized(8, 0, 300, &[b"user.longer\0", &payload[..]].concat()),
        ),
        (22, sized(8, 0, 100, b"user.x\0")),
        (23, sized(8, 0, 100, b"")),
        (42, sized(8, 0, 3, &[1; 48])),
    ];
    names
        .into_iter()
        .chain(two)
        .chain(numbers)
        .chain(sizes)
        .collect()
}

/// The same numbers each time (Marsaglia's xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % limit.max(1)
    }
}

/// A message with something wrong in it, or nothing. Its length is right, or there would be no other one.
fn mutate(numbers: &mut Numbers, opcode: u32, unique: u64, body: &[u8]) -> Vec<u8> {
    const WORDS: [u32; 8] = [0, 1, 7, 8, 100, 100_000, 900_000, u32::MAX];
    let mut body = body.to_vec();
    for _ in 0..numbers.below(3) {
        match numbers.below(5) {
            0 => body.truncate(numbers.below(body.len() + 1)),
            1 => body.extend(vec![numbers.below(256) as u8; numbers.below(40)]),
            2 if body.len() >= 4 => {
                // A length, a count, an offset.
                let at = numbers.below(body.len() / 4) * 4;
                let word = WORDS[numbers.below(WORDS.len())];
                body[at..at + 4].copy_from_slice(&word.to_ne_bytes());
            }
            3 => body
                .iter_mut()
                .rev()
                .take(numbers.below(20))
                .for_each(|byte| {
                    if *byte == 0 {
                        *byte = b'x';
                    }
                }),
            _ if !body.is_empty() => {
                let at = numbers.below(body.len());
                body[at] = [0, b'/', b'.', 0xff][numbers.below(4)];
            }
            _ => (),
        }
    }
    let mut message = request(opcode, unique, 1, &body);
    if numbers.below(8) == 0 {
        // Extensions.
        let units = numbers.below(4) as u16;
        message[36..38].copy_from_slice(&units.to_ne_bytes());
    }
    message
}

fn try_all(peer: &OwnedFd, numbers: &mut Numbers) {
    const MARK: u64 = 1 << 40;
    let mut unique = 2;
    for (opcode, body) in seeds() {
        for _ in 0..ROUNDS {
            unique += 2;
            let message = mutate(numbers, opcode, unique, &body);
            send(peer, &message);
            // GETATTR, which is replied to when the other one has been.
            send(peer, &request(3, MARK, 1, &[0; 16]));
            let mut replies = 0;
            loop {
                let (replied, error, _) = receive(peer);
                match replied {
                    MARK => break,
                    // An interruption of what is not there is given back.
                    _ if opcode == 36 => assert_eq!(error, libc::EAGAIN),
                    _ => {
                        assert_eq!(replied, unique, "opcode {opcode}");
                        replies += 1;
                    }
                }
            }
            let expected = usize::from(!WITHOUT_REPLY.contains(&opcode));
            assert_eq!(replies, expected, "opcode {opcode}: {message:?}");
        }
    }
}

#[test]
fn each_request_has_one_reply_whatever_is_wrong_with_it() {
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    common::install_logger();
    let (ours, theirs) = packets();
    let session = Session::builder(Anything).custom_io(theirs).unwrap();
    let session = session.spawn().unwrap();
    send(&ours, &init());
    assert_eq!(receive(&ours).1, 0);
    try_all(&ours, &mut Numbers(0x9e37_79b9_7f4a_7c15));
    drop(ours);
    assert_eq!(session.join().unwrap(), ExitReason::Disconnected);
    // A handler that panics has been given what the kernel never sends.
    common::assert_quiet();
}
