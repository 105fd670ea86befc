//! What is agreed upon in INIT, and when.

use std::sync::OnceLock;

use libfuse_sys as sys;

use super::super::init_repair::InitRepair;
use super::super::pipe;
use super::RawSession;
use crate::Capabilities;
use crate::ConnInfo;
use crate::Errno;
use crate::Result;
use crate::panics::catch;
use crate::wakers::wake_after;

/// What a session does on INIT.
pub(crate) type InitHook = Box<dyn Fn(&mut ConnInfo) -> Result<()> + Send + Sync>;

impl RawSession {
    /// Called by the INIT callback, with libfuse's own structure; what it is to become is in `info` then.
    pub(in super::super) fn on_init(&self, info: &mut ConnInfo, conn: &mut sys::fuse_conn_info) {
        let agreed = self.clones.get().map(|clones| &clones.agreed);
        if let Some(agreed) = agreed.and_then(OnceLock::get) {
            *info = agreed.clone();
            return;
        }
        info.max_read = self.max_read;
        // In a session that C has made, C's libfuse writes the reply.
        if self.foreign.is_none() {
            InitRepair::offer(info);
        }
        if self.is_custom_io() {
            // libfuse offers it where it has no functions of ours to send with.
            let splicing =
                Capabilities::SPLICE_READ | Capabilities::SPLICE_WRITE | Capabilities::SPLICE_MOVE;
            info.capable -= splicing;
            info.want -= splicing;
        }
        let mut result = catch(|| (self.init)(info)).unwrap_or(Err(Errno::EIO));
        if let (Ok(()), Some(opts)) = (result, &self.conn_info_opts) {
            result = opts.apply(info, conn);
        }
        if result.is_ok() {
            self.repair.wanted(info);
            if info.want.contains(Capabilities::SPLICE_READ) {
                info.max_write = pipe::largest_write(info.max_write);
            }
        }
        self.capable.get_or_init(|| info.capable);
        self.wanted.get_or_init(|| info.want);
        if let Some(what) = info.refused.take() {
            self.refused.get_or_init(|| what);
        }
        let result = match &self.foreign {
            Some(foreign) => foreign.init(info, result),
            None => result,
        };
        if let Some(agreed) = agreed {
            agreed.get_or_init(|| info.clone());
        }
        self.init_result.get_or_init(|| result);
        // A waker that panics must not unwind into C.
        drop(catch(|| wake_after(|| self.init_done.notify(usize::MAX))));
    }

    /// What the file system has asked for in vain.
    pub(crate) fn refused(&self) -> Option<&str> {
        self.refused.get().map(String::as_str)
    }

    /// How INIT went; `None` before it has come.
    pub(crate) fn init_result(&self) -> Option<Result<()>> {
        self.init_result.get().copied()
    }

    /// Waits until INIT went well; for ever if it does not.
    pub(crate) async fn initialized(&self) {
        while self.init_result() != Some(Ok(())) {
            let listener = self.init_done.listen();
            if self.init_result() != Some(Ok(())) {
                listener.await;
            }
        }
    }

    /// What the kernel has offered; nothing before INIT.
    pub(in super::super) fn capable(&self) -> Capabilities {
        self.capable.get().copied().unwrap_or_default()
    }

    /// Whether the file system has asked for all of these; not before INIT.
    pub(crate) fn wants(&self, capabilities: Capabilities) -> bool {
        self.wanted().contains(capabilities)
    }

    /// What the file system has asked for; nothing before INIT.
    pub(crate) fn wanted(&self) -> Capabilities {
        self.wanted.get().copied().unwrap_or_default()
    }
}
