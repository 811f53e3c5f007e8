# Sentences run on over line ends; edits may even take a line end away.
export STET_MODEL=m
printf '\n\n  \nThis is on\nto teh\nend.\n\nSecond teh\r\npar\r\n\r\n\n last on\nto' >in.txt
"$STET" correct --input=wrapped in.txt | od -An -c
"$STET" correct --input=wrapped --edits=json in.txt
"$STET" correct --input=wrapped --edits=m2 in.txt
"$STET" correct --input=wrapped --edits=diff in.txt | tee edits.diff
"$STET" correct --input=wrapped in.txt >want.txt
patch -s -p1 <edits.diff && cmp in.txt want.txt
"$STET" correct --input=wrapped --edits=text in.txt
echo
"$STET" correct --input=lines in.txt | cmp - want.txt >cmp.txt || echo 'lines differ from wrapped'
