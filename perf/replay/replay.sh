#!/usr/bin/env bash
# Decoder passes of the draft policies on given answers, without a model and without a draft window: real slips with
# their corrections (tests/replay/data), made mistakes (0 to 3 a sentence) in the same corrections and, where a folder
# is given, JFLEG dev against its references and against the systems' answers in its folder outputs/. Then made mistakes
# with the seeds 11 to 20, which no rule was tuned on.
# usage: perf/replay/replay.sh [JFLEG_DEV_FOLDER]
# Builds stet where that is needed and writes the table to perf/results/replay.md. The figures are exact: they do not
# depend on the machine.
set -euo pipefail
case ${1:-} in --help | -h) sed -n '2,8s/^# //p' "$0"; exit 0 ;; esac
root=$(cd "$(dirname "$0")/../.." && pwd)
jfleg=${1:+$(cd "$1" && pwd)}
cd "$root"
[ -f build/build.ninja ] || cmake --preset cpu-release >/dev/null
cmake --build --preset cpu-release --target stet_cli >/dev/null
data=tests/replay/data
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

replay() { # NAME SOURCE ANSWERS [TABLE]
    echo "$1" >>"$work/${4:-main}.names"
    build/stet replay --json --draft all --draft_window 0 --batch_size 32 --model models/stet-edge-en "$2" "$3" \
        >>"$work/${4:-main}.reports"
}

replay_made() { # NAME SEED EDITS [TABLE]
    python3 "$data/make_edits.py" --edits "$3" --seed "$2" <"$data/ewt.answers.txt" >"$work/made.txt"
    replay "$1" "$work/made.txt" "$data/ewt.answers.txt" "${4:-main}"
}

replay "EWT, writers' slips" "$data/ewt.source.txt" "$data/ewt.answers.txt"
for edits in 0 1 2 3; do
    replay_made "EWT, made mistakes: $edits" 1 "$edits"
done
if [ -n "$jfleg" ]; then
    for answers in "$jfleg"/ref?.txt "$jfleg"/outputs/*.txt; do
        [ -f "$answers" ] && replay "JFLEG dev, $(basename "$answers" .txt)" "$jfleg/src.txt" "$answers"
    done
fi
for seed in $(seq 11 20); do
    for edits in 1 2 3; do
        replay_made "$seed $edits" "$seed" "$edits" held_out
    done
done
mkdir -p perf/results
python3 perf/replay/replay_table.py "$work/main" "$work/held_out" "${jfleg:+JFLEG_DEV_FOLDER}" >perf/results/replay.md
cat perf/results/replay.md
