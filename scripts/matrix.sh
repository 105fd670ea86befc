#!/bin/sh
# Builds everything and runs all tests against each libfuse that a Debian release ships, in a root of that release with
# this machine's Rust and kernel. `make matrix` runs it.
#
#   scripts/matrix.sh                 all releases
#   scripts/matrix.sh 3.10 sid        some, by the number of libfuse or the name of the release
#
# It needs root and, for the first run, the network. The roots stay in target/matrix; remove the one of sid to have it
# made anew from what sid has by then. A release whose root cannot be made is skipped, which REQUIRE_MATRIX=1 turns into a
# failure. MATRIX_MIRROR names the mirror of Debian if apt of this machine has none, or not the one to use. MATRIX_COMMAND is
# a command line to run in place of the tests, in a copy of the source that cannot be written to; what it prints is shown.
#
# Exit status: 0 nothing failed; 1 something failed; 2 wrong use.
set -eu
cd "$(dirname "$0")/.."

# What each root gets besides Debian's minimum: to build, and for tests to call.
PACKAGES="libfuse3-dev fuse3 pkg-config libclang-dev gcc libc6-dev make git rsync attr acl util-linux"

# Seconds until a build and its tests count as hung, and until the network does.
LIMIT=900
NETWORK_LIMIT=600

out=$PWD/target/matrix

# The namespace of processes that a release is tested in: the process that made it.
running=

say() { echo "matrix: $*"; }

# The codename of release $1.
suite() {
    case $1 in
    11) echo bullseye ;;
    12) echo bookworm ;;
    13) echo trixie ;;
    sid) echo sid ;;
    esac
}

# The release with libfuse $1.
release() {
    case $1 in
    11 | bullseye | 3.10 | 3.10.3) echo 11 ;;
    12 | bookworm | 3.14 | 3.14.0) echo 12 ;;
    13 | trixie | 3.17 | 3.17.2) echo 13 ;;
    sid | 3.18) echo sid ;;
    *) return 1 ;;
    esac
}

# The mount points of FUSE file systems, the last mounted first.
fuse_mounts() {
    awk '/ - fuse(blk)?(\.[^ ]*)? / { at[++n] = $5 } END { for (; n > 0; n--) print at[n] }' /proc/self/mountinfo
}

# Aborts all FUSE connections in mount table $1. A process that waits for one cannot be killed before. A connection's
# number is that of its device, in which the major number stands 20 bits to the left.
abort_connections() {
    awk '/ - fuse(blk)?(\.[^ ]*)? / { split($3, device, ":"); print device[1] * 1048576 + device[2] }' "$1" | while read -r number; do
        echo "aborting connection $number"
        echo 1 >"/sys/fs/fuse/connections/$number/abort" || true
    done
}

# ---- the roots -------------------------------------------------------------------------------------------------------

# Debian's mirror as apt of this machine knows it.
mirror() {
    if [ -n "${MATRIX_MIRROR-}" ]; then
        echo "$MATRIX_MIRROR"
        return
    fi
    # Without package lists apt does not know who is behind an address.
    # shellcheck disable=SC2016
    apt-get indextargets --format '$(REPO_URI) $(LABEL)' 'Created-By: Packages' 2>/dev/null |
        awk '
            $2 == "Debian" { print $1; found = 1; exit }
            $2 == "" && $1 ~ /\/debian\/?$/ && guess == "" { guess = $1 }
            END { if (!found && guess != "") print guess }'
}

