#!/bin/sh
# Runs pjdfstest and fsx against the examples passthroughfs and tmpfs, as root. `make conformance` runs it;
# docs/conformance.md tells how to read what it prints, and lists the failures that are known.
#
#   CONFORMANCE_ONLY=tmpfs scripts/conformance.sh     one file system (or passthroughfs)
#   CONFORMANCE_SEED=12345 scripts/conformance.sh     fsx with this seed in place of a random one
#
# Exit status: 0 all is well; 1 something failed that is not known to; 2 nothing could be run.
set -eu
cd "$(dirname "$0")/.."

PJDFSTEST_VERSION=0.2.2
FSX_VERSION=0.3.2
MOUNT_OPTIONS=default_permissions,allow_other

FSX_OPERATIONS=100000
FSX_SEED=1

# Seconds until a suite counts as hung. Each takes about a minute at most.
PJDFSTEST_LIMIT=300
FSX_LIMIT=600

out=${CARGO_TARGET_DIR:-$PWD/target}/conformance
examples=${CARGO_TARGET_DIR:-$PWD/target}/release/examples
logs=$out/logs
known=docs/conformance.md

work=    # all that goes away at the end is in here
tool=    # process group of the command that `limited` runs
daemon=  # process group of the file system under test
problem= # what is wrong with that file system, apart from the results of the tests

say() { echo "conformance: $*"; }

die() {
    echo "conformance: $*" >&2
    exit 2
}

# --- Mounts. All of them are inside of $work. ---

# The mount points at or below directory $1, the last mounted first.
mounts_below() {
    awk -v top="$1" '$5 == top || index($5, top "/") == 1 { at[++n] = $5 } END { for (; n > 0; n--) print at[n] }' \
        /proc/self/mountinfo
}

# The number of the connection behind FUSE mount $1, as under /sys/fs/fuse/connections; fails if there is no such mount.
connection() {
    awk -v at="$1" '
        $5 == at && / - fuse/ { split($3, device, ":"); minor = device[2] }
        END { if (minor == "") exit 1; print minor }' /proc/self/mountinfo
}

# Makes everything that waits for FUSE mount $1 fail. A process that waits for an answer cannot be killed before.
abort_connection() {
    number=$(connection "$1") || return 0
    problem=${problem:-"did not answer in time"}
    control=/sys/fs/fuse/connections
    if [ ! -e "$control/$number/abort" ]; then
        control=$work/control
        [ -d "$control" ] || { mkdir "$control" && mount -t fusectl none "$control"; } || true
    fi
    say "aborting connection $number of $1"
    echo 1 >"$control/$number/abort" || umount -f "$1" || true
}

# Unmounts all at or below $1, by force if there is no other way.
unmount_below() {
    for at in $(mounts_below "$1"); do
        tries=0
        # What was killed may hold it for another moment.
        until limited 20 /dev/null umount "$at"; do
            tries=$((tries + 1))
            if [ "$tries" -ge 5 ]; then
                problem=${problem:-"could not be unmounted"}
                abort_connection "$at"
                umount -l "$at" || true
                break
            fi
            sleep 1
        done
    done
}

# --- Processes. Only those that are started here are ended, by their number. ---

# Waits until process $1 has ended, but no longer than $2 seconds.
ended_within() {
    deadline=$(($(date +%s) + $2))
    while kill -0 "$1" 2>/dev/null; do
        [ "$(date +%s)" -lt "$deadline" ] || return 1
        sleep 0.1
    done
}

# Ends process group $1, politely at first.
end_group() {
    kill -s TERM -- "-$1" 2>/dev/null || true
    ended_within "$1" 5 || true
    kill -s KILL -- "-$1" 2>/dev/null || true
    ended_within "$1" 5 || true
}

