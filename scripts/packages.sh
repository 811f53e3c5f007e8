#!/usr/bin/env bash
# The one list of Debian packages that building and testing need; installs those that are missing.
#
#   scripts/packages.sh          to build stet
#   scripts/packages.sh test     to run scripts/test.sh as well
#
# Does nothing, and needs no network, when everything is there already.
set -euo pipefail

build_packages=(gcc libc6-dev cmake ninja-build pkg-config libjansson-dev)
test_packages=(g++ clang clang-format libclang-rt-14-dev libgtest-dev python3 valgrind libc6-dbg
    ccache binutils patch)

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
[ "${#missing[@]}" -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "packages.sh: missing: ${missing[*]}; install them as root (there is no sudo here)" >&2
        exit 1
    fi
    as_root=(sudo)
fi
echo "installing: ${missing[*]}" >&2
"${as_root[@]}" apt-get -qq update >&2
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get -qq install -y --no-install-recommends "${missing[@]}" >&2
