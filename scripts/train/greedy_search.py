#!/usr/bin/env python3
"""Batched greedy decoding with key and value caches."""
import argparse

import torch

from edgeformer import EdgeConfig, EdgeFormer, padding_mask

PAD, EOS = 0, 1


@torch.no_grad()
def greedy_batch(model, sources, extra=20, keep_logits=False):
    """Decode a list of id lists (each ends in the end piece).

    Returns the output ids of each row without the end piece, and the logits
    of each step ([steps, rows, vocabulary]) when they are wanted.
    """
    longest = max(map(len, sources))
    source = torch.zeros(len(sources), longest, dtype=torch.long)
    for row, ids in enumerate(sources):
        source[row, :len(ids)] = torch.tensor(ids)
    mask = padding_mask([len(ids) for ids in sources], longest)
    states = model.encode(source, mask)
    caches = [{} for _ in range(model.config.decoder_layers)]
    token = torch.zeros(len(sources), 1, dtype=torch.long)
    done = torch.zeros(len(sources), dtype=torch.bool)
    columns, kept = [], []
    for step in range(min(longest + extra, model.config.max_positions)):
        x, _, _ = model.decode(token, states, mask, caches, step)
        logits = model.project(x[:, -1])
        if keep_logits:
            kept.append(logits.float())
        token = logits.argmax(-1, keepdim=True)
        columns.append(token)
        done |= token[:, 0] == EOS
        if bool(done.all()):
            break
    rows = torch.cat(columns, 1).tolist()
    outputs = [row[:row.index(EOS)] if EOS in row else row for row in rows]
    return outputs, torch.stack(kept) if keep_logits else None


def greedy_all(model, sources, batch=32):
    """Decode many sources, sorted by length to waste little padding."""
    order = sorted(range(len(sources)), key=lambda at: len(sources[at]))
    outputs = [None] * len(sources)
    for at in range(0, len(order), batch):
        part = order[at:at + batch]
        found, _ = greedy_batch(model, [sources[i] for i in part])
        for index, ids in zip(part, found):
            outputs[index] = ids
    return outputs


def main():
    """Decode random ids with a random model, to see that it runs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    model = EdgeFormer(EdgeConfig(vocab_size=64, d_model=64, heads=1,
                                  encoder_layers=2, decoder_layers=1,
                                  attention_groups=2, ffn_groups=2)).eval()
    print(greedy_all(model, [[5, 6, 7, EOS], [9, 10, EOS]]))


if __name__ == "__main__":
    main()
