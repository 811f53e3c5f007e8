# The other files are still corrected; the exit code tells.
export STET_MODEL=m
printf 'teh a\n' >a; printf 'teh b\n' >b; mkdir folder
"$STET" correct a nothing folder b 2>err.txt; echo "exit $?"
cat err.txt
"$STET" correct <folder 2>&1; echo "exit $?"
"$STET" correct 2>&1 <&-; echo "exit $?"
