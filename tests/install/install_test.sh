#!/usr/bin/env bash
# install_test.sh CMAKE BUILD_FOLDER: installs the build into an empty folder, builds a C99 and a C++17
# program against the installed files (with pkg-config and with find_package), runs them, and compares
# what they print with what the built programme prints.
set -euo pipefail
cmake=$1
build=$2
here=$(cd "$(dirname "$0")" && pwd)
fixtures=$here/../fixtures
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix
flags=(-Wall -Wextra -pedantic -Werror)

fail() {
    echo "install_test: $*" >&2
    exit 1
}

"$cmake" --install "$build" --prefix "$prefix" >"$work/install.log" || fail "$(cat "$work/install.log")"
header=$(find "$prefix" -name stet.h)
library=$(find "$prefix" -name libstet.so)
[ "$(find "$prefix" -name '*.h' | wc -l)" = 1 ] || fail "stet.h must be the only header installed"
[ -x "$prefix/bin/stet" ] || fail "bin/stet is not installed"
find "$prefix" -path '*man1/stet.1' | grep -q . || fail "the manual page is not installed"
libdir=$(dirname "$library")
export PKG_CONFIG_PATH=$libdir/pkgconfig

echo "1. the header stands alone"
echo "#include <stet.h>" | gcc -std=c99 "${flags[@]}" -I"$(dirname "$header")" -fsyntax-only -x c -
for compiler in g++ clang++; do
    command -v "$compiler" >/dev/null || fail "$compiler is missing (scripts/packages.sh test)"
    echo "#include <stet.h>" |
        "$compiler" -std=c++17 "${flags[@]}" -I"$(dirname "$header")" -fsyntax-only -x c++ -
done

echo "2. the library exports what the header declares and nothing else, under one soname"
exported=$(nm -D --defined-only "$library" | awk '{ print $NF }' | sort)
declared=$(grep -oE '^STET_API [^(]*\bstet_[a-z0-9_]+\(' "$header" | grep -oE 'stet_[a-z0-9_]+\($' |
    tr -d '(' | sort)
[ "$(wc -l <<<"$declared")" -ge 15 ] || fail "stet.h could not be read"
diff <(echo "$declared") <(echo "$exported") || fail "declared (<) and exported (>) functions differ"
readelf -d "$library" | grep -q 'SONAME.*\[libstet\.so\.0\]' || fail "the soname is not libstet.so.0"
[ -L "$library" ] && [ -L "$libdir/libstet.so.0" ] || fail "libstet.so and libstet.so.0 must be links"

echo "3. consumers through pkg-config"
read -ra pc <<<"$(pkg-config --cflags --libs stet)"
pc+=("-Wl,-rpath,$libdir")
gcc -std=c99 "${flags[@]}" "$here/install_consumer.c" -o "$work/pc-gcc" "${pc[@]}"
clang -std=c99 "${flags[@]}" "$here/install_consumer.c" -o "$work/pc-clang" "${pc[@]}"
g++ -std=c++17 "${flags[@]}" "$here/install_consumer_cxx.cc" -o "$work/pc-gxx" "${pc[@]}"
clang++ -std=c++17 "${flags[@]}" "$here/install_consumer_cxx.cc" -o "$work/pc-clangxx" "${pc[@]}"

echo "4. consumers through find_package"
mkdir "$work/project"
cp "$here"/install_consumer*.c* "$work/project/"
cat >"$work/project/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.25)
project(consumer LANGUAGES C CXX)
set(CMAKE_C_STANDARD 99)
set(CMAKE_CXX_STANDARD 17)
find_package(stet 0.1 REQUIRED)
add_executable(fp-c install_consumer.c)
add_executable(fp-cxx install_consumer_cxx.cc)
target_link_libraries(fp-c PRIVATE stet::stet)
target_link_libraries(fp-cxx PRIVATE stet::stet)
END
for pair in gcc:g++ clang:clang++; do
    folder=$work/fp-${pair%:*}
    "$cmake" -G Ninja -S "$work/project" -B "$folder" -DCMAKE_PREFIX_PATH="$prefix" \
        -DCMAKE_C_COMPILER="${pair%:*}" -DCMAKE_CXX_COMPILER="${pair#*:}" >"$work/log" 2>&1 &&
        "$cmake" --build "$folder" >>"$work/log" 2>&1 || fail "$(cat "$work/log")"
done

echo "5. all of them print what the built programme prints"
cat >"$work/in.txt" <<'END'
She go to school.
I has two  apple , and she have none .

He said "hello" to them yesterday.
END
model=$fixtures/edgeformer-a
"$build/stet" correct --model "$model" "$work/in.txt" >"$work/expected"
[ -s "$work/expected" ] || fail "the built programme printed nothing"
for program in "$work"/pc-* "$work"/fp-*/fp-*; do
    [ -f "$program" ] && [ -x "$program" ] || continue
    "$program" "$model" "$work/in.txt" >"$work/out" || fail "$(basename "$program") failed"
    cmp "$work/expected" "$work/out" || fail "$(basename "$program") printed something else"
done
"$prefix/bin/stet" correct --model "$model" "$work/in.txt" | cmp "$work/expected" - ||
    fail "the installed programme printed something else"
if "$work/pc-gcc" "$work/no-such-model" "$work/in.txt" 2>"$work/err"; then
    fail "a missing model must be an error"
fi
grep -q no-such-model "$work/err" || fail "the message does not name the missing folder"
echo "install_test: ok"
