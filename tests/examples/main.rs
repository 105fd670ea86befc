//! The example programs, started, mounted and used as people do: what pyfuse3's `test_examples.py`
//! does with its examples, the command line, and the work of a day.

#[path = "../common/mod.rs"]
mod common;
mod program;

mod acl;
mod command_line;
mod current_time;
mod file_handles;
mod greet;
mod hello;
mod hello_ll_uds;
mod io_uring;
mod libfuse;
mod listing;
mod memfs_ll;
mod passthrough_hp;
mod passthroughfs;
mod posix;
mod set_id;
mod systemd;
mod tmpfs;
mod twin;
mod valgrind;
mod work;
