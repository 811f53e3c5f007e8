#!/usr/bin/env python3
"""Turns a folder with pytorch_model.bin, or its shards, into one with model.safetensors.

usage: convert_pytorch_bin.py FOLDER OUT

Needs nothing but Python, and runs nothing that stands in the files (scripts/torch_checkpoint.py). All other files
are copied. Of tensors that are one under several names, one is written; the models know the others as tied.
"""

import argparse
import json
import os
import shutil
import sys

import folder_writer
import torch_checkpoint
from torch_checkpoint import CheckpointError

SINGLE, INDEX = "pytorch_model.bin", "pytorch_model.bin.index.json"
WEIGHTS = (".bin", ".bin.index.json", ".safetensors", ".safetensors.index.json", ".h5", ".msgpack", ".ot", ".pt")


def shard_names(folder):
    """The files with weights, and the tensors that each must have (None: all that it has)."""
    if os.path.isfile(os.path.join(folder, SINGLE)):
        return {SINGLE: None}
    path = os.path.join(folder, INDEX)
    try:
        with open(path, encoding="utf-8") as f:
            placed = json.load(f)["weight_map"].items()
    except OSError as e:
        raise CheckpointError(f"{folder}: has neither {SINGLE} nor {INDEX}") from e
    except (ValueError, KeyError, AttributeError, TypeError) as e:
        raise CheckpointError(f"{path}: is no index of shards: {e}") from e
    shards = {}
    for tensor, name in placed:
        if not isinstance(name, str) or os.path.basename(name) != name or not name.endswith(".bin"):
            raise CheckpointError(f"{path}: tensor {tensor}: {name!r} is not the name of a file in the folder")
        shards.setdefault(name, set()).add(tensor)
    return shards


def state_dict(path):
    value = torch_checkpoint.load(path)
    if isinstance(value, dict) and isinstance(value.get("state_dict"), dict):
        value = value["state_dict"]
    if not isinstance(value, dict) or not value:
        raise CheckpointError(f"{path}: is not a dictionary of tensors")
    for name, tensor in value.items():
        if not isinstance(name, str) or not isinstance(tensor, torch_checkpoint.Tensor):
            raise CheckpointError(f"{path}: {name!r} is not a tensor")
    return value


def all_tensors(folder):
    out = {}
    for name, wanted in sorted(shard_names(folder).items()):
        found = state_dict(os.path.join(folder, name))
        for tensor in sorted(wanted or ()):
            if tensor not in found:
                raise CheckpointError(f"{folder}/{name}: tensor {tensor} is not in the file, although {INDEX} says so")
        for tensor in found if wanted is None else wanted:
            out[tensor] = found[tensor]
    return out


def without_aliases(tensors, keep_head):
    """One name of each tensor: that of the shared table if it is one, else the first in the alphabet."""
    kept, seen = {}, {}
    for name in sorted(tensors, key=lambda n: (not n.endswith("shared.weight"), n)):
        tensor = tensors[name]
        others = seen.setdefault(tensor.storage.key + tensor.dtype, [])
        if not any(tensor.same_memory(other) for other in others) or (keep_head and name == "lm_head.weight"):
            kept[name] = tensor
        others.append(tensor)
    return kept


def copy_other_files(source, target):
    for name in sorted(os.listdir(source)):
        path = os.path.join(source, name)
        if os.path.isfile(path) and not name.endswith(WEIGHTS):
            shutil.copyfile(path, os.path.join(target, name))


def convert(source, output):
    """Writes the folder; returns how many tensors were found and written."""
    path = os.path.join(source, "config.json")
    try:
        with open(path, encoding="utf-8") as f:
            config = json.load(f)
    except (OSError, ValueError) as e:
        raise CheckpointError(f"{path}: {e}") from e
    tensors = all_tensors(source)
    kept = without_aliases(tensors, isinstance(config, dict) and config.get("tie_word_embeddings") is False)
    with folder_writer.new_folder(output) as folder:
        copy_other_files(source, folder)
        folder_writer.write_weights(folder, {name: (t.dtype, t.shape, t.data) for name, t in kept.items()})
    return len(tensors), len(kept)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", metavar="FOLDER", help="config.json and pytorch_model.bin, or shards with an index")
    parser.add_argument("output", metavar="OUT", help="a folder that is not there yet")
    args = parser.parse_args()
    try:
        found, kept = convert(args.folder, args.output)
    except (CheckpointError, OSError, ValueError) as e:
        print(f"convert_pytorch_bin.py: {e}", file=sys.stderr)
        return 2
    print(f"{args.output}: {kept} tensors, {found - kept} more names for the same")
    return 0


if __name__ == "__main__":
    sys.exit(main())
