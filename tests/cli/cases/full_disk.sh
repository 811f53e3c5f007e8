export STET_MODEL=m
[ -e /dev/full ] || exit 77
printf 'teh\n' | "$STET" correct 2>&1 >/dev/full; echo "exit $?"
printf 'teh\n' | "$STET" correct -o /dev/full 2>&1; echo "exit $?"
"$STET" --help 2>&1 >/dev/full; echo "exit $?"
"$STET" inspect m 2>&1 >/dev/full; echo "exit $?"
printf 'teh\n' | "$STET" correct 2>&1 >&-; echo "exit $?"
