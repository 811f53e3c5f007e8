#!/usr/bin/env bash
# GLEU of the corrected text on a JFLEG-style folder: src.txt and ref0.txt .. ref3.txt, one sentence a line.
# usage: perf/quality/gleu.sh JFLEG_FOLDER [stet options, such as --model FOLDER or --compute_type float32]
# Prints the score of the uncorrected source, of stet's output, and the share of changed lines.
set -euo pipefail
if [ $# -lt 1 ] || [ "$1" = --help ]; then
    sed -n '2,4s/^# //p' "$0"
    exit 1
fi
data=$1
shift
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$root/build/stet" correct "$@" "$data/src.txt" > "$work/out.txt"
python3 "$root/scripts/train/evaluate_gleu.py" --source "$data/src.txt" --references "$data"/ref?.txt \
    --hypothesis "$data/src.txt" "$work/out.txt"
paste -d '\t' "$data/src.txt" "$work/out.txt" |
    awk -F '\t' '$1 != $2 { changed++ } END { printf "changed lines: %d of %d\n", changed, NR }'
