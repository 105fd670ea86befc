//! [4] From message to handler to answer.
//!
//! One method per operation, in files by group: call the handler, send what it returned, and take
//! back what the kernel did not take, as libfuse's high-level layer does (lib/fuse.c, `reply_entry`
//! and `fuse_lib_open`).

mod dir;
mod file;
mod inode;
mod lock;
mod misc;
mod tree;
mod xattr;

use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::Hold;
use super::in_flight;
use crate::Capabilities;
use crate::Errno;
use crate::Operations;
use crate::Result;
use crate::logging;
use crate::message::Message;
use crate::message::Operation;
use crate::raw::request_line;
use crate::request::Request;
use crate::request::RequestInfo;

/// Works on a message: at once, if there is room for one more handler.
#[inline]
pub(super) fn dispatch<O: Operations>(shared: &Hold<O>, message: Message) {
    match message {
        Message::Request(request) => {
            if shared.in_flight.begins_at_once() {
                handle(shared, request);
            } else {
                look_twice(shared, request);
            }
        }
        // Never waits its turn: the kernel frees memory with it.
        Message::Forget(list) => {
            let info = in_flight::forget_info(&list);
            if logging::is_enabled(module_path!(), log::Level::Trace) || shared.raw.is_debugging() {
                request_line(
                    shared.raw.is_debugging(),
                    format_args!("<- forget: {list:?}"),
                );
            }
            in_flight::start(shared, info, || shared.clone().forget(list));
        }
        // Never waits its turn: handlers may wait for it.
        Message::Retrieved(cookie, data) => shared.raw.retrievals.finish(cookie, data),
        Message::Interrupted(interruption) => interruption.wake(),
    }
}

/// Dispatches a request whose peer is untrusted, or whose handler may have no room.
#[cold]
fn look_twice<O: Operations>(shared: &Hold<O>, request: Request) {
    if !shared.raw.is_from_kernel()
        && let Err(errno) = check_names(shared, &request)
    {
        let _ = request.answer::<()>(Err(errno));
        return;
    }
    // Never waits its turn: it is about those that do.
    let is_stacktrace =
        |request: &Request| request.operation().is_some_and(xattr::asks_for_stacktrace);
    let request = match shared.in_flight.has_room() || is_stacktrace(&request) {
        true => Some(request),
        false => in_flight::queue(shared, request),
    };
    if let Some(request) = request {
        handle_later(shared, request);
    }
}

fn check_names<O: Operations>(shared: &Hold<O>, request: &Request) -> Result<()> {
    let dot_lookup = shared.raw.wanted().contains(Capabilities::EXPORT_SUPPORT);
    let operation = request.operation();
    operation.map_or(Ok(()), |operation| operation.check_names(dot_lookup))
}

/// As [`handle`], from where it is called rarely: the code for all operations is there once.
#[inline(never)]
pub(super) fn handle_later<O: Operations>(shared: &Hold<O>, request: Request) {
    handle(shared, request);
}

/// Starts the handler of an operation.
#[inline]
fn handle<O: Operations>(shared: &Hold<O>, mut request: Request) {
    if request.is_traced() {
        request.trace_operation();
    }
    let info = request.info();
    if let Some(operation) = request.take_operation() {
        call(shared, info, request, operation);
    }
}

