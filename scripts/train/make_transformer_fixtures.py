#!/usr/bin/env python3
"""Write tiny random Transformer folders with expected logits, for tests.

The layers are torch.nn.TransformerEncoderLayer and TransformerDecoderLayer,
an implementation that shares nothing with stet or with the training scripts.
Variant post is fairseq's classic form (post-norm, ReLU, sinusoidal
positions); pre has norms before the sublayers and at the end, GELU, and more
decoder than encoder layers; learned has learned positions with two unused
rows in front, a norm on the embeddings and an output layer of its own; mixed
is wider, has norms before the sublayers in the encoder only, a norm on the
embeddings, SiLU, another number of heads on each side and no biases but those
of norms; narrow has norms before the sublayers in the decoder only.
"""
import argparse
import math
import os
import random
import shutil

import numpy
import torch
from torch import nn

from edgeformer import sinusoid_table
from export_model import write_json, write_safetensors

EOS = 1
D_MODEL, HEADS, POSITIONS = 40, 5, 72
VARIANTS = {
    "post": dict(encoder_layers=2, decoder_layers=1, pre=False, act="relu",
                 learned=False, offset=2, scale=True, tied=True, norm=False),
    "pre": dict(encoder_layers=1, decoder_layers=2, pre=True, act="gelu",
                learned=False, offset=0, scale=True, tied=True, norm=False),
    "learned": dict(encoder_layers=1, decoder_layers=1, pre=False, act="gelu",
                    learned=True, offset=2, scale=False, tied=False,
                    norm=True),
    "mixed": dict(encoder_layers=2, decoder_layers=2, pre=True, act="silu",
                  learned=True, offset=0, scale=True, tied=False, norm=True,
                  decoder_pre=False, d_model=48, decoder_heads=3,
                  encoder_heads=4, eps=1e-4, biases=False),
    "narrow": dict(encoder_layers=1, decoder_layers=2, pre=True, act="relu",
                   learned=False, offset=1, scale=True, tied=True, norm=True,
                   encoder_pre=False, d_model=30, encoder_heads=3,
                   decoder_heads=5)}
FFN = {"encoder": 72, "decoder": 56}
ACTIVATIONS = {"silu": nn.functional.silu}  # torch knows the others by name


def option(shape, side, name):
    """What a variant says of one side, else of both, else what is usual."""
    usual = {"d_model": D_MODEL, "heads": HEADS, "eps": 1e-5, "biases": True}
    return shape.get(f"{side}_{name}", shape.get(name, usual.get(name)))


class Reference(nn.Module):
    """An encoder-decoder out of torch.nn's own layers."""

    def __init__(self, vocab, shape):
        super().__init__()
        self.shape, dim = shape, option(shape, "", "d_model")
        self.embed = nn.Embedding(vocab, dim)
        self.head = None if shape["tied"] else nn.Linear(dim, vocab, False)
        self.encoder = self.stack("encoder", nn.TransformerEncoderLayer)
        self.decoder = self.stack("decoder", nn.TransformerDecoderLayer)
        self.positions, self.embed_norm, self.last_norm = (
            nn.ModuleDict(), nn.ModuleDict(), nn.ModuleDict())
        eps = option(shape, "", "eps")
        for side in ("encoder", "decoder"):
            if shape["learned"]:
                self.positions[side] = nn.Embedding(
                    POSITIONS + shape["offset"], dim)
            if shape["norm"]:
                self.embed_norm[side] = nn.LayerNorm(dim, eps)
            if option(shape, side, "pre"):
                self.last_norm[side] = nn.LayerNorm(dim, eps)

    def stack(self, side, layer):
        """The layers of one side."""
        shape = self.shape
        return nn.ModuleList(
            layer(d_model=option(shape, side, "d_model"),
                  nhead=option(shape, side, "heads"), dropout=0.0,
                  dim_feedforward=FFN[side], batch_first=True,
                  activation=ACTIVATIONS.get(shape["act"], shape["act"]),
                  layer_norm_eps=option(shape, side, "eps"),
                  norm_first=option(shape, side, "pre"))
            for _ in range(shape[side + "_layers"]))

    def embedded(self, side, ids):
        """Embeddings of one row of ids with positions."""
        dim = self.embed.embedding_dim
        factor = math.sqrt(dim) if self.shape["scale"] else 1.0
        first = self.shape["offset"]
        if side in self.positions:
            table = self.positions[side].weight
        else:
            table = sinusoid_table(POSITIONS + first, dim)
        x = self.embed(ids) * factor + table[first:first + ids.shape[1]]
        return self.embed_norm[side](x) if side in self.embed_norm else x

    def forward(self, source, target):
        """Logits of every position of target."""
        memory = self.embedded("encoder", source)
        for layer in self.encoder:
            memory = layer(memory)
        if "encoder" in self.last_norm:
            memory = self.last_norm["encoder"](memory)
        x = self.embedded("decoder", target)
        causal = nn.Transformer.generate_square_subsequent_mask(
            target.shape[1])
        for layer in self.decoder:
            x = layer(x, memory, tgt_mask=causal)
        if "decoder" in self.last_norm:
            x = self.last_norm["decoder"](x)
        return x @ self.embed.weight.T if self.head is None else self.head(x)


