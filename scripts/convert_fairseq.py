#!/usr/bin/env python3
"""Turns a checkpoint of fairseq into a model folder.

usage: convert_fairseq.py CHECKPOINT.pt --dict DICT.txt --bpe SENTENCEPIECE.model OUT

Reads Transformer models (pre- and post-norm, learned and sinusoidal positions, shared embeddings or not) and
EdgeFormer, whose low-rank terms are added to the projections. Needs nothing but Python, and runs nothing that stands in
the checkpoint (scripts/torch_checkpoint.py). The texts are cut by a SentencePiece model; codes of subword-nmt are not
read by stet.
"""

import argparse
import os
import re
import shutil
import sys

import fairseq_names
import folder_writer
import torch_checkpoint
from torch_checkpoint import CheckpointError

FRONT = 4  # <s>, <pad>, </s>, <unk>: ids before those of the dictionary
ACTIVATIONS = {"relu": "relu", "gelu": "gelu", "gelu_accurate": "gelu_new", "gelu_fast": "gelu_new",
               "swish": "silu", "silu": "silu"}
SIDES = ("encoder", "decoder")


def require(condition, what):
    if not condition:
        raise CheckpointError(what)


def count_layers(tensors, side):
    numbers = {int(m[1]) for m in (re.match(side + r"\.layers\.(\d+)\.", n) for n in tensors) if m}
    require(numbers == set(range(len(numbers))) and numbers, f"the {side} has no layers, or some are missing")
    return len(numbers)


def check_settings(s):
    """Refuses what stet has no arithmetic for, by the name of the setting."""
    for key in ("adaptive_softmax_cutoff", "no_cross_attention", "cross_self_attention",
                "no_token_positional_embeddings", "no_encoder_final_norm", "no_decoder_final_norm", "scale_fc",
                "scale_attn", "scale_heads",
                "scale_resids", "normformer"):
        require(not s.get(key), f"setting {key} is {s.get(key)!r}: not supported")
    activation = s.get("activation_fn") or "relu"
    require(activation in ACTIVATIONS, f"setting activation_fn is {activation!r}; supported: {', '.join(ACTIVATIONS)}")
    require(bool(s.get("encoder_learned_pos")) == bool(s.get("decoder_learned_pos")),
            "settings encoder_learned_pos and decoder_learned_pos differ: not supported")
    arch = str(s.get("arch") or s.get("_name") or "transformer")
    require(arch.startswith("transformer"), f"setting arch is {arch!r}; supported: transformer*, transformer_edge")


def heads(s, side):
    n = s.get(side + "_attention_heads")
    require(isinstance(n, int) and n > 0, f"setting {side}_attention_heads is {n!r}: it must say how many")
    return n


class Model:
    """What is known of a checkpoint while its folder is made."""

    def __init__(self, checkpoint, path):
        self.settings = fairseq_names.settings(checkpoint, path)
        check_settings(self.settings)
        self.tensors = fairseq_names.tensors_of(checkpoint, path)
        self.layers = {side: count_layers(self.tensors, side) for side in SIDES}
        self.is_edge = "encoder.layers.0.q_lora.linear_u.weight" in self.tensors or \
            self.settings.get("model_param_type") == "edgeformer" or self.settings.get("arch") == "transformer_edge"
        self.out = {}
        self.digest = {}

    def get(self, name):
        require(name in self.tensors, f"tensor {name} is missing")
        return self.tensors[name]

    def equal(self, a, b):
        """Two names of one tensor, or two with the same content."""
        x, y = self.tensors.get(a), self.tensors.get(b)
        if x is None or y is None or x.shape != y.shape or x.dtype != y.dtype:
            return False
        if isinstance(x, torch_checkpoint.Tensor) and isinstance(y, torch_checkpoint.Tensor) and x.same_memory(y):
            return True
        return x.data() == y.data()

    def equal_blocks(self, a, b):
        """All tensors of block a are those of block b."""
        names = [n[len(a):] for n in self.tensors if n.startswith(a + ".")]
        return bool(names) and all(self.equal(a + n, b + n) for n in names)