# Runs $3... for $1 seconds at most, with its output in file $2. Status 124 if the time ran out.
limited() {
    limit=$1
    output=$2
    shift 2
    setsid "$@" >"$output" 2>&1 </dev/null &
    tool=$!
    pause=0.1
    started=$(date +%s)
    reported=0
    while kill -0 "$tool" 2>/dev/null; do
        elapsed=$(($(date +%s) - started))
        if [ "$elapsed" -ge "$limit" ]; then
            say "out of time after $elapsed s: $*"
            { echo "Out of time. It waits in: $(cat "/proc/$tool/wchan")"; } >>"$output" 2>/dev/null || true
            abort_connection "$work/mnt"
            end_group "$tool"
            tool=
            return 124
        fi
        if [ "$elapsed" -ge $((reported + 15)) ]; then
            reported=$elapsed
            say "  $elapsed s"
        fi
        [ "$elapsed" -lt 1 ] || pause=0.5
        sleep "$pause"
    done
    returned=0
    wait "$tool" || returned=$?
    tool=
    return "$returned"
}

cleanup() {
    status=$?
    trap - EXIT
    trap '' HUP INT TERM
    [ -n "$work" ] || exit "$status"
    if [ -n "$tool" ]; then
        abort_connection "$work/mnt"
        end_group "$tool"
    fi
    unmount_below "$work"
    [ -z "$daemon" ] || end_group "$daemon"
    if [ -z "$(mounts_below "$work")" ]; then
        rm -rf "$work"
    else
        echo "conformance: something is still mounted below $work" >&2
    fi
    exit "$status"
}

# --- File systems under test. ---

# Mounts example $1 on $work/mnt. In the foreground, so that its end and its messages can be seen.
mount_example() {
    example=$1
    daemon_log=$logs/$1-$2-daemon.log
    mkdir "$work/mnt" "$work/source"
    chmod 755 "$work/mnt" "$work/source"
    case $example in
    passthroughfs) set -- "$work/source" "$work/mnt" ;;
    tmpfs) set -- "$work/mnt" ;;
    esac
    setsid "$examples/$example" -f -o "$MOUNT_OPTIONS" "$@" >"$daemon_log" 2>&1 </dev/null &
    daemon=$!
    give_up=$(($(date +%s) + 30))
    until connection "$work/mnt" >/dev/null; do
        if ! kill -0 "$daemon" 2>/dev/null || [ "$(date +%s)" -ge "$give_up" ]; then
            problem="did not mount: $(tail -n 1 "$daemon_log")"
            return 1
        fi
        sleep 0.1
    done
    # The first request is answered once both sides have agreed on the protocol.
    limited 30 /dev/null stat "$work/mnt" || problem=${problem:-"does not answer"}
    [ -z "$problem" ]
}

# Unmounts it again. Leaves in $problem what was not as it should be.
unmount_example() {
    early=
    kill -0 "$daemon" 2>/dev/null || early=" before it was unmounted"
    unmount_below "$work/mnt"
    if ! ended_within "$daemon" 10; then
        problem=${problem:-"went on running after umount"}
        end_group "$daemon"
    fi
    ended=0
    wait "$daemon" || ended=$?
    daemon=
    [ "$ended$early" = 0 ] || problem=${problem:-"ended with status $ended$early"}
    ! grep -q 'panicked at' "$daemon_log" || problem="${problem:+$problem, and }panicked"
    [ -z "$problem" ] || problem="$problem (its log: $daemon_log)"
    [ -n "$(mounts_below "$work/mnt")" ] || rm -rf "${work:?}/mnt" "$work/source"
}

# --- The table and what is printed below it. ---

# One row: file system, suite, cases, passed, failed, skipped, new failures, seconds.
row() {
    printf '%-15s %-25s %7s %7s %7s %8s %13s %8s\n' "$@" >>"$work/table"
    say "$2 on $1: $4 passed, $5 failed, $6 skipped, $8 s"
}

new_failure() { printf '  %s\n' "$*" >>"$work/new"; }