def is_linear_bias(name):
    """Whether a bias is not one of a norm, by its name here or stored."""
    return name.endswith("bias") and "norm" not in name


def randomize(model, seed):
    """Random weights that keep the logits varied; norms of both signs.

    A longer vector for the end piece makes some outputs end early.
    """
    noise = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            draw = torch.randn(tensor.shape, generator=noise)
            if "norm" in name and name.endswith("weight"):
                tensor.copy_(draw.sign() * (0.7 + 0.3 * draw.abs()))
            elif tensor.ndim == 2:
                tensor.copy_(draw * tensor.shape[1] ** -0.5)
            else:
                tensor.copy_(0.1 * draw)
            if is_linear_bias(name) and not option(model.shape, "", "biases"):
                tensor.zero_()
        output = model.embed if model.head is None else model.head
        output.weight[EOS] *= 1.7


def attention_tensors(prefix, block):
    """The four projections; torch keeps q, k and v in one matrix."""
    out = {}
    for at, name in enumerate(("q_proj", "k_proj", "v_proj")):
        dim = block.embed_dim
        part = slice(at * dim, (at + 1) * dim)
        out[f"{prefix}.{name}.weight"] = block.in_proj_weight[part]
        out[f"{prefix}.{name}.bias"] = block.in_proj_bias[part]
    out[prefix + ".out_proj.weight"] = block.out_proj.weight
    out[prefix + ".out_proj.bias"] = block.out_proj.bias
    return out


def module_tensors(prefix, module):
    """Weight and bias of a Linear or LayerNorm."""
    return {prefix + ".weight": module.weight, prefix + ".bias": module.bias}


def layer_tensors(prefix, layer, crosses):
    """All tensors of one layer under the names of fairseq."""
    out = attention_tensors(prefix + ".self_attn", layer.self_attn)
    out |= module_tensors(prefix + ".self_attn_layer_norm", layer.norm1)
    if crosses:
        out |= attention_tensors(prefix + ".encoder_attn",
                                 layer.multihead_attn)
        out |= module_tensors(prefix + ".encoder_attn_layer_norm",
                              layer.norm2)
    out |= module_tensors(prefix + ".final_layer_norm",
                          layer.norm3 if crosses else layer.norm2)
    out |= module_tensors(prefix + ".fc1", layer.linear1)
    return out | module_tensors(prefix + ".fc2", layer.linear2)


def all_tensors(model):
    """Name -> float32 array of the whole model."""
    out = {"shared.weight": model.embed.weight}
    if model.head is not None:
        out["lm_head.weight"] = model.head.weight
    for side in ("encoder", "decoder"):
        for at, layer in enumerate(getattr(model, side)):
            out |= layer_tensors(f"{side}.layers.{at}", layer,
                                 side == "decoder")
        if side in model.positions:
            out[side + ".embed_positions.weight"] = (
                model.positions[side].weight)
        if side in model.embed_norm:
            out |= module_tensors(side + ".layernorm_embedding",
                                  model.embed_norm[side])
        if side in model.last_norm:
            out |= module_tensors(side + ".layer_norm",
                                  model.last_norm[side])
    biases = option(model.shape, "", "biases")
    return {name: tensor.detach().numpy() for name, tensor in out.items()
            if biases or not is_linear_bias(name)}


