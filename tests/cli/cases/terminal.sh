# Colours and the hint on how to end the text appear on a terminal only.
export STET_MODEL=m TERM=xterm
printf 'teh cat\n' >in.txt
pty() { "$PYTHON" "$TESTS/on_terminal.py" "$@" | od -An -c; }
pty "$STET" correct --edits=text in.txt
NO_COLOR=1 pty "$STET" correct --edits=text in.txt
NO_COLOR= pty "$STET" correct --edits=text in.txt
TERM=dumb pty "$STET" correct --edits=text in.txt
pty "$STET" correct --edits=text --color=never in.txt
pty "$STET" correct in.txt
