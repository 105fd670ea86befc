//! Commands: `ioctl`, and `bmap`, which comes of one.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use libfuse3::Capabilities;
use libfuse3::Errno;
use libfuse3::Inode;
use libfuse3::IoctlFlags;
use libfuse3::IoctlRange;
use libfuse3::IoctlReply;
use libfuse3::MountOptions;

use crate::common;
use crate::common::LoopDevice;
use crate::common::assert_logged;
use crate::common::assert_quiet;
use crate::common::errno;
use crate::common::require_fuse;
use crate::common::require_root;
use crate::scripted::Call;
use crate::scripted::HANDLE;
use crate::scripted::Scripted;
use crate::scripted::answer;
use crate::scripted::file;
use crate::scripted::this_caller;

const WRITE: u32 = 1;
const READ: u32 = 2;

/// The number of a command, as C's `_IOC` makes it.
const fn command(direction: u32, number: u32, size: usize) -> u32 {
    direction << 30 | (size as u32) << 16 | 0xe5 << 8 | number
}

/// A command with a buffer.
fn ioctl(file: &File, cmd: u32, buffer: &mut [u8]) -> io::Result<i32> {
    assert!(buffer.len() >= (cmd >> 16 & 0x3fff) as usize);
    // SAFETY: the buffer is as long as the command says.
    match unsafe { libc::ioctl(file.as_raw_fd(), cmd as libc::Ioctl, buffer.as_mut_ptr()) } {
        -1 => Err(io::Error::last_os_error()),
        result => Ok(result),
    }
}

/// A command without a buffer.
fn ioctl_with_number(file: &File, cmd: u32, number: u64) -> io::Result<i32> {
    assert_eq!(cmd >> 16, 0);
    // SAFETY: the command does not use memory.
    match unsafe { libc::ioctl(file.as_raw_fd(), cmd as libc::Ioctl, number) } {
        -1 => Err(io::Error::last_os_error()),
        result => Ok(result),
    }
}

// ---- ioctl -------------------------------------------------------------------------------------

#[test]
fn ioctl_sends_and_receives_what_the_command_says() {
    require_fuse!();
    let mut fs = Scripted::with_file(10);
    answer!(
        fs.ioctl = |ioctl| {
            let output: Vec<u8> = (0..ioctl.output_size).map(|n| (n + 1) as u8).collect();
            Ok(IoctlReply::with_output(ioctl.cmd as i32 & 0xff, output))
        }
    );
    let mounted = common::mount(fs);
    let opened = File::open(mounted.join("file")).unwrap();
    mounted.ops.calls.drain();
    for (cmd, sends, receives) in [
        (command(0, 1, 0), 0, 0),
        (command(WRITE, 2, 8), 8, 0),
        (command(READ, 3, 16), 0, 16),
        (command(READ | WRITE, 4, 100), 100, 100),
        (command(READ | WRITE, 5, 0x3fff), 0x3fff, 0x3fff),
    ] {
        let mut buffer = vec![0xaa; 0x4000];
        let result = if sends + receives == 0 {
            ioctl_with_number(&opened, cmd, 0x1234_5678_9abc)
        } else {
            ioctl(&opened, cmd, &mut buffer)
        };
        assert_eq!(result.unwrap(), cmd as i32 & 0xff);
        let (call, caller) = mounted.ops.next_call();
        let Call::Ioctl(given, given_cmd, arg, flags, input, output_size) = call else {
            panic!("{call:?}")
        };
        assert_eq!((given.inode, given.fh, given_cmd), (Inode(2), HANDLE, cmd));
        assert_eq!(caller.pid, this_caller(0).pid);
        assert_eq!(flags, IoctlFlags::empty());
        let address = buffer.as_ptr().addr() as u64;
        let expected = if sends + receives == 0 {
            0x1234_5678_9abc
        } else {
            address
        };
        assert_eq!(arg, expected);
        assert_eq!(input, vec![0xaa; sends]);
        assert_eq!(output_size, receives);
        let received: Vec<u8> = (0..receives).map(|n| (n + 1) as u8).collect();
        assert_eq!(buffer[..receives], received);
        assert!(buffer[receives..].iter().all(|byte| *byte == 0xaa));
    }
    assert_quiet();
}

#[test]
fn ioctl_may_receive_less_than_there_is_room_for() {
    require_fuse!();
    let mut fs = Scripted::with_file(10);
    answer!(fs.ioctl = |_| Ok(IoctlReply::with_output(7, *b"abc")));
    let mounted = common::mount(fs);
    let opened = File::open(mounted.join("file")).unwrap();
    let mut buffer = *b"________";
    let result = ioctl(&opened, command(READ, 1, 8), &mut buffer);
    assert_eq!((result.unwrap(), &buffer), (7, b"abc_____"));
    assert_quiet();
}

