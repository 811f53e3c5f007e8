# Every kind of error has its exit code and a message that says what is wrong.
model="$TESTS/../fixtures/edgeformer-a"
run() {
    printf 'Text.\n' | "$STET" "$@" >out.txt 2>err.txt
    echo "exit $?, $(wc -l <err.txt) line"
    grep -oE "$want" err.txt
}
want='option batch_size: "0"' run correct -m "$model" --batch_size=0
want='option compute_type: "x".*int8' run correct -m "$model" --compute-type=x
want='option draft: "x".*sad' run correct -m "$model" --draft=x
want='memory_limit' run correct -m "$model" --memory_limit=10
want='nothing-here' run correct -m nothing-here
mkdir empty
want='empty' run correct -m empty
cp -r "$model" cut && chmod u+w cut/* && truncate -s 1000 cut/model.safetensors
want='cut/model.safetensors' run correct -m cut
want='cut/model.safetensors' run inspect cut
cat out.txt | grep -c 'can be run  *no'
"$STET" correct -m "$model" --device=cuda </dev/null 2>err.txt
case $? in 0|4) echo 'a device, or exit code 4' ;; esac
