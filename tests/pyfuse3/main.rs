//! The tests of pyfuse3's own suite, T1 to T13, and what that suite leaves out.
//!
//! T15 to T18 are about the examples and stand in `tests/examples.rs`.

#[path = "../common/mod.rs"]
mod common;

// pyfuse3's `test_api.py`, `test_rounding.py` and `test_fs.py`.
mod api;
mod cache;
mod rounding;
// What it does not test.
mod files;
mod life_cycle;
mod signals;
