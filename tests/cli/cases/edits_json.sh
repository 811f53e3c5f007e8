export STET_MODEL=m
text='teh caf\303\251. I saw \360\237\230\200 teh "x"\\\n\nfine\r\n\377 teh\t\001\n'
printf "$text" >in.txt
"$STET" correct --edits=json in.txt
"$STET" correct --edits=json --units=utf16 --scores <in.txt
"$STET" correct --edits=json --units=codepoints in.txt
