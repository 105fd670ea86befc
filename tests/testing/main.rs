//! File systems under the mock kernel of `libfuse3::testing`: nothing is mounted, and no privileges are
//! needed.

#[path = "../common/mod.rs"]
mod common;

mod counts;
mod ends;
mod files;
mod notifications;
mod options;
mod requests;
mod scripted;
mod timeouts;
mod together;
