//! The example that answers over a socket.

use std::ffi::OsString;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;

use rustix::process::Pid;
use rustix::process::Signal;
use rustix::process::kill_process;

use crate::common;
use crate::common::TimeLimit;
use crate::program::failure;
use crate::program::finish;
use crate::program::path_of;
use crate::program::text;

/// Ended when it is dropped.
struct Program(Child);

impl Program {
    /// Starts it, and waits until it listens; what it prints further on.
    fn start(socket: &Path) -> (Self, impl BufRead + use<>) {
        let mut command = Command::new(path_of("hello_ll_uds"));
        let mut option = OsString::from("--socket=");
        option.push(socket);
        command.arg(option);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).spawn().expect("started");
        let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
        let expected = format!("Awaiting connection on socket at {}...\n", socket.display());
        assert_eq!(line(&mut output), expected);
        (Self(child), output)
    }

    /// Waits for its end.
    fn ends(mut self, mut output: impl Read) -> (ExitStatus, String, String) {
        let (mut out, mut err) = (String::new(), String::new());
        output.read_to_string(&mut out).unwrap();
        let mut errors = self.0.stderr.take().expect("a pipe");
        errors.read_to_string(&mut err).unwrap();
        (self.0.wait().unwrap(), out, err)
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).expect("sent");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn line(output: &mut impl BufRead) -> String {
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    line
}

/// A request of linux/fuse.h, and the answer to it without its header.
fn call(socket: &UnixStream, opcode: u32, node: u64, body: &[u8]) -> Result<Vec<u8>, i32> {
    let mut message = [40 + body.len() as u32, opcode]
        .map(u32::to_ne_bytes)
        .concat();
    message.extend([2, node].map(u64::to_ne_bytes).concat());
    message.extend([0; 16]);
    message.extend(body);
    (&*socket).write_all(&message).unwrap();
    let mut header = [0; 16];
    (&*socket).read_exact(&mut header).unwrap();
    let number = |at: usize| u32::from_ne_bytes(header[at..at + 4].try_into().unwrap());
    let mut answer = vec![0; number(0) as usize - 16];
    (&*socket).read_exact(&mut answer).unwrap();
    match number(4).cast_signed() {
        0 => Ok(answer),
        error => Err(-error),
    }
}

fn connect(path: &Path) -> UnixStream {
    let socket = UnixStream::connect(path).expect("connected");
    let init = [7, 31, 0, 0].map(u32::to_ne_bytes).concat();
    call(&socket, 26, 0, &init).expect("agreed");
    socket
}

/// `struct fuse_read_in`.
fn range(offset: u64, size: u32) -> Vec<u8> {
    let mut body = [0, offset].map(u64::to_ne_bytes).concat();
    body.extend(size.to_ne_bytes());
    body.resize(40, 0);
    body
}

fn says_hello(socket: &UnixStream) {
    let entry = call(socket, 1, 1, b"hello\0").unwrap();
    assert_eq!(entry[..8], 2_u64.to_ne_bytes());
    // One second for the entry, and one for its attributes.
    assert_eq!(entry[16..32], [1, 1].map(u64::to_ne_bytes).concat());
    assert_eq!(call(socket, 1, 1, b"other\0"), Err(libc::ENOENT));
    let open =
        |node, flags: i32| call(socket, 14, node, &[flags, 0].map(i32::to_ne_bytes).concat());
    assert_eq!(open(2, libc::O_RDONLY).unwrap(), [0; 16]);
    assert_eq!(open(2, libc::O_RDWR), Err(libc::EACCES));
    assert_eq!(open(1, libc::O_RDONLY), Err(libc::EISDIR));
    assert_eq!(
        call(socket, 15, 2, &range(0, 4096)).unwrap(),
        b"Hello World!\n"
    );
    assert_eq!(call(socket, 15, 2, &range(6, 5)).unwrap(), b"World");
    let list = call(socket, 28, 1, &range(0, 4096)).unwrap();
    let names: Vec<_> = list.chunks(32).map(|entry| text(&entry[24..])).collect();
    let names: Vec<_> = names
        .iter()
        .map(|name| name.trim_end_matches('\0'))
        .collect();
    assert_eq!(names, [".", "..", "hello"]);
}

#[test]
fn hello_ll_uds_says_hello_over_a_socket() {
    common::require!(takes_streams());
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("socket");
    let (program, mut output) = Program::start(&path);
    let socket = connect(&path);
    assert_eq!(line(&mut output), "Accepted connection!\n");
    says_hello(&socket);
    drop(socket);
    let (status, out, err) = program.ends(output);
    assert_eq!((status.code(), &*out, &*err), (Some(0), "", ""));

    // It takes the place of what an earlier run has left.
    assert!(path.exists());
    let (program, mut output) = Program::start(&path);
    let socket = connect(&path);
    assert_eq!(line(&mut output), "Accepted connection!\n");
    program.signal(Signal::INT);
    let (status, out, err) = program.ends(output);
    assert_eq!((status.code(), &*out, &*err), (Some(1), "", ""));
    assert_eq!((&socket).read(&mut [0]).unwrap(), 0);

    let (program, output) = Program::start(&path);
    program.signal(Signal::TERM);
    let (status, out, err) = program.ends(output);
    let refused = "Could not accept connection. Error: Interrupted system call";
    assert!(out.starts_with(refused), "{out}");
    assert_eq!((status.code(), &*err), (Some(1), ""));
}

#[test]
fn hello_ll_uds_has_libfuses_command_line() {
    let program = || Command::new(path_of("hello_ll_uds"));
    let help = finish(program().arg("--help"));
    assert!(help.status.success() && help.stderr.is_empty(), "{help:?}");
    let usage = text(&help.stdout);
    assert!(
        usage.starts_with("usage: ")
            && usage.contains("--socket=PATH")
            && usage.contains("(/tmp/libfuse-hello-ll.sock)"),
        "{usage}"
    );
    let version = finish(program().arg("-V"));
    let text = text(&version.stdout);
    assert!(text.starts_with("FUSE library version 3."), "{text}");
    let message = failure(program().arg("--nope"));
    assert!(message.contains("--nope"), "{message}");
    let file = tempfile::NamedTempFile::new().unwrap();
    let output = finish(program().arg(format!("--socket={}", file.path().display())));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(file.path().exists(), "removed");
    let message = failure(program().arg("/tmp/a"));
    assert!(message.contains("use --socket=PATH"), "{message}");
}

/// Whether this libfuse can answer over a stream. Says so if not.
fn takes_streams() -> bool {
    struct Fs;
    impl libfuse3::Operations for Fs {}

    let (_a, b) = UnixStream::pair().unwrap();
    let session = libfuse3::Session::builder(Fs).custom_io(b);
    session.map_err(common::skip).is_ok()
}
