//! Requests that come from a socket or pipes, in place of the kernel.
//!
//! The other side is played byte by byte here; what handlers get out of that is in `tests/testing.rs`.

use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Write;
use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicI32;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use libfuse3::*;
use rustix::net::AddressFamily;
use rustix::net::SocketFlags;
use rustix::net::SocketType;
use rustix::net::socketpair;

use crate::common;
use crate::common::TimeLimit;
use crate::fs::Fs;

pub(crate) const INIT: u32 = 26;
pub(crate) const LOOKUP: u32 = 1;
pub(crate) const FORGET: u32 = 2;
pub(crate) const READ: u32 = 15;
pub(crate) const DESTROY: u32 = 38;

/// A request of linux/fuse.h.
pub(crate) fn request(opcode: u32, unique: u64, node: u64, body: &[u8]) -> Vec<u8> {
    let len = 40 + body.len() as u32;
    let mut message = [len, opcode].map(u32::to_ne_bytes).concat();
    message.extend([unique, node].map(u64::to_ne_bytes).concat());
    message.extend([0; 16]);
    message.extend(body);
    message
}

pub(crate) fn init() -> Vec<u8> {
    // Version 7.31, no readahead, FUSE_PARALLEL_DIROPS.
    let body = [7, 31, 0, 1 << 18].map(u32::to_ne_bytes).concat();
    request(INIT, 2, 0, &body)
}

pub(crate) fn read_request(unique: u64, offset: u64, size: u32) -> Vec<u8> {
    let mut body = [0, offset].map(u64::to_ne_bytes).concat();
    body.extend(size.to_ne_bytes());
    body.resize(40, 0);
    request(READ, unique, 2, &body)
}

/// An answer: its unique number, its error, its body.
pub(crate) type Answer = (u64, i32, Vec<u8>);

fn parse(message: &[u8]) -> Answer {
    let number = |at: usize| u32::from_ne_bytes(message[at..at + 4].try_into().unwrap());
    assert_eq!(number(0) as usize, message.len(), "its length is another");
    let unique = u64::from_ne_bytes(message[8..16].try_into().unwrap());
    (unique, -number(4).cast_signed(), message[16..].to_vec())
}

pub(crate) fn answer(mut from: impl Read) -> Answer {
    let mut message = vec![0; 16];
    from.read_exact(&mut message).expect("an answer");
    let len = u32::from_ne_bytes(message[..4].try_into().unwrap());
    message.resize(len as usize, 0);
    from.read_exact(&mut message[16..]).expect("its body");
    parse(&message)
}

/// Sends INIT, and looks at the answer, of which this returns the flags.
fn agree(mut to: impl Write, from: impl Read) -> u32 {
    to.write_all(&init()).unwrap();
    let (unique, error, body) = answer(from);
    assert_eq!((unique, error), (2, 0));
    assert_eq!(body[..4], 7_u32.to_ne_bytes());
    u32::from_ne_bytes(body[12..16].try_into().unwrap())
}

pub(crate) struct Running {
    pub(crate) session: Option<BackgroundSession>,
    pub(crate) ops: Arc<Fs>,
    dropped: Arc<AtomicBool>,
    _limit: TimeLimit,
}

/// Whether this libfuse can do with more than packets. Says so if not.
fn takes_streams() -> bool {
    if cfg!(libfuse_since = "3.13") {
        let (a, _b) = UnixStream::pair().unwrap();
        match Session::builder(Fs::default()).custom_io(a) {
            Err(Error::CustomIo(why)) if why.contains("without custom I/O") => common::skip(why),
            _ => return true,
        }
    } else {
        common::skip("libfuse is older than 3.13");
    }
    false
}

pub(crate) fn run_with(
    ops: Fs,
    io: impl Into<CustomIo>,
    configure: impl FnOnce(SessionBuilder<Fs>) -> SessionBuilder<Fs>,
) -> Running {
    let _limit = TimeLimit::new(Duration::from_secs(20));
    common::install_logger();
    let dropped = Arc::clone(&ops.dropped);
    let session = configure(Session::builder(ops)).custom_io(io).unwrap();
    assert_eq!(session.mountpoint(), "");
    let ops = Arc::clone(session.operations());
    Running {
        session: Some(session.spawn().unwrap()),
        ops,
        dropped,
        _limit,
    }
}

