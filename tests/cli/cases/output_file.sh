export STET_MODEL=m
printf 'teh a\n' >a
"$STET" correct a -o out.txt; echo "exit $?"; cat out.txt
printf 'a much longer old text\n' >old.txt
"$STET" correct --output=old.txt a; cat old.txt
"$STET" correct a -o -
# Never over an input.
"$STET" correct a -o a 2>&1; echo "exit $?"; cat a
"$STET" correct -o a <a 2>&1; echo "exit $?"; cat a
"$STET" correct a >>a 2>err.txt; echo "exit $?"; cat a err.txt
"$STET" correct a -o no/such/folder 2>&1; echo "exit $?"
# A wrong option is found before the file is touched.
"$STET" correct a -o old.txt --batch_size=x 2>&1; echo "exit $?"; cat old.txt
"$STET" correct a -o old.txt --model missing 2>&1; echo "exit $?"; cat old.txt