/// Calls the method for an operation.
///
/// By itself, so that nothing else happens while `operation` is still there as a whole: for each of its
/// parts a flag would be kept that says whether it is.
#[inline]
fn call<O: Operations>(
    shared: &Hold<O>,
    info: RequestInfo,
    request: Request,
    operation: Operation,
) {
    // A future for each operation, as large as that operation needs.
    macro_rules! start {
        ($method:ident($($argument:expr),*)) => {{
            let this = shared.clone();
            in_flight::start(shared, info, move || this.$method(request, $($argument),*))
        }};
    }
    match operation {
        // inode
        Operation::Getattr { inode, file } => start!(getattr(inode, file)),
        Operation::Setattr {
            inode,
            fields,
            file,
        } => start!(setattr(inode, fields, file)),
        #[cfg(libfuse_since = "3.18")]
        Operation::Statx {
            inode,
            flags,
            mask,
            file,
        } => start!(statx(inode, flags, mask, file)),
        Operation::Readlink { inode } => start!(readlink(inode)),
        Operation::Access { inode, mode } => start!(access(inode, mode)),
        // tree
        Operation::Lookup { parent, name } => start!(lookup(parent, name)),
        Operation::Mknod {
            parent,
            name,
            mode,
            rdev,
        } => start!(mknod(parent, name, mode, rdev)),
        Operation::Mkdir { parent, name, mode } => start!(mkdir(parent, name, mode)),
        Operation::Unlink { parent, name } => start!(unlink(parent, name)),
        Operation::Rmdir { parent, name } => start!(rmdir(parent, name)),
        Operation::Symlink {
            parent,
            name,
            target,
        } => start!(symlink(parent, name, target)),
        Operation::Rename {
            parent,
            new_parent,
            names,
            flags,
        } => {
            start!(rename(parent, new_parent, names, flags));
        }
        Operation::Link {
            inode,
            new_parent,
            new_name,
        } => start!(link(inode, new_parent, new_name)),
        // file
        Operation::Open { inode, flags } => start!(open(inode, flags)),
        Operation::Create {
            parent,
            name,
            mode,
            flags,
        } => start!(create(parent, name, mode, flags)),
        Operation::Tmpfile {
            parent,
            mode,
            flags,
        } => start!(tmpfile(parent, mode, flags)),
        Operation::Read { file, offset, size } => start!(read(file, offset, size)),
        Operation::Write { file, offset, data } => start!(write(file, offset, data)),
        Operation::Flush { file } => start!(flush(file)),
        Operation::Release { file, flags } => start!(release(file, flags)),
        Operation::Fsync { file, datasync } => start!(fsync(file, datasync)),
        Operation::Fallocate {
            file,
            mode,
            offset,
            len,
        } => start!(fallocate(file, mode, offset, len)),
        Operation::Lseek {
            file,
            offset,
            whence,
        } => start!(lseek(file, offset, whence)),
        Operation::CopyFileRange(copy) => start!(copy_file_range(*copy)),
        // lock
        Operation::Getlk { file, lock } => start!(getlk(file, lock)),
        Operation::Setlk { file, lock, sleep } => start!(setlk(file, lock, sleep)),
        Operation::Flock {
            file,
            lock_type,
            sleep,
        } => start!(flock(file, lock_type, sleep)),
        // dir
        Operation::Opendir { inode, flags } => start!(opendir(inode, flags)),
        Operation::Readdir {
            dir,
            start_id,
            size,
            plus,
        } => {
            start!(readdir(dir, start_id, size, plus));
        }
        Operation::Releasedir { dir } => start!(releasedir(dir)),
        Operation::Fsyncdir { dir, datasync } => start!(fsyncdir(dir, datasync)),
        // misc
        Operation::Statfs { inode } => start!(statfs(inode)),
        #[cfg(libfuse_has = "syncfs")]
        Operation::Syncfs { inode } => start!(syncfs(inode)),
        Operation::Ioctl(ioctl) => start!(ioctl(ioctl)),
        Operation::Poll {
            file,
            events,
            handle,
        } => start!(poll(file, events, handle)),
        Operation::Bmap {
            inode,
            blocksize,
            index,
        } => start!(bmap(inode, blocksize, index)),
        // xattr
        Operation::Setxattr {
            inode,
            name,
            value,
            flags,
        } => {
            start!(setxattr(inode, name, value, flags));
        }
        Operation::Getxattr { inode, name, size } => start!(getxattr(inode, name, size)),
        Operation::Listxattr { inode, size } => start!(listxattr(inode, size)),
        Operation::Removexattr { inode, name } => start!(removexattr(inode, name)),
    }
}

impl<O: Operations> Hold<O> {
    /// Waits for a handler that nothing is lost by when it is cut short: by an interruption, if the
    /// session was asked to.
    #[inline]
    fn unless_interrupted<'a, H>(
        &self,
        request: &'a Request,
        handler: Pin<&'a mut H>,
    ) -> UnlessInterrupted<'a, H> {
        UnlessInterrupted {
            handler,
            interrupted: self
                .cancel_on_interrupt
                .then(|| request.context().interrupted().boxed()),
        }
    }
}

struct UnlessInterrupted<'a, H> {
    handler: Pin<&'a mut H>,
    interrupted: Option<BoxFuture<'a, ()>>,
}

impl<T, H: Future<Output = Result<T>>> Future for UnlessInterrupted<'_, H> {
    type Output = Result<T>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        if let Poll::Ready(result) = self.handler.as_mut().poll(cx) {
            return Poll::Ready(result);
        }
        match &mut self.interrupted {
            Some(interrupted) => interrupted.as_mut().poll(cx).map(|()| Err(Errno::EINTR)),
            None => Poll::Pending,
        }
    }
}

/// What libfuse answers for an operation that is left out, where that is not `ENOSYS`.
fn by_default<T>(result: Result<T>, value: impl FnOnce() -> T) -> Result<T> {
    match result {
        Err(Errno::NOT_IMPLEMENTED) => Ok(value()),
        result => result,
    }
}