note() { printf '  %s\n' "$*" >>"$work/notes"; }

# --- pjdfstest ---

# Two users and their groups, for the cases that change users. Every system has some that are of no consequence.
dummy_users() {
    for user in nobody daemon bin mail games; do
        id -u "$user" >/dev/null 2>&1 || continue
        printf '["%s", "%s"]\n' "$user" "$(id -gn "$user")"
    done | sort -u -t, -k2 | head -n 2 | paste -s -d , -
}

# Writes the configuration; $1 tells whether the file system may be made read-only and writable again.
pjdfstest_config() {
    cat <<END
[features]
# All that Linux has. The others are FreeBSD's: chflags and chflags_sf_snapshot, nfsv4_acls, stat_st_birthtime.
posix_fallocate = {}
utimensat = {}
utime_now = {}
# POSIX leaves it open, but every file system of Linux does it.
rename_ctime = {}

[settings]
# Seconds between two changes whose times are compared. Times advance with the kernel's tick, at most 10 ms.
# Far below the second for which the kernel keeps attributes, so that one kept for too long shows.
naptime = 0.05
allow_remount = $1

[dummy_auth]
entries = [$users]
END
}

# Turns a log of pjdfstest into lines of case, result and reason, with tabs between.
pjdfstest_results() {
    awk '
        function flush() { if (name != "") print name "\t" result "\t" substr(reason, 1, 300); name = reason = "" }
        /^[a-z0-9_:]+ +(ok|FAILED|skipped)$/ { flush(); name = $1; result = $2; next }
        /^[ \t]+[^ \t]/ { $1 = $1; reason = reason (reason == "" ? "" : "; ") $0; next }
        /./ { flush() }
        END { flush() }' "$1"
}

# Judges results $2 of file system $1 by results $4 of the directory: the cases that there are and, for passthroughfs, whether they
# fail there too. $3 has the known failures. Prints lines that begin with NEW, KNOWN, SKIP or BELOW, and one that begins with COUNT.
pjdfstest_verdict() {
    awk -F '\t' -v fs="$1" '
        file == 1 { known[$1] = $2; next }
        file == 2 { below[$1] = $2; order[++n] = $1; next }
        { result[$1] = $2; reason[$1] = $3; any = 1 }
        END {
            for (i = 1; i <= n; i++) {
                name = order[i]
                if (!(name in result)) {
                    failed++; new++
                    # They run in this order, but for those that come by themselves.
                    if (name ~ /erofs_/ || stopped || !any) missing++
                    else { stopped = 1; print "NEW " name ": did not come to an end" }
                } else if (result[name] == "ok") {
                    passed++
                    if (name in known) { new++; print "NEW " name ": passes now, strike it off the list of known failures" }
                } else if (result[name] == "skipped") {
                    skipped++
                    print "SKIP " name ": " reason[name]
                } else {
                    failed++
                    if (fs == "passthroughfs" && below[name] == "FAILED") print "BELOW " name ": " reason[name]
                    else if (name in known) print "KNOWN " name ": " known[name]
                    else { new++; print "NEW " name ": " reason[name] }
                }
            }
            if (missing) print "NEW " missing " cases did not run"
            for (name in known)
                if (!(name in below)) { new++; print "NEW " name ": is in the list of known failures, but there is no such case" }
            print "COUNT", n, passed + 0, failed + 0, skipped + 0, new + 0
        }' file=1 "$3" file=2 "$4" file=3 "$2"
}

# The list of known failures for file system $1, as lines of case and reason with a tab between.
known_failures() {
    [ "$1" = tmpfs ] || return 0
    awk -v OFS='\t' '
        /^```known-failures$/ { inside = found = 1; next }
        /^```/ { inside = 0 }
        inside && NF {
            name = $1; $1 = ""; sub(/^\t+/, ""); gsub(/\t/, " ")
            if ($0 == "") wrong = "no reason is given for " name
            print name, $0
        }
        END {
            if (!found) wrong = "there is no block known-failures"
            if (wrong != "") { print "conformance: " FILENAME ": " wrong | "cat >&2"; exit 1 }
        }' "$known"
}

