# Every option stands in the manual page, and no other.
man="$STET_SOURCE_DIR/host/cli/stet.1"
options() { grep -oE '^  (-., )?--[a-z_]+' | sed 's/.*--//' | sort -u; }
for c in correct inspect quantize replay; do "$STET" help $c; done | options >from_help.txt
sed -n 's/^\.BR* .*\\-\\-\([a-z_]*\).*/\1/p' "$man" | sort -u >from_man.txt
grep -qx version from_man.txt && sed -i '/^version$/d' from_man.txt
diff from_help.txt from_man.txt && echo 'the same options'
