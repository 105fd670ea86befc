//! Finds libfuse3, makes the bindings from its headers and tells dependents what was found.
//!
//! Nothing can be configured here beyond what pkg-config (`PKG_CONFIG_PATH` and its like) and
//! libclang (`LIBCLANG_PATH`, `BINDGEN_EXTRA_CLANG_ARGS`) listen to by themselves.
//!
//! Dependents get, through `links = "fuse3"`:
//!
//! - `DEP_FUSE3_VERSION`: version of the headers, such as `3.14.0`
//! - `DEP_FUSE3_VERSION_NUMBER`: the same as a number, such as `3014000`
//! - `DEP_FUSE3_INCLUDE`: include directories, joined like `PATH`
//! - `DEP_FUSE3_USE_VERSION`: the `FUSE_USE_VERSION` that C code of theirs has to agree on
//!
//! With `DOCS_RS` set, neither libfuse3 nor libclang is needed: `src/prebuilt.rs` stands in. It is
//! good for reading, not for linking, since libfuse changed the layout of its structs more than
//! once.

use std::env;
use std::fs;
use std::panic;
use std::path::{Path, PathBuf};
use std::process;

use bindgen::callbacks::{DeriveTrait, ImplementsTrait, ParseCallbacks};

/// Oldest libfuse3 that is supported.
const OLDEST: &str = "3.10";

/// The API level asked of the headers. Every libfuse3 since [`OLDEST`] compiles with it.
const USE_VERSION: &str = "312";

/// The version that `src/prebuilt.rs` was made from; `make bindings` checks it.
const PREBUILT_VERSION: &str = "3.14.0";

/// Integer types that come from the `libc` crate, so that they are the same types for everybody.
const LIBC_INTEGERS: &[&str] = &["dev_t", "gid_t", "mode_t", "off_t", "pid_t", "uid_t"];

/// Structs that come from the `libc` crate.
const LIBC_STRUCTS: &[&str] = &["flock", "iovec", "stat", "statvfs", "statx"];

/// Commands that install all that is needed, by `ID` and `ID_LIKE` of os-release.
const PACKAGES: &[(&[&str], &str)] = &[
    (
        &["debian", "ubuntu"],
        "apt-get install libfuse3-dev fuse3 pkg-config libclang-dev gcc libc6-dev",
    ),
    (
        &["fedora", "rhel", "centos"],
        "dnf install fuse3-devel fuse3 pkgconf-pkg-config clang-devel gcc",
    ),
    (&["arch"], "pacman -S fuse3 pkgconf clang gcc"),
    (
        &["suse", "opensuse"],
        "zypper install fuse3-devel fuse3 pkgconf-pkg-config clang-devel gcc",
    ),
    (
        &["alpine"],
        "apk add fuse3-dev fuse3 pkgconf clang-dev build-base",
    ),
];

/// The files that name the distribution of a system.
const OS_RELEASE: [&str; 2] = ["/etc/os-release", "/usr/lib/os-release"];

/// What the build needs to know about a libfuse3.
struct Libfuse {
    version: String,
    include_paths: Vec<PathBuf>,
}

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=DOCS_RS");
    let out =
        PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("bindings.rs");
    let libfuse = if env::var_os("DOCS_RS").is_some() {
        prebuilt(&out)
    } else {
        let libfuse = probe();
        generate(&libfuse, &out);
        libfuse
    };
    export(&libfuse);
}

/// Takes the bindings that are checked in.
fn prebuilt(out: &Path) -> Libfuse {
    println!("cargo::rerun-if-changed=src/prebuilt.rs");
    fs::copy("src/prebuilt.rs", out).expect("copying src/prebuilt.rs to OUT_DIR");
    Libfuse {
        version: PREBUILT_VERSION.to_owned(),
        include_paths: Vec::new(),
    }
}

/// Asks pkg-config for libfuse3; it also prints the instructions for the linker.
fn probe() -> Libfuse {
    match pkg_config::Config::new()
        .atleast_version(OLDEST)
        .probe("fuse3")
    {
        Ok(library) => Libfuse {
            version: library.version,
            include_paths: library.include_paths,
        },
        Err(error) => fail(&why_not_found(&error)),
    }
}

/// One sentence on why pkg-config did not come back with a usable libfuse3.
fn why_not_found(error: &pkg_config::Error) -> String {
    if let pkg_config::Error::Command { command, cause } = error {
        return format!(
            "pkg-config is needed to find libfuse3, but cannot be run: {cause}\n({command})"
        );
    }
    let any_version = pkg_config::Config::new()
        .cargo_metadata(false)
        .env_metadata(false)
        .probe("fuse3");
    match (any_version, error) {
        (Ok(found), _) => format!("libfuse {} is too old, {OLDEST} or later is needed.", found.version),
        (Err(_), pkg_config::Error::Failure { .. } | pkg_config::Error::ProbeFailure { .. }) => {
            "libfuse3 is not installed, or lacks its development files: pkg-config finds no fuse3.pc.\n\
             If fuse3.pc is in a place of its own, name its directory in PKG_CONFIG_PATH."
                .to_owned()
        }
        (Err(_), other) => format!("pkg-config cannot be used to find libfuse3: {other}"),
    }
}

