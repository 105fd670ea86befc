//! Each operation through a real mount: a system call goes in; what the handler was given is
//! asserted, and what the system call returned.

#[path = "../common/mod.rs"]
mod common;
mod scripted;

mod context;
mod dir;
mod file;
mod init;
mod inode;
mod interrupt;
mod ioctl;
mod killpriv;
mod limits;
mod lock;
mod misc;
mod newer;
mod notify;
mod notify_others;
mod one_file;
mod passthrough;
mod poll;
mod range;
mod retrieve;
mod tmpfile;
mod tree;
mod xattr;
