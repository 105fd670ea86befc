//! The life of a session: how it ends, under load, by whatever ends it, and what is left then.

#[path = "../common/mod.rs"]
mod common;

mod busy_poll;
mod custom_io;
mod elsewhere;
mod ends;
mod fs;
mod lowlevel_ops;
mod many;
mod mutations;
mod panics;
mod peers;
mod process;
mod run;
mod shortage;
mod shutdown;
mod wake;
