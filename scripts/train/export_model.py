#!/usr/bin/env python3
"""Write a trained checkpoint as a Hugging Face style model folder.

Low-rank terms are folded into per-layer query and value weights.  A tensor
that several layers share is stored once, under its lowest-numbered owner:
encoder layer i falls back to layer i % attention_groups (attention) or
i % ffn_groups (feed-forward), decoder layer j to encoder layers 2j (self)
and 2j + 1 (cross) when the decoder shares attention.
"""
import argparse
import json
import os
import shutil
import struct

import numpy
import torch

from edgeformer import EdgeConfig, EdgeFormer

PROJECTIONS = ("q_proj", "k_proj", "v_proj", "out_proj")


def linear_tensors(prefix, linear):
    """Weight and bias of one Linear under a name."""
    return {prefix + ".weight": linear.weight, prefix + ".bias": linear.bias}


def folded(linear, low_rank):
    """Weight and bias of a projection with its low-rank term added."""
    if low_rank is None:
        return linear.weight, linear.bias
    up, down = low_rank.linear_v, low_rank.linear_u
    weight = linear.weight + up.weight @ down.weight
    return weight, linear.bias + up.weight @ down.bias + up.bias


def encoder_tensors(model):
    """All tensors of the encoder, each shared one once."""
    config, out = model.config, {}
    for index, extras in enumerate(model.encoder):
        base = f"encoder.layers.{index}."
        group = index % config.attention_groups
        for name in PROJECTIONS:
            linear = getattr(model.attention[group], name)
            low_rank = {"q_proj": extras.lora_q,
                        "v_proj": extras.lora_v}.get(name)
            if low_rank is None and index != group:
                continue
            weight, bias = folded(linear, low_rank)
            out[f"{base}self_attn.{name}.weight"] = weight
            out[f"{base}self_attn.{name}.bias"] = bias
        out.update(linear_tensors(base + "self_attn_layer_norm",
                                  extras.self_norm))
        out.update(linear_tensors(base + "final_layer_norm",
                                  extras.final_norm))
        if index < config.ffn_groups:
            out.update(linear_tensors(base + "fc1", model.ffn[index].fc1))
            out.update(linear_tensors(base + "fc2", model.ffn[index].fc2))
    return out


def decoder_tensors(model):
    """All tensors of the decoder that the encoder does not hold already."""
    config, out = model.config, {}
    for index, extras in enumerate(model.decoder):
        base = f"decoder.layers.{index}."
        for block, sets in (("self_attn", model.self_set(index)),
                            ("encoder_attn", model.cross_set(index))):
            for name in PROJECTIONS:
                folds = config.lora_rank and name in ("q_proj", "v_proj")
                if config.decoder_shares_attention and not folds:
                    continue
                out.update(linear_tensors(f"{base}{block}.{name}",
                                          getattr(sets, name)))
        for name, norm in (("self_attn_layer_norm", extras.self_norm),
                           ("encoder_attn_layer_norm", extras.cross_norm),
                           ("final_layer_norm", extras.final_norm)):
            out.update(linear_tensors(base + name, norm))
        out.update(linear_tensors(base + "fc1", extras.ffn.fc1))
        out.update(linear_tensors(base + "fc2", extras.ffn.fc2))
    return out


def all_tensors(model):
    """Name -> float32 array for the whole model."""
    tensors = {"shared.weight": model.shared.weight}
    tensors.update(encoder_tensors(model))
    tensors.update(decoder_tensors(model))
    return {name: tensor.detach().float().numpy()
            for name, tensor in tensors.items()}


def quantize_rows(weight):
    """Symmetric int8 per output row: (codes, scale); ties go to even."""
    top = numpy.abs(weight).max(axis=1)
    scale = numpy.where(top > 0, top / 127.0, 1.0).astype(numpy.float32)
    codes = numpy.rint(weight / scale[:, None])
    return numpy.clip(codes, -127, 127).astype(numpy.int8), scale


def quantized(tensors):
    """Replace every matrix by int8 codes and a scale per row."""
    out = {}
    for name, tensor in tensors.items():
        if tensor.ndim == 2:
            out[name], out[name + "_scale"] = quantize_rows(tensor)
        else:
            out[name] = tensor
    return out


