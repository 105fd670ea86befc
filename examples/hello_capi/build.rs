//! Sees to it that the header is what the library is:
//!
//! - it compiles as C, by itself, against the headers of the libfuse that the library is built with;
//! - `OUT_DIR/header.rs` has its declarations, for src/lib.rs to compare them with the functions.
//!
//! libfuse3-sys tells where those headers are (`DEP_FUSE3_INCLUDE`), and which interface to ask them for
//! (`DEP_FUSE3_USE_VERSION`): that is all that it takes to compile more C into a library such as this one.

use std::env;
use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=include");
    println!("cargo::rerun-if-changed=src/header.c");
    let include: Vec<PathBuf> = env::split_paths(&fuse3("INCLUDE")).collect();
    let defines = [
        ("FUSE_USE_VERSION", fuse3("USE_VERSION")),
        ("_FILE_OFFSET_BITS", "64".to_owned()),
    ];

    let mut c = cc::Build::new();
    c.file("src/header.c")
        .include("include")
        .includes(&include)
        .flag("-Wstrict-prototypes")
        .warnings_into_errors(true);
    for (name, value) in &defines {
        c.define(name, value.as_str());
    }
    c.compile("hello_capi_header");

    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    bindgen::Builder::default()
        .header("include/hello_capi.h")
        .clang_args(include.iter().map(|dir| format!("-I{}", dir.display())))
        .clang_args(defines.map(|(name, value)| format!("-D{name}={value}")))
        .allowlist_function("hello_capi_.*")
        .allowlist_recursively(false)
        .rust_edition(bindgen::RustEdition::Edition2024)
        .generate()
        .expect("the header can be read")
        .write_to_file(out.join("header.rs"))
        .expect("there is room for it");
}

/// What libfuse3-sys has found out.
fn fuse3(key: &str) -> String {
    let name = format!("DEP_FUSE3_{key}");
    env::var(&name).unwrap_or_else(|_| panic!("libfuse3-sys sets {name}"))
}
