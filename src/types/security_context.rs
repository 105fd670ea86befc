//! What a security module of the kernel wants a new file to be labelled with.

use std::ffi::OsString;

/// A label for a new file: an extended attribute. See
/// [`RequestContext::security_contexts`](crate::RequestContext::security_contexts).
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(alias = "fuse_secctx")]
pub struct SecurityContext {
    /// The name of the attribute, with its namespace.
    pub name: OsString,
    /// Its value, as the security module writes it: that of SELinux ends with a NUL.
    pub value: Vec<u8>,
}
