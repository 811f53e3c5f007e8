"""Made words, a SentencePiece model that knows them, and sentences with a known number of mistakes.

Everything follows from a seed, so nothing has to be downloaded or stored, and any size of vocabulary can be had.
"""

import io
import json
import math
import random

import sentencepiece

import spm_file

ONSETS = ["", "b", "d", "f", "g", "h", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "z", "br", "dr", "st", "tr"]
VOWELS = ["a", "e", "i", "o", "u", "ai", "ou"]
CODAS = ["", "", "n", "r", "s"]
WORD_START = "\u2581"
EOS, UNK, FIRST = 0, 1, 2
PART_SCORE = -13.0
# Share of words that no piece covers: they cost two to four tokens, as rare words do.
RARE = 0.08


def make_words(rng, count, taken=()):
    """Words of two to four syllables, no two alike and none of `taken`, the most frequent first."""
    words, seen = [], set(taken)
    while len(words) < count:
        syllables = 2 + (rng.random() < 0.5) + (rng.random() < 0.2)
        word = "".join(rng.choice(ONSETS) + rng.choice(VOWELS) + rng.choice(CODAS) for _ in range(syllables))
        if word not in seen and 3 <= len(word) <= 14:
            seen.add(word)
            words.append(word)
    return words


def word_parts():
    """Pieces that any made word can be put together from."""
    parts = [WORD_START + c for c in "abcdefghijklmnopqrstuvwxyz"] + list("abcdefghijklmnopqrstuvwxyz")
    parts += [o + v for o in ONSETS[1:] for v in VOWELS]
    return parts + [WORD_START + o + v for o in ONSETS[1:] for v in VOWELS] + ["an", "er", "is", WORD_START]


def normalizer_of_trainer(words):
    """A small trained model, for what the trainer puts around the pieces: the normalisation rules above all."""
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([" ".join(words[i:i + 20]) for i in range(0, 400, 20)]), model_writer=out,
        model_type="unigram", vocab_size=60, bos_id=-1, eos_id=0, unk_id=1, minloglevel=2)
    return out.getvalue()


class Language:
    """vocab ids: end, unknown, ".", parts, words, and padding last, as OPUS-MT's vocab.json has them."""

    def __init__(self, vocab, seed):
        self.rng = random.Random(seed)
        parts = ["."] + sorted(set(word_parts()))
        self.words = make_words(self.rng, vocab - FIRST - len(parts) - 1, [p.lstrip(WORD_START) for p in parts])
        self.vocab, self.pad = vocab, vocab - 1
        self.weights = [1 / (rank + 2.7) for rank in range(len(self.words))]
        total = sum(self.weights)
        self.pieces = [("</s>", 0.0, 3), ("<unk>", 0.0, 2)]
        self.pieces += [(part, -4.0 if part == "." else PART_SCORE, 1) for part in parts]
        self.pieces += [(WORD_START + word, math.log(weight / total), 1)
                        for word, weight in zip(self.words, self.weights)]
        self.file = spm_file.with_pieces(normalizer_of_trainer(self.words), self.pieces)
        self.processor = sentencepiece.SentencePieceProcessor(model_proto=self.file)
        self.first_word = FIRST + len(parts)

    def save(self, folder):
        for name in ("source.spm", "target.spm"):
            (folder / name).write_bytes(self.file)
        ids = {piece: i for i, (piece, _, _) in enumerate(self.pieces)}
        ids["<pad>"] = self.pad
        (folder / "vocab.json").write_text(json.dumps(ids, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")

    def pick_mistakes(self, count):
        """{wrong id: right id} for words of middling frequency."""
        ranks = range(len(self.words) // 20, len(self.words))
        drawn = self.rng.sample(ranks, 2 * count)
        return {self.first_word + a: self.first_word + b for a, b in zip(drawn[:count], drawn[count:])}


class Sentences:
    """Sentences in the language, with as many mistakes as are asked for."""

    def __init__(self, language, mistakes, seed):
        self.language, self.mistakes = language, mistakes
        self.wrong = sorted(mistakes)
        self.rng = random.Random(seed)
        self.total = []
        for weight in language.weights:
            self.total.append(weight + (self.total[-1] if self.total else 0))

    def _word(self):
        words, rng = self.language.words, self.rng
        while True:
            if rng.random() < RARE:
                return make_words(rng, 1)[0]
            rank = rng.choices(range(len(words)), cum_weights=self.total)[0]
            if self.language.first_word + rank not in self.mistakes:
                return words[rank]

    def _draw(self, tokens):
        """Words of at least so many tokens in all, the full stop counted."""
        words, count = [], 1
        while count < tokens:
            words.append(self._word())
            count += len(self.language.processor.encode(words[-1]))
        return words

    def right(self, tokens):
        """A sentence without mistakes of about so many tokens."""
        while True:
            words = self._draw(tokens)
            ids = self.language.processor.encode(" ".join(words) + ".")
            if not any(i in self.mistakes for i in ids) and UNK not in ids:
                return words

    def with_mistakes(self, words, edits):
        """(text, ids, right text, right ids) with `edits` words replaced by mistakes."""
        words, language = list(words), self.language
        for at in self.rng.sample(range(len(words)), min(edits, len(words))):
            words[at] = language.words[self.rng.choice(self.wrong) - language.first_word]
        text = " ".join(words) + "."
        ids = language.processor.encode(text)
        right = [self.mistakes.get(i, i) for i in ids]
        if sum(a != b for a, b in zip(ids, right)) != min(edits, len(words)):
            return None
        return text, ids, language.processor.decode(right), right

    def make(self, count, edits_of, mean, spread):
        """`count` sentences; edits_of(i) mistakes in sentence i; lengths normal about `mean`."""
        out = []
        while len(out) < count:
            tokens = min(60, max(8, round(self.rng.gauss(mean, spread))))
            found = self.with_mistakes(self.right(tokens), edits_of(len(out)))
            if found is not None:
                out.append(found)
        return out
