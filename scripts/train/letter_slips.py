#!/usr/bin/env python3
"""Made misspellings: slips of the fingers and of the ear inside a word."""
import argparse
import random

NEAR_KEYS = {"q": "wa", "w": "qes", "e": "wrd", "r": "etf", "t": "ryg",
             "y": "tuh", "u": "yij", "i": "uok", "o": "ipl", "p": "ol",
             "a": "qsz", "s": "awdx", "d": "sefc", "f": "drgv", "g": "fthb",
             "h": "gyjn", "j": "hukm", "k": "jil", "l": "kop", "z": "asx",
             "x": "zsdc", "c": "xdfv", "v": "cfgb", "b": "vghn", "n": "bhjm",
             "m": "njk"}
PHONETIC = (("tion", "sion"), ("sion", "tion"), ("tion", "cion"), ("ie", "ei"),
            ("ei", "ie"), ("ph", "f"), ("ck", "k"), ("c", "k"), ("c", "s"),
            ("sc", "s"), ("ch", "c"), ("wh", "w"), ("gh", "g"), ("ea", "e"),
            ("ea", "ee"), ("ee", "ea"), ("ou", "o"), ("ough", "of"),
            ("ai", "ei"), ("ai", "a"), ("au", "o"), ("ance", "ence"),
            ("ence", "ance"), ("ent", "ant"), ("ant", "ent"), ("able", "ible"),
            ("ible", "able"), ("er", "ar"), ("ar", "er"), ("or", "er"),
            ("ly", "ley"), ("lly", "ly"), ("ful", "full"), ("y", "i"),
            ("i", "y"), ("ious", "ous"), ("eous", "ious"), ("ate", "et"),
            ("kn", "n"), ("z", "s"), ("s", "z"), ("s", "c"), ("x", "cs"),
            ("qu", "k"), ("th", "t"), ("oo", "u"), ("v", "b"), ("le", "el"),
            ("re", "er"), ("ed", "d"), ("ing", "in"), ("ture", "cher"))
VOWELS = "aeiou"


def spell_letters(word, rng):
    """One slip of the fingers or the ear inside a word of 3+ letters."""
    kind = rng.random()
    if kind < 0.40:
        hits = [pair for pair in PHONETIC if pair[0] in word[1:]]
        if hits:
            old, new = rng.choice(hits)
            at = word.index(old, 1)
            return word[:at] + new + word[at + len(old):]
        kind = 0.40 + rng.random() * 0.60
    at = rng.randrange(1, len(word))
    if kind < 0.55:
        places = [i for i in range(len(word)) if word[i] in VOWELS]
        if places:
            at = rng.choice(places)
            new = rng.choice(VOWELS) if rng.random() < 0.7 else ""
            return word[:at] + new + word[at + 1:]
    if kind < 0.70:
        doubled = [i for i in range(1, len(word)) if word[i] == word[i - 1]]
        at = rng.choice(doubled) if doubled else at
        return word[:at] + word[at + 1:]
    if kind < 0.80:
        return word[:at] + word[at] + word[at:]
    if kind < 0.92:
        at = min(at, len(word) - 2)
        return word[:at] + word[at + 1] + word[at] + word[at + 2:]
    near = NEAR_KEYS.get(word[at], "e")
    return word[:at] + rng.choice(near) + word[at + (rng.random() < 0.7):]


def main():
    """Print some slips of each word given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="+", help="words of 3 or more letters")
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    for word in args.words:
        print(word, *(spell_letters(word, rng) for _ in range(args.count)))


if __name__ == "__main__":
    main()
