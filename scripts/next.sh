#!/bin/sh
# Checks that what waits for libfuse 3.19 compiles, whose headers no distribution has yet: those of 3.18, and what is
# known to come, stand in for them. `make next` runs it. Nothing is linked or run.
#
#   scripts/next.sh            the headers that `make matrix` has got for Debian sid, or those installed
#   scripts/next.sh DIR        those in DIR, where fuse_lowlevel.h is
#
# Exit status: 0 it compiles, or there are no headers of 3.18; 1 it does not; 2 wrong use.
set -eu
cd "$(dirname "$0")/.."

headers=${1-target/matrix/sid/root/usr/include/fuse3}
[ $# -gt 0 ] || [ -e "$headers" ] || headers=$(pkg-config --variable=includedir fuse3 || true)/fuse3
if [ ! -e "$headers/fuse_lowlevel.h" ]; then
    echo "next: no fuse_lowlevel.h in $headers" >&2
    exit 2
fi
if ! grep -qs '^#define FUSE_MINOR_VERSION 18$' "$headers/libfuse_config.h"; then
    echo "next: skipped: $headers has not the headers of libfuse 3.18; make matrix VERSIONS=3.18 gets them"
    exit 0
fi

stand_in=$PWD/target/next/stand-in
rm -rf "$stand_in"
mkdir -p "$stand_in/fuse3"
cp "$headers"/*.h "$stand_in/fuse3"
sed -i 's/^\(#define FUSE_MINOR_VERSION\) 18$/\1 19/' "$stand_in/fuse3/libfuse_config.h"

# The new member comes last, and the functions anywhere.
awk '
    /^struct fuse_lowlevel_ops \{/ { inside = 1 }
    inside && /^\};/ { print "\tvoid (*syncfs)(fuse_req_t req, fuse_ino_t ino);"; inside = 0; added++ }
    { print }
    /^struct fuse_lowlevel_ops;/ || /^const struct fuse_ctx \*fuse_req_ctx\(/ {
        print "int fuse_lowlevel_notify_prune(struct fuse_session *se, fuse_ino_t *nodeids, uint32_t count);"
        print "uint32_t fuse_req_secctx_count(fuse_req_t req);"
        print "void fuse_req_secctx_reset(fuse_req_t req);"
        print "int fuse_req_secctx_next(fuse_req_t req, const char **name, const char **value, uint32_t *len);"
        added++
    }
    END { exit added != 2 }' "$headers/fuse_lowlevel.h" >"$stand_in/fuse3/fuse_lowlevel.h" || {
    echo "next: the headers in $headers are not as expected" >&2
    exit 1
}

printf 'Name: fuse3\nDescription: stands in for libfuse 3.19\nVersion: 3.19.0\nCflags: -I%s/fuse3\nLibs: -lfuse3\n' \
    "$stand_in" >"$stand_in/fuse3.pc"
export PKG_CONFIG_PATH="$stand_in" RUSTFLAGS=-Dwarnings CFLAGS=-Werror
# Several flags are several words.
# shellcheck disable=SC2086
cargo check --workspace --all-targets --all-features --target-dir target/next ${CARGO_FLAGS-}
echo "next: what waits for libfuse 3.19 compiles"
