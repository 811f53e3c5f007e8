export STET_MODEL=m
printf '1\n2\n3\n4\nteh\n6\n7\n8\n9\n10\n11\nteh\n13\n14\n15\n16\n17\n18\n19\nteh\nteh\n22' >'a file'
printf 'same\n' >same
printf 'teh' >"$(printf 'odd\t"name')"
printf 'teh\r\nx\r\n' >crlf
"$STET" correct --edits=diff 'a file' same odd* crlf | tee all.diff
printf 'teh\n' | "$STET" correct --edits=diff
mkdir -p new
for f in 'a file' same odd* crlf; do "$STET" correct "$f" >"new/$f"; done
patch -s -p1 <all.diff && for f in 'a file' same odd* crlf; do cmp "$f" "new/$f"; done
