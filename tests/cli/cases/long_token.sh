# No white space at all: cut between characters, never inside one.
export STET_MODEL=m
"$PYTHON" -c 'import sys; sys.stdout.write("\u20ac" * 1000000 + "\n" + "x" * 1048576 + "\n" + "y" * 1048577)' >in.txt
"$STET" correct in.txt | cmp - in.txt && echo same
"$STET" correct --input=wrapped in.txt | cmp - in.txt && echo same
"$STET" correct --edits=json in.txt | "$PYTHON" -c '
import json, sys
for line in sys.stdin:
    r = json.loads(line)
    print(r["line"], r["byte_offset"], len(r["source"]), "\ufffd" in r["source"], r.get("continues", False))'
