# Compared with diff -u, and applied with patch: dense and sparse corrections, with and without a last line end.
export STET_MODEL=m
pairs=''
for lines in 1 2 4 6 7 8 40 400; do
    for seed in 1 2 3; do pairs="$pairs $lines $seed"; done
done
"$PYTHON" "$TESTS/make_text.py" $pairs
for f in *.txt; do
    "$STET" correct "$f" >want
    "$STET" correct --edits=diff "$f" >edits
    diff -au --label "a/$f" --label "b/$f" "$f" want | cmp - edits || exit 1
    patch -s -p1 <edits || exit 1
    cmp "$f" want || exit 1
done
echo 'all the same'
