"""Folders whose settings are broken or not supported: config.json, generation_config.json, stet.json."""

import os

from folder_cases import case, simple


def config(name, whole, key, value, pattern):
    simple(name, whole, rf"FOLDER/config\.json: {key}: {pattern}", lambda f: f.config(**{key: value}))


def text(name, content, pattern, file="config.json", whole="edge"):
    simple(name, whole, pattern, lambda f: f.write(file, content))


def add_families():
    for kind in ("longt5", "gpt2", "nllb-moe", "pegasus_x", "T5", ""):
        config(f"model-type-{kind or 'empty'}", "edge", "model_type", kind,
               rf'"{kind}" is not supported, stet can run: edgeformer, .*, t5, mt5, umt5')
    config("model-type-number", "edge", "model_type", 5, r"must be a string")
    simple("model-type-missing", "edge", r"FOLDER/config\.json: model_type: is missing.*",
           lambda f: f.config(drop=["model_type"]))
    simple("model-type-of-other-weights", "t5",
           r'FOLDER: tensor "encoder\.block\.0\.layer\.0\.layer_norm\.weight".*umt5.*|FOLDER: tensor ".*" is missing.*',
           lambda f: f.config(model_type="umt5"))


def add_texts():
    no_json = r"FOLDER/config\.json: not valid JSON: line \d+, column \d+: .*"
    text("config-empty", b"", r"FOLDER/config\.json: the file is empty.*")
    text("config-not-json", b"model_type = t5\n", no_json)
    text("config-bom", b"\xef\xbb\xbf{}", r"FOLDER/config\.json: begins with a byte order mark; .*")
    text("config-utf16", '{"model_type": "t5"}'.encode("utf-16"), no_json)
    text("config-nul", b'{"model_type": "t5\0"}', no_json)
    text("config-list", b'[{"model_type": "t5"}]', r"FOLDER/config\.json: the document must be a JSON object")
    text("config-twice", b'{"model_type": "t5", "model_type": "bart"}', no_json)
    text("config-nan", b'{"model_type": "t5", "layer_norm_epsilon": NaN}', no_json)
    text("config-deep", b'{"a":' + 5000 * b"[", r"FOLDER/config\.json: nested deeper than \d+ levels")
    simple("config-cut", "edge", no_json, lambda f: f.cut("config.json", 200))
    simple("config-tail", "edge", no_json, lambda f: f.write("config.json", f.read("config.json") + b"}"))
    simple("config-missing", "edge",
           r"FOLDER/config\.json: is missing; a model is a folder with config\.json, .* and a tokenizer",
           lambda f: f.remove("config.json"))

    @case("config-huge", "edge",
          r"FOLDER/config\.json: has 17000000 bytes, the limit for this kind of file is 16777216")
    def _(f):
        f.write("config.json", f.read("config.json"))
        os.truncate(f.at("config.json"), 17000000)


def add_values():
    config("vocab-text", "edge", "vocab_size", "288", r"must be a whole number")
    config("vocab-real", "edge", "vocab_size", 288.0, r"must be a whole number")
    config("vocab-zero", "edge", "vocab_size", 0, r"is 0, expected 2 to \d+")
    config("vocab-huge", "edge", "vocab_size", 2**63 - 1, r"is 9223372036854775807, expected 2 to \d+")
    config("layers-huge", "edge", "encoder_layers", 10**9, r"is 1000000000, expected 1 to 1024")
    config("layers-null", "edge", "encoder_layers", None, r"is missing")
    config("heads-zero", "edge", "encoder_attention_heads", 0, r"is 0, expected 1 to 1024")
    config("heads-bool", "edge", "decoder_attention_heads", True, r"must be a whole number")
    config("heads-encoder", "edge", "encoder_attention_heads", 3, r"3 heads do not divide d_model 64")
    config("heads-decoder", "bart", "decoder_attention_heads", 7, r"7 heads do not divide d_model 20")
    config("width-odd", "edge", "d_model", 63, r"must be even with sinusoidal positions")
    config("activation", "edge", "activation_function", "mish", r'"mish" is not supported, stet can run: relu, .*')
    config("ffn-kind", "t5", "feed_forward_proj", "gated-tanh", r'"gated-tanh" is not supported, .*')
    config("positions-kind", "edge", "position_embedding_type", "rotary", r'"rotary" is not supported, .*')
    config("bool-text", "edge", "scale_embedding", "yes", r"must be true or false")
    config("epsilon-negative", "t5", "layer_norm_epsilon", -1, r"is -1, expected .* to 1")
    config("groups", "edge", "encoder_attention_groups", 5, r"is 5, expected 1 to 2")
    config("distance", "t5", "relative_attention_max_distance", 3,
           r"must be more than half of relative_attention_num_buckets")
    config("two-vocabularies", "marian", "share_encoder_decoder_embeddings", False,
           r"a vocabulary of its own for the output is not supported")
    config("decoder-vocabulary", "marian", "decoder_vocab_size", 900,
           r"a vocabulary of its own for the output is not supported")
    config("positions-zero", "edge", "max_position_embeddings", 0, r"is 0, expected 2 to \d+")
    simple("width-missing", "t5", r"FOLDER/config\.json: d_model: is missing", lambda f: f.config(drop=["d_model"]))


