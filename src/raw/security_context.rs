//! `fuse_req_secctx_*`: the security contexts that come with a request to create something.

use std::ffi::CStr;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::ptr;
use std::sync::Mutex;
use std::sync::PoisonError;

use super::callbacks::bytes;
use super::interrupt::InterruptHook;
use super::shim;
use crate::SecurityContext;

/// libfuse goes through them by a place that it keeps in the request, which several threads may ask at
/// once.
static GOING_THROUGH: Mutex<()> = Mutex::new(());

impl InterruptHook {
    /// All of them; none without a request.
    pub(crate) fn security_contexts(&self) -> Vec<SecurityContext> {
        let mut contexts = Vec::new();
        let req = self.as_ptr();
        // Nobody has to wait for what cannot be there.
        if req.is_null() || !cfg!(libfuse_has = "security_contexts") {
            return contexts;
        }
        let _guard = GOING_THROUGH.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the request is unanswered, by the invariants, and nobody else goes through them.
        unsafe { shim::shim_req_secctx_reset(req) };
        let (mut name, mut value, mut len) = (ptr::null(), ptr::null(), 0);
        // SAFETY: as above; libfuse fills in the three.
        while unsafe { shim::shim_req_secctx_next(req, &mut name, &mut value, &mut len) } {
            // SAFETY: libfuse has found the NUL of the name, which lives as long as the request.
            let name = unsafe { CStr::from_ptr(name) };
            // SAFETY: libfuse has found `len` bytes there, which live as long as the request.
            let value = unsafe { bytes(value, len as usize) };
            contexts.push(SecurityContext {
                name: OsStr::from_bytes(name.to_bytes()).to_owned(),
                value: value.to_vec(),
            });
        }
        contexts
    }
}
