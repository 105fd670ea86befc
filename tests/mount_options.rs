//! Options mean what they mean to C programs: each is given to a C program of ten lines and to ours, as
//! root and as somebody else, and both show the same in `/proc/self/mountinfo`, or are refused with the
//! same words.

mod common;
#[path = "bad_input/namespace.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod namespace;
#[path = "examples/program.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod program;

use std::ffi::OsStr;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::thread;

use common::CProgram;
use common::MountDir;
use common::TimeLimit;
use common::memfs::MemFs;
use libfuse3::CommandLine;
use libfuse3::MountOptions;
use libfuse3::Session;
use libfuse3::Unmount;

const OPTIONS: &str = "LIBFUSE3_TEST_OPTIONS";
const MOUNTPOINT: &str = "LIBFUSE3_TEST_MOUNTPOINT";
const NOBODY: u32 = 65_534;
const CONF: &str = "/etc/fuse.conf";

/// All that libfuse's low level, its mount code and `fusermount3` know in some version, and what they do
/// not. A line is what follows `-o`.
const TABLE: &[&[u8]] = &[
    b"",
    // Access.
    b"allow_other",
    b"allow_root",
    b"allow_root,allow_other",
    b"default_permissions",
    b"ro",
    b"rw",
    b"ro,rw",
    b"rw,ro",
    b"exec",
    b"noexec",
    b"noexec,exec",
    b"suid",
    b"nosuid",
    b"dev",
    b"nodev",
    b"suid,dev,exec",
    b"context=system_u:object_r:tmp_t:s0",
    b"fscontext=system_u:object_r:tmp_t:s0",
    b"defcontext=system_u:object_r:tmp_t:s0",
    b"rootcontext=system_u:object_r:tmp_t:s0",
    b"context=system_u:object_r:tmp_t:s0,auto_unmount",
    // How it shows.
    b"fsname=name",
    b"fsname=two words",
    b"fsname=a#b",
    b"fsname=",
    b"fsname=a,fsname=b",
    br"fsname=a\,b",
    br"fsname=a\\b",
    br"fsname=a\b",
    br"fsname=a\054b\040c",
    b"fsname=\xff\xc3\xa4",
    b"subtype=kind",
    b"subtype=",
    b"fsname=name,subtype=kind",
    b"blkdev",
    b"blkdev,fsname=/dev/null",
    b"blkdev,fsname=/no/such/device",
    b"blkdev,fsname=/dev/null,blksize=4096",
    b"blksize=4096",
    b"user=somebody",
    b"user=",
    // How it works.
    b"auto_unmount",
    b"auto_unmount,ro,fsname=name",
    b"debug",
    b"max_read=4096",
    b"max_read=0",
    b"max_read=131072",
    b"sync",
    b"async",
    b"sync,async",
    b"dirsync",
    b"atime",
    b"noatime",
    b"diratime",
    b"nodiratime",
    b"relatime",
    b"norelatime",
    b"strictatime",
    b"nostrictatime",
    b"lazytime",
    b"nolazytime",
    b"symfollow",
    b"nosymfollow",
    b"io_uring",
    b"io_uring,io_uring_q_depth=4",
    // What the low level leaves to others.
    b"fd=3",
    b"rootmode=40000",
    b"user_id=0",
    b"group_id=0",
    b"max_write=4096",
    b"max_readahead=4096",
    b"max_background=4",
    b"congestion_threshold=3",
    b"time_gran=1",
    b"writeback_cache",
    b"no_writeback_cache",
    b"sync_read",
    b"async_read",
    b"splice_read",
    b"no_splice_read",
    b"splice_write",
    b"no_splice_write",
    b"splice_move",
    b"no_splice_move",
    b"auto_inval_data",
    b"no_auto_inval_data",
    b"async_dio",
    b"no_async_dio",
    b"atomic_o_trunc",
    b"no_remote_lock",
    b"no_remote_flock",
    b"no_remote_posix_lock",
    b"readdirplus=no",
    b"readdirplus=yes",
    b"readdirplus=auto",
    b"clone_fd",
    b"max_threads=4",
    b"max_idle_threads=4",
    b"kernel_cache",
    b"auto_cache",
    b"noauto_cache",
    b"direct_io",
    b"parallel_direct_write",
    b"no_rofd_flush",
    b"use_ino",
    b"readdir_ino",
    b"fmask=022",
    b"dmask=022",
    b"ac_attr_timeout=1",
    b"umask=022",
    b"uid=0",
    b"gid=0",
    b"entry_timeout=1",
    b"attr_timeout=1",
    b"negative_timeout=1",
    b"noforget",
    b"remember=1",
    b"modules=subdir",
    b"setuid=nobody",
    b"drop_privileges",
    b"remount",
    b"bind",
    b"loop",
    // What nobody knows.
    b"no_such_option",
    b"no_such_option=1,ro,no_such_either",
    b"RO",
    b"ro=1",
    b"noallow_other",
    b"-x",
];

