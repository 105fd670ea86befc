//! C programs with a file system in Rust: those of `examples/hello_capi`, built as C programmers build them,
//! and used by other programs.

mod common;

use std::ffi::OsStr;
use std::fs;
use std::fs::File;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use common::MountDir;
use common::PATIENCE;
use common::TimeLimit;
use common::find_program;
use rustix::process::Pid;
use rustix::process::Signal;
use tempfile::NamedTempFile;

/// Valgrind runs programs many times slower.
const LIMIT: Duration = Duration::from_secs(120);

/// What is written to the file system, and must not be there when it is gone.
const LARGE: usize = 4 << 20;

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/hello_capi")
}

/// A command in an environment where cargo is the one that runs this test.
fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).env("RUST_BACKTRACE", "0");
    command
}

fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

#[track_caller]
fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (printed, errors) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{command:?}: {printed}{errors}");
    printed
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The directory with the C programs that `make` builds; or what is missing for that.
fn built() -> Result<&'static Path, String> {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    for program in ["make", "cc", "pkg-config"] {
        find_program(program).ok_or(format!("no {program}"))?;
    }
    if !example().is_dir() {
        return Err("the example is not in this package".to_owned());
    }
    Ok(BUILT.get_or_init(|| {
        let build = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hello_capi");
        let mut make = command("make");
        make.arg("-C").arg(example());
        make.arg(format!("BUILD={}", build.display()));
        make.args(["PROFILE=dev", &format!("CARGO={}", cargo())]);
        // They are meant for the make that may have started this test.
        run(make.env_remove("MAKEFLAGS").env_remove("MAKELEVEL"));
        build
    }))
}

/// Builds the C programs, or returns from the test and says why they cannot be.
macro_rules! require_built {
    () => {
        match built() {
            Ok(directory) => directory,
            Err(why) => return common::skip(why),
        }
    };
}

/// Returns from a test of something that is not installed; says so.
macro_rules! require_program {
    ($name:literal) => {
        if find_program($name).is_none() {
            return common::skip(concat!("no ", $name));
        }
    };
}

/// A C program that has mounted.
struct Host {
    child: Child,
    errors: NamedTempFile,
    dir: MountDir,
    _limit: TimeLimit,
}

impl Host {
    /// Runs the program in the foreground.
    fn start(mut command: Command) -> Self {
        let limit = TimeLimit::new(LIMIT);
        let dir = MountDir::new();
        let errors = NamedTempFile::new().expect("a file");
        command.stderr(errors.reopen().expect("there"));
        let mut child = command.arg("-f").arg(dir.path()).spawn().expect("starts");
        let mounted = common::wait_until(LIMIT, || {
            let ended = child.try_wait().expect("our child");
            assert!(ended.is_none(), "{command:?}: {ended:?}");
            common::is_mounted(dir.path())
        });
        assert!(mounted, "{command:?} does not mount");
        common::register_mount(dir.path().to_owned());
        Self {
            child,
            errors,
            dir,
            _limit: limit,
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("it runs");
    }

    fn unmount(self) -> ExitStatus {
        unmount(self.dir.path());
        self.wait()
    }

    /// Waits for the end of the program.
    fn wait(mut self) -> ExitStatus {
        let mut status = None;
        let ended = common::wait_until(LIMIT, || {
            status = self.child.try_wait().expect("our child");
            status.is_some()
        });
        assert!(ended, "it does not end");
        assert!(!common::is_mounted(self.dir.path()));
        status.expect("ended")
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            drop(common::unmount(self.dir.path(), true));
            drop(self.child.kill());
            drop(self.child.wait());
        }
        if thread::panicking() {
            let errors = fs::read_to_string(self.errors.path());
            eprintln!("what it said: {}", errors.unwrap_or_default());
        }
    }
}

/// Unmounts what may still be busy for a moment.
fn unmount(path: &Path) {
    let mut result = Ok(());
    common::wait_until(PATIENCE, || {
        result = common::unmount(path, false);
        result.is_ok()
    });
    result.expect("unmounted");
}

/// What `cat` of a file prints; `None` if it fails.
fn cat(file: &Path) -> Option<String> {
    let output = command("cat").arg(file).output().expect("cat");
    output.status.success().then(|| text(&output.stdout))
}