# Notes the reasons for the cases skipped on $1, each once, with the names of the cases or, if these are many, their number.
skips() {
    sed -n 's/^SKIP //p' "$2" | awk -v on="$1" '
        {
            name = $1; sub(/:$/, "", name); sub(/^[^ ]* /, "")
            if (!count[$0]++) order[++n] = $0
            names[$0] = names[$0] (names[$0] == "" ? "" : ", ") name
        }
        END {
            for (i = 1; i <= n; i++) {
                reason = order[i]
                print "  " on " pjdfstest skipped " (count[reason] > 3 ? count[reason] " cases" : names[reason]) ": " reason
            }
        }' >>"$work/notes"
}

# The directory itself, without FUSE: what the tests say about the kernel and the file system that is there.
pjdfstest_below() {
    say "pjdfstest on a plain directory"
    mkdir "$work/below"
    chmod 755 "$work/below"
    began=$(date +%s)
    result=0
    limited "$PJDFSTEST_LIMIT" "$logs/directory-pjdfstest.log" \
        "$out/bin/pjdfstest" -c "$out/pjdfstest.toml" -s "$work/other" -p "$work/below" || result=$?
    grep -q '^Summary: ' "$logs/directory-pjdfstest.log" ||
        die "pjdfstest did not finish on a plain directory (status $result); see $logs/directory-pjdfstest.log"
    pjdfstest_results "$logs/directory-pjdfstest.log" >"$work/below.results"
    : >"$work/none"
    # Judged by itself, it has no new failures.
    pjdfstest_verdict passthroughfs "$work/below.results" "$work/none" "$work/below.results" >"$work/below.verdict"
    sed -n 's/^BELOW /  (directory) pjdfstest failed /p' "$work/below.verdict" >>"$work/notes"
    skips "(directory)" "$work/below.verdict"
    # shellcheck disable=SC2046 # one word for each column
    row "(directory)" pjdfstest $(awk '$1 == "COUNT" { print $2, $3, $4, $5, "-" }' "$work/below.verdict") \
        $(($(date +%s) - began))
}

pjdfstest_on() {
    fs=$1
    say "pjdfstest on $fs"
    began=$(date +%s)
    problem=
    log=$logs/$fs-pjdfstest.log
    erofs_log=$logs/$fs-pjdfstest-erofs.log
    : >"$log"
    : >"$erofs_log"
    if mount_example "$fs" pjdfstest; then
        limited "$PJDFSTEST_LIMIT" "$log" \
            "$out/bin/pjdfstest" -c "$out/pjdfstest.toml" -s "$work/other" -p "$work/mnt" || true
    fi
    # The cases that make the file system read-only come by themselves: others leave files open for writing, and then the kernel
    # refuses.
    if [ -z "$problem" ]; then
        limited "$PJDFSTEST_LIMIT" "$erofs_log" env PATH="$work/path:$PATH" \
            "$out/bin/pjdfstest" -c "$out/pjdfstest-erofs.toml" -p "$work/mnt" erofs_ || true
    fi
    unmount_example
    { pjdfstest_results "$log" | awk '$1 !~ /erofs_/'; pjdfstest_results "$erofs_log"; } >"$work/$fs.results"
    pjdfstest_verdict "$fs" "$work/$fs.results" "$work/$fs.known" "$work/below.results" >"$work/$fs.verdict"
    sed -n "s/^NEW /  $fs pjdfstest /p" "$work/$fs.verdict" >>"$work/new"
    sed -n "s/^KNOWN /  $fs pjdfstest is known to fail /p
        s/^BELOW /  $fs pjdfstest failed, as on the directory, /p" "$work/$fs.verdict" >>"$work/notes"
    skips "$fs" "$work/$fs.verdict"
    [ -z "$problem" ] || new_failure "$fs pjdfstest: the file system $problem"
    # shellcheck disable=SC2046 # one word for each column
    row "$fs" pjdfstest \
        $(awk -v more="${problem:+1}" '$1 == "COUNT" { print $2, $3, $4, $5, $6 + more }' "$work/$fs.verdict") \
        $(($(date +%s) - began))
}

