#!/usr/bin/env python3
"""Makes tokenizer folders as model hubs have them, and records what transformers does with them.

    scripts/make_folder_fixtures.py TEXT OUT [--lines 20000] [--pieces 900] [--plain] [KIND...]
    scripts/make_folder_fixtures.py --record OUT [KIND...]

TEXT is any large English text, one sentence a line; it is not kept. A folder has the files, names and ids of the real
ones of its kind; only the pieces are few and trained here. --plain: with the whole of the usual normalisation, which
takes 240 KB a file; else an excerpt. --record writes KIND.hashes: for every line of mixed_texts.txt FNV-1a hashes of
the ids and of the text that they decode to between two "x", unknown ones left out; "-" where the class cannot take the
text.
Needs the Python packages sentencepiece and, for --record, transformers and tokenizers.
"""

import argparse
import json
import pathlib

import make_tokenizer_fixtures
import tokenizer_texts

USUAL = dict(unk_id=0, bos_id=1, eos_id=2, pad_id=-1)
# model: how the SentencePiece file is trained. config, tokenizer: what stands in the two JSON files.
KINDS = {
    "marian": dict(files=["source.spm", "target.spm"], config={"model_type": "marian"}, vocab=True,
                   model=dict(USUAL), tokenizer={"tokenizer_class": "MarianTokenizer", "source_lang": "en",
                                                 "target_lang": "de", "separate_vocabs": False}),
    "m2m_100": dict(files=["sentencepiece.bpe.model"], config={"model_type": "m2m_100"}, vocab=True,
                    model=dict(USUAL, model_type="bpe"),
                    tokenizer={"tokenizer_class": "M2M100Tokenizer", "src_lang": "en", "language_codes": "m2m100"}),
    "nllb": dict(files=["sentencepiece.bpe.model"], config={"model_type": "m2m_100"},
                 model=dict(USUAL, model_type="bpe"),
                 tokenizer={"tokenizer_class": "NllbTokenizer", "src_lang": "eng_Latn"}),
    "mbart": dict(files=["sentencepiece.bpe.model"], config={"model_type": "mbart"}, model=dict(USUAL),
                  tokenizer={"tokenizer_class": "MBartTokenizer", "src_lang": "en_XX"}),
    "mbart50": dict(files=["sentencepiece.bpe.model"], config={"model_type": "mbart"}, model=dict(USUAL),
                    tokenizer={"tokenizer_class": "MBart50Tokenizer", "src_lang": "en_XX", "tgt_lang": "ro_RO"}),
    "pegasus": dict(files=["spiece.model"], config={"model_type": "pegasus"},
                    model=dict(pad_id=0, eos_id=1, unk_id=2, bos_id=-1),
                    tokenizer={"tokenizer_class": "PegasusTokenizer"}),
    "byt5": dict(files=[], config={"model_type": "t5", "vocab_size": 384},
                 tokenizer={"tokenizer_class": "ByT5Tokenizer", "extra_ids": 125}),
}


def write_json(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def pieces_of(model):
    import sentencepiece
    sp = sentencepiece.SentencePieceProcessor(model_proto=model)
    return [sp.id_to_piece(i) for i in range(sp.get_piece_size())]


def vocabulary(kind, models):
    """vocab.json: pieces of all files, in another order than there, and one that is left out."""
    pieces = sorted({p for model in models for p in pieces_of(model)[3:]} - {"\u2581the"})
    if kind == "marian":
        names = ["</s>", "<unk>", *pieces, "<pad>"]
    else:
        names = ["<s>", "<pad>", "</s>", "<unk>", *pieces]
    return {name: i for i, name in enumerate(names)}


def make(kind, lines, out, args):
    spec, folder = KINDS[kind], out / kind
    folder.mkdir(parents=True, exist_ok=True)
    models = []
    for i, name in enumerate(spec["files"]):
        training = dict(spec["model"], vocab_size=args.pieces, character_coverage=0.9995)
        training |= dict(normalization_rule_name="nmt_nfkc") if args.plain else dict(rules="nfkc")
        models.append(make_tokenizer_fixtures.train(lines[i::2], training))
        (folder / name).write_bytes(models[-1])
    if spec.get("vocab"):
        write_json(folder / "vocab.json", vocabulary(kind, models))
    write_json(folder / "config.json", spec["config"])
    write_json(folder / "tokenizer_config.json", spec["tokenizer"])
    print(f"{folder}: {sum(f.stat().st_size for f in folder.iterdir())} bytes", flush=True)


def record(kind, out):
    import folder_oracle
    import make_json_fixtures
    fnv = make_json_fixtures.fnv
    oracle = folder_oracle.FolderOracle(str(out / kind))
    texts = tokenizer_texts.all_texts(300) + tokenizer_texts.mixed_texts(2000, longest=3)
    frame, hashes = oracle.encode([b"x"])[0], []
    for text in texts:
        ids = oracle.encode([text])[0] if oracle.accepts(text) else None
        hashes.append("-" if ids is None else fnv(" ".join(map(str, ids)).encode()) + " " +
                      fnv(oracle.decode(frame + ids + frame).encode()))
    (out / (kind + ".hashes")).write_text("\n".join(hashes) + "\n", encoding="ascii")
    print(f"{kind}: {oracle.library}, {len(texts)} texts", flush=True)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--record", action="store_true")
    ap.add_argument("--lines", type=int, default=20000)
    ap.add_argument("--pieces", type=int, default=900)
    ap.add_argument("--plain", action="store_true")
    ap.add_argument("paths", nargs="+", metavar="TEXT OUT KIND")
    args = ap.parse_args()
    text = None if args.record else args.paths.pop(0)
    out, kinds = pathlib.Path(args.paths[0]), args.paths[1:] or list(KINDS)
    if text:
        with open(text, encoding="utf-8") as f:
            lines = [line.rstrip("\n") for _, line in zip(range(args.lines), f)]
    for kind in kinds:
        record(kind, out) if args.record else make(kind, lines, out, args)


if __name__ == "__main__":
    main()
