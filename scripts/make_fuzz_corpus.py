#!/usr/bin/env python3
"""Writes the seed inputs of the fuzz targets to tests/fuzz/corpus/, from the fixtures.

Existing files with other names stay: inputs that once failed are kept beside the seeds.
"""

import json
import os
import struct

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FIXTURES = os.path.join(ROOT, "tests", "fixtures")
CORPUS = os.path.join(ROOT, "tests", "fuzz", "corpus")


def fixture(*parts):
    with open(os.path.join(FIXTURES, *parts), "rb") as f:
        return f.read()


def write(target, name, data):
    folder = os.path.join(CORPUS, target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as f:
        f.write(data)


def safetensors(header, data=b""):
    text = json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text)) + text + data


def make_safetensors():
    one = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}
    two = {"dtype": "I8", "shape": [8], "data_offsets": [24, 32]}
    write("fuzz_safetensors", "seed_empty", safetensors({}))
    write("fuzz_safetensors", "seed_one", safetensors({"a.weight": one}, bytes(24)))
    write("fuzz_safetensors", "seed_two",
          safetensors({"__metadata__": {"format": "pt"}, "a": one, "b": two}, bytes(32)))
    write("fuzz_safetensors", "seed_types", safetensors(
        {d: {"dtype": d, "shape": [], "data_offsets": [8 * i, 8 * i + size]}
         for i, (d, size) in enumerate([("F16", 2), ("BF16", 2), ("I32", 4), ("F64", 8)])},
        bytes(32)))
    write("fuzz_safetensors", "seed_overlap", safetensors(
        {"a": one, "b": {"dtype": "U8", "shape": [4], "data_offsets": [20, 24]}}, bytes(24)))
    write("fuzz_safetensors", "seed_huge_shape", safetensors(
        {"a": {"dtype": "F32", "shape": [1 << 62, 4], "data_offsets": [0, 0]}}))
    write("fuzz_safetensors", "seed_huge_header", struct.pack("<Q", (1 << 64) - 1) + b"{}")


def make_config():
    for name in ("edgeformer-a", "edgeformer-b", "edgeformer-c"):
        config = fixture(name, "config.json")
        write("fuzz_config", f"seed_{name}", config)
        write("fuzz_config", f"seed_{name}_generation",
              config + b"\0" + fixture(name, "generation_config.json"))
    for name in ("bart-b", "mbart-a", "mbart-c", "marian-b", "m2m-100-a", "pegasus-a", "t5-a", "t5-c", "mt5-a",
                 "umt5-c"):
        write("fuzz_config", f"seed_{name}", fixture(f"hf-{name}", "config.json"))
    for name in ("bart-a", "bart-c", "mbart-b", "marian-a", "marian-c", "m2m-100-b", "m2m-100-c", "pegasus-c",
                 "t5-b", "mt5-b", "mt5-c"):
        write("fuzz_config", f"seed_{name}_generation", fixture(f"hf-{name}", "config.json") + b"\0" +
              fixture(f"hf-{name}", "generation_config.json"))
    write("fuzz_config", "seed_forbidden", fixture("hf-bart-a", "config.json") + b"\0" + json.dumps(
        {"suppress_tokens": [5, 6], "bad_words_ids": [[2], [7]], "begin_suppress_tokens": [], "forced_bos_token_id": 0,
         "forced_eos_token_id": 2, "min_length": 4, "repetition_penalty": 1.1}).encode())
    write("fuzz_config", "seed_lists", fixture("hf-bart-a", "config.json") + b"\0" + json.dumps(
        {"eos_token_id": [2, 9, 2, 7], "forced_eos_token_id": [9, 2], "bad_words_ids": [[], [3, 4, 5], [5, 2], [9]],
         "max_new_tokens": 7, "min_new_tokens": 2, "guidance_scale": 1, "sequence_bias": None,
         "cache_implementation": "static", "stop_strings": ""}).encode())
    plain = json.loads(fixture("edgeformer-a", "config.json"))
    plain.update(model_type="transformer", encoder_normalize_before=True, normalize_embedding=True,
                 position_embedding_type="learned", activation_function="gelu", position_offset=2)
    write("fuzz_config", "seed_transformer", json.dumps(plain).encode())


