#!/usr/bin/env bash
# Time and memory of the default model, one sentence at a time: batch size 1, two threads, int8, 24 sentences of about
# 25 words with one to three mistakes each, decoded greedily and aggressively in turn.
# usage: perf/latency/sentence.sh [RUNS] [stet options]     (RUNS: default 5)
# Prints the median over the runs of the mean milliseconds a sentence, and peak resident memory.
set -euo pipefail
case ${1:-} in --help) sed -n '2,5s/^# //p' "$0"; exit 0 ;; esac
runs=${1:-5}
shift || true
root=$(cd "$(dirname "$0")/../.." && pwd)
text=$root/perf/latency/sentences.txt

# One field of --stats=json.
field() { python3 -c 'import json, sys; print(json.loads(sys.argv[1])[sys.argv[2]])' "$1" "$2"; }

measure() { # decoding mode -> "ms memory passes" of one run
    local stats
    stats=$("$root/build/stet" correct --decoding "$1" --batch_size 1 --intra_threads 2 --stats=json "${@:2}" "$text" \
        2>&1 >/dev/null | tail -1)
    echo "$(field "$stats" ms_per_sentence) $(field "$stats" peak_resident_bytes) $(field "$stats" passes_per_sentence)"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for ((i = 0; i < runs; i++)); do
    for mode in aggressive greedy; do
        measure "$mode" "$@" >> "$work/$mode"
    done
done
echo "machine: $(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2- | sed 's/^ *//'), $(nproc) processors"
echo "commit: $(git -C "$root" rev-parse --short HEAD 2>/dev/null || echo unknown), runs: $runs"
for mode in aggressive greedy; do
    python3 - "$mode" "$work/$mode" <<'PY'
import statistics
import sys

rows = [[float(x) for x in line.split()] for line in open(sys.argv[2])]
ms, memory, passes = (statistics.median(column) for column in zip(*rows))
print(f"{sys.argv[1]:10} {ms:7.2f} ms a sentence, {passes:5.2f} passes a sentence, "
      f"peak resident {memory / 1e6:.1f} MB")
PY
done
