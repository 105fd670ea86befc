#!/bin/sh
# Mounts examples/passthroughfs over a tree of files and works on it through the mount: reads all of it, copies it out
# and back in, changes it, and compares each time with what is there without the mount. `make demo` runs it.
#
#   scripts/demo.sh [FILES]     with at least so many files, 2500 unless given
#
# The exit status is 0 only if nothing differed. Nothing stays behind: neither files nor a mount.
set -eu
cd "$(dirname "$0")/.."

files=${1:-2500}
case $files in
'' | *[!0-9]*)
    echo "usage: $0 [FILES]" >&2
    exit 2
    ;;
esac

# After so many seconds the file system is killed, and whoever waits for it comes back with an error.
limit=900
export LC_ALL=C

# ---- what is left when it ends ---------------------------------------------------------------------------------------

work='' pid=''

is_mounted() {
    grep -qF " $(printf %s "$work/mirror" | sed 's/\\/\\134/g; s/ /\\040/g') " /proc/self/mountinfo
}

is_running() {
    [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null
}

# Waits for a condition, for ten seconds at most.
wait_until() {
    tries=200
    until "$@"; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || return 1
        sleep 0.05
    done
}

not() { ! "$@"; }

unmount() {
    if [ "$(id -u)" -eq 0 ]; then
        umount "$@" "$work/mirror"
    else
        fusermount3 -u "$@" "$work/mirror"
    fi
}

clean_up() {
    status=$?
    trap '' INT TERM HUP
    trap - EXIT
    if is_running; then
        kill -TERM "$pid" 2>/dev/null || true
        wait_until not is_running || kill -KILL "$pid" 2>/dev/null || true
    fi
    if [ -n "$work" ]; then
        ! is_mounted || unmount -l 2>/dev/null || unmount -z 2>/dev/null || true
        # Never through a mount that is still there: that would be the tree itself.
        if is_mounted; then
            echo "$work/mirror is still mounted" >&2
            status=1
        else
            rm -rf "$work"
        fi
    fi
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# ---- the table -------------------------------------------------------------------------------------------------------

[ -t 1 ] && terminal=1 || terminal=0
exec 3>&1

# Hundredths of a second since the machine was started.
now() {
    read -r up _ </proc/uptime
    echo "${up%.*}${up#*.}"
}

row() {
    printf '%-50s %7s %8s %8s  %s\n' "$@" >&3
}

begin() {
    step=$1 began=$(now)
    : >"$work/errors"
    [ "$terminal" -eq 0 ] || printf '%s ...' "$step" >&3
}

# Ends the step: FILES, BYTES, a word.
end() {
    took=$(($(now) - began))
    [ "$terminal" -eq 0 ] || printf '\r\033[K' >&3
    row "$step" "$1" "$(megabytes "$2")" "$((took / 100)).$(printf %02d $((took % 100)))" "$3"
}

megabytes() {
    [ -z "$1" ] || echo "$(($1 / 1000000)).$(($1 / 100000 % 10))"
}

fail() {
    end '' '' FAILED
    echo >&3
    echo "$1" >&2
    sed 's/^/    /' "$work/errors" | head -n 20 >&2
    if [ -s "$work/log" ]; then
        echo "passthroughfs says:" >&2
        sed 's/^/    /' "$work/log" | head -n 20 >&2
    fi
    exit 1
}

# Copies its input, and shows on a terminal how many of $1 lines have come.
progress() {
    if [ "$terminal" -eq 0 ]; then
        cat
        return
    fi
    awk -v step="$step" -v total="$1" '
        { print }
        ++lines % 50 == 0 { printf "\r\033[K%s ... %d of %d", step, lines, total >"/dev/stderr" }
    ' 2>&3
}

# Runs a command whose errors end the step. For the left side of pipelines, whose exit status the shell does not tell.
try() {
    "$@" 2>>"$work/errors" || echo "exit status $?: $*" >>"$work/errors"
}

no_errors() {
    [ ! -s "$work/errors" ] || fail "$1"
}

# The two lists must be the same.
same() {
    diff "$1" "$2" >>"$work/errors" || fail "$3 (<: without the mount or before, >: through it or after)"
}

# ---- what a tree consists of -----------------------------------------------------------------------------------------

inside() {
    (cd "$1" && shift && "$@")
}

# Name, type and permissions, owner, group, links, size, device number, time of modification, number of the inode.
attributes() {
    try inside "$1" find . -exec stat -c "%n %f %u:%g %h %s %t:%T %y $inode" {} +
}

# The same of a copy, which has inodes of its own; directories have a size of their own, too.
copied_attributes() {
    try inside "$1" find . -type d -exec stat -c '%n %f %u:%g %h %Y' {} +
    try inside "$1" find . ! -type d -exec stat -c '%n %f %u:%g %h %s %Y' {} +
}

checksums() {
    try inside "$1" find . -type f -exec sha256sum {} +
}

targets() {
    try inside "$1" find . -type l -exec readlink {} +
}

extended_attributes() {
    # It names what has none on standard error where the file system has none at all.
    inside "$1" find . ! -type l -exec getfattr -d {} + 2>/dev/null || true
}

count() { find "$1" -type f | wc -l; }

bytes() { find "$1" -type f -exec stat -c %s {} + | awk '{ sum += $1 } END { printf "%.0f", sum }'; }

# ---- preparation -----------------------------------------------------------------------------------------------------

echo "Building examples/passthroughfs"
program=$(cargo build --release --example passthroughfs --message-format=json-render-diagnostics |
    sed -n 's/.*"executable":"\([^"]*\/passthroughfs\)".*/\1/p')
[ -x "$program" ] || {
    echo "cargo has built no passthroughfs" >&2
    exit 1
}

mkdir -p target
work=$(mktemp -d "$PWD/target/demo.XXXXXX")
chmod 755 "$work"
mkdir "$work/tree" "$work/mirror" "$work/copy"
: >"$work/log"

echo
row step files MB seconds result

# Sources of crates, or whatever else every machine has; some of it, and made up if there is too little.
begin "Make a tree of files"
number=0 place=0
for directory in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/* /usr/include/* /usr/share/doc/* /usr/lib/python3*/*; do
    [ $number -lt "$files" ] || break
    if [ ! -d "$directory" ] || [ -L "$directory" ]; then continue; fi
    [ "$(du -sk "$directory" 2>/dev/null | cut -f 1)" -lt 20000 ] 2>/dev/null || continue
    if cp -Rp "$directory" "$work/tree/" 2>/dev/null; then
        number=$((number + $(count "$work/tree/${directory##*/}")))
    else
        rm -rf "$work/tree/${directory##*/}" # Not all of it can be read by this user.
    fi
done
while [ $number -lt "$files" ]; do
    [ $((number % 100)) -ne 0 ] || place=$((place + 1))
    mkdir -p "$work/tree/made up/$place"
    echo "This is file $number." >"$work/tree/made up/$place/file $number"
    number=$((number + 1))
done
chmod -R u+rwX "$work/tree"

# And what a tree may have besides.
mkdir "$work/tree/odd"
cd "$work/tree/odd"
mkdir -p empty/directories/below/each/other open
chmod 1777 open
head -c 30000000 /dev/urandom >large
dd if=/dev/zero of=sparse bs=1 count=1 seek=16777216 2>/dev/null
: >nothing
echo private >private && chmod 0600 private
echo program >program && chmod 0755 program
echo blanks >"  two  blanks " && echo dash >-dash && echo utf8 >"$(printf '\303\244\303\266\303\274 \342\202\254')"
echo long >"$(printf '%0255d' 0)"
mkfifo fifo
ln -s ../no/such/file dangling && ln -s . itself
number=0
for file in ../*/*; do
    if [ ! -f "$file" ] || [ -L "$file" ]; then continue; fi
    number=$((number + 1))
    ln -s "$file" "symlink $number"
    ln "$file" "hard link $number"
    # Not every file system has them.
    setfattr -n user.demo -v "file $number" "$file" 2>/dev/null || true
    [ $number -lt 100 ] || break
done
cd - >/dev/null
# Numbers of inodes from several devices, as overlayfs may have them, become different ones in a single mount.
inode=%i
[ "$(find "$work/tree" -exec stat -c %d {} + | sort -u | wc -l)" -eq 1 ] || inode=
files=$(count "$work/tree") bytes=$(bytes "$work/tree") inodes=$(find "$work/tree" | wc -l)
attributes "$work/tree" | sort >"$work/attributes"
copied_attributes "$work/tree" | sort >"$work/copied_attributes"
checksums "$work/tree" | sort -k 2 >"$work/checksums"
targets "$work/tree" | sort >"$work/targets"
extended_attributes "$work/tree" >"$work/extended_attributes"
no_errors "The tree cannot be read."
end "$files" "$bytes" "$inodes names"

# ---- the mount -------------------------------------------------------------------------------------------------------

begin "Mount passthroughfs on it"
timeout -s KILL $limit "$program" -f "$work/tree" "$work/mirror" >"$work/log" 2>&1 </dev/null &
pid=$!
is_decided() { is_mounted || not is_running; }
wait_until is_decided || true
is_mounted || fail "It is not mounted."
end '' '' ok

begin "Walk through the mirror, compare attributes"
attributes "$work/mirror" | progress "$inodes" | sort >"$work/list"
no_errors "The mirror cannot be walked through."
same "$work/attributes" "$work/list" "Attributes differ."
targets "$work/mirror" | sort >"$work/list"
same "$work/targets" "$work/list" "Symbolic links differ."
extended_attributes "$work/mirror" >"$work/list"
same "$work/extended_attributes" "$work/list" "Extended attributes differ."
end "$files" '' same

begin "Read the mirror, compare checksums"
checksums "$work/mirror" | progress "$files" | sort -k 2 >"$work/list"
no_errors "The mirror cannot be read."
same "$work/checksums" "$work/list" "Contents differ."
end "$files" "$bytes" same

# Writes the checksums and attributes of tree $1, a copy made by way of the mirror, to be compared.
compare_copy() {
    checksums "$1" | sort -k 2 >"$work/list"
    no_errors "The copy cannot be read."
    same "$work/checksums" "$work/list" "Contents of the copy differ."
    copied_attributes "$1" | sort >"$work/list"
    no_errors "The copy cannot be walked through."
    same "$work/copied_attributes" "$work/list" "Attributes of the copy differ."
    targets "$1" | sort >"$work/list"
    same "$work/targets" "$work/list" "Symbolic links of the copy differ."
}

begin "Copy out with tar, compare the copy"
try tar -C "$work/mirror" -cf - . | try tar -C "$work/copy" -xvpf - | progress "$inodes" >/dev/null
no_errors "tar failed."
compare_copy "$work/copy"
end "$files" "$bytes" same

begin "Copy in with rsync, compare below the mirror"
try rsync -aH --out-format=%n "$work/copy/" "$work/mirror/copy/" | progress "$inodes" >/dev/null
no_errors "rsync failed."
compare_copy "$work/tree/copy"
end "$files" "$bytes" same

begin "rsync --checksum again, which has nothing to send"
try rsync -aH --checksum --out-format=%n "$work/copy/" "$work/mirror/copy/" >"$work/list"
no_errors "rsync failed."
: >"$work/nothing"
same "$work/nothing" "$work/list" "It has sent something."
end "$files" "$bytes" same

# What is done on one side, seen from the other.
changes() {
    cd "$1/odd"
    mv program "renamed program" && mv empty "renamed directory"
    ln large "one more link"
    echo more >>private
    chmod 0400 nothing
    ln -s large "one more symlink"
    dd if=/dev/null of=large bs=1 seek=1000000 2>/dev/null # Cuts it off.
    rm sparse
    rmdir open
    mkdir -p new/directories
    echo new >new/directories/file
    touch -t 199912312359.58 new/directories
    exec 4>unlinked && rm unlinked && echo "written after it was removed" >&4 && exec 4>&-
    [ -z "$2" ] || setfattr -n user.demo -v "$2" "renamed program"
}
undo() {
    cd "$1/odd"
    mv "renamed program" program && mv "renamed directory" empty
    rm -rf "one more link" "one more symlink" new
}
# Where there are extended attributes, some are in the list.
[ -s "$work/extended_attributes" ] && value=changed || value=''

compare_sides() {
    attributes "$work/tree" | sort >"$work/below"
    attributes "$work/mirror" | sort >"$work/list"
    no_errors "It cannot be walked through."
    same "$work/below" "$work/list" "Attributes differ."
    extended_attributes "$work/tree/odd" >"$work/below"
    extended_attributes "$work/mirror/odd" >"$work/list"
    same "$work/below" "$work/list" "Extended attributes differ."
    checksums "$work/tree/odd" | sort -k 2 >"$work/below"
    checksums "$work/mirror/odd" | sort -k 2 >"$work/list"
    no_errors "It cannot be read."
    same "$work/below" "$work/list" "Contents differ."
}

begin "Change the mirror, look below"
(changes "$work/mirror" "$value") 2>>"$work/errors" || fail "It cannot be changed."
[ "$(stat -c %s "$work/tree/odd/one more link")" -eq 1000000 ] || fail "The file is not cut off below."
[ "$(cat "$work/tree/odd/new/directories/file")" = new ] || fail "The new file is not there below."
[ ! -e "$work/tree/odd/sparse" ] || fail "The removed file is still there below."
compare_sides
end '' '' same

begin "Change what is below, look into the mirror"
(undo "$work/tree") 2>>"$work/errors" || fail "It cannot be changed."
: >"$work/tree/odd/sparse" && mkdir "$work/tree/odd/open"
(changes "$work/tree" "$value") 2>>"$work/errors" || fail "It cannot be changed."
compare_sides
end '' '' same

begin "Remove the copy, look below"
rm -rf "$work/mirror/copy" 2>>"$work/errors" || fail "It cannot be removed."
[ ! -e "$work/tree/copy" ] || fail "Something is left of it."
end "$files" '' gone

begin "Unmount"
unmount 2>>"$work/errors" || fail "It cannot be unmounted."
wait_until not is_running || fail "passthroughfs does not end."
status=0
wait "$pid" || status=$?
pid=''
[ $status -eq 0 ] || fail "passthroughfs ended with exit status $status."
[ ! -s "$work/log" ] || fail "passthroughfs had something to say."
not is_mounted || fail "It is still mounted."
end '' '' ok

echo
echo "Nothing differed."
