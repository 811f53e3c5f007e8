# The report of a replay through the real library: aligned text, JSON, and a folder that holds a tokenizer only.
mkdir folder && cp "$TESTS/../fixtures/edgeformer-a/spiece.model" folder
printf 'bace difo guha je ki lo.\nna pe ri so tu va we.\nx\n' >source.txt
printf 'bace difo guha ki lo.\nna pe ri tu so va we yo.\nx\n' >first.txt
printf 'bace difo guha je ki lo.\n\nna pe \xff\xfe ri\n' >second.txt
"$STET" replay -m folder --batch_size=2 source.txt first.txt second.txt
"$STET" replay -m folder --draft=edit,sad --draft_window=2 --json --per_sentence source.txt first.txt second.txt \
    >report.json
"$PYTHON" -c '
import json, sys
r = json.load(open(sys.argv[1]))
print(r["draft_window"], r["batch_size"], [a["name"] for a in r["answers"]], r["total"]["sentences"])
for a in r["answers"]:
    for p in a["policies"]:
        s = p["sentences"]
        assert sum(s["passes"]) == p["passes"] and sum(s["rows"]) == p["rows"]
        assert sum(s["accepted"]) == p["accepted"] and p["drafted"] == p["accepted"] + p["rejected"]
        assert p["rows"] == p["passes"] + p["drafted"]
        print(a["name"], p["policy"], s["passes"])' report.json
# NUL bytes are text.
printf 'ba\0ce difo\n' >nul.txt
"$STET" replay -m folder --draft=edit nul.txt nul.txt | grep 'passes per'
# Errors of the library.
run() { "$STET" replay "$@" 2>err.txt; echo "exit $?"; grep -oE "$want" err.txt; }
mkdir nothing
want='nothing.*spiece.model' run -m nothing source.txt first.txt
want='no-folder' run -m no-folder source.txt first.txt
want='option draft: "best".*tree' run -m folder --draft=best source.txt first.txt
want='source.txt, line 1: byte 1 is not' run --ids source.txt first.txt
printf '3 4 5\n' >ids.txt
printf '3 4 1\n' >end.txt
want='end.txt, line 1: token 1 is the end' run --ids -m folder ids.txt end.txt
"$STET" replay --ids --draft=sad ids.txt end.txt | grep -E 'decoder passes|rejected'
