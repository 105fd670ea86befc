//! The operations, each done to the source.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::future::Either;
use futures::future::select;
use libfuse3::Capabilities;
use libfuse3::ConnInfo;
use libfuse3::CopyFileRange;
use libfuse3::Data;
use libfuse3::EntryAttributes;
use libfuse3::Errno;
use libfuse3::FallocateFlags;
use libfuse3::FileInfo;
use libfuse3::FileRef;
use libfuse3::Forget;
use libfuse3::Inode;
use libfuse3::Ioctl;
use libfuse3::IoctlFlags;
use libfuse3::IoctlReply;
use libfuse3::LockType;
use libfuse3::OpenFlags;
use libfuse3::Operations;
use libfuse3::ReaddirToken;
use libfuse3::ReleaseFlags;
use libfuse3::Rename;
use libfuse3::RequestContext;
use libfuse3::Result;
use libfuse3::SeekTarget;
use libfuse3::SetattrFields;
use libfuse3::StatvfsData;
use libfuse3::StatxData;
use libfuse3::StatxFlags;
use libfuse3::StatxMask;
use libfuse3::WriteBuf;
use libfuse3::XattrFlags;
use rustix::fs::AtFlags;
use rustix::fs::FileType;
use rustix::fs::OFlags;
use rustix::fs::RenameFlags;

use super::ACCESS_ACL;
use super::DEFAULT_ACL;
use super::Passthrough;
use crate::dir::Directory;
use crate::file;
use crate::file::OpenFile;
use crate::options::Cache;
use crate::path_fd::PathFd;
use crate::path_fd::btime;
use crate::path_fd::errno;

/// Who waits for a lock of the source looks for it this soon, and then ever more rarely, ...
const LOCK_PAUSE: Duration = Duration::from_millis(1);
/// ... down to this.
const LONGEST_LOCK_PAUSE: Duration = Duration::from_millis(100);

impl Operations for Passthrough {
    // Without the lists, the kernel would grant what a list of the source denies. With them it checks
    // the permissions of every call, whatever the mount options are.
    const ENABLE_ACL: bool = true;

    // ---- session ---------------------------------------------------------------------------------

    fn init(&self, conn: &mut ConnInfo) -> Result<()> {
        // The umask is for the source to apply: see `new_permissions`.
        conn.want(Capabilities::DONT_MASK)?;
        if self.options.xattr {
            conn.want(Capabilities::POSIX_ACL)?;
        }
        if self.options.passthrough && conn.capable().contains(Capabilities::PASSTHROUGH) {
            conn.want(Capabilities::PASSTHROUGH)?;
            // Only if needed: with this depth the kernel refuses to stack an overlayfs on the mirror.
            if self.fd(Inode::ROOT)?.is_on_stacked_file_system()? {
                conn.set_max_backing_stack_depth(1)?;
            }
            self.has_writeback.store(false, Ordering::Relaxed);
            self.has_passthrough.store(true, Ordering::Relaxed);
        }
        if self.has_writeback() {
            conn.want(Capabilities::WRITEBACK_CACHE)?;
        }
        if self.options.splice {
            conn.want_if_capable(
                Capabilities::SPLICE_READ | Capabilities::SPLICE_WRITE | Capabilities::SPLICE_MOVE,
            );
        }
        // A lock of the source's is seen by those who do not come through the mirror, too. POSIX locks
        // belong to processes, of which the source would see one only: the kernel keeps them.
        if self.options.flock {
            conn.want_if_capable(Capabilities::FLOCK_LOCKS);
        }
        // An inode that the kernel has forgotten is not found by its number: a file handle for NFS would go
        // stale at any time.
        conn.want_if_capable(Capabilities::NO_EXPORT_SUPPORT);
        // chattr and lsattr.
        conn.want_if_capable(Capabilities::IOCTL_DIR);
        if self.options.timeout.is_zero() {
            // The kernel would throw away at once the attributes that a listing brings.
            conn.unwant(Capabilities::READDIRPLUS);
        } else {
            conn.want_if_capable(Capabilities::READDIRPLUS_AUTO);
        }
        Ok(())
    }

