# A line of 16 MiB goes through in bounded memory; pieces end after white space, and only the length of the line
# decides where.
export STET_MODEL=m
"$PYTHON" - >in.txt <<'END'
import sys
sys.stdout.write("first teh\n" + "the cat saw teh dog. It was fine, alot of \u00e9\u20ac. " * 330000 + "\nlast teh\n")
END
sed 's/teh/the/g; s/alot/a lot/g' in.txt >want.txt
"$STET" correct --stats=json in.txt 2>stats.json | cmp - want.txt && echo 'corrected'
cat in.txt | "$STET" correct | cmp - want.txt && echo 'the same through a pipe'
"$STET" correct --edits=diff in.txt >edits.diff && patch -s -p1 <edits.diff && cmp in.txt want.txt && echo 'patched'
(head -1 in.txt; sed -n 2p in.txt | head -c 4000000; echo; tail -1 in.txt) >short.txt
"$STET" correct --edits=json short.txt | "$PYTHON" -c '
import json, sys
rows = [json.loads(line) for line in sys.stdin]
pieces = [r for r in rows if r["line"] == 2]
print(rows[0]["line"], rows[-1]["line"], len(pieces))
print(all(r.get("continues") for r in pieces[:-1]), "continues" in pieces[-1])
print(all(len(r["source"].encode()) <= 1 << 20 for r in rows))
print(all(r["source"].endswith(". ") for r in pieces[:-1]))
print("".join(r["source"] for r in pieces) == open("short.txt", encoding="utf-8").read().split("\n")[1])
data = open("short.txt", "rb").read()
print(all(data.startswith(r["source"].encode(), r["byte_offset"]) for r in rows))'
limit=64
grep -qa __asan_init "$STET" && limit=400 # the sanitizer keeps freed memory for a while
"$PYTHON" -c '
import json, sys
s = json.load(open("stats.json"))
print(s["lines"], s["peak_resident_bytes"] < int(sys.argv[1]) << 20 or s["peak_resident_bytes"])' $limit
