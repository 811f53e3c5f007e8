export STET_MODEL=m
run() { "$STET" "$@" 2>&1 </dev/null; echo "exit $?"; }
run
run nothing
run help nothing
run --nothing
run correct --nothing
run correct --nothing=3
run correct -z
run correct --model
run correct -m
run correct --help=yes
run correct --edits=html
run correct --edits=
run correct --units=words
run correct --input=markdown
run correct --stats=xml
run correct --color=yes
run correct --progress=maybe
run correct --json
run inspect --edits=text
run inspect a b
run --version
run -V
# Both spellings, and the last one given counts.
run correct --batch-size=1 --max_input_length=3
run correct --max-input-length=3 --batch-size=x --batch_size=3
