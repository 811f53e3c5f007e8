# Not on a terminal: nothing without being asked, one line at the end when asked.
export STET_MODEL=m
printf 'teh\nteh\n' >in.txt
"$STET" correct in.txt 2>&1
"$STET" correct --progress=always in.txt 2>&1 >/dev/null |
    sed -E 's/[0-9.]+ lines\/s/N lines\/s/; s/[0-9]+ s left/N s left/; s/[0-9.]+ .?B\/s/N\/s/'
"$STET" correct --progress=never in.txt 2>&1
