#!/usr/bin/env bash
# usage: run_mutant.sh PROGRAM MUTANT TEST...
# Succeeds when every TEST passes without the mutant and fails with it. Failing means an assertion that did not hold:
# a crash, a sanitizer's report or a test that does not exist is no success.
set -uo pipefail
program=$1 mutant=$2
shift 2
filter=$(IFS=: && echo "$*")

if ! output=$(STET_MUTANT=none "$program" --gtest_filter="$filter" 2>&1); then
    printf '%s\n' "$output" "FAILED: the tests must pass without a mutant"
    exit 1
fi
if ! grep -qxF "[  PASSED  ] $# test$([ $# = 1 ] || echo s)." <<<"$output"; then
    printf '%s\n' "$output" "FAILED: not all of the $# tests ran"
    exit 1
fi
output=$(STET_MUTANT=$mutant "$program" --gtest_filter="$filter" 2>&1)
status=$?
printf '%s\n' "$output" | tail -n 40
if [ "$status" != 1 ] || ! grep -qE '^ *[0-9]+ FAILED TESTS?$' <<<"$output"; then
    echo "FAILED: mutant $mutant ended with status $status, not with failed tests"
    exit 1
fi
for test in "$@"; do
    if ! grep -qE "^\[  FAILED  \] $test(,|\$| )" <<<"$output"; then
        echo "FAILED: mutant $mutant was not seen by $test"
        exit 1
    fi
done
echo "mutant $mutant: seen by all $# tests"
