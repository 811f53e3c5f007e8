#!/usr/bin/env bash
# Measures stet and transformers on one NVIDIA GPU in at most ten minutes, correctness first: see README.md here.
# usage: perf/gpu/run.sh [--dry-run] [--seconds N] [--programs DIR] [--sections LIST] [--work DIR] OUTDIR
#   --dry-run        the same on a machine without a GPU: tiny shapes, on the processor; no figure is of a GPU
#   --seconds N      all of it takes no longer (575; dry: 240)
#   --programs DIR   a build folder, or what perf/gpu/bundle.sh made, in place of building
#   --sections LIST  some of build,ceilings,checks,stet,peers,profile with commas between them (all)
#   --work DIR       where models are made and stay (a temporary folder, which is removed)
# PYTHON names the interpreter that has PyTorch and transformers (python3).
# Writes OUTDIR/results.jsonl, OUTDIR/results.md and OUTDIR/log.txt. Ends with 1 when a check failed or a section broke.
set -euo pipefail

usage() { sed -n '2,10s/^# //p' "$0"; }
dry=() seconds=0 programs='' sections=build,ceilings,checks,stet,peers,profile work='' out=''
while [ $# -gt 0 ]; do
    case "$1" in
        --help | -h) usage; exit 0 ;;
        --dry-run) dry=(--dry_run); shift ;;
        --seconds | --programs | --sections | --work)
            [ $# -ge 2 ] || { echo "run.sh: $1 needs a value" >&2; exit 2; }
            declare "${1#--}=$2"; shift 2 ;;
        -*) echo "run.sh: there is no option $1" >&2; usage >&2; exit 2 ;;
        *) [ -z "$out" ] || { echo "run.sh: one OUTDIR" >&2; exit 2; }; out=$1; shift ;;
    esac
done
[ -n "$out" ] || { usage >&2; exit 2; }
known=,build,ceilings,checks,stet,peers,profile,
for name in ${sections//,/ }; do
    case $known in *",$name,"*) ;; *) echo "run.sh: there is no section $name" >&2; exit 2 ;; esac