# Makes the root of release $1, unless it is there or $problem says why none can be. Leaves there why it could not.
make_root() {
    root=$out/$1/root
    log=$out/$1/root.log
    [ -z "$problem" ] || return 1
    [ "$(cat "$root.packages" 2>/dev/null)" != "$PACKAGES" ] || return 0
    say "Debian $1: making a root, which takes a minute or two"
    rm -rf "$root" "$root.packages" "$root.new"
    mkdir -p "$out/$1"
    : >"$log"
    if ! command -v debootstrap >/dev/null; then
        problem="debootstrap is missing"
    elif [ -z "$mirror" ]; then
        problem="apt of this machine has no mirror of Debian, name one in MATRIX_MIRROR"
    elif fill_root "$(suite "$1")" "$root.new" >"$log" 2>&1 </dev/null; then
        mv "$root.new" "$root"
        echo "$PACKAGES" >"$root.packages"
        return 0
    else
        problem=$(sed -n 's/^\(E\|W\|debootstrap\): //p' "$log" | head -n 1)
        problem="${problem:-"debootstrap failed"} (see $log)"
    fi
    rm -rf "$root.new"
    return 1
}

# Makes $2 a root with the packages of suite $1.
fill_root() {
    # Some hosts have debootstrap, but not the keys of Debian.
    timeout --foreground "$NETWORK_LIMIT" debootstrap --force-check-gpg --variant=minbase "$1" "$2" "$mirror" || return 1
    cat >"$2/etc/dpkg/dpkg.cfg.d/small" <<'END'
path-exclude=/usr/share/doc/*
path-exclude=/usr/share/man/*
path-exclude=/usr/share/info/*
path-exclude=/usr/share/locale/*
END
    # Mirrors may lag behind. sid says how long its lists are good for, and debootstrap did not ask.
    in_new_root="timeout --foreground $NETWORK_LIMIT chroot $2 env DEBIAN_FRONTEND=noninteractive LC_ALL=C"
    options="--quiet --yes --no-install-recommends -o Acquire::Check-Valid-Until=false"
    # shellcheck disable=SC2086
    $in_new_root apt-get $options update && $in_new_root apt-get $options install $PACKAGES || return 1
    rm -rf "$2"/var/cache/apt/* "$2"/var/lib/apt/lists/* "$2"/usr/share/doc/* "$2"/usr/share/man/* "$2"/usr/share/locale/*
    mkdir "$2/source" "$2/build" "$2/rust" "$2/cargo"
    # Where fusermount3 looks for what it may unmount.
    ln -sf ../proc/self/mounts "$2/etc/mtab"
    echo "127.0.0.1 localhost" >"$2/etc/hosts"
}

# ---- one release, in namespaces of its own ---------------------------------------------------------------------------

# Builds and tests in the root of release $1 with the Rust in $2. Process 1 of its namespace: all others end with it.
test_release() {
    root=$out/$1/root
    mkdir -p "$out/$1/build"

    mount --bind "$root" "$root"
    mount --bind /dev "$root/dev"
    mount -t proc proc "$root/proc"
    mount -t sysfs sysfs "$root/sys"
    mount -t fusectl fusectl "$root/sys/fs/fuse/connections"
    mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
    mount -t tmpfs -o mode=755 tmpfs "$root/run"
    mount --bind "$out/$1/build" "$root/build"
    read_only "$PWD" "$root/source"
    read_only "$2" "$root/rust"
    # The rest of cargo's home is none of theirs, but the crates may come from another place than usual.
    home=${CARGO_HOME:-$HOME/.cargo}
    mount -t tmpfs -o mode=755 tmpfs "$root/cargo"
    for file in "$home/config.toml" "$home/config"; do
        [ ! -e "$file" ] || cp "$file" "$root/cargo/"
    done
    mkdir "$root/cargo/registry"
    read_only "$home/registry" "$root/cargo/registry"
    mount -o remount,bind,ro "$root"

    # Not a chroot, in which there are no user namespaces. And nothing else of this machine stays mounted here.
    cd "$root"
    pivot_root . mnt
    cd /source
    umount -l /mnt

    echo "libfuse $(pkg-config --modversion fuse3)"
    status=0
    command=${MATRIX_COMMAND:-cargo test --locked --offline --no-fail-fast --workspace --all-features}
    # No debug information and nothing incremental, which would only fill the disk. No warnings, since `make check` does not
    # see what is compiled for this version alone.
    env -i PATH=/rust/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LC_ALL=C.UTF-8 \
        CARGO_HOME=/cargo CARGO_TARGET_DIR=/build CARGO_NET_OFFLINE=true CARGO_TERM_COLOR=never CARGO_INCREMENTAL=0 \
        CARGO_PROFILE_DEV_DEBUG=0 RUSTFLAGS=-Dwarnings CARGO_BUILD_JOBS="${CARGO_BUILD_JOBS:-$(nproc)}" REQUIRE_FUSE=1 \
        timeout --kill-after=10 "$LIMIT" sh -c "$command" || status=$?
    [ $status -ne 124 ] || echo "out of time after $LIMIT s"

    abort_connections /proc/self/mountinfo
    exit $status
}

read_only() {
    mount --bind "$1" "$2"
    mount -o remount,bind,ro "$2"
}

# ---- what came out ---------------------------------------------------------------------------------------------------

row() {
    printf '%-12s %-9s %8s %8s %8s %8s  %s\n' "$@" >>"$work/table"
}

count() { awk -F '\t' -v what="$1" '$1 == what { n++ } END { print n + 0 }' "$2"; }

# Waits for process $1, which tests release $2, and tells how far it is.
follow() {
    while kill -0 "$1" 2>/dev/null; do
        sleep 1
        elapsed=$(($(date +%s) - began))
        [ $((elapsed % 30)) -ne 0 ] ||
            say "Debian $2: $elapsed s:$(grep -E '^ +(Compiling|Running|Doc-tests) ' "$out/$2/log" | tail -n 1 | tr -s ' ')"
    done
    wait "$1"
}

# Tests release $1 and writes its row.
run_release() {
    began=$(date +%s)
    problem=$obstacle
    if ! make_root "$1"; then
        say "skipped: no root for Debian $1: $problem"
        row "Debian $1" - - - - $(($(date +%s) - began)) "no root: $problem"
        [ "${REQUIRE_MATRIX-}" != 1 ] || failed=1
        return 0
    fi
    began=$(date +%s)
    status=0
    unshare --mount --propagation private --pid --fork --kill-child --mount-proc \
        "$0" --test "$1" "$sysroot" >"$out/$1/log" 2>&1 </dev/null &
    running=$!
    follow "$running" "$1" || status=$?
    running=
    elapsed=$(($(date +%s) - began))

    libfuse=$(sed -n 's/^libfuse //p;/^libfuse /q' "$out/$1/log")
    if [ -n "${MATRIX_COMMAND-}" ]; then
        cat "$out/$1/log"
        row "Debian $1" "$libfuse" - - - "$elapsed" "exit status $status"
        [ "$status" -eq 0 ] || failed=1
        return 0
    fi
    scripts/test-results.sh "$out/$1/log" >"$work/results"
    skipped=$(count skipped "$work/results")
    failures=$(count failed "$work/results")
    passed=$(sed -n 's/^passed\t\([0-9]*\).*/\1/p' "$work/results")
    verdict=ok
    if [ "$status" -ne 0 ] || [ "$failures" -gt 0 ] || [ "$passed" -eq 0 ]; then
        verdict=FAILED
        failed=1
        sed -n "s/^failed\t/  Debian $1, libfuse $libfuse: /p" "$work/results" | tr '\t' ' ' >>"$work/failures"
        grep -E '^(error(\[|:)|out of time|aborting)' "$out/$1/log" | head -n 20 |
            sed "s/^/  Debian $1, libfuse $libfuse: /" >>"$work/failures" || true
        # What the failed tests printed.
        sed -n '/^---- .* stdout ----$/,/^failures:$/ { /^$/d; /^failures:$/d; s/^/    /p }' "$out/$1/log" |
            tail -n 40 >>"$work/failures"
    fi
    sed -n "s/^skipped\t\(.*\)\t\(.*\)/\1: \2\t$libfuse/p" "$work/results" >>"$work/skips"
    row "Debian $1" "$libfuse" "$passed" "$failures" "$skipped" "$elapsed" "$verdict"
    say "Debian $1, libfuse $libfuse: $passed passed, $failures failed, $skipped skipped, $elapsed s (log: target/matrix/$1/log)"
}

