//! Peers that send what the kernel of a mount never does, and as much as they like.

use std::ffi::OsStr;
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use libfuse3::*;

use crate::common;
use crate::common::Gate;
use crate::common::Recorder;
use crate::common::TimeLimit;
use crate::custom_io::Answer;
use crate::custom_io::FORGET;
use crate::custom_io::INIT;
use crate::custom_io::LOOKUP;
use crate::custom_io::init;
use crate::custom_io::packets;
use crate::custom_io::receive;
use crate::custom_io::request;
use crate::custom_io::run_with;
use crate::custom_io::send;
use crate::fs::Fs;

const SYMLINK: u32 = 6;
const MKNOD: u32 = 8;
const MKDIR: u32 = 9;
const UNLINK: u32 = 10;
const RMDIR: u32 = 11;
const RENAME: u32 = 12;
const LINK: u32 = 13;
const WRITE: u32 = 16;
const SETXATTR: u32 = 21;
const GETXATTR: u32 = 22;
const REMOVEXATTR: u32 = 24;
const CREATE: u32 = 35;
const INTERRUPT: u32 = 36;
const NOTIFY_REPLY: u32 = 41;
const BATCH_FORGET: u32 = 42;
const RENAME2: u32 = 45;

/// `FUSE_EXPORT_SUPPORT` and `FUSE_SETXATTR_EXT` of INIT.
const EXPORT_SUPPORT: u32 = 1 << 4;
const SETXATTR_EXT: u32 = 1 << 29;

/// What a handler that is called replies.
const CALLED: Errno = Errno::ENODATA;

/// Tells that a handler was called, for all operations with names.
#[derive(Default)]
struct Named {
    wanted: Capabilities,
    values: Recorder<(String, Vec<u8>)>,
}

impl Operations for Named {
    fn init(&self, conn: &mut ConnInfo) -> Result<()> {
        conn.want(self.wanted)
    }

    async fn lookup(&self, _: Inode, _: &OsStr, _: &RequestContext) -> Result<EntryAttributes> {
        Err(CALLED)
    }

    async fn mknod(
        &self,
        _: Inode,
        _: &OsStr,
        _: u32,
        _: u64,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        Err(CALLED)
    }

    async fn mkdir(
        &self,
        _: Inode,
        _: &OsStr,
        _: u32,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        Err(CALLED)
    }

    async fn unlink(&self, _: Inode, _: &OsStr, _: &RequestContext) -> Result<()> {
        Err(CALLED)
    }

    async fn rmdir(&self, _: Inode, _: &OsStr, _: &RequestContext) -> Result<()> {
        Err(CALLED)
    }

    async fn symlink(
        &self,
        _: Inode,
        _: &OsStr,
        _: &OsStr,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        Err(CALLED)
    }

    async fn rename(&self, _: Rename<'_>, _: &RequestContext) -> Result<()> {
        Err(CALLED)
    }

    async fn link(
        &self,
        _: Inode,
        _: Inode,
        _: &OsStr,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        Err(CALLED)
    }

    async fn create(
        &self,
        _: Inode,
        _: &OsStr,
        _: u32,
        _: OpenFlags,
        _: &RequestContext,
    ) -> Result<(FileInfo, EntryAttributes)> {
        Err(CALLED)
    }

    async fn setxattr(
        &self,
        _: Inode,
        name: &OsStr,
        value: &[u8],
        _: XattrFlags,
        _: &RequestContext,
    ) -> Result<()> {
        let name = name.display().to_string();
        self.values.record((name, value.to_vec()));
        Err(CALLED)
    }

    async fn getxattr(&self, _: Inode, _: &OsStr, _: &RequestContext) -> Result<Vec<u8>> {
        Err(CALLED)
    }

    async fn removexattr(&self, _: Inode, _: &OsStr, _: &RequestContext) -> Result<()> {
        Err(CALLED)
    }
}

/// INIT of version 7.33 that offers `capabilities`.
fn init_with(flags: u32) -> Vec<u8> {
    let body = [7, 33, 0, flags].map(u32::to_ne_bytes).concat();
    request(INIT, 2, 0, &body)
}

/// A session of these operations that has agreed to INIT, and its peer's end.
fn start(ops: Named, flags: u32) -> (BackgroundSession, Arc<Named>, OwnedFd) {
    common::install_logger();
    let (ours, theirs) = packets();
    let session = Session::builder(ops).custom_io(theirs).unwrap();
    let ops = Arc::clone(session.operations());
    let session = session.spawn().unwrap();
    send(&ours, &init_with(flags));
    assert_eq!(receive(&ours).1, 0);
    (session, ops, ours)
}