fn run(io: impl Into<CustomIo>) -> Running {
    run_with(Fs::default(), io, |builder| builder)
}

impl Running {
    pub(crate) fn handle(&self) -> SessionHandle {
        self.session.as_ref().unwrap().handle()
    }

    /// Waits for the end, after which nothing of the session is left.
    #[track_caller]
    pub(crate) fn ends(mut self) -> Result<ExitReason, Error> {
        let result = self.session.take().unwrap().join();
        let destroyed = self.ops.destroyed.load(Ordering::Acquire);
        assert!(destroyed || result.is_err(), "not destroyed");
        drop(self.ops);
        assert!(self.dropped.load(Ordering::Acquire), "leaked");
        result
    }
}

#[test]
fn a_stream_socket_until_the_other_side_hangs_up() {
    common::require!(takes_streams());
    let (ours, theirs) = UnixStream::pair().unwrap();
    let running = run(theirs);
    let flags = agree(&ours, &ours);
    assert_ne!(flags & 1 << 18, 0, "no parallel lookups");
    (&ours)
        .write_all(&request(LOOKUP, 4, 1, b"data\0"))
        .unwrap();
    let (unique, error, body) = answer(&ours);
    assert_eq!((unique, error, body.len()), (4, 0, 128));
    assert_eq!(body[..8], 2_u64.to_ne_bytes());
    (&ours)
        .write_all(&request(LOOKUP, 6, 1, b"other\0"))
        .unwrap();
    assert_eq!(answer(&ours), (6, libc::ENOENT, vec![]));
    drop(ours);
    assert_eq!(running.ends().unwrap(), ExitReason::Disconnected);
    common::assert_quiet();
}

#[test]
fn a_stream_that_comes_in_pieces() {
    common::require!(takes_streams());
    let (ours, theirs) = UnixStream::pair().unwrap();
    let running = run(theirs);
    let mut stream = init();
    for unique in 2..10 {
        stream.extend(request(LOOKUP, unique * 2, 1, b"data\0"));
    }
    for piece in stream.chunks(7) {
        (&ours).write_all(piece).unwrap();
    }
    for unique in 1..10 {
        let (answered, error, _) = answer(&ours);
        assert_eq!((answered, error), (unique * 2, 0));
    }
    // What is left over is no request.
    (&ours).write_all(&stream[..20]).unwrap();
    drop(ours);
    assert_eq!(running.ends().unwrap(), ExitReason::Disconnected);
    common::assert_logged(&["in the middle of a request"]);
}

#[test]
fn a_pair_of_pipes() {
    common::require!(takes_streams());
    let (requests, mut ours) = io::pipe().unwrap();
    let (mut answers, theirs) = io::pipe().unwrap();
    let running = run(CustomIo::pair(requests, theirs));
    agree(&mut ours, &mut answers);
    ours.write_all(&read_request(4, 0, 65536)).unwrap();
    let (unique, error, body) = answer(&mut answers);
    assert_eq!((unique, error, body.len()), (4, 0, 65536));
    drop(ours);
    assert_eq!(running.ends().unwrap(), ExitReason::Disconnected);
    // Both ends were closed.
    assert_eq!(answers.read(&mut [0]).unwrap(), 0);
    common::assert_quiet();
}

pub(crate) fn packets() -> (OwnedFd, OwnedFd) {
    let flags = SocketFlags::CLOEXEC;
    socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap()
}

pub(crate) fn send(to: &OwnedFd, message: &[u8]) {
    assert_eq!(rustix::io::write(to, message).unwrap(), message.len());
}

pub(crate) fn receive(from: &OwnedFd) -> Answer {
    let mut message = vec![0; 1 << 20];
    let len = rustix::io::read(from, &mut message).unwrap();
    parse(&message[..len])
}

#[test]
fn a_packet_socket() {
    let (ours, theirs) = packets();
    let running = run(theirs);
    send(&ours, &init());
    assert_eq!(receive(&ours).1, 0);
    send(&ours, &request(LOOKUP, 4, 1, b"data\0"));
    assert_eq!(receive(&ours).0, 4);
    drop(ours);
    assert_eq!(running.ends().unwrap(), ExitReason::Disconnected);
    common::assert_quiet();
}

