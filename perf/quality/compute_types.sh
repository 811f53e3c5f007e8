#!/usr/bin/env bash
# The default model in float32 and in int8: size of the folders, and GLEU on a JFLEG-style folder.
# usage: perf/quality/compute_types.sh JFLEG_FOLDER
# Both folders are made by `stet quantize` from models/stet-edge-en-float16, what training left in half the bytes; the
# int8 one must be the default model, byte for byte.
set -euo pipefail
if [ $# -ne 1 ] || [ "$1" = --help ]; then
    sed -n '2,5s/^# //p' "$0"
    exit 1
fi
data=$1
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for type in float32 int8; do
    "$root/build/stet" quantize "$root/models/stet-edge-en-float16" "$work/$type" --compute_type "$type" >/dev/null
done
cmp "$work/int8/model.safetensors" "$root/models/stet-edge-en/model.safetensors"
for type in float32 int8; do
    printf '%s: %d bytes in the folder\n' "$type" "$(cat "$work/$type"/* | wc -c)"
    "$root/perf/quality/gleu.sh" "$data" --model "$work/$type" | tail -n 2
done