/// The error that a request is replied to with.
fn error_of(peer: &OwnedFd, opcode: u32, body: &[u8]) -> Errno {
    send(peer, &request(opcode, 4, 1, body));
    let (unique, error, body) = receive(peer);
    assert_eq!((unique, body.len()), (4, 0));
    Errno::from(std::io::Error::from_raw_os_error(error))
}

/// Each operation with names: what stands before them in its body, and how many there are.
const WITH_NAMES: [(u32, usize, usize); 11] = [
    (LOOKUP, 0, 1),
    (UNLINK, 0, 1),
    (RMDIR, 0, 1),
    (SYMLINK, 0, 1),
    (MKDIR, 8, 1),
    (LINK, 8, 1),
    (MKNOD, 16, 1),
    (CREATE, 16, 1),
    (RENAME, 8, 2),
    (RENAME2, 16, 2),
    (REMOVEXATTR, 0, 1),
];

/// The body of such an operation, with this name in place of its name of this number.
fn body_with(opcode: u32, fixed: usize, count: usize, index: usize, name: &[u8]) -> Vec<u8> {
    let mut body = vec![0; fixed];
    for other in 0..count {
        body.extend(if other == index { name } else { b"other" });
        body.push(0);
    }
    if opcode == SYMLINK {
        body.extend(b"../target\0");
    }
    body
}

#[test]
fn names_that_the_kernel_never_sends_reach_no_handler() {
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    let (session, _, peer) = start(Named::default(), 0);
    let long = [b'x'; 4096];
    for (name, expected) in [
        (&b"name"[..], CALLED),
        (b"...", CALLED),
        (b"\xff \\*", CALLED),
        (&long[1..], CALLED),
        (&long, Errno::ENAMETOOLONG),
        (b"", Errno::EINVAL),
        (b".", Errno::EINVAL),
        (b"..", Errno::EINVAL),
        (b"/", Errno::EINVAL),
        (b"/etc/hostname", Errno::EINVAL),
        (b"../made outside", Errno::EINVAL),
        (b"name/", Errno::EINVAL),
    ] {
        for (opcode, fixed, count) in WITH_NAMES {
            // Of names of attributes nothing is known but that they are not empty.
            let expected = match (opcode, expected) {
                (REMOVEXATTR, Errno::EINVAL) if !name.is_empty() => CALLED,
                _ => expected,
            };
            for index in 0..count {
                let body = body_with(opcode, fixed, count, index, name);
                let error = error_of(&peer, opcode, &body);
                assert_eq!(
                    error,
                    expected,
                    "{opcode} {index} {:?}",
                    name.escape_ascii()
                );
            }
        }
    }
    assert_eq!(error_of(&peer, SYMLINK, b"name\0\0"), Errno::EINVAL);
    assert_eq!(error_of(&peer, GETXATTR, &[0; 9]), Errno::EINVAL);
    assert_eq!(error_of(&peer, SETXATTR, &[0; 9]), Errno::EINVAL);
    drop(peer);
    assert_eq!(session.join().unwrap(), ExitReason::Disconnected);
}

#[test]
fn dots_are_looked_up_where_export_support_was_agreed_on() {
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    const { assert!(Named::SUPPORTS_DOT_LOOKUP) };
    let (session, _, peer) = start(Named::default(), EXPORT_SUPPORT);
    assert_eq!(error_of(&peer, LOOKUP, b".\0"), CALLED);
    assert_eq!(error_of(&peer, LOOKUP, b"..\0"), CALLED);
    assert_eq!(error_of(&peer, LOOKUP, b"../x\0"), Errno::EINVAL);
    assert_eq!(error_of(&peer, UNLINK, b"..\0"), Errno::EINVAL);
    drop(peer);
    assert_eq!(session.join().unwrap(), ExitReason::Disconnected);
}

/// A body of SETXATTR in the layout that takes so many bytes before the name.
fn setxattr(fixed: usize, name: &str, value: &[u8], size: u32) -> Vec<u8> {
    let mut body = size.to_ne_bytes().to_vec();
    body.resize(fixed, 0);
    body.extend(name.as_bytes());
    body.push(0);
    body.extend(value);
    body
}

