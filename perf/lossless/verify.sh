#!/usr/bin/env bash
# Decodes every line twice, drafted and plain greedy alone, and compares tokens and the bits of their scores:
# int8 and float32, 1 and 2 threads, policies edit, tree and sad.
# usage: perf/lossless/verify.sh FILE... (text, one sentence a line)
# Exits 3 at the first difference, as `stet correct --verify` does.
set -euo pipefail
if [ $# -lt 1 ] || [ "$1" = --help ]; then
    sed -n '2,5s/^# //p' "$0"
    exit 1
fi
root=$(cd "$(dirname "$0")/../.." && pwd)
for compute in int8 float32; do
    for threads in 1 2; do
        for draft in edit tree sad; do
            echo "== compute_type $compute, intra_threads $threads, draft $draft"
            "$root/build/stet" correct --verify --scores --stats --compute_type "$compute" --intra_threads "$threads" \
                --draft "$draft" "$@" > /dev/null
        done
    done
done
echo "0 differences"