def convert_embeddings(m):
    """Which tables there are; returns whether the output layer is the one table of all."""
    encoder, decoder = (m.get(side + ".embed_tokens.weight") for side in SIDES)
    require(encoder.shape == decoder.shape and len(encoder.shape) == 2,
            f"the source has {encoder.shape} embeddings and the target {decoder.shape}: stet needs one vocabulary")
    head = "decoder.output_projection.weight"
    if head not in m.tensors:
        require(m.settings.get("share_all_embeddings") or m.settings.get("share_decoder_input_output_embed"),
                f"tensor {head} is missing")
        head = "decoder.embed_tokens.weight"
    one = m.equal("encoder.embed_tokens.weight", "decoder.embed_tokens.weight")
    if one and m.equal(head, "decoder.embed_tokens.weight"):
        m.out["shared.weight"] = encoder
        return True
    require(not m.is_edge, "EdgeFormer with several embedding tables is not supported")
    m.out["lm_head.weight"] = m.get(head)
    if one:
        m.out["shared.weight"] = encoder
    else:
        m.out["encoder.embed_tokens.weight"], m.out["decoder.embed_tokens.weight"] = encoder, decoder
    return False


def positions(m):
    """The number of positions; learned tables go to the output, cut to the shorter one."""
    if not m.settings.get("encoder_learned_pos"):
        limits = [m.settings.get(f"max_{s}_positions") for s in ("source", "target")]
        return min([n for n in limits if isinstance(n, int) and n > 1] or [1024])
    tables = {side: m.get(side + ".embed_positions.weight") for side in SIDES}
    rows = min(t.shape[0] for t in tables.values())
    for side, table in tables.items():
        m.out[side + ".embed_positions.weight"] = fairseq_names.Slice(table, 0, rows)
    return rows - 2  # two rows stand in front: fairseq counts positions from padding_idx + 1


def plain_layers(m):
    for side in SIDES:
        pre, has_norm = bool(m.settings.get(side + "_normalize_before")), side + ".layer_norm.weight" in m.tensors
        require(pre == has_norm, f"setting {side}_normalize_before is {pre}, but the norm at the end of the stack, "
                f"{side}.layer_norm, is {'there' if has_norm else 'missing'}")
    for name, tensor in m.tensors.items():
        if "embed_tokens" not in name and "embed_positions" not in name and "output_projection" not in name:
            m.out[name] = tensor


def groups(m, blocks):
    """How many layers there are until their blocks begin again."""
    n = m.layers["encoder"]
    for size in range(1, n + 1):
        if all(m.equal_blocks(f"encoder.layers.{i}.{b}", f"encoder.layers.{i % size}.{b}")
               for i in range(size, n) for b in blocks):
            return size
    return n


def lora_of(m, layer, letter):
    prefix = f"encoder.layers.{layer}.{letter}_lora."
    found = {n[len(prefix):]: t for n, t in m.tensors.items() if n.startswith(prefix)}
    require(not found or len(found) == 4, f"some of the tensors {prefix}* are missing")
    return found


def edge_encoder(m, attention, ffn):
    """Shared sets once, under the first layer that has them; folded projections in every layer."""
    for i in range(m.layers["encoder"]):
        base = f"encoder.layers.{i}."
        for letter in "qv":
            lora, name = lora_of(m, i, letter), f"{base}self_attn.{letter}_proj"
            if lora:
                weight, bias = fairseq_names.folded(m.get(name + ".weight"), m.get(name + ".bias"), lora)
                m.out[name + ".weight"], m.out[name + ".bias"] = weight, bias
        for name, tensor in m.tensors.items():
            if name.startswith(base) and "_lora." not in name and name not in m.out:
                block = name[len(base):].split(".")[0]
                if "norm" in block or i < (attention if block == "self_attn" else ffn):
                    m.out[name] = tensor


def edge_decoder(m, attention):
    """Returns whether attention is the encoder's. Its folded projections do not count for the decoder, which has its
    own ones then, without the low-rank terms."""
    n = m.layers["decoder"]
    pairs = [(f"decoder.layers.{j}.{block}", f"encoder.layers.{2 * j + k}.self_attn")
             for j in range(n) for k, block in enumerate(("self_attn", "encoder_attn"))]
    shares = 2 * n <= attention and all(m.equal_blocks(own, lender) for own, lender in pairs)
    lenders = dict(pairs) if shares else {}
    for name, tensor in m.tensors.items():
        if not re.match(r"decoder\.layers\.\d+\.", name):
            continue
        block, _, rest = name.rpartition(".")[0].rpartition(".")
        lender = f"{lenders.get(block, '')}.{rest}.{name.rpartition('.')[2]}"
        if block not in lenders or m.out.get(lender, m.tensors.get(lender)) is not m.tensors.get(lender):
            m.out[name] = tensor
    return shares


