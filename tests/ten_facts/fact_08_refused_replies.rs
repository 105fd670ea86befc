//! What the kernel does not take is taken back: of an answer that it refuses, the lookup counts and
//! open files would otherwise stay for ever.

use std::ffi::OsStr;
use std::fs;
use std::fs::File;
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::thread;

use libfuse3::Capabilities;
use libfuse3::ConnInfo;
use libfuse3::EntryAttributes;
use libfuse3::ExitReason;
use libfuse3::FileHandle;
use libfuse3::FileInfo;
use libfuse3::FileRef;
use libfuse3::Forget;
use libfuse3::Inode;
use libfuse3::OpenFlags;
use libfuse3::Operations;
use libfuse3::ReaddirToken;
use libfuse3::ReleaseFlags;
use libfuse3::RequestContext;
use libfuse3::Result;
use rustix::fs::CWD;
use rustix::fs::FileType;
use rustix::fs::Mode;

use crate::common;
use crate::common::Gate;
use crate::common::Watch;
use crate::directory;
use crate::file;

const FILE: Inode = Inode(50);
/// The directories 2 to 8, one for each operation, since the kernel locks them.
const DIRS: std::ops::RangeInclusive<u64> = 2..=8;

/// What was taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum TakenBack {
    Lookup(Inode, u64),
    Open(Inode, FileHandle),
    OpenDir(Inode, FileHandle),
}

/// Has the directories, and a file in the root. Each operation waits at the gate, then succeeds.
struct Fs {
    gate: Arc<Gate>,
    taken_back: Watch<Vec<TakenBack>>,
    plus: bool,
}

impl Fs {
    async fn new_file(&self, parent: Inode) -> Result<EntryAttributes> {
        self.gate.pass().await;
        Ok(file(Inode(parent.raw() * 10)))
    }

    fn take_back(&self, what: TakenBack) {
        self.taken_back.update(|taken_back| taken_back.push(what));
    }
}

impl Operations for Fs {
    fn init(&self, conn: &mut ConnInfo) -> Result<()> {
        if !self.plus {
            conn.unwant(Capabilities::READDIRPLUS);
        }
        Ok(())
    }

    async fn forget(&self, inodes: &[Forget]) {
        for &Forget { inode, nlookup } in inodes {
            self.take_back(TakenBack::Lookup(inode, nlookup));
        }
    }

    async fn lookup(
        &self,
        parent: Inode,
        name: &OsStr,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        match name.to_str().and_then(|name| name.parse().ok()) {
            Some(number) if DIRS.contains(&number) => Ok(directory(Inode(number))),
            _ if name == "file" => Ok(file(FILE)),
            _ if name == "slow" => self.new_file(parent).await,
            _ => Err(libfuse3::Errno::ENOENT),
        }
    }

    async fn getattr(
        &self,
        inode: Inode,
        _: Option<FileRef>,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        match inode {
            FILE => Ok(file(inode)),
            _ => Ok(directory(inode)),
        }
    }

    async fn create(
        &self,
        parent: Inode,
        _: &OsStr,
        _: u32,
        _: OpenFlags,
        _: &RequestContext,
    ) -> Result<(FileInfo, EntryAttributes)> {
        let attr = self.new_file(parent).await?;
        Ok((FileInfo::new(FileHandle(attr.ino.raw())), attr))
    }

    async fn mkdir(
        &self,
        parent: Inode,
        _: &OsStr,
        _: u32,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        self.new_file(parent).await
    }

    async fn mknod(
        &self,
        parent: Inode,
        _: &OsStr,
        _: u32,
        _: u64,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        self.new_file(parent).await
    }

    async fn symlink(
        &self,
        parent: Inode,
        _: &OsStr,
        _: &OsStr,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        self.new_file(parent).await
    }

    async fn link(
        &self,
        _: Inode,
        parent: Inode,
        _: &OsStr,
        _: &RequestContext,
    ) -> Result<EntryAttributes> {
        self.new_file(parent).await
    }

    async fn open(&self, _: Inode, _: OpenFlags, _: &RequestContext) -> Result<FileInfo> {
        self.gate.pass().await;
        Ok(FileInfo::new(FileHandle(51)))
    }

