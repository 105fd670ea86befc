#!/bin/sh
# Checks that what waits for libfuse 3.19 compiles, whose headers no distribution has yet: those of 3.18, and what is
# known to come, stand in for them. The same for a development version that has the number and nothing of what comes
# with it, nor what 3.18.3 has added. `make next` runs it. Nothing is linked or run.
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

# Makes headers of version $2 in target/next/$1, and checks all that compiles with them.
check() {
    stand_in=$PWD/target/next/$1
    rm -rf "$stand_in"
    mkdir -p "$stand_in/fuse3"
    cp "$headers"/*.h "$stand_in/fuse3"
    sed -i 's/^\(#define FUSE_MINOR_VERSION\) 18$/\1 19/' "$stand_in/fuse3/libfuse_config.h"
    "change_$1" "$stand_in/fuse3" || {
        echo "next: the headers in $headers are not as expected" >&2
        exit 1
    }
    printf 'Name: fuse3\nDescription: stands in for libfuse 3.19\nVersion: %s\nCflags: -I%s/fuse3\nLibs: -lfuse3\n' \
        "$2" "$stand_in" >"$stand_in/fuse3.pc"
    # Several flags are several words.
    # shellcheck disable=SC2086
    PKG_CONFIG_PATH=$stand_in RUSTFLAGS=-Dwarnings CFLAGS=-Werror \
        cargo check --workspace --all-targets --all-features --target-dir target/next ${CARGO_FLAGS-}
}

# The new member comes last, and the functions anywhere.
change_release() {
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
        END { exit added != 2 }' "$headers/fuse_lowlevel.h" >"$1/fuse_lowlevel.h"
}

change_development() {
    sed -i '/kill_suidgid/ s/.*/\tuint32_t : 1;/' "$1/fuse_common.h"
    ! grep -q kill_suidgid "$1"/*.h
}

check release 3.19.0
check development 3.19.0-rc0
echo "next: what waits for libfuse 3.19 compiles, with and without what it adds"
