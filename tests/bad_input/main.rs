//! Input that cannot be: one clear line each that names the culprit and says what to do, and nothing is
//! left mounted.
//!
//! What is bad about a command line alone is in `tests/examples/command_line.rs`. What handlers must not
//! return is with their operations, in `tests/operations/`:
//!
//! | what | where |
//! |---|---|
//! | an error number that is 0, negative or too large | `misc::numbers_that_are_no_errors_are_none`, `misc::an_error_number_of_the_kernels_own_does_not_hang_the_caller`, `fact_09` |
//! | a name with a slash or a NUL, an empty or too long one, in a listing | `dir::an_entry_that_cannot_be_is_refused` |
//! | a read longer than asked for | `file::read_of_more_than_asked_for_is_refused`, `file::read_of_more_from_a_file_than_asked_for_is_refused` |
//! | more written than was sent | `file::write_of_more_than_was_sent_is_refused` |
//! | times and sizes that the kernel cannot hold | `inode::times_at_the_ends_of_the_range_do_not_wrap`, `inode::sizes_beyond_the_range_are_clipped` |
//! | a link's target with a NUL, empty or too long | `inode::readlink_of_*` |
//! | names and values of extended attributes | `xattr::listxattr_of_names_that_cannot_be_is_refused`, `xattr::getxattr_of_a_value_that_no_system_call_has_room_for_does_not_hang` |
//! | inode 0 for what was made | `tree::inode_0_is_refused_for_what_was_made` |
//!
//! A libfuse that is older than the headers: the unit tests of `src/raw/version.rs`.

#[path = "../common/mod.rs"]
mod common;
#[path = "../examples/program.rs"]
#[allow(dead_code, reason = "shared with the tests of the examples")]
mod program;

mod mountpoint;
mod namespace;
mod options;
mod source;
mod system;