/// What our own are told about instead of libfuse, with the list that C programs are to be given for the
/// same effect.
const FOR_OTHERS: &[(&str, &str)] = &[
    ("defaults", ""),
    ("nonempty", ""),
    ("nofail,ro", "ro"),
    ("_netdev,fsname=name", "fsname=name"),
    ("ro,auto", "ro"),
    ("noauto,user,noexec", "noexec"),
    ("users,nouser,owner,group,noexec", "noexec"),
    ("comment=anything at all,ro", "ro"),
    ("x-systemd.automount,ro,x-any=thing", "ro"),
];

/// What became of it.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// The line of mountinfo, but for what differs between any two mounts.
    Mounted(String),
    /// What it had to say.
    Refused(String),
}

impl Outcome {
    /// Lets a program mount, looks, and lets it unmount. It says `mounted` when it has.
    fn of(command: &mut Command, dir: &MountDir) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("started");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mounted = lines.any(|line| line.unwrap() == "mounted");
        let line = common::mountinfo_line(dir.path());
        drop(child.stdin.take());
        let status = child.wait().unwrap();
        let mut message = String::new();
        // With `auto_unmount` fusermount3 has it open for a while.
        let mut stderr = child.stderr.take().unwrap();
        stderr.read_to_string(&mut message).unwrap();
        assert_eq!(mounted, line.is_some(), "{message}");
        assert_eq!(mounted, status.success(), "{command:?} {status}: {message}");
        let gone = common::wait_until(common::PATIENCE, || !common::is_mounted(dir.path()));
        assert!(gone, "still mounted");
        match line {
            Some(line) => Self::Mounted(line),
            None => Self::Refused(message),
        }
    }
}

/// Who mounts.
struct Mounter {
    c_program: CProgram,
    ours: std::path::PathBuf,
    user: Option<u32>,
    _dir: tempfile::TempDir,
    _limit: TimeLimit,
}

impl Mounter {
    fn new(c_program: CProgram, user: Option<u32>) -> Self {
        let dir = common::open_directory();
        let ours = dir.path().join("ours");
        // The directory of the build need not be open to everybody. And what this process has open for
        // writing could not be run while another test starts a child. In a chroot, the path of this program
        // is another one inside of a namespace.
        let mut copy = Command::new("cp");
        copy.arg(format!("/proc/{}/exe", std::process::id()))
            .arg(&ours);
        assert!(copy.status().unwrap().success());
        Self {
            c_program,
            ours,
            user,
            _dir: dir,
            _limit: TimeLimit::new(4 * common::DEFAULT_LIMIT),
        }
    }

    fn directory(&self) -> MountDir {
        let dir = MountDir::new();
        common::register_mount(dir.path().to_owned());
        chown(dir.path(), self.user, self.user).unwrap();
        dir
    }

    fn outcome(&self, mut command: Command, dir: &MountDir) -> Outcome {
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        Outcome::of(command.current_dir("/"), dir)
    }

    /// What the C program makes of a list.
    fn c(&self, list: &OsStr) -> Outcome {
        let dir = self.directory();
        let mut command = Command::new(self.c_program.path());
        if !list.is_empty() {
            command.arg("-o").arg(list);
        }
        command.arg(dir.path());
        self.outcome(command, &dir)
    }

    /// What we make of it.
    fn rust(&self, list: &OsStr) -> Outcome {
        let dir = self.directory();
        let mut command = Command::new(&self.ours);
        command.args(["--exact", "another_process", "--nocapture"]);
        command.env(OPTIONS, list).env(MOUNTPOINT, dir.path());
        self.outcome(command, &dir)
    }

    fn assert_same(&self, list: &[u8]) {
        let list = OsStr::from_bytes(list);
        let (c, rust) = (self.c(list), self.rust(list));
        match (&c, &rust) {
            (Outcome::Refused(theirs), Outcome::Refused(ours)) => {
                assert_ne!(theirs, "", "{list:?}");
                for line in theirs.lines() {
                    assert!(ours.contains(line), "{list:?}: no {line:?} in {ours:?}");
                }
            }
            _ => assert_eq!(c, rust, "{list:?}"),
        }
    }
}

