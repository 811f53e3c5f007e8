#!/usr/bin/env python3
"""Write greedy ids of 500 sources for fixtures of edgeformer and transformer.

Reads folders as they are stored and changes nothing in them: the ids go to
greedy.safetensors beside the weights. Each step runs the whole decoder again.
Two implementations can choose differently where two logits are nearly equal,
so sources are left out whose two best logits ever come closer than MARGIN of
the largest.
"""
import argparse
import os
import random

import numpy
import torch
from safetensors.numpy import load_file, save_file

from decode_folder import load_folder
from edgeformer import EdgeFormer
from make_reference_fixtures import EOS, KINDS
from make_transformer_fixtures import VARIANTS, Reference, all_tensors

COUNT, LONGEST, LIMIT, MARGIN = 500, 25, 16, 2e-3


def stored_model(folder):
    """The PyTorch model of a folder, with the stored weights."""
    kind, _, name = os.path.basename(os.path.normpath(folder)).partition("-")
    if kind == "edgeformer":
        return load_folder(folder, KINDS.get(name, EdgeFormer))
    stored = load_file(os.path.join(folder, "model.safetensors"))
    model = Reference(len(stored["shared.weight"]), VARIANTS[name]).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    for name, view in all_tensors(model).items():
        numpy.copyto(view, stored.pop(name))
    assert not stored, list(stored)
    return model


@torch.no_grad()
def greedy(model, sources):
    """Ids of each source without the end piece, None where unclear.

    The sources have one length.
    """
    source = torch.tensor(sources)
    target = torch.zeros(len(sources), 1, dtype=torch.long)
    clear = torch.ones(len(sources), dtype=torch.bool)
    for _ in range(LIMIT):
        logits = model(source, target)[:, -1]
        best, largest = logits.topk(2).values, logits.abs().amax(1)
        is_running = (target[:, 1:] != EOS).all(1)
        clear &= (best[:, 0] - best[:, 1] >= MARGIN * largest) | ~is_running
        target = torch.cat([target, logits.argmax(1, keepdim=True)], 1)
    rows = [row[1:] for row in target.tolist()]
    return [(row[:row.index(EOS)] if EOS in row else row) if ok else None
            for row, ok in zip(rows, clear.tolist())]


def all_greedy(model, vocab, seed):
    """COUNT pairs of source ids, without the end piece, and output ids.

    Models with random weights often say the same: new outputs come first.
    """
    rng, found, seen = random.Random(seed), [], set()
    share = COUNT // LONGEST + 1
    for length in range(LONGEST + 1):
        drawn = [[rng.randrange(3, vocab) for _ in range(length)]
                 for _ in range(8 * share if length else 1)]
        outputs = greedy(model, [ids + [EOS] for ids in drawn])
        fresh, known = [], []
        for pair in zip(drawn, outputs):
            if pair[1] is not None:
                is_known = tuple(pair[1]) in seen
                (known if is_known else fresh).append(pair)
                seen.add(tuple(pair[1]))
        found += (fresh + known)[:share]
    rng.shuffle(found)
    assert len(found) >= COUNT, len(found)
    return found[:COUNT]


def flat(name, rows):
    """The ids of all rows one after the other, and the lengths of the rows."""
    return {name + "s": numpy.array(sum(rows, []), numpy.int16),
            name + "_lengths": numpy.array([len(row) for row in rows],
                                           numpy.uint8)}


def main():
    """Write greedy.safetensors into every folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=500)
    parser.add_argument("folders", nargs="+")
    args = parser.parse_args()
    torch.backends.mha.set_fastpath_enabled(False)
    torch.set_num_threads(1)
    for folder in args.folders:
        model = stored_model(folder)
        embedding = getattr(model, "shared", None) or model.embed
        pairs = all_greedy(model, embedding.num_embeddings, args.seed)
        outputs = [output for _, output in pairs]
        kinds = len(set(map(tuple, outputs)))
        ended = sum(len(output) < LIMIT for output in outputs)
        print(f"{folder}: {kinds} different outputs, {ended} ended")
        assert kinds > 0.5 * COUNT
        save_file(flat("source", [source for source, _ in pairs])
                  | flat("output", outputs)
                  | {"limit": numpy.array([LIMIT], numpy.int32)},
                  os.path.join(folder, "greedy.safetensors"))


if __name__ == "__main__":
    main()
