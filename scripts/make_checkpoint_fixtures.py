#!/usr/bin/env python3
"""Writes the checkpoints under tests/fixtures/checkpoints, as PyTorch, fairseq and transformers write them.

usage: make_checkpoint_fixtures.py [--output FOLDER]

Needs PyTorch, safetensors and omegaconf. Weights are those of other fixtures: what a converter makes of a checkpoint
must be that fixture again. expected.json has the bytes of the tensors of kinds_*.pt. edge_lora.pt is an EdgeFormer with
low-rank terms under fairseq's names; edge_folded.safetensors has what scripts/train/export_model.py makes of it.
"""

import argparse
import json
import os
import shutil
import sys

import omegaconf
import safetensors.torch
import torch

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FIXTURES = os.path.join(ROOT, "tests", "fixtures")
sys.path.insert(0, os.path.join(ROOT, "scripts", "train"))
from edgeformer import EdgeConfig, EdgeFormer  # noqa: E402
from export_model import all_tensors, write_safetensors  # noqa: E402

OLD = dict(_use_new_zipfile_serialization=False)


def kinds():
    """Tensors of all types, views of all sorts, and two names for one tensor."""
    base = torch.arange(24, dtype=torch.float32).view(4, 6) / 7
    out = {"float32": base, "float16": base.half(), "bfloat16": base.bfloat16(), "int64": torch.arange(3),
           "int8": torch.arange(5, dtype=torch.int8), "bool": torch.tensor([True, False]), "float64": base[0].double(),
           "transposed": base.t(), "columns": base[1:, ::2], "transposed_half": base.half()[:, 1:4].t(), "tied": base,
           "cube": base.view(2, 3, 4).permute(2, 0, 1), "repeated": torch.ones(1, 2).expand(1, 2),
           "parameter": torch.nn.Parameter(base[2]), "empty": base[:0], "scalar": base[1, 1]}
    return out


def raw(tensor):
    flat = tensor.detach().contiguous().reshape(-1)
    return bytes(flat.view(torch.uint8).tolist()) if flat.numel() else b""


def write_kinds(folder):
    tensors = kinds()
    torch.save({"model": tensors}, os.path.join(folder, "kinds_zip.pt"))
    torch.save({"model": tensors}, os.path.join(folder, "kinds_old.pt"), **OLD)
    expected = {name: {"shape": list(t.shape), "bytes": raw(t).hex()} for name, t in tensors.items()}
    with open(os.path.join(folder, "expected.json"), "w", encoding="utf-8") as f:
        f.write(json.dumps(expected, indent=1) + "\n")


def fairseq_names(name):
    """Tensors of a fixture under the names of fairseq; the tables under all that the model has for them."""
    tensors = safetensors.torch.load_file(os.path.join(FIXTURES, name, "model.safetensors"))
    table = tensors.pop("shared.weight")
    tensors |= {"encoder.embed_tokens.weight": table, "decoder.embed_tokens.weight": table,
                "decoder.output_projection.weight": tensors.pop("lm_head.weight", table)}
    return tensors | {"encoder.version": torch.tensor([3.0]), "decoder.version": torch.tensor([3.0]),
                      "encoder.embed_positions._float_tensor": torch.zeros(1)}


def old_names(tensors):
    """As checkpoints before 2019: one matrix for queries, keys and values, and norms by number."""
    out = {}
    for name, tensor in tensors.items():
        prefix, _, kind = name.rpartition(".")
        if prefix.endswith(("k_proj", "v_proj")):
            continue
        if prefix.endswith("q_proj"):
            parts = [tensors[f"{prefix[:-6]}{p}_proj.{kind}"] for p in "qkv"]
            out[f"{prefix[:-7]}.in_proj_{kind}"] = torch.cat(parts)
            continue
        for old, new in enumerate(("self_attn_layer_norm", "encoder_attn_layer_norm", "final_layer_norm")):
            if prefix.endswith("." + new) and ".layers." in prefix:
                number = 1 if old == 2 and prefix.startswith("encoder") else old
                name = f"{prefix[:-len(new)]}layer_norms.{number}.{kind}"
        out[name] = tensor
    return out


def settings(name, **more):
    """What the command line of a training said."""
    with open(os.path.join(FIXTURES, name, "config.json"), encoding="utf-8") as f:
        config = json.load(f)
    learned = config["position_embedding_type"] == "learned"
    out = dict(arch="transformer", activation_fn=config["activation_function"], dropout=0.1,
               no_scale_embedding=not config["scale_embedding"], adaptive_softmax_cutoff=None,
               share_all_embeddings=config["tie_word_embeddings"], max_source_positions=72, max_target_positions=80)
    for side in ("encoder", "decoder"):
        out |= {side + "_embed_dim": config["d_model"], side + "_layers": config[side + "_layers"],
                side + "_attention_heads": config[side + "_attention_heads"], side + "_learned_pos": learned,
                side + "_ffn_embed_dim": config[side + "_ffn_dim"],
                side + "_normalize_before": config[side + "_normalize_before"]}
    return out | more