def write_safetensors(path, tensors):
    """Write a safetensors file whose data starts on a 64-byte boundary.

    Matrices come first and those whose size is a multiple of 64 before the
    others, so that the big ones are aligned too.
    """
    names = sorted(tensors, key=lambda name: (
        tensors[name].ndim != 2, tensors[name].nbytes % 64 != 0, name))
    kinds = {"int8": "I8", "float32": "F32", "int32": "I32"}
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name in names:
        size = tensors[name].nbytes
        header[name] = {"dtype": kinds[str(tensors[name].dtype)],
                        "shape": list(tensors[name].shape),
                        "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % 64)
    with open(path, "wb") as handle:
        handle.write(struct.pack("<Q", len(text)) + text)
        for name in names:
            handle.write(numpy.ascontiguousarray(tensors[name]).tobytes())


def config_json(config, compute_type):
    """The contents of config.json."""
    out = {"model_type": "edgeformer",
           "architectures": ["EdgeFormerForConditionalGeneration"],
           "vocab_size": config.vocab_size, "d_model": config.d_model,
           "encoder_layers": config.encoder_layers,
           "decoder_layers": config.decoder_layers,
           "encoder_attention_heads": config.heads,
           "decoder_attention_heads": config.heads,
           "encoder_ffn_dim": config.encoder_ffn_dim,
           "decoder_ffn_dim": config.decoder_ffn_dim,
           "encoder_attention_groups": config.attention_groups,
           "encoder_ffn_groups": config.ffn_groups,
           "decoder_shares_attention": config.decoder_shares_attention,
           "activation_function": "relu", "layer_norm_eps": 1e-5,
           "scale_embedding": True,
           "position_embedding_type": "sinusoidal",
           "max_position_embeddings": config.max_positions,
           "tie_word_embeddings": True, "pad_token_id": 0, "eos_token_id": 1,
           "unk_token_id": 2, "decoder_start_token_id": 0,
           "torch_dtype": compute_type}
    if compute_type == "int8":
        out["quantization_config"] = {"quant_method": "stet_int8",
                                      "weights": "per_output_row"}
    return out


def write_json(path, content):
    """Write one JSON file, indented, with a final line end."""
    with open(path, "w", encoding="utf-8") as handle:
        handle.write(json.dumps(content, indent=2) + "\n")


def write_folder(model, tokenizer, output, compute_type):
    """Write config, generation settings, weights and tokenizer."""
    os.makedirs(output, exist_ok=True)
    tensors = all_tensors(model)
    if compute_type == "int8":
        tensors = quantized(tensors)
    write_json(os.path.join(output, "config.json"),
               config_json(model.config, compute_type))
    write_json(os.path.join(output, "generation_config.json"),
               {"decoder_start_token_id": 0, "eos_token_id": 1,
                "pad_token_id": 0, "num_beams": 1, "do_sample": False,
                "max_length": min(257, model.config.max_positions)})
    write_safetensors(os.path.join(output, "model.safetensors"), tensors)
    target = os.path.join(output, "spiece.model")
    if os.path.abspath(tokenizer) != os.path.abspath(target):
        shutil.copyfile(tokenizer, target)
    return sum(tensor.nbytes for tensor in tensors.values())


def load_checkpoint(path, which):
    """The model of a checkpoint, with its master or averaged weights."""
    kept = torch.load(path, weights_only=True)
    model = EdgeFormer(EdgeConfig(**kept["config"]))
    parameters = list(model.parameters())
    parts = kept[which].split([p.numel() for p in parameters])
    with torch.no_grad():
        for parameter, part in zip(parameters, parts):
            parameter.copy_(part.view_as(parameter))
    return model.eval(), kept["state"]


def main():
    """Export one checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--tokenizer", required=True, help="spiece.model")
    parser.add_argument("--output", required=True, help="folder to write")
    parser.add_argument("--compute_type", default="float32",
                        choices=("float32", "int8"))
    parser.add_argument("--weights", default="average",
                        choices=("average", "master"))
    args = parser.parse_args()
    model, state = load_checkpoint(args.checkpoint, args.weights)
    size = write_folder(model, args.tokenizer, args.output, args.compute_type)
    print(f"step {state['step']}: {size / 1e6:.2f} MB in {args.output}")


if __name__ == "__main__":
    main()
