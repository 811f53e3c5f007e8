#!/usr/bin/env python3
"""Trains the small SentencePiece models of tests/fixtures/tokenizer and records what the library does with them.

    scripts/make_tokenizer_fixtures.py TEXT [--out tests/fixtures/tokenizer] [--lines 30000]

TEXT is any large English text, one sentence a line; it is not kept. Needs the Python package sentencepiece.
Written: NAME.model, NAME.golden for every model, and texts.txt (the texts of tokenizer_texts.py). A line of a
golden file belongs to the same line of texts.txt: ids, end offset of each piece in the source, decoded
text. In the text columns, bytes other than printable ASCII, and the backslash, are written \\xNN.
"""

import argparse
import io
import pathlib
import tempfile
import unicodedata

import sentencepiece

import compare_tokenizer
import tokenizer_texts

USER_DEFINED = ["<sep>", "...", "don't", "\u2014", "\u00df", "http://"]

T5_IDS = dict(pad_id=0, eos_id=1, unk_id=2, bos_id=-1)
MODELS = {
    "uni_rules": dict(vocab_size=1500, byte_fallback=True, user_defined_symbols=USER_DEFINED, rules="nfkc",
                      **T5_IDS),
    "bpe_rules": dict(vocab_size=1500, model_type="bpe", byte_fallback=True, user_defined_symbols=USER_DEFINED,
                      rules="nfkc"),
    "uni_identity": dict(vocab_size=1000, normalization_rule_name="identity", remove_extra_whitespaces=False,
                         add_dummy_prefix=False, user_defined_symbols=USER_DEFINED),
    "bpe_identity": dict(vocab_size=1000, model_type="bpe", normalization_rule_name="identity",
                         remove_extra_whitespaces=False),
    "uni_fold": dict(vocab_size=1000, rules="fold", character_coverage=0.98),
    "uni_suffix": dict(vocab_size=1000, rules="nfkc", treat_whitespace_as_suffix=True),
    "bpe_suffix": dict(vocab_size=1000, model_type="bpe", rules="nfkc", treat_whitespace_as_suffix=True,
                       byte_fallback=True),
}


def rule_source():
    """Source strings of the rules: enough of Unicode to use every feature, few enough for a small file."""
    yield from (chr(c) for c in [*range(0xA0, 0x180), *range(0x2000, 0x2070), *range(0x2070, 0x2190),
                                 *range(0x2460, 0x2474), *range(0xFB00, 0xFB07), *range(0xFF01, 0xFF5F), 0x3000,
                                 0xFDFA, 0x1E9B, 0x85, 0x180E, 0xFEFF])
    for letter in "aeioucnsAEIOUCNS":
        for mark in "\u0300\u0301\u0302\u0303\u0308\u030c\u0327":
            yield letter + mark
    yield from ("\u304b\u3099", "\u1100\u1161\u11a8", "\u1e9b\u0323")


def rule_target(source, fold):
    if len(source) == 1 and (unicodedata.category(source) in ("Cc", "Cf") and source != "\x85"):
        return ""
    target = unicodedata.normalize("NFKC", source).replace("\u2028", " ").replace("\x85", " ")
    return target.casefold() if fold else target


def write_rules(path, fold):
    rules = {"\t": " ", "\n": " ", "\r": " ", "\x01": "", "\x7f": ""}
    if fold:
        rules.update((chr(c), chr(c + 32)) for c in range(ord("A"), ord("Z") + 1))
    for source in rule_source():
        target = rule_target(source, fold)
        if target != source:
            rules[source] = target
    with open(path, "w", encoding="ascii") as f:
        for source, target in sorted(rules.items()):
            f.write(" ".join(f"{ord(c):X}" for c in source) + "\t" + " ".join(f"{ord(c):X}" for c in target) + "\n")


def encode_varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def without_fields(message, drop):
    """The message without some of its fields. drop: field number -> True, or a dict for the inner message."""
    out, pos = b"", 0
    while pos < len(message):
        start = pos
        tag, pos = compare_tokenizer.varint(message, pos)
        if tag & 7 == 2:
            size, pos = compare_tokenizer.varint(message, pos)
            inner, pos = message[pos:pos + size], pos + size
            if isinstance(drop.get(tag >> 3), dict):
                inner = without_fields(inner, drop[tag >> 3])
                out += encode_varint(tag) + encode_varint(len(inner)) + inner
                continue
        elif tag & 7 == 5:
            pos += 4
        elif tag & 7 == 1:
            pos += 8
        else:
            _, pos = compare_tokenizer.varint(message, pos)
        if tag >> 3 not in drop:
            out += message[start:pos]
    return out


def train(lines, spec):
    spec = dict(spec)
    rules = spec.pop("rules", None)
    model = io.BytesIO()
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as f:
        if rules:
            write_rules(f.name, rules == "fold")
            spec["normalization_rule_tsv"] = f.name
        sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(lines), model_writer=model, minloglevel=2,
                                                 num_threads=2, **spec)
    # Names of files on the training machine have no place in a model.
    return without_fields(model.getvalue(), {2: {1: True, 2: True}, 3: {1: True, 6: True}})


def escape(data):
    return "".join(chr(b) if 32 <= b < 127 and b != 92 else f"\\x{b:02x}" for b in data)


def golden_line(sp, text):
    pieces = compare_tokenizer.oracle_pieces(sp, text)
    ids = [p[0] for p in pieces]
    for left, right in zip(pieces, pieces[1:]):
        assert left[2] == right[1], text
    decoded = sp.decode(ids, out_type=bytes) if ids else b""
    return "\t".join([" ".join(map(str, ids)), " ".join(str(p[2]) for p in pieces), escape(decoded)])


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("text")
    ap.add_argument("--out", type=pathlib.Path, default=pathlib.Path("tests/fixtures/tokenizer"))
    ap.add_argument("--lines", type=int, default=30000)
    args = ap.parse_args()
    with open(args.text, encoding="utf-8") as f:
        lines = [line.rstrip("\n") for _, line in zip(range(args.lines), f)]
    texts = tokenizer_texts.all_texts(60)
    (args.out / "texts.txt").write_text("".join(escape(t) + "\n" for t in texts), encoding="ascii")
    for name, spec in MODELS.items():
        model = train(lines, spec)
        (args.out / f"{name}.model").write_bytes(model)
        sp = sentencepiece.SentencePieceProcessor(model_proto=model)
        golden = "".join(golden_line(sp, t) + "\n" for t in texts)
        (args.out / f"{name}.golden").write_text(golden, encoding="ascii")
        print(f"{name}: {len(model)} bytes, {sp.get_piece_size()} pieces, {len(texts)} texts")


if __name__ == "__main__":
    main()