/// Whether libfuse may take the name, or some of the value, for something else: unpatched 3.13.0 to 3.14.0.
const MISTAKES: bool = cfg!(libfuse_since = "3.13") && !cfg!(libfuse_since = "3.15");

#[test]
fn setxattr_shows_nothing_of_an_earlier_request() {
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    let (session, ops, peer) = start(Named::default(), 0);
    let mut earlier = vec![0; 40];
    earlier[16..20].copy_from_slice(&130_000_u32.to_ne_bytes());
    earlier.resize(40 + 130_000, b'e');
    assert_eq!(error_of(&peer, WRITE, &earlier), Errno::ENOSYS);
    for name in ["a", "user.x", "user.name"] {
        for size in [0, 1, 7, 8, 9, 100, 50_000, 100_000] {
            let value = vec![b'v'; size as usize];
            let body = setxattr(8, name, &value, size);
            match error_of(&peer, SETXATTR, &body) {
                CALLED => {
                    let (_, seen) = ops.values.next();
                    assert_eq!(seen.len(), value.len());
                    let is_own = seen.iter().all(|byte| [b'v', 0].contains(byte));
                    assert!(is_own, "{name} {size}");
                    assert!(seen == value || MISTAKES, "{name} {size}");
                }
                // What it has found is no name.
                Errno::EINVAL | Errno::ENAMETOOLONG if MISTAKES => (),
                error => panic!("{error}: {name} {size}"),
            }
            // One byte more than there is.
            let body = setxattr(8, name, &value, size + 1);
            assert_eq!(error_of(&peer, SETXATTR, &body), Errno::EINVAL);
        }
    }
    ops.values.expect_nothing();
    drop(peer);
    assert_eq!(session.join().unwrap(), ExitReason::Disconnected);
}

#[test]
fn setxattr_is_read_in_the_layout_that_was_agreed_on() {
    if !cfg!(libfuse_since = "3.15") {
        return common::skip("this libfuse does not offer SETXATTR_EXT");
    }
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    let ops = Named {
        wanted: Capabilities::SETXATTR_EXT,
        ..Named::default()
    };
    let (session, ops, peer) = start(ops, SETXATTR_EXT);
    let body = setxattr(16, "user.x", b"value", 5);
    assert_eq!(error_of(&peer, SETXATTR, &body), CALLED);
    assert_eq!(ops.values.next(), ("user.x".to_owned(), b"value".to_vec()));
    for body in [
        setxattr(16, "user.x", b"value", 6),
        setxattr(16, "user.x", b"value", 100_000),
        setxattr(8, "user.x", b"value", 5),
        setxattr(8, "", b"", 0),
    ] {
        assert_eq!(error_of(&peer, SETXATTR, &body), Errno::EINVAL);
    }
    ops.values.expect_nothing();
    drop(peer);
    assert_eq!(session.join().unwrap(), ExitReason::Disconnected);
}

#[test]
fn interruptions_of_unknown_requests_are_not_collected() {
    let (ours, theirs) = packets();
    let running = run_with(Fs::default(), theirs, |builder| builder);
    send(&ours, &init());
    assert_eq!(receive(&ours).1, 0);
    let interrupt = |unique: u64| {
        let body = (unique & !1).to_ne_bytes();
        send(&ours, &request(INTERRUPT, unique, 0, &body));
    };
    interrupt(1001);
    for unique in (1003..20_000).step_by(2) {
        interrupt(unique);
        // The one before is given back, without any other request.
        assert_eq!(receive(&ours), (unique - 2, libc::EAGAIN, vec![]));
    }
    send(&ours, &request(LOOKUP, 4, 1, b"data\0"));
    assert_eq!(receive(&ours), (19_999, libc::EAGAIN, vec![]));
    assert_eq!(receive(&ours).0, 4);
    drop(ours);
    assert_eq!(running.ends().unwrap(), ExitReason::Disconnected);
}

#[test]
fn what_wants_no_reply_gets_none_at_any_time() {
    let (ours, theirs) = packets();
    let running = run_with(Fs::default(), theirs, |builder| builder);
    let send_all = || {
        for (opcode, len) in [(FORGET, 8), (BATCH_FORGET, 8), (NOTIFY_REPLY, 40)] {
            send(&ours, &request(opcode, 8, 1, &vec![0; len]));
        }
    };
    send_all();
    send(&ours, &request(INTERRUPT, 9, 0, &[0; 8]));
    send(&ours, &init());
    assert_eq!(receive(&ours).0, 2);
    send_all();
    send(&ours, &request(LOOKUP, 4, 1, b"data\0"));
    assert_eq!(receive(&ours).0, 4);
    drop(ours);
    assert_eq!(running.ends().unwrap(), ExitReason::Disconnected);
    common::assert_quiet();
}

