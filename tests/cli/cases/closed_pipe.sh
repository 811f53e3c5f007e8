# The reader goes away: the end is quiet, as with cat.
export STET_MODEL=m
yes teh | "$STET" correct 2>err.txt | head -2
status=("${PIPESTATUS[@]}")
echo "${status[1]}"
cat err.txt
# Where the signal is ignored the write fails; that is no reason for a message either.
(trap '' PIPE; yes teh 2>/dev/null | "$STET" correct 2>err.txt; echo "${PIPESTATUS[1]}" >code.txt) | head -1
while [ ! -s code.txt ]; do sleep 0.01; done
cat code.txt err.txt
