#!/usr/bin/env python3
"""Trains the small tokenizer.json files of tests/fixtures/tokenizer and records what the library does with them.

    scripts/make_json_fixtures.py TEXT [--out tests/fixtures/tokenizer] [--lines 20000] [--scale 1]

TEXT is any large English text, one sentence a line; it is not kept. Needs the Python packages tokenizers and
sentencepiece (the latter for normalisation rules). --scale 30 makes vocabularies of the usual size, for
compare_tokenizer.py. Written: NAME.json and NAME.hashes for every tokenizer, bpe_gpt2 as vocab.json and merges.txt too,
and mixed_texts.txt. A line of a hashes file belongs to the same line of mixed_texts.txt: FNV-1a hashes of the ids,
written with spaces between them, and of the decoded text.
"""

import argparse
import base64
import json
import pathlib

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

import compare_tokenizer
import json_oracle
import tokenizer_texts

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
BART = ["<s>", "<pad>", "</s>", "<unk>"]
T5 = ["<pad>", "</s>", "<unk>"]
ADDED = [AddedToken("<sep>", normalized=False), AddedToken("don't", single_word=True, normalized=True),
         AddedToken("http://", lstrip=True, rstrip=True, normalized=False), AddedToken("...", normalized=True),
         AddedToken("...!", rstrip=True, normalized=False), AddedToken("\ufb01x", normalized=True)]


def fnv(data):
    h = 0x811C9DC5
    for byte in data:
        h = (h ^ byte) * 0x01000193 & 0xFFFFFFFF
    return f"{h:08x}"


def escape(data):
    """Letters and printable ASCII as they are, everything else \\xNN; safe at the edges of a line."""
    out = []
    for c in data.decode("utf-8", "surrogateescape"):
        inside = c.isascii() and c.isprintable() and c != "\\" or c.isalnum()
        out.append(c if inside else "".join(f"\\x{b:02x}" for b in c.encode("utf-8", "surrogateescape")))
    for edge in (0, -1):
        if out and out[edge] == " ":
            out[edge] = "\\x20"
    return "".join(out)


def byte_level(lines, size, prefix=False, split=False):
    t = Tokenizer(models.BPE())
    if split:
        t.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(GPT2), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=prefix, use_regex=False)])
    else:
        t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(lines, trainers.BpeTrainer(
        vocab_size=size, special_tokens=BART, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False))
    return t


def gpt2(lines, scale):
    t = byte_level(lines, 1000 * scale)
    t.post_processor = processors.ByteLevel(trim_offsets=False)
    return t


def bart(lines, scale):
    t = byte_level(lines, 900 * scale)
    t.add_special_tokens([AddedToken("<mask>", lstrip=True)])
    t.add_tokens(ADDED)
    t.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True,
                                                    add_prefix_space=False)
    return t


def prefix(lines, scale):
    t = byte_level(lines, 700 * scale, prefix=True, split=True)
    t.add_tokens(ADDED[:2])
    return t


def marks(lines, scale):
    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    t.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    t.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(),
                                   decoders.Strip(" ", 1, 0)])
    specials = ["<unk>", "<s>", "</s>"]
    byte_pieces = [f"<0x{b:02X}>" for b in range(256)]
    t.train_from_iterator(("\u2581" + w for line in lines for w in line.split()), trainers.BpeTrainer(
        vocab_size=1000 * scale, special_tokens=specials + byte_pieces, show_progress=False, limit_alphabet=80))
    data = json.loads(t.to_str())
    data["added_tokens"] = [a for a in data["added_tokens"] if a["content"] in specials]
    return Tokenizer.from_str(json.dumps(data))


def charsmap(model):
    """Normalisation rules of a SentencePiece file."""
    for number, value in compare_tokenizer.fields(pathlib.Path(model).read_bytes()):
        if number == 3:
            return dict(compare_tokenizer.fields(value))[2]
    raise SystemExit(f"{model}: no normalizer")


