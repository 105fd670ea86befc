//! What another process sees of notifications: the programs of a script.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use libfuse3::EntryAttributes;
use libfuse3::Errno;
use libfuse3::Inode;
use smol::block_on;

use crate::common;
use crate::common::assert_quiet;
use crate::common::require_fuse;
use crate::scripted::Call;
use crate::scripted::Scripted;
use crate::scripted::answer;
use crate::scripted::dir;
use crate::scripted::file;

/// So that the kernel asks for nothing twice by itself.
const LONG: Duration = Duration::from_secs(1000);

/// What another process reads.
fn cat(path: &Path) -> String {
    let output = Command::new("cat").arg(path).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Whether another process finds something there.
fn exists(path: &Path) -> bool {
    let mut test = Command::new("test");
    test.arg("-e").arg(path).status().unwrap().success()
}

fn remembered(inode: u64, size: u64) -> EntryAttributes {
    EntryAttributes {
        size,
        ..file(inode).with_timeouts(LONG)
    }
}

fn is_read(call: &Call) -> bool {
    matches!(call, Call::Read(..))
}

#[test]
fn contents_are_those_that_the_kernel_was_told() {
    require_fuse!();
    let contents = Arc::new(Mutex::new("old"));
    let current = Arc::clone(&contents);
    let mut fs = Scripted::with_file(3).with("file", remembered(2, 3));
    answer!(fs.read = move |_, _| Ok((*current.lock().unwrap()).into()));
    let mounted = common::mount(fs);
    let (path, notifier) = (mounted.join("file"), mounted.notifier());
    assert_eq!(cat(&path), "old");
    *contents.lock().unwrap() = "new";
    assert_eq!(cat(&path), "old", "cached");
    block_on(notifier.invalidate_inode(Inode(2), false)).unwrap();
    assert_eq!(cat(&path), "new");
    mounted.ops.calls.drain();
    block_on(notifier.notify_store(Inode(2), 0, "put")).unwrap();
    assert_eq!(cat(&path), "put");
    let retrieved = block_on(notifier.retrieve(Inode(2), 0, 100)).unwrap();
    assert_eq!(retrieved, "put");
    assert_eq!(mounted.ops.count(is_read), 0);
    assert_quiet();
}

#[test]
fn names_are_there_or_gone_as_the_kernel_was_told() {
    require_fuse!();
    let is_there = Arc::new(Mutex::new(true));
    let now = Arc::clone(&is_there);
    let mut fs = Scripted::new();
    fs.set(dir(1).with_timeouts(LONG));
    answer!(
        fs.lookup = move |_, name| match (name.to_str(), *now.lock().unwrap()) {
            (Some("name"), true) => Ok(remembered(2, 0)),
            (Some("name"), false) => Ok(EntryAttributes::negative(LONG)),
            _ => Err(Errno::ENOENT),
        }
    );
    let mounted = common::mount(fs);
    let (path, notifier) = (mounted.join("name"), mounted.notifier());
    let told = || {
        let told = notifier.invalidate_entry(Inode::ROOT, "name".as_ref(), None);
        block_on(told).unwrap();
    };
    assert!(exists(&path));
    *is_there.lock().unwrap() = false;
    assert!(exists(&path), "cached");
    told();
    assert!(!exists(&path));
    *is_there.lock().unwrap() = true;
    assert!(!exists(&path), "that it is missing is cached, too");
    told();
    assert!(exists(&path));
    *is_there.lock().unwrap() = false;
    block_on(notifier.delete(Inode::ROOT, Inode(2), "name".as_ref())).unwrap();
    assert!(!exists(&path));
    assert_quiet();
}