/// Where the other process starts. Does nothing as a test.
#[test]
fn another_process() {
    let Some(list) = std::env::var_os(OPTIONS) else {
        return;
    };
    let path = std::env::var_os(MOUNTPOINT).unwrap();
    let options = MountOptions::empty().with_list(list);
    let session = Session::builder(MemFs::default()).options(options);
    let status = match session.mount(Path::new(&path)) {
        Ok(session) => {
            println!("\nmounted");
            std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
            session.close(Unmount::Yes).unwrap();
            0
        }
        Err(error) => {
            eprintln!("{error}");
            1
        }
    };
    std::process::exit(status);
}

#[test]
fn each_option_means_the_same_to_c_programs_of_root() {
    common::require_fuse!();
    common::require_root!();
    let mounter = Mounter::new(common::require_c_program!("mount"), None);
    TABLE.iter().for_each(|list| mounter.assert_same(list));
}

#[test]
fn each_option_means_the_same_to_c_programs_of_others() {
    namespace::alone(|namespace| {
        namespace.set_device_mode(0o666);
        let mounter = Mounter::new(common::require_c_program!("mount"), Some(NOBODY));
        let mounted = mounter.c(OsStr::new(""));
        assert!(matches!(mounted, Outcome::Mounted(_)), "{mounted:?}");
        TABLE.iter().for_each(|list| mounter.assert_same(list));

        let Outcome::Refused(why) = mounter.rust("context=a:b:c:s0".as_ref()) else {
            panic!("fusermount3 takes a context")
        };
        assert!(why.contains("`context` takes root"), "{why}");

        // These come through then.
        namespace.replace(CONF, &namespace.file("allowing", "user_allow_other\n"));
        let lists: [&[u8]; 4] = [
            b"allow_other",
            b"allow_root",
            b"allow_other,auto_unmount",
            b"allow_root,auto_unmount",
        ];
        for list in lists {
            mounter.assert_same(list);
            let mounted = mounter.c(OsStr::from_bytes(list));
            assert!(matches!(mounted, Outcome::Mounted(_)), "{mounted:?}");
        }
    });
}

/// Names and types that fusermount3 could take for further options.
const NAMES: [&str; 7] = [
    "plain",
    "two words",
    "a,b",
    "foo,ro",
    r"a\b",
    r"a\,ro",
    r"ends with a backslash\",
];

/// libfuse lets `subtype=foo\,ro` through to fusermount3 as two options.
fn assert_names_arrive_or_are_refused(mounter: &Mounter, more: &str) {
    for name in NAMES {
        for option in ["fsname", "subtype"] {
            let options = MountOptions::empty()
                .with_list(more)
                .with_value(option, name);
            let text = format!("{option}={name:?} {more}");
            let line = match mounter.rust(options.to_string().as_ref()) {
                Outcome::Mounted(line) => line,
                Outcome::Refused(why) => {
                    let is_plain = !name.contains([',', '\\']);
                    assert!(option != "fsname" && !is_plain, "{text}: {why}");
                    assert!(why.contains(option) && why.contains("comma"), "{why}");
                    continue;
                }
            };
            let (mount, about) = line.split_once(" - ").unwrap();
            let shown = name.replace('\\', r"\134").replace(' ', r"\040");
            let about: Vec<_> = about.split(' ').collect();
            match option {
                "fsname" => assert_eq!(about[1], shown, "{text}"),
                _ => assert_eq!(about[0], format!("fuse.{shown}"), "{text}"),
            }
            let is_read_only = [mount, about[2]].map(|part| part.contains("ro,"));
            assert_eq!(is_read_only, [false; 2], "{text}: {line}");
        }
    }
}

#[test]
fn names_with_commas_and_backslashes_arrive_as_given_or_are_refused_for_root() {
    common::require_fuse!();
    common::require_root!();
    let mounter = Mounter::new(common::require_c_program!("mount"), None);
    assert_names_arrive_or_are_refused(&mounter, "rw");
    // Before libfuse 3.15 fusermount3 mounts then.
    assert_names_arrive_or_are_refused(&mounter, "auto_unmount");
}

#[test]
fn names_with_commas_and_backslashes_arrive_as_given_or_are_refused_for_others() {
    namespace::alone(|namespace| {
        namespace.set_device_mode(0o666);
        let mounter = Mounter::new(common::require_c_program!("mount"), Some(NOBODY));
        assert_names_arrive_or_are_refused(&mounter, "rw");
    });
}

/// Source, type and options of what a program mounts whose builder has these options.
fn mounted_by_program(arguments: &[&str], builders: Option<&str>) -> (String, String, String) {
    mounted_by("/bin/a program", arguments, builders)
}