#[test]
fn init_is_done_with_before_another_request_is_received() {
    for _ in 0..20 {
        let inits = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&inits);
        let ops = Fs::default().on_init(move || {
            count.fetch_add(1, Ordering::Relaxed);
            Ok(())
        });
        let (ours, theirs) = packets();
        let running = run_with(ops, theirs, |builder| builder.reader_threads(4));
        let mut again = init();
        again[8] = 4;
        for message in [init(), again, request(LOOKUP, 6, 1, b"data\0")] {
            send(&ours, &message);
        }
        let mut answers: Vec<Answer> = (0..3).map(|_| receive(&ours)).collect();
        answers.sort_by_key(|answer| answer.0);
        let errors: Vec<_> = answers.iter().map(|answer| answer.1).collect();
        assert_eq!(errors, [0, libc::EIO, 0]);
        assert_eq!(inits.load(Ordering::Relaxed), 1);
        drop(ours);
        assert_eq!(running.ends().unwrap(), ExitReason::Disconnected);
    }
    common::assert_quiet();
}

#[test]
fn the_queue_has_an_end_and_lets_interruptions_through() {
    /// As many as wait, and as many as are queued.
    const ROOM: u64 = 1 + 16_384;

    let gate = Gate::new();
    let ops = Fs::new({
        let gate = gate.clone();
        move |_| {
            let gate = gate.clone();
            async move {
                gate.pass().await;
                Ok(())
            }
        }
    });
    let (ours, theirs) = packets();
    let running = run_with(ops, theirs, |builder| {
        builder
            .max_in_flight(1)
            .shutdown_timeout(Duration::from_millis(100))
    });
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    send(&ours, &init());
    assert_eq!(receive(&ours).1, 0);
    let unique = |index: u64| 2 * index + 2;
    for index in 1..=ROOM {
        send(&ours, &request(LOOKUP, unique(index), 1, b"x\0"));
    }
    send(&ours, &request(LOOKUP, 4_000_000, 1, b"x\0"));
    assert_eq!(receive(&ours), (4_000_000, libc::ENOMEM, vec![]));
    // From the middle of the queue, its end and its beginning.
    for index in [ROOM / 2, ROOM, 2] {
        let interrupt = request(
            INTERRUPT,
            unique(index) | 1,
            0,
            &unique(index).to_ne_bytes(),
        );
        send(&ours, &interrupt);
        assert_eq!(receive(&ours), (unique(index), libc::EINTR, vec![]));
    }
    // There is room again.
    send(&ours, &request(LOOKUP, 4_000_002, 1, b"data\0"));
    gate.open();
    let mut replied: Vec<_> = (1..ROOM - 1).map(|_| receive(&ours).0).collect();
    replied.sort_unstable();
    let expected = (1..ROOM).filter(|index| ![ROOM / 2, 2].contains(index));
    let expected: Vec<_> = expected.map(unique).chain([4_000_002]).collect();
    assert!(replied == expected, "{} replies", replied.len());
    drop(ours);
    assert_eq!(running.ends().unwrap(), ExitReason::Disconnected);
}

/// A session that C makes and runs, whose requests come from a socket.
#[test]
fn names_are_looked_at_in_sessions_that_c_runs() {
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    let (ours, theirs) = packets();
    let ops = Session::builder(Named::default()).lowlevel_ops().unwrap();
    let path = format!("/dev/fd/{}", theirs.as_raw_fd());
    let session = crate::lowlevel_ops::CSession::new(&ops).mount_at(path.as_ref());
    let running = session.start_loop();
    send(&ours, &init());
    assert_eq!(receive(&ours).1, 0);
    assert_eq!(error_of(&ours, LOOKUP, b"name\0"), CALLED);
    assert_eq!(error_of(&ours, LOOKUP, b"../name\0"), Errno::EINVAL);
    assert_eq!(error_of(&ours, UNLINK, b".\0"), Errno::EINVAL);
    session.exit();
    // So that libfuse looks whether it shall go on.
    send(&ours, &request(LOOKUP, 4, 1, b"name\0"));
    running.join().unwrap();
    ops.stop();
    // libfuse closes it.
    std::mem::forget(theirs);
    session.destroy();
}
