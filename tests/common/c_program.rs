//! C programs to compare with, compiled against the libfuse that is installed.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::find_program;

/// A program of `tests/c`, compiled.
pub(crate) struct CProgram {
    path: PathBuf,
    _dir: TempDir,
}

impl CProgram {
    /// Compiles `tests/c/NAME.c` to a program of that name, which all users can run. The error says what is
    /// missing here.
    pub(crate) fn compile(name: &str) -> Result<Self, String> {
        for program in ["cc", "pkg-config"] {
            find_program(program).ok_or(format!("no {program}"))?;
        }
        let flags = Command::new("pkg-config")
            .args(["--cflags", "--libs", "fuse3"])
            .output()
            .expect("pkg-config");
        if !flags.status.success() {
            return Err("pkg-config does not know fuse3".to_owned());
        }
        let flags = String::from_utf8(flags.stdout).expect("UTF-8");
        let dir = super::open_directory();
        let path = dir.path().join(name);
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c");
        let output = Command::new("cc")
            .args(["-Wall", "-Werror", "-DFUSE_USE_VERSION=312", "-o"])
            .arg(&path)
            .arg(source.join(name).with_extension("c"))
            .args(flags.split_whitespace())
            .output()
            .expect("cc");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}.c: {errors}");
        Ok(Self { path, _dir: dir })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Compiles a program, or returns from the test and says why it cannot be.
macro_rules! require_c_program {
    ($name:expr) => {
        match $crate::common::CProgram::compile($name) {
            Ok(program) => program,
            Err(why) => {
                $crate::common::skip(why);
                return;
            }
        }
    };
}
pub(crate) use require_c_program;
