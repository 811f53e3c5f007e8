#!/usr/bin/env bash
# Decoder passes of the draft policies on given answers, without a model and without a draft window: real slips with
# their corrections (tests/replay/data), made mistakes (0 to 3 a sentence) in the same corrections and, where a folder
# is given, JFLEG dev against its references and against the systems' answers in its folder outputs/.
# usage: perf/replay/replay.sh [JFLEG_DEV_FOLDER]
# Builds stet where that is needed and writes the table to perf/results/replay.md. The figures are exact: they do not
# depend on the machine.
set -euo pipefail
case ${1:-} in --help | -h) sed -n '2,7s/^# //p' "$0"; exit 0 ;; esac
root=$(cd "$(dirname "$0")/../.." && pwd)
jfleg=${1:+$(cd "$1" && pwd)}
cd "$root"
[ -f build/build.ninja ] || cmake --preset cpu-release >/dev/null
cmake --build --preset cpu-release --target stet_cli >/dev/null
data=tests/replay/data
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

replay() { # NAME SOURCE ANSWERS
    echo "$1" >>"$work/names"
    build/stet replay --json --draft all --draft_window 0 --batch_size 32 --model models/stet-edge-en "$2" "$3" \
        >>"$work/reports"
}

replay "EWT, writers' slips" "$data/ewt.source.txt" "$data/ewt.answers.txt"
for edits in 0 1 2 3; do
    python3 "$data/make_edits.py" --edits "$edits" --seed 1 <"$data/ewt.answers.txt" >"$work/made.txt"
    replay "EWT, made mistakes: $edits" "$work/made.txt" "$data/ewt.answers.txt"
done
if [ -n "$jfleg" ]; then
    for answers in "$jfleg"/ref?.txt "$jfleg"/outputs/*.txt; do
        [ -f "$answers" ] && replay "JFLEG dev, $(basename "$answers" .txt)" "$jfleg/src.txt" "$answers"
    done
fi
mkdir -p perf/results
python3 perf/replay/replay_table.py "$work/names" "$work/reports" "${jfleg:+JFLEG_DEV_FOLDER}" >perf/results/replay.md
cat perf/results/replay.md