#[test]
fn no_reader_looks_for_packets_before_it_sleeps() {
    common::install_tracing_logger();
    let (ours, theirs) = packets();
    let running = run_with(Fs::default(), theirs, |builder| {
        builder.busy_poll(Duration::from_millis(1))
    });
    send(&ours, &init());
    assert_eq!(receive(&ours).1, 0);
    drop(ours);
    assert_eq!(running.ends().unwrap(), ExitReason::Disconnected);
    assert_eq!(crate::busy_poll::looks(""), 0);
}

#[test]
fn an_answer_that_is_too_large_for_a_packet() {
    common::require!(takes_streams());
    let (ours, theirs) = packets();
    rustix::net::sockopt::set_socket_send_buffer_size(&theirs, 8192).unwrap();
    let running = run(theirs);
    send(&ours, &init());
    assert_eq!(receive(&ours).1, 0);
    send(&ours, &read_request(4, 0, 65536));
    assert_eq!(receive(&ours), (4, libc::EIO, vec![]));
    send(&ours, &read_request(6, 0, 4096));
    assert_eq!(receive(&ours).2.len(), 4096);
    drop(ours);
    assert_eq!(running.ends().unwrap(), ExitReason::Disconnected);
    common::assert_logged(&["too large for the socket"]);
}

#[test]
fn a_socket_that_does_not_block() {
    common::require!(takes_streams());
    let (ours, theirs) = UnixStream::pair().unwrap();
    theirs.set_nonblocking(true).unwrap();
    let running = run(theirs);
    agree(&ours, &ours);
    // More than the socket holds, and nobody takes it yet.
    for unique in 2..20 {
        (&ours).write_all(&read_request(unique, 0, 65536)).unwrap();
    }
    for unique in 2..20 {
        let (answered, error, body) = answer(&ours);
        assert_eq!((answered, error, body.len()), (unique, 0, 65536));
    }
    drop(ours);
    assert_eq!(running.ends().unwrap(), ExitReason::Disconnected);
    common::assert_quiet();
}

#[test]
fn answers_of_several_threads_do_not_get_mixed_up() {
    common::require!(takes_streams());
    let (ours, theirs) = UnixStream::pair().unwrap();
    let running = run_with(Fs::default(), theirs, |builder| builder.reader_threads(4));
    agree(&ours, &ours);
    const COUNT: u64 = 400;
    thread::scope(|scope| {
        scope.spawn(|| {
            for unique in 2..COUNT {
                let message = read_request(unique, 0, 50_000 + unique as u32);
                (&ours).write_all(&message).unwrap();
            }
        });
        let mut seen: Vec<u64> = (2..COUNT)
            .map(|_| {
                let (unique, error, body) = answer(&ours);
                assert_eq!((error, body.len()), (0, 50_000 + unique as usize));
                assert!(body.iter().all(|byte| *byte == 0));
                unique
            })
            .collect();
        seen.sort_unstable();
        assert_eq!(seen, (2..COUNT).collect::<Vec<_>>());
    });
    drop(ours);
    assert_eq!(running.ends().unwrap(), ExitReason::Disconnected);
    common::assert_quiet();
}