    async fn destroy(&self) {
        self.nodes.drain();
    }

    // ---- inode -----------------------------------------------------------------------------------

    async fn forget(&self, inodes: &[Forget]) {
        self.nodes.forget(inodes);
    }

    async fn getattr(
        &self,
        inode: Inode,
        _file: Option<FileRef>,
        _ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        let stat = self.fd(inode)?.stat()?;
        Ok(self.entry(inode, &stat))
    }

    async fn statx(
        &self,
        inode: Inode,
        flags: StatxFlags,
        _mask: StatxMask,
        _file: Option<FileRef>,
        _ctx: &RequestContext,
    ) -> Result<StatxData> {
        let stat = self.fd(inode)?.stat_with_btime(flags)?;
        Ok(StatxData {
            attr: self.entry(inode, &stat),
            btime: btime(&stat),
        })
    }

    async fn setattr(
        &self,
        inode: Inode,
        fields: SetattrFields,
        file: Option<FileRef>,
        ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        let fd = self.fd(inode)?;
        let file = file.map(|file| self.files.get(file.fh)).transpose()?;
        let changes_times_alone =
            fields.size.is_none() && (fields.atime.is_some() || fields.mtime.is_some());
        // If the group changes, membership in the old one counts.
        let group = match changes_times_alone {
            true => None,
            false => Some(fd.stat()?.stx_gid),
        };
        fd.set_attributes(&fields, file.as_ref().map(|file| file.as_fd()))?;
        if let Some(group) = group {
            fd.drop_set_group_id(group, ctx)?;
        }
        Ok(self.entry(inode, &fd.stat()?))
    }

    async fn readlink(&self, inode: Inode, _ctx: &RequestContext) -> Result<OsString> {
        self.fd(inode)?.target()
    }

    // ---- tree ------------------------------------------------------------------------------------

    async fn lookup(
        &self,
        parent: Inode,
        name: &OsStr,
        _ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        // NFS servers ask for `.`, of files too, and for `..`, which must not lead out of the source.
        if name == "." || (name == ".." && parent == Inode::ROOT) {
            return self.look_up_again(parent);
        }
        self.look_up(&self.nodes.get(parent)?, name)
    }

    async fn mknod(
        &self,
        parent: Inode,
        name: &OsStr,
        mode: u32,
        rdev: u64,
        ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        let parent = self.nodes.get(parent)?;
        let parent_fd = parent.fd()?;
        let permissions = self.new_permissions(&parent_fd, mode, ctx);
        let file_type = FileType::from_raw_mode(mode);
        self.credentials.as_caller(ctx, || {
            rustix::fs::mknodat(&*parent_fd, name, file_type, permissions, rdev)
        })?;
        self.look_up(&parent, name)
    }

    async fn mkdir(
        &self,
        parent: Inode,
        name: &OsStr,
        mode: u32,
        ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        let parent = self.nodes.get(parent)?;
        let parent_fd = parent.fd()?;
        let permissions = self.new_permissions(&parent_fd, mode, ctx);
        self.credentials
            .as_caller(ctx, || rustix::fs::mkdirat(&*parent_fd, name, permissions))?;
        self.look_up(&parent, name)
    }

    async fn unlink(&self, parent: Inode, name: &OsStr, _ctx: &RequestContext) -> Result<()> {
        let parent = self.fd(parent)?;
        self.hold(&parent, name);
        rustix::fs::unlinkat(&*parent, name, AtFlags::empty()).map_err(errno)
    }

    async fn rmdir(&self, parent: Inode, name: &OsStr, _ctx: &RequestContext) -> Result<()> {
        let parent = self.fd(parent)?;
        self.hold(&parent, name);
        rustix::fs::unlinkat(&*parent, name, AtFlags::REMOVEDIR).map_err(errno)
    }

    async fn symlink(
        &self,
        parent: Inode,
        name: &OsStr,
        target: &OsStr,
        ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        let parent = self.nodes.get(parent)?;
        let parent_fd = parent.fd()?;
        self.credentials
            .as_caller(ctx, || rustix::fs::symlinkat(target, &*parent_fd, name))?;
        self.look_up(&parent, name)
    }

