#!/usr/bin/env bash
# Everything that must pass before a change is merged, in the order in which mistakes are cheapest to find.
#
#   scripts/test.sh            all stages (about 20 minutes on two cores)
#   scripts/test.sh --quick    the first two: house checks, then the gcc build with all tests
#
# Installs what a fresh Debian 12 lacks (scripts/packages.sh test); with everything there it needs no network.
set -euo pipefail
cd "$(dirname "$0")/.."

usage="usage: scripts/test.sh [--quick]"
quick=0
case "${1-}" in
    "") ;;
    --quick) quick=1 ;;
    -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" && exit 0 ;;
    *) echo "$usage" >&2 && exit 1 ;;
esac

jobs=${JOBS:-2}
summary=()
started=$SECONDS
export PYTHONDONTWRITEBYTECODE=1
export ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1 UBSAN_OPTIONS=print_stacktrace=1

# build PRESET [TARGET...]: all of it, or only what the stage runs.
build() {
    cmake --preset "$1" >"$log" 2>&1 || { cat "$log" && return 1; }
    cmake --build --preset "$1" -j "$jobs" ${2:+--target "${@:2}"}
}

# at_once COMMAND...: runs them side by side and prints what each printed, one after the other; fails if one fails.
at_once() {
    local folder command pids=() i failed=0
    folder=$(mktemp -d)
    for command in "$@"; do
        (
            set -ef # a filter is no pattern of file names
            $command
        ) >"$folder/${#pids[@]}" 2>&1 &
        pids+=($!)
    done
    for i in "${!pids[@]}"; do
        wait "${pids[$i]}" || failed=1
        cat "$folder/$i"
    done
    rm -r "$folder"
    return "$failed"
}

house_checks() {
    python3 scripts/check_layers.py --self-test
    python3 scripts/check_source.py --self-test
    python3 scripts/check_kernels.py --self-test
    python3 scripts/check_layers.py
    python3 scripts/check_source.py
    scripts/format.sh --check
}

gcc_tests() {
    build cpu-release
    ctest --test-dir build -LE install -j "$jobs" --output-on-failure | tee build/ctest.log
    grep -h '^SKIPPED: ' build/Testing/Temporary/LastTest.log >build/skipped.log || true
}

# About two minutes of what perf/lossless/ledger.sh does, in two parts: most settings have one thread.
ledger_part() {
    STET_LEDGER_TOKENS=600000 STET_LEDGER_SEED=$1 build/tests/exact_test --gtest_filter=Ledger.NoTokenDiffers
}

ledger_slice() {
    at_once "ledger_part 7" "ledger_part 8"
}

clang_tests() {
    build clang stet stet_cli draft_test exact_test
    ctest --test-dir build-clang -R '^(draft|exact)_test' -j "$jobs" \
        --output-on-failure --no-tests=error
}

# count_tests FOLDER: with sanitizers one entry of ctest is a whole program, so what ctest counts says little.
count_tests() {
    awk '/^\[=+\] [0-9]+ tests? from .* ran\./ { n += $2 } END { print n + 0, "GoogleTest tests ran" }' \
        "$1/Testing/Temporary/LastTest.log"
}

# Without what is labelled long (sweeps over settings) and two cases of the command line that are like it: instrumented
# they take many minutes, and other tests reach the same code.
asan_tests() {
    build cpu-asan
    ctest --test-dir build-asan -LE long -E 'bounded_memory|endless_hunk' -j "$jobs" \
        --output-on-failure --no-tests=error
    count_tests build-asan
}

tsan_tests() {
    build cpu-tsan stet_cli base_test api_test api_hooks_test api_memory_test api_company_test api_device_test \
        api_plugin_test api_several_test plugin_test client_epoll client_cxx api_stress
    local which='^(base_test|plugin_test|api(_hooks|_memory|_company|_device|_plugin|_several)?_test|clients|stress)'
    ctest --test-dir build-tsan -R "$which" -j "$jobs" --output-on-failure --no-tests=error
    count_tests build-tsan
}

fuzz_targets() {
    scripts/fuzz.sh 10
}

check_memory() {
    valgrind -q --error-exitcode=1 --leak-check=full --errors-for-leak-kinds=definite,indirect "$@" --gtest_brief=1
}

# The tests that open a whole model for every failed allocation take too long under valgrind; AddressSanitizer has them.
valgrind_tests() {
    local short='*ReadingTheConfiguration*:*OpeningAndRunningAnEngine/0:*EngineCreate'
    at_once "check_memory build/tests/base_test" "check_memory build/tests/oom_test --gtest_filter=$short"
}

install_tests() {
    ctest --test-dir build -L install --output-on-failure --no-tests=error
}

# The plug-in must build; its tests skip what needs a device. Stage 2 has run the kernels on the processor.
cuda_build() {
    cmake --build build -j "$jobs" --target stet_cuda cuda_plugin_test
    ctest --test-dir build -R '^(cuda_plugin_test|cuda)\.' --output-on-failure --no-tests=error
}

# stage NAME FUNCTION: runs it with a heading; on failure says so and ends the run.
stage() {
    local name=$1 begin=$SECONDS status
    printf '\n==== %s\n' "$name"
    set +e
    (
        set -e
        "$2"
    )
    status=$?
    set -e
    if [ "$status" != 0 ]; then
        printf '\n==== FAILED: %s (after %d s)\n' "$name" $((SECONDS - begin))
        exit 1
    fi
    summary+=("$(printf 'passed   %5d s  %s' $((SECONDS - begin)) "$name")")
}

skip() {
    printf '\n==== SKIPPED: %s: %s\n' "$1" "$2"
    summary+=("$(printf 'SKIPPED           %s: %s' "$1" "$2")")
}

scripts/packages.sh test
# An empty cache only costs; and where there is none, builds with sanitizers use precompiled headers.
if command -v ccache >/dev/null && [ -d "$(ccache --get-config cache_dir)" ]; then
    export CMAKE_C_COMPILER_LAUNCHER=ccache CMAKE_CXX_COMPILER_LAUNCHER=ccache
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT

stage "1. house checks: layers, sizes, format" house_checks
stage "2. gcc: build without warnings, all tests" gcc_tests
if [ "$quick" = 0 ]; then
    stage "3. clang: build without warnings, a part of the tests" clang_tests
    stage "4. AddressSanitizer and UndefinedBehaviorSanitizer: all tests" asan_tests
    stage "5. ThreadSanitizer: tests of threads" tsan_tests
    stage "6. fuzz targets, 10 s each" fuzz_targets
    stage "7. valgrind: allocation failures" valgrind_tests
    stage "8. install: C99 and C++17 programs against the installed files" install_tests
    stage "9. ledger: 1,200,000 tokens drafted and plain greedy, in random settings" ledger_slice
    if ! command -v nvcc >/dev/null; then
        skip "10. CUDA" "no CUDA toolkit on this machine (nvcc); the plug-in was NOT built"
    else
        stage "10. CUDA: plug-in and register budgets" cuda_build
    fi
fi

printf '\n==== Summary (%d s)\n' $((SECONDS - started))
printf '%s\n' "${summary[@]}"
echo "tests of stage 2: $(grep -E 'tests passed' build/ctest.log)"
cat build/skipped.log
[ "$quick" = 0 ] || echo "--quick: stages 3 to 10 did not run"
