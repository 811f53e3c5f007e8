export HOME=/nonexistent
relative() { sed "s#$PWD#HERE#g; s#, /[^ ,]*/share/stet/#, PREFIX/share/stet/#"; }
mkdir -p tree/build inst/bin inst/share/stet/models/stet-edge-en
cp "$STET" tree/build/stet; cp "$STET" inst/bin/stet
echo teh | tree/build/stet correct 2>&1 | relative; echo "exit ${PIPESTATUS[1]}"
mkdir -p tree/models/stet-edge-en
touch tree/models/stet-edge-en/config.json inst/share/stet/models/stet-edge-en/config.json
echo teh | tree/build/stet correct 2>&1
echo teh | inst/bin/stet correct 2>&1
ln -s ../inst/bin/stet tree/link
echo teh | tree/link correct 2>&1
echo teh | STET_MODEL=missing tree/build/stet correct 2>&1; echo "exit $?"
echo teh | STET_MODEL= tree/build/stet correct 2>&1
echo teh | STET_MODEL=missing tree/build/stet correct --model other 2>&1
inst/bin/stet inspect
