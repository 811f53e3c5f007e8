"""Folders whose tokenizer is missing, broken, not supported, or that of another model."""

import json
import os

from folder_cases import TOKENIZERS, case, simple

JSON = r"FOLDER/tokenizer\.json: "
SPM = r"FOLDER/spiece\.model: "


def tokenizer(name, whole, pattern):
    """The case's function changes the object of tokenizer.json."""
    def add(change):
        def make(f):
            value = f.json("tokenizer.json")
            value = change(value) or value
            f.write("tokenizer.json", json.dumps(value))
        case("json-" + name, whole, JSON + pattern)(make)
        return change
    return add


def part(name, whole, where, value, pattern):
    """A part of tokenizer.json, named by its keys, is another value."""
    @tokenizer(name, whole, pattern)
    def _(doc):
        for key in where[:-1]:
            doc = doc[key]
        doc[where[-1]] = value


def add_missing():
    simple("tokenizer-missing", "edge", r"FOLDER: no tokenizer; needed is one of tokenizer\.json, spiece\.model, .*",
           lambda f: f.remove("spiece.model"))
    simple("merges-missing", "pair", r"FOLDER: no tokenizer; .*vocab\.json with merges\.txt.*",
           lambda f: f.remove("merges.txt"))
    simple("target-spm-missing", "marian", r"FOLDER: no tokenizer; .*source\.spm and target\.spm with vocab\.json",
           lambda f: f.remove("target.spm"))
    simple("spm-of-camembert", "edge", r"FOLDER/config\.json: model_type: \"camembert\" is not supported, .*",
           lambda f: f.config(model_type="camembert"))
    simple("tokenizer-config-cut", "bytes", r"FOLDER/tokenizer_config\.json: not valid JSON: .*",
           lambda f: f.cut("tokenizer_config.json", 20))
    simple("tokenizer-config-of-sentencepiece", "edge", r"FOLDER/tokenizer_config\.json: not valid JSON: .*",
           lambda f: f.write("tokenizer_config.json", "{"))
    simple("bytes-too-many", "m2m", r"FOLDER: the tokenizer has 384 pieces, but config\.json says vocab_size 200; .*",
           lambda f: (f.config(vocab_size=200), f.write_json(
               "tokenizer_config.json", {"tokenizer_class": "ByT5Tokenizer", "extra_ids": 125})))


def add_json_files():
    simple("json-empty", "bart", JSON + r"the file is empty.*", lambda f: f.write("tokenizer.json", b""))
    simple("json-cut", "bart", JSON + r"not valid JSON: line \d+, column \d+: .*",
           lambda f: f.cut("tokenizer.json", 9000))
    simple("json-list", "bart", JSON + r"the document must be a JSON object", lambda f: f.write("tokenizer.json", "[]"))
    simple("json-no-model", "bart", JSON + r"model: missing", lambda f: f.write("tokenizer.json", "{}"))