report() {
    echo
    cat "$work/table"
    if [ -s "$work/skips" ]; then
        echo
        echo "Skipped, with which libfuse:"
        awk -F '\t' '
            !($1 in with) { order[++n] = $1; with[$1] = $2; next }
            { with[$1] = with[$1] ", " $2 }
            END { for (i = 1; i <= n; i++) print "  " order[i] " (" with[order[i]] ")" }' "$work/skips"
    fi
    if [ -s "$work/failures" ]; then
        echo
        echo "Failed:"
        cat "$work/failures"
    fi
    echo
    awk '
        $1 == "Debian" { passed += $4; failed += $5; skipped += $6 }
        END { printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped }' "$work/table"
}

# ---- all of it -------------------------------------------------------------------------------------------------------

if [ "${1-}" = --test ]; then
    test_release "$2" "$3"
fi

[ $# -gt 0 ] || set -- 11 12 13 sid
releases=
for version; do
    chosen=$(release "$version") || {
        echo "usage: $0 [VERSION...]   3.10 (Debian 11), 3.14 (12), 3.17 (13), 3.18 (sid)" >&2
        exit 2
    }
    releases="$releases $chosen"
done

# What is mounted from here on is mounted for this script alone, and goes away with it.
if [ -z "${MATRIX_PRIVATE-}" ] && unshare --mount --propagation private true 2>/dev/null; then
    MATRIX_PRIVATE=1 exec unshare --mount --propagation private "$0" "$@"
fi

# A copy of a mount keeps the file system alive that others want to end.
leave_copies() {
    fuse_mounts | while read -r at; do
        umount --lazy --no-canonicalize "$(printf %b "$at")" || true
    done
    [ -z "$(fuse_mounts)" ]
}

# Why nothing can be tested here.
obstacle=
if [ -z "${MATRIX_PRIVATE-}" ]; then
    obstacle="this user may not mount, not even in a namespace"
elif ! leave_copies; then
    obstacle="the FUSE mounts of others cannot be left alone"
elif ! sysroot=$(rustc --print sysroot) || [ ! -x "$sysroot/bin/cargo" ]; then
    obstacle="there is no cargo next to rustc, as with the Rust that rustup installs"
elif ! cargo fetch --quiet --locked; then
    obstacle="the crates cannot be fetched"
else
    scripts/setup.sh --with debootstrap || true
    grep -q ' /sys/fs/fuse/connections ' /proc/self/mountinfo ||
        mount -t fusectl fusectl /sys/fs/fuse/connections || true
fi

if [ -z "$obstacle" ]; then
    mkdir -p "$out"
    exec 9>"$out/lock"
    flock --nonblock 9 || {
        echo "matrix: it is running already" >&2
        exit 2
    }
fi

work=$(mktemp -d)
# shellcheck disable=SC2317
clean_up() {
    status=$?
    trap '' HUP INT TERM
    trap - EXIT
    if [ -n "$running" ]; then
        child=
        read -r child _ <"/proc/$running/task/$running/children" || true
        [ -z "$child" ] || abort_connections "/proc/$child/mountinfo"
        # With it ends all that was started in the root.
        kill -KILL "$running" 2>/dev/null || true
    fi
    rm -rf "$work"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

mirror=$(mirror)
failed=0
: >"$work/table"
: >"$work/skips"
: >"$work/failures"
row release libfuse passed failed skipped seconds result
for chosen in $releases; do
    run_release "$chosen"
done
report
exit "$failed"