#[test]
fn requests_that_the_kernel_never_sends() {
    let (ours, theirs) = packets();
    let running = run(theirs);
    // Before INIT.
    send(&ours, &request(LOOKUP, 4, 1, b"data\0"));
    assert_eq!(receive(&ours), (4, libc::EIO, vec![]));
    send(&ours, &request(INIT, 6, 0, b"short"));
    assert_eq!(receive(&ours), (6, libc::EINVAL, vec![]));
    send(&ours, &init());
    assert_eq!(receive(&ours).1, 0);

    for (opcode, body, expected) in [
        (LOOKUP, &b"no end"[..], libc::EINVAL),
        (LOOKUP, b"", libc::EINVAL),
        (READ, &[0; 39], libc::EINVAL),
        (48, &[0; 100], libc::ENOSYS),
        (4711, b"", libc::ENOSYS),
        (0, b"", libc::ENOSYS),
        (INIT, &init()[40..], libc::EIO),
    ] {
        send(&ours, &request(opcode, 8, 1, body));
        assert_eq!(receive(&ours), (8, expected, vec![]), "{opcode} {body:?}");
    }
    // A security context without its name, and a whole one, which libfuse passes over where nobody has
    // asked for it.
    for (name, expected) in [(&b""[..], libc::EINVAL), (b"security.x\0vv\0\0\0", 0)] {
        let len = 16 + name.len() as u32;
        let mut body = b"data\0".to_vec();
        body.extend([len, 1, 2, 0].map(u32::to_ne_bytes).concat());
        body.extend(name);
        let mut message = request(LOOKUP, 16, 1, &body);
        message[36..38].copy_from_slice(&(len as u16 / 8).to_ne_bytes());
        send(&ours, &message);
        let (unique, error, _) = receive(&ours);
        assert_eq!((unique, error), (16, expected));
    }
    // Nobody answers that.
    send(&ours, &request(FORGET, 10, 1, b"short"));
    send(&ours, &request(LOOKUP, 12, 1, b"data\0"));
    assert_eq!(receive(&ours).0, 12);

    // It begins once only.
    send(&ours, &request(DESTROY, 14, 0, b""));
    assert_eq!(receive(&ours), (14, 0, vec![]));
    send(&ours, &init());
    assert_eq!(receive(&ours), (2, libc::EIO, vec![]));
    drop(ours);
    assert_eq!(running.ends().unwrap(), ExitReason::Disconnected);
    common::assert_quiet();
}

#[test]
fn messages_of_impossible_lengths() {
    common::require!(takes_streams());
    for (len, expected) in [
        (39, Errno::EPROTO),
        (0, Errno::EPROTO),
        (u32::MAX, Errno::EMSGSIZE),
    ] {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let running = run(theirs);
        agree(&ours, &ours);
        let mut message = request(LOOKUP, 4, 1, b"data\0");
        message[..4].copy_from_slice(&len.to_ne_bytes());
        (&ours).write_all(&message).unwrap();
        match running.ends() {
            Err(Error::Receive(errno)) => assert_eq!(errno, expected, "{len}"),
            other => panic!("{len}: {other:?}"),
        }
    }
    // A packet has a length of its own.
    let (ours, theirs) = packets();
    let running = run(theirs);
    let mut message = init();
    message.push(0);
    send(&ours, &message);
    let error = running.ends().unwrap_err();
    assert!(matches!(error, Error::Receive(Errno::EPROTO)), "{error:?}");
}

#[test]
fn descriptors_that_will_not_do() {
    let dir = tempfile::tempdir().unwrap();
    let file = || File::create(dir.path().join("file")).unwrap();
    let socket = || OwnedFd::from(UdpSocket::bind("localhost:0").unwrap());
    let (reader, writer) = io::pipe().unwrap();
    let (other_reader, other_writer) = io::pipe().unwrap();
    for (io, expected) in [
        (CustomIo::from(file()), "must be a socket, a pipe"),
        (CustomIo::from(socket()), "SOCK_STREAM or SOCK_SEQPACKET"),
        (CustomIo::pair(writer, other_writer), "for writing only"),
        (CustomIo::pair(reader, other_reader), "for reading only"),
    ] {
        let ops = Fs::default();
        let dropped = Arc::clone(&ops.dropped);
        let error = Session::builder(ops).custom_io(io).unwrap_err();
        assert!(matches!(error, Error::CustomIo(_)), "{error:?}");
        let message = error.to_string();
        assert!(message.contains(expected), "{message}");
        assert!(dropped.load(Ordering::Acquire), "leaked");
    }
}

#[test]
fn readers_that_wait_for_a_request_or_for_its_rest() {
    common::require!(takes_streams());
    for threads in [1, 4] {
        for begun in [0, 7, 45] {
            let (ours, theirs) = UnixStream::pair().unwrap();
            let running = run_with(Fs::default(), theirs, |builder| {
                builder.reader_threads(threads)
            });
            agree(&ours, &ours);
            let message = request(LOOKUP, 4, 1, b"data\0 and more");
            (&ours).write_all(&message[..begun]).unwrap();
            running.handle().terminate();
            assert_eq!(running.ends().unwrap(), ExitReason::Terminated);
            // The connection is closed.
            assert_eq!((&ours).read(&mut [0]).unwrap_or(0), 0);
        }
    }
    common::assert_quiet();
}

