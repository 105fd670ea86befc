#!/bin/sh
# Installs what building and testing need and is not there yet. Quiet and quick where nothing is missing.
#
#   scripts/setup.sh                              libfuse3, pkg-config, libclang, a C compiler, make
#   scripts/setup.sh --with rsync tar setfattr    and these commands
#
# It asks nothing. Where it cannot install (no package manager that it knows, no right to), it says what to install.
set -eu

# True if $1 is there: one of the needs below, else the name of a command.
have() {
    case $1 in
    libfuse3) pkg-config --exists 'fuse3 >= 3.10' 2>/dev/null ;;
    libclang) have_libclang ;;
    python) have_python ;;
    compiler) command -v cc >/dev/null || command -v gcc >/dev/null || command -v clang >/dev/null ;;
    *) command -v "$1" >/dev/null ;;
    esac
}

# libclang is of no use without the headers that come with it. (libclang-cpp is another library.)
have_libclang() {
    for dir in "${LIBCLANG_PATH:-/nonexistent}" /usr/lib*/llvm*/lib* /usr/lib* /usr/lib/*-linux-* /usr/local/lib*; do
        any "$dir"/libclang.so* "$dir"/libclang-[0-9]*.so* || continue
        any /usr/lib*/llvm*/lib*/clang/*/include/stddef.h /usr/lib*/clang/*/include/stddef.h \
            /usr/local/lib*/clang/*/include/stddef.h
        return
    done
    return 1
}

# A python3 that can make virtual environments, and build modules of C code in them.
have_python() {
    python3 -c 'import ensurepip, os, sysconfig, venv
assert os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h"))' 2>/dev/null
}

# True if one of the files exists; patterns without a match arrive as they are.
any() {
    for file; do
        [ ! -e "$file" ] || return 0
    done
    return 1
}

# The package of $2 for package manager $1.
package() {
    case $1:$2 in
    apt-get:libfuse3) echo libfuse3-dev ;;
    dnf:libfuse3 | zypper:libfuse3) echo fuse3-devel ;;
    apk:libfuse3) echo fuse3-dev ;;
    pacman:libfuse3 | *:fusermount3) echo fuse3 ;;

    apt-get:pkg-config) echo pkg-config ;;
    dnf:pkg-config | zypper:pkg-config) echo pkgconf-pkg-config ;;
    *:pkg-config) echo pkgconf ;;

    apt-get:libclang) echo libclang-dev ;;
    pacman:libclang) echo clang ;;
    apk:libclang) echo clang-dev ;;
    *:libclang) echo clang-devel ;;

    apt-get:compiler) echo gcc libc6-dev ;;
    apk:compiler) echo build-base ;;
    *:compiler) echo gcc ;;

    apt-get:python) echo python3-venv python3-dev ;;
    dnf:python | zypper:python) echo python3-devel ;;
    apk:python) echo python3-dev ;;

    apt-get:perf) echo linux-perf ;;
    *:objdump) echo binutils ;;

    *:getfattr | *:setfattr) echo attr ;;
    *:getfacl | *:setfacl) echo acl ;;
    *) echo "$2" ;;
    esac
}

# The packages of all the needs $2... for package manager $1.
packages() {
    manager=$1
    shift
    for need; do
        package "$manager" "$need"
    done | tr '\n' ' '
}

# Runs a command with the right to install.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif [ -t 0 ]; then
        sudo "$@"
    else
        sudo -n "$@"
    fi
}

apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@" </dev/null
}

# Installs packages $2... with package manager $1.
install() {
    manager=$1
    shift
    case $manager in
    # The package lists may be missing, as in a fresh container, or too old to find what they name.
    apt-get)
        { any /var/lib/apt/lists/*Packages* && apt_get install --yes --no-install-recommends "$@" 2>/dev/null; } ||
            { apt_get update && apt_get install --yes --no-install-recommends "$@"; }
        ;;
    dnf) as_root dnf install --quiet --assumeyes "$@" </dev/null ;;
    pacman) as_root pacman -Sy --needed --noconfirm "$@" </dev/null ;;
    zypper) as_root zypper --quiet --non-interactive install "$@" </dev/null ;;
    apk) as_root apk add --quiet "$@" </dev/null ;;
    esac
}

# The needs, of $1..., that are not there.
missing() {
    for need; do
        have "$need" || echo "$need"
    done
}

if [ "${1-}" = --with ]; then
    shift
elif [ $# -gt 0 ]; then
    echo "usage: $0 [--with COMMAND...]" >&2
    exit 2
fi
set -- pkg-config libfuse3 fusermount3 libclang compiler make "$@"

command -v cargo >/dev/null || {
    echo "Rust is needed, the version is in README.md: cargo is not in PATH (https://rustup.rs)." >&2
    exit 1
}
[ -e /dev/fuse ] || echo "note: there is no /dev/fuse, so nothing can be mounted here (modprobe fuse; docker --device /dev/fuse)" >&2

needs=$(missing "$@")
[ -n "$needs" ] || exit 0

# Word splitting is wanted: one word for each need, one for each package.
# shellcheck disable=SC2086
for manager in apt-get dnf pacman zypper apk; do
    if command -v "$manager" >/dev/null; then
        wanted=$(packages "$manager" $needs)
        echo "Installing with $manager: $wanted"
        install "$manager" $wanted || true
        needs=$(missing "$@")
        [ -n "$needs" ] || exit 0
        echo "Still missing:" $needs >&2
        echo "Please install, as root: $wanted" >&2
        exit 1
    fi
done

echo "Missing: $(echo "$needs" | tr "\n" " ")" >&2
echo "No package manager that this script knows is here. Elsewhere these are the packages:" >&2
# shellcheck disable=SC2086
for manager in apt-get dnf pacman zypper apk; do
    echo "  $manager: $(packages "$manager" $needs)" >&2
done
exit 1