# --- fsx ---

# True if file system at $1 can do $2: punch holes, or reserve space, which the C library else imitates by writing.
offers() {
    case $2 in
    punch_hole) mode="--punch-hole --offset 4096" ;;
    posix_fallocate) mode="--offset 4096" ;;
    esac
    # shellcheck disable=SC2016 # the inner shell expands these
    limited 30 "$work/probe.log" \
        sh -c 'head -c 8192 /dev/zero >"$1" && fallocate $2 --length 4096 "$1"' sh "$1/probe" "$mode"
}

# Writes the configuration. $1 is the weight of the operations on mapped memory, $2 and $3 those of the two that not all have.
fsx_config() {
    cat <<END
flen = 1048576
# Mapped pages are written back when the kernel likes, at fsync, or when another operation needs it.
nomsyncafterwrite = true

[opsize]
# Not 0: fsx 0.3.2 takes the EINVAL for a posix_fallocate of no bytes for a failure.
min = 1
max = 65536

[weights]
read = 10
write = 10
truncate = 2
close_open = 1
fsync = 0.2
fdatasync = 0.2
sendfile = 2
posix_fadvise = 1
copy_file_range = 2
posix_fallocate = $3
punch_hole = $2
mapwrite = $(($1 * 5))
# Fewer: fsx 0.3.2 never unmaps what it has read this way, and slows down with each.
mapread = $(($1 * 2))
invalidate = $1
END
}

fsx_on() {
    fs=$1
    kind=$2
    seed=$3
    suite="$kind, seed $seed"
    name=$(echo "$kind" | tr ' ' -)-$seed
    say "$suite on $fs"
    began=$(date +%s)
    problem=
    new=0
    skipped=0
    log=$logs/$fs-$name.log
    result=1
    if mount_example "$fs" "$name"; then
        for operation in punch_hole posix_fallocate; do
            weight=1
            if ! offers "$work/mnt" "$operation"; then
                weight=0
                skipped=$((skipped + 1))
                reason=$(head -n 1 "$work/probe.log")
                if [ "$fs" = passthroughfs ] && offers "$work/source" "$operation"; then
                    new=$((new + 1))
                    new_failure "$fs $kind cannot do $operation, as the directory can: $reason"
                else
                    note "$fs $kind skipped $operation: $reason"
                fi
            fi
            eval "$operation=$weight"
        done
        mapped=0
        [ "$kind" = fsx ] || mapped=1
        config=$out/$fs-$(echo "$kind" | tr ' ' -).toml
        # Set by the loop above.
        # shellcheck disable=SC2154
        fsx_config "$mapped" "$punch_hole" "$posix_fallocate" >"$config"
        result=0
        limited "$FSX_LIMIT" "$log" \
            "$out/bin/fsx" -f "$config" -N "$FSX_OPERATIONS" -S "$seed" -P "$logs" "$work/mnt/$fs-$name" || result=$?
        [ "$result" -ne 0 ] || grep -q 'All operations completed A-OK!' "$log" || result=1
    fi
    unmount_example
    passed=$FSX_OPERATIONS
    failed=0
    if [ "$result" -ne 0 ]; then
        passed=-
        failed=1
        new=$((new + 1))
        [ ! -e "$log" ] || new_failure "$fs $suite: $(grep -v -e '^$' -e '^thread ' "$log" | head -n 1) (its log: $log)"
    fi
    if [ -n "$problem" ]; then
        new=$((new + 1))
        new_failure "$fs $suite: the file system $problem"
    fi
    row "$fs" "$suite" "$FSX_OPERATIONS" "$passed" "$failed" "$skipped" "$new" $(($(date +%s) - began))
}

