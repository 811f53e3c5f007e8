# Requests complete in any order and are refused now and then; the output has the order of the input.
export STET_MODEL=m
seq 1 20000 | sed -E 's/^/teh /; s/.*[05]00$/!slow &/; s/.*7$//' >in.txt
sed 's/teh/the/' in.txt >want.txt
for options in --batch_size=8 --batch_size=1 --batch_size=1024 --batch_type=tokens --input=wrapped; do
    "$STET" correct $options in.txt | cmp - want.txt && echo "$options"
    cat in.txt | "$STET" correct $options | cmp - want.txt && echo "$options, through a pipe"
done
"$STET" correct --edits=json in.txt | "$PYTHON" -c '
import json, sys
rows = [json.loads(line) for line in sys.stdin]
print([r["line"] for r in rows] == list(range(1, 20001)))
print("".join(r["text"] + "\n" for r in rows) == open("want.txt").read())'
"$STET" correct --edits=diff in.txt >edits.diff
cp in.txt patched.txt && patch -s patched.txt <edits.diff && cmp patched.txt want.txt && echo patched
# Work goes on over the end of a file, and every file begins where the one before it ends.
for i in $(seq 1 300); do echo "!slow teh $i" >"$i.one"; done
"$STET" correct $(seq -f %g.one 1 300) | cmp - <(seq 1 300 | sed 's/^/!slow the /') && echo '300 files'
"$STET" correct --edits=json 1.one /dev/null 2.one | "$PYTHON" -c '
import json, sys
print([(r["file"], r["line"]) for r in map(json.loads, sys.stdin)])'
