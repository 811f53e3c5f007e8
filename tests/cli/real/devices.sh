# What `--device cuda` needs and what is said where it is missing: stub plug-ins, whole and broken, stand for the
# device. In messages their folder is STUBS.
model="$TESTS/../fixtures/transformer-pre"
# Passes are compared too: the automatic window would follow the time they take.
printf 'Bace difo guha. Jeki lomu nape!\n\nso tu va we xi yo zu\n' >in.txt
shown() { sed -e "s#$STET_STUBS#STUBS#g" -e 's/needs version [0-9]*/needs version N/' err.txt; }
run() { "$STET" "$@" 2>err.txt >out.txt; echo "exit $?, $(wc -c <out.txt | tr -d ' ') bytes"; shown; }
stub() { STET_PLUGIN_PATH="$STET_STUBS/$1" run correct -m "$model" "${@:2}" in.txt; }

echo '- one that works gives what the processor gives'
"$STET" correct -m "$model" --edits=json --scores --draft_window 5 in.txt >want.json
grep -c '"replacement"' want.json
for device in cuda auto; do
    stub works --device $device --edits=json --scores --draft_window 5
    cmp want.json out.txt
done
stub works --device cuda --device-index 3 --verify
STET_PLUGIN_PATH="$STET_STUBS/works" "$STET" inspect --device=cuda --device_index=3 "$model" |
    grep '^device' | sed 's/cpu (.*)/cpu (KIND)/'

echo '- several share the work, and give the same'
for list in 0,1 5-7,2 all; do
    stub works --device cuda --device_index $list --edits=json --scores --draft_window 5
    cmp want.json out.txt
done
run correct -m "$model" --device_index 0-1 --edits=json --scores --draft_window 5 --verify in.txt
cmp want.json out.txt
STET_PLUGIN_PATH="$STET_STUBS/works" "$STET" inspect --device=cuda --device_index=all "$model" |
    grep -E '^device|each' | sed -e 's/cpu (.*)/cpu (KIND)/' -e 's/[0-9.]* MB/N MB/'
STET_PLUGIN_PATH="$STET_STUBS/works" run quantize --text in.txt --device cuda --device_index 0-1 \
    "$TESTS/../fixtures/edgeformer-a" several | sed 's/, .*bytes//'
echo '- one of two is lost on the way'
stub lost_one --device cuda --device_index 0,1 --edits=json --scores --draft_window 5
cmp want.json out.txt
stub lost_one --device cuda --device_index 0 --batch_size 1

echo '- what is missing'
for name in no_device no_symbol no_table other_version not_there; do
    stub $name --device cuda
done
touch empty.so
STET_PLUGIN_PATH=empty.so run correct -m "$model" --device cuda in.txt
STET_PLUGIN_PATH="$STET_STUBS/no_memory" run correct -m "$model" --device auto in.txt
"$STET" correct -m "$model" in.txt >want.txt
stub no_device --device auto
cmp want.txt out.txt
stub no_device
cmp want.txt out.txt
# Two folders are decoded, but there is one warning.
export STET_PLUGIN_PATH="$STET_STUBS/no_device"
run quantize --text in.txt --device auto "$TESTS/../fixtures/edgeformer-a" int8 | sed 's/, .*bytes//'
run quantize --text in.txt --device cuda "$TESTS/../fixtures/edgeformer-a" other
unset STET_PLUGIN_PATH
test -e other || echo 'no folder'

echo '- a device that is lost on the way'
stub lost --device cuda --batch_size 1

echo '- wrong options'
stub works --device gpu
stub works --device_index 1
stub works --device_index 0,2
stub works --device cuda --device_index 1,1
stub works --device cuda --device_index 3-1
stub works --device cuda --device_index 256
stub works --device cuda --compute_type bfloat16
run correct -m "$model" --compute_type bfloat16 in.txt

echo '- bfloat16 where the device has it'
stub fibers --device cuda --compute_type bfloat16 --verify

echo '- where it is looked for: beside the library, beside the programme, by the loader'
mkdir bin lib loader
cp "$STET" bin/stet
cp "$(dirname "$STET")/libstet.so.0" lib/
export LD_LIBRARY_PATH="$PWD/lib:$PWD/loader"
found() {
    bin/stet inspect --device=cuda "$model" 2>/dev/null | grep '^device, cuda' |
        sed -e "s#$PWD#HERE#g" -e 's/needs version [0-9]*/needs version N/'
}
if ! found | grep -q 'there is no plug-in'; then
    echo 'this system has a plug-in of its own, which the loader finds' >&2
    exit 77
fi
found
cp "$STET_STUBS/works/libstet_cuda.so" loader/
found
cp "$STET_STUBS/other_version/libstet_cuda.so" bin/
found
cp "$STET_STUBS/no_symbol/libstet_cuda.so" lib/
found
STET_PLUGIN_PATH=loader found
