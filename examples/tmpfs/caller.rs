//! The privileges of a caller that decide whether a file keeps its set-group-id bit.

use std::fs;

use libfuse3::RequestContext;
use libfuse3::get_sup_groups;

/// Bit of `CAP_FSETID` in the sets of `/proc/PID/status`.
const CAP_FSETID: u64 = 1 << 4;

/// Whether a file of this group keeps its set-group-id bit when this caller changes it: only if the caller
/// is in the group, or has `CAP_FSETID`.
pub(crate) fn keeps_set_group_id(ctx: &RequestContext, group: u32) -> bool {
    ctx.gid == group
        || get_sup_groups(ctx.pid).is_ok_and(|groups| groups.contains(&group))
        || has_fsetid(ctx)
}

/// Of a process that is gone, or in a pid namespace that this one does not see, only the user is known.
fn has_fsetid(ctx: &RequestContext) -> bool {
    let Ok(status) = fs::read_to_string(format!("/proc/{}/status", ctx.pid)) else {
        return ctx.uid == 0;
    };
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = effective.and_then(|set| u64::from_str_radix(set.trim(), 16).ok());
    effective.is_some_and(|set| set & CAP_FSETID != 0) && is_in_own_user_namespace(ctx.pid)
}

/// Whether the capabilities of a process count in this process's user namespace.
fn is_in_own_user_namespace(pid: u32) -> bool {
    let own = fs::read_link("/proc/self/ns/user");
    let other = fs::read_link(format!("/proc/{pid}/ns/user"));
    matches!((own, other), (Ok(own), Ok(other)) if own == other)
}