def unigram(lines, size, specials, rules, squeeze, pre_tokenizer):
    t = Tokenizer(models.Unigram())
    t.pre_tokenizer = pre_tokenizer
    t.decoder = decoders.Metaspace()
    t.train_from_iterator(lines, trainers.UnigramTrainer(vocab_size=size, special_tokens=specials, unk_token="<unk>",
                                                         show_progress=False))
    data = json.loads(t.to_str())
    if squeeze is not None:
        rules = {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(rules).decode()}
        steps = [rules] + ([{"type": "Strip", "strip_left": False, "strip_right": True}] if squeeze != " " else [])
        data["normalizer"] = {"type": "Sequence", "normalizers": steps + [
            {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": squeeze}]}
    return data


def t5(lines, scale, rules):
    data = unigram(lines, 1000 * scale, T5, rules, "\u2581", pre_tokenizers.Metaspace())
    t = Tokenizer.from_str(json.dumps(data))
    t.add_special_tokens(["<extra_id_0>", "<extra_id_1>"])
    t.add_tokens(ADDED)
    t.post_processor = processors.TemplateProcessing(single=["$A", "</s>"], pair=["$A", "</s>", "$B", "</s>"],
                                                     special_tokens=[("</s>", 1)])
    return t


def xlmr(lines, scale, rules):
    pre = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    data = unigram(lines, 1000 * scale, BART, rules, " ", pre)
    return Tokenizer.from_str(json.dumps(data))


def first(lines, scale, rules):
    del rules
    data = unigram(lines, 900 * scale, ["<unk>", "<s>", "</s>"], None, None,
                   pre_tokenizers.Metaspace(prepend_scheme="first"))
    pieces = {p for p, _ in data["model"]["vocab"]}
    data["model"]["byte_fallback"] = True
    data["model"]["vocab"] += [[f"<0x{b:02X}>", -9.5 - b / 7] for b in range(256) if f"<0x{b:02X}>" not in pieces]
    data["decoder"] = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": True}
    t = Tokenizer.from_str(json.dumps(data))
    t.add_tokens(ADDED)
    return t


def old_syntax(path):
    """Merges as strings and Metaspace as files of 2021 have them; only the text changes, not the ids."""
    data = json.loads(path.read_text(encoding="utf-8"))
    model = data["model"]
    if "merges" in model:
        model["merges"] = [" ".join(m) for m in model["merges"]]
    for step in (data["pre_tokenizer"] or {}).get("pretokenizers", []) + [data["decoder"]]:
        if step["type"] == "Metaspace":
            del step["prepend_scheme"], step["split"]
            step["add_prefix_space"] = True
    path.write_text(json.dumps(data, ensure_ascii=False, indent=0), encoding="utf-8")


def write_hashes(path, texts):
    oracle = json_oracle.JsonOracle(path)
    lines = []
    for ids in oracle.encode(texts):
        lines.append(f"{fnv(' '.join(map(str, ids)).encode())} {fnv(oracle.decode(ids))}\n")
    path.with_suffix(".hashes").write_text("".join(lines), encoding="ascii")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("text")
    ap.add_argument("--out", type=pathlib.Path, default=pathlib.Path("tests/fixtures/tokenizer"))
    ap.add_argument("--lines", type=int, default=20000)
    ap.add_argument("--scale", type=int, default=1)
    ap.add_argument("--rules", default="tests/fixtures/tokenizer/uni_rules.model", help="whose rules to take")
    ap.add_argument("--only", help="the name of one tokenizer")
    args = ap.parse_args()
    with open(args.text, encoding="utf-8") as f:
        lines = [line.rstrip("\n") for _, line in zip(range(args.lines), f)] + tokenizer_texts.ORDINARY * 20
    texts = tokenizer_texts.all_texts(300) + tokenizer_texts.mixed_texts(2000, longest=3)
    (args.out / "mixed_texts.txt").write_text("".join(escape(t) + "\n" for t in texts), encoding="utf-8")
    rules = charsmap(args.rules)
    made = {"bpe_gpt2": gpt2, "bpe_bart": bart, "bpe_prefix": prefix, "bpe_marks": marks, "uni_t5": t5,
            "uni_xlmr": xlmr, "uni_first": first}
    for name, make in made.items():
        if args.only not in (None, name):
            continue
        t = make(lines, args.scale, rules) if name.startswith("uni") else make(lines, args.scale)
        path = args.out / f"{name}.json"
        t.save(str(path), pretty=False)
        if name in ("bpe_bart", "uni_xlmr"):
            old_syntax(path)
        path.write_text(path.read_text(encoding="utf-8").rstrip("\n") + "\n", encoding="utf-8")
        write_hashes(path, texts)
        if name == "bpe_gpt2":
            t.model.save(str(args.out), "bpe_pair")
            (args.out / "bpe_pair-vocab.json").rename(args.out / "bpe_pair_vocab.json")
            (args.out / "bpe_pair-merges.txt").rename(args.out / "bpe_pair_merges.txt")
        print(f"{name}: {path.stat().st_size} bytes, {t.get_vocab_size()} pieces, {len(texts)} texts", flush=True)


if __name__ == "__main__":
    main()
