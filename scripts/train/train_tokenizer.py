#!/usr/bin/env python3
"""Train the SentencePiece unigram tokenizer on right and wrong text.

Half of the lines are clean and half carry made errors, and a share is in the
tokenised form, so that misspellings and split contractions get sane pieces.
Ids: 0 pad (also the decoder start), 1 end of sentence, 2 unknown.
"""
import argparse
import os
import random
import sys

import sentencepiece

from synthesize_errors import ErrorMaker


def mixed_lines(args):
    """Yield clean and wrong lines, drawn evenly over the input file."""
    maker = ErrorMaker(args.data, args.seed, clean_share=0.1)
    rng = random.Random(args.seed)
    with open(args.input, encoding="utf-8") as handle:
        lines = handle.read().splitlines()
    lines = lines[:len(lines) - args.reserved]
    for line in rng.sample(lines, min(args.lines // 2, len(lines))):
        wrong, right = maker.pair(line)
        yield right
        yield wrong


def main():
    """Write <output>/spiece.model and its word list."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True,
                        help="data folder that holds tables/")
    parser.add_argument("--input", required=True, help="clean text")
    parser.add_argument("--output", required=True, help="folder to write to")
    parser.add_argument("--vocab_size", type=int, default=4096)
    parser.add_argument("--lines", type=int, default=300000)
    parser.add_argument("--reserved", type=int, default=4000,
                        help="last lines of the input that are never used")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    os.makedirs(args.output, exist_ok=True)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=mixed_lines(args),
        model_prefix=os.path.join(args.output, "spiece"),
        model_type="unigram", vocab_size=args.vocab_size, byte_fallback=True,
        normalization_rule_name="nmt_nfkc", character_coverage=0.9999,
        pad_id=0, eos_id=1, unk_id=2, bos_id=-1, num_threads=args.threads,
        max_sentence_length=2000, train_extremely_large_corpus=False,
        minloglevel=1)
    print("wrote", args.output, file=sys.stderr)


if __name__ == "__main__":
    main()
