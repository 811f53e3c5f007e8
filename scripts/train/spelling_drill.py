#!/usr/bin/env python3
"""Pairs that are about spelling alone: the densest way to teach a small model its words.

`dense` misspells many known words of a sentence, `words` makes a line of frequent words of which most are
misspelt.  Names and rare words are left as they are: what they should be cannot be known.
"""
import argparse
import random
import re
from collections import Counter
from itertools import accumulate

import error_tables as tables
from letter_slips import spell_letters

WORD = re.compile(r"[A-Za-z]+")
# What is heard alike by speakers of other languages, anywhere in a word.
ALIKE = (("a", "e"), ("e", "a"), ("e", "i"), ("i", "e"), ("o", "u"), ("u", "o"), ("a", "o"), ("o", "a"), ("b", "p"),
         ("p", "b"), ("v", "b"), ("b", "v"), ("f", "v"), ("d", "t"), ("t", "d"), ("g", "j"), ("j", "g"), ("l", "r"),
         ("r", "l"), ("s", "z"), ("c", "s"), ("s", "c"), ("k", "c"), ("c", "k"), ("m", "n"), ("n", "m"), ("ch", "sh"),
         ("sh", "ch"), ("th", "d"), ("h", ""), ("w", "wh"), ("ur", "er"), ("er", "re"), ("qu", "cu"), ("x", "s"),
         ("ea", "i"), ("ie", "e"), ("ou", "u"), ("tion", "shon"), ("sion", "tion"), ("ious", "us"), ("ight", "ite"))


def heard_alike(word, rng):
    """One exchange of sounds that are alike, the first letter included."""
    hits = [(at, old, new) for old, new in ALIKE for at in range(len(word)) if word.startswith(old, at)]
    if not hits:
        return word
    at, old, new = rng.choice(hits)
    return word[:at] + new + word[at + len(old):]


def end_slip(word, rng):
    """A letter too many or too few at the end."""
    if word[-1] == "e" and rng.random() < 0.6:
        return word[:-1]
    return word + rng.choice("e e e s t d y w".split()) if rng.random() < 0.7 else word[:-1]


class SpellingDrill:
    """Makes pairs; every draw comes from one seeded generator."""

    def __init__(self, data, seed, lines, most=16000):
        self.rng = random.Random(seed)
        self.misspelt = tables.read_misspellings(data + "/tables/typos_words.csv")
        listed = tables.read_inflections(data + "/tables/lemminflect_infl_lu.csv")
        known = set(tables.FUNCTION_WORDS) | set(self.misspelt)
        for table in listed.values():
            for lemma, forms in table.items():
                known.add(lemma)
                known.update(forms)
        counts = Counter()
        for line in lines:
            counts.update(word for word in WORD.findall(line) if word.islower())
        best = [(word, count) for word, count in counts.most_common(2 * most)
                if len(word) > 3 and word in known and count > 3][:most]
        self.known = {word for word, _ in counts.items() if len(word) > 3 and word in known}
        self.words_of = [word for word, _ in best]
        self.cumulative = list(accumulate(count ** 0.5 for _, count in best))

    def slip(self, word):
        """A misspelling of a known word: a listed one, or one to three slips."""
        rng, listed, new = self.rng, self.misspelt.get(word), word
        if listed and rng.random() < 0.3:
            return rng.choice(listed)
        draw = rng.random()
        for _ in range(1 + (draw < 0.35) + (draw < 0.08 and len(word) > 6)):
            kind = rng.random()
            if len(new) < 4:
                break
            new = (heard_alike(new, rng) if kind < 0.4 else end_slip(new, rng) if kind < 0.5
                   else spell_letters(new, rng))
        return new if new not in self.known else word

    def put(self, match, rate):
        """The word of a match, misspelt at this rate where it is a known one."""
        word = match.group()
        lower = word.lower()
        if lower not in self.known or not (word.islower() or word.istitle()) or self.rng.random() >= rate:
            return word
        if word.istitle() and match.start() > 0:
            return word
        new = self.slip(lower)
        return new.capitalize() if word.istitle() else new

    def dense(self, line):
        """A sentence in which many words are misspelt."""
        rate = self.rng.uniform(0.1, 0.5)
        return WORD.sub(lambda match: self.put(match, rate), line), line

    def words(self):
        """A line of words, most of them misspelt."""
        right = self.rng.choices(self.words_of, cum_weights=self.cumulative, k=self.rng.randrange(6, 16))
        wrong = [self.slip(word) if self.rng.random() < 0.65 else word for word in right]
        return " ".join(wrong), " ".join(right)


def main():
    """Print some pairs of both kinds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="data folder that holds tables/")
    parser.add_argument("--input", required=True, help="clean text")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=20)
    args = parser.parse_args()
    with open(args.input, encoding="utf-8") as handle:
        lines = [line.strip() for _, line in zip(range(100000), handle)]
    drill = SpellingDrill(args.data, args.seed, lines)
    for line in lines[:args.count]:
        print("\t".join(drill.dense(line)))
        print("\t".join(drill.words()))


if __name__ == "__main__":
    main()
