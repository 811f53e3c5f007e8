# Whichever allocation fails, there is a message, exit code 2, and nothing is left behind.
export STET_MODEL=m
printf 'teh one. teh two xdel\n1\n2\n3\n4\n5\n6\n7\nalot\n' >in.txt
try() {
    local n=1 calls code said
    "$STET" "$@" >want.txt 2>err.txt
    while :; do
        STET_TEST_FAIL_NTH=$n "$STET" "$@" >out.txt 2>err.txt
        code=$?
        said=$(<err.txt)
        [[ $said == *' left 0' ]] || echo "$*: allocation $n: leaked: $said"
        calls=${said##*allocations }
        if [ "${calls%% *}" -lt "$n" ]; then
            [ $code -eq 0 ] && cmp want.txt out.txt && [ $n -gt 3 ] && echo "$1 $2: done"
            return
        fi
        [[ $code -eq 2 && $said == *'stet: '*'out of memory'* ]] || echo "$*: allocation $n: exit $code: $said"
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
try replay in.txt in.txt
try replay --ids in.txt in.txt in.txt
try help correct