/// Starts `cat` of a file that is not to be read at once.
fn start_cat(file: &Path) -> Child {
    let mut cat = command("cat");
    cat.arg(file).stdout(Stdio::piped()).stderr(Stdio::piped());
    cat.spawn().expect("cat")
}

/// Uses all that there is, by the programs that people use.
fn use_it(dir: &Path, name: &OsStr) {
    let file = |name: &str| dir.join(name);
    let listed = run(command("ls").arg("-1").arg(dir));
    assert_eq!(listed, "hello\nmessage\nnext\npanic\n");
    assert_eq!(cat(&file("hello")).unwrap(), "Hello from Rust!\n");
    // Which the C program has told it.
    assert_eq!(cat(&file("message")).unwrap(), name.to_str().unwrap());
    assert_eq!(cat(&file("panic")), None);

    // Of the same thread of C's, one request waits and others are answered.
    let mut next = start_cat(&file("next"));
    let script = r#"until echo "written by a shell" >"$1"; do :; done"#;
    // Whether it waits cannot be seen, so the message is written until it has come.
    let came = common::wait_until(LIMIT, || {
        run(command("sh")
            .args(["-c", script, "sh"])
            .arg(file("message")));
        next.try_wait().expect("our child").is_some()
    });
    assert!(came);
    let next = next.wait_with_output().expect("our child");
    // Opening it for writing empties it, which is not a message.
    assert_eq!(text(&next.stdout), "written by a shell\n");

    // An interrupted caller comes back.
    let mut next = start_cat(&file("next"));
    let ended = common::wait_until(LIMIT, || {
        next.kill().expect("our child");
        next.try_wait().expect("our child").is_some()
    });
    assert!(ended);

    let elsewhere = tempfile::tempdir().expect("a directory");
    let large = elsewhere.path().join("large");
    let random = File::open("/dev/urandom").expect("there");
    let mut random = std::io::Read::take(random, LARGE as u64);
    std::io::copy(&mut random, &mut File::create(&large).expect("made")).expect("copied");
    run(command("cp").args([&large, &file("message")]));
    run(command("cmp").args([&large, &file("message")]));
    let size = run(command("stat").args(["--format=%s"]).arg(file("message")));
    assert_eq!(size.trim(), LARGE.to_string());
}

fn host(directory: &Path, name: &str, options: &[&str]) -> Command {
    let mut command = Command::new(directory.join(name));
    command.args(options).env("RUST_BACKTRACE", "0");
    command
}

/// Starts a C program, uses it and unmounts.
fn is_used(directory: &Path, name: &str, options: &[&str]) {
    let command = host(directory, name, options);
    let path = command.get_program().to_owned();
    let host = Host::start(command);
    use_it(host.dir.path(), &path);
    assert_eq!(host.unmount().code(), Some(0));
}

#[test]
fn fuse_session_loop() {
    common::require_fuse!();
    is_used(require_built!(), "host", &["-s"]);
}

#[test]
fn fuse_session_loop_mt() {
    common::require_fuse!();
    is_used(require_built!(), "host", &[]);
}

#[test]
fn fuse_session_loop_mt_with_descriptors_of_its_own() {
    common::require_fuse!();
    is_used(require_built!(), "host", &["-o", "clone_fd"]);
}

#[test]
fn a_static_library() {
    common::require_fuse!();
    is_used(require_built!(), "host_static", &["-s"]);
}

#[test]
fn an_adopted_session() {
    common::require_fuse!();
    is_used(require_built!(), "host_run", &[]);
}

#[test]
fn in_the_background() {
    common::require_fuse!();
    let directory = require_built!();
    for (name, options) in [("host", &["-s"][..]), ("host", &[]), ("host_run", &[])] {
        let _limit = TimeLimit::new(LIMIT);
        let dir = MountDir::new();
        let mut command = host(directory, name, options);
        let path = command.get_program().to_owned();
        run(command.arg(dir.path()));
        common::register_mount(dir.path().to_owned());
        use_it(dir.path(), &path);
        unmount(dir.path());
    }
}

