#!/usr/bin/env python3
"""Makes and reads misspellings.table: misspellings and the words that were meant.

The rows come from a list of misspellings and from a noisy channel (Kernighan, Church and Gale 1990): how often people
slip in which way is counted in the list, how frequent a word is in clean text.  A spelling that is, or may be, a
word of its own has no row, nor has one that may stand for two words.  The format is in host/text/misspellings.h.
"""
import argparse
import csv
import heapq
import re
import struct
import sys
from collections import Counter, defaultdict

import error_tables as tables

MAGIC = b"stetmsp1"
BLOCK = 16
MOST_WORDS = 65536
LETTERS = "abcdefghijklmnopqrstuvwxyz"
LEADING = "\"'`([{<*\u2018\u201c\u00ab"
TRAILING = "\"'`)]}>*,.;:!?\u2019\u201d\u00bb\u2026"
SPACE = re.compile("([\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+)")
WORD = re.compile(r"[A-Za-z]+(?:'[a-z]+)?")
CONTRACTIONS = """ain't aren't couldn't didn't doesn't don't hadn't hasn't haven't isn't mustn't needn't shouldn't
wasn't weren't wouldn't that's there's what's he's she's you're they're you've they've we've could've should've
would've you'll they'll it'll that'll""".split()
# Chosen on JFLEG dev among three settings: how much a word's frequency counts, what a listed misspelling weighs, how
# much likelier slips of hearing are in learners' texts than in the list, which has more slips of fingers.
FREQUENCY, LISTED, VOWELS, DOUBLED, CUT = 0.5, 0.3, 4.0, 3.0, 1e-3
ALIKE = {frozenset(pair) for pair in "sc sz ck vf bv gj td yi mn xs qk".split()}
JOINED = """a lot|in fact|no one|as well|each other|in case|at least|of course|every time|high school|in spite
in front""".replace("\n", "|").split("|")


# ---- The file ------------------------------------------------------------------------------------

def shared_bytes(one, two):
    """Length of the common beginning."""
    n = 0
    while n < min(len(one), len(two)) and one[n] == two[n]:
        n += 1
    return n


def pack_rows(rows, number):
    """(block offsets, bytes) of sorted (key, word) rows; a row that does not fit is left out."""
    offsets, out, count, last = [], bytearray(), 0, b""
    for key, word in rows:
        is_head = count % BLOCK == 0
        shared = min(shared_bytes(last, key), 15)
        if len(key) > 255 or (not is_head and len(key) - shared > 15):
            continue
        if is_head:
            offsets.append(len(out))
            out += bytes((len(key),)) + key
        else:
            out += bytes((shared << 4 | len(key) - shared,)) + key[shared:]
        out += struct.pack("<H", number[word])
        count, last = count + 1, key
    return offsets, bytes(out), count


def write_table(path, rows):
    """Writes {misspelling: word}."""
    ordered = sorted((key.encode(), word.encode()) for key, word in rows.items())
    words = sorted({word for _, word in ordered})
    assert len(words) <= MOST_WORDS
    number = {word: at for at, word in enumerate(words)}
    offsets, packed, count = pack_rows(ordered, number)
    ends, text = [], b""
    for word in words:
        text += word
        ends.append(len(text))
    with open(path, "wb") as handle:
        handle.write(MAGIC + struct.pack("<4I", count, len(words), len(text), len(packed)))
        handle.write(struct.pack(f"<{len(ends)}I", *ends) + struct.pack(f"<{len(offsets)}I", *offsets))
        handle.write(text + packed)
    return count


