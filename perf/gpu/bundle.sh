#!/usr/bin/env bash
# Builds what perf/gpu/run.sh needs and gathers it in one folder, for a machine with a GPU but without the packages that
# building needs. There: perf/gpu/run.sh --programs DIR OUTDIR, in a copy of this tree.
# usage: perf/gpu/bundle.sh DIR
# Needs a CUDA toolkit. The other machine needs the same processor architecture and a C library that is not older.
set -euo pipefail
case ${1:-} in --help | -h | "") sed -n '2,5s/^# //p' "$0"; exit 0 ;; esac
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$root/build
mkdir -p "$1"
dir=$(cd "$1" && pwd)
cd "$root"
tests=(cuda_plugin_test exact_test exact_shim_test cpu_backend_test row_invariance_test
    op_{argmax,attention,copy,embed,linear,norm}_test)
[ -f "$build/build.ninja" ] || cmake --preset cpu-release >/dev/null
cmake --build "$build" -j "${JOBS:-2}" --target bench_stet stet_cli stet_cuda gpu_ceilings "${tests[@]}" >/dev/null
rm -rf "${dir:?}"/{perf,tests,lib}
mkdir -p "$dir/perf" "$dir/tests" "$dir/lib"
cp -L "$build/stet" "$build/libstet.so.0" "$build/libstet_cuda.so" "$dir/"
cp "$build/perf/bench_stet" "$build/perf/gpu_ceilings" "$dir/perf/"
for name in "${tests[@]}"; do
    strip -o "$dir/tests/$name" "$build/tests/$name"
done
# Libraries that come with no C compiler: all but those of the C and C++ run-times.
for file in "$dir"/stet "$dir"/lib*.so* "$dir"/perf/* "$dir"/tests/*; do
    ldd "$file" | sed -n 's/.* => \(\/[^ ]*\) .*/\1/p'
done | sort -u | grep -vE '/(libc|libm|libdl|librt|libpthread|libgcc_s|libstdc\+\+|libstet[^/]*|ld-linux[^/]*)\.so' |
    while read -r library; do cp -L "$library" "$dir/lib/"; done
changed=$(git status --porcelain -- host tokenizer models cuda perf tests)
echo "$(git rev-parse --short HEAD)${changed:+ with changes}" >"$dir/commit"
du -sh "$dir" | cut -f1
