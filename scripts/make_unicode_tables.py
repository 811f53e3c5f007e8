#!/usr/bin/env python3
"""Writes tokenizer/unicode_table.h: the properties of characters that tokenizer.json files lean on.

    scripts/make_unicode_tables.py [--out tokenizer/unicode_table.h]

Letters, numbers and word characters are asked of the Python package tokenizers, whose version of Unicode (16 in
release 0.23) is the one that ids must agree with; Python's own unicodedata is often years behind it. What it cannot
say, where grapheme clusters end, comes from the package regex, for characters that the former knows.
"""

import argparse

import regex
from tokenizers import Regex, normalizers

CHARS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
BLOCK = 4096
# In the order of the bits of unicode_classes.h.
ORACLE = [r"\p{L}", r"\p{N}", r"[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{200c}\x{200d}]"]
CLUSTERS = [r"\p{GCB=Extend}", r"\p{GCB=SpacingMark}", r"\p{GCB=Prepend}", r"[\p{GCB=Control}\p{GCB=CR}\p{GCB=LF}]",
            r"\p{ExtPict}", r"\p{InCB=Consonant}", r"\p{InCB=Linker}"]


def ask_oracle(pattern):
    strip = normalizers.Replace(Regex(pattern), "")
    found = set()
    for i in range(0, len(CHARS), BLOCK):
        block = CHARS[i:i + BLOCK]
        found |= set(block) - set(map(ord, strip.normalize_str("".join(map(chr, block)))))
    return found


def ask_regex(pattern, unassigned):
    pattern = regex.compile(pattern)
    return {c for c in CHARS if pattern.match(chr(c))} - unassigned


def starts(sets):
    """(first character, bits) wherever the bits change."""
    out, last = [], 0
    for c in range(0x110000):
        bits = sum(1 << i for i, s in enumerate(sets) if c in s)
        if bits != last or c == 0:
            out.append((c, bits))
        last = bits
    return out


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--out", default="tokenizer/unicode_table.h")
    args = ap.parse_args()
    unassigned = ask_oracle(r"\p{Cn}")
    sets = [ask_oracle(p) for p in ORACLE]
    # Controls that are not assigned, such as U+E0080, are controls all the same.
    sets += [ask_regex(p, set() if "Control" in p else unassigned) for p in CLUSTERS]
    words = [f"0x{c << 11 | bits:X}," for c, bits in starts(sets)]
    lines, line = [], "   "
    for word in words:
        if len(line) + 1 + len(word) > 100:
            lines.append(line)
            line = "   "
        line += " " + word
    lines.append(line)
    with open(args.out, "w", encoding="ascii") as f:
        f.write("/* Made by scripts/make_unicode_tables.py. An entry is the first character of a run << 11 | its\n"
                " * classes, the bits of unicode_classes.h. */\n/* clang-format off */\n"
                "static const uint32_t class_starts[] = {\n" + "\n".join(lines) + "\n};\n/* clang-format on */\n")


if __name__ == "__main__":
    main()
