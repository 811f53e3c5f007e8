"""Folders whose weights are broken, missing, or those of another model."""

import os
import struct

from folder_cases import FIXTURES, WEIGHTS, case, file_of, header_of, read_tensors, simple

FC1 = "encoder.layers.0.fc1.weight"
FILE = r"FOLDER/model\.safetensors: "
INDEX = r"FOLDER/model\.safetensors\.index\.json: "


def header(name, text, pattern):
    simple(name, "edge", FILE + pattern, lambda f: f.write(WEIGHTS, struct.pack("<Q", len(text)) + text))


def add_files():
    simple("weights-empty", "edge", FILE + r"0 bytes are too few for a safetensors file.*",
           lambda f: f.write(WEIGHTS, b""))
    simple("weights-lfs-pointer", "edge",
           FILE + r"is a pointer of Git LFS, not the file itself; `git lfs pull` fetches it",
           lambda f: f.write(WEIGHTS, "version https://git-lfs.github.com/spec/v1\noid sha256:" + 64 * "0" +
                             "\nsize 449408\n"))
    simple("weights-7-bytes", "edge", FILE + r"7 bytes are too few for a safetensors file.*",
           lambda f: f.write(WEIGHTS, b"1234567"))
    simple("weights-header-cut", "edge", FILE + r"header length \d+ at offset 0, but only 992 bytes follow.*",
           lambda f: f.cut(WEIGHTS, 1000))
    simple("weights-data-cut", "edge",
           FILE + r"tensor '.*': data_offsets \[\d+, \d+\] are not a range inside the \d+ bytes of data.*",
           lambda f: f.cut(WEIGHTS, 400000))
    simple("weights-tail", "edge", FILE + r"the tensors end at offset \d+ of \d+ bytes of data.*",
           lambda f: f.write(WEIGHTS, f.read(WEIGHTS) + b"tail"))
    simple("weights-header-huge", "edge", FILE + r"header length 9223372036854775808 at offset 0 is over the limit .*",
           lambda f: f.write(WEIGHTS, struct.pack("<Q", 2**63) + f.read(WEIGHTS)[8:]))
    simple("weights-no-brace", "edge", FILE + r"the header at offset 8 must begin with '\{'.*",
           lambda f: f.write(WEIGHTS, struct.pack("<Q", 1000) + b"x" * 5000))
    header("weights-not-json", b'{"a": {', r"not valid JSON: line 1, column \d+: .*")
    simple("weights-no-tensors", "edge", r'FOLDER: tensor "encoder\.embed_tokens\.weight" is missing.*',
           lambda f: f.write(WEIGHTS, struct.pack("<Q", 2) + b"{}"))
    header("weights-metadata", b'{"__metadata__": {"format": 1}}',
           r"__metadata__ key 'format': the value must be a string")


def add_missing():
    none = r"FOLDER: no model\.safetensors or model\.safetensors\.index\.json"
    simple("weights-missing", "edge", none, lambda f: f.remove(WEIGHTS))

    @case("weights-pytorch-bin", "edge", r"FOLDER: .*pytorch_model\.bin.*scripts/convert_pytorch_bin\.py.*")
    def _(f):
        f.remove(WEIGHTS)
        os.symlink(os.path.join(FIXTURES, "checkpoints", "hf-single", "pytorch_model.bin"), f.at("pytorch_model.bin"))

    @case("weights-pytorch-shards", "edge",
          r"FOLDER: .*pytorch_model\.bin\.index\.json.*scripts/convert_pytorch_bin\.py.*")
    def _(f):
        f.remove(WEIGHTS)
        for name in os.listdir(os.path.join(FIXTURES, "checkpoints", "hf-shards")):
            os.symlink(os.path.join(FIXTURES, "checkpoints", "hf-shards", name), f.at(name))

    @case("fairseq-only", None, r"FOLDER: .*checkpoint_best\.pt.*scripts/convert_fairseq\.py.*")
    def _(f):
        os.symlink(os.path.join(FIXTURES, "checkpoints", "fairseq_pre_old.pt"), f.at("checkpoint_best.pt"))
        f.write("dict.src.txt", "a 5\n")

    @case("weights-of-tensorflow", "edge", none)
    def _(f):
        f.remove(WEIGHTS)
        f.write("tf_model.h5", b"\x89HDF\r\n\x1a\n")


