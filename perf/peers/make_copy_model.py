#!/usr/bin/env python3
"""Builds a Marian model that copies its source and replaces certain tokens by others, without any training.

usage: make_copy_model.py [--shape base|edge|edgeformer|big|bart|t5|tiny] [--vocab N] [--sentences N] [--seed N] FOLDER

FOLDER/model is a folder as transformers writes and reads it (MarianMTModel, float32), with source.spm, target.spm and
vocab.json; FOLDER/text has sentences with 0 to 3 mistakes and what must come out, as text and as token ids.

Every weight is a random number, so that all arithmetic is done at its full cost, but some are large and make the
model do this:
  - a token's embedding holds two codes of signs, each a quarter of the width: `answer`, which the (tied) output layer
    looks for, and `meaning`, the answer of the token that is to be written in its place. They differ for mistakes
    alone;
  - the encoder leaves both and the sinusoidal positions nearly as they are;
  - the first heads of the last cross-attention, as many as hold a code, find the source position that is equal to the
    position of the output, and carry its `meaning` to where the output layer looks for the `answer`;
  - the norms of the decoder forget the codes of the token that was written last.
So the end-of-sentence token is copied as well, and comes out where it must.
"""

import argparse
import json
import pathlib

import numpy
import safetensors.numpy

import made_text

# base: the Transformer of that name with a large vocabulary. edge: the sizes of models/stet-edge-en. tiny: for trying.
# Sizes of other models, in Marian's architecture: edgeformer (its layers share no weights here), big (a deep encoder
# with a shallow decoder), bart (BART-large), t5 (T5-base).
SHAPES = {"base": dict(width=512, heads=8, ffn=2048, decoder_ffn=2048, encoder=6, decoder=6, vocab=32000),
          "edge": dict(width=256, heads=4, ffn=1024, decoder_ffn=256, encoder=6, decoder=2, vocab=4096),
          "edgeformer": dict(width=512, heads=8, ffn=2048, decoder_ffn=256, encoder=12, decoder=2, vocab=8000),
          "big": dict(width=1024, heads=16, ffn=4096, decoder_ffn=4096, encoder=12, decoder=2, vocab=50000),
          "bart": dict(width=1024, heads=16, ffn=4096, decoder_ffn=4096, encoder=12, decoder=12, vocab=50000),
          "t5": dict(width=768, heads=12, ffn=3072, decoder_ffn=3072, encoder=12, decoder=12, vocab=32000),
          "tiny": dict(width=512, heads=8, ffn=2048, decoder_ffn=2048, encoder=2, decoder=2, vocab=2000)}
HEAD, POSITIONS = 64, 512
# Positions are sines in the first half and cosines in the second, of frequencies that fall from 1 to 1e-4. The fast
# ones tell positions apart; where they are slow there is room for the codes.
FAST = 32
CODE, MATCH, CARRY, OTHER = 1.5, 6.5, 1.5, 0.05
NOISE = {"q_proj": 0.02, "k_proj": 0.02, "v_proj": 0.01, "out_proj": 0.004, "fc1": 0.02, "fc2": 0.002}


