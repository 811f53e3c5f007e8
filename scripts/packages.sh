#!/usr/bin/env bash
# The one list of Debian packages that building and testing need; installs those that are missing.
#
#   scripts/packages.sh          to build stet
#   scripts/packages.sh test     to run scripts/test.sh as well
#
# Does nothing, and needs no network, when everything is there already.
#
# The tests of tests/clients use the compilers and interpreters of other languages. Any that is there will do, however
# it came here; one that is missing and cannot be installed makes a loud message, and its test says that it is skipped.
set -euo pipefail

build_packages=(gcc libc6-dev cmake ninja-build pkg-config libjansson-dev)
test_packages=(g++ clang clang-format libclang-rt-14-dev libgtest-dev python3 valgrind libc6-dbg
    binutils patch)
# What a test looks for, and the package that has it.
client_packages=(go:golang-go rustc:rustc node:nodejs /usr/include/node/node_api.h:libnode-dev)

usage="usage: scripts/packages.sh [test]"
case "${1-}" in
    "") wanted=("${build_packages[@]}") ;;
    test) wanted=("${build_packages[@]}" "${test_packages[@]}") ;;
    -h | --help) echo "$usage" && exit 0 ;;
    *) echo "$usage" >&2 && exit 1 ;;
esac

missing=()
for package in "${wanted[@]}"; do
    status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing+=("$package")
done

# A file or a command.
is_there() {
    case "$1" in
        /*) [ -e "$1" ] ;;
        *) command -v "$1" >/dev/null ;;
    esac
}

is_updated=0
apt_options=(-qq -y --no-install-recommends)
# apt_install PACKAGE...: fails where that is not possible.
apt_install() {
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null; then
            echo "packages.sh: missing: $*; install them as root (there is no sudo here)" >&2
            return 1
        fi
        as_root=(sudo)
    fi
    echo "installing: $*" >&2
    if [ "$is_updated" = 0 ]; then
        "${as_root[@]}" apt-get -qq update >&2 || return 1
        is_updated=1
    fi
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install "${apt_options[@]}" "$@" >&2
}

if [ "${#missing[@]}" -gt 0 ]; then
    apt_install "${missing[@]}"
fi
[ "${1-}" = test ] || exit 0
# What somebody installed in another form stays: nothing is removed for the sake of these.
apt_options+=(--no-remove)
for pair in "${client_packages[@]}"; do
    # One by one: another origin's nodejs brings the headers that Debian has in a package of their own.
    if ! is_there "${pair%%:*}" && ! apt_install "${pair##*:}"; then
        echo "packages.sh: WARNING: ${pair##*:} cannot be installed; a test of tests/clients will be SKIPPED" >&2
    fi
done
