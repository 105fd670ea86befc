//! The privileges of a caller that decide whether a file keeps its set-user-id and set-group-id bits.

use std::fs;

use libfuse3::RequestContext;
use rustix::fs::Mode;

/// Bit of `CAP_FSETID` in the sets of `/proc/PID/status`.
const CAP_FSETID: u64 = 1 << 4;

/// The process behind a request, as `/proc` shows it.
#[derive(Debug)]
pub(crate) struct Caller {
    groups: Vec<u32>,
    has_fsetid: bool,
}

impl Caller {
    /// A process that is gone, or in a pid namespace that this one does not see, has the group of the
    /// request and no capability.
    pub(crate) fn of(ctx: &RequestContext) -> Self {
        let status = fs::read_to_string(format!("/proc/{}/status", ctx.pid)).unwrap_or_default();
        let field = |name| {
            let mut lines = status.lines();
            lines.find_map(|line| line.strip_prefix(name)).unwrap_or("")
        };
        let groups = field("Groups:").split_whitespace();
        let capabilities = u64::from_str_radix(field("CapEff:").trim(), 16).unwrap_or(0);
        Self {
            groups: groups
                .filter_map(|group| group.parse().ok())
                .chain([ctx.gid])
                .collect(),
            has_fsetid: capabilities & CAP_FSETID != 0 && is_in_own_user_namespace(ctx.pid),
        }
    }

    /// The permissions of a regular file after this caller, without `CAP_FSETID`, has written to it.
    pub(crate) fn mode_after_write(&self, mode: Mode, group: u32) -> Mode {
        let mode = self.mode_after_change(mode, group);
        match mode.contains(Mode::XGRP) {
            true => mode - Mode::SUID - Mode::SGID,
            false => mode - Mode::SUID,
        }
    }

    /// The permissions of a regular file after this caller has changed its attributes: only members of the
    /// group, and callers with `CAP_FSETID`, leave the set-group-id bit as it is.
    pub(crate) fn mode_after_change(&self, mode: Mode, group: u32) -> Mode {
        match self.has_fsetid || self.groups.contains(&group) {
            true => mode,
            false => mode - Mode::SGID,
        }
    }
}

/// Whether the capabilities of a process count in this process's user namespace.
fn is_in_own_user_namespace(pid: u32) -> bool {
    let own = fs::read_link("/proc/self/ns/user");
    let other = fs::read_link(format!("/proc/{pid}/ns/user"));
    matches!((own, other), (Ok(own), Ok(other)) if own == other)
}
