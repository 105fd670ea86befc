//! Requests over io_uring are refused: libfuse's answers from other threads would get lost.

#[cfg(libfuse_since = "3.18")]
mod refused {
    use std::fs;
    use std::process::Command;

    use crate::common;
    use crate::common::require_fuse;
    use crate::program::Program;
    use crate::program::path_of;
    use crate::program::unmount;

    /// The ring's threads are started while INIT is worked on. The kernel offers a ring only if
    /// `/sys/module/fuse/parameters/enable_uring` says so.
    fn assert_refused(prepare: impl Fn(&mut Command)) {
        // With a logger, and without one that shows warnings.
        for level in ["warn", "error"] {
            let mut command = Command::new(path_of("tmpfs"));
            command.env("RUST_LOG", level);
            prepare(&mut command);
            assert_one_line(command);
        }
    }

    fn assert_one_line(command: Command) {
        let mut tmpfs = Program::start_command("tmpfs", command, common::DEFAULT_LIMIT);
        let file = tmpfs.join("file");
        fs::write(&file, "text").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "text");
        let tasks = format!("/proc/{}/task", tmpfs.pid().as_raw_nonzero());
        for task in fs::read_dir(tasks).unwrap() {
            let name = fs::read_to_string(task.unwrap().path().join("comm"));
            let name = name.unwrap_or_default();
            assert!(!name.starts_with("fuse-ring"), "{name}");
        }
        unmount(tmpfs.path());
        assert!(tmpfs.join_process().success());
        let output = tmpfs.output();
        assert_eq!(output.lines().count(), 1, "{output}");
        assert!(output.contains("io_uring is not used"), "{output}");
    }

    #[test]
    fn by_option() {
        require_fuse!();
        assert_refused(|command| {
            command.args(["-o", "io_uring"]);
        });
    }

    #[test]
    fn by_environment() {
        require_fuse!();
        assert_refused(|command| {
            command.env("FUSE_URING_ENABLE", "1");
        });
    }
}

/// As any option that libfuse does not know.
#[cfg(not(libfuse_since = "3.18"))]
#[test]
fn an_option_that_this_libfuse_does_not_know() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new(crate::program::path_of("tmpfs"));
    let output = crate::program::finish(command.args(["-f", "-o", "io_uring"]).arg(dir.path()));
    let message = crate::program::text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("io_uring"), "{message}");
}
