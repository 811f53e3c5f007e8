# Whatever the bytes are, the command ends well, and what it says are the edits leads to its text.
export STET_MODEL="$TESTS/../fixtures/edgeformer-a"
options='--max_decoding_length=16'
"$PYTHON" -c '
import random, sys
rng = random.Random(5)
data = bytes(rng.choice(b"ab .\n\r\t\x00\xff\xe2\x82\xac\xc3\xa9\xf0\x9f") for _ in range(600))
sys.stdout.buffer.write(data)' >in.bin
"$STET" correct $options in.bin >want.bin; echo "exit $?"
"$STET" correct $options <in.bin | cmp - want.bin
cat in.bin | "$STET" correct $options --batch_size=1 | cmp - want.bin
"$STET" correct $options --decoding=greedy in.bin | cmp - want.bin
"$STET" correct $options --input=wrapped in.bin >/dev/null; echo "exit $?"
for format in text json m2; do
    "$STET" correct $options --edits=$format in.bin >/dev/null; echo "exit $?"
done
"$STET" correct $options --edits=diff in.bin >edits.diff; echo "exit $?"
if [ -s edits.diff ]; then patch -s -p1 <edits.diff; fi
cmp in.bin want.bin && echo 'the same'