/// Makes the bindings from the installed headers.
fn generate(libfuse: &Libfuse, out: &Path) {
    require_libclang();
    let mut builder = bindgen::Builder::default()
        .header("wrapper.h")
        // Reruns for wrapper.h, for each header it includes and for bindgen's own environment
        // variables.
        .parse_callbacks(Box::new(bindgen::CargoCallbacks::new()))
        .parse_callbacks(Box::new(LibcTraits))
        .clang_arg(format!("-DFUSE_USE_VERSION={USE_VERSION}"))
        // libfuse insists on it where off_t would have 32 bits.
        .clang_arg("-D_FILE_OFFSET_BITS=64")
        .clang_args(
            libfuse
                .include_paths
                .iter()
                .map(|dir| format!("-I{}", dir.display())),
        )
        .rust_target(msrv())
        .rust_edition(bindgen::RustEdition::Edition2024)
        .use_core()
        .ctypes_prefix("::core::ffi")
        // Only what libfuse declares, not what its headers include.
        .allowlist_file(r".*/fuse3/[^/]*\.h")
        .allowlist_recursively(false)
        // Plain integers: C uses several of the enums as sets of bits, and newer libraries know
        // more values.
        .default_enum_style(bindgen::EnumVariation::Consts)
        .prepend_enum_name(false)
        .derive_default(true)
        // The comments are libfuse's, under the LGPL.
        .generate_comments(false)
        // `va_list` has no Rust type. Formatting the lines of libfuse's log is a task for C code.
        .blocklist_item("fuse_log_func_t")
        .blocklist_item("fuse_set_log_func")
        .blocklist_item(".*va_list.*");
    for name in LIBC_INTEGERS.iter().chain(LIBC_STRUCTS) {
        builder = builder.blocklist_type(name);
    }
    let libc_types = [LIBC_INTEGERS, LIBC_STRUCTS].concat().join(", ");
    let libc_types = format!("pub use libc::{{{libc_types}}};");
    match builder.raw_line(libc_types).generate() {
        Ok(bindings) => bindings
            .write_to_file(out)
            .expect("writing bindings.rs to OUT_DIR"),
        Err(error) => fail(&format!(
            "libclang cannot read the headers of libfuse3: {error}"
        )),
    }
}

/// Tells bindgen which traits the types of the `libc` crate have.
#[derive(Debug)]
struct LibcTraits;

impl ParseCallbacks for LibcTraits {
    fn blocklisted_type_implements_trait(
        &self,
        name: &str,
        derive_trait: DeriveTrait,
    ) -> Option<ImplementsTrait> {
        let is_struct = LIBC_STRUCTS.contains(&name.trim_start_matches("struct "));
        match derive_trait {
            DeriveTrait::Copy | DeriveTrait::Debug => Some(ImplementsTrait::Yes),
            // A struct with one of them inside gets a `Default` that zeroes it.
            DeriveTrait::Default if is_struct => Some(ImplementsTrait::Manually),
            DeriveTrait::Default => Some(ImplementsTrait::Yes),
            _ => None,
        }
    }
}

/// The oldest Rust that the generated code has to compile with.
fn msrv() -> bindgen::RustTarget {
    env::var("CARGO_PKG_RUST_VERSION")
        .expect("cargo sets CARGO_PKG_RUST_VERSION")
        .parse()
        .expect("bindgen knows our rust-version")
}

/// Loads libclang. bindgen panics where it is missing; that becomes a message like the others.
fn require_libclang() {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| ()));
    let loaded = panic::catch_unwind(bindgen::clang_version);
    panic::set_hook(hook);
    if let Err(payload) = loaded {
        let reason = payload
            .downcast_ref::<String>()
            .map_or("no reason given", String::as_str);
        fail(&format!(
            "libclang is needed to read the headers of libfuse3, but cannot be loaded.\n{reason}"
        ));
    }
}

/// Tells dependents, and our own tests, what was found.
fn export(libfuse: &Libfuse) {
    let include = env::join_paths(&libfuse.include_paths)
        .expect("pkg-config separates its directories by the same character")
        .into_string()
        .expect("pkg-config answers in UTF-8");
    println!("cargo::metadata=version={}", libfuse.version);
    println!(
        "cargo::metadata=version_number={}",
        version_number(&libfuse.version)
    );
    println!("cargo::metadata=include={include}");
    println!("cargo::metadata=use_version={USE_VERSION}");
    println!(
        "cargo::rustc-env=LIBFUSE_HEADER_VERSION={}",
        libfuse.version
    );
}

/// `3.14.1` as 3014001. What follows the digits, as in `3.19.0-rc0`, does not count.
fn version_number(version: &str) -> u32 {
    let mut parts = version
        .split(|c: char| !c.is_ascii_digit())
        .map(|part| part.parse().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    next() * 1_000_000 + next() * 1_000 + next()
}

/// The command to install on a system with this os-release; all commands if it is unknown.
fn how_to_install(os_release: &str) -> Vec<String> {
    let ids: Vec<&str> = os_release
        .lines()
        .filter_map(|line| line.strip_prefix("ID=").or(line.strip_prefix("ID_LIKE=")))
        .flat_map(|ids| ids.trim_matches(['"', '\'']).split_ascii_whitespace())
        .collect();
    let fits = |names: &[&str]| names.iter().any(|name| ids.contains(name));
    if let Some((_, command)) = PACKAGES.iter().find(|(names, _)| fits(names)) {
        return vec![format!("This installs all that is needed: {command}")];
    }
    let each = PACKAGES
        .iter()
        .map(|(names, command)| format!("  {command} ({})", names.join(", ")));
    let headline = "One of these installs all that is needed:".to_owned();
    std::iter::once(headline).chain(each).collect()
}

/// Ends the build with one message. cargo fails because of `cargo::error`; with an exit status of
/// failure it would print all of our output beside it.
fn fail(reason: &str) -> ! {
    let os_release = OS_RELEASE
        .iter()
        .find_map(|path| fs::read_to_string(path).ok());
    let help = how_to_install(&os_release.unwrap_or_default());
    for line in reason.lines().chain(help.iter().map(String::as_str)) {
        println!("cargo::error={line}");
    }
    process::exit(0)
}
