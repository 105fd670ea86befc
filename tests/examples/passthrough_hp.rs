//! libfuse's `passthrough_hp`, as a script sees it.

use std::ffi::CString;
use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::process::Output;
use std::thread;

use rustix::mount::MountFlags;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::common;
use crate::common::MountDir;
use crate::common::PATIENCE;
use crate::common::mountinfo_of;
use crate::passthroughfs::assert_mtime_changes;
use crate::posix;
use crate::program;
use crate::program::Program;
use crate::program::failure;
use crate::program::finish;
use crate::program::path_of;
use crate::program::text;

/// A directory and its mirror.
fn mirror(options: &[&str]) -> (Program, TempDir) {
    let source = tempfile::tempdir().unwrap();
    let arguments = options.iter().map(Path::new).chain([source.path()]);
    (Program::start("passthrough_hp", arguments), source)
}

fn with_arguments<const N: usize>(arguments: [&str; N]) -> Output {
    finish(Command::new(path_of("passthrough_hp")).args(arguments))
}

/// All ways that contents take.
const MODES: [&[&str]; 6] = [
    &[],
    &["--nopassthrough"],
    &["--nopassthrough", "--nosplice"],
    &["--nocache", "--nopassthrough"],
    &["--direct-io", "--nopassthrough", "--num-threads", "2"],
    &["--nocache", "--single", "--clone-fd"],
];

#[test]
fn passthrough_hp_is_a_posix_file_system() {
    common::require_fuse!();
    for options in MODES {
        eprintln!("{options:?}");
        let (program, _source) = mirror(options);
        posix::check_all(program.path());
        program.unmount();
    }
}

#[test]
fn contents_arrive_byte_for_byte() {
    common::require_fuse!();
    let bytes: Vec<u8> = (0..3_000_001_u32)
        .map(|index| (index * 7 + index / 251) as u8)
        .collect();
    for options in MODES {
        eprintln!("{options:?}");
        let (program, source) = mirror(options);
        let (above, below) = (program.join("file"), source.path().join("file"));
        fs::write(&above, &bytes).unwrap();
        File::open(&above).unwrap().sync_all().unwrap();
        assert!(fs::read(&below).unwrap() == bytes);
        assert!(fs::read(&above).unwrap() == bytes);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&above)
            .unwrap();
        file.write_all_at(&bytes[5..500_005], 4097).unwrap();
        let mut read = vec![0; 500_002];
        file.read_exact_at(&mut read, 4096).unwrap();
        assert!(read[1..500_001] == bytes[5..500_005]);
        assert_eq!((read[0], read[500_001]), (bytes[4096], bytes[504_097]));
        let mut appended = OpenOptions::new().append(true).open(&above).unwrap();
        appended.write_all(&bytes[..100_000]).unwrap();
        drop((file, appended));
        File::open(&above).unwrap().sync_all().unwrap();
        let below = fs::read(&below).unwrap();
        assert_eq!(below.len(), bytes.len() + 100_000);
        assert!(below[bytes.len()..] == bytes[..100_000]);
        assert!(below[..4097] == bytes[..4097] && below[504_097..bytes.len()] == bytes[504_097..]);
        program.unmount();
    }
}

#[test]
fn mtime_changes_with_the_contents() {
    common::require_fuse!();
    for options in MODES {
        eprintln!("{options:?}");
        let (program, source) = mirror(options);
        assert_mtime_changes(program.path(), source.path(), |file| {
            file.write_all_at(b"change", 0).unwrap();
        });
        // Not with `direct_io`.
        if !options.contains(&"--direct-io") {
            assert_mtime_changes(program.path(), source.path(), |file| {
                common::Mapping::shared(file, 8192).unwrap().fill(b'y');
            });
        }
        program.unmount();
    }
}

