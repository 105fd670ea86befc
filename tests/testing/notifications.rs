//! What the file system tells the kernel.

use std::ffi::OsStr;
use std::thread;

use libfuse3::testing::MockKernel;
use libfuse3::testing::Notification;
use libfuse3::*;

use crate::common;

struct Fs;

impl Operations for Fs {}

fn start() -> MockKernel<Fs> {
    common::install_logger();
    MockKernel::new(Fs).unwrap()
}

#[test]
fn notifications_arrive_as_they_were_sent() {
    let kernel = start();
    let notifier = kernel.notifier();
    let name = OsStr::new("name");
    smol::block_on(async {
        notifier.invalidate_inode(Inode(5), true).await.unwrap();
        notifier.invalidate_inode(Inode(5), false).await.unwrap();
        notifier
            .invalidate_entry(Inode(6), name, None)
            .await
            .unwrap();
        let deleted = Some(Inode(7));
        notifier
            .invalidate_entry(Inode(6), name, deleted)
            .await
            .unwrap();
        notifier
            .notify_store(Inode(8), 9, &b"data"[..])
            .await
            .unwrap();
    });
    for expected in [
        Notification::InvalInode {
            inode: Inode(5),
            offset: -1,
            len: 0,
        },
        Notification::InvalInode {
            inode: Inode(5),
            offset: 0,
            len: 0,
        },
        Notification::InvalEntry {
            parent: Inode(6),
            name: name.to_owned(),
            expire_only: false,
        },
        Notification::Delete {
            parent: Inode(6),
            child: Inode(7),
            name: name.to_owned(),
        },
        Notification::Store {
            inode: Inode(8),
            offset: 9,
            data: b"data".to_vec(),
        },
    ] {
        assert_eq!(kernel.notification(), Some(expected));
    }
    assert_eq!(kernel.try_notification(), None);
    common::assert_quiet();
}

#[test]
fn cached_data_are_retrieved() {
    let kernel = start();
    let notifier = kernel.notifier();
    let asking = thread::spawn(move || smol::block_on(notifier.retrieve(Inode(5), 10, 100)));
    let Some(Notification::Retrieve {
        unique,
        inode,
        offset,
        size,
    }) = kernel.notification()
    else {
        panic!("nothing is asked for")
    };
    assert_eq!((inode, offset, size), (Inode(5), 10, 100));
    kernel.retrieved(unique, inode, offset, b"cached").unwrap();
    assert_eq!(asking.join().unwrap().unwrap(), &b"cached"[..]);
    common::assert_quiet();
}
