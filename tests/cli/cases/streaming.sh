# A line is answered before the next one is written, through a pipe and on a terminal.
export STET_MODEL=m
"$PYTHON" "$TESTS/check_streaming.py" "$STET"
