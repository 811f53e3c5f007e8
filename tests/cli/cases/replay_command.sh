# What `stet replay` hands to the library, and what it refuses before.
export STET_MODEL=folder
printf 'One go.\nTwo.\r\n\nlast' >source.txt
printf 'One goes.\nTwo.\n\nlast\n' >answers.txt
printf 'A\nB\nC\nD\n' >other.txt
run() { "$STET" replay "$@" 2>err.txt; echo "exit $?"; cat err.txt; }
run source.txt answers.txt
run --json --per_sentence --draft=tree --draft_window=5 --batch-size=3 -m named source.txt answers.txt other.txt
run - answers.txt <source.txt
run source.txt <(cat answers.txt) | sed 's/.dev.fd.[0-9]*/PIPE/'
# Token ids need no folder, but take one.
run --ids source.txt answers.txt
run --ids -m named source.txt answers.txt
# More than the first buffer holds.
for _ in $(seq 3000); do echo 'a line'; done >many.txt
run many.txt many.txt | tr ']' '\n' | grep -c '\[a line|a line'
# Refused.
run
run source.txt
run - - <source.txt
run --per_sentence source.txt answers.txt
run --draft=worst source.txt answers.txt
run --verify source.txt answers.txt
run --batch_size=x source.txt answers.txt
run source.txt missing.txt
head -3 answers.txt >three.txt
run source.txt answers.txt three.txt
head -1 answers.txt >one.txt
run source.txt one.txt
: >empty.txt
run source.txt empty.txt
run empty.txt empty.txt
run -m missing source.txt answers.txt
run -m broken source.txt answers.txt
run source.txt .
