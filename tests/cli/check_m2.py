"""check_m2.py SOURCE CORRECTED M2 LEAST: applies the A lines to the S lines, as a scorer does.

Fails too when there are fewer than LEAST of them, or when most take in more than two tokens.
"""
import sys


def blocks(path):
    for block in open(path, encoding="utf-8", newline="\n").read().split("\n\n"):
        if block:
            yield block.split("\n")


def main():
    source = [t for t in open(sys.argv[1], encoding="utf-8", newline="").read().split("\n")]
    want = [t for t in open(sys.argv[2], encoding="utf-8", newline="").read().split("\n")]
    pairs = [(s.split(), w.split()) for s, w in zip(source, want) if s.split()]
    edits = minimal = 0
    found = list(blocks(sys.argv[3]))
    assert len(found) == len(pairs), (len(found), len(pairs))
    for (tokens, corrected), lines in zip(pairs, found):
        assert lines[0].startswith("S ") and lines[0][2:].split(" ") == tokens, (lines, tokens)
        assert len(lines) > 1
        out, shift, last = list(tokens), 0, 0
        for line in lines[1:]:
            assert line.startswith("A ")
            fields = line[2:].split("|||")
            assert len(fields) == 6 and fields[3:] == ["REQUIRED", "-NONE-", "0"], line
            begin, end = map(int, fields[0].split())
            if fields[1] == "noop":
                assert (begin, end) == (-1, -1) and len(lines) == 2 and tokens == corrected, lines
                continue
            new = fields[2].split(" ") if fields[2] else []
            assert last <= begin <= end <= len(tokens), lines
            assert tokens[begin:end] != new, lines
            out[begin + shift:end + shift] = new
            shift += len(new) - (end - begin)
            last = end
            edits += 1
            minimal += end - begin <= 2
        assert out == corrected, (lines, corrected)
    assert edits >= int(sys.argv[4]) and minimal >= edits // 2, (edits, minimal)
    print("applied")


main()
