# What `stet quantize` says about what the library did, and what it refuses before.
printf 'One.\nThree\n\nFour\n' >lines.txt
: >empty.txt
run() { "$STET" quantize "$@" 2>err.txt; echo "exit $?"; cat err.txt; }
run model out
run --compute_type=bfloat16 exact out
run --text lines.txt model out
run --json model 'o"ut'
run --json --text=lines.txt --compute-type=int8 model out
run --text - --intra_threads=2 --device=cpu model out <lines.txt
# Refused.
run
run model
run model out more
run --compute_type=int4 model out
run --batch_size=4 model out
run --device=cuda model out
run --text missing.txt model out
run --text empty.txt model out
run missing out
run broken out
run model full
[ -e /dev/full ] && { "$STET" quantize model out 2>&1 >/dev/full; echo "exit $?"; }
