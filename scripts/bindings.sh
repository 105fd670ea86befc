#!/bin/sh
# Rewrites the two files that stand in for bindgen where DOCS_RS is set. `make bindings` runs it.
# Backquotes in printf formats are meant as they are.
# shellcheck disable=SC2016
set -eu
cd "$(dirname "$0")/.."

# The place where the build script of package $1 left its output.
out_dir() {
    cargo build --quiet -p "$1" --message-format=json |
        sed -n '/"reason":"build-script-executed"/{/[#\/]'"$1"'@/s/.*"out_dir":"\([^"]*\)".*/\1/p;}'
}

# What bindgen made for package $1, file $2, without the layout checks, which hold on one architecture only.
generated() {
    sed -e '1,2d' \
        -e '/^#\[allow(clippy::unnecessary_operation/d' \
        -e '/^const _: () = {$/,/^};$/d' \
        "$(out_dir "$1")/$2"
}

version=$(pkg-config --modversion fuse3)
sys=libfuse-sys/src/prebuilt.rs
shim=src/raw/prebuilt_shim.rs

body=$(generated libfuse3-sys bindings.rs)
printf '// Made by `make bindings`, by bindgen from the headers of libfuse %s on %s.\n// Used where DOCS_RS is set, and nowhere else.\n\n%s\n' \
    "$version" "$(uname -m)" "$body" >"$sys"
sed -i "s/^\(const PREBUILT_VERSION: &str = \)\".*\";/\1\"$version\";/" libfuse-sys/build.rs

body=$(generated libfuse3 shim.rs)
printf '// Made by `make bindings`, by bindgen from wrapper.h. Used where DOCS_RS is set, and nowhere else.\n\n%s\n' \
    "$body" >"$shim"

echo "Wrote $sys and $shim from libfuse $version."
