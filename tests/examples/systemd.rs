//! Programs as services of systemd: what they tell it, with a stand-in that listens.

use std::fs;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::common;
use crate::common::MountDir;
use crate::common::PATIENCE;
use crate::common::TimeLimit;
use crate::program;
use crate::program::Program;

/// Where systemd would listen.
struct Listener {
    socket: UnixDatagram,
    place: String,
    _dir: Option<TempDir>,
}

impl Listener {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        Self::with(socket, path.to_str().unwrap().to_owned(), Some(dir))
    }

    /// With a name that is in no directory.
    fn abstract_one() -> Self {
        let name = format!("libfuse3-{}-{}", common::test_name(), std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        Self::with(socket, format!("@{name}"), None)
    }

    fn with(socket: UnixDatagram, place: String, dir: Option<TempDir>) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self {
            socket,
            place,
            _dir: dir,
        }
    }

    /// The next message, as lines.
    fn next(&self) -> Vec<String> {
        let mut buffer = [0; 256];
        let length = self.socket.recv(&mut buffer).expect("a message in time");
        let message = str::from_utf8(&buffer[..length]).unwrap();
        message.lines().map(str::to_owned).collect()
    }

    fn assert_silent(&self) {
        self.socket.set_nonblocking(true).unwrap();
        assert!(self.socket.recv(&mut [0; 256]).is_err(), "one more message");
    }

    /// `Type=notify`: starts it, as systemd does, with `-f`.
    fn start(&self, name: &str) -> Program {
        let mut command = Command::new(program::path_of(name));
        command.env("NOTIFY_SOCKET", &self.place);
        Program::start_command(name, command, common::DEFAULT_LIMIT)
    }
}

#[test]
fn a_service_is_ready_when_it_answers_and_stopping_when_it_does_not() {
    common::require_fuse!();
    for listener in [Listener::new(), Listener::abstract_one()] {
        let mut program = listener.start("hello");
        let main_pid = format!("MAINPID={}", program.pid().as_raw_nonzero());
        assert_eq!(listener.next(), ["READY=1", main_pid.as_str()]);
        libfuse3::listdir(program.path()).unwrap();
        // As `systemctl stop` does.
        program.signal(Signal::TERM);
        assert_eq!(listener.next(), ["STOPPING=1"]);
        assert!(program.join_process().success());
        assert_eq!(program.output(), "");
        listener.assert_silent();
    }
}

#[test]
fn a_service_that_somebody_unmounts_is_stopping() {
    common::require_fuse!();
    let listener = Listener::new();
    let program = listener.start("hello");
    assert_eq!(listener.next()[0], "READY=1");
    program.unmount();
    assert_eq!(listener.next(), ["STOPPING=1"]);
    listener.assert_silent();
}

/// The process that was started is gone by then: the message names the one that goes on.
#[test]
fn a_service_in_the_background_says_which_process_it_is() {
    common::require_fuse!();
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    let listener = Listener::new();
    let dir = MountDir::new();
    let mut command = Command::new(program::path_of("hello"));
    command.env("NOTIFY_SOCKET", &listener.place);
    program::run(command.arg(dir.path()));
    common::register_mount(dir.path().to_owned());
    let message = listener.next();
    assert_eq!(message[0], "READY=1");
    let process = message[1].strip_prefix("MAINPID=").unwrap();
    let name = fs::read_to_string(Path::new("/proc").join(process).join("comm")).unwrap();
    assert_eq!(name, "hello\n");
    program::unmount(dir.path());
    assert_eq!(listener.next(), ["STOPPING=1"]);
}

/// What cannot start has nothing to say; its exit status tells.
#[test]
fn a_service_that_cannot_mount_is_never_ready() {
    let listener = Listener::new();
    let mut command = Command::new(program::path_of("hello"));
    command.env("NOTIFY_SOCKET", &listener.place);
    let message = program::failure(command.args(["-f", "/no/such/place"]));
    assert!(message.contains("does not exist"), "{message}");
    listener.assert_silent();
}

#[test]
fn nobody_who_listens_is_no_failure() {
    common::require_fuse!();
    let mut command = Command::new(program::path_of("hello"));
    command.env("NOTIFY_SOCKET", "/no/such/socket");
    let program = Program::start_command("hello", command, common::DEFAULT_LIMIT);
    libfuse3::listdir(program.path()).unwrap();
    program.unmount();
}