def make_quantize_config():
    for name in ("edgeformer-a", "edgeformer-b", "hf-t5-a"):
        write("fuzz_quantize_config", f"seed_{name}", fixture(name, "config.json"))
    texts = {"empty": "{ }", "only": '{"quantization_config":{"a":[1,{}]} }',
             "space": '{ "a" : [ "dtype" ] ,\t"dtype"\n: "x" , "b":1 }',
             "last": '{"torch_dtype": "float32", "quantization_config": "stet_int8"}',
             "number": '{"dtype":7,"a":"}{][,"}',
             "list": '[{"dtype":"a"}]', "first": '{"quantization_config" : 1, "dtype": "a"}'}
    for name, text in texts.items():
        write("fuzz_quantize_config", f"seed_{name}", text.encode())


def make_folder_settings():
    texts = {"both": '{"prompt": "grammar: ", "min_edit_score": -0.6}', "empty": "{}",
             "unknown": '{"promt": "x"}', "number": '{"min_edit_score": 1e9, "prompt": 3}',
             "tasks": '{"task_specific_params":{"a":{"prefix":"x: "},"b":3,"c":{"prefix":null}}}',
             "many": json.dumps({"task_specific_params": {f"t{i}": {"prefix": "p"} for i in range(70)}})}
    for name, text in texts.items():
        write("fuzz_folder_settings", f"seed_{name}", text.encode())


def make_json():
    texts = {
        "numbers": '{"a":0,"b":-1,"c":1.5e-3,"d":9223372036854775807,"e":9223372036854775808}',
        "strings": '{"a":"\\u00e9\\n\\ud83d\\ude00","\\u0061b":"\\"\\\\/","c":"\\ud800"}',
        "nested": '{"a":' + "[" * 20 + "]" * 20 + "}",
        "too_deep": '{"a":' + "[" * 100 + "]" * 100 + "}",
        "duplicate": '{"a":1,"\\u0061":2}',
        "trailing": '{"a":null} x',
        "nul": '{"a":"\\u0000"}',
        "list": '[true,false,null,{"a":{}}]',
    }
    for name, text in texts.items():
        write("fuzz_json", f"seed_{name}", text.encode())
    write("fuzz_json", "seed_bad_utf8", b'{"a":"\xff\xc3"}')


def make_tokenizer_models():
    write("fuzz_tokenizer_model", "seed_byte_pieces", fixture("edgeformer-a", "spiece.model"))
    for name in ("bpe_identity", "uni_identity"):
        write("fuzz_tokenizer_model", f"seed_{name}", fixture("tokenizer", f"{name}.model"))


def small_json(name, pieces):
    """A fixture with the first pieces of its vocabulary: the fuzzer gets further with little text."""
    data = json.loads(fixture("tokenizer", f"{name}.json"))
    model = data["model"]
    if isinstance(model["vocab"], list):
        model["vocab"] = model["vocab"][:pieces]
    else:
        model["vocab"] = {k: v for k, v in model["vocab"].items() if v < pieces}
        known = model["vocab"]
        split = [m.split(" ") if isinstance(m, str) else m for m in model["merges"]]
        model["merges"] = [m for m, (a, b) in zip(model["merges"], split) if a in known and b in known
                           and a + b in known]
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()


def make_tokenizer_json():
    for name in ("bpe_bart", "bpe_prefix", "bpe_marks", "uni_t5", "uni_xlmr", "uni_first"):
        write("fuzz_tokenizer_json", f"seed_{name}", small_json(name, 300 if name.startswith("bpe") else 40))
    steps = [{"type": "Replace", "pattern": {"String": " "}, "content": "_"}, {"type": "Prepend", "prepend": "_"},
             {"type": "Strip", "strip_left": True, "strip_right": True}]
    tiny = {"added_tokens": [{"id": 9, "content": "a b", "single_word": True, "lstrip": True, "rstrip": True,
                              "normalized": True, "special": False}],
            "truncation": {"max_length": 9, "stride": 1}, "padding": {"strategy": {"Fixed": 3}},
            "normalizer": {"type": "Sequence", "normalizers": steps},
            "post_processor": {"type": "BertProcessing", "sep": ["a", 1], "cls": ["b", 2]},
            "decoder": {"type": "Fuse"},
            "model": {"unk_token": "u", "vocab": {"u": 0, "a": 1, "b": 2, "ab": 3}, "merges": ["a b"]}}
    write("fuzz_tokenizer_json", "seed_tiny", json.dumps(tiny).encode())


