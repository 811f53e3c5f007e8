#!/usr/bin/env bash
# golden_report.sh STET: replays the sentences of data/ and made mistakes in them, with the default model's tokenizer,
# and compares the report with golden_report.out: a change of a policy cannot change its figures unnoticed.
# With STET_TEST_UPDATE=1 the report becomes golden_report.out; say in the commit why the figures moved.
set -euo pipefail
stet=$1
here=$(cd "$(dirname "$0")" && pwd)
model=$here/../../models/stet-edge-en
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ ! -f "$model/spiece.model" ]; then
    echo "the default model is not there" >&2
    exit 77
fi
cd "$here/data"
"$stet" replay --json --model "$model" ewt.source.txt ewt.answers.txt >"$work/report"
for edits in 0 1 2 3; do
    "${PYTHON:-python3}" make_edits.py --edits "$edits" <ewt.answers.txt |
        "$stet" replay --json --model "$model" - ewt.answers.txt >>"$work/report"
done
if [ "${STET_TEST_UPDATE:-0}" = 1 ]; then
    cp "$work/report" "$here/golden_report.out"
fi
diff "$here/golden_report.out" "$work/report"