done
case $seconds in *[!0-9]*) echo "run.sh: --seconds $seconds is no number" >&2; exit 2 ;; esac
[ "$seconds" -gt 0 ] || seconds=$([ ${#dry[@]} -gt 0 ] && echo 240 || echo 575)

root=$(cd "$(dirname "$0")/../.." && pwd)
here=$root/perf/gpu
python=${PYTHON:-python3}
mkdir -p "$out"
out=$(cd "$out" && pwd)
if [ -n "$work" ]; then
    mkdir -p "$work"
    work=$(cd "$work" && pwd)
else
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
fi
if [ -n "$programs" ]; then
    programs=$(cd "$programs" && pwd)
    sections=${sections//build/}
else
    programs=$root/build-gpu
fi
results=$out/results.jsonl
: >"$results"
exec > >(tee "$out/log.txt") 2>&1
cd "$root"

# Libraries: those of a bundle, of the toolkit, and of the CUDA packages that PyTorch brings along.
libraries=$programs:$programs/lib:/usr/local/cuda/lib64
for folder in $("$python" -c 'import glob, site
for s in site.getsitepackages():
    print(*glob.glob(s + "/nvidia/*/lib"))' 2>/dev/null || true); do
    libraries+=:$folder
done
export LIBRARIES_BEFORE=${LD_LIBRARY_PATH-} # PyTorch finds its own, of which there may be other versions
export LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} STET_PLUGIN_PATH=$programs/libstet_cuda.so
export PATH=$PATH:/usr/local/cuda/bin HF_HUB_OFFLINE=1 PYTHONUNBUFFERED=1 TOKENIZERS_PARALLELISM=false

left() { echo $((seconds - SECONDS)); }
status=0

# NAME MOST LATER COMMAND...: a section of at most MOST seconds, or more where the LATER seconds of those behind it are
# not touched. It is told to begin nothing new after its time, and is ended ten seconds later.
section() {
    local name=$1 most=$2 later=$3 spare code=0 started=$SECONDS
    shift 3
    case ",$sections," in *",$name,"*) ;; *) return 0 ;; esac
    spare=$(($(left) - later * seconds / 575))
    [ "$spare" -gt "$most" ] && most=$spare
    [ "$most" -gt "$(left)" ] && most=$(left)
    if [ "$most" -lt 3 ]; then
        record "$name" 124 0
        return 0
    fi
    echo "== $name, at most $most s"
    timeout -k 5 $((most + 10)) "${@//SECONDS_LEFT/$most}" || code=$?
    [ "$code" -eq 0 ] || status=1
    record "$name" "$code" $((SECONDS - started))
}

record() { # NAME CODE SECONDS
    local mark=''
    [ ${#dry[@]} -eq 0 ] || mark=', "dry_run": true'
    echo "{\"record\": \"section\", \"section\": \"$1\", \"exit_code\": $2, \"seconds\": $3$mark}" >>"$results"
}

# One after the other on a small machine, all at once on a large one.
make_models() {
    local shapes=(base bart edgeformer big t5) sentences=2048 jobs shape
    [ ${#dry[@]} -eq 0 ] || { shapes=(tiny); sentences=16; }
    jobs=$(($(nproc) / 3 > 0 ? $(nproc) / 3 : 1))
    printf '%s\n' "${shapes[@]}" | xargs -P "$jobs" -I{} bash -c '
        [ ! -e "$1/$2/made" ] || exit 0
        rm -rf "$1/$2" "$1/$2.failed"
        if OMP_NUM_THREADS=1 nice "$3" perf/peers/make_copy_model.py --shape "$2" --sentences "$4" --sweep 0 1 2 \
            --sweep_sentences 64 "$1/$2" >"$1/$2.log" 2>&1; then touch "$1/$2/made"
        else tail -3 "$1/$2.log" >"$1/$2.failed"; fi' _ "$work" {} "$python" "$sentences" || true
}

build() {
    cmake -S "$root" -B "$programs" -G Ninja -DCMAKE_BUILD_TYPE=Release -DSTET_CUDA=$1 >/dev/null
    cmake --build "$programs" -j "$(nproc)" --target bench_stet stet_cli exact_shim_test cpu_backend_test \
        row_invariance_test op_{argmax,attention,copy,embed,linear,norm}_test "${@:2}"
}

ceilings() {
    if [ ! -x "$programs/perf/gpu_ceilings" ] || [ ${#dry[@]} -gt 0 ]; then
        local why='a dry run has no device' mark=', "dry_run": true'
        [ ${#dry[@]} -gt 0 ] || { why='gpu_ceilings was not built'; mark=''; }
        echo "{\"record\": \"skipped\", \"section\": \"ceilings\", \"what\": \"gpu_ceilings\", \
\"reason\": \"$why\"$mark}" >>"$results"
        return 0
    fi
    "$programs/perf/gpu_ceilings" | sed 's/^{/{"section": "ceilings", /' >>"$results"
}
export -f ceilings build

# For the log: a card that became slower for heat or power tells it here.
card_state() {
    nvidia-smi --query-gpu=clocks.sm,clocks.mem,temperature.gpu,power.draw --format=csv,noheader 2>/dev/null || true
}
export programs results root

set -m # a process group of its own, to be ended as a whole
make_models &
models=$!
set +m
if [ ${#dry[@]} -gt 0 ]; then
    export dry
    section build "$seconds" 0 bash -c 'set -euo pipefail; build AUTO'
else
    section build 90 470 bash -c 'set -euo pipefail; build ON stet_cuda gpu_ceilings cuda_plugin_test'
fi
options=("${dry[@]}" --programs "$programs" --work "$work" --seconds SECONDS_LEFT "$results")
"$python" "$here/gpu_machine.py" "${options[@]//SECONDS_LEFT/10}" || status=1
if [ ! -x "$programs/perf/bench_stet" ]; then
    echo "run.sh: nothing was built: where packages are missing, perf/gpu/bundle.sh elsewhere, and --programs here"
fi
card_state
section ceilings 30 430 bash -c "set -o pipefail; dry=(${dry[*]}); ceilings"
section checks 110 320 "$python" "$here/gpu_checks.py" "${options[@]}"
section stet 180 140 "$python" "$here/gpu_stet.py" "${options[@]}"
card_state
section peers 110 30 "$python" "$here/gpu_peers.py" "${options[@]}"
section profile 25 5 "$python" "$here/gpu_profile.py" "${options[@]}"
kill -- "-$models" 2>/dev/null || true
echo "== results"
"$python" "$here/gpu_table.py" "$results" >"$out/results.md" || status=1
cat "$out/results.md"
exit "$status"
