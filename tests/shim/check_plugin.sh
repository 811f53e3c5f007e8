#!/usr/bin/env bash
# usage: check_plugin.sh LIBRARY
# The plug-in exports its entry point and nothing else, and needs neither a C++ runtime nor the driver to be loaded.
set -euo pipefail
exports=$(nm -D --defined-only "$1" | awk '{ print $3 }')
needed=$(readelf -d "$1" | grep NEEDED)
if [ "$exports" != steti_backend_plugin ]; then
    printf 'exports, expected only steti_backend_plugin:\n%s\n' "$exports"
    exit 1
fi
if grep -qE 'stdc\+\+|gcc_s|libcuda\.so' <<<"$needed"; then
    printf 'needs more than the C library and the CUDA runtime:\n%s\n' "$needed"
    exit 1
fi
