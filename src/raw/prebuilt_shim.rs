// Made by `make bindings`, by bindgen from wrapper.h. Used where DOCS_RS is set, and nowhere else.

#[allow(unused_imports, clippy::wildcard_imports)]
use libfuse_sys::*;
