"""What transformers makes of a text with the tokenizer of a folder, for compare_tokenizer.py.

The class is the one that tokenizer_config.json names. Up to transformers 4 those of mBART, NLLB and Pegasus ask the
library sentencepiece; since 5 they turn the file into a tokenizer of the library tokenizers, which is another reading
of the same file. Special tokens in a text are no special tokens here (tokenizer.h), so the texts are handed to the
class behind the place where it looks for them.
"""

import json
import os
import random

import json_oracle


def only_once(tok):
    """The same tokenizer; lists that it would make anew for every token are made once."""
    cls = type(tok.__class__.__name__, (tok.__class__,), {})
    for name in ("all_special_tokens", "all_special_ids"):
        setattr(cls, name, getattr(tok, name))
    tok.__class__ = cls
    return tok


class FolderOracle:
    """encode(texts) -> ids of each; decode(ids) -> text, without special and unknown pieces and blanks at its edges."""

    def __init__(self, path):
        import transformers
        transformers.logging.set_verbosity_error()
        with open(os.path.join(path, "tokenizer_config.json"), encoding="utf-8") as f:
            name = json.load(f)["tokenizer_class"]
        self.library = "transformers " + transformers.__version__
        tok = getattr(transformers, name).from_pretrained(path)
        self.fast = json_oracle.JsonOracle(json.loads(tok._tokenizer.to_str())) if tok.is_fast else None
        self.unk = tok.unk_token_id
        self.skipped = set(tok.all_special_ids)
        self.size = len(tok)
        self.marian, self.bytes = name == "MarianTokenizer", name == "ByT5Tokenizer"
        self.tok = tok if self.fast else only_once(tok)

    def accepts(self, text):
        """The classes take no bytes that are not UTF-8; Marian's takes a language in front of a text for a token."""
        valid = "\ufffd" not in text.decode("utf-8", "replace")
        return (valid or self.fast is not None) and not (self.marian and text.startswith(b">>") and b"<<" in text)

    def encode(self, texts):
        if self.fast:
            return self.fast.encode(texts)
        return [self.tok.convert_tokens_to_ids(self.tok._tokenize(json_oracle.to_str(t))) for t in texts]

    def decode(self, ids):
        ids = [i for i in ids if i not in self.skipped]
        return self.seen(self.tok.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def seen(self, text):
        """What is compared of a text: ByT5's class drops bytes that make no character, which here are U+FFFD."""
        return (text.replace("\ufffd", "") if self.bytes else text).strip()

    def random_ids(self, count, seed):
        """Sequences of ids that no text need become."""
        rng, ids = random.Random(seed), [i for i in range(self.size) if i not in self.skipped]
        return [[rng.choice(ids) for _ in range(rng.randint(1, 12))] for _ in range(count)]


class DictOracle(FolderOracle):
    """A SentencePiece file with a dict.txt, as fairseq reads them: the pieces' names are looked up in the list, which
    stands behind <s>, <pad>, </s> and <unk>."""

    def __init__(self, path):
        import sentencepiece
        self.library = f"sentencepiece {sentencepiece.__version__} and the list's lines"
        self.sp = sentencepiece.SentencePieceProcessor(model_file=os.path.join(path, "sentencepiece.bpe.model"))
        with open(os.path.join(path, "dict.txt"), encoding="utf-8") as f:
            self.names = ["<s>", "<pad>", "</s>", "<unk>"] + [line.rstrip("\n").rsplit(" ", 1)[0] for line in f]
        self.ids = {name: i for i, name in enumerate(self.names)}
        self.skipped, self.size, self.bytes = {0, 1, 2, 3}, len(self.names), False

    def accepts(self, text):
        return "\ufffd" not in text.decode("utf-8", "replace")

    def encode(self, texts):
        return [[self.ids.get(piece, 3) for piece in self.sp.encode(text, out_type=str)] for text in texts]

    def decode(self, ids):
        return self.seen(self.sp.decode([self.names[i] for i in ids if i not in self.skipped]))


def oracle_of(path):
    return DictOracle(path) if os.path.exists(os.path.join(path, "dict.txt")) else FolderOracle(path)