    async fn rename(&self, rename: Rename<'_>, _ctx: &RequestContext) -> Result<()> {
        let old = self.nodes.get(rename.parent)?;
        let new = self.nodes.get(rename.new_parent)?;
        let (old_fd, new_fd) = (old.fd()?, new.fd()?);
        let flags = RenameFlags::from_bits_retain(rename.flags.bits());
        self.hold(&new_fd, rename.new_name);
        rustix::fs::renameat_with(&*old_fd, rename.name, &*new_fd, rename.new_name, flags)
            .map_err(errno)?;
        self.note_place(&new, rename.new_name);
        if flags.contains(RenameFlags::EXCHANGE) {
            self.note_place(&old, rename.name);
        }
        Ok(())
    }

    async fn link(
        &self,
        inode: Inode,
        new_parent: Inode,
        new_name: &OsStr,
        _ctx: &RequestContext,
    ) -> Result<EntryAttributes> {
        self.fd(inode)?.link(&*self.fd(new_parent)?, new_name)?;
        self.look_up_again(inode)
    }

    // ---- file ------------------------------------------------------------------------------------

    async fn open(&self, inode: Inode, flags: OpenFlags, ctx: &RequestContext) -> Result<FileInfo> {
        let fd = self.fd(inode)?;
        let file = OpenFile::open(&fd, flags, self.source_flags(flags))?;
        Ok(self.file_info(file, inode, ctx))
    }

    async fn create(
        &self,
        parent: Inode,
        name: &OsStr,
        mode: u32,
        flags: OpenFlags,
        ctx: &RequestContext,
    ) -> Result<(FileInfo, EntryAttributes)> {
        let parent = self.nodes.get(parent)?;
        let parent_fd = parent.fd()?;
        let permissions = self.new_permissions(&parent_fd, mode, ctx);
        let source_flags = self.source_flags(flags) | OFlags::CREATE | OFlags::EXCL;
        let created = self.credentials.as_caller(ctx, || {
            rustix::fs::openat(&*parent_fd, name, source_flags, permissions)
        });
        let fd = match created {
            // The name has come into being since the kernel looked for it, and whether the caller may
            // open that file has not been checked. ESTALE makes the kernel look again.
            Err(Errno::EEXIST) if !flags.contains(OpenFlags::EXCL) => return Err(Errno::ESTALE),
            created => created?,
        };
        let entry = self.remember(PathFd::of(&fd)?, &parent, name)?;
        Ok((self.file_info(fd.into(), entry.ino, ctx), entry))
    }

    async fn tmpfile(
        &self,
        parent: Inode,
        mode: u32,
        flags: OpenFlags,
        ctx: &RequestContext,
    ) -> Result<(FileInfo, EntryAttributes)> {
        let parent = self.fd(parent)?;
        let permissions = self.new_permissions(&parent, mode, ctx);
        let source_flags = self.source_flags(flags) | OFlags::TMPFILE;
        let fd = self.credentials.as_caller(ctx, || {
            rustix::fs::openat(&*parent, ".", source_flags, permissions)
        })?;
        let entry = self.remember_nameless(PathFd::of(&fd)?)?;
        Ok((self.file_info(fd.into(), entry.ino, ctx), entry))
    }

    async fn read(
        &self,
        file: FileRef,
        offset: u64,
        size: usize,
        _ctx: &RequestContext,
    ) -> Result<Data> {
        let file = self.files.get(file.fh)?;
        if self.options.splice {
            return Ok(file.splice_from(offset, size));
        }
        Ok(file.read(offset, size)?.into())
    }

    async fn write(
        &self,
        file: FileRef,
        offset: u64,
        data: WriteBuf,
        ctx: &RequestContext,
    ) -> Result<usize> {
        // With the writeback cache the kernel has found the end of the file by itself.
        let append = file.flags.contains(OpenFlags::APPEND)
            && !data.is_from_cache()
            && !self.has_writeback();
        let file = self.files.get(file.fh)?;
        if ctx.kill_suidgid {
            file.drop_set_id(ctx)?;
        }
        match append {
            false => file.write(offset, data),
            true => file.append(&data),
        }
    }