# --- Preparation ---

case ${CONFORMANCE_ONLY-} in
"") file_systems="passthroughfs tmpfs" ;;
passthroughfs | tmpfs) file_systems=$CONFORMANCE_ONLY ;;
*) die "CONFORMANCE_ONLY is passthroughfs or tmpfs, not $CONFORMANCE_ONLY" ;;
esac
[ "$(id -u)" -eq 0 ] || die "only root can run this: it mounts, and the tests change users"
[ -c /dev/fuse ] || die "there is no /dev/fuse"

if [ -f scripts/setup.sh ]; then
    sh scripts/setup.sh --with mount which || exit 2
fi

trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
# Outside of the project, since the tests' users must be able to get there.
work=$(mktemp -d "${TMPDIR:-/tmp}/conformance.XXXXXX")
work=$(cd "$work" && pwd -P)
chmod 755 "$work"
case $work in
*[!A-Za-z0-9/._-]*) die "please set TMPDIR to a path of plain characters, not $work" ;;
esac

for fs in $file_systems; do
    known_failures "$fs" >"$work/$fs.known" || exit 2
    say "building example $fs"
    cargo build --quiet --release --example "$fs" || exit 2
done
# cargo returns at once if this version is there already.
say "installing pjdfstest $PJDFSTEST_VERSION and fsx $FSX_VERSION into $out"
cargo install --quiet --locked --root "$out" "pjdfstest@$PJDFSTEST_VERSION" || exit 2
cargo install --quiet --locked --root "$out" "fsx@$FSX_VERSION" || exit 2

# What the suites print is read here.
LC_ALL=C NO_COLOR=1 RUST_BACKTRACE=0
export LC_ALL NO_COLOR RUST_BACKTRACE
umask 022
rm -rf "$logs"
mkdir -p "$logs"
: >"$work/new"
: >"$work/notes"

# Another file system, for the cases that expect EXDEV.
mkdir "$work/other"
mount -t tmpfs -o mode=755,size=1m none "$work/other" || die "cannot mount, even as root"

# The cases that expect EROFS call `mount -o remount,ro`. Without -i that would start the file system once more.
mkdir "$work/path"
printf '#!/bin/sh\nexec %s -i "$@"\n' "$(command -v mount)" >"$work/path/mount"
chmod 755 "$work/path/mount"

users=$(dummy_users)
case $users in
*,*,*) ;;
*) die "pjdfstest needs two users with different groups; of nobody, daemon, bin, mail and games there is only: $users" ;;
esac
pjdfstest_config false >"$out/pjdfstest.toml"
pjdfstest_config true >"$out/pjdfstest-erofs.toml"

random=${CONFORMANCE_SEED:-$(od -An -N 4 -t u4 /dev/urandom | tr -d ' ')}

# --- All suites ---

pjdfstest_below
for fs in $file_systems; do
    pjdfstest_on "$fs"
    for seed in "$FSX_SEED" "$random"; do
        fsx_on "$fs" fsx "$seed"
        fsx_on "$fs" "fsx mmap" "$seed"
    done
done

echo
printf '%-15s %-25s %7s %7s %7s %8s %13s %8s\n' "file system" suite cases passed failed skipped "new failures" seconds
cat "$work/table"
if [ -s "$work/notes" ]; then
    printf '\nSkipped, known, or not ours:\n'
    sort -u "$work/notes"
fi
if [ -s "$work/new" ]; then
    printf '\nNew failures (logs are in %s):\n' "$logs"
    awk '!printed[$0]++' "$work/new"
    printf '\n%s tells how to run one of them by hand.\n' "$known"
    exit 1
fi
echo
echo "No new failures."
