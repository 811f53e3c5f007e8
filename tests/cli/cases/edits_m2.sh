export STET_MODEL=m
sed 's/TAB/\t/' >in.txt <<'END'
teh cat . I saw xdel alot .
Nothing to do .

a xboth tehteh x
  spaced   tehTABout two
 xdel only
hello xdel
xcut first last
in cases of teh
preteh tehpost teh.teh
x  two
END
"$STET" correct --edits=m2 in.txt
printf 'not\302\240one teh\377 \nbad xbar teh\nbad xbar\nend teh' >in.txt
"$STET" correct --edits=m2 in.txt 2>&1
