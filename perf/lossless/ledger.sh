#!/usr/bin/env bash
# Decodes random sentences drafted and plain greedy alone, in random settings, until TOKENS tokens were compared, and
# writes the counts to perf/results/ledger.md: tokens, differing tokens, differing score bits, tokens by setting.
# usage: perf/lossless/ledger.sh [TOKENS [SEED]] (default: 1000000 1)
# Builds exact_test in build/ when it is not up to date. STET_LEDGER_MODEL=FOLDER takes another model than the test
# fixtures. Exits 1 when anything differs; the file is written all the same.
set -euo pipefail
if [ "${1-}" = --help ] || [ "${1-}" = -h ]; then
    sed -n '2,6s/^# //p' "$0"
    exit 0
fi
tokens=${1:-1000000}
seed=${2:-1}
cd "$(dirname "$0")/../.."
[ -e build/build.ninja ] || cmake --preset cpu-release
cmake --build build --target exact_test -j "${JOBS:-2}"

commit=$(git rev-parse --short=12 HEAD)
[ -z "$(git status --porcelain -- host models tests/exact tests/support)" ] || commit="$commit with changes"
counts=$(mktemp)
trap 'rm -f "$counts"' EXIT
status=0
STET_LEDGER_TOKENS=$tokens STET_LEDGER_SEED=$seed STET_LEDGER_REPORT=$counts \
    build/tests/exact_test --gtest_filter=Ledger.NoTokenDiffers || status=1

models="all of tests/fixtures, random weights"
[ -z "${STET_LEDGER_MODEL-}" ] || models=$(basename "$STET_LEDGER_MODEL")
mkdir -p perf/results
{
    echo "# Ledger: drafted against greedy decoding"
    echo
    echo "Every sentence was decoded by plain greedy decoding, alone, and again drafted, in batches, in random settings"
    echo "(tests/exact/ledger_test.cc). Tokens are compared, and scores bit by bit: for one half the log"
    echo "probability of each token, for the other a hash of the complete row of logits."
    echo
    echo "| | |"
    echo "|---|---|"
    echo "| command | \`perf/lossless/ledger.sh $tokens $seed\` |"
    echo "| commit | $commit |"
    echo "| date | $(date -u +%Y-%m-%d) |"
    echo "| machine | $(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | sed -n 1p), $(nproc) processors |"
    echo "| models | $models |"
    echo
    cat "$counts"
} > perf/results/ledger.md
cat perf/results/ledger.md
exit "$status"