/// Whether an open file shows at once what is written into its source, though the kernel is told to
/// keep contents for good: it does where the kernel reads the source.
fn reads_the_source(program: &Program, source: &TempDir) -> bool {
    let below = source.path().join("shown");
    fs::write(&below, "before").unwrap();
    let above = File::open(program.join("shown")).unwrap();
    let mut read = [0; 6];
    above.read_exact_at(&mut read, 0).unwrap();
    assert_eq!(&read, b"before");
    fs::write(&below, "behind").unwrap();
    above.read_exact_at(&mut read, 0).unwrap();
    match &read {
        b"behind" => true,
        b"before" => false,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_kernel_reads_the_source_where_it_can() {
    common::require_fuse!();
    let (program, source) = mirror(&["--nopassthrough"]);
    assert!(!reads_the_source(&program, &source));
    program.unmount();

    let (mut program, source) = mirror(&["--debug"]);
    let by_itself = reads_the_source(&program, &source);
    let output = program.output();
    let fell_back = output.contains("without passthrough");
    assert_eq!(by_itself, !fell_back, "{output}");
    if !cfg!(libfuse_since = "3.17") {
        assert!(fell_back, "{output}");
    } else if fell_back {
        common::skip(format_args!("not root, or the kernel is too old: {output}"));
    }
    program::unmount(program.path());
    assert!(program.join_process().success());
}

#[test]
fn help_and_usage_are_libfuses() {
    let output = with_arguments(["--help"]);
    assert!(output.status.success() && output.stderr.is_empty());
    let help = text(&output.stdout);
    let program = path_of("passthrough_hp").display().to_string();
    let usage =
        format!("Usage: {program} --help\n       {program} [options] <source> <mountpoint>\n");
    assert!(help.starts_with(&format!("{usage}\noptions:\n")), "{help}");
    for option in [
        "debug",
        "debug-fuse",
        "foreground",
        "help",
        "nocache",
        "nosplice",
        "nopassthrough",
        "single",
        "num-threads",
        "clone-fd",
        "direct-io",
    ] {
        assert!(help.contains(&format!("  --{option} ")), "{option}: {help}");
    }
    for (output, message) in [
        (with_arguments([]), "invalid number of arguments"),
        (with_arguments(["/tmp"]), "invalid number of arguments"),
        (
            with_arguments(["/", "/tmp", "/"]),
            "invalid number of arguments",
        ),
        (
            with_arguments(["--wrong", "/", "/tmp"]),
            "Option ‘wrong’ does not exist",
        ),
        (
            with_arguments(["-f", "/", "/tmp"]),
            "Option ‘f’ does not exist",
        ),
        (
            with_arguments(["/", "/tmp", "-o"]),
            "Option ‘o’ is missing an argument",
        ),
        (
            with_arguments(["--num-threads=0", "/", "/tmp"]),
            "Argument ‘0’ failed to parse",
        ),
        (
            with_arguments(["--num-threads=1025", "/", "/tmp"]),
            "Argument ‘1025’ is more than 1024",
        ),
        (
            with_arguments(["--num-threads", "x", "/", "/tmp"]),
            "Argument ‘x’ failed to parse",
        ),
    ] {
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert_eq!(text(&output.stderr), "");
        assert_eq!(
            text(&output.stdout),
            format!("{program}: {message}\n{usage}")
        );
    }
}

#[test]
fn what_cannot_be_mirrored_or_mounted_is_named() {
    let mountpoint = tempfile::tempdir().unwrap();
    let refused = |source: &str, mountpoint: &Path| {
        let mut command = Command::new(path_of("passthrough_hp"));
        failure(command.arg(source).arg(mountpoint))
    };
    let message = refused("/no/such/source", mountpoint.path());
    assert!(
        message.starts_with(
            "passthrough_hp: ERROR: failed to stat source (\"/no/such/source\"): No such file"
        ),
        "{message}"
    );
    let message = refused("/dev/null", mountpoint.path());
    assert_eq!(
        message,
        "passthrough_hp: ERROR: source is not a directory\n"
    );
    let message = refused("/", &mountpoint.path().join("missing"));
    assert!(message.contains("missing"), "{message}");
}

#[test]
fn it_is_mounted_under_the_name_of_its_source() {
    common::require_fuse!();
    let (program, source) = mirror(&[]);
    let mount = mountinfo_of(program.path()).unwrap();
    assert_eq!(mount.kind, "fuse.passthrough_hp");
    assert_eq!(
        Path::new(&mount.source),
        source.path().canonicalize().unwrap()
    );
    assert!(mount.options.contains("default_permissions"), "{mount:?}");
    program.unmount();

    let (program, _source) = mirror(&["-o", "fsname=name,ro", "-onoexec"]);
    let mount = mountinfo_of(program.path()).unwrap();
    assert_eq!(mount.source, "name");
    assert!(
        mount.options.contains("ro,") && mount.options.contains("noexec"),
        "{mount:?}"
    );
    assert_eq!(
        common::errno(fs::write(program.join("file"), "")),
        libc::EROFS
    );
    program.unmount();
}

#[test]
fn it_goes_into_the_background_and_ends_with_the_mount() {
    common::require_fuse!();
    let source = tempfile::tempdir().unwrap();
    fs::write(source.path().join("file"), "contents").unwrap();
    let mountpoint = MountDir::new();
    let output = finish(
        Command::new(path_of("passthrough_hp"))
            .arg(source.path())
            .arg(mountpoint.path()),
    );
    assert!(output.status.success(), "{output:?}");
    let read = fs::read_to_string(mountpoint.join("file"));
    assert_eq!(read.unwrap(), "contents");
    program::unmount(mountpoint.path());
}

#[test]
fn signals_unmount_it() {
    common::require_fuse!();
    for (options, status) in [(&[][..], 0), (&["--single"], 1)] {
        let (mut program, _source) = mirror(options);
        // It handles signals when it answers.
        fs::metadata(program.path()).unwrap();
        program.signal(Signal::TERM);
        assert_eq!(program.join_process().code(), Some(status));
    }
    let (mut program, _source) = mirror(&["--debug-fuse"]);
    fs::metadata(program.path()).unwrap();
    let says_so = || program.output().contains("opcode: INIT");
    assert!(
        common::wait_until(PATIENCE, says_so),
        "{}",
        program.output()
    );
    program::unmount(program.path());
    assert!(program.join_process().success());
}

/// A mount of overlayfs that goes away by itself.
struct Overlay(TempDir);

impl Drop for Overlay {
    fn drop(&mut self) {
        let unmounted = common::unmount(self.0.path(), true);
        if !thread::panicking() {
            unmounted.unwrap();
        }
    }
}

/// Whether a directory is on overlayfs or FUSE (linux/magic.h).
fn is_stacked(path: &Path) -> bool {
    let kind = rustix::fs::statfs(path).unwrap().f_type;
    [0x794c_7630, 0x6573_5546].contains(&kind)
}

#[test]
fn overlayfs_takes_the_mirror_for_its_upper_layer() {
    common::require_fuse!();
    common::require_root!();
    let (program, source) = mirror(&[]);
    if is_stacked(source.path()) {
        program.unmount();
        return common::skip(
            "the source is on overlayfs or FUSE, and the kernel stacks two file systems",
        );
    }
    let lower = tempfile::tempdir().unwrap();
    fs::write(lower.path().join("file"), "lower").unwrap();
    for name in ["upper", "work"] {
        fs::create_dir(program.join(name)).unwrap();
    }
    let dir = tempfile::tempdir().unwrap();
    let options = format!(
        "lowerdir={},upperdir={},workdir={}",
        lower.path().display(),
        program.join("upper").display(),
        program.join("work").display()
    );
    let options = CString::new(options).unwrap();
    let flags = MountFlags::empty();
    match rustix::mount::mount("overlay", dir.path(), "overlay", flags, options.as_c_str()) {
        Err(rustix::io::Errno::NODEV) => {
            program.unmount();
            return common::skip("this kernel has no overlayfs");
        }
        result => result.expect("overlayfs on the mirror"),
    }
    let overlay = Overlay(dir);
    let mut file = OpenOptions::new()
        .append(true)
        .open(overlay.0.path().join("file"))
        .unwrap();
    file.write_all(b" and upper").unwrap();
    drop(file);
    fs::remove_file(lower.path().join("file")).unwrap();
    drop(overlay);
    program::unmount(program.path());
    let upper = fs::read_to_string(source.path().join("upper/file")).unwrap();
    assert_eq!(upper, "lower and upper");
}
