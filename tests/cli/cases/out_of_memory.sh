# Whichever allocation fails, there is a message, exit code 2, and nothing is left behind.
export STET_MODEL=m
printf 'teh one. teh two xdel\n1\n2\n3\n4\n5\n6\n7\nalot\n' >in.txt
try() {
    local n=1 calls code
    "$STET" "$@" >want.txt
    while :; do
        STET_TEST_FAIL_NTH=$n "$STET" "$@" >out.txt 2>err.txt
        code=$?
        grep -q ' left 0$' err.txt || { echo "$*: allocation $n: leaked"; cat err.txt; }
        calls=$(sed -n 's/^allocations \([0-9]*\) .*/\1/p' err.txt)
        if [ "$calls" -lt "$n" ]; then
            [ $code -eq 0 ] && cmp want.txt out.txt && [ $n -gt 3 ] && echo "$1 $2: done"
            return
        fi
        if [ $code -ne 2 ] || ! grep -q '^stet: .*out of memory' err.txt; then
            echo "$*: allocation $n: exit $code"
            cat err.txt
        fi
        n=$((n + 1))
    done
}
try correct in.txt
try correct --edits=text in.txt
try correct --edits=json --units=utf16 in.txt
try correct --edits=diff in.txt
try correct --edits=m2 in.txt
try correct --input=wrapped in.txt
try correct --stats=json -o /dev/null in.txt
try inspect long
try inspect --json m
try help correct
