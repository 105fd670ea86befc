//! The servers that are compared, and how they are built.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

/// Everything else is compared with this one.
pub const REFERENCE: &str = "c";

/// One server, in one configuration.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    pub name: &'static str,
    pub title: &'static str,
    program: Program,
    /// The words that follow the mountpoint.
    argument: &'static str,
    /// Left out of quick runs.
    extra: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Program {
    C,
    Rust(&'static str),
    Python,
}

const fn peer(
    name: &'static str,
    title: &'static str,
    program: Program,
    argument: &'static str,
) -> Peer {
    Peer {
        name,
        title,
        program,
        argument,
        extra: false,
    }
}

const fn extra(peer: Peer) -> Peer {
    Peer {
        extra: true,
        ..peer
    }
}

pub const ALL: [Peer; 14] = {
    use Program::*;
    const OURS: Program = Rust("bench-ours");
    const FUSER: Program = Rust("bench-fuser");
    const FUSE3: Program = Rust("bench-fuse3");
    const FLOOR: Program = Rust("bench-floor");
    [
        peer("c", "libfuse in C, fuse_session_loop", C, "single"),
        peer("c-mt", "libfuse in C, fuse_session_loop_mt", C, "mt"),
        peer("c-mt-clone", "the same with clone_fd", C, "mt-clone"),
        peer("ours-1", "this library, 1 reader thread", OURS, "1"),
        peer("ours-2", "this library, 2 reader threads", OURS, "2"),
        extra(peer(
            "ours-busy",
            "this library, 1 reader thread, busy_poll of 50 µs",
            OURS,
            "1 50",
        )),
        peer("fuser-1", "fuser, 1 thread", FUSER, "1"),
        peer("fuser-2", "fuser, 2 threads, clone_fd", FUSER, "2"),
        peer(
            "fuse3-1",
            "fuse3, tokio with 1 worker, mounted by fusermount3",
            FUSE3,
            "1",
        ),
        peer(
            "fuse3-2",
            "fuse3, tokio with 2 workers, mounted by fusermount3",
            FUSE3,
            "2",
        ),
        extra(peer(
            "fuse3-root",
            "fuse3, tokio with 1 worker, mounted by itself",
            FUSE3,
            "root",
        )),
        peer("pyfuse3", "pyfuse3 on trio", Python, ""),
        peer(
            "floor-1",
            "read and writev without any library, 1 thread",
            FLOOR,
            "1",
        ),
        extra(peer(
            "floor-2",
            "the same, 2 threads with cloned descriptors",
            FLOOR,
            "2",
        )),
    ]
};

impl Peer {
    pub fn is_floor(&self) -> bool {
        self.name.starts_with("floor")
    }
}

/// The servers that are wanted.
pub fn select(names: Option<&[String]>, quick: bool) -> Result<Vec<Peer>, String> {
    let Some(names) = names else {
        let selected = ALL.into_iter().filter(|peer| !(quick && peer.extra));
        return Ok(selected.collect());
    };
    let find = |name: &String| {
        let found = ALL.into_iter().find(|peer| peer.name == name);
        found.ok_or_else(|| {
            let known: Vec<_> = ALL.iter().map(|peer| peer.name).collect();
            format!(
                "no server is called {name}; these are: {}",
                known.join(", ")
            )
        })
    };
    names.iter().map(find).collect()
}

/// Where things are.
#[derive(Clone, Debug)]
pub struct Places {
    /// The folder with the sources of all servers.
    pub source: PathBuf,
    /// Where everything goes.
    pub output: PathBuf,
}

impl Places {
    pub fn new() -> Result<Self, String> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let source = source
            .canonicalize()
            .map_err(|error| format!("{}: {error}", source.display()))?;
        let output = source.join("../../target/bench");
        let result = fs::create_dir_all(&output).and_then(|()| output.canonicalize());
        let output = result.map_err(|error| format!("{}: {error}", output.display()))?;
        Ok(Self { source, output })
    }

    /// The cargo target directory of the servers.
    fn build(&self) -> PathBuf {
        self.output.join("build")
    }

    /// A file of as many zeros as a read returns at most. All servers map it.
    pub fn zeros(&self) -> PathBuf {
        self.output.join("zeros")
    }

    pub fn client(&self) -> PathBuf {
        self.build().join("release/bench-client")
    }
}

/// Builds programs, each once.
pub struct Builder<'a> {
    places: &'a Places,
    /// The command that starts each, or why there is none.
    built: HashMap<Program, Result<Vec<OsString>, String>>,
}

impl<'a> Builder<'a> {
    pub fn new(places: &'a Places) -> Self {
        Self {
            places,
            built: HashMap::new(),
        }
    }

    pub fn client(&self) -> Result<(), String> {
        build_rust(self.places, "bench-client").map(drop)
    }

    /// The command that serves on `mountpoint`.
    pub fn command(&mut self, peer: &Peer, mountpoint: &Path) -> Result<Command, String> {
        let places = self.places;
        let built = self.built.entry(peer.program).or_insert_with(|| {
            eprintln!("building what {} needs", peer.name);
            match peer.program {
                Program::C => build_c(places),
                Program::Rust(package) => build_rust(places, package),
                Program::Python => build_python(places),
            }
        });
        let mut words = built.as_ref().map_err(String::clone)?.iter();
        let mut command = Command::new(words.next().ok_or("nothing to start")?);
        command.args(words).arg(mountpoint);
        command.env("BENCH_ZEROS", places.zeros());
        command.args(peer.argument.split_whitespace());
        Ok(command)
    }
}

fn build_c(places: &Places) -> Result<Vec<OsString>, String> {
    let flags = output(Command::new("pkg-config").args(["--cflags", "--libs", "fuse3"]))?;
    let program = places.output.join("c-null");
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let mut command = Command::new(compiler);
    command
        .args(["-O2", "-Wall", "-Wextra", "-g", "-o"])
        .arg(&program)
        .arg(places.source.join("c-null/null.c"))
        .args(flags.split_whitespace());
    run(&mut command)?;
    Ok(vec![program.into()])
}

fn build_rust(places: &Places, package: &str) -> Result<Vec<OsString>, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["build", "--quiet", "--release", "--package", package])
        .arg("--manifest-path")
        .arg(places.source.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(places.build());
    run(&mut command)?;
    Ok(vec![places.build().join("release").join(package).into()])
}

/// A virtual environment with pyfuse3 in it.
fn build_python(places: &Places) -> Result<Vec<OsString>, String> {
    let venv = places.output.join("venv");
    let python = venv.join("bin/python");
    let script = places.source.join("pyfuse3/null.py");
    let imports = "import pyfuse3, trio; assert pyfuse3.__version__.startswith('3.5.')";
    let ready = || output(Command::new(&python).args(["-c", imports]));
    if ready().is_err() {
        run(Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&venv))?;
        run(Command::new(&python)
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
            ])
            .args(["pyfuse3==3.5.*", "trio"]))?;
        ready()?;
    }
    Ok(vec![python.into(), script.into()])
}

/// Runs a command with its messages shown.
fn run(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().display().to_string();
    // What it has to say is not part of the report.
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{name}: {status}")),
        Err(error) => Err(format!("{name}: {error}")),
    }
}

/// What a command prints.
pub fn output(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().display().to_string();
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output();
    match output {
        Ok(output) if output.status.success() => {
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        }
        Ok(output) => Err(format!("{name}: {}", output.status)),
        Err(error) => Err(format!("{name}: {error}")),
    }
}
