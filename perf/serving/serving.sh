#!/usr/bin/env bash
# Serving figures of the default model on two threads, all in one run, the ways of working interleaved:
#  1. one sentence at a time, lock-step batches and continuous batching, with 1, 8, 32 and 128 requests in flight;
#  2. whether all give the same text and score bits;
#  3. decoder passes of continuous batching and of lock step, and what `stet replay` predicts from the answers;
#  4. open-loop Poisson load at 50 to 200 % of capacity with a latency target.
# usage: perf/serving/serving.sh [ROUNDS] [SECONDS]     (5 rounds, 10 seconds for each load)
# Builds stet where that is needed and writes perf/results/serving.md.
set -euo pipefail
case ${1:-} in --help | -h) sed -n '2,9s/^# //p' "$0"; exit 0 ;; esac
rounds=${1:-5}
seconds=${2:-10}
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
[ -f build/build.ninja ] || cmake --preset cpu-release >/dev/null
cmake --build --preset cpu-release --target bench_serving bench_load stet_cli >/dev/null
model=models/stet-edge-en
text=tests/replay/data/ewt.source.txt
target_ms=250
batch=32
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

bench() { build/perf/bench_serving "$model" "$text" "$@"; }

for ((round = 0; round < rounds; round++)); do
    bench 1 auto single >>"$work/closed"
    for n in 1 8 32 128; do
        bench "$n" auto lock_step >>"$work/closed"
        bench "$n" auto continuous >>"$work/closed"
    done
done
for n in 1 8 32 128; do
    bench "$n" auto check >>"$work/checks"
done
# A fixed window, and no output that is cut (its text comes back as it was), so that passes can be predicted.
bench 32 4 ended >"$work/ended"
all=$text
text=$work/ended
for n in 8 32 128; do
    bench "$n" 4 lock_step >>"$work/fixed"
    bench "$n" 4 continuous >>"$work/fixed"
    bench "$n" 4 answers >"$work/answers"
    build/stet replay --json --draft edit --draft_window 4 --batch_size "$n" --model "$model" "$text" "$work/answers" \
        >>"$work/replays"
done
text=$all
for ((round = 0; round < rounds; round++)); do
    build/perf/bench_load "$model" "$text" "$batch" "$target_ms" 0 "$seconds" 50 80 100 120 150 200 >>"$work/loads"
done
mkdir -p perf/results
python3 perf/serving/serving_table.py "$work" "$rounds" "$seconds" "$target_ms" "$batch" >perf/results/serving.md
cat perf/results/serving.md
