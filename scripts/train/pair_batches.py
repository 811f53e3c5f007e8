#!/usr/bin/env python3
"""Training batches made on the fly: errors, pieces, alignment, weights.

A background process corrupts clean lines, encodes both sides, aligns the
target pieces with the source pieces and sends length-bucketed batches.
"""
import argparse
import random
import time

import numpy
import sentencepiece

from spelling_drill import SpellingDrill
from misspelling_table import Respeller
from synthesize_errors import ErrorMaker, tokenise

PAD, EOS = 0, 1
REACH = 26


def resync(source, target, i, j):
    """Smallest steps (di, dj) to a place where both sides agree again."""
    left, right = len(source) - i, len(target) - j
    for total in range(1, REACH):
        for di in range(max(0, total - right + 1), min(total, left - 1) + 1):
            a, b = i + di, j + total - di
            if source[a] == target[b] and (
                    a + 1 >= len(source) or b + 1 >= len(target)
                    or source[a + 1] == target[b + 1]):
                return di, total - di
    return left - 1, right - 1


def align(source, target):
    """For each target piece its source place, and whether it is at an edit.

    Both sides end in the end piece, so they always meet again.  A piece is
    at an edit when it has no equal source piece or directly follows a gap.
    """
    i = j = 0
    places, edited = [], []
    fresh = False
    while j < len(target):
        if source[i] == target[j]:
            places.append(i)
            edited.append(fresh)
            fresh = False
            i, j = min(i + 1, len(source) - 1), j + 1
            continue
        di, dj = resync(source, target, i, j)
        for step in range(dj):
            places.append(i + min(step, max(di - 1, 0)))
            edited.append(True)
        if di == dj == 0:
            places.append(i)
            edited.append(True)
            dj = 1
        i, j, fresh = i + di, j + dj, True
    return places, edited


def pad_rows(rows, fill, dtype):
    """A list of rows as one array, filled up to the longest row."""
    out = numpy.full((len(rows), max(map(len, rows))), fill, dtype)
    for at, row in enumerate(rows):
        out[at, :len(row)] = row
    return out


def make_batch(items, edit_weight):
    """Arrays of one batch from (source, target, places, edited) items."""
    target = pad_rows([item[1] for item in items], PAD, numpy.int64)
    weight = pad_rows([[edit_weight if e else 1.0 for e in item[3]]
                       for item in items], 0.0, numpy.float32)
    start = numpy.zeros((len(items), 1), numpy.int64)
    return {"source": pad_rows([item[0] for item in items], PAD, numpy.int64),
            "lengths": numpy.array([len(item[0]) for item in items]),
            "input": numpy.concatenate([start, target[:, :-1]], 1),
            "target": target, "weight": weight,
            "places": pad_rows([item[2] for item in items], 0, numpy.int64)}


class PairMaker:
    """Pairs of all kinds: made errors, and drills of spelling, with known misspellings mended.

    The drills end at `drill_until` of the time budget: the last part of a run
    sees the texts that the model is for.
    """

    def __init__(self, options, seed, lines):
        self.errors = ErrorMaker(options["data"], seed,
                                 clean_share=options["clean_share"])
        self.rng = random.Random(seed + 1)
        self.dense_share = options.get("dense_share", 0.0)
        self.drill_share = options.get("drill_share", 0.0)
        self.drill_ends = time.time() + 3600 * options.get("hours", 0.0) * \
            options.get("drill_until", 1.0)
        self.drill = None
        if self.dense_share + self.drill_share > 0:
            self.drill = SpellingDrill(options["data"], seed, lines[:200000])
        self.respeller = Respeller(options["misspellings"]) if options.get("misspellings") else None

    def pair(self, line):
        """One clean line -> (wrong, right), as the model meets it."""
        wrong, right = self.made_pair(line)
        return self.respeller.sentence(wrong) if self.respeller else wrong, right

    def made_pair(self, line):
        """One clean line -> (wrong, right)."""
        draw = self.rng.random() if self.drill else 1.0
        if draw < self.drill_share and time.time() < self.drill_ends:
            return self.drill.words()
        if self.drill_share <= draw < self.drill_share + self.dense_share:
            wrong, right = self.drill.dense(line)
            if self.rng.random() < self.errors.tokenised_share:
                return tokenise(wrong), tokenise(right)
            return wrong, right
        return self.errors.pair(line)


def encode_pairs(lines, maker, pieces, longest):
    """Corrupt and encode lines; drop pairs over the length limit."""
    pairs = [maker.pair(line) for line in lines]
    sources = pieces.encode([wrong for wrong, _ in pairs])
    targets = pieces.encode([right for _, right in pairs])
    for source, target in zip(sources, targets):
        if 1 < len(source) < longest and 1 < len(target) < longest:
            source.append(EOS)
            target.append(EOS)
            yield (source, target, *align(source, target))


def bucketed(items, tokens, rng):
    """Sort items by length, cut them into batches, shuffle the batches."""
    items.sort(key=lambda item: (max(len(item[0]), len(item[1])),
                                 len(item[0])))
    batches, batch = [], []
    for item in items:
        width = max(len(item[0]), len(item[1]))
        if batch and width * (len(batch) + 1) > tokens:
            batches.append(batch)
            batch = []
        batch.append(item)
    if batch:
        batches.append(batch)
    rng.shuffle(batches)
    return batches


def feed(queue, options, rank, world, seed):
    """Endless producer: puts batches of this rank's share on the queue."""
    pieces = sentencepiece.SentencePieceProcessor(
        model_file=options["tokenizer"])
    rng = random.Random(seed * 1000 + rank)
    with open(options["input"], encoding="utf-8") as handle:
        lines = handle.read().splitlines()[:-options["reserved"]][rank::world]
    maker = PairMaker(options, seed * 1000 + rank, lines)
    while True:
        rng.shuffle(lines)
        for at in range(0, len(lines), options["pool"]):
            part = lines[at:at + options["pool"]]
            items = list(encode_pairs(part, maker, pieces,
                                      options["longest"]))
            for batch in bucketed(items, options["tokens"], rng):
                queue.put(make_batch(batch, options["edit_weight"]))


def dev_items(options, count):
    """Fixed (source, target, places, edited) items from the dev lines."""
    maker = PairMaker(options | {"dense_share": 0.0, "drill_share": 0.0, "clean_share": 0.17}, 12345, [])
    pieces = sentencepiece.SentencePieceProcessor(
        model_file=options["tokenizer"])
    with open(options["input"], encoding="utf-8") as handle:
        lines = handle.read().splitlines()[-options["reserved"]:][:count]
    return list(encode_pairs(lines, maker, pieces, options["longest"]))


def main():
    """Measure how fast one producer makes pairs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--input", required=True, help="clean text")
    parser.add_argument("--tokenizer", required=True, help="spiece.model")
    parser.add_argument("--lines", type=int, default=4000)
    args = parser.parse_args()
    options = {"data": args.data, "input": args.input, "longest": 100,
               "tokenizer": args.tokenizer, "reserved": args.lines}
    began = time.time()
    items = dev_items(options, args.lines)
    spent = time.time() - began
    source = sum(len(item[0]) for item in items)
    target = sum(len(item[1]) for item in items)
    edits = sum(map(sum, (item[3] for item in items)))
    print(f"{len(items)} pairs in {spent:.1f} s, {source} source and {target} "
          f"target pieces, {edits / target:.3f} at edits")


if __name__ == "__main__":
    main()