    async fn release(&self, file: FileRef, _: ReleaseFlags, _: &RequestContext) -> Result<()> {
        self.take_back(TakenBack::Open(file.inode, file.fh));
        Ok(())
    }

    async fn opendir(&self, inode: Inode, _: OpenFlags, _: &RequestContext) -> Result<FileInfo> {
        if inode == Inode(7) {
            self.gate.pass().await;
        }
        Ok(FileInfo::new(FileHandle(inode.raw() * 10)))
    }

    async fn readdir(
        &self,
        _: FileRef,
        _: u64,
        reply: &mut ReaddirToken,
        _: &RequestContext,
    ) -> Result<()> {
        self.gate.pass().await;
        assert!(reply.add(".".as_ref(), &directory(Inode(8)), 1));
        assert!(reply.add("..".as_ref(), &directory(Inode(1)), 2));
        for number in [80, 81, 82] {
            let name = number.to_string();
            assert!(reply.add(name.as_ref(), &file(Inode(number)), number));
        }
        // Nothing is known of it but the name.
        assert!(reply.add("unknown".as_ref(), &file(Inode(0)), 90));
        Ok(())
    }

    async fn releasedir(&self, dir: FileRef, _: &RequestContext) -> Result<()> {
        self.take_back(TakenBack::OpenDir(dir.inode, dir.fh));
        Ok(())
    }
}

fn assert_all_is_taken_back(plus: bool) {
    let fs = Fs {
        gate: Gate::new(),
        taken_back: Watch::default(),
        plus,
    };
    let mounted = common::mount(fs);
    let at = |path: &str| mounted.join(path);
    for number in DIRS {
        fs::metadata(at(&number.to_string())).unwrap();
    }
    let made = (Mode::RUSR, 0);
    thread::scope(|scope| {
        let _end = mounted.ops.gate.open_at_end();
        let clients = [
            scope.spawn(|| fs::metadata(at("slow")).map(drop)),
            scope.spawn(|| File::create_new(at("2/new")).map(drop)),
            scope.spawn(|| fs::create_dir(at("3/new"))),
            scope.spawn(|| {
                let (mode, device) = made;
                let fifo = FileType::Fifo;
                Ok(rustix::fs::mknodat(CWD, at("4/new"), fifo, mode, device)?)
            }),
            scope.spawn(|| symlink("target", at("5/new"))),
            scope.spawn(|| fs::hard_link(at("file"), at("6/new"))),
            scope.spawn(|| fs::read_dir(at("7")).map(drop)),
            scope.spawn(|| fs::read_dir(at("8"))?.next().unwrap().map(drop)),
            scope.spawn(|| File::open(at("file")).map(drop)),
        ];
        mounted.ops.gate.wait_for(clients.len());
        mounted.ops.taken_back.update(Vec::clear);
        mounted.abort();
        for client in clients {
            let errno = common::errno(client.join().unwrap());
            assert!(
                [libc::ECONNABORTED, libc::ENOTCONN].contains(&errno),
                "{errno}"
            );
        }
        mounted.ops.gate.open();
    });
    let fs = Arc::clone(&mounted.ops);
    assert_eq!(mounted.join_session().unwrap(), ExitReason::Aborted);
    let mut taken_back = fs.taken_back.read(Clone::clone);
    taken_back.sort_unstable();
    let mut expected: Vec<_> = [10, 20, 30, 40, 50, 60, 80, 81, 82]
        .map(|number| TakenBack::Lookup(Inode(number), 1))
        .into();
    expected.extend([
        TakenBack::Open(Inode(20), FileHandle(20)),
        TakenBack::Open(FILE, FileHandle(51)),
        TakenBack::OpenDir(Inode(7), FileHandle(70)),
    ]);
    assert_eq!(taken_back, expected);
}

#[test]
fn refused_entries_are_forgotten_and_refused_opens_are_released() {
    common::require_fuse!();
    common::require_abort!();
    assert_all_is_taken_back(true);
}

#[test]
fn refused_listings_without_attributes_are_forgotten_too() {
    common::require_fuse!();
    common::require_abort!();
    assert_all_is_taken_back(false);
}
