# Compared with diff -u, and applied with patch: dense and sparse corrections, with and without a last line end.
export STET_MODEL=m
for lines in 1 2 4 6 7 8 40 400; do
    for seed in 1 2 3; do
        "$PYTHON" "$TESTS/make_text.py" $lines $seed >in.txt
        "$STET" correct in.txt >want.txt
        "$STET" correct --edits=diff in.txt >edits.diff
        diff -au --label a/in.txt --label b/in.txt in.txt want.txt | cmp - edits.diff || exit 1
        patch -s -p1 <edits.diff || exit 1
        cmp in.txt want.txt || exit 1
    done
done
echo 'all the same'
