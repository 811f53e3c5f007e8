export STET_MODEL=m
run() { printf "$text" | "$STET" "$@" 2>err.txt; echo "exit $?"; cat err.txt; }
text='teh one\nteh two\n'
run correct
run correct --batch_size=many
run correct --compute_type=int3
run correct --device=cuda
run correct --model missing
run correct --model broken
text='teh one\nteh two !toolong\nteh three !toolong\nteh four\n'
run correct
text='teh one\nteh two !verify\nteh three\n'
run correct
run correct --verify
text='teh one\nteh two !device\nteh three\n'
run correct
text='teh one\n\nteh two !nomem\nteh three\n'
run correct
