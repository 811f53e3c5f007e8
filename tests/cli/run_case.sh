#!/bin/bash
# run_case.sh PROGRAM CASE.sh: runs the case in an empty folder and compares what it prints with CASE.out.
# A case finds the programme in $STET and the folder of the tests in $TESTS. It may exit 77 to be skipped.
# With STET_TEST_UPDATE=1 what it prints becomes CASE.out; look at the difference before it is committed.
set -u
export STET="$1"
case_file="$2"
TESTS="$(cd "$(dirname "$0")" && pwd)"
export TESTS STET_SOURCE_DIR="${STET_SOURCE_DIR:-$TESTS/../..}"
export LC_ALL=C.UTF-8 PYTHON="${PYTHON:-python3}"
unset STET_MODEL STET_PLUGIN_PATH NO_COLOR STET_TEST_FAIL_NTH
work="$(mktemp -d)" || exit 1
trap 'rm -rf "$work"' EXIT
mkdir "$work/run"
cd "$work/run" || exit 1
bash "$case_file" >"$work/out" 2>"$work/err"
code=$?
if [ $code -eq 77 ]; then
    cat "$work/err"
    exit 77
fi
if [ $code -ne 0 ]; then
    echo "the case ended with exit code $code"
    cat "$work/err"
    diff -u "${case_file%.sh}.out" "$work/out" | head -50
    exit 1
fi
if [ "${STET_TEST_UPDATE:-0}" = 1 ]; then
    cp "$work/out" "${case_file%.sh}.out"
fi
if ! cmp "${case_file%.sh}.out" "$work/out"; then
    diff -au "${case_file%.sh}.out" "$work/out" | head -100
    cat "$work/err"
    exit 1
fi