def add_json_models():
    model = ("model",)
    for kind in ("WordPiece", "WordLevel"):
        part(f"model-{kind}", "bart", model + ("type",), kind,
             rf'model\.type: "{kind}" is not supported; BPE and Unigram are')
    part("vocab-list", "bart", model + ("vocab",), ["a"], r"model\.vocab: must be an object")
    part("vocab-empty", "bart", model + ("vocab",), {}, r"model\.vocab: no pieces")
    part("vocab-text-id", "bart", model + ("vocab", "the"), "5", r'model\.vocab: the id of "the" must be an integer')
    part("vocab-negative", "bart", model + ("vocab", "the"), -3, r'model\.vocab: the id -3 of "the" is out of range')
    part("vocab-twice", "bart", model + ("vocab", "the"), 5, r'model\.vocab: "the" and ".*" both have id 5|'
         r'model\.vocab: ".*" and "the" both have id 5')
    part("vocab-huge", "bart", model + ("vocab", "the"), 2**40, r'model\.vocab: the id \d+ of "the" is out of range')
    part("merge-unknown", "bart", model + ("merges", 3), "zq zq",
         r'model\.merges: merge 3, "zq" and "zq": the first is not .*')
    part("merge-one", "bart", model + ("merges", 3), "the", r'model\.merges: merge 3, "the", must be two pieces .*')
    part("merge-number", "bart", model + ("merges", 3), 7, r"model\.merges: merge 3 must be a string or a list of two")
    part("merges-missing", "bart", model + ("merges",), None, r"model\.merges: .*")
    part("dropout", "bart", model + ("dropout",), 0.1, r"model\.dropout: only 0 and null are supported")
    part("suffix", "bart", model + ("end_of_word_suffix",), "</w>", r'model\.end_of_word_suffix: only "" is supported')
    part("unk", "bart", model + ("unk_token",), "<nope>", r'model\.unk_token: "<nope>" is not in the vocabulary')
    part("unigram-unk", "unigram", model + ("unk_id",), 5000, r"model\.unk_id: 5000; the vocabulary has ids 0 \.\. 999")
    part("unigram-no-unk", "unigram", model + ("unk_id",), None, r"model\.unk_id: missing: characters .*")
    part("unigram-piece", "unigram", model + ("vocab", 7), ["x"],
         r"model\.vocab: piece 7 must be a list of text and score")
    part("unigram-score", "unigram", model + ("vocab", 7, 1), "x",
         r"model\.vocab: piece 7 must hold a string and a number")

    @tokenizer("byte-missing", "bart", r'model\.vocab: no piece for byte 0x21 \("!"\).*')
    def _(doc):
        doc["model"]["vocab"]["!!!"] = doc["model"]["vocab"].pop("!")
        doc["model"]["merges"] = [m for m in doc["model"]["merges"] if "!" not in m]


def add_json_stages():
    for kind in ("BertNormalizer", "NFKC_CF", "StripAccents2"):
        part(f"normalizer-{kind}", "bart", ("normalizer",), {"type": kind},
             rf'normalizer\.type: "{kind}" is not supported.*')
    for kind in ("BertPreTokenizer", "Digits", "UnicodeScripts"):
        part(f"pre-tokenizer-{kind}", "bart", ("pre_tokenizer",), {"type": kind},
             rf'pre_tokenizer\.type: "{kind}" is not supported.*')
    part("pre-tokenizer-regex", "bart", ("pre_tokenizer",),
         {"type": "Split", "pattern": {"Regex": "x+"}, "behavior": "Isolated", "invert": False},
         r'pre_tokenizer\.pattern: the regular expression "x\+" is not supported; that of GPT-2 is')
    part("charsmap", "unigram", ("normalizer", "normalizers", 0, "precompiled_charsmap"), "%%%",
         r"normalizer.*precompiled_charsmap: not base64")
    part("charsmap-short", "unigram", ("normalizer", "normalizers", 0, "precompiled_charsmap"), "////////",
         r".*precompiled_charsmap: .*")
    part("mark", "unigram", ("pre_tokenizer", "replacement"), "ab",
         r"pre_tokenizer\.replacement: must be one character")
    part("scheme", "unigram", ("pre_tokenizer", "prepend_scheme"), "often",
         r'pre_tokenizer\.prepend_scheme: "often" is not always, first or never')
    part("decoder", "bart", ("decoder",), {"type": "WordPiece"}, r'decoder\.type: "WordPiece" is not supported.*')
    part("added-id", "bart", ("added_tokens", 4, "id"), 2**40,
         r"added_tokens\[4\]\.id: \d+ is out of range|added_tokens.*")
    part("added-other-id", "bart", ("added_tokens", 0, "id"), 700,
         r'added_tokens.*id: 700, but the vocabulary has "<s>" as 0')
    part("added-empty", "bart", ("added_tokens", 4, "content"), "", r"added_tokens.*content: empty")
    part("post-processor", "bart", ("post_processor", "sep"), ["</s>", 7], r"post_processor.*")
    simple("json-tokens-too-many", "bart",
           r"FOLDER: the tokenizer has \d+ pieces, but config\.json says vocab_size 900.*",
           lambda f: f.config(vocab_size=900))


