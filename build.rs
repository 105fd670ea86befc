//! Prepares what the safe layer needs beyond the bindings of libfuse-sys:
//!
//! - `cfg(libfuse_since = "3.17")` and its like, from the version of the installed headers, and
//!   `env!("LIBFUSE_HEADER_VERSION")`, that version; `env!("LIBFUSE_INCLUDE")`, where they are;
//! - `cfg(libfuse_has = "syncfs")` and its like, from what of [`PROBES`] compiles with them;
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
];

/// Declarations whose presence no version number tells: patch releases add some, and development versions have
/// the number of a release before they have all of its API. Name, and C code that compiles only with the
/// declaration. C code tests for `LIBFUSE_HAS_` and the name in upper case.
const PROBES: &[(&str, &str)] = &[
    (
        "kill_suidgid",
        "unsigned probe(const struct fuse_file_info *fi);
         unsigned probe(const struct fuse_file_info *fi) { return fi->kill_suidgid; }",
    ),
    (
        "notify_prune",
        "int (*probe)(struct fuse_session *, fuse_ino_t *, uint32_t) = fuse_lowlevel_notify_prune;",
    ),
    (
        "security_contexts",
        "void (*probe_reset)(fuse_req_t) = fuse_req_secctx_reset;
         int (*probe_next)(fuse_req_t, const char **, const char **, uint32_t *) = fuse_req_secctx_next;",
    ),
    (
        "syncfs",
        "const struct fuse_lowlevel_ops probe = { .syncfs = 0 };",
    ),
];

const SHIM_C: &str = "src/raw/shim.c";
const SHIM_H: &str = "wrapper.h";
const PREBUILT_SHIM: &str = "src/raw/prebuilt_shim.rs";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=DOCS_RS");
    version_cfgs();
    declare_values("libfuse_has", PROBES.iter().map(|(name, _)| *name));
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let out = out_dir.join("shim.rs");
    if env::var_os("DOCS_RS").is_some() {
        println!("cargo::rerun-if-changed={PREBUILT_SHIM}");
        fs::copy(PREBUILT_SHIM, out).expect("copying the prebuilt shim declarations to OUT_DIR");
    } else {
        let mut c = CFlags::from_libfuse_sys();
        probe(&mut c, &out_dir);
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

    declare_values("libfuse_since", SINCE.iter().map(|(since, _)| *since));
    for (since, _) in SINCE.iter().filter(|(_, first)| number >= *first) {
        println!("cargo::rustc-cfg=libfuse_since=\"{since}\"");
    }
}

/// Tells rustc which values a `cfg` may have.
fn declare_values<'a>(cfg: &str, values: impl Iterator<Item = &'a str>) {
    let values: Vec<String> = values.map(|value| format!("{value:?}")).collect();
    println!(
        "cargo::rustc-check-cfg=cfg({cfg}, values({}))",
        values.join(", ")
    );
}

/// Sets a `cfg` and a C macro for each of [`PROBES`] that the headers declare.
fn probe(c: &mut CFlags, out_dir: &Path) {
    let file = out_dir.join("probe.c");
    let compiles = |code: &str| {
        let source = format!("#include <fuse_lowlevel.h>\n{code}\n");
        fs::write(&file, source).expect("writing probe.c to OUT_DIR");
        check_syntax(c, &file)
    };
    // If the headers alone do not compile, every probe would fail.
    if let Err(reason) = compiles("") {
        fail(&reason);
    }
    let found: Vec<_> = PROBES
        .iter()
        .filter(|(_, code)| compiles(code).is_ok())
        .map(|(name, _)| *name)
        .collect();
    for name in found {
        println!("cargo::rustc-cfg=libfuse_has={name:?}");
        c.define.push((
            format!("LIBFUSE_HAS_{}", name.to_uppercase()),
            "1".to_owned(),
        ));
    }
}

/// Has the C compiler check a file. The error says that it cannot be run, or has its messages.
fn check_syntax(c: &CFlags, file: &Path) -> Result<(), String> {
    let compiler = c
        .build()
        .try_get_compiler()
        .map_err(|error| format!("no C compiler is found: {error}"))?;
    let output = compiler
        .to_command()
        .arg("-fsyntax-only")
        .arg(file)
        .output()
        .map_err(|error| {
            let program = compiler.path().display();
            format!(
                "the C compiler `{program}` cannot be run: {error}; install one, or name it in CC"
            )
        })?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(format!(
        "the C compiler `{}` cannot compile {} ({}):\n{}",
        compiler.path().display(),
        file.display(),
        output.status,
        words.trim_end()
    ))
}

/// How both C compilers, the one of `cc` and the one inside bindgen, have to see libfuse.
struct CFlags {
    include: Vec<PathBuf>,
    define: Vec<(String, String)>,
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
                ("FUSE_USE_VERSION".to_owned(), fuse3_metadata("USE_VERSION")),
                ("_FILE_OFFSET_BITS".to_owned(), "64".to_owned()),
                // The number of DEP_FUSE3_VERSION_NUMBER, patch level included, which FUSE_VERSION
                // lacks.
                (
                    "LIBFUSE_VERSION_NUMBER".to_owned(),
                    fuse3_metadata("VERSION_NUMBER"),
                ),
            ],
        }
    }

    /// The C compiler with these flags.
    fn build(&self) -> cc::Build {
        let mut build = cc::Build::new();
        build.std("gnu11").warnings(true).extra_warnings(true);
        build.includes(&self.include);
        for (name, value) in &self.define {
            build.define(name, value.as_str());
        }
        build
    }
}

/// Compiles the C shim and links it in.
fn compile_shim(c: &CFlags) {
    println!("cargo::rerun-if-changed={SHIM_C}");
    println!("cargo::rerun-if-changed={SHIM_H}");
    let mut build = c.build();
    if let Err(error) = build.file(SHIM_C).try_compile("libfuse3_shim") {
        // cc shows what the compiler says as warnings, which cargo hides for packages of a registry.
        let reason = check_syntax(c, Path::new(SHIM_C)).err();
        fail(&reason.unwrap_or_else(|| format!("{SHIM_C} cannot be compiled: {error}")));
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
