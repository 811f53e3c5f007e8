# A program that knows nothing of stet applies the edits, in every unit, and finds the corrected text.
export STET_MODEL=m
"$PYTHON" "$TESTS/make_text.py" 400 1 >in.txt
"$STET" correct <in.txt >want.txt
for unit in bytes utf16 codepoints; do
    "$STET" correct --edits=json --units=$unit in.txt >edits.json
    "$PYTHON" "$TESTS/check_json.py" in.txt want.txt edits.json 50
done
