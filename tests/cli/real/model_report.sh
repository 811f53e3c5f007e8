model="$TESTS/../fixtures/edgeformer-a"
"$STET" inspect "$model" | grep -E '^(family|layers|vocabulary|can be run)'
"$STET" inspect --json "$model" | "$PYTHON" -c '
import json, sys
r = json.load(sys.stdin)
print(r["family"], r["can_be_run"], r["encoder_layers"], r["vocab_size"], r["engine_bytes"] > 0)'
small=$("$STET" inspect --json --batch_size=1 "$model" | grep -o '"engine_bytes":[0-9]*' | cut -d: -f2)
large=$("$STET" inspect --json --batch_size=64 "$model" | grep -o '"engine_bytes":[0-9]*' | cut -d: -f2)
test "$small" -lt "$large" && echo 'more sentences, more memory'