#[test]
fn handlers_that_nobody_takes_answers_from() {
    common::require!(takes_streams());
    let (ours, theirs) = UnixStream::pair().unwrap();
    let running = run_with(Fs::default(), theirs, |builder| {
        builder.shutdown_timeout(Duration::from_millis(100))
    });
    agree(&ours, &ours);
    for unique in 2..20 {
        (&ours).write_all(&read_request(unique, 0, 65536)).unwrap();
    }
    let ops = Arc::clone(&running.ops);
    common::wait_until(common::PATIENCE, || {
        ops.requests.load(Ordering::Relaxed) > 3
    });
    drop(ops);
    running.handle().terminate();
    let mut running = running;
    let reason = running.session.take().unwrap().join();
    assert_eq!(reason.unwrap(), ExitReason::Terminated);
    drop(running.ops);
    assert!(running.dropped.load(Ordering::Acquire), "leaked");
}

#[test]
fn a_signal_in_the_middle_of_a_request_loses_nothing() {
    extern "C" fn nothing(_: i32) {}

    common::require!(takes_streams());
    // SAFETY: all-zero is a valid `struct sigaction`. Without SA_RESTART system calls return early.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = nothing as extern "C" fn(i32) as libc::sighandler_t;
    // SAFETY: the handler does nothing, and no other test uses this signal.
    unsafe { libc::sigaction(libc::SIGWINCH, &action, std::ptr::null_mut()) };
    let thread = Arc::new(AtomicI32::new(0));
    let seen = Arc::clone(&thread);
    let ops = Fs::new(move |_| {
        let id = rustix::thread::gettid().as_raw_nonzero().get();
        seen.store(id, Ordering::Release);
        std::future::ready(Ok(()))
    });
    let (ours, theirs) = UnixStream::pair().unwrap();
    let running = run_with(ops, theirs, |builder| builder);
    agree(&ours, &ours);
    (&ours).write_all(&request(LOOKUP, 4, 1, b"x\0")).unwrap();
    assert_eq!(answer(&ours).0, 4);
    let thread = thread.load(Ordering::Acquire);
    let pid = rustix::process::getpid().as_raw_nonzero().get();
    let message = request(LOOKUP, 6, 1, b"another name\0");
    for piece in message.chunks(5) {
        (&ours).write_all(piece).unwrap();
        // In the next call of read(2), or between two of them.
        for _ in 0..3 {
            // SAFETY: no preconditions.
            unsafe { libc::syscall(libc::SYS_tgkill, pid, thread, libc::SIGWINCH) };
            thread::yield_now();
        }
    }
    assert_eq!(answer(&ours), (6, libc::ENOENT, vec![]));
    assert_eq!(running.ops.lookups.next(), "x");
    assert_eq!(running.ops.lookups.next(), "another name");
    drop(ours);
    assert_eq!(running.ends().unwrap(), ExitReason::Disconnected);
}

#[test]
fn init_that_fails_closes_the_connection() {
    let (ours, theirs) = packets();
    let ops = Fs::default().on_init(|| Err(Errno::ENOMEM));
    let running = run_with(ops, theirs, |builder| builder);
    send(&ours, &init());
    let error = running.ends().unwrap_err();
    assert!(matches!(error, Error::Init(Errno::ENOMEM)), "{error:?}");
    let mut end = [0; 1000];
    while rustix::io::read(&ours, &mut end).unwrap_or(0) > 0 {}
}

#[cfg(not(libfuse_since = "3.13"))]
#[test]
fn a_libfuse_that_is_too_old_says_so() {
    let (_ours, theirs) = UnixStream::pair().unwrap();
    let error = Session::builder(Fs::default())
        .custom_io(theirs)
        .unwrap_err();
    let message = error.to_string();
    assert!(message.contains("from 3.13 on"), "{message}");
}