def add_sentencepiece():
    simple("spm-empty", "edge", SPM + r"no pieces; this is not a SentencePiece model|" + SPM + r"the file is empty.*",
           lambda f: f.write("spiece.model", b""))
    simple("spm-cut", "edge", SPM + r".* at offset \d+; the file is damaged or not a SentencePiece model",
           lambda f: f.cut("spiece.model", 3001))
    simple("spm-text", "edge", SPM + r".* at offset \d+; the file is damaged or not a SentencePiece model",
           lambda f: f.write("spiece.model", "<unk>\t0\n<s>\t0\n"))
    simple("spm-lfs-pointer", "edge", SPM + r"is a pointer of Git LFS, not the file itself; `git lfs pull` fetches it",
           lambda f: f.write("spiece.model", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n"))
    simple("spm-no-unknown", "edge", SPM + r"no piece of type UNKNOWN",
           lambda f: f.write("spiece.model", bytes([10, 10, 10, 1, 97]) + b"\x15\0\0\0\0" + b"\x18\1"))
    simple("spm-of-other-model", "edge",
           r"FOLDER: the tokenizer has \d+ pieces, but config\.json says vocab_size 288.*",
           lambda f: f.write("spiece.model", open(os.path.join(TOKENIZERS, "uni_rules.model"), "rb").read()))
    simple("spm-word-model", "edge", SPM + r"model type WORD is not supported; UNIGRAM and BPE are",
           lambda f: f.write("spiece.model", f.read("spiece.model") + b"\x12\x02\x18\x03"))
    simple("spm-piece-type", "edge", SPM + r"piece 288 has the unknown type 9",
           lambda f: f.write("spiece.model", f.read("spiece.model") + b"\x0a\x0a\x0a\x01\x7e\x15\0\0\0\0\x18\x09"))


def add_pairs():
    merges = r"FOLDER/merges\.txt: "
    simple("merges-word", "pair", merges + r".*merge \d+.*", lambda f: f.write(
        "merges.txt", f.read("merges.txt") + b"zqzq\n"))
    simple("merges-unknown", "pair", merges + r".*\"zq\" and \"zq\".*is not in the vocabulary", lambda f: f.write(
        "merges.txt", f.read("merges.txt") + b"zq zq\n"))
    simple("vocab-cut", "pair", r"FOLDER/vocab\.json: not valid JSON: .*", lambda f: f.cut("vocab.json", 4000))
    simple("vocab-list", "pair", r"FOLDER/vocab\.json: the document must be a JSON object",
           lambda f: f.write("vocab.json", "[]"))
    simple("vocab-byte-missing", "pair", r"FOLDER/vocab\.json: .*no piece for byte 0x21.*", lambda f: f.change(
        "vocab.json", drop=["!"]))
    simple("marian-no-unk", "marian", r"FOLDER.*: the list of pieces has no <unk>.*",
           lambda f: f.change("vocab.json", drop=["<unk>"]))
    simple("marian-spm-cut", "marian", r"FOLDER/target\.spm: .* at offset \d+; the file is damaged .*",
           lambda f: f.cut("target.spm", 9001))
    simple("dict-line", "pegasus", r"FOLDER/dict\.txt: line 2: must be a piece, a space and a count",
           lambda f: f.write("dict.txt", "a 5\nb\n"))


def add_languages():
    simple("language-unknown", "m2m",
           r'FOLDER/tokenizer_config\.json: src_lang: "xx" is not a language of the tokenizer, .* of its input',
           lambda f: f.change("tokenizer_config.json", src_lang="xx"))
    simple("target-language-unknown", "m2m",
           r'FOLDER/tokenizer_config\.json: tgt_lang: "xx" is not a language of the tokenizer, .* of its output',
           lambda f: f.change("tokenizer_config.json", tgt_lang="xx"))


def add_all():
    add_missing()
    add_json_files()
    add_json_models()
    add_json_stages()
    add_sentencepiece()
    add_pairs()
    add_languages()
