"""Writes COUNT random lines made of what the stand-in library corrects and of what it does not.

make_text.py COUNT [SEED]; the last line ends in a line end with every second seed.
"""
import random
import sys

PARTS = ["teh", "alot", " xdel", "xcut ", "a xboth", "  two", "in cases", "\U0001f600", "caf\u00e9", "xlong",
         "plain", "words", ".", " ", " ", " ", "\t", "  ", "\u00a0", "\u00e9", "\u3000", "\u200b", "pre", "\x1c"]


def main():
    count = int(sys.argv[1])
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    rng = random.Random(seed)
    density = rng.choice([0.1, 0.3, 1.0])
    lines = []
    for i in range(count):
        parts = PARTS if rng.random() < density else PARTS[10:]
        lines.append("".join(rng.choice(parts) for _ in range(rng.randrange(12))) or "line %d" % i)
    text = "\n".join(lines) + ("\n" if seed % 2 else "")
    sys.stdout.buffer.write(text.encode())


main()
