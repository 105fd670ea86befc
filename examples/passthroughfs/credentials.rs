//! New files belong to those who asked for them.

use libfuse3::Errno;
use libfuse3::RequestContext;
use libfuse3::Result;
use rustix::fs::Gid;
use rustix::fs::Uid;
use rustix::thread::CapabilitySet;
use rustix::thread::CapabilitySets;
use rustix::thread::capabilities;
use rustix::thread::set_capabilities;
use rustix::thread::set_thread_res_gid;
use rustix::thread::set_thread_res_uid;

use crate::path_fd::errno;

/// Lets one system call run as the caller of a request.
///
/// To create first and `chown` then would show everybody a file of root's in between, and count it
/// against root's quota. On Linux each thread has its own ids; those of the process and of the other
/// threads stay. Without privilege nothing is switched, and all new files are the user's who mounted.
#[derive(Debug)]
pub(crate) struct Credentials {
    privileged: Option<Privileged>,
}

#[derive(Debug)]
struct Privileged {
    own_gid: Gid,
    as_caller: CapabilitySets,
}

impl Credentials {
    pub(crate) fn of_this_process() -> Self {
        // The kernel has checked the caller's permissions, with groups and access lists that this
        // program does not know of: they must not be checked again, nor must the set-group-id bit or
        // a device node be denied, with less knowledge than that.
        let kept = CapabilitySet::DAC_OVERRIDE
            | CapabilitySet::DAC_READ_SEARCH
            | CapabilitySet::FSETID
            | CapabilitySet::MKNOD;
        let needed = CapabilitySet::SETUID | CapabilitySet::SETGID;
        let privileged = capabilities(None)
            .ok()
            .filter(|own| own.effective.contains(needed) && rustix::process::geteuid().is_root())
            .map(|own| Privileged {
                own_gid: rustix::process::getegid(),
                as_caller: CapabilitySets {
                    effective: own.permitted & kept,
                    ..own
                },
            });
        Self { privileged }
    }

    /// Runs `call` with the ids of the caller.
    pub(crate) fn as_caller<T>(
        &self,
        ctx: &RequestContext,
        call: impl FnOnce() -> rustix::io::Result<T>,
    ) -> Result<T, Errno> {
        let _switched = match &self.privileged {
            Some(privileged) => Some(Switched::to_caller(privileged, ctx).map_err(errno)?),
            None => None,
        };
        call().map_err(errno)
    }
}

/// This thread has other ids until the end of the scope.
struct Switched {
    own_gid: Option<Gid>,
    is_other_user: bool,
}

impl Switched {
    fn to_caller(privileged: &Privileged, ctx: &RequestContext) -> rustix::io::Result<Self> {
        let (uid, gid) = (Uid::from_raw(ctx.uid), Gid::from_raw(ctx.gid));
        let mut switched = Self {
            own_gid: None,
            is_other_user: false,
        };
        // The group first: a thread that is not root's may not change it.
        if gid != privileged.own_gid {
            set_thread_res_gid(None, gid, None)?;
            switched.own_gid = Some(privileged.own_gid);
        }
        if !uid.is_root() {
            set_thread_res_uid(None, uid, None)?;
            switched.is_other_user = true;
            // The switch has emptied the effective set.
            set_capabilities(None, privileged.as_caller)?;
        }
        Ok(switched)
    }
}

impl Drop for Switched {
    /// The real and the saved user id are still root's, so that the way back is open. The effective
    /// capabilities come back with it.
    fn drop(&mut self) {
        let user = if self.is_other_user {
            set_thread_res_uid(None, Uid::ROOT, None)
        } else {
            Ok(())
        };
        let group = match self.own_gid {
            Some(gid) => set_thread_res_gid(None, gid, None),
            None => Ok(()),
        };
        if user.and(group).is_err() {
            // The next request of this thread would run as somebody else.
            std::process::abort();
        }
    }
}