def make_texts():
    texts = {
        "plain": b"She go to school. He said \"hello\" to Dr. Smith at 5 p.m. yesterday!",
        "lines": b"One line.\r\nTwo lines?\n\nA new paragraph... and (more) text:\ta list, e.g. this",
        "unicode": "Caf\u00e9 \u2014 \u201cna\u00efve\u201d \u65e5\u672c\u8a9e\u3002 \U0001f600\u200d"
                   "\u00a0x\u2028y\u3000z \ufb01 \u00bd".encode(),
        "invalid": b"a\xff\xfeb \xc3( \xe2\x28\xa1 \xf0\x9f\x98 \xed\xa0\x80 end.",
        "spaces": b"  two  spaces \t tab\x00nul   ",
        "control": b"</s> <unk> <0x41> \xe2\x96\x81 <pad>",
        "repeats": b"aaaa " * 40 + b"." * 30,
        "added": b" http:// ...! don't ... <sep> adon't \xef\xac\x81x <mask> http://http://",
        "clusters": "e\u0301 \u0915\u094d\u0937 \U0001f468\u200d\U0001f469 \u00a9\u200d\u00ae \r\n \u0600a".encode(),
    }
    for target in ("fuzz_text", "fuzz_tokenizer_text"):
        for name, text in texts.items():
            write(target, f"seed_{name}", text)


def misspellings(words, rows, blocks=None, count=None):
    """A table; rows: (bytes of the row before, further bytes, number of the word). Words and rows also are its text."""
    ends, packed, begins = [], b"", []
    for at in range(len(words)):
        ends.append(len(b"".join(words[:at + 1])))
    for at, (shared, rest, word) in enumerate(rows):
        if at % 16 == 0:
            begins.append(len(packed))
        packed += bytes((len(rest) if at % 16 == 0 else shared << 4 | len(rest),)) + rest + struct.pack("<H", word)
    begins = begins if blocks is None else blocks
    return b"stetmsp1" + struct.pack("<4I", len(rows) if count is None else count, len(words), sum(map(len, words)),
                                     len(packed)) + struct.pack(f"<{len(ends) + len(begins)}I", *ends, *begins) + \
        b"".join(words) + packed


def make_misspellings():
    words = [b"the", b"(adn) -", b"a lot", "caf\u00e9".encode()]
    few = [(0, b"adn", 0), (1, b"lot", 2), (0, b"caf", 3), (3, b"\xc3\xa8", 3), (0, b"teh", 0)]
    many = [(0, bytes((97 + at,)), at % 2) for at in range(16)] + [(0, b"q" * 40, 1), (15, b"r", 0), (0, b"the", 1)]
    tables = {"empty": misspellings([], []), "few": misspellings(words, few), "many": misspellings(words[:2], many),
              "first": misspellings([b"adn teh Alot-lot adn", b"x"], [(0, b"adn", 1), (0, b"teh", 0)]),
              "unsorted": misspellings([b"a"], [(0, b"b", 0), (0, b"a", 0)]),
              "block": misspellings(words[:2], many, [0, 7]), "count": misspellings([b"a"], [], [], 0xFFFFFFF0),
              "word": misspellings([b"a"], [(0, b"b", 1)]), "control": misspellings([b"a\n"], [(0, b"b", 0)])}
    for name, data in tables.items():
        write("fuzz_misspellings", f"seed_{name}", data)


def make_replays():
    pairs = {
        "ids": b"\x005 6 7 8\n5 6 20 8\n3 3 3 3\n3 3\n\n9\n",
        "window": b"\x055 6 7 8 9 10\n5 7 8 8 9 10 11\n",
        "wrong_id": b"\x025 6\n5 2147483648\n",
        "text": b"\x0bbace difo guha.\nbace guha.\nna pe ri\nna \xff ri\n",
    }
    for name, data in pairs.items():
        write("fuzz_replay", f"seed_{name}", data)


def main():
    make_safetensors()
    make_config()
    make_folder_settings()
    make_quantize_config()
    make_json()
    make_tokenizer_models()
    make_tokenizer_json()
    make_texts()
    make_misspellings()
    make_replays()


if __name__ == "__main__":
    main()