def add_ids():
    config("start-outside", "edge", "decoder_start_token_id", 288, r"is 288, expected 0 to 287")
    config("pad-negative", "t5", "pad_token_id", -1, r"is -1, expected 0 to 287")
    config("end-empty", "t5", "eos_token_id", [], r"must not be an empty list")
    config("end-outside", "t5", "eos_token_id", [1, 500], r"token 500 is not in the vocabulary of 288")
    config("end-text", "t5", "eos_token_id", "</s>", r"must be a whole number")
    simple("end-missing", "edge", r"FOLDER/config\.json: eos_token_id: is missing.*", lambda f: (
        f.config(drop=["eos_token_id"]), f.remove("generation_config.json")))
    simple("first-is-end", "t5", r"FOLDER/generation_config\.json: forced_bos_token_id: is an eos_token_id: .*",
           lambda f: f.generation(forced_bos_token_id=1, eos_token_id=1))
    simple("forced-end", "t5", r"FOLDER/generation_config\.json: forced_eos_token_id: must be an eos_token_id",
           lambda f: f.generation(forced_eos_token_id=7))
    simple("forced-outside", "bart",
           r"FOLDER/generation_config\.json: forced_bos_token_id: is 5000, expected 0 to 909",
           lambda f: f.generation(forced_bos_token_id=5000))


REFUSED = {
    "exponential_decay_length_penalty": [5, 1.1], "sequence_bias": [[[3], -2.0]], "forced_decoder_ids": [[1, 5]],
    "guidance_scale": 1.5, "watermarking_config": {"bias": 2.5}, "penalty_alpha": 0.6, "dola_layers": "high",
    "constraints": [1], "force_words_ids": [[5]], "stop_strings": ["x"], "max_time": 5.0, "token_healing": True,
    "is_assistant": True,
}


def add_generation():
    where = r"FOLDER/generation_config\.json: "
    for key, value in REFUSED.items():
        simple("generation-" + key.replace("_", "-"), "t5",
               where + key + r": changes what greedy decoding gives and is not supported; .*without it.*",
               lambda f, key=key, value=value: f.generation(**{key: value}))
    wrong = (
        ("cache_implementation", "quantized",
         r'"quantized" changes outputs and is not supported; a folder without it can be run'),
        ("repetition_penalty", 0, r"is 0, expected 0\.001 to 1000"),
        ("repetition_penalty", "1.2", r"must be a number"),
        ("suppress_tokens", [999], r"token 999 is not in the vocabulary of 288"),
        ("suppress_tokens", 5, r"must be a list"),
        ("suppress_tokens", list(range(3, 280)), r"more tokens are forbidden than stet supports.*256.*"),
        ("bad_words_ids", [3], r"must be a list of lists"),
        ("no_repeat_ngram_size", -1, r"is -1, expected 0 to \d+"),
        ("max_length", 1, r"leaves no room for an output"),
        ("min_length", 2.5, r"must be a whole number"),
    )
    for i, (key, value, pattern) in enumerate(wrong):
        simple(f"generation-wrong-{i}-" + key.replace("_", "-"), "t5", where + key + ": " + pattern,
               lambda f, key=key, value=value: f.generation(**{key: value}))
    simple("generation-in-config", "t5", r"FOLDER/config\.json: stop_strings: changes what greedy .*",
           lambda f: f.config(stop_strings=["."]))
    text("generation-cut", b'{"max_length": ', r"FOLDER/generation_config\.json: not valid JSON: .*",
         "generation_config.json")


def add_stet_json():
    for name, content, pattern in (
            ("cut", b'{"prompt": "gr', r"not valid JSON: .*"),
            ("empty", b"", r"the file is empty.*"),
            ("key", b'{"promt": "x"}', r'"promt" is not a key of this file, which may have prompt and min_edit_score'),
            ("prompt", b'{"prompt": 5}', r"prompt: must be a string"),
            ("long", b'{"prompt": "' + 5000 * b"x" + b'"}', r"prompt: 5000 bytes, at most 4096 are possible"),
            ("score", b'{"min_edit_score": 1}', r"min_edit_score: is 1, expected -1000 to 0"),
            ("score-null", b'{"min_edit_score": null}', r"min_edit_score: must be a number")):
        text("stet-json-" + name, content, r"FOLDER/stet\.json: " + pattern, "stet.json")


def add_all():
    add_families()
    add_texts()
    add_values()
    add_ids()
    add_generation()
    add_stet_json()
