"""What the reference libraries make of a text, for tokenizers that are not a SentencePiece file.

Special tokens are taken out of the reference first: text never becomes them here (tokenizer.h), while the libraries
look for them in the text.
"""

import codecs
import json

import tokenizers

UNMATCHABLE = "\U0010fffd\U0010fffc"


def _one_by_one(error):
    return "\ufffd", error.start + 1


codecs.register_error("one_by_one", _one_by_one)


def to_str(text):
    """Every byte outside valid UTF-8 as one U+FFFD."""
    return text.decode("utf-8", "one_by_one")


def without_specials(data):
    """The tokenizer.json in which no text matches a special token."""
    data = json.loads(json.dumps(data))
    specials = {t["content"] for t in data["added_tokens"] if t["special"]}
    model = data["model"]
    names = {s: f"{UNMATCHABLE}{i}" for i, s in enumerate(sorted(specials))}
    if isinstance(model["vocab"], list):
        model["vocab"] = [[names.get(s, s), score] for s, score in model["vocab"]]
    else:
        model["vocab"] = {names.get(s, s): i for s, i in model["vocab"].items()}
    if model.get("unk_token") in names:
        model["unk_token"] = names[model["unk_token"]]
    # A token without a place in the vocabulary would be given the first free id, so the order must stay.
    for token in data["added_tokens"]:
        if token["special"]:
            token["content"], token["special"] = names[token["content"]], False
            token["lstrip"] = token["rstrip"] = token["normalized"] = False
    data["post_processor"] = None
    return data


class JsonOracle:
    """encode(texts) -> ids of each, decode(ids) -> bytes; both of a tokenizer.json, its path or what it says."""

    def __init__(self, data):
        if isinstance(data, str):
            with open(data, encoding="utf-8") as f:
                data = json.load(f)
        self.encoder = tokenizers.Tokenizer.from_str(json.dumps(without_specials(data)))
        self.encoder.no_truncation()
        self.decoder = tokenizers.Tokenizer.from_str(json.dumps(data))

    def encode(self, texts):
        found = self.encoder.encode_batch([to_str(t) for t in texts], add_special_tokens=False)
        return [e.ids for e in found]

    def decode(self, ids):
        return self.decoder.decode(ids, skip_special_tokens=True).encode() if ids else b""