fn mounted_by(name: &str, arguments: &[&str], builders: Option<&str>) -> (String, String, String) {
    let _limit = TimeLimit::new(common::DEFAULT_LIMIT);
    let dir = MountDir::new();
    let mountpoint = dir.path().to_str().unwrap();
    let line = [&[name, "-f"], arguments, &[mountpoint]].concat();
    let line = CommandLine::parse(line).unwrap();
    let found = thread::scope(|scope| {
        let program = scope.spawn(|| {
            let run = line.run(|_| {
                let builder = Session::builder(MemFs::default());
                Ok(match builders {
                    Some(list) => builder.options(MountOptions::empty().with_list(list)),
                    None => builder,
                })
            });
            run.map_err(|error| error.to_string())
        });
        let is_mounted = || common::is_mounted(dir.path());
        assert!(common::wait_until(common::PATIENCE, is_mounted));
        common::register_mount(dir.path().to_owned());
        let found = common::mountinfo_of(dir.path()).unwrap();
        common::unmount(dir.path(), true).unwrap();
        assert_eq!(program.join().unwrap(), Ok(()));
        found
    });
    (found.source, found.kind, found.options)
}

#[test]
fn options_of_a_programs_builder_count_unless_the_command_line_has_others() {
    common::require_fuse!();
    let builders = "ro,fsname=theirs,noexec";
    let (source, kind, options) = mounted_by_program(&[], Some(builders));
    assert_eq!(
        (&*source, &*kind),
        ("theirs", r"fuse.a\040program"),
        "{options}"
    );
    assert!(
        options.starts_with("ro,") && options.contains("noexec"),
        "{options}"
    );
    assert!(!options.contains("default_permissions"), "{options}");

    let arguments = ["-o", "rw,fsname=given,default_permissions"];
    let (source, _, options) = mounted_by_program(&arguments, Some(builders));
    assert_eq!(source, "given");
    assert!(
        options.starts_with("rw,") && options.contains("noexec"),
        "{options}"
    );
    assert!(options.contains("default_permissions"), "{options}");

    let builders = "subtype=theirs";
    let (_, kind, _) = mounted_by_program(&[], Some(builders));
    assert_eq!(kind, "fuse.theirs");
    let (_, kind, _) = mounted_by_program(&["-o", "subtype=given"], Some(builders));
    assert_eq!(kind, "fuse.given");

    // The name of a program is not a list of options.
    let (source, kind, options) = mounted_by("/bin/a,ro", &[], None);
    assert_eq!((&*source, &*kind), ("a,ro", "fuse"));
    assert!(options.starts_with("rw,"), "{options}");

    // A builder that has none of its own.
    let (_, _, options) = mounted_by_program(&["-o", "ro"], None);
    assert!(options.starts_with("ro,"), "{options}");
    assert!(options.contains("default_permissions"), "{options}");
}

#[test]
fn what_is_for_mount_8_in_fstab_is_left_out() {
    common::require_fuse!();
    let mounter = Mounter::new(common::require_c_program!("mount"), None);
    for (all, for_libfuse) in FOR_OTHERS {
        let (c, rust) = (mounter.c(for_libfuse.as_ref()), mounter.rust(all.as_ref()));
        assert!(matches!(c, Outcome::Mounted(_)), "{c:?}");
        assert_eq!(c, rust, "{all}");
    }
}

/// Where libfuse says that it does not know an option, we say what to do.
#[test]
fn what_the_low_level_lacks_is_refused_with_advice() {
    common::require_fuse!();
    for (option, advice) in [
        ("entry_timeout=1", "`EntryAttributes`"),
        ("attr_timeout=1", "`EntryAttributes`"),
        ("max_write=65536", "`ConnInfo`"),
        ("writeback_cache", "`ConnInfo`"),
        ("kernel_cache", "`FileInfo`"),
        ("clone_fd", "`SessionBuilder::reader_threads`"),
        ("max_threads=4", "`SessionBuilder::reader_threads`"),
        ("user_id=0", "leave it out"),
        ("drop_privileges", "`mount -t fuse3`"),
        ("remount", "`mount -i -o remount,...`"),
    ] {
        let dir = MountDir::new();
        let builder = Session::builder(MemFs::default());
        let builder = builder.options(MountOptions::default().with(option));
        let message = builder.mount(dir.path()).unwrap_err().to_string();
        let name = option.split('=').next().unwrap();
        assert!(message.contains("unknown option"), "{message}");
        assert!(message.contains(&format!("; `{name}` ")), "{message}");
        assert!(message.contains(advice), "{message}");
    }
}
