//! Programs watched by valgrind.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::NamedTempFile;

use super::find_program;

/// Watches a program: one that uses memory that is not its own, or loses some, ends with a status of its
/// own, 99.
pub(crate) struct Valgrind {
    log: NamedTempFile,
}

impl Valgrind {
    /// The error says what is missing here.
    pub(crate) fn new() -> Result<Self, String> {
        find_program("valgrind").ok_or("no valgrind")?;
        let log = NamedTempFile::new().expect("a file");
        Ok(Self { log })
    }

    /// Runs this program.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let suppressions = "tests/common/valgrind.supp";
        let suppressions = Path::new(env!("CARGO_MANIFEST_DIR")).join(suppressions);
        let mut command = Command::new("valgrind");
        command
            .args(["--error-exitcode=99", "--num-callers=40"])
            .args([
                "--leak-check=full",
                "--errors-for-leak-kinds=definite,indirect,possible",
            ])
            .arg(format!("--suppressions={}", suppressions.display()))
            .arg(format!("--log-file={}", self.log.path().display()))
            .arg(program)
            // Keeps much in memory.
            .env("RUST_BACKTRACE", "0");
        command
    }

    /// What it has to say.
    pub(crate) fn report(&self) -> String {
        fs::read_to_string(self.log.path()).expect("its log")
    }

    /// How many bytes the program had at its end that it could have freed.
    pub(crate) fn reachable(&self) -> usize {
        let report = self.report();
        let mut lines = report.lines();
        let bytes = lines.find_map(|line| line.split_once("still reachable: "));
        let bytes = bytes.and_then(|(_, bytes)| bytes.split(' ').next());
        let bytes = bytes.map(|bytes| bytes.replace(',', ""));
        bytes
            .and_then(|bytes| bytes.parse().ok())
            .unwrap_or_else(|| panic!("no summary: {report}"))
    }
}

/// Something to watch with, or returns from the test and says why there is nothing.
macro_rules! require_valgrind {
    () => {
        match $crate::common::Valgrind::new() {
            Ok(valgrind) => valgrind,
            Err(why) => {
                $crate::common::skip(why);
                return;
            }
        }
    };
}
pub(crate) use require_valgrind;