def add_tensors():
    def fields(name, pattern, **changes):
        simple(name, "edge", FILE + rf"tensor '{FC1}': " + pattern, lambda f: f.say_of(FC1, **changes))

    fields("tensor-dtype-unknown", r"dtype 'F4' is not supported.*", dtype="F4")
    fields("tensor-dtype-lower", r"dtype 'f32' is not supported.*", dtype="f32")
    fields("tensor-dtype-number", r"field dtype is missing or not a string", dtype=3)
    fields("tensor-shape-negative", r"dimension 0 of the shape is not an integer >= 0", shape=[-64, -64])
    fields("tensor-shape-real", r"dimension 1 of the shape is not an integer >= 0", shape=[64, 64.0])
    fields("tensor-shape-wraps", r"the shape needs more bytes than 64 bits can count", shape=[2**33, 2**33])
    fields("tensor-shape-20", r"20 dimensions, at most \d+ are supported", shape=[1] * 20)
    fields("tensor-offsets-swapped", r"data_offsets \[9000, 5\] are not a range .*", data_offsets=[9000, 5])
    fields("tensor-outside", r"data_offsets \[0, 1073741824\] are not a range .*", data_offsets=[0, 2**30])
    fields("tensor-size", r"data_offsets \[0, 8\] hold 8 bytes, dtype and shape need 16384", data_offsets=[0, 8])
    fields("tensor-field", r"has fields other than dtype, shape and data_offsets", extra=1)
    simple("tensor-overlap", "edge", FILE + r"tensor '.*': begins at offset \d+, expected \d+: overlaps another tensor",
           lambda f: f.say_of(FC1, data_offsets=[0, 16384]))

    @case("tensor-hole", "edge", FILE + r"tensor '.*': begins at offset 4, expected 0: bytes that no tensor owns")
    def _(f):
        t = f.tensors()
        h = header_of(t)
        for e in h.values():
            e["data_offsets"] = [x + 4 for x in e["data_offsets"]]
        data = file_of(h, t)
        n = 8 + struct.unpack("<Q", data[:8])[0]
        f.write(WEIGHTS, data[:n] + bytes(4) + data[n:])


def edit(name, whole, pattern):
    """The case's function gets the tensors and changes them."""
    def add(change):
        def make(f):
            tensors = f.tensors()
            change(tensors)
            f.write_tensors(tensors)
        case(name, whole, pattern)(make)
        return change
    return add


def add_models():
    @edit("tensor-missing", "edge", rf'FOLDER: tensor "{FC1}" is missing.*')
    def _(t):
        del t[FC1]

    @edit("tensor-unknown", "edge", r'FOLDER: tensor "lora\.a" does not belong to the edgeformer family as .*')
    def _(t):
        t["lora.a"] = ["F32", [1], bytes(4)]

    @edit("tensor-transposed", "learned",
          r'FOLDER: tensor ".*fc1\.weight" has shape \[.*\], config\.json asks for \[.*\]')
    def _(t):
        for n in t:
            if n.endswith("fc1.weight"):
                t[n][1].reverse()

    @edit("tensor-integers", "edge", rf'FOLDER: tensor "{FC1}" has type I32, expected F32, F16 or BF16')
    def _(t):
        t[FC1][0] = "I32"

    @edit("tensor-double", "edge", r'FOLDER: tensor "shared\.weight" has type F64, expected F32, F16 or BF16')
    def _(t):
        t["shared.weight"] = ["F64", t["shared.weight"][1], t["shared.weight"][2] * 2]

    @edit("scales-missing", "edge", rf'FOLDER: tensor "{FC1}_scale" is missing.*')
    def _(t):
        t[FC1] = ["I8", t[FC1][1], bytes(64 * 64)]

    @edit("scales-type", "edge", rf'FOLDER: tensor "{FC1}_scale" has type F16, expected F32')
    def _(t):
        t[FC1] = ["I8", t[FC1][1], bytes(64 * 64)]
        t[FC1 + "_scale"] = ["F16", [64], bytes(128)]

    @edit("scales-nan", "edge", FILE + rf"tensor '{FC1}_scale': element 63 is NaN or an infinity; .*")
    def _(t):
        t[FC1] = ["I8", t[FC1][1], bytes(64 * 64)]
        t[FC1 + "_scale"] = ["F32", [64], bytes(252) + struct.pack("<f", float("nan"))]

    @edit("tokens-too-few", "edge",
          r'FOLDER: tensor "shared\.weight" has shape \[200, 64\], config\.json asks for \[288, 64\]')
    def _(t):
        t["shared.weight"] = ["F32", [200, 64], t["shared.weight"][2][:200 * 256]]

    simple("tokens-of-config", "edge",
           r'FOLDER: tensor "shared\.weight" has shape \[288, 64\], config\.json asks for \[300, 64\]',
           lambda f: f.config(vocab_size=300))
    simple("positions-of-config", "learned",
           r'FOLDER: tensor "encoder\.embed_positions\.weight" has shape \[.*\], config\.json asks for \[.*\]',
           lambda f: f.config(max_position_embeddings=1000))
    simple("layers-of-config", "edge", r'FOLDER: tensor "encoder\.layers\.2\..*" is missing.*',
           lambda f: f.config(encoder_layers=3, encoder_attention_groups=3, encoder_ffn_groups=3))
    simple("fewer-layers-of-config", "edge", r'FOLDER: tensor "encoder\.layers\.1\..*" does not belong to .*',
           lambda f: f.config(encoder_layers=1, encoder_attention_groups=1, encoder_ffn_groups=1))


