# A folder quantised by the programme gives what --compute_type int8 gives; failures leave nothing.
model="$TESTS/../fixtures/edgeformer-a"
printf 'bace difo guha.\nJeki lomu nape!\n\nrisotu va we xi yozu 12 + 13\n' >text.txt
"$STET" quantize --text text.txt "$model" small >report.txt; echo "exit $?"
grep -E '^(folder|tensors|other files)' report.txt
grep -cE '^(weights|error|largest error|lines|output tokens) ' report.txt
ls small
cmp "$model/spiece.model" small/spiece.model
diff "$model/config.json" small/config.json
correct() { "$STET" correct --edits=json --scores --max_decoding_length=40 "$@" <text.txt; }
correct -m "$model" --compute_type=int8 >want.txt
correct -m small >have.txt
cmp want.txt have.txt && echo 'the same texts and scores'
"$STET" inspect small | grep -oE 'stored as .*'
# Back to floats, as transformers reads them.
"$STET" quantize --compute_type=float32 small large >/dev/null; echo "exit $?"
"$STET" inspect large | grep -oE 'stored as .*'
diff "$model/config.json" large/config.json && echo 'config.json as it was'
# Refused, and nothing is left.
run() { "$STET" quantize "$@" >out.txt 2>err.txt; echo "exit $?"; grep -oE "$want" err.txt; }
want='small: is there already and is not empty' run "$model" small
want='small: is the folder that is read' run small small
want='nowhere/out: cannot be made' run "$model" nowhere/out
want='nowhere: cannot be opened' run nowhere out
cp -r "$model" cut && chmod u+w cut/* && truncate -s 1000 cut/model.safetensors
want='cut/model.safetensors' run cut out
trap '' XFSZ
ulimit -f 100
want='model.safetensors: cannot be written: File too large' run --compute_type=float32 "$model" out
ls -d ./*
