#!/usr/bin/env python3
"""Write tiny random EdgeFormer folders with expected logits, for tests.

Variant a is unshared; b is wider, shares attention and feed-forward sets,
has folded low-rank terms, a decoder that shares attention, and int8 weights;
c shares as b does, in float32, with layers that wrap around the groups and a
feed-forward width that is no multiple of 64; d has what training does not
use: an output layer, learned positions, GELU, and unscaled embeddings.
"""
import argparse
import os
import random
import tempfile

import numpy
import sentencepiece
import torch

from decode_folder import load_folder
from edgeformer import EdgeConfig, EdgeFormer
from edgeformer_variant import VariantEdgeFormer, further_keys
from export_model import write_folder, write_safetensors
from greedy_search import greedy_batch

EOS = 1
SHAPES = {
    "a": dict(d_model=64, heads=1, encoder_layers=2, decoder_layers=1,
              encoder_ffn_dim=64, decoder_ffn_dim=64, attention_groups=2,
              ffn_groups=2),
    "b": dict(d_model=128, heads=2, encoder_layers=4, decoder_layers=2,
              encoder_ffn_dim=64, decoder_ffn_dim=64, attention_groups=4,
              ffn_groups=2, lora_rank=4, decoder_shares_attention=True),
    "c": dict(d_model=64, heads=1, encoder_layers=3, decoder_layers=1,
              encoder_ffn_dim=96, decoder_ffn_dim=32, attention_groups=2,
              ffn_groups=1, lora_rank=4, decoder_shares_attention=True),
    "d": dict(d_model=48, heads=3, encoder_layers=2, decoder_layers=2,
              encoder_ffn_dim=40, decoder_ffn_dim=56, attention_groups=1,
              ffn_groups=2, lora_rank=2, max_positions=80)}
KINDS = {"d": VariantEdgeFormer}
SYLLABLES = "ba ce di fo gu ha je ki lo mu na pe ri so tu va we xi yo zu".split()


def train_pieces(folder, seed, size):
    """A tiny unigram tokenizer with byte pieces, trained on made words."""
    rng = random.Random(seed)
    words = ["".join(rng.choices(SYLLABLES, k=rng.randint(1, 4)))
             for _ in range(300)]
    lines = [" ".join(rng.choices(words, k=8)) + "."
             for _ in range(2000)]
    prefix = os.path.join(folder, "spiece")
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_prefix=prefix,
        model_type="unigram", vocab_size=size, byte_fallback=True, pad_id=0,
        eos_id=1, unk_id=2, bos_id=-1, num_threads=1, minloglevel=2,
        normalization_rule_name="identity")
    return prefix + ".model"


def randomize(model, seed):
    """Random weights, biases and norms that keep the logits varied.

    Norm weights of both signs keep the output from echoing the last piece.
    """
    noise = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            draw = torch.randn(tensor.shape, generator=noise)
            if "norm.weight" in name:
                tensor.copy_(draw.sign() * (0.7 + 0.3 * draw.abs()))
            elif tensor.ndim == 2:
                gain = 0.5 if "fc" in name else 1.0
                tensor.copy_(draw * gain * tensor.shape[1] ** -0.5)
            else:
                tensor.copy_(0.1 * draw)


def expected_tensors(model, size, count, seed):
    """Source ids, decoder inputs, teacher-forced logits and greedy ids."""
    rng, out = random.Random(seed), {}
    for row in range(count):
        source = [rng.randrange(3, size) for _ in range(2 + 2 * row)] + [EOS]
        target = [0] + [rng.randrange(3, size)
                        for _ in range(rng.randint(2, 4))]
        with torch.no_grad():
            logits = model(torch.tensor([source]), torch.tensor([target]))[0]
        greedy = greedy_batch(model, [source], extra=8)[0][0]
        out[f"src_{row}"] = numpy.array(source, numpy.int32)
        out[f"tgt_{row}"] = numpy.array(target, numpy.int32)
        out[f"logits_{row}"] = logits.numpy()
        out[f"greedy_{row}"] = numpy.array(greedy, numpy.int32)
    return out


def make(letter, pieces, args):
    """Write one variant under <output>/edgeformer-<letter>."""
    kind = KINDS.get(letter, EdgeFormer)
    seed = args.seed + list(SHAPES).index(letter)
    model = kind(EdgeConfig(vocab_size=args.vocab_size, **SHAPES[letter]))
    randomize(model, seed)
    folder = os.path.join(args.output, "edgeformer-" + letter)
    write_folder(model.eval(), pieces, folder,
                 "int8" if letter == "b" else "float32",
                 further_keys() if letter in KINDS else None)
    loaded = load_folder(folder, kind)
    rows = expected_tensors(loaded, args.vocab_size, args.sequences, seed)
    write_safetensors(os.path.join(folder, "expected.safetensors"), rows)
    trial = torch.tensor([[5, 9, 40, EOS]]), torch.tensor([[0, 7, 8]])
    with torch.no_grad():
        gap = (model(*trial) - loaded(*trial)).abs().max()
    print(f"{folder}: folding and storing moved a logit by at most "
          f"{float(gap):.2g}; greedy {rows['greedy_3'].tolist()}")
    return sum(entry.stat().st_size for entry in os.scandir(folder))


def main():
    """Write every variant, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", required=True, help="fixtures folder")
    parser.add_argument("--vocab_size", type=int, default=288)
    parser.add_argument("--sequences", type=int, default=8)
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("letters", nargs="*", help="all unless told")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        pieces = train_pieces(scratch, args.seed, args.vocab_size)
        total = sum(make(letter, pieces, args)
                    for letter in args.letters or SHAPES)
    print(f"{total} bytes in all")


if __name__ == "__main__":
    main()
