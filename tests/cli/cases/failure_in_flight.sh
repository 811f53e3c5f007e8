# A failure ends the work after what stood before it was written, although much after it was done or under way:
# whatever never ends by itself is cancelled.
export STET_MODEL=m
lines() { seq 1 3000 | sed -e 's/^/teh /' -e "$@"; }
run() {
    timeout 100 "$STET" correct "$@" >out.txt 2>err.txt
    echo "exit $?"
    wc -l <out.txt
    tail -1 out.txt
    cat err.txt
}
lines '700s/$/ !device/' >device.txt
run device.txt
lines '700s/$/ !device/' -e '695s/^/!slow /' -e '701,$s/$/ !never/' >never.txt
run never.txt
lines '2s/$/ !dead/' -e '1s/^/!slow /' >dead.txt
run dead.txt
lines '700s/$/ !nomem/' -e '710s/$/ !device/' >two.txt
run two.txt
lines '20s/$/ !full/' >full.txt
run full.txt
lines '700s/$/ !toolong/' -e '710s/$/ !toolong/' >long.txt
run long.txt
sed '700!s/teh/the/; 710s/the/teh/' long.txt | cmp - out.txt
# The first of two files fails: nothing of the second is written.
echo 'teh second' >second.txt
run two.txt second.txt
run second.txt nothing two.txt second.txt
# What is in flight does not hold up the end when nobody reads any more.
(echo teh; yes '!slow teh' | head -200; yes '!never') 2>err.txt | timeout 100 "$STET" correct 2>>err.txt | head -1
echo "${PIPESTATUS[1]}"
cat err.txt