    async fn flush(&self, file: FileRef, _ctx: &RequestContext) -> Result<()> {
        let file = self.files.get(file.fh)?;
        match file.flush() {
            // Out of descriptors. A sync reports the same without one.
            Err(Errno::EMFILE | Errno::ENFILE) => {
                smol::unblock(move || file::sync(&*file, true)).await
            }
            result => result,
        }
    }

    async fn release(
        &self,
        file: FileRef,
        flags: ReleaseFlags,
        _ctx: &RequestContext,
    ) -> Result<()> {
        // In this order: see `flock`.
        if flags.contains(ReleaseFlags::FLOCK_RELEASE) {
            let file = self.files.get(file.fh);
            let _ = file.and_then(|file| file.lock(LockType::Unlock));
        }
        self.files.remove(file.fh);
        Ok(())
    }

    async fn fsync(&self, file: FileRef, datasync: bool, _ctx: &RequestContext) -> Result<()> {
        let file = self.files.get(file.fh)?;
        smol::unblock(move || file::sync(&*file, datasync)).await
    }

    async fn fallocate(
        &self,
        file: FileRef,
        mode: FallocateFlags,
        offset: u64,
        len: u64,
        _ctx: &RequestContext,
    ) -> Result<()> {
        let file = self.files.get(file.fh)?;
        smol::unblock(move || file.allocate(mode, offset, len)).await
    }

    async fn lseek(
        &self,
        file: FileRef,
        offset: u64,
        target: SeekTarget,
        _ctx: &RequestContext,
    ) -> Result<u64> {
        self.files.get(file.fh)?.seek(offset, target)
    }

    async fn copy_file_range(&self, copy: CopyFileRange, _ctx: &RequestContext) -> Result<usize> {
        let from = self.files.get(copy.file_in.fh)?;
        let to = self.files.get(copy.file_out.fh)?;
        smol::unblock(move || from.copy_to(copy.offset_in, &to, copy.offset_out, copy.len)).await
    }

    // ---- lock ------------------------------------------------------------------------------------

    async fn flock(
        &self,
        file: FileRef,
        lock_type: LockType,
        sleep: bool,
        ctx: &RequestContext,
    ) -> Result<()> {
        let file = self.files.get(file.fh)?;
        let mut pause = LOCK_PAUSE;
        loop {
            // close(2) does not wait for the release, which unlocks: the lock in the way may be that of a file
            // that is closed already. This comes first, since the release may come before the attempt to lock.
            let waits = sleep
                || pause < LONGEST_LOCK_PAUSE && self.files.any(OpenFile::may_be_about_to_unlock);
            match file.lock(lock_type) {
                Err(Errno::EAGAIN) if waits => (),
                result => return result,
            }
            // To wait in the source would take a thread for each waiter, which nothing could interrupt.
            let timer = smol::Timer::after(pause);
            if let Either::Right(_) = select(timer, pin!(ctx.interrupted())).await {
                return Err(Errno::EINTR);
            }
            pause = LONGEST_LOCK_PAUSE.min(pause * 2);
        }
    }

    // ---- dir -------------------------------------------------------------------------------------

    async fn opendir(
        &self,
        inode: Inode,
        _flags: OpenFlags,
        _ctx: &RequestContext,
    ) -> Result<FileInfo> {
        let directory = Directory::open(&*self.fd(inode)?, self.atime_flag())?;
        let keep = self.options.cache == Cache::Always;
        let fh = self.directories.insert(directory);
        Ok(FileInfo {
            keep_cache: keep,
            cache_readdir: keep,
            ..FileInfo::new(fh)
        })
    }

