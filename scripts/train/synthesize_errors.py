#!/usr/bin/env python3
"""Turn clean sentences into (wrong, right) pairs with learner-like errors.

The number of errors is drawn per sentence; each error has a kind drawn from
a weighted mix, and a place drawn among the words where that kind can happen.
A share of the pairs stays untouched, and a share is written in the tokenised
form of the JFLEG files (spaces around punctuation, "do n't").
"""
import argparse
import random
import re
import sys
from itertools import accumulate

import error_tables as tables
from letter_slips import VOWELS, spell_letters

TOKEN = re.compile(r"(\s*)([A-Za-z]+(?:['’][A-Za-z]+)*|\d[\d.,]*\d|\d|\S)")
MIX = {"spelling": 32, "determiner": 14, "verb": 13, "preposition": 10,
       "comma": 8, "final_stop": 2, "noun": 11, "agreement": 14, "case": 5,
       "spacing": 3, "derivation": 4.5, "pronoun": 2, "confusion": 6,
       "drop_word": 2, "double_word": 1, "swap": 1.5, "apostrophe": 2,
       "insert_word": 1.5, "auxiliary": 2, "pattern": 7}
FILLERS = ("very", "so", "just", "also", "that", "of", "to", "it", "is", "more",
           "then", "really", "do", "will", "have", "there", "and")
BE_AND_HAVE = {"is": "are be was", "are": "is be were", "was": "were is",
               "were": "was are", "has": "have had", "have": "has had",
               "does": "do did", "do": "does", "am": "is are",
               "isn't": "aren't don't", "aren't": "isn't", "wasn't": "weren't",
               "weren't": "wasn't", "hasn't": "haven't", "haven't": "hasn't",
               "doesn't": "don't don't isn't", "don't": "doesn't",
               "been": "being be", "had": "has have", "being": "been be"}


def like_case(new, old):
    """Give `new` the initial capital or the all-capitals of `old`."""
    if old[0].isupper() and new:
        if len(old) > 1 and old.isupper():
            return new.upper()
        return new[0].upper() + new[1:]
    return new


CONTRACTION = re.compile(r"(?i)(?<=[a-z])(n't|['’](?:s|re|ve|ll|d|m))(?![a-z])")
PUNCTUATION = re.compile(r"([!?;:()\[\]\"“”])|(,)(?!\d)|(\.)(?=[\"”')\s]*$)|(--)|(…)")


def tokenise(text):
    """The JFLEG form: spaces around punctuation, contractions split."""
    text = PUNCTUATION.sub(r" \1\2\3\4\5 ", text)
    text = CONTRACTION.sub(r" \1", text)
    text = text.replace("cannot", "can not")
    return " ".join(text.split())


