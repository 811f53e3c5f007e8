#!/usr/bin/env python3
"""Writes tests/fixtures/misspellings: a table, sentences, and what scripts/train/misspelling_table.py makes of them.

usage: make_misspelling_fixtures.py

The script changes the case of every letter, stet that of ASCII: sentences and words here begin with no others.
"""

import os
import random
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "scripts", "train"))

from misspelling_table import Respeller, write_table  # noqa: E402

FOLDER = os.path.join(ROOT, "tests", "fixtures", "misspellings")
WORDS = """although beautiful beginning believe business caf\u00e9 calendar committee definitely different don't
embarrass environment foreign friend government grammar happened immediately independent interesting knowledge library
necessary occasion occurred people possible probably receive recommend restaurant separate since surprise their there
tomorrow truly until weird which writing na\u00efve fa\u00e7ade r\u00e9sum\u00e9""".split()
ODD = {"alot": "a lot", "infact": "in fact", "i": "I", "im": "I'm", "Enlgand": "England", "x" * 255: "y" * 255,
       "\u00e9t\u00e8": "\u00e9t\u00e9", "cafe\u0301": "caf\u00e9", "2moro": "tomorrow", "\u65e5\u672d": "\u65e5\u672c"}
PLAIN = "the a of and to in is was it he she on We They 12 3.5 \u2014 - -- \u65e5\u672c ... ? x1".split()
BEFORE = ("", "", "", "", "\"", "'", "(", "[", "\u201c", "\u2018", "\u00ab", "<*", "\"(", "-", "@", "\u2019")
BEHIND = ("", "", "", "", ",", ".", "!", "?!", ";", ":", "\"", "'", ").", "\u201d", "\u2019", "\u00bb", "\u2026", "-",
          "--", "'s", "/")
SPACES = (" ", " ", " ", " ", "  ", "\t", "\u00a0", "\u2003", "\u3000", "\u202f")


def misspelt(rng, word):
    """A word with one letter dropped, doubled or swapped with the next."""
    at = rng.randrange(len(word) - 1)
    return rng.choice((word[:at] + word[at + 1:], word[:at] + word[at] + word[at:],
                       word[:at] + word[at + 1] + word[at] + word[at + 2:]))


def make_rows(rng):
    rows = dict(ODD)
    for word in WORDS:
        for _ in range(8):
            wrong = misspelt(rng, word)
            if wrong not in WORDS:
                rows[wrong] = word
    return rows


def chunk(rng, keys):
    word = rng.choice(keys if rng.random() < 0.5 else WORDS if rng.random() < 0.5 else PLAIN)
    if rng.random() < 0.15:
        word += rng.choice(("-", "-", "--", "\u2013")) + rng.choice(keys)
    case = rng.random()
    if word[0].isascii() and case < 0.3:
        word = word.upper() if case < 0.05 else word[0].upper() + word[1:]
    return rng.choice(BEFORE) + word + rng.choice(BEHIND)


def sentence(rng, keys):
    text = rng.choice(("", "", "", " "))
    for _ in range(rng.randint(1, 8)):
        text += chunk(rng, keys) + rng.choice(SPACES)
    return text if rng.random() < 0.1 else text.rstrip()


def main():
    rng = random.Random(7)
    rows = make_rows(rng)
    os.makedirs(FOLDER, exist_ok=True)
    table = os.path.join(FOLDER, "misspellings.table")
    write_table(table, rows)
    respeller = Respeller(table)
    lines = [sentence(rng, sorted(rows)) for _ in range(400)]
    for name, texts in (("written.txt", lines), ("mended.txt", map(respeller.sentence, lines))):
        with open(os.path.join(FOLDER, name), "w", encoding="utf-8") as f:
            f.write("".join(text + "\n" for text in texts))


if __name__ == "__main__":
    main()
