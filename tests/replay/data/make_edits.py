#!/usr/bin/env python3
"""Makes sentences with a known number of mistakes: reads lines, writes the same lines with EDITS changes in each.

usage: make_edits.py [--edits N] [--seed N] < text > edited

A change is, equally often: a word replaced by another word of the text, a word of the text put in, a word left out,
or a slip in the letters of a word (two swapped, one left out, one doubled, one replaced). No two changes of a sentence
touch the same word; a sentence with fewer words than EDITS gets as many changes as it has words. The same seed gives
the same output with every version of Python.
"""

import argparse
import random
import sys

LETTERS = "etaoinshrdlucmfwypvbgk"


class Dice:
    """Draws from random.random() alone: only its sequence is promised to stay the same."""

    def __init__(self, seed):
        self._random = random.Random(seed)

    def below(self, n):
        return int(self._random.random() * n)

    def pick(self, items):
        return items[self.below(len(items))]


def slip(dice, word):
    """The word with one wrong letter; a word of one character is doubled."""
    if len(word) < 2:
        return word + word
    at = dice.below(len(word) - 1)
    kind = dice.below(4)
    if kind == 0 and word[at] != word[at + 1]:
        return word[:at] + word[at + 1] + word[at] + word[at + 2:]
    if kind == 1:
        return word[:at] + word[at + 1:]
    if kind == 2:
        return word[:at + 1] + word[at:]
    letter = dice.pick([c for c in LETTERS if c != word[at]])
    return word[:at] + letter + word[at + 1:]


def other_word(dice, vocabulary, word):
    """A word of the text, as often as the text has it, that is not `word`."""
    for _ in range(100):
        found = dice.pick(vocabulary)
        if found != word:
            return found
    return word + word


def change(dice, word, vocabulary):
    """What stands in the place of one word: a list of words."""
    kind = dice.below(4)
    if kind == 0:
        return [other_word(dice, vocabulary, word)]
    if kind == 1:
        return [dice.pick(vocabulary), word]
    if kind == 2:
        return []
    return [slip(dice, word)]


def edit_line(dice, line, edits, vocabulary):
    words = line.split(" ")
    places = list(range(len(words)))
    for i in range(min(edits, len(words))):
        j = i + dice.below(len(places) - i)
        places[i], places[j] = places[j], places[i]
    chosen = set(places[:edits])
    out = []
    for i, word in enumerate(words):
        out += change(dice, word, vocabulary) if i in chosen else [word]
    return " ".join(out)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--edits", type=int, default=1, help="changes in each sentence (default 1)")
    parser.add_argument("--seed", type=int, default=1, help="another seed gives other changes (default 1)")
    args = parser.parse_args()
    lines = sys.stdin.buffer.read().decode("utf-8").rstrip("\n").split("\n")
    vocabulary = [word for line in lines for word in line.split(" ") if word]
    if not vocabulary:
        sys.exit("make_edits.py: there is no word in the text")
    dice = Dice(args.seed)
    edited = "".join(edit_line(dice, line, args.edits, vocabulary) + "\n" for line in lines)
    sys.stdout.buffer.write(edited.encode("utf-8"))


if __name__ == "__main__":
    main()
