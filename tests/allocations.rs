//! What a request costs in heap allocations: none, if its handler need not wait.

mod common;

use std::alloc::GlobalAlloc;
use std::alloc::Layout;
use std::alloc::System;
use std::cell::Cell;
use std::ffi::OsStr;
use std::fs::File;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use libfuse3::Data;
use libfuse3::EntryAttributes;
use libfuse3::Errno;
use libfuse3::FileInfo;
use libfuse3::FileRef;
use libfuse3::Inode;
use libfuse3::MountOptions;
use libfuse3::OpenFlags;
use libfuse3::Operations;
use libfuse3::RequestContext;
use libfuse3::Result;
use libfuse3::WriteBuf;
use rustix::fs::AtFlags;
use rustix::fs::StatxFlags;
use rustix::fs::statx;

/// The allocator of the system, which counts on threads that [`watch_this_thread`] was called on.
///
/// It does not see what libfuse allocates by itself: a `calloc` for each request.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static WATCHED: Cell<bool> = const { Cell::new(false) };
}

/// Allocations on watched threads, and requests that were handled there.
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static REQUESTS: AtomicU64 = AtomicU64::new(0);

fn count() {
    if WATCHED.get() {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: everything is left to the allocator of the system.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: guaranteed by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: guaranteed by the caller.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count();
        // SAFETY: guaranteed by the caller.
        unsafe { System.realloc(start, layout, new_size) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: guaranteed by the caller.
        unsafe { System.dealloc(start, layout) };
    }
}

/// Called by handlers: the thread that polls them first is the one that received the request.
fn watch_this_thread() {
    WATCHED.set(true);
    REQUESTS.fetch_add(1, Ordering::Relaxed);
}

/// A file of zeros whose contents nobody keeps.
struct Null;

const FILE: Inode = Inode(2);
static ZEROS: [u8; 1 << 17] = [0; 1 << 17];

fn attributes(inode: Inode) -> EntryAttributes {
    let mode = match inode {
        Inode::ROOT => libc::S_IFDIR | 0o755,
        _ => libc::S_IFREG | 0o644,
    };
    let attr = EntryAttributes {
        ino: inode,
        mode,
        size: 1 << 40,
        ..EntryAttributes::default()
    };
    attr.with_timeouts(Duration::ZERO)
}

impl Operations for Null {
    async fn getattr(
        &self,
        inode: Inode,
        _file: Option<FileRef>,
        _ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        watch_this_thread();
        Ok(attributes(inode))
    }

    async fn lookup(
        &self,
        _parent: Inode,
        name: &OsStr,
        _ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        watch_this_thread();
        match name.to_str() {
            Some("zero") => Ok(attributes(FILE)),
            _ => Err(Errno::ENOENT),
        }
    }

    async fn open(
        &self,
        _inode: Inode,
        _flags: OpenFlags,
        _ctx: &RequestContext,
    ) -> Result<FileInfo> {
        watch_this_thread();
        Ok(FileInfo {
            direct_io: true,
            ..FileInfo::default()
        })
    }

    async fn read(
        &self,
        _file: FileRef,
        _offset: u64,
        size: usize,
        _ctx: &RequestContext,
    ) -> Result<Data> {
        watch_this_thread();
        Ok(ZEROS[..size].into())
    }

    async fn write(
        &self,
        _file: FileRef,
        _offset: u64,
        data: WriteBuf,
        _ctx: &RequestContext,
    ) -> Result<usize> {
        watch_this_thread();
        Ok(data.len())
    }
}

/// Allocations and requests while `call` is made so many times, once the session has settled.
fn cost(calls: u64, mut call: impl FnMut()) -> (u64, u64) {
    (0..calls).for_each(|_| call());
    ALLOCATIONS.store(0, Ordering::Relaxed);
    REQUESTS.store(0, Ordering::Relaxed);
    (0..calls).for_each(|_| call());
    (
        ALLOCATIONS.load(Ordering::Relaxed),
        REQUESTS.load(Ordering::Relaxed),
    )
}

#[test]
fn a_request_costs_no_allocation() {
    const CALLS: u64 = 1000;
    common::require_fuse!();
    // Without default_permissions, for which the kernel would ask for the root's attributes as well.
    let mounted = common::mount_with(Null, |builder| builder.options(MountOptions::empty()));
    let dir = File::open(mounted.path()).unwrap();
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(mounted.join("zero"))
        .unwrap();
    let mut small = [0; 4096];
    let mut large = vec![0; ZEROS.len()];

    let getattr = cost(CALLS, || assert!(file.metadata().unwrap().is_file()));
    let lookup = cost(CALLS, || {
        statx(&dir, "zero", AtFlags::STATX_DONT_SYNC, StatxFlags::TYPE).unwrap();
    });
    let read_4k = cost(CALLS, || file.read_exact_at(&mut small, 0).unwrap());
    let read_128k = cost(CALLS, || file.read_exact_at(&mut large, 0).unwrap());
    let write_4k = cost(CALLS, || file.write_all_at(&small, 0).unwrap());
    let write_128k = cost(CALLS, || file.write_all_at(&large, 0).unwrap());

    for (what, (allocations, requests)) in [
        ("getattr", getattr),
        ("lookup", lookup),
        ("read of 4 KiB", read_4k),
        ("read of 128 KiB", read_128k),
        ("write of 4 KiB", write_4k),
        ("write of 128 KiB", write_128k),
    ] {
        println!("{what}: {allocations} allocations in {requests} requests");
        assert_eq!(requests, CALLS, "{what}: one request each");
        assert_eq!(allocations, 0, "{what}: in {requests} requests");
    }
    drop(file);
    common::assert_quiet();
}
