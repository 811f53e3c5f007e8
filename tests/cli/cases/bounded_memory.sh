# What is held does not depend on the length of the input, from a file or from a pipe that never ends.
export STET_MODEL=m
seq 1 200000 | sed 's/$/ alot of words in a line that is about as long as lines of text are. It was teh case./' >in.txt
limit=40
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}quarantine_size_mb=8" # freed memory is kept for a while
grep -qaE '__(asan|tsan)_init' "$STET" && limit=200
check() {
    "$PYTHON" -c '
import json, sys
s = json.load(open("stats.json"))
print(s["lines"], s["peak_resident_bytes"] < int(sys.argv[1]) << 20 or s["peak_resident_bytes"])' $limit
}
"$STET" correct --stats=json in.txt 2>stats.json | cmp - <(sed 's/alot/a lot/; s/teh/the/' in.txt) && check
for options in '--edits=diff --batch_size=1024' --input=wrapped; do
    "$STET" correct --stats=json $options <in.txt 2>stats.json >/dev/null && echo "$options" && check
done
yes 'teh end never comes' 2>err.txt | "$STET" correct 2>>err.txt | head -100000 | tail -1
cat err.txt
