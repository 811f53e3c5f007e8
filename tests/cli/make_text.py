"""Writes COUNT random lines made of what the stand-in library corrects and of what it does not.

make_text.py COUNT SEED [COUNT SEED ...]: several texts go to files COUNT-SEED.txt, a single one to standard
output. The last line ends in a line end with every second seed.
"""
import random
import sys

PARTS = ["teh", "alot", " xdel", "xcut ", "a xboth", "  two", "in cases", "\U0001f600", "caf\u00e9", "xlong",
         "plain", "words", ".", " ", " ", " ", "\t", "  ", "\u00a0", "\u00e9", "\u3000", "\u200b", "pre", "\x1c"]


def make(count, seed):
    rng = random.Random(seed)
    density = rng.choice([0.1, 0.3, 1.0])
    lines = []
    for i in range(count):
        parts = PARTS if rng.random() < density else PARTS[10:]
        lines.append("".join(rng.choice(parts) for _ in range(rng.randrange(12))) or "line %d" % i)
    return ("\n".join(lines) + ("\n" if seed % 2 else "")).encode()


def main():
    numbers = [int(a) for a in sys.argv[1:]]
    pairs = list(zip(numbers[::2], numbers[1::2]))
    if len(pairs) == 1:
        sys.stdout.buffer.write(make(*pairs[0]))
        return
    for count, seed in pairs:
        with open("%d-%d.txt" % (count, seed), "wb") as f:
            f.write(make(count, seed))


main()
