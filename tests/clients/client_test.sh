#!/usr/bin/env bash
# client_test.sh LANGUAGE BUILD_FOLDER SANITIZERS [PROGRAM]: builds the client of one language against the library in
# BUILD_FOLDER, runs it and checks what it prints. PROGRAM: the built client of c and cxx, the interpreter of python.
# SANITIZERS: what the library was built with, or "none". Exit status 77: skipped, and why.
set -euo pipefail
language=$1
build=$(cd "$2" && pwd)
sanitizers=$3
program=${4-}
here=$(cd "$(dirname "$0")" && pwd)
model=$here/../fixtures/transformer-pre
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Not every tool takes a path with white space in it.
ln -s "$build" "$work/lib"
ln -s "$here/../../host/include" "$work/include"

skip() {
    echo "SKIPPED: clients_$language: $*"
    exit 77
}

# need COMMAND_OR_FILE DEBIAN_PACKAGE
need() {
    case "$1" in
        /*) [ -e "$1" ] ;;
        *) command -v "$1" >/dev/null ;;
    esac || skip "$1 is missing; install the Debian package $2 (scripts/packages.sh test)"
}

plain_library() {
    [ "$sanitizers" = none ] ||
        skip "a library built with -fsanitize=$sanitizers can only be loaded by a program built so, $1 is not"
}

prepare_go() {
    plain_library "what go builds"
    need go golang-go
    # Everything that go writes goes into the folder that is removed.
    (cd "$work" && HOME=$work GOPATH=$work/gopath GOCACHE=$work/gocache GOFLAGS=-mod=mod GOPROXY=off CGO_ENABLED=1 \
        CGO_CFLAGS="-I$work/include" CGO_LDFLAGS="-L$work/lib -Wl,-rpath,$work/lib" \
        go build -o client "$here/client_cgo.go")
    client=("$work/client")
}

prepare_rust() {
    plain_library "what rustc builds"
    need rustc rustc
    rustc --edition 2021 -D warnings -O -L "native=$work/lib" -C "link-arg=-Wl,-rpath,$work/lib" -o "$work/client" \
        "$here/client_rust.rs"
    client=("$work/client")
}

prepare_python() {
    plain_library python3
    need "$program" python3
    export STET_LIBRARY=$build/libstet.so PYTHONDONTWRITEBYTECODE=1
    client=("$program" "$here/client_ctypes.py")
}

prepare_node() {
    plain_library node
    need node nodejs
    local prefix include
    prefix=$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")
    include=$prefix/include/node
    [ -e "$include/node_api.h" ] || include=/usr/include/node
    need "$include/node_api.h" libnode-dev
    "${CC:-cc}" -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wshadow -Wvla -Wpointer-arith -Wcast-qual -Wpedantic \
        -Wstrict-prototypes -Wmissing-prototypes -Werror -O2 -fPIC -shared -isystem "$include" -I"$work/include" \
        "$here/client_node_addon.c" -o "$work/client.node" -L"$work/lib" -lstet -Wl,-rpath,"$work/lib"
    client=(node "$here/client_node.js" "$work/client.node")
}

case "$language" in
    c | cxx) client=("$program") ;;
    go | rust | python | node) "prepare_$language" ;;
    *) echo "client_test.sh: no client for $language" >&2 && exit 1 ;;
esac

# The clients end by themselves after 120 s; this is for those that cannot.
timeout -k 5 150 "${client[@]}" "$model" "$here/client_sentences.txt" >"$work/out"
cat "$work/out"
if ! grep -qxE 'ok: [0-9]+ done, [0-9]+ cancelled, [0-9]+ deadline, [0-9]+ busy' "$work/out" ||
    [ "$(wc -l <"$work/out")" != 1 ]; then
    echo "client_test.sh: the client must print one line, its summary" >&2
    exit 1
fi
