export STET_MODEL=m
printf 'teh one. teh two\n\nthree\n' >in.txt
hide() {
    sed -E -e 's/"(load_ms|wall_ms|peak_resident_bytes)":[0-9.]+/"\1":N/g' \
        -e 's/^(load, ms|with input and output, ms|peak resident, bytes) +[0-9.]+/\1 N/'
}
"$STET" correct --stats in.txt 2>err.txt >out.txt; hide <err.txt; cat out.txt
"$STET" correct --stats=json in.txt 2>&1 >/dev/null | hide
"$STET" correct --stats=text --edits=json /dev/null 2>&1 | hide
# They are shown after a failure too.
printf 'teh\n!device\n' | "$STET" correct --stats=json 2>&1 >/dev/null | hide