def write_fairseq(folder):
    torch.save({"args": argparse.Namespace(**settings("transformer-pre")),
                "model": old_names(fairseq_names("transformer-pre")), "optimizer_history": [{"num_updates": 7}],
                "extra_state": {"epoch": 1}, "last_optimizer_state": None},
               os.path.join(folder, "fairseq_pre_old.pt"), **OLD)
    model = settings("transformer-learned", _name="transformer")
    cfg = omegaconf.OmegaConf.create({"_name": None, "common": {"seed": 1}, "model": model})
    torch.save({"args": None, "cfg": cfg, "model": fairseq_names("transformer-learned")},
               os.path.join(folder, "fairseq_learned_cfg.pt"))


def edge_names(model):
    """State of an EdgeFormer as fairseq's modules have it: shared sets under every layer that uses them."""
    config, out = model.config, {"encoder.version": torch.tensor([3.0])}

    def put(prefix, module):
        for kind, tensor in module.state_dict(keep_vars=True).items():
            out[f"{prefix}.{kind}"] = tensor.detach()
    for i, extras in enumerate(model.encoder):
        base = f"encoder.layers.{i}"
        put(base + ".self_attn", model.attention[i % config.attention_groups])
        put(base, model.ffn[i % config.ffn_groups])
        put(base + ".self_attn_layer_norm", extras.self_norm)
        put(base + ".final_layer_norm", extras.final_norm)
        put(base + ".q_lora", extras.lora_q)
        put(base + ".v_lora", extras.lora_v)
    for j, extras in enumerate(model.decoder):
        base = f"decoder.layers.{j}"
        put(base + ".self_attn", model.self_set(j))
        put(base + ".encoder_attn", model.cross_set(j))
        put(base, extras.ffn)
        put(base + ".self_attn_layer_norm", extras.self_norm)
        put(base + ".encoder_attn_layer_norm", extras.cross_norm)
        put(base + ".final_layer_norm", extras.final_norm)
    for name in ("encoder.embed_tokens", "decoder.embed_tokens", "decoder.output_projection"):
        out[name + ".weight"] = model.shared.weight.detach()
    return out


def write_edge(folder):
    torch.manual_seed(3)
    model = EdgeFormer(EdgeConfig(vocab_size=30, d_model=16, encoder_layers=6, decoder_layers=2, heads=2,
                                  encoder_ffn_dim=24, decoder_ffn_dim=8, attention_groups=4, ffn_groups=2, lora_rank=3,
                                  decoder_shares_attention=True)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape) * 0.4)
    args = argparse.Namespace(arch="transformer_edge", model_param_type="edgeformer", lora_r=3, lora_r_shape=0,
                              activation_fn="relu", encoder_attention_heads=2, decoder_attention_heads=2,
                              encoder_normalize_before=False, decoder_normalize_before=False, no_scale_embedding=False,
                              share_all_embeddings=True, max_source_positions=1024, max_target_positions=1024)
    torch.save({"args": args, "model": edge_names(model)}, os.path.join(folder, "edge_lora.pt"))
    write_safetensors(os.path.join(folder, "edge_folded.safetensors"), all_tensors(model))


def write_hf(folder):
    """pytorch_model.bin of a fixture with float16 weights; shards, in the old format, of one with bfloat16."""
    single, shards = os.path.join(folder, "hf-single"), os.path.join(folder, "hf-shards")
    for target, name in ((single, "hf-mbart-b"), (shards, "hf-m2m-100-b")):
        shutil.rmtree(target, ignore_errors=True)
        os.makedirs(target)
        tensors = safetensors.torch.load_file(os.path.join(FIXTURES, name, "model.safetensors"))
        table = tensors["model.shared.weight"]
        tensors |= {f"model.{side}.embed_tokens.weight": tensors.get(f"model.{side}.embed_tokens.weight", table)
                    for side in ("encoder", "decoder")}
        if target == single:
            torch.save(tensors, os.path.join(target, "pytorch_model.bin"))
            continue
        names, placed = sorted(tensors), {}
        for i in range(2):
            file = f"pytorch_model-0000{i + 1}-of-00002.bin"
            torch.save({n: tensors[n] for n in names[i::2]}, os.path.join(target, file), **OLD)
            placed |= {n: file for n in names[i::2]}
        with open(os.path.join(target, "pytorch_model.bin.index.json"), "w", encoding="utf-8") as f:
            f.write(json.dumps({"metadata": {}, "weight_map": placed}, indent=1) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", default=os.path.join(FIXTURES, "checkpoints"))
    args = parser.parse_args()
    os.makedirs(args.output, exist_ok=True)
    for write in (write_kinds, write_fairseq, write_edge, write_hf):
        write(args.output)
    for folder, _, names in os.walk(args.output):
        for name in sorted(names):
            print(os.path.getsize(os.path.join(folder, name)), os.path.join(folder, name))


if __name__ == "__main__":
    main()
