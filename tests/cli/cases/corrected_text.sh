# Lines in, lines out; line ends stay what they were.
export STET_MODEL=m
printf 'teh cat\nteh dog\r\n\nalot\000teh \377teh' | "$STET" correct | od -An -c
printf 'teh a\n' >1; printf 'teh b' >2; printf 'teh c\n' >3
"$STET" correct 1 2 3
printf 'teh -\n' | "$STET" correct 1 - 3
"$STET" correct -- 1
