#!/bin/bash
# Compares passthrough_hp with the file system underneath: sequential reads and writes of one file by dd. docs/performance.md
# tells how to read what it prints. Run it as root, on a quiet machine, or with `chrt -f 20` in front.
#
#   scripts/bench-passthrough.sh              9 rounds
#   scripts/bench-passthrough.sh 3            some other number
#   DIRECTORY=/mnt/disk PROGRAM=./passthrough_hp scripts/bench-passthrough.sh
#
# DIRECTORY is where the file is, /dev/shm unless given; PROGRAM an example that has been built. Each round has all ways one
# after the other, beginning with another one each time; what is printed are medians.
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C

rounds=${1:-9}
# The file is in memory three times as large as this.
MEGABYTES=512

program=${PROGRAM-}
if [ -z "$program" ]; then
    cargo build --quiet --release --example passthrough_hp
    program=${CARGO_TARGET_DIR:-target}/release/examples/passthrough_hp
fi

WAYS=(underneath passthrough splice memory)
# Without caches, for each read to be one: what is asked for again would come out of the kernel's cache.
declare -A OPTIONS=(
    [passthrough]="--nocache"
    [splice]="--nocache --nopassthrough"
    [memory]="--nocache --nopassthrough --nosplice"
)

work=$(mktemp -d)
source=$(mktemp -d "${DIRECTORY:-/dev/shm}/passthrough.XXXXXX")
clean_up() {
    for way in "${WAYS[@]}"; do
        umount -l "$work/$way" 2>/dev/null || true
    done
    rm -rf "$source"
    rm -rf --one-file-system "$work"
}
trap clean_up EXIT

dd if=/dev/zero of="$source/file" bs=1M count=$MEGABYTES status=none
for way in "${WAYS[@]:1}"; do
    mkdir "$work/$way"
    # shellcheck disable=SC2086
    "$program" ${OPTIONS[$way]} "$source" "$work/$way"
done

# The path of the file in way $1.
path() {
    case $1 in
    underneath) echo "$source/file" ;;
    *) echo "$work/$1/file" ;;
    esac
}

# Whether the kernel reads the source by itself, about which the program says something if it does not.
by_itself() {
    umount "$work/passthrough"
    "$program" --debug "$source" "$work/passthrough" 2>"$work/log" &
    until mountpoint -q "$work/passthrough"; do sleep 0.1; done
    head -c 1 "$work/passthrough/file" >/dev/null
    umount "$work/passthrough"
    wait
    ! grep -q "without passthrough" "$work/log"
}

# Seconds that dd needs for test $1 in way $2.
seconds() {
    local file arguments
    file=$(path "$2")
    case $1 in
    read-128k) arguments="if=$file of=/dev/null bs=128K" ;;
    read-1m) arguments="if=$file of=/dev/null bs=1M" ;;
    write-128k) arguments="if=/dev/zero of=$file bs=128K count=$((MEGABYTES * 8)) conv=notrunc" ;;
    write-1m) arguments="if=/dev/zero of=$file bs=1M count=$MEGABYTES conv=notrunc" ;;
    esac
    # shellcheck disable=SC2086
    dd $arguments 2>&1 | awk '/copied/ { for (i = 2; i <= NF; i++) if ($i == "s,") print $(i - 1) }'
}

median() { sort -g | awk '{ value[NR] = $1 } END { print value[int((NR + 1) / 2)] }'; }

for ((round = 0; round < rounds; round++)); do
    for test in read-128k read-1m write-128k write-1m; do
        for ((i = 0; i < ${#WAYS[@]}; i++)); do
            way=${WAYS[(i + round) % ${#WAYS[@]}]}
            seconds "$test" "$way" >>"$work/$test-$way"
        done
    done
done

echo "libfuse $(pkg-config --modversion fuse3), Linux $(uname -r), $(stat -f -c %T "$source"), $rounds rounds of $MEGABYTES MiB"
echo "MiB a second, and in brackets the ratio to the file system underneath in the same round:"
printf '%-12s' ""
printf '%22s' "${WAYS[@]}"
echo
for test in read-128k read-1m write-128k write-1m; do
    printf '%-12s' "$test"
    for way in "${WAYS[@]}"; do
        speed=$(median <"$work/$test-$way" | awk -v size=$MEGABYTES '{ printf "%.0f", size / $1 }')
        ratio=$(paste "$work/$test-underneath" "$work/$test-$way" | awk '{ print $1 / $2 }' | median)
        printf '%22s' "$(printf '%s (%.2f)' "$speed" "$ratio")"
    done
    echo
done
by_itself || echo "passthrough: the kernel does not read the source by itself here; it was spliced."
