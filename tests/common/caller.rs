//! Callers that are other users than this process.

use std::thread;

use rustix::fs::Gid;
use rustix::fs::Uid;
use rustix::thread::set_thread_groups;
use rustix::thread::set_thread_res_gid;
use rustix::thread::set_thread_res_uid;

/// A user id that owns nothing.
pub(crate) const OTHER_USER: u32 = 1234;

/// Calls a function on a thread of its own, as [`OTHER_USER`] without privileges. Only root can do that.
pub(crate) fn as_other_user<T: Send>(call: impl FnOnce() -> T + Send) -> T {
    on_own_thread(|| {
        become_user(OTHER_USER, &[]);
        call()
    })
}

/// Calls a function on a thread of its own, which may change the ids and capabilities of that thread.
pub(crate) fn on_own_thread<T: Send>(call: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| match scope.spawn(call).join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

/// Gives this thread, and the programs that it starts, these ids. The capabilities go with user 0.
pub(crate) fn become_user(uid: u32, groups: &[u32]) {
    let groups: Vec<_> = groups.iter().copied().map(Gid::from_raw).collect();
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(uid));
    set_thread_groups(&groups).unwrap();
    set_thread_res_gid(gid, gid, gid).unwrap();
    set_thread_res_uid(uid, uid, uid).unwrap();
}
