# Lines without text take no room from those that have some, in whatever number they come.
export STET_MODEL=m
"$PYTHON" -c '
for i in range(200):
    print("!slow teh " + str(i) + "\n" * 999)' >in.txt
sed 's/teh/the/' in.txt >want.txt
"$STET" correct in.txt | cmp - want.txt && echo same
"$STET" correct --input=wrapped in.txt | cmp - want.txt && echo same
head -c 3000000 /dev/zero | tr '\0' '\n' >empty.txt
"$STET" correct empty.txt | cmp - empty.txt && echo same
"$STET" correct --stats=json empty.txt 2>&1 >/dev/null | grep -oE '"(lines|sentences)":[0-9]+'