#[test]
fn a_signal_answers_those_who_wait() {
    common::require_fuse!();
    let directory = require_built!();
    // libfuse's loops return the number of the signal, and programs of libfuse then fail.
    for (name, options, status) in [
        ("host", &["-s"][..], 1),
        ("host", &[], 1),
        ("host_run", &[], 0),
    ] {
        let host = Host::start(host(directory, name, options));
        let next = start_cat(&host.file("next"));
        // It has asked for its contents, or is about to: then it finds the mount gone.
        assert!(cat(&host.file("hello")).is_some());
        host.signal(Signal::TERM);
        let next = next.wait_with_output().expect("our child");
        assert_eq!(next.status.code(), Some(1), "{name}");
        let code = host.wait().code();
        // libfuse 3.10 does not tell of the signal.
        let untold = cfg!(not(libfuse_since = "3.12")) && code == Some(0);
        assert!(untold || code == Some(status), "{name}: {code:?}");
    }
}

/// Has valgrind watch a C program from beginning to end: no memory that is not its own is used, none is
/// lost, and nothing of the file system is left.
fn is_clean(name: &str, options: &[&str]) {
    let directory = require_built!();
    let valgrind = common::require_valgrind!();
    let program = directory.join(name);
    let mut command = valgrind.command(&program);
    command.args(options);
    let host = Host::start(command);
    use_it(host.dir.path(), program.as_os_str());
    let status = host.unmount();
    assert_eq!(status.code(), Some(0), "{}", valgrind.report());
    let reachable = valgrind.reachable();
    assert!(reachable < LARGE / 4, "{}", valgrind.report());
}

#[test]
fn fuse_session_loop_is_clean_under_valgrind() {
    common::require_fuse!();
    is_clean("host", &["-s"]);
}

#[test]
fn fuse_session_loop_mt_is_clean_under_valgrind() {
    common::require_fuse!();
    is_clean("host", &[]);
}

#[test]
fn an_adopted_session_is_clean_under_valgrind() {
    common::require_fuse!();
    is_clean("host_run", &[]);
}

#[test]
fn cmake_builds_it() {
    common::require_fuse!();
    require_program!("cmake");
    require_program!("cc");
    let build = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hello_capi_cmake");
    let mut configure = command("cmake");
    configure.arg("-S").arg(example()).arg("-B").arg(&build);
    configure.args(["-DCMAKE_BUILD_TYPE=Debug", &format!("-DCARGO={}", cargo())]);
    run(&mut configure);
    run(command("cmake").arg("--build").arg(&build));
    is_used(&build, "host", &["-s"]);
}

#[test]
fn the_header_declares_what_the_library_has() {
    let directory = require_built!();
    require_program!("nm");
    let header = fs::read_to_string(directory.join("stage/include/hello_capi.h")).unwrap();
    let code = header
        .split("*/")
        .map(|part| part.split("/*").next().unwrap_or(""));
    let code = code.collect::<String>();
    let mut declared: Vec<_> = code
        .split('(')
        .filter_map(|before| before.rsplit([' ', '*']).next())
        .filter(|name| name.starts_with("hello_capi_"))
        .collect();
    declared.sort_unstable();
    let library = directory.join("stage/lib/libhello_capi.so");
    let symbols = run(command("nm").args(["-D", "--defined-only"]).arg(library));
    let mut defined: Vec<_> = symbols
        .split_whitespace()
        .filter(|word| word.starts_with("hello_capi_"))
        .collect();
    defined.sort_unstable();
    assert!(declared.len() > 5, "{declared:?}");
    assert_eq!(declared, defined);
}

#[test]
fn pkg_config_says_what_it_takes() {
    let directory = require_built!();
    let of = |options: &[&str]| {
        let path = directory.join("stage/lib/pkgconfig");
        let mut ask = command("pkg-config");
        run(ask
            .env("PKG_CONFIG_PATH", path)
            .args(options)
            .arg("hello_capi"))
    };
    let flags = of(&["--cflags", "--libs"]);
    for flag in [
        "stage/include",
        "-lhello_capi",
        "-lfuse3",
        "-DFUSE_USE_VERSION=",
    ] {
        assert!(flags.contains(flag), "no {flag}: {flags}");
    }
    assert!(!flags.contains("-lgcc_s"), "{flags}");
    assert!(of(&["--static", "--libs"]).contains("-lgcc_s"));
}
