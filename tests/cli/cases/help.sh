"$STET" --help
"$STET" help correct
"$STET" help inspect
"$STET" help replay
"$STET" correct --help | cmp - <("$STET" help correct)
"$STET" correct -h --model x | cmp - <("$STET" help correct)
"$STET" -h | cmp - <("$STET" help)
for c in correct inspect replay; do "$STET" help $c; done | awk 'length > 80 { print "too wide: " $0 }'
