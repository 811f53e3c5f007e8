"""check_json.py SOURCE CORRECTED EDITS LEAST: applies the edits of --edits=json to the source, in the unit they are in.

Fails too when there are fewer than LEAST of them.
"""
import json
import sys


def units(text, unit):
    """The text as a sequence in which an offset of the unit is an index."""
    if unit == "bytes":
        return text.encode()
    if unit == "codepoints":
        return text
    data = text.encode("utf-16-le")
    return [data[i:i + 2] for i in range(0, len(data), 2)]


def joined(parts, unit):
    if unit == "bytes":
        return b"".join(parts).decode()
    if unit == "codepoints":
        return "".join(parts)
    return b"".join(b for part in parts for b in part).decode("utf-16-le")


def main():
    source = open(sys.argv[1], encoding="utf-8", newline="").read().split("\n")
    want = open(sys.argv[2], encoding="utf-8", newline="").read().split("\n")
    rows = [json.loads(line) for line in open(sys.argv[3], encoding="utf-8", newline="\n")]
    edits = 0
    assert len(rows) == len(source) - (source[-1] == "")
    for i, row in enumerate(rows):
        assert row["line"] == i + 1 and row["source"] == source[i] and row["text"] == want[i], row
        text, out, done, parts = units(row["source"], row["unit"]), units(row["text"], row["unit"]), 0, []
        for e in row["edits"]:
            edits += 1
            end = e["offset"] + e["length"]
            assert e["offset"] >= done
            assert joined([text[e["offset"]:end]], row["unit"]) == e["source"], e
            assert joined([out[e["out_offset"]:e["out_offset"] + e["out_length"]]], row["unit"]) == e["replacement"]
            parts += [text[done:e["offset"]], units(e["replacement"], row["unit"])]
            done = end
        parts.append(text[done:])
        assert joined(parts, row["unit"]) == row["text"], row
        for s in row["sentences"]:
            assert 0 <= s["offset"] <= s["offset"] + s["length"] <= len(text), row
    assert edits >= int(sys.argv[4]), edits
    print(rows[0]["unit"], "applied")


main()
