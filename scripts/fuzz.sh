#!/usr/bin/env bash
# Builds the fuzz targets and runs each for a while from its inputs under tests/fuzz/corpus/.
#
#   scripts/fuzz.sh [SECONDS] [TARGET...]       default: 60 seconds each, all targets
#
# JOBS=n runs n targets at a time (default: one for each processor). What is found lies in
# build-fuzz/findings/TARGET-*; after the fix the file goes to tests/fuzz/corpus/TARGET/, where ctest
# runs it for good.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=60
if [[ ${1-} =~ ^[0-9]+$ ]]; then
    seconds=$1
    shift
elif [[ ${1-} == -* ]]; then
    echo "usage: scripts/fuzz.sh [SECONDS] [TARGET...]" >&2
    exit 1
fi
jobs=${JOBS:-$(nproc)}

if command -v ccache >/dev/null && [ -d "$(ccache --get-config cache_dir)" ]; then
    export CMAKE_C_COMPILER_LAUNCHER=ccache CMAKE_CXX_COMPILER_LAUNCHER=ccache
fi
cmake --preset fuzz >build-fuzz.log 2>&1 || { cat build-fuzz.log && exit 1; }
mkdir -p build-fuzz && mv build-fuzz.log build-fuzz/configure.log
cmake --build build-fuzz --target fuzz_targets -j "$jobs"

targets=("$@")
if [ "${#targets[@]}" -eq 0 ]; then
    mapfile -t targets < <(find build-fuzz/fuzz -type f -executable -printf '%f\n' | sort)
fi
[ "${#targets[@]}" -gt 0 ] || { echo "fuzz.sh: no targets were built" >&2 && exit 1; }
for target in "${targets[@]}"; do
    if [ ! -x "build-fuzz/fuzz/$target" ] || [ ! -d "tests/fuzz/corpus/$target" ]; then
        echo "fuzz.sh: $target: there is no such target, or it has no inputs in tests/fuzz/corpus/" >&2
        exit 1
    fi
done
mkdir -p build-fuzz/findings build-fuzz/logs

run_target() {
    local target=$1 seconds=$2
    mkdir -p "build-fuzz/corpus/$target"
    # -rss_limit_mb also bounds what one broken size field can make a parser ask for.
    "build-fuzz/fuzz/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
        -print_final_stats=1 -artifact_prefix="build-fuzz/findings/$target-" \
        "build-fuzz/corpus/$target" "tests/fuzz/corpus/$target" >"build-fuzz/logs/$target.log" 2>&1
    echo $? >"build-fuzz/logs/$target.status"
}
export -f run_target
rm -f build-fuzz/logs/*
printf '%s\n' "${targets[@]}" | xargs -P "$jobs" -I{} bash -c 'run_target "$1" "$2"' _ {} "$seconds"

failed=0
printf '%-24s %12s %8s  %s\n' target runs covered result
for target in "${targets[@]}"; do
    log=build-fuzz/logs/$target.log
    runs=$(awk '/stat::number_of_executed_units/ { print $2 }' "$log")
    covered=$(grep -oE 'cov: [0-9]+' "$log" | tail -1 | cut -c6- || true)
    result="no finding"
    if [ "$(cat "build-fuzz/logs/$target.status")" != 0 ]; then
        result="FAILED, see $log"
        failed=1
    elif [ "${runs:-0}" -le "$(find "tests/fuzz/corpus/$target" -type f | wc -l)" ]; then
        result="FAILED: it did not get past its inputs, see $log"
        failed=1
    fi
    printf '%-24s %12s %8s  %s\n' "$target" "${runs:-?}" "${covered:-?}" "$result"
done
if [ "$failed" != 0 ]; then
    for target in "${targets[@]}"; do
        if [ "$(cat "build-fuzz/logs/$target.status")" != 0 ]; then
            echo "---- $target"
            grep -nE 'ERROR|SUMMARY|Test unit written|runtime error' "build-fuzz/logs/$target.log" || true
        fi
    done
fi
exit "$failed"
