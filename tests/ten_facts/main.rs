//! Ten facts about FUSE that pyfuse3 gets wrong, or does not tell: here each is as it should be.

#[path = "../common/mod.rs"]
mod common;

mod fact_01_parallel_dirops;
mod fact_02_stacktrace;
mod fact_03_o_trunc;
mod fact_04_umask;
mod fact_05_setattr_handle;
mod fact_06_enosys;
mod fact_07_local_locks;
mod fact_08_refused_replies;
mod fact_09_failing_handlers;
mod fact_10_notify_in_handler;

use libfuse3::EntryAttributes;
use libfuse3::Inode;

/// The attributes of the root, which is a directory, or of another inode, which is a file.
fn root_or_file(inode: Inode) -> EntryAttributes {
    match inode {
        Inode::ROOT => directory(inode),
        _ => file(inode),
    }
}

/// The attributes of a directory that the kernel does not cache.
fn directory(inode: Inode) -> EntryAttributes {
    let mode = libc::S_IFDIR | 0o755;
    uncached(inode, mode)
}

/// The attributes of an empty file that the kernel does not cache.
fn file(inode: Inode) -> EntryAttributes {
    let mode = libc::S_IFREG | 0o644;
    uncached(inode, mode)
}

fn uncached(ino: Inode, mode: u32) -> EntryAttributes {
    let attr = common::attributes(ino, mode);
    attr.with_timeouts(std::time::Duration::ZERO)
}
