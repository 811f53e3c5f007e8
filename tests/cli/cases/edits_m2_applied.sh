# A program that knows nothing of stet applies the A lines and finds the corrected tokens.
export STET_MODEL=m
"$PYTHON" "$TESTS/make_text.py" 2000 1 >in.txt
"$STET" correct <in.txt >want.txt
"$STET" correct --edits=m2 in.txt >edits.m2
"$PYTHON" "$TESTS/check_m2.py" in.txt want.txt edits.m2 200