def read_table(path):
    """{misspelling: word} of a file."""
    with open(path, "rb") as handle:
        data = handle.read()
    assert data[:8] == MAGIC, path
    count, n_words, text_len, _ = struct.unpack_from("<4I", data, 8)
    ends = (0,) + struct.unpack_from(f"<{n_words}I", data, 24)
    at = 24 + 4 * n_words + 4 * ((count + BLOCK - 1) // BLOCK)
    words = [data[at + a:at + b].decode() for a, b in zip(ends, ends[1:])]
    at += text_len
    rows, key = {}, b""
    for row in range(count):
        lead = data[at]
        shared, rest = (0, lead) if row % BLOCK == 0 else (lead >> 4, lead & 15)
        key = key[:shared] + data[at + 1:at + 1 + rest]
        rows[key.decode()] = words[struct.unpack_from("<H", data, at + 1 + rest)[0]]
        at += 3 + rest
    return rows


# ---- Using it ------------------------------------------------------------------------------------

class Respeller:
    """Puts the meant words into a sentence, as stet does before it reads one; a line is one sentence."""

    def __init__(self, path):
        self.rows = read_table(path)

    def word(self, word, is_first):
        """A word as it should be."""
        if word in self.rows:
            return self.rows[word]
        lower = word[:1].lower() + word[1:]
        if is_first and word[:1].isascii() and lower != word and lower in self.rows:
            right = self.rows[lower]
            return right[:1].upper() + right[1:] if right[:1].isascii() else right
        return word

    def chunk(self, chunk, is_first):
        """What stands between two spaces."""
        begin, end = 0, len(chunk)
        while begin < end and chunk[begin] in LEADING:
            begin += 1
        while end > begin and chunk[end - 1] in TRAILING:
            end -= 1
        parts = chunk[begin:end].split("-")
        if "" in parts or set("/@._\\") & set(chunk[begin:end]):  # a dash, a part of a word, an address
            return chunk
        parts = [self.word(part, is_first and at == 0) for at, part in enumerate(parts)]
        return chunk[:begin] + "-".join(parts) + chunk[end:]

    def sentence(self, line):
        """A sentence with its known misspellings mended."""
        parts, is_first = SPACE.split(line), True
        for at in range(0, len(parts), 2):
            if parts[at]:
                parts[at], is_first = self.chunk(parts[at], is_first), False
        return "".join(parts)


# ---- Making it -----------------------------------------------------------------------------------

def slips(word):
    """Every single slip: (kind, place, letter)."""
    for at, letter in enumerate(word):
        yield "delete", at, ""
        if at + 1 < len(word) and letter != word[at + 1]:
            yield "swap", at, ""
    for letter in LETTERS:
        for at in range(len(word) + 1):
            yield "insert", at, letter
            if at < len(word) and word[at] != letter:
                yield "change", at, letter


def slipped(word, slip):
    """The word after a slip."""
    kind, at, letter = slip
    if kind == "swap":
        return word[:at] + word[at + 1] + word[at] + word[at + 2:]
    return word[:at] + letter + word[at + (kind != "insert"):]


def sort_of(word, slip):
    """What slips are counted by: the kind, the letters and a little of what stands around."""
    kind, at, letter = slip
    before = word[at - 1] if at else "^"
    here = word[at] if at < len(word) else "$"
    if kind == "delete":
        return kind, "double" if before == here else "end" if at == len(word) - 1 else "inside", here
    if kind == "insert":
        return kind, "double" if letter in (before, here) else "end" if here == "$" else "inside", letter
    return kind, here, letter if kind == "change" else word[at + 1]


def slip_between(word, wrong):
    """The single slip that makes `wrong` of a word, or None."""
    at = shared_bytes(word, wrong)
    rest, seen = word[at:], wrong[at:]
    if len(wrong) == len(word) - 1 and rest[1:] == seen:
        return "delete", at, ""
    if len(wrong) == len(word) + 1 and seen[1:] == rest:
        return "insert", at, seen[0]
    if len(wrong) == len(word) and rest[1:] == seen[1:]:
        return "change", at, seen[0]
    if len(wrong) == len(word) and len(rest) > 1 and rest[1] + rest[0] + rest[2:] == seen:
        return "swap", at, ""
    return None


def heard(sort):
    """The factor for slips between what sounds alike."""
    kind, one, other = sort
    if kind == "change":
        return VOWELS if frozenset((one, other)) in ALIKE or {one, other} <= set("aeiou") else 1.0
    if kind in ("delete", "insert"):
        return DOUBLED if one == "double" or (one == "end" and other == "e") or \
            (one == "inside" and other in "aeiouh") else 1.0
    return 1.0


class Channel:
    """How likely a slip is, counted in a list of misspellings of frequent words."""

    def __init__(self, listed, counts, least=200):
        seen, possible, words = Counter(), Counter(), set()
        for wrong, rights in listed.items():
            word = rights[0]
            slip = slip_between(word, wrong) if len(rights) == 1 and word.isalpha() else None
            if slip and counts[word] >= least:
                seen[sort_of(word, slip)] += 1
                words.add(word)
        for word in words:
            possible.update(sort_of(word, slip) for slip in slips(word))
        self.share = {sort: heard(sort) * (seen[sort] + 0.05) / (n + 8) for sort, n in possible.items()}

    def spellings(self, word, twice):
        """{wrong spelling: probability}; with `twice` those of two likely slips too."""
        singles = [(self.share.get(sort_of(word, slip), 1e-5), slip) for slip in slips(word)]
        out = defaultdict(float)
        for share, slip in singles:
            wrong = slipped(word, slip)
            out[wrong] = max(out[wrong], share)
        likely = heapq.nlargest(40, singles) if twice and len(word) > 5 else []
        for one, first in likely:
            once = slipped(word, first)
            for two, (kind, at, letter) in likely:
                at += len(once) - len(word)
                if at <= first[1] or at + (kind == "swap") >= len(once) + (kind == "insert"):
                    continue
                wrong = slipped(once, (kind, at, letter))
                out[wrong] = max(out[wrong], 0.5 * one * two)
        out.pop(word, None)
        return out


class TableMaker:
    """Collects candidates and decides which of them are safe."""

    def __init__(self, data, lines, known=()):
        self.counts, self.titles = Counter(), Counter()
        for line in lines:
            for word in WORD.findall(line):
                (self.counts if word.islower() else self.titles)[word.lower()] += 1
        self.lexicon = set(tables.FUNCTION_WORDS) | set(known)
        inflections = tables.read_inflections(data + "/tables/lemminflect_infl_lu.csv")
        for table in inflections.values():
            for lemma, forms in table.items():
                self.lexicon.add(lemma.lower())
                self.lexicon.update(form.lower() for form in forms)
        with open(data + "/tables/typos_words.csv", encoding="utf-8") as handle:
            self.listed = {row[0]: row[1:] for row in csv.reader(handle)}
        self.fixed = {word.replace("'", ""): word for word in CONTRACTIONS}
        self.fixed.update((words.replace(" ", ""), words) for words in JOINED)
        self.fixed.update(self.made_regular(inflections), payed="paid")

    def made_regular(self, inflections):
        """{regular past: irregular past} of verbs, such as teached: taught."""
        out = {}
        for lemma, forms in inflections["verb"].items():
            past = [form for form in forms if not form.endswith(("ed", "ing", "s"))]
            if len(lemma) > 2 and past and self.counts[past[0]] >= 50:
                for wrong in (lemma + "ed", lemma + lemma[-1] + "ed") + ((lemma + "d",) if lemma[-1] == "e" else ()):
                    out[wrong] = past[0]
        return {wrong: past for wrong, past in out.items()
                if wrong not in self.lexicon and self.counts[wrong] * 30 < self.counts[past] and past != wrong}

    def is_word(self, wrong, right):
        """Whether a spelling may be meant as it is."""
        count, often = self.counts[wrong], self.counts[right]
        if right in self.listed.get(wrong, ()):
            return count * 30 > often
        return (wrong in self.lexicon and wrong not in self.listed) or count > 60 or count * 300 > often or \
            self.titles[wrong] > max(3, often / 20000)

    def targets(self, most):
        """Frequent words of four letters and more that are surely words."""
        found = [(word, count) for word, count in self.counts.most_common()
                 if len(word) > 3 and count >= 8 and word not in self.listed
                 and (word in self.lexicon or count >= 400)]
        return found[:most]

    def candidates(self, most, twice):
        """{wrong: {right: weight}}"""
        out, channel = defaultdict(dict), Channel(self.listed, self.counts)
        for at, (word, count) in enumerate(self.targets(most)):
            for wrong, share in channel.spellings(word, at < twice).items():
                if len(wrong) > 2 and count ** FREQUENCY * share > CUT:
                    out[wrong][word] = max(out[wrong].get(word, 0.0), count ** FREQUENCY * share)
        for wrong, rights in self.listed.items():
            for right in rights:
                often = min(self.counts[part] for part in re.findall("[a-z]+", right) or [""])
                if often >= 8 and wrong.isalpha():
                    weight = often ** FREQUENCY * LISTED / len(rights)
                    out[wrong][right] = max(out[wrong].get(right, 0.0), weight)
        return out

    def rows(self, most_rows, most_targets=16000, twice=6000, margin=3.0):
        """{wrong: right}, the likeliest."""
        found = []
        for wrong, rights in self.candidates(most_targets, twice).items():
            best = heapq.nlargest(2, ((weight, right) for right, weight in rights.items()))
            weight, right = best[0]
            if not self.is_word(wrong, right) and (len(best) < 2 or weight > margin * best[1][0]):
                found.append((weight, wrong, right))
        found = {wrong: right for _, wrong, right in heapq.nlargest(most_rows - len(self.fixed), found)}
        return found | self.fixed


def main():
    """Makes a table, or mends standard input with one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", help="misspellings.table")
    parser.add_argument("--data", help="make the table: data folder that holds tables/")
    parser.add_argument("--input", help="make the table: clean text")
    parser.add_argument("--rows", type=int, default=640000, help="most rows (%(default)s)")
    parser.add_argument("--known", nargs="*", default=[], help="texts whose words are left as they are")
    parser.add_argument("--reserved", type=int, default=4000, help="last lines of the text that are not read")
    args = parser.parse_args()
    if args.data:
        known = set()
        for path in args.known:
            with open(path, encoding="utf-8") as handle:
                known.update(WORD.findall(handle.read()))
        with open(args.input, encoding="utf-8") as handle:
            maker = TableMaker(args.data, handle.read().splitlines()[:-args.reserved], known)
        print(f"{write_table(args.table, maker.rows(args.rows))} rows in {args.table}")
        return
    respeller = Respeller(args.table)
    for line in sys.stdin:
        sys.stdout.write(respeller.sentence(line))


if __name__ == "__main__":
    main()
