//! The life of a session: how it ends, under load, by whatever ends it, and what is left then.

#[path = "../common/mod.rs"]
mod common;

mod ends;
#[allow(dead_code, reason = "for tests that come next")]
mod fs;
mod process;
