"""What cases of make_broken_folders.py are made of: whole folders, and ways to change one file in them."""

import json
import os
import shutil
import struct

FIXTURES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "fixtures")
TOKENIZERS = os.path.join(FIXTURES, "tokenizer")
WEIGHTS = "model.safetensors"

# Whole folders: a fixture, files of its tokenizer, and how many tokens the embedding must have for it.
WHOLE = {
    "edge": ("edgeformer-a", {}, 288),
    "learned": ("transformer-learned", {}, 288),
    "t5": ("hf-t5-c", {}, 288),
    "bytes": ("hf-t5-c", {"tokenizer_config.json": "folders/byt5/tokenizer_config.json"}, 384),
    "bart": ("hf-bart-c", {"tokenizer.json": "bpe_bart.json"}, 910),
    "pair": ("hf-bart-c", {"vocab.json": "bpe_pair_vocab.json", "merges.txt": "bpe_pair_merges.txt"}, 1000),
    "unigram": ("hf-t5-c", {"tokenizer.json": "uni_t5.json"}, 1010),
    "marian": ("hf-marian-c", {name: "folders/marian/" + name
                               for name in ("source.spm", "target.spm", "vocab.json")}, 1072),
    "m2m": ("hf-m2m-100-c", {"tokenizer.json": "uni_xlmr.json"}, 1010),
    "pegasus": ("hf-pegasus-c", {name: "folders/pegasus/" + name for name in (
        "spiece.model", "tokenizer_config.json")}, 1200),
}


def read_tensors(path):
    """Name -> [type, shape, bytes], in the order of the file."""
    with open(path, "rb") as f:
        data = f.read()
    n = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + n])
    header.pop("__metadata__", None)
    return {name: [t["dtype"], t["shape"], data[8 + n + t["data_offsets"][0]:8 + n + t["data_offsets"][1]]]
            for name, t in header.items()}


def header_of(tensors):
    """The header's object; data follow one another."""
    header, at = {}, 0
    for name, (kind, shape, data) in tensors.items():
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    return header


def file_of(header, tensors):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + b"".join(t[2] for t in tensors.values())


class Folder:
    """A folder that is being broken. Files that are not changed are links to whole ones."""

    def __init__(self, path, whole=None):
        self.path = path
        os.mkdir(path)
        for name in os.listdir(whole) if whole else ():
            os.symlink(os.path.join(whole, name), self.at(name))

    def at(self, name):
        return os.path.join(self.path, name)

    def remove(self, *names):
        for name in names:
            os.remove(self.at(name))

    def read(self, name):
        with open(self.at(name), "rb") as f:
            return f.read()

    def write(self, name, data):
        if os.path.lexists(self.at(name)):
            os.remove(self.at(name))
        with open(self.at(name), "wb") as f:
            f.write(data.encode() if isinstance(data, str) else data)

    def json(self, name):
        return json.loads(self.read(name))

    def write_json(self, name, value):
        self.write(name, json.dumps(value, indent=1))

    def change(self, name, drop=(), **keys):
        """Keys of a JSON file, which need not be there yet."""
        value = self.json(name) if os.path.exists(self.at(name)) else {}
        value.update(keys)
        self.write_json(name, {k: v for k, v in value.items() if k not in drop})

    def config(self, drop=(), **keys):
        self.change("config.json", drop, **keys)

    def generation(self, **keys):
        self.change("generation_config.json", (), **keys)

    def cut(self, name, size):
        self.write(name, self.read(name)[:size])

    def tensors(self):
        return read_tensors(self.at(WEIGHTS))

    def write_tensors(self, tensors, name=WEIGHTS, **headers):
        """headers: fields of single tensors' headers that shall say something else, NAME=FIELDS."""
        header = header_of(tensors)
        for tensor, fields in headers.items():
            header[tensor].update(fields)
        self.write(name, file_of(header, tensors))

    def say_of(self, tensor, **fields):
        """Weights as they are, with a header that says something else of one tensor."""
        self.write_tensors(self.tensors(), **{tensor: fields})

    def set_values(self, tensor, first, *values):
        tensors = self.tensors()
        data = bytearray(tensors[tensor][2])
        struct.pack_into(f"<{len(values)}f", data, 4 * first, *values)
        tensors[tensor][2] = bytes(data)
        self.write_tensors(tensors)

    def shards(self, **files):
        """Two shards and an index; files: what the index says instead, TENSOR=FILE."""
        tensors = self.tensors()
        names, places = list(tensors), {}
        for i, part in enumerate((names[:20], names[20:])):
            shard = f"model-{i + 1:05}-of-00002.safetensors"
            self.write_tensors({n: tensors[n] for n in part}, shard)
            places.update(dict.fromkeys(part, shard))
        self.remove(WEIGHTS)
        places.update(files)
        self.write_json(WEIGHTS + ".index.json", {"metadata": {}, "weight_map": places})


def grow(tensors, old, new):
    """Tables of `old` tokens get `new` by repeating their rows."""
    for name, (_, shape, data) in tensors.items():
        if name.endswith(("shared.weight", "lm_head.weight")) and shape[0] == old:
            row = len(data) // old
            shape[0] = new
            tensors[name][2] = (data * (new // old + 1))[:new * row]
        elif name.endswith("final_logits_bias") and shape[1] == old:
            one = len(data) // old
            shape[1] = new
            tensors[name][2] = (data * (new // old + 1))[:new * one]


def make_whole(path, name):
    fixture, files, tokens = WHOLE[name]
    source = os.path.join(FIXTURES, fixture)
    os.mkdir(path)
    for file in os.listdir(source):
        if file not in ("expected.safetensors", "greedy.safetensors"):
            shutil.copyfile(os.path.join(source, file), os.path.join(path, file))
    if files and os.path.exists(os.path.join(path, "spiece.model")):
        os.remove(os.path.join(path, "spiece.model"))
    for file, origin in files.items():
        shutil.copyfile(os.path.join(TOKENIZERS, origin), os.path.join(path, file))
    folder = Folder.__new__(Folder)
    folder.path = path
    old = folder.json("config.json")["vocab_size"]
    if old != tokens:
        tensors = folder.tensors()
        grow(tensors, old, tokens)
        folder.write_tensors(tensors)
        folder.config(vocab_size=tokens)
        if name == "marian":
            folder.config(decoder_vocab_size=tokens)
    if name == "m2m":
        # The fixture's settings name languages that this tokenizer does not have.
        folder.remove("generation_config.json")
        folder.write_json("tokenizer_config.json", {"tokenizer_class": "M2M100Tokenizer", "src_lang": "en"})
        tokenizer = folder.json("tokenizer.json")
        for i, language in enumerate(("en", "de")):
            tokenizer["added_tokens"].append(dict(tokenizer["added_tokens"][-1], id=1000 + i,
                                                  content=f"__{language}__"))
        folder.write_json("tokenizer.json", tokenizer)


CASES = []


def case(name, whole, pattern, as_user=False):
    """A case: `pattern` must match all of stet's line behind "stet: ", where FOLDER stands for the folder's path.
    as_user: cannot fail for root, who may read every file."""
    def add(make):
        CASES.append({"name": name, "whole": whole, "pattern": pattern, "make": make, "as_user": as_user})
        return make
    return add


def simple(name, whole, pattern, make):
    case(name, whole, pattern)(make)