    async fn readdir(
        &self,
        dir: FileRef,
        start_id: u64,
        reply: &mut ReaddirToken,
        _ctx: &RequestContext,
    ) -> Result<()> {
        let node = self.nodes.get(dir.inode)?;
        let dev = node.fd()?.cached_dev()?;
        let mut listed = 0;
        let result = self.directories.get(dir.fh)?.read(start_id, |entry| {
            let looked_up = if reply.wants_attributes() && !entry.is_dot_or_dot_dot() {
                match self.look_up(&node, &entry.name) {
                    Ok(attributes) => Some(attributes),
                    // It was removed after the directory was read.
                    Err(Errno::ENOENT) => return true,
                    // The name at least can be told.
                    Err(_) => None,
                }
            } else {
                None
            };
            let attributes = looked_up.unwrap_or_else(|| self.listed_by_name(entry, dev));
            let accepted = reply.add(&entry.name, &attributes, entry.next);
            if accepted {
                listed += 1;
            } else {
                self.forget_one(attributes.ino);
            }
            accepted
        });
        // With an error the kernel would not see the entries before it. It will come again.
        if listed > 0 { Ok(()) } else { result }
    }

    async fn releasedir(&self, dir: FileRef, _ctx: &RequestContext) -> Result<()> {
        self.directories.remove(dir.fh);
        Ok(())
    }

    async fn fsyncdir(&self, dir: FileRef, datasync: bool, _ctx: &RequestContext) -> Result<()> {
        let directory = self.directories.get(dir.fh)?;
        smol::unblock(move || file::sync(&*directory, datasync)).await
    }

    async fn statfs(&self, inode: Inode, _ctx: &RequestContext) -> Result<StatvfsData> {
        let stat = rustix::fs::fstatvfs(&*self.fd(inode)?).map_err(errno)?;
        Ok(StatvfsData {
            bsize: u32::try_from(stat.f_bsize).unwrap_or(u32::MAX),
            frsize: u32::try_from(stat.f_frsize).unwrap_or(u32::MAX),
            blocks: stat.f_blocks,
            bfree: stat.f_bfree,
            bavail: stat.f_bavail,
            files: stat.f_files,
            ffree: stat.f_ffree,
            favail: stat.f_favail,
            namemax: u32::try_from(stat.f_namemax).unwrap_or(u32::MAX),
        })
    }

    async fn ioctl(&self, ioctl: Ioctl<'_>, ctx: &RequestContext) -> Result<IoctlReply> {
        // As the caller: the source's file system may know of more that takes privileges than the kernel
        // has checked.
        let forward = |fd: BorrowedFd<'_>| {
            self.credentials
                .as_caller(ctx, || Ok(ioctl.forward_file_attributes(fd)))?
        };
        match ioctl.flags.contains(IoctlFlags::DIR) {
            true => forward(self.directories.get(ioctl.file.fh)?.as_fd()),
            false => forward(self.files.get(ioctl.file.fh)?.as_fd()),
        }
    }

    // ---- xattr -----------------------------------------------------------------------------------

    async fn setxattr(
        &self,
        inode: Inode,
        name: &OsStr,
        value: &[u8],
        flags: XattrFlags,
        ctx: &RequestContext,
    ) -> Result<()> {
        let fd = self.fd_for_xattr(inode)?;
        fd.set_xattr(name, value, flags)?;
        if name == ACCESS_ACL {
            fd.drop_set_group_id(fd.stat()?.stx_gid, ctx)?;
        }
        Ok(())
    }

    async fn getxattr(&self, inode: Inode, name: &OsStr, _ctx: &RequestContext) -> Result<Vec<u8>> {
        // The kernel checks permissions by the lists, whether there are to be other attributes or not.
        let fd = match [ACCESS_ACL, DEFAULT_ACL].iter().any(|acl| name == *acl) {
            true => self.fd(inode),
            false => self.fd_for_xattr(inode),
        };
        fd?.get_xattr(name)
    }

    async fn listxattr(&self, inode: Inode, _ctx: &RequestContext) -> Result<Vec<OsString>> {
        self.fd_for_xattr(inode)?.list_xattrs()
    }

    async fn removexattr(&self, inode: Inode, name: &OsStr, _ctx: &RequestContext) -> Result<()> {
        self.fd_for_xattr(inode)?.remove_xattr(name)
    }
}