class Weights:
    def __init__(self, shape, seed):
        self.shape, self.rng, self.tensors = shape, numpy.random.default_rng(seed), {}
        self.width, self.code = shape["width"], shape["width"] // 4
        half = self.width // 2
        self.position = numpy.concatenate([numpy.arange(FAST), half + numpy.arange(FAST)])
        self.meaning, self.answer = (numpy.arange(end - self.code, end) for end in (half, self.width))

    def _random(self, size, scale):
        return (scale * self.rng.standard_normal(size)).astype(numpy.float32)

    def linear(self, name, n_out, n_in):
        scale = NOISE[name.rsplit(".", 1)[1]]
        self.tensors[name + ".weight"] = self._random((n_out, n_in), scale)
        self.tensors[name + ".bias"] = self._random(n_out, 0.1 * scale)

    def norm(self, name):
        self.tensors[name + ".weight"] = 1 + self._random(self.width, 0.002)
        self.tensors[name + ".bias"] = self._random(self.width, 0.002)

    def attention(self, name):
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            self.linear(f"{name}.{part}", self.width, self.width)
        self.norm(name + "_layer_norm")

    def layer(self, name, cross):
        ffn = self.shape["decoder_ffn" if cross else "ffn"]
        self.attention(name + ".self_attn")
        if cross:
            self.attention(name + ".encoder_attn")
        self.linear(name + ".fc1", ffn, self.width)
        self.linear(name + ".fc2", self.width, ffn)
        self.norm(name + ".final_layer_norm")

    def embedding(self, mistakes):
        vocab = self.shape["vocab"]
        signs = numpy.concatenate([numpy.ones(self.code // 2), -numpy.ones(self.code // 2)]).astype(numpy.float32)
        codes = numpy.stack([self.rng.permutation(signs) for _ in range(vocab)])
        meant = numpy.arange(vocab)
        for wrong, right in mistakes.items():
            meant[wrong] = right
        table = self._random((vocab, self.width), 0.02)
        table[:, self.answer] += CODE * codes
        table[:, self.meaning] += CODE * codes[meant]
        table[vocab - 1] = 0  # padding, with which the output begins
        # Marian multiplies embeddings by the root of the width.
        self.tensors["model.shared.weight"] = table / self.width**0.5
        self.tensors["final_logits_bias"] = numpy.zeros((1, vocab), numpy.float32)

    def copy(self):
        """What makes the random decoder copy."""
        last = f"model.decoder.layers.{self.shape['decoder'] - 1}"
        cross = last + ".encoder_attn."
        for head in range(self.code // HEAD):
            rows = head * HEAD + numpy.arange(HEAD)
            for side in ("q_proj.weight", "k_proj.weight"):
                self.tensors[cross + side][rows, self.position] += MATCH
                # Less the mean that the norms took away: a code has as many signs of one kind as of the other.
                self.tensors[cross + side][numpy.ix_(rows, self.meaning)] -= MATCH / len(self.meaning)
            self.tensors[cross + "v_proj.weight"][rows, self.meaning[rows]] += CARRY
            self.tensors[cross + "out_proj.weight"][self.answer[rows], rows] += CARRY
        self.tensors["model.decoder.layers.0.self_attn_layer_norm.weight"][self.answer] = 0
        final = self.tensors[last + ".final_layer_norm.weight"]
        final[:self.answer[0]] *= OTHER
        final[self.meaning] = 0

    def build(self, mistakes):
        self.embedding(mistakes)
        for i in range(self.shape["encoder"]):
            self.layer(f"model.encoder.layers.{i}", cross=False)
        for i in range(self.shape["decoder"]):
            self.layer(f"model.decoder.layers.{i}", cross=True)
        self.copy()
        return {name: numpy.ascontiguousarray(t) for name, t in self.tensors.items()}


def config_of(shape):
    vocab = shape["vocab"]
    tokens = {"decoder_start_token_id": vocab - 1, "eos_token_id": made_text.EOS, "pad_token_id": vocab - 1}
    config = {
        "architectures": ["MarianMTModel"], "model_type": "marian", "activation_function": "swish",
        "d_model": shape["width"],
        "encoder_layers": shape["encoder"], "decoder_layers": shape["decoder"], "encoder_ffn_dim": shape["ffn"],
        "decoder_ffn_dim": shape["decoder_ffn"],
        "encoder_attention_heads": shape["heads"], "decoder_attention_heads": shape["heads"],
        "num_hidden_layers": shape["encoder"], "is_encoder_decoder": True, "scale_embedding": True,
        "normalize_embedding": False, "normalize_before": False, "static_position_embeddings": True,
        "share_encoder_decoder_embeddings": True, "tie_word_embeddings": True, "use_cache": True,
        "max_position_embeddings": POSITIONS, "vocab_size": vocab, "decoder_vocab_size": vocab, "bos_token_id": None,
        "dropout": 0.0, "attention_dropout": 0.0, "activation_dropout": 0.0, "torch_dtype": "float32", **tokens}
    generation = {"bad_words_ids": [[vocab - 1]], "num_beams": 1, "do_sample": False, "max_length": POSITIONS, **tokens}
    return config, generation


def write_json(path, value):
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def write_sentences(folder, name, sentences):
    """NAME.source.txt, NAME.source.ids and the same with `expected`."""
    for kind, text_at in (("source", 0), ("expected", 2)):
        lines = [s[text_at] for s in sentences]
        ids = [" ".join(map(str, s[text_at + 1])) for s in sentences]
        (folder / f"{name}.{kind}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (folder / f"{name}.{kind}.ids").write_text("\n".join(ids) + "\n", encoding="utf-8")


def write_texts(folder, language, mistakes, args):
    made = made_text.Sentences(language, mistakes, args.seed + 1)
    write_sentences(folder, "mixed", made.make(args.sentences, lambda i: i % 4, 25, 6))
    write_sentences(folder, "lengths", made.make(112, lambda i: i % 4, 34, 18))
    for edits in args.sweep:
        again = made_text.Sentences(language, mistakes, args.seed + 2)
        write_sentences(folder, f"edits{edits}", again.make(args.sweep_sentences, lambda i: edits, 27, 2))


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1].removeprefix("usage: "))
    parser.add_argument("--shape", choices=SHAPES, default="base")
    parser.add_argument("--vocab", type=int)
    parser.add_argument("--sentences", type=int, default=256)
    parser.add_argument("--sweep", type=int, nargs="*", default=[0, 1, 2, 3, 4, 6, 8, 12])
    parser.add_argument("--sweep_sentences", type=int, default=64)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("folder", type=pathlib.Path)
    args = parser.parse_args()
    shape = dict(SHAPES[args.shape], **({"vocab": args.vocab} if args.vocab else {}))
    model, text = args.folder / "model", args.folder / "text"
    for folder in (model, text):
        folder.mkdir(parents=True, exist_ok=True)
    language = made_text.Language(shape["vocab"], args.seed)
    mistakes = language.pick_mistakes(len(language.words) // 40)
    language.save(model)
    config, generation = config_of(shape)
    write_json(model / "config.json", config)
    write_json(model / "generation_config.json", generation)
    write_json(model / "tokenizer_config.json", {"tokenizer_class": "MarianTokenizer", "source_lang": "en",
                                                 "target_lang": "en", "separate_vocabs": False})
    safetensors.numpy.save_file(Weights(shape, args.seed).build(mistakes), model / "model.safetensors",
                                metadata={"format": "pt"})
    write_texts(text, language, mistakes, args)
    tokens = [len(line.split()) for line in (text / "mixed.source.ids").read_text(encoding="utf-8").splitlines()]
    print(f"{args.folder}: {args.shape}, vocabulary {shape['vocab']}, {len(tokens)} sentences of "
          f"{sum(tokens) / len(tokens):.1f} tokens on average, {min(tokens)} to {max(tokens)}")


if __name__ == "__main__":
    main()
