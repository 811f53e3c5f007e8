#!/usr/bin/env python3
"""Greedy decoding of an exported model folder, as a reference in PyTorch.

Reads text (or ids, one row of numbers a line), prints text or ids, and can
store the logits of every step.  Int8 weights are turned back to float32.
"""
import argparse
import json
import os
import sys
import time

import numpy
import torch
from safetensors.numpy import load_file

from edgeformer import EdgeConfig, EdgeFormer
from export_model import PROJECTIONS
from greedy_search import greedy_all, greedy_batch

EOS = 1


def read_tensors(folder):
    """Name -> float32 array; int8 matrices times their row scales."""
    raw = load_file(os.path.join(folder, "model.safetensors"))
    out = {}
    for name, tensor in raw.items():
        if tensor.dtype == numpy.int8:
            scale = raw[name + "_scale"].astype(numpy.float32)
            tensor = tensor.astype(numpy.float32) * scale[:, None]
        if not name.endswith("_scale"):
            out[name] = tensor.astype(numpy.float32)
    return out


def fill_linear(tensors, linear, names):
    """Load weight and bias from the first of the names that is present."""
    for name in names:
        if name + ".weight" in tensors:
            linear.weight.copy_(torch.from_numpy(tensors[name + ".weight"]))
            linear.bias.copy_(torch.from_numpy(tensors[name + ".bias"]))
            return
    raise KeyError(names[0])


def fill_attention(tensors, sets, bases):
    """Load four projections; each falls back along the base names."""
    for name in PROJECTIONS:
        fill_linear(tensors, getattr(sets, name),
                    [base + name for base in bases])


def fill_encoder(tensors, model, config):
    """Load the encoder; absent names fall back to the group owner's."""
    for index, extras in enumerate(model.encoder):
        base = f"encoder.layers.{index}."
        owner = index % config["encoder_attention_groups"]
        fill_attention(tensors, model.attention[index],
                       [base + "self_attn.",
                        f"encoder.layers.{owner}.self_attn."])
        owner = index % config["encoder_ffn_groups"]
        for name in ("fc1", "fc2"):
            fill_linear(tensors, getattr(model.ffn[index], name),
                        [base + name, f"encoder.layers.{owner}.{name}"])
        fill_linear(tensors, extras.self_norm, [base + "self_attn_layer_norm"])
        fill_linear(tensors, extras.final_norm, [base + "final_layer_norm"])


def fill_decoder(tensors, model, config):
    """Load the decoder; shared attention falls back to the encoder's."""
    for index, extras in enumerate(model.decoder):
        base = f"decoder.layers.{index}."
        for block, sets, step in (("self_attn.", model.decoder_self, 0),
                                  ("encoder_attn.", model.decoder_cross, 1)):
            bases = [base + block]
            if config["decoder_shares_attention"]:
                bases.append(f"encoder.layers.{2 * index + step}.self_attn.")
            fill_attention(tensors, sets[index], bases)
        for name, norm in (("self_attn_layer_norm", extras.self_norm),
                           ("encoder_attn_layer_norm", extras.cross_norm),
                           ("final_layer_norm", extras.final_norm),
                           ("fc1", extras.ffn.fc1), ("fc2", extras.ffn.fc2)):
            fill_linear(tensors, norm, [base + name])


def load_folder(folder, kind=EdgeFormer):
    """The model of a folder, with sharing and low-rank terms spelt out."""
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as handle:
        config = json.load(handle)
    model = kind(EdgeConfig(
        vocab_size=config["vocab_size"], d_model=config["d_model"],
        encoder_layers=config["encoder_layers"],
        decoder_layers=config["decoder_layers"],
        heads=config["encoder_attention_heads"],
        encoder_ffn_dim=config["encoder_ffn_dim"],
        decoder_ffn_dim=config["decoder_ffn_dim"],
        attention_groups=config["encoder_layers"],
        ffn_groups=config["encoder_layers"],
        max_positions=config["max_position_embeddings"]))
    tensors = read_tensors(folder)
    with torch.no_grad():
        model.shared.weight.copy_(torch.from_numpy(tensors["shared.weight"]))
        fill_encoder(tensors, model, config)
        fill_decoder(tensors, model, config)
        if kind is not EdgeFormer:
            for name, parameter in model.further_tensors().items():
                parameter.copy_(torch.from_numpy(tensors[name]))
    return model.eval()


def read_sources(args, pieces):
    """Id lists of the input, each with the end piece."""
    handle = sys.stdin if args.input == "-" else open(
        args.input, encoding="utf-8")
    with handle:
        lines = handle.read().splitlines()
    if args.ids:
        return [[int(cell) for cell in line.split()] for line in lines]
    return [ids + [EOS] for ids in pieces.encode(lines)]


def main():
    """Decode a file with a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="exported folder")
    parser.add_argument("--input", default="-", help="- is stdin")
    parser.add_argument("--output", default="-", help="- is stdout")
    parser.add_argument("--ids", action="store_true",
                        help="input rows are source ids, end piece included")
    parser.add_argument("--print_ids", action="store_true")
    parser.add_argument("--logits", help="write <prefix>N.npy for each row")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    import sentencepiece
    pieces = sentencepiece.SentencePieceProcessor(
        model_file=os.path.join(args.model, "spiece.model"))
    model, sources = load_folder(args.model), read_sources(args, pieces)
    began = time.time()
    if args.logits:
        outputs = []
        for at, ids in enumerate(sources):
            found, logits = greedy_batch(model, [ids], keep_logits=True)
            numpy.save(f"{args.logits}{at}.npy", logits[:, 0].numpy())
            outputs += found
    else:
        outputs = greedy_all(model, sources, args.batch)
    print(f"{len(outputs)} rows in {time.time() - began:.1f} s",
          file=sys.stderr)
    lines = [" ".join(map(str, ids)) if args.print_ids else pieces.decode(ids)
             for ids in outputs]
    text = "".join(line + "\n" for line in lines)
    if args.output == "-":
        sys.stdout.write(text)
    else:
        with open(args.output, "w", encoding="utf-8") as handle:
            handle.write(text)


if __name__ == "__main__":
    main()