def config_of(m):
    """config.json, and m.out filled with the tensors of the folder."""
    s, table = m.settings, m.get("encoder.embed_tokens.weight")
    tied, rows, side_heads = convert_embeddings(m), positions(m), {side: heads(s, side) for side in SIDES}
    config = {"model_type": "edgeformer" if m.is_edge else "transformer", "vocab_size": table.shape[0],
              "d_model": table.shape[1]}
    for side in SIDES:
        config[side + "_layers"] = m.layers[side]
        config[side + "_attention_heads"] = side_heads[side]
        config[side + "_ffn_dim"] = m.get(side + ".layers.0.fc1.weight").shape[0]
    if m.is_edge:
        attention, ffn = groups(m, ["self_attn"]), groups(m, ["fc1", "fc2"])
        edge_encoder(m, attention, ffn)
        config |= {"encoder_attention_groups": attention, "encoder_ffn_groups": ffn,
                   "decoder_shares_attention": edge_decoder(m, attention)}
        require(not any(re.match(r"(en|de)coder\.(layer_norm|layernorm_embedding|embed_positions)\.", n)
                        for n in m.tensors),
                "EdgeFormer with norms outside the layers or learned positions is not supported")
    else:
        plain_layers(m)
        config |= {side + "_normalize_before": bool(s.get(side + "_normalize_before")) for side in SIDES}
        config["normalize_embedding"] = "encoder.layernorm_embedding.weight" in m.tensors
    return config | {
        "activation_function": ACTIVATIONS[s.get("activation_fn") or "relu"], "layer_norm_eps": 1e-5,
        "scale_embedding": not s.get("no_scale_embedding"),
        "position_embedding_type": "learned" if s.get("encoder_learned_pos") else "sinusoidal", "position_offset": 2,
        "max_position_embeddings": rows, "tie_word_embeddings": tied, "bos_token_id": 0, "pad_token_id": 1,
        "eos_token_id": 2, "unk_token_id": 3, "decoder_start_token_id": 2}


def check_dictionaries(paths, vocab_size):
    texts = []
    for path in paths:
        with open(path, "rb") as f:
            texts.append(f.read())
    require(len(set(texts)) == 1, f"{' and '.join(paths)} differ: stet needs one vocabulary for source and target")
    entries = len(texts[0].splitlines()) + FRONT
    require(entries <= vocab_size,
            f"{paths[0]}: {entries} entries with the special ones, but the model has {vocab_size}")


def check_sentencepiece(path):
    with open(path, "rb") as f:
        head = f.read(64)
    require(not head.startswith(b"#version") and head[:1] == b"\n",
            f"{path}: is no SentencePiece model; codes of subword-nmt or fastBPE are not supported")


def convert(checkpoint_path, output, dictionaries, bpe):
    """Writes the folder; returns its config and how many tensors it has."""
    checkpoint = torch_checkpoint.load(checkpoint_path)
    require(isinstance(checkpoint, dict), f"{checkpoint_path}: is not a checkpoint of fairseq")
    m = Model(checkpoint, checkpoint_path)
    config = config_of(m)
    if dictionaries:
        check_dictionaries(dictionaries, config["vocab_size"])
    if bpe:
        check_sentencepiece(bpe)
    types = {t.dtype for t in m.out.values()}
    config["torch_dtype"] = {"F16": "float16", "BF16": "bfloat16"}.get(types.pop(), "float32") if len(types) == 1 \
        else "float32"
    with folder_writer.new_folder(output) as folder:
        folder_writer.write_json(folder, "config.json", config)
        if dictionaries:
            shutil.copyfile(dictionaries[0], os.path.join(folder, "dict.txt"))
        if bpe:
            shutil.copyfile(bpe, os.path.join(folder, "sentencepiece.bpe.model"))
        folder_writer.write_weights(folder, {name: (t.dtype, t.shape, t.data) for name, t in m.out.items()})
    return config, len(m.out)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", metavar="CHECKPOINT.pt")
    parser.add_argument("output", metavar="OUT", help="a folder that is not there yet")
    parser.add_argument("--dict", action="append", default=[], metavar="DICT.txt",
                        help="the dictionary; given twice, source and target, the two must be equal")
    parser.add_argument("--bpe", metavar="MODEL", help="the SentencePiece model")
    args = parser.parse_args()
    try:
        config, n = convert(args.checkpoint, args.output, args.dict, args.bpe)
    except (CheckpointError, OSError, ValueError) as e:
        print(f"convert_fairseq.py: {e}", file=sys.stderr)
        return 2
    print(f"{args.output}: {config['model_type']}, {n} tensors")
    for missing, option in (("dict.txt", args.dict), ("a SentencePiece model", args.bpe)):
        if not option:
            print(f"{args.output} still needs {missing} before it can read text")
    return 0


if __name__ == "__main__":
    sys.exit(main())
