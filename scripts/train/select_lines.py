#!/usr/bin/env python3
"""Thin out clean lines that are full of rare words.

Learners write with common words; encyclopedia text does not.  A line in
which more than `--rare_share` of the words lie outside the `--common` most
frequent ones is kept with probability `--keep`.  The last `--reserved`
lines, which are for dev and test, are always kept.
"""
import argparse
import random
import re
import sys
from collections import Counter

WORD = re.compile(r"[A-Za-z]+")


def rare_share(line, common):
    """The share of words in a line that are not among the common ones."""
    words = WORD.findall(line.lower())
    return sum(word not in common for word in words) / max(len(words), 1)


def main():
    """Read a file of lines, write those that are kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", required=True, help="clean text")
    parser.add_argument("--common", type=int, default=6000)
    parser.add_argument("--rare_share", type=float, default=0.08)
    parser.add_argument("--keep", type=float, default=0.3)
    parser.add_argument("--reserved", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    with open(args.input, encoding="utf-8") as handle:
        lines = handle.read().splitlines()
    counts = Counter()
    for line in lines[::4]:
        counts.update(WORD.findall(line.lower()))
    common = {word for word, _ in counts.most_common(args.common)}
    last, kept, plain = len(lines) - args.reserved, 0, 0
    for index, line in enumerate(lines):
        easy = rare_share(line, common) <= args.rare_share
        if index >= last or easy or rng.random() < args.keep:
            print(line)
            kept += 1
            plain += easy
    print(f"{kept} of {len(lines)} lines kept, {plain} of them plain",
          file=sys.stderr)


if __name__ == "__main__":
    main()