#[test]
fn ioctl_returns_the_error_of_the_handler() {
    require_fuse!();
    // That of one that is not implemented says the same as that of one which knows no command.
    for (answer, expected) in [
        (Errno::EBUSY, libc::EBUSY),
        (Errno::ENOTTY, libc::ENOTTY),
        (Errno::NOT_IMPLEMENTED, libc::ENOTTY),
    ] {
        let mut fs = Scripted::with_file(10);
        answer!(fs.ioctl = move |_| Err(answer));
        let mounted = common::mount(fs);
        let opened = File::open(mounted.join("file")).unwrap();
        for _ in 0..2 {
            let result = ioctl_with_number(&opened, command(0, 1, 0), 5);
            assert_eq!(errno(result), expected);
        }
        let calls = mounted.ops.count(|call| matches!(call, Call::Ioctl(..)));
        assert_eq!(calls, 2, "{answer:?}");
    }
    assert_quiet();
}

#[test]
fn an_answer_to_ioctl_that_cannot_be_is_refused() {
    require_fuse!();
    let retry = IoctlReply::Retry {
        input: vec![IoctlRange {
            address: 4096,
            len: 8,
        }],
        output: Vec::new(),
    };
    for (reply, why) in [
        (
            IoctlReply::with_output(0, [0; 9]),
            "9 bytes where there is room for 8",
        ),
        (
            IoctlReply::with_output(0, vec![0; 1 << 21]),
            "2097152 bytes where there is room for 8",
        ),
        (IoctlReply::new(-22), "returned -22"),
        (retry, "does not let it ask for memory"),
    ] {
        let mut fs = Scripted::with_file(10);
        answer!(fs.ioctl = move |_| Ok(reply.clone()));
        let mounted = common::mount(fs);
        let opened = File::open(mounted.join("file")).unwrap();
        let mut buffer = [1; 16];
        let result = ioctl(&opened, command(READ | WRITE, 1, 8), &mut buffer);
        assert_eq!(errno(result), libc::EIO);
        assert_logged(&["ioctl of inode 2", why, "EIO"]);
        assert_eq!(buffer, [1; 16]);
    }
}

#[test]
fn ioctl_of_directories_comes_if_asked_for() {
    require_fuse!();
    for asked in [false, true] {
        let mut fs = Scripted::new();
        answer!(fs.ioctl = |_| Ok(IoctlReply::new(3)));
        if asked {
            answer!(fs.init = |conn| conn.want(Capabilities::IOCTL_DIR));
        }
        let mounted = common::mount(fs);
        let opened = File::open(mounted.path()).unwrap();
        let result = ioctl_with_number(&opened, command(0, 1, 0), 5);
        if asked {
            assert_eq!(result.unwrap(), 3);
            let call = mounted
                .ops
                .calls
                .find(|(call, _)| matches!(call, Call::Ioctl(..)));
            let Call::Ioctl(given, _, 5, IoctlFlags::DIR, ..) = call.0 else {
                panic!("{call:?}")
            };
            assert_eq!(given.inode, Inode::ROOT);
        } else {
            assert_eq!(errno(result), libc::ENOTTY);
            let calls = mounted.ops.count(|call| matches!(call, Call::Ioctl(..)));
            assert_eq!(calls, 0);
        }
        assert_quiet();
    }
}

// ---- bmap --------------------------------------------------------------------------------------

/// `_IO(0, 1)`, from linux/fs.h; libc lacks it.
const FIBMAP: libc::Ioctl = 1;

#[test]
fn bmap_finds_the_block_of_a_file_on_a_device() {
    require_fuse!();
    require_root!();
    let Some(device) = LoopDevice::available() else {
        return;
    };
    for implemented in [true, false] {
        let attr = libfuse3::EntryAttributes {
            size: 100_000,
            ..file(2)
        };
        let mut fs = Scripted::new().with("file", attr);
        if implemented {
            answer!(fs.bmap = |index| Ok(index + 1000));
        }
        let options = MountOptions::default().blkdev().fsname(&device.path);
        let mounted = common::mount_with(fs, |builder| builder.options(options));
        let info = common::mountinfo_of(mounted.path()).unwrap();
        assert!(info.kind.starts_with("fuseblk"), "{info:?}");
        let opened = File::open(mounted.join("file")).unwrap();
        mounted.ops.calls.drain();
        for index in [0, 7] {
            let mut block: i32 = index;
            // SAFETY: FIBMAP reads and writes one integer.
            let result = unsafe { libc::ioctl(opened.as_raw_fd(), FIBMAP, &mut block) };
            assert_eq!(result, 0, "{}", io::Error::last_os_error());
            assert_eq!(block, if implemented { index + 1000 } else { 0 });
            if implemented {
                let (call, _) = mounted.ops.next_call();
                let Call::Bmap(Inode(2), blocksize, given) = call else {
                    panic!("{call:?}")
                };
                assert!(blocksize.is_power_of_two() && blocksize >= 512);
                assert_eq!(given, index as u64);
            }
        }
        if !implemented {
            let calls = mounted.ops.count(|call| matches!(call, Call::Bmap(..)));
            assert_eq!(calls, 1);
        }
        drop(opened);
    }
    assert_quiet();
}
