//! Prepares what the safe layer needs beyond the bindings of libfuse-sys:
//!
//! - `cfg(libfuse_since = "3.17")` and its like, from the version of the installed headers, and
//!   `env!("LIBFUSE_HEADER_VERSION")`, that version; `env!("LIBFUSE_INCLUDE")`, where they are;
//! - the C shim, `src/raw/shim.c`, compiled and linked;
//! - `OUT_DIR/shim.rs`, the Rust view of what `wrapper.h` declares.
//!
//! libfuse-sys has found libfuse3 by then and tells where it is (`DEP_FUSE3_*`, see its build.rs).
//! With `DOCS_RS` set nothing is compiled, and `src/raw/prebuilt_shim.rs` stands in for the last of
//! these.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process;

/// The versions of libfuse that code may ask for, each with the first number that counts as such.
/// Everything of 3.10, the oldest that is supported, is always there.
const SINCE: &[(&str, u32)] = &[
    ("3.11", 3_011_000),
    ("3.12", 3_012_000),
    ("3.13", 3_013_000),
    ("3.14", 3_014_000),
    // The first of the two times that `fuse_file_info` changed its layout; 3.17 is the second.
    ("3.14.1", 3_014_001),
    ("3.15", 3_015_000),
    ("3.16", 3_016_000),
    ("3.17", 3_017_000),
    ("3.18", 3_018_000),
    // The first with `kill_suidgid` in `fuse_file_info`.
    ("3.18.3", 3_018_003),
    ("3.19", 3_019_000),
];

const SHIM_C: &str = "src/raw/shim.c";
const SHIM_H: &str = "wrapper.h";
const PREBUILT_SHIM: &str = "src/raw/prebuilt_shim.rs";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=DOCS_RS");
    version_cfgs();
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("shim.rs");
    if env::var_os("DOCS_RS").is_some() {
        println!("cargo::rerun-if-changed={PREBUILT_SHIM}");
        fs::copy(PREBUILT_SHIM, out).expect("copying the prebuilt shim declarations to OUT_DIR");
    } else {
        let c = CFlags::from_libfuse_sys();
        compile_shim(&c);
        declare_shim(&c, &out);
    }
}

/// Turns the version of the headers into `cfg`s.
fn version_cfgs() {
    let version = fuse3_metadata("VERSION");
    let number: u32 = fuse3_metadata("VERSION_NUMBER")
        .parse()
        .expect("libfuse-sys gives the version as a number");
    println!("cargo::rustc-env=LIBFUSE_HEADER_VERSION={version}");
    // For tests/coverage.rs.
    let include = fuse3_metadata("INCLUDE");
    println!("cargo::rustc-env=LIBFUSE_INCLUDE={include}");

    let values: Vec<String> = SINCE
        .iter()
        .map(|(since, _)| format!("{since:?}"))
        .collect();
    println!(
        "cargo::rustc-check-cfg=cfg(libfuse_since, values({}))",
        values.join(", ")
    );
    for (since, _) in SINCE.iter().filter(|(_, first)| number >= *first) {
        println!("cargo::rustc-cfg=libfuse_since=\"{since}\"");
    }
}

/// How both C compilers, the one of `cc` and the one inside bindgen, have to see libfuse.
struct CFlags {
    include: Vec<PathBuf>,
    define: Vec<(&'static str, String)>,
}

impl CFlags {
    fn from_libfuse_sys() -> Self {
        let mut include = vec![PathBuf::from(
            env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR"),
        )];
        include.extend(env::split_paths(&fuse3_metadata("INCLUDE")));
        Self {
            include,
            define: vec![
                ("FUSE_USE_VERSION", fuse3_metadata("USE_VERSION")),
                ("_FILE_OFFSET_BITS", "64".to_owned()),
                // The number of DEP_FUSE3_VERSION_NUMBER, patch level included, which FUSE_VERSION
                // lacks.
                ("LIBFUSE_VERSION_NUMBER", fuse3_metadata("VERSION_NUMBER")),
            ],
        }
    }
}

/// Compiles the C shim and links it in.
fn compile_shim(c: &CFlags) {
    println!("cargo::rerun-if-changed={SHIM_C}");
    println!("cargo::rerun-if-changed={SHIM_H}");
    let mut build = cc::Build::new();
    build
        .file(SHIM_C)
        .std("gnu11")
        .warnings(true)
        .extra_warnings(true);
    build.includes(&c.include);
    for (name, value) in &c.define {
        build.define(name, value.as_str());
    }
    if let Err(error) = build.try_compile("libfuse3_shim") {
        fail(&format!(
            "{SHIM_C} cannot be compiled, is there a C compiler? {error}"
        ));
    }
}

/// Makes `shim.rs`: what `wrapper.h` declares, in terms of the types of libfuse-sys.
fn declare_shim(c: &CFlags, out: &Path) {
    let rust_version =
        env::var("CARGO_PKG_RUST_VERSION").expect("cargo sets CARGO_PKG_RUST_VERSION");
    let builder = bindgen::Builder::default()
        .header(SHIM_H)
        .parse_callbacks(Box::new(bindgen::CargoCallbacks::new()))
        .clang_args(c.include.iter().map(|dir| format!("-I{}", dir.display())))
        .clang_args(
            c.define
                .iter()
                .map(|(name, value)| format!("-D{name}={value}")),
        )
        .rust_target(
            rust_version
                .parse()
                .expect("bindgen knows our rust-version"),
        )
        .rust_edition(bindgen::RustEdition::Edition2024)
        .use_core()
        .ctypes_prefix("::core::ffi")
        .allowlist_function("shim_.*")
        .allowlist_type("shim_.*")
        .allowlist_var("SHIM_.*")
        // Every other type is the one of libfuse-sys, not a twin of it.
        .allowlist_recursively(false)
        .raw_line("#[allow(unused_imports, clippy::wildcard_imports)]")
        .raw_line("use libfuse_sys::*;")
        .default_enum_style(bindgen::EnumVariation::Consts)
        .prepend_enum_name(false)
        .derive_default(true);
    match builder.generate() {
        Ok(bindings) => bindings
            .write_to_file(out)
            .expect("writing shim.rs to OUT_DIR"),
        Err(error) => fail(&format!("{SHIM_H} cannot be read: {error}")),
    }
}

/// What libfuse-sys found out about libfuse3.
fn fuse3_metadata(key: &str) -> String {
    let name = format!("DEP_FUSE3_{key}");
    env::var(&name).unwrap_or_else(|_| panic!("libfuse-sys sets {name}"))
}

/// Ends the build with a message. cargo fails because of `cargo::error`; with an exit status of
/// failure it would print all of our output beside it.
fn fail(reason: &str) -> ! {
    for line in reason.lines() {
        println!("cargo::error={line}");
    }
    process::exit(0)
}
