# The model that comes with stet, end to end: one text, every form of output.
export STET_MODEL="${STET_TEST_MODEL:-$STET_SOURCE_DIR/models/stet-edge-en}"
[ -e "$STET_MODEL/config.json" ] || { echo "no model in $STET_MODEL" >&2; exit 77; }
cp "$TESTS/essay.txt" in.txt
"$STET" correct --verify --stats=json in.txt >want.txt 2>stats.json; echo "exit $?"
"$PYTHON" -c '
import json
s = json.load(open("stats.json"))
print(s["lines"], s["sentences"], s["verified"] == s["sentences"], s["passes_per_sentence"] < 16)
print(s["edits"] >= 8, s["accepted"] + s["rejected"] == s["drafted"], s["peak_resident_bytes"] > 0)'
for unit in bytes utf16 codepoints; do
    "$STET" correct --edits=json --scores --units=$unit in.txt >edits.json
    "$PYTHON" "$TESTS/check_json.py" in.txt want.txt edits.json 8
done
"$STET" correct --edits=m2 in.txt >edits.m2
"$PYTHON" "$TESTS/check_m2.py" in.txt want.txt edits.m2 8
"$STET" correct --edits=diff in.txt >edits.diff
diff -au --label a/in.txt --label b/in.txt in.txt want.txt | cmp - edits.diff
"$STET" correct --edits=text in.txt |
    sed -E 's/\[-([^]]*)-\]//g; s/\{\+([^}]*)\+\}/\1/g' | cmp - want.txt && echo 'marks applied'
for options in --decoding=greedy --draft=sad --batch_size=1 --batch_size=32 --intra_threads=2 --draft_window=3; do
    "$STET" correct $options <in.txt | cmp - want.txt && echo "$options: the same"
done
# Line by line through a pipe, and with DOS line ends.
while IFS= read -r line; do printf '%s\n' "$line"; sleep 0.01; done <in.txt | "$STET" correct | cmp - want.txt
sed 's/$/\r/' in.txt | "$STET" correct | tr -d '\r' | cmp - want.txt && echo 'streamed'
fold -s -w 30 in.txt | "$STET" correct --input=wrapped | wc -l
# A last line without an end, with an edit inside and one at its very end.
printf 'Hello.\nI has a dog , he go' >open.txt
"$STET" correct --edits=diff open.txt >open.diff; echo "exit $?"
"$STET" correct open.txt >open.want
patch -s -p1 <open.diff && cmp open.txt open.want && echo 'patched'
# What is no UTF-8, and what has no letter, comes back as it was.
printf 'She go home \377\376 tomorrow .\n\360\237\230\200 !\n\200\201\n' >bytes.txt
"$STET" correct bytes.txt | cmp - bytes.txt && echo 'bytes as they were'
