#!/usr/bin/env bash
# What of perf/gpu can be tested without a GPU: the arguments of run.sh, the table of a recorded sample, and a dry run
# of the sections that need no PyTorch. STET_TEST_UPDATE=1 writes the sample's table anew.
# usage: perf/gpu/gpu_dry_run_test.sh BUILD
set -euo pipefail
build=${1:?"usage: gpu_dry_run_test.sh BUILD"}
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
bad() { echo "gpu_dry_run_test: $*" >&2; exit 1; }
table() { "$python" "$here/gpu_table.py" "$1" >"$out/table.md"; }
says() { grep -q "$1" "$out/table.md"; }

echo '- arguments'
for script in run bundle gpu_dry_run_test; do
    bash -n "$here/$script.sh"
done
for wrong in '' '--nothing x' '--sections checks,nothing x' '--seconds soon x' '--seconds' 'one two'; do
    code=0
    # shellcheck disable=SC2086
    (cd "$out" && "$here/run.sh" $wrong) >"$out/said" 2>&1 || code=$?
    [ "$code" -eq 2 ] || bad "run.sh $wrong ended with $code, not 2: $(cat "$out/said")"
done
"$here/run.sh" --help | grep -q 'usage: perf/gpu/run.sh' || bad 'run.sh --help shows no usage'

echo '- the table of a sample'
table "$here/gpu_sample.jsonl"
[ -z "${STET_TEST_UPDATE-}" ] || cp "$out/table.md" "$here/gpu_sample.md"
diff "$here/gpu_sample.md" "$out/table.md" || bad 'the table of gpu_sample.jsonl is not gpu_sample.md'
sed 's/, "dry_run": true//; s/"dry_run": true, //' "$here/gpu_sample.jsonl" >"$out/real.jsonl"
table "$out/real.jsonl"
says '^# A run on a GPU$' || bad 'a run without the mark has the title of a dry run'
for wrong in 's/"status": "pass"/"status": "fail"/' 's/"equal_to_greedy": true/"equal_to_greedy": false/' \
    's/"differing_tokens": 0/"differing_tokens": 1/' '/"record": "check"/d'; do
    sed "$wrong" "$out/real.jsonl" >"$out/wrong.jsonl"
    table "$out/wrong.jsonl"
    says 'Not shown: no time below counts' || bad "the table does not tell: $wrong"
done
# One line of a dry run is enough.
{ cat "$out/real.jsonl"; sed -n 2p "$here/gpu_sample.jsonl"; } >"$out/mixed.jsonl"
table "$out/mixed.jsonl"
says '^# DRY RUN' || bad 'a file that is partly of a dry run is shown as one of a GPU'

echo '- a dry run'
"$here/run.sh" --dry-run --seconds 100 --programs "$build" --sections ceilings,checks,stet,profile "$out/dry" \
    >"$out/dry.log" 2>&1 || { tail -40 "$out/dry.log"; bad 'it failed'; }
unmarked=$(grep -cv '"dry_run": true' "$out/dry/results.jsonl" || true)
[ "$unmarked" -eq 0 ] || bad "$unmarked lines are not marked as of a dry run"
for record in machine check ledger ready latency throughput outputs section; do
    grep -q "\"record\": \"$record\"" "$out/dry/results.jsonl" || bad "there is no record of the kind $record"
done
head -1 "$out/dry/results.md" | grep -q 'DRY RUN' || bad 'the title does not say that it is a dry run'
# Times have digits behind the point, and stand in brackets.
! grep '^|' "$out/dry/results.md" | grep -qE '\| [0-9]+\.[0-9]+ \|' || bad 'there is a figure without brackets'
! grep -q '"device": "cuda"' "$out/dry/results.jsonl" || bad 'a dry run used a device'
echo 'all as expected'
