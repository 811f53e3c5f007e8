#!/usr/bin/env bash
# Compares stet with CTranslate2, ONNX Runtime and Hugging Face transformers: the same weights, text and cores, all in
# one run, in turn. Models are made (make_copy_model.py), not downloaded; the other systems come from PyPI.
# usage: perf/peers/peers.sh OUTDIR [ROUNDS]     (3 rounds: about 10 minutes on two cores, once everything is built)
# Keeps in OUTDIR: venv/ (6 GB; PEERS_VENV=FOLDER takes another), the models, all measurements (peers.jsonl). Writes
# perf/results/peers.md, latency.svg, passes.svg and perf/cost.md. Ends with 1 when greedy and aggressive decoding
# differ.
set -euo pipefail
case ${1:-} in --help | -h | "") sed -n '2,7s/^# //p' "$0"; exit 0 ;; esac
root=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
rounds=${2:-3}
cd "$root"
[ -f build/build.ninja ] || cmake --preset cpu-release >/dev/null
cmake --build --preset cpu-release --target bench_stet bench_memory bench_peak stet_cli >/dev/null
venv=${PEERS_VENV:-$out/venv}
if [ ! -x "$venv/bin/python" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet -r perf/peers/requirements.txt
fi
export HF_HUB_OFFLINE=1 PATH="$venv/bin:$PATH"

prepare() { # SHAPE SENTENCES
    [ -f "$out/$1/made" ] && return
    rm -rf "${out:?}/$1"
    python perf/peers/make_copy_model.py --shape "$1" --sentences "$2" "$out/$1"
    python perf/peers/convert_peers.py "$out/$1" >"$out/$1.convert.log" 2>&1 \
        || { tail -5 "$out/$1.convert.log" >&2; return 1; }
    build/stet quantize "$out/$1/model" "$out/$1/stet-int8" >/dev/null
    touch "$out/$1/made"
}

prepare edge 256
prepare base 128
status=0
python perf/peers/peers_run.py --rounds "$rounds" --command "perf/peers/peers.sh OUTDIR $rounds" "$out" || status=$?
python perf/peers/peers_table.py "$out/peers.jsonl" >perf/results/peers.md
python perf/peers/peers_plots.py "$out/peers.jsonl" perf/results
python perf/cost.py "$out/peers.jsonl"
cat perf/results/peers.md
exit "$status"