def add_numbers():
    for name, tensor, value in (("nan", FC1, "nan"), ("inf", FC1, "inf"), ("nan-embedding", "shared.weight", "nan"),
                                ("nan-bias", "encoder.layers.0.fc1.bias", "nan"),
                                ("inf-norm", "encoder.layers.0.final_layer_norm.weight", "-inf")):
        simple("tensor-" + name, "edge", FILE + rf"tensor '{tensor}': element 37 is NaN or an infinity; .*",
               lambda f, tensor=tensor, value=value: f.set_values(tensor, 37, float(value)))

    @edit("tensor-nan-half", "bart", FILE + r"tensor 'model\.shared\.weight': element 5 is NaN or an infinity; .*")
    def _(t):
        data = bytearray(t["model.shared.weight"][2])
        data[10:12] = b"\0\xfe"
        t["model.shared.weight"][2] = bytes(data)


def add_shards():
    first, second = (f"model-0000{i}-of-00002.safetensors" for i in (1, 2))

    @case("shard-missing", "edge", rf"FOLDER/{second}: cannot be opened: No such file or directory.*")
    def _(f):
        f.shards()
        f.remove(second)

    @case("shard-cut", "edge", rf"FOLDER/{second}: tensor '.*': data_offsets .* are not a range .*")
    def _(f):
        f.shards()
        f.cut(second, 9000)

    simple("index-absent-file", "edge", r"FOLDER/other\.safetensors: cannot be opened: .*",
           lambda f: f.shards(**{FC1: "other.safetensors"}))
    simple("index-wrong-file", "edge",
           rf"FOLDER/{second}: tensor '{FC1}' is not in the file, although FOLDER/.*\.index\.json says so",
           lambda f: f.shards(**{FC1: second}))
    simple("index-outside", "edge", INDEX + rf"weight_map: tensor '{FC1}': '\.\./a' is not a plain file name .*",
           lambda f: f.shards(**{FC1: "../a"}))
    simple("index-number", "edge", INDEX + rf"weight_map: tensor '{FC1}': expected a file name",
           lambda f: f.shards(**{FC1: 1}))

    @case("index-lacks-tensor", "edge", rf'FOLDER: tensor "{FC1}" is missing.*')
    def _(f):
        f.shards()
        value = f.json(WEIGHTS + ".index.json")
        del value["weight_map"][FC1]
        f.write_json(WEIGHTS + ".index.json", value)

    for name, value, pattern in (("no-map", {}, r"key weight_map is missing or not an object"),
                                 ("empty-map", {"weight_map": {}}, r"weight_map names no tensors"),
                                 ("list", {"weight_map": []}, r"key weight_map is missing or not an object")):
        simple("index-" + name, "edge", INDEX + pattern, lambda f, value=value: (
            f.shards(), f.write_json(WEIGHTS + ".index.json", value)))

    @case("shard-twice", "edge",
          rf"FOLDER/{first}: tensor '.*' is also in FOLDER/{second}; a name must be in one shard")
    def _(f):
        f.shards()
        tensors = read_tensors(f.at(second))
        f.write_tensors(tensors, first)
        name = next(iter(tensors))
        f.write_json(WEIGHTS + ".index.json", {"weight_map": {
            name: first, **{n: second for n in tensors if n != name}}})


def add_all():
    add_files()
    add_missing()
    add_tensors()
    add_models()
    add_numbers()
    add_shards()