class ErrorMaker:
    """Makes wrong sentences; every draw comes from one seeded generator."""

    def __init__(self, data, seed, clean_share=0.17, tokenised_share=0.35,
                 mean_rate=0.16):
        inflections = tables.read_inflections(
            data + "/tables/lemminflect_infl_lu.csv")
        self.nouns = tables.noun_map(inflections["noun"])
        self.verbs = tables.verb_map(inflections["verb"])
        self.third = tables.agreement_map(inflections["verb"])
        self.derived = tables.derivation_map(inflections)
        self.misspelt = tables.read_misspellings(
            data + "/tables/typos_words.csv")
        self.confused = tables.confusion_map()
        self.near_prepositions = {word: near.split() for word, near
                                  in tables.CLOSE_PREPOSITIONS.items()}
        self.pronouns = {word: forms.split() for word, forms
                         in tables.PRONOUNS.items()}
        self.agreement = {word: forms.split() for word, forms
                          in BE_AND_HAVE.items()}
        self.rng = random.Random(seed)
        self.kinds = list(MIX)
        self.cumulative = list(accumulate(MIX.values()))
        self.makers = [getattr(self, "make_" + kind) for kind in self.kinds]
        self.clean_share = clean_share
        self.tokenised_share = tokenised_share
        self.mean_rate = mean_rate

    def pair(self, line):
        """One clean line -> (wrong, right), maybe both tokenised."""
        rng, wrong = self.rng, line
        if rng.random() >= self.clean_share:
            wrong = self.corrupt(line)
        if rng.random() < self.tokenised_share:
            return tokenise(wrong), tokenise(line)
        return wrong, line

    def corrupt(self, line):
        """Apply a drawn number of errors to one line."""
        rng = self.rng
        parts = TOKEN.findall(line)
        self.gaps = [gap for gap, _ in parts]
        self.words = [word for _, word in parts]
        self.lower = [word.lower() for word in self.words]
        self.used = [False] * len(parts)
        size = sum(1 for word in self.words if word[0].isalpha())
        rate = rng.gammavariate(2.0, self.mean_rate / 2.0)
        count = max(1, int(min(rate, 0.5) * size + rng.random()))
        for maker in rng.choices(self.makers, cum_weights=self.cumulative,
                                 k=count):
            maker()
        out = "".join([gap + word for gap, word in zip(self.gaps, self.words)])
        return out.strip() or line

    def pick(self, test):
        """A free place for which test(lower word, place) holds, or -1."""
        hits = [i for i, word in enumerate(self.lower)
                if not self.used[i] and test(word, i)]
        return self.rng.choice(hits) if hits else -1

    def pick_in(self, table):
        """A free place whose word is a key of the table, or -1."""
        used = self.used
        hits = [i for i, word in enumerate(self.lower)
                if word in table and not used[i]]
        return self.rng.choice(hits) if hits else -1

    def put(self, at, new):
        """Replace the word at a place, keeping its case."""
        self.words[at] = like_case(new, self.words[at])
        self.used[at] = True

    def remove(self, at):
        """Remove the word at a place; the next one takes over its gap."""
        old = self.words[at]
        self.words[at] = ""
        self.used[at] = True
        if at + 1 < len(self.words):
            self.used[at + 1] = True
            self.gaps[at + 1] = self.gaps[at]
            if old[0].isupper() and self.rng.random() < 0.8:
                follow = self.words[at + 1]
                self.words[at + 1] = follow[:1].upper() + follow[1:]
        self.gaps[at] = ""

    def insert(self, at, new):
        """Put a new word before the word at a place."""
        old = self.words[at]
        if at == 0 and old[:1].isupper():
            keep = old == "I" or not old[1:].islower()
            old = old if keep else old[0].lower() + old[1:]
            new = new[0].upper() + new[1:]
        self.words[at] = new + " " + old
        self.used[at] = True

    def swap_in(self, table):
        """Replace one word that the table knows by one of its forms."""
        at = self.pick_in(table)
        if at >= 0:
            self.put(at, self.rng.choice(table[self.lower[at]]))

    def make_spelling(self):
        """A listed misspelling, or a slip of one or two letters."""
        rng = self.rng
        at = self.pick(lambda word, i: len(word) > 3 and word.isalpha())
        if at < 0:
            return
        word, listed = self.lower[at], self.misspelt.get(self.lower[at])
        if listed and rng.random() < 0.55:
            new = rng.choice(listed)
        else:
            new = spell_letters(word, rng)
            if rng.random() < 0.15 and len(new) > 5:
                new = spell_letters(new, rng)
        self.put(at, new)

    def make_determiner(self):
        """Drop, swap or insert an article."""
        rng, kind = self.rng, self.rng.random()
        if kind < 0.70:
            at = self.pick(lambda word, i: word in tables.DETERMINERS)
            if at >= 0 and kind < 0.45:
                self.remove(at)
            elif at >= 0:
                other = [d for d in tables.DETERMINERS if d != self.lower[at]]
                self.put(at, rng.choice(other))
            return
        at = self.pick(lambda word, i: word in self.nouns and i > 0
                       and self.lower[i - 1] not in tables.DETERMINERS)
        if at >= 0:
            first = self.lower[at][0] in VOWELS
            self.insert(at, rng.choice(
                ("the", "the", "an" if first else "a")))

    def make_preposition(self):
        """Swap, drop or insert a preposition."""
        kind = self.rng.random()
        at = self.pick_in(self.near_prepositions)
        if at < 0:
            return
        if kind < 0.62:
            self.put(at, self.rng.choice(
                self.near_prepositions[self.lower[at]]))
        elif kind < 0.85:
            self.remove(at)
        else:
            self.insert(self.rng.randrange(len(self.words)),
                        self.rng.choice(("of", "to", "in", "for", "on", "with",
                                         "at", "about")))

    def make_verb(self):
        """Another form of a verb that stands where a verb can stand."""
        lower, nouns = self.lower, self.nouns
        at = self.pick(lambda word, i: word in self.verbs and (
            word not in nouns or i > 0 and lower[i - 1] in tables.AUXILIARIES))
        if at >= 0:
            self.put(at, self.rng.choice(self.verbs[lower[at]]))

    def make_agreement(self):
        """is/are, has/have, or an -s too few or too many on a verb."""
        kind, lower, third = self.rng.random(), self.lower, self.third
        if kind < 0.35:
            return self.swap_in(self.agreement)
        if kind < 0.75:
            at = self.pick(lambda word, i: i > 0 and word in third
                           and lower[i - 1] in tables.SUBJECTS)
        else:
            at = self.pick(lambda word, i: i > 0 and word in third
                           and lower[i - 1] not in tables.DETERMINERS
                           and (word not in self.nouns or word.endswith("s")))
        if at >= 0:
            self.put(at, self.rng.choice(third[lower[at]]))
        return None

    def make_noun(self):
        """Singular for plural or the other way round, often after a cue."""
        if self.rng.random() < 0.45:
            lower = self.lower
            cues = tables.SINGULAR_CUES | tables.PLURAL_CUES
            at = self.pick(lambda word, i: i > 0 and word in self.nouns
                           and lower[i - 1] in cues)
            if at >= 0:
                return self.put(at, self.rng.choice(self.nouns[lower[at]]))
        return self.swap_in(self.nouns)

    def make_pattern(self):
        """What nearly every learner writes: "every days", "he don't"."""
        lower, rare = self.lower, ("does", "doesn't", "don't", "has", "hasn't",
                                   "haven't", "isn't", "aren't", "weren't")
        if self.rng.random() < 0.4:
            at = self.pick(lambda word, i: word in rare)
            if at >= 0:
                self.put(at, self.rng.choice(self.agreement[lower[at]]))
            return
        at = self.pick(lambda word, i: i > 0 and word in self.nouns
                       and lower[i - 1] in tables.STRONG_CUES)
        if at >= 0:
            self.put(at, self.rng.choice(self.nouns[lower[at]]))

    def make_derivation(self):
        """Another part of speech or degree of the same word."""
        self.swap_in(self.derived)

    def make_pronoun(self):
        """Another pronoun."""
        self.swap_in(self.pronouns)

    def make_confusion(self):
        """A word that is often taken for this one."""
        self.swap_in(self.confused)

    def make_auxiliary(self):
        """Drop an auxiliary, or put `to` behind a modal."""
        at = self.pick_in(tables.AUXILIARIES)
        if at < 0:
            return
        if self.rng.random() < 0.7:
            self.remove(at)
        elif at + 1 < len(self.words):
            self.insert(at + 1, self.rng.choice(("to", "be", "have", "is")))

    def make_comma(self):
        """Drop a comma, or insert one before a word."""
        at = self.pick(lambda word, i: word in ",;:")
        if at >= 0 and self.rng.random() < 0.8:
            self.words[at] = "" if self.rng.random() < 0.85 else "."
            self.used[at] = True
        elif len(self.words) > 3:
            at = self.rng.randrange(1, len(self.words))
            if self.gaps[at]:
                self.gaps[at] = ("," if self.rng.random() < 0.85 else
                                 " ,") + self.gaps[at]

    def make_final_stop(self):
        """Drop the last punctuation mark."""
        if self.words and self.words[-1] in ".!?":
            self.words[-1] = ""
            self.used[-1] = True

    def make_apostrophe(self):
        """Drop an apostrophe, or put one before a final s."""
        at = self.pick(lambda word, i: "'" in word and len(word) > 2)
        if at >= 0:
            self.words[at] = self.words[at].replace("'", "")
            self.used[at] = True
        elif self.rng.random() < 0.4:
            at = self.pick(lambda word, i: word[-1] == "s" and word in self.nouns)
            if at >= 0:
                self.put(at, self.lower[at][:-1] + "'s")

    def make_case(self):
        """Lower a capital, or raise the first letter of a word."""
        rng, kind = self.rng, self.rng.random()
        if kind < 0.15:
            at = self.pick(lambda word, i: word.isalpha())
            new = self.words[at].capitalize() if at >= 0 else ""
        elif kind < 0.18:
            for i, word in enumerate(self.words):
                self.words[i] = word.lower()
            return
        else:
            words = self.words
            at = self.pick(lambda word, i: words[i][:1].isupper()
                           and (i == 0 or word == "i" or rng.random() < 0.5))
            new = self.words[at].lower() if at >= 0 else ""
        if at >= 0:
            self.words[at] = new
            self.used[at] = True

    def make_spacing(self):
        """Join two words, split one, or move a space at punctuation."""
        rng, kind = self.rng, self.rng.random()
        if len(self.words) < 3:
            return
        at = rng.randrange(1, len(self.words))
        if kind < 0.4:
            self.gaps[at] = ""
        elif kind < 0.65:
            at = self.pick(lambda word, i: len(word) > 5 and word.isalpha())
            if at >= 0:
                cut = rng.randrange(2, len(self.words[at]) - 1)
                word = self.words[at]
                self.words[at] = word[:cut] + " " + word[cut:]
                self.used[at] = True
        else:
            at = self.pick(lambda word, i: i > 0 and word in ",.;:!?")
            if at >= 0:
                self.gaps[at] = " " if not self.gaps[at] else ""
                if at + 1 < len(self.gaps) and rng.random() < 0.5:
                    self.gaps[at + 1] = ""

    def make_drop_word(self):
        """Drop a word, mostly a short one."""
        at = self.pick(lambda word, i: word[0].isalpha() and (
            word in tables.FUNCTION_WORDS or self.rng.random() < 0.15))
        if at >= 0:
            self.remove(at)

    def make_double_word(self):
        """Write a word twice."""
        at = self.pick(lambda word, i: word[0].isalpha() and i > 0)
        if at >= 0:
            self.insert(at, self.lower[at])

    def make_insert_word(self):
        """Insert a needless small word."""
        if len(self.words) > 2:
            at = self.rng.randrange(1, len(self.words) - 1)
            if not self.used[at] and self.gaps[at]:
                self.insert(at, self.rng.choice(FILLERS))

    def make_swap(self):
        """Swap two neighbouring words."""
        at = self.pick(lambda word, i: i > 0 and word[0].isalpha()
                       and i + 1 < len(self.words) and not self.used[i + 1]
                       and self.lower[i + 1][0].isalpha())
        if at >= 0:
            words = self.words
            words[at], words[at + 1] = words[at + 1], words[at]
            self.used[at] = self.used[at + 1] = True


def main():
    """Read clean lines, write wrong <tab> right lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True,
                        help="data folder that holds tables/")
    parser.add_argument("--input", default="-", help="clean text, - is stdin")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clean_share", type=float, default=0.17)
    parser.add_argument("--tokenised_share", type=float, default=0.35)
    parser.add_argument("--mean_rate", type=float, default=0.16)
    args = parser.parse_args()
    maker = ErrorMaker(args.data, args.seed, args.clean_share,
                       args.tokenised_share, args.mean_rate)
    source = sys.stdin if args.input == "-" else open(
        args.input, encoding="utf-8")
    with source:
        for line in source:
            if line.strip():
                print("\t".join(maker.pair(line.strip().replace("\t", " "))))


if __name__ == "__main__":
    main()