def config_json(vocab, shape):
    """The contents of config.json."""
    kind = "learned" if shape["learned"] else "sinusoidal"
    return {"model_type": "transformer", "vocab_size": vocab,
            "d_model": option(shape, "", "d_model"),
            "encoder_layers": shape["encoder_layers"],
            "decoder_layers": shape["decoder_layers"],
            "encoder_attention_heads": option(shape, "encoder", "heads"),
            "decoder_attention_heads": option(shape, "decoder", "heads"),
            "encoder_ffn_dim": FFN["encoder"],
            "decoder_ffn_dim": FFN["decoder"],
            "encoder_normalize_before": option(shape, "encoder", "pre"),
            "decoder_normalize_before": option(shape, "decoder", "pre"),
            "normalize_embedding": shape["norm"],
            "activation_function": shape["act"],
            "layer_norm_eps": option(shape, "", "eps"),
            "scale_embedding": shape["scale"],
            "position_embedding_type": kind,
            "position_offset": shape["offset"],
            "max_position_embeddings": POSITIONS,
            "tie_word_embeddings": shape["tied"], "pad_token_id": 0,
            "eos_token_id": EOS, "decoder_start_token_id": 0,
            "torch_dtype": "float32"}


@torch.no_grad()
def greedy(model, source, limit):
    """Greedy ids, with the end piece where there is one."""
    target = [0]
    while len(target) <= limit and (len(target) == 1 or target[-1] != EOS):
        logits = model(torch.tensor([source]), torch.tensor([target]))
        target.append(int(logits[0, -1].argmax()))
    return target[1:]


def expected_tensors(model, vocab, count, seed):
    """Source ids, decoder inputs, teacher-forced logits and greedy ids."""
    rng, out = random.Random(seed), {}
    for row in range(count):
        source = [rng.randrange(3, vocab) for _ in range(2 + 2 * row)] + [EOS]
        target = [0] + [rng.randrange(3, vocab)
                        for _ in range(rng.randint(2, 4))]
        with torch.no_grad():
            logits = model(torch.tensor([source]), torch.tensor([target]))[0]
        out[f"src_{row}"] = numpy.array(source, numpy.int32)
        out[f"tgt_{row}"] = numpy.array(target, numpy.int32)
        out[f"logits_{row}"] = logits.numpy()
        out[f"greedy_{row}"] = numpy.array(greedy(model, source, 24),
                                           numpy.int32)
    return out


def main():
    """Write the variants under <output>/transformer-<name>."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", required=True, help="fixtures folder")
    parser.add_argument("--tokenizer", required=True,
                        help="spiece.model to put into each folder")
    parser.add_argument("--vocab_size", type=int, default=288)
    parser.add_argument("--sequences", type=int, default=8)
    parser.add_argument("--seed", type=int, default=75)
    parser.add_argument("names", nargs="*", help="all unless told")
    args = parser.parse_args()
    torch.backends.mha.set_fastpath_enabled(False)
    for at, (name, shape) in enumerate(VARIANTS.items()):
        if args.names and name not in args.names:
            continue
        model = Reference(args.vocab_size, shape).eval()
        randomize(model, args.seed + at)
        folder = os.path.join(args.output, "transformer-" + name)
        os.makedirs(folder, exist_ok=True)
        write_json(os.path.join(folder, "config.json"),
                   config_json(args.vocab_size, shape))
        write_safetensors(os.path.join(folder, "model.safetensors"),
                          all_tensors(model))
        rows = expected_tensors(model, args.vocab_size, args.sequences,
                                args.seed + at)
        write_safetensors(os.path.join(folder, "expected.safetensors"), rows)
        shutil.copyfile(args.tokenizer, os.path.join(folder, "spiece.model"))
        size = sum(entry.stat().st_size for entry in os.scandir(folder))
        print(f"{folder}: {size} bytes, greedy lengths "
              f"{[len(rows[f'greedy_{k}']) for k in range(args.sequences)]}, "
              f"first {rows['greedy_3'].tolist()}")


if __name__ == "__main__":
    main()
