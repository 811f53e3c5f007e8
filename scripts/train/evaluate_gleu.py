#!/usr/bin/env python3
"""GLEU for grammatical error correction (Napoles et al., 2015 and 2016).

N-gram precision against a reference, less the n-grams that the hypothesis
shares with the source but not with the reference, times a brevity penalty.
With several references the score is the mean over sampled choices of one
reference per sentence.
"""
import argparse
import math
import random
from collections import Counter

ORDER = 4


def read_tokens(path):
    """Token lists of a file's lines."""
    with open(path, encoding="utf-8") as handle:
        return [line.split() for line in handle.read().splitlines()]


def ngrams(tokens, size):
    """Counts of the n-grams of one size."""
    return Counter(zip(*(tokens[i:] for i in range(size))))


def sentence_counts(source, reference, hypothesis):
    """[hypothesis length, reference length, then hits, total per size]."""
    row = [len(hypothesis), len(reference)]
    for size in range(1, ORDER + 1):
        wanted, made = ngrams(reference, size), ngrams(hypothesis, size)
        unwanted = Counter({gram: count for gram, count
                            in ngrams(source, size).items()
                            if gram not in wanted})
        hits = sum((made & wanted).values()) - sum((made & unwanted).values())
        row += [max(hits, 0), max(len(hypothesis) + 1 - size, 0)]
    return row


def score(counts):
    """GLEU of summed counts."""
    if not all(counts):
        return 0.0
    logs = sum(math.log(hit / total) for hit, total
               in zip(counts[2::2], counts[3::2])) / ORDER
    return math.exp(min(0.0, 1.0 - counts[1] / counts[0]) + logs)


def corpus_gleu(sources, references, hypotheses, iterations=500):
    """Mean corpus GLEU, in percent, over sampled reference choices."""
    table = [[sentence_counts(source, reference, hypothesis)
              for reference in choices]
             for source, hypothesis, *choices
             in zip(sources, hypotheses, *references)]
    scores = []
    for iteration in range(iterations):
        draw = random.Random(iteration * 101)
        picks = [draw.randint(0, len(references) - 1) for _ in table]
        chosen = (row[pick] for row, pick in zip(table, picks))
        scores.append(score([sum(column) for column in zip(*chosen)]))
    return 100.0 * sum(scores) / len(scores)


def main():
    """Score one or more hypothesis files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", required=True)
    parser.add_argument("--references", required=True, nargs="+")
    parser.add_argument("--hypothesis", required=True, nargs="+")
    parser.add_argument("--iterations", type=int, default=500)
    args = parser.parse_args()
    sources = read_tokens(args.source)
    references = [read_tokens(path) for path in args.references]
    for path in args.hypothesis:
        hypotheses = read_tokens(path)
        if any(len(part) != len(sources) for part in [hypotheses, *references]):
            raise SystemExit(f"{path}: files differ in their number of lines")
        changed = sum(a != b for a, b in zip(sources, hypotheses))
        value = corpus_gleu(sources, references, hypotheses, args.iterations)
        print(f"GLEU {value:.2f}  changed {changed / len(sources):.3f}  {path}")


if __name__ == "__main__":
    main()
