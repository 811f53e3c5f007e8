run() { "$STET" inspect "$@" 2>err.txt; echo "exit $?"; cat err.txt; }
run folder
run --json folder
run --json --batch_size=3 --compute_type=int8 folder
run broken
run missing
run --device=cuda folder
run --batch_size=x folder
run long | tr -d '\n' | wc -c
