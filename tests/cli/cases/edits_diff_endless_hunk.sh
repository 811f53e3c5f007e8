# Where changes never stop the hunk is closed in between, and patch still takes it, without fuzz.
export STET_MODEL=m
for gap in 1 2 4 5; do
    awk -v gap=$gap 'BEGIN { for (i = 1; i <= 50000; i++) print (i % gap ? "plain line " i : "line teh " i) }' >in.txt
    "$STET" correct in.txt >want.txt
    "$STET" correct --edits=diff in.txt >edits.diff
    test "$(grep -c '^@@' edits.diff)" -gt 3 || echo "gap $gap: the hunk was not closed"
    patch -p1 <edits.diff
    cmp in.txt want.txt || exit 1
done
