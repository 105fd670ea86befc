//! A block device for file systems that are mounted on one.

use std::process::Command;
use std::process::Stdio;
use std::thread;

/// A file that is a block device while this lives.
pub(crate) struct LoopDevice {
    pub(crate) path: String,
    _file: tempfile::NamedTempFile,
}

impl LoopDevice {
    /// `None` where there is none to be had; says why.
    pub(crate) fn available() -> Option<Self> {
        Self::new()
            .map_err(|why| super::skip(format_args!("no loop device: {why}")))
            .ok()
    }

    fn new() -> Result<Self, String> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        file.as_file().set_len(1 << 20).expect("a file of 1 MiB");
        let mut losetup = Command::new("losetup");
        losetup.args(["--find", "--show"]).arg(file.path());
        let output = losetup.stdin(Stdio::null()).output();
        let output = output.map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        let path = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let this = Self { path, _file: file };
        // In some containers the device comes into being elsewhere.
        match std::fs::exists(&this.path) {
            Ok(true) => Ok(this),
            _ => Err(format!("{} is not there", this.path)),
        }
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        let mut losetup = Command::new("losetup");
        losetup.arg("--detach").arg(&self.path);
        let detached = losetup.stdin(Stdio::null()).status();
        if !thread::panicking() && std::fs::exists(&self.path).unwrap_or(false) {
            assert!(detached.expect("losetup").success(), "{}", self.path);
        }
    }
}
