#!/usr/bin/env bash
# Formats all C and C++ files with clang-format 14 and .clang-format; other versions format differently.
#
#   scripts/format.sh            rewrite the files
#   scripts/format.sh --check    change nothing; fail and name the files that would change
set -euo pipefail
cd "$(dirname "$0")/.."

check=0
case "${1-}" in
    "") ;;
    --check) check=1 ;;
    *) echo "usage: scripts/format.sh [--check]" >&2 && exit 1 ;;
esac

tool=clang-format-14
command -v "$tool" >/dev/null || tool=clang-format
if ! "$tool" --version 2>/dev/null | grep -q ' 14\.'; then
    echo "format.sh: needs clang-format 14 (Debian 12: scripts/packages.sh test)" >&2
    exit 1
fi

list_files() {
    find $(ls -d host tokenizer models cuda tests perf 2>/dev/null) \( -name fixtures -o -name corpus \) -prune -o \
        -type f \( -name '*.[ch]' -o -name '*.cc' -o -name '*.cu' -o -name '*.cuh' \) -print0
}

if [ "$check" = 0 ]; then
    list_files | xargs -0 "$tool" -i
    exit 0
fi
complaints=$(list_files | xargs -0 "$tool" --dry-run -Werror 2>&1 || true)
if [ -n "$complaints" ]; then
    grep -oE '^[^ :]+:[0-9]+' <<<"$complaints" | sort -u -t: -k1,1 || echo "$complaints"
    echo "format.sh: these files are not formatted; run scripts/format.sh" >&2
    exit 1
fi
echo "format: ok"
