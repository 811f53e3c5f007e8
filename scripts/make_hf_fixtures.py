#!/usr/bin/env python3
"""Writes tiny model folders of the Hugging Face families, with what transformers makes of them.

usage: make_hf_fixtures.py [--output FOLDER] [NAME...]

Needs PyTorch and transformers. Every folder is written, changed to look like files found in the wild
(other dtypes, names without "model.", old configuration keys), loaded again by transformers, and asked:
expected.safetensors holds its float32 logits for a few inputs and its greedy ids for 500 more.

Weights are random, then trained for some seconds to rewrite sources a little. Greedy ids of two
implementations can differ where two logits are nearly equal; inputs whose logits come closer than MARGIN of
the largest anywhere are left out.

The folders -c of most families, mt5-b and mt5-c have settings that change what greedy decoding chooses. Their inputs
repeat themselves, and the script asserts that each setting changes outputs.
"""

import argparse
import copy
import json
import os
import random
import shutil

import safetensors.torch
import torch
import transformers

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
INPUTS, LONGEST, MAX_OUT, MARGIN, STEPS = 500, 11, 9, 2e-3, 400
FLOAT16_MAX = 65504
FAVOURITES = [20, 21, 22, 23, 24, 25, 26, 27, 28, 29]  # tokens that inputs of folders with settings often have

BART = dict(d_model=32, encoder_layers=2, decoder_layers=1, encoder_attention_heads=4, decoder_attention_heads=4,
            encoder_ffn_dim=40, decoder_ffn_dim=56, max_position_embeddings=64)
SMALL = dict(BART, d_model=24, encoder_layers=1, decoder_layers=2, encoder_attention_heads=3,
             decoder_attention_heads=2, encoder_ffn_dim=36, decoder_ffn_dim=28)
NARROW = dict(BART, d_model=20, encoder_layers=3, decoder_layers=1, encoder_attention_heads=2,
              decoder_attention_heads=5, encoder_ffn_dim=24, decoder_ffn_dim=44)
T5 = dict(d_model=32, d_kv=8, d_ff=48, num_layers=2, num_decoder_layers=1, num_heads=3, decoder_start_token_id=0)

# config: of the transformers class. prefix, suffix: ids around a source, what the tokenizer would add. dtype: stored.
# bare: names without "model.". legacy: no generation_config.json. files: further files. keys: changed in config.json.
# generation: settings of generation_config.json, or of config.json where that is missing.
# tokenizer: a file of another fixture. huge: factor of what flows between the layers, more than float16 could hold.
FOLDERS = {
    "bart-a": dict(kind="Bart", config=dict(BART, vocab_size=160, forced_bos_token_id=0), prefix=[0], suffix=[2],
                   bare=True),
    "bart-b": dict(kind="Bart", config=dict(SMALL, vocab_size=200, scale_embedding=True, tie_word_embeddings=False),
                   prefix=[0], suffix=[2], legacy=True, keys={"normalize_before": False, "add_final_layer_norm": False,
                                                              "force_bos_token_to_be_generated": True}),
    "mbart-a": dict(kind="MBart", config=dict(BART, vocab_size=180, scale_embedding=True, decoder_start_token_id=177),
                    prefix=[], suffix=[2, 176]),
    "mbart-b": dict(kind="MBart", config=dict(SMALL, vocab_size=140, scale_embedding=True, activation_function="relu",
                                              decoder_start_token_id=2, forced_bos_token_id=138,
                                              tie_word_embeddings=False),
                    prefix=[137], suffix=[2], dtype=torch.float16,
                    files={"tokenizer_config.json": {"tokenizer_class": "MBart50Tokenizer", "src_lang": "en_XX",
                                                     "tgt_lang": "ro_RO"}}),
    "marian-a": dict(kind="Marian", config=dict(BART, vocab_size=150, pad_token_id=149, decoder_start_token_id=149,
                                                activation_function="swish", scale_embedding=True,
                                                bad_words_ids=[[149]]), prefix=[], suffix=[0]),
    "marian-b": dict(kind="Marian", config=dict(SMALL, vocab_size=129, pad_token_id=128, decoder_start_token_id=128,
                                                suppress_tokens=[128, 5, 70]), prefix=[], suffix=[0], legacy=True),
    "m2m-100-a": dict(kind="M2M100", config=dict(BART, vocab_size=170), prefix=[168], suffix=[2]),
    "m2m-100-b": dict(kind="M2M100", config=dict(SMALL, vocab_size=190, scale_embedding=False,
                                                 activation_function="gelu", forced_bos_token_id=185,
                                                 tie_word_embeddings=False), prefix=[188], suffix=[2],
                      dtype=torch.bfloat16),
    "t5-a": dict(kind="T5", config=dict(T5, vocab_size=160, relative_attention_num_buckets=8,
                                        relative_attention_max_distance=20), prefix=[], suffix=[1]),
    "t5-b": dict(kind="T5", config=dict(T5, vocab_size=200, d_model=24, d_kv=10, num_heads=4, num_layers=3,
                                        num_decoder_layers=2, feed_forward_proj="gated-gelu",
                                        tie_word_embeddings=False), own_head=True, prefix=[], suffix=[1],
                 dtype=torch.bfloat16, huge=2.0**15),
    "t5-c": dict(kind="T5", config=dict(T5, vocab_size=288, feed_forward_proj="gated-silu",
                                        relative_attention_num_buckets=12, relative_attention_max_distance=33),
                 prefix=[], suffix=[1], legacy=True, keys={"scale_decoder_outputs": False},
                 tokenizer=os.path.join("edgeformer-a", "spiece.model")),
    "mt5-a": dict(kind="MT5", config=dict(T5, vocab_size=220, d_model=16, num_heads=2), own_head=True, prefix=[],
                  suffix=[1]),
    "bart-c": dict(kind="Bart", config=dict(NARROW, vocab_size=130, forced_bos_token_id=0), prefix=[0], suffix=[2],
                   dtype=torch.float16,
                   generation=dict(repetition_penalty=1.7, no_repeat_ngram_size=3, min_length=7, max_length=12,
                                   num_beams=4, length_penalty=2.0, early_stopping=True)),
    "mbart-c": dict(kind="MBart", config=dict(NARROW, vocab_size=144, decoder_start_token_id=2,
                                              forced_bos_token_id=143), prefix=[], suffix=[2, 142], legacy=True,
                    generation=dict(encoder_no_repeat_ngram_size=3, min_length=6, repetition_penalty=0.8,
                                    bad_words_ids=[[FAVOURITES[0], FAVOURITES[1]], [FAVOURITES[1], FAVOURITES[0]],
                                                   [FAVOURITES[2], FAVOURITES[2]], [2, 143, FAVOURITES[3]],
                                                   [143, FAVOURITES[4]], [FAVOURITES[5], 2], [9, 2, 143, 11], [2],
                                                   [FAVOURITES[0], FAVOURITES[0], FAVOURITES[6]]])),
    "marian-c": dict(kind="Marian", config=dict(NARROW, vocab_size=135, pad_token_id=134, decoder_start_token_id=134,
                                                activation_function="relu", scale_embedding=True),
                     prefix=[], suffix=[0],
                     generation=dict(no_repeat_ngram_size=2, max_new_tokens=8, max_length=77,
                                     begin_suppress_tokens=FAVOURITES[:9] + [12, 12, 0],
                                     bad_words_ids=[[134]] + [[a, b] for a in FAVOURITES[:4]
                                                              for b in FAVOURITES[4:7]])),
    "m2m-100-c": dict(kind="M2M100", config=dict(NARROW, vocab_size=150, forced_bos_token_id=148), prefix=[149],
                      suffix=[2],
                      generation=dict(eos_token_id=[2, FAVOURITES[2], 55], min_new_tokens=5, min_length=9,
                                      encoder_repetition_penalty=0.75)),
    "mt5-b": dict(kind="MT5", config=dict(T5, vocab_size=140, d_model=20, d_kv=6, num_heads=5, num_decoder_layers=2,
                                          feed_forward_proj="relu"), prefix=[], suffix=[1],
                  generation=dict(encoder_no_repeat_ngram_size=2, repetition_penalty=1.3, min_new_tokens=3,
                                  encoder_repetition_penalty=1.4, begin_suppress_tokens=[1] + FAVOURITES[3:])),
    "mt5-c": dict(kind="MT5", config=dict(T5, vocab_size=152, d_model=24, num_layers=3, num_decoder_layers=2,
                                          feed_forward_proj="gated-silu"), own_head=True, prefix=[], suffix=[1],
                  dtype=torch.bfloat16,
                  generation=dict(no_repeat_ngram_size=1, eos_token_id=[1, FAVOURITES[5]], max_length=11, min_length=4,
                                  bad_words_ids=[[a, 1] for a in FAVOURITES[:4]] + [[0, FAVOURITES[4]]])),
}
# What each setting is when it asks for nothing.
IDLE = {"repetition_penalty": 1.0, "encoder_repetition_penalty": 1.0, "no_repeat_ngram_size": 0,
        "encoder_no_repeat_ngram_size": 0, "min_length": 0, "min_new_tokens": None, "begin_suppress_tokens": None,
        "bad_words_ids": None, "eos_token_id": None}


def randomize(model, seed, spec):
    """Random weights in general position: biases that are not 0, norms of both signs."""
    noise = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            draw = torch.randn(tensor.shape, generator=noise)
            if "norm" in name and name.endswith("weight"):
                tensor.copy_(draw.sign() * (0.7 + 0.3 * draw.abs()))
            elif "relative_attention_bias" in name:
                tensor.copy_(draw)
            elif tensor.ndim == 2:
                tensor.copy_(draw * tensor.shape[1] ** -0.5)
            else:
                tensor.copy_(0.1 * draw)
        if hasattr(model, "final_logits_bias") and not spec.get("bare"):
            model.final_logits_bias.copy_(0.5 * torch.randn(model.final_logits_bias.shape, generator=noise))


def draw(rng, ids, length, spec):
    """A source. Where settings count, half of its tokens are among a few, so that it repeats itself."""
    return [rng.choice(FAVOURITES if "generation" in spec and rng.random() < 0.5 else ids) for _ in range(length)]


def rewritten(source, ids):
    """What the models are trained to answer: most tokens as they are, some replaced, some left out."""
    at = {token: i for i, token in enumerate(ids)}
    kept = [token for token in source if at[token] % 9 != 4]
    return [ids[(at[token] + 3) % len(ids)] if at[token] % 7 == 2 else token for token in kept]


def train(model, seed, spec):
    """A little: outputs that depend on the input, come to an end, and are sometimes what a draft says."""
    rng, ids = random.Random(seed), ordinary_ids(spec, model.config)
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    first = starts(model, spec)
    steps = STEPS * (2 if spec["kind"] in ("Marian", "T5", "MT5") else 1)  # these take longer
    model.train()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 4e-3 * min(1, step / 30, 2 * (steps - step) / steps)
        length = rng.randrange(1, LONGEST + 1)
        sources = [draw(rng, ids, length, spec) for _ in range(48)]
        answers = [rewritten(source, ids) + [model.config.eos_token_id] for source in sources]
        longest = max(len(a) for a in answers)
        labels = torch.tensor([a + [-100] * (longest - len(a)) for a in answers])
        target = torch.tensor([first] * len(sources))
        target = torch.cat([target, labels[:, :-1].clamp(min=model.config.eos_token_id)], 1)
        source = torch.tensor([spec["prefix"] + row + spec["suffix"] for row in sources])
        logits = model(input_ids=source, attention_mask=torch.ones_like(source), decoder_input_ids=target).logits
        logits = logits[:, len(first) - 1:]
        loss = torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), labels.reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    return loss.item()


def enlarge(model, factor):
    """Makes what flows between the layers `factor` times larger; the norms before every use take it out again."""
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            if "shared" in name or name.endswith((".o.weight", ".wo.weight")):
                tensor.mul_(factor)


def build(spec, seed):
    torch.manual_seed(seed)
    off = {"dropout": 0.0, "attention_dropout": 0.0, "activation_dropout": 0.0, "encoder_layerdrop": 0.0,
           "decoder_layerdrop": 0.0} if "T5" not in spec["kind"] else {"dropout_rate": 0.0}
    config = getattr(transformers, spec["kind"] + "Config")(**spec["config"], **off)
    form = "MarianMTModel" if spec["kind"] == "Marian" else spec["kind"] + "ForConditionalGeneration"
    model = getattr(transformers, form)(config)
    if spec.get("own_head"):
        model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.clone())
    forced = config.bos_token_id if "force_bos_token_to_be_generated" in spec.get("keys", {}) else None
    model.generation_config.update(forced_bos_token_id=spec["config"].get("forced_bos_token_id", forced),
                                   decoder_start_token_id=config.decoder_start_token_id)
    randomize(model, seed, spec)
    loss = train(model, seed, spec)
    if spec.get("huge"):
        enlarge(model, spec["huge"])
    if spec["kind"] == "Marian":
        model.get_input_embeddings().weight.data[config.pad_token_id] = 0
    print(f"{spec['kind']} seed {seed}: loss {loss:.3f}", flush=True)
    return model


def change_json(path, change):
    with open(path, encoding="utf-8") as f:
        value = json.load(f)
    value.update(change)
    with open(path, "w", encoding="utf-8") as f:
        json.dump(value, f, indent=1, sort_keys=True)
        f.write("\n")


def stored_tensors(model, spec):
    """What the weights file of such a folder holds: tied tensors once, no tables that are computed."""
    out, seen = {}, set()
    for name, tensor in model.state_dict().items():
        computed = spec["kind"] in ("Marian", "M2M100") and "embed_positions" in name
        if tensor.data_ptr() in seen or computed or (spec.get("bare") and name == "final_logits_bias"):
            continue
        seen.add(tensor.data_ptr())
        name = name.removeprefix("model.") if spec.get("bare") else name
        out[name] = tensor.detach().to(spec.get("dtype", torch.float32)).contiguous()
    return out


def save(model, spec, folder):
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    safetensors.torch.save_file(stored_tensors(model, spec), os.path.join(folder, "model.safetensors"),
                                metadata={"format": "pt"})
    generation = os.path.join(folder, "generation_config.json")
    asked = {k: spec["config"][k] for k in ("forced_bos_token_id", "bad_words_ids", "suppress_tokens")
             if k in spec["config"]}
    asked.update(spec.get("generation", {}))
    if spec.get("legacy"):
        os.remove(generation)
    else:
        change_json(generation, asked)
    tied = {"tie_word_embeddings": spec["config"].get("tie_word_embeddings", True)}
    change_json(os.path.join(folder, "config.json"),
                {**tied, **(asked if spec.get("legacy") else {}), **spec.get("keys", {})})
    if "tokenizer" in spec:
        shutil.copy(os.path.join(ROOT, "tests", "fixtures", spec["tokenizer"]), folder)
    for name, value in spec.get("files", {}).items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
            json.dump(value, f, indent=1)
            f.write("\n")


def ordinary_ids(spec, config):
    special = {config.pad_token_id, config.eos_token_id, config.decoder_start_token_id, 0, 1, 2, 3}
    special |= set(spec["prefix"]) | set(spec["suffix"])
    special.add(spec["config"].get("forced_bos_token_id", 0))
    return [i for i in range(config.vocab_size) if i not in special]


def starts(model, spec):
    forced = model.generation_config.forced_bos_token_id
    return [model.generation_config.decoder_start_token_id] + ([] if forced is None else [forced])


def is_clear(scores, row, length):
    """No two best values come close on the way."""
    for step in range(length):
        values = scores[step][row]
        best = values.topk(2).values
        largest = values[values.isfinite()].abs().max()
        if best[1].isfinite() and best[0] - best[1] < MARGIN * largest:
            return False
    return True


def lengths(spec, first):
    """What generate is told of lengths, and the most tokens of an output that follow from it."""
    asked = spec.get("generation", {})
    if "max_new_tokens" in asked:
        return {}, asked["max_new_tokens"] + 1 - first
    if "max_length" in asked:
        return {}, asked["max_length"] - first
    return {"max_length": first + MAX_OUT}, MAX_OUT


def ends(model):
    eos = model.generation_config.eos_token_id
    return set(eos) if isinstance(eos, list) else {eos}


def greedy(model, spec, sources):
    """(source, ids) of those sources whose ids are clear; sources have one length, so nothing is padded."""
    rows = torch.tensor([spec["prefix"] + s + spec["suffix"] for s in sources])
    first = len(starts(model, spec))
    out = model.generate(rows, attention_mask=torch.ones_like(rows), num_beams=1, do_sample=False, output_scores=True,
                         return_dict_in_generate=True, **lengths(spec, first)[0])
    found, eos = [], ends(model)
    for row, source in enumerate(sources):
        ids = out.sequences[row].tolist()
        assert ids[:first] == starts(model, spec), (ids, starts(model, spec))
        length = next((i for i in range(first, len(ids)) if ids[i] in eos), len(ids))
        assert length - first <= lengths(spec, first)[1], ids
        steps = min(length, len(ids) - 1)
        if is_clear(out.scores, row, steps):
            found.append((source, ids[first:length]))
    return found


def changed_without(model, spec, pairs, keys):
    """How many of the outputs are others where some settings are idle."""
    kept, changed = model.generation_config, 0
    model.generation_config = copy.deepcopy(kept)
    idle = {key: IDLE[key] for key in keys}
    if "eos_token_id" in idle:
        idle["eos_token_id"] = model.config.eos_token_id
    for key, value in idle.items():
        setattr(model.generation_config, key, value)
    for length in {len(source) for source, _ in pairs}:
        alike = [pair for pair in pairs if len(pair[0]) == length]
        rows = torch.tensor([spec["prefix"] + source + spec["suffix"] for source, _ in alike])
        first = len(starts(model, spec))
        out = model.generate(rows, attention_mask=torch.ones_like(rows), num_beams=1, do_sample=False,
                             **lengths(spec, first)[0]).tolist()
        for (_, want), ids in zip(alike, out):
            end = next((i for i in range(first, len(ids)) if ids[i] in ends(model)), len(ids))
            changed += ids[first:end] != want
    model.generation_config = kept
    return changed


def settings_matter(model, spec, pairs):
    keys = [key for key in spec.get("generation", {}) if key in IDLE]
    if "min_new_tokens" in keys and "min_length" in keys:
        keys.remove("min_length")  # does not count
    if not keys:
        return True
    single = {key: changed_without(model, spec, pairs, [key]) for key in keys}
    together = changed_without(model, spec, pairs, keys)
    print(f"  changed without all settings: {together}, without one: {single}", flush=True)
    return together > 0.3 * len(pairs) and all(n > 0.01 * len(pairs) for n in single.values())


def are_varied(pairs, most):
    ended = sum(len(out) < most - 1 for _, out in pairs)
    kinds = len({tuple(out) for _, out in pairs})
    print(f"  {len(pairs)} clear, {ended} ended, {kinds} different", flush=True)
    return 0.12 * len(pairs) < ended and kinds > 0.5 * len(pairs)


def all_greedy(model, spec, seed):
    rng, found, ids = random.Random(seed), [], ordinary_ids(spec, model.config)
    for length in range(LONGEST + 1):
        drawn = [draw(rng, ids, length, spec) for _ in range(80 if length > 0 else 1)]
        found += greedy(model, spec, drawn)[:INPUTS // LONGEST + 1]
    rng.shuffle(found)
    return found[:INPUTS]


def largest_activation(model, *inputs):
    seen = []

    def hook(_module, _inputs, output):
        seen.append(output.abs().max().item() if torch.is_tensor(output) else 0)
    handles = [m.register_forward_hook(hook) for m in model.modules()]
    model(*inputs)
    for h in handles:
        h.remove()
    return max(seen)


def expected_logits(model, spec, seed):
    rng, out, ids = random.Random(seed), {}, ordinary_ids(spec, model.config)
    long = 150 if "T5" in spec["kind"] else 50
    for case, length in enumerate((1, 9, long)):
        source = spec["prefix"] + [rng.choice(ids) for _ in range(length)] + spec["suffix"]
        target = starts(model, spec) + [rng.choice(ids) for _ in range(4 + 20 * (case == 2))]
        logits = model(input_ids=torch.tensor([source]), decoder_input_ids=torch.tensor([target])).logits[0]
        if spec.get("huge"):
            most = largest_activation(model, torch.tensor([source]), None, torch.tensor([target]))
            assert most > 2 * FLOAT16_MAX, most
        out[f"src_{case}"] = torch.tensor(source, dtype=torch.int32)
        out[f"tgt_{case}"] = torch.tensor(target, dtype=torch.int32)
        out[f"logits_{case}"] = logits[-5:].contiguous()
    return out


def bucket_rows(config):
    """Buckets of the distances -200 .. 200, for the encoder and the decoder."""
    bucket = transformers.models.t5.modeling_t5.T5Attention._relative_position_bucket
    distances = torch.arange(-200, 201)
    sizes = dict(num_buckets=config.relative_attention_num_buckets, max_distance=config.relative_attention_max_distance)
    return {"buckets_" + name: bucket(distances, bidirectional=both, **sizes).to(torch.uint8)
            for name, both in (("encoder", True), ("decoder", False))}


def flat(rows):
    """The ids of all rows in one tensor, in one byte each where they fit, and the lengths of the rows."""
    ids = [i for row in rows for i in row]
    return (torch.tensor(ids, dtype=torch.uint8 if max(ids) < 256 else torch.int16),
            torch.tensor([len(row) for row in rows], dtype=torch.uint8))


def ask(folder, spec, seed):
    """Expected tensors of a folder, or None where its outputs are too much alike to test anything."""
    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        pairs = all_greedy(model, spec, seed)
        most = lengths(spec, len(starts(model, spec)))[1]
        if len(pairs) < INPUTS or not are_varied(pairs, most) or not settings_matter(model, spec, pairs):
            return None
        out = expected_logits(model, spec, seed)
    if "T5" in spec["kind"]:
        out.update(bucket_rows(model.config))
    out["sources"], out["source_lengths"] = flat([source for source, _ in pairs])
    out["outputs"], out["output_lengths"] = flat([ids for _, ids in pairs])
    out["prefix"] = torch.tensor(spec["prefix"], dtype=torch.int32)
    out["suffix"] = torch.tensor(spec["suffix"], dtype=torch.int32)
    out["starts"] = torch.tensor(starts(model, spec), dtype=torch.int32)
    return out


def make(name, output):
    spec, folder = FOLDERS[name], os.path.join(output, "hf-" + name)
    for seed in range(100, 110):
        save(build(spec, seed), spec, folder)
        expected = ask(folder, spec, seed)
        if expected is not None:
            safetensors.torch.save_file(expected, os.path.join(folder, "expected.safetensors"))
            size = sum(entry.stat().st_size for entry in os.scandir(folder))
            print(f"{folder}: seed {seed}, {size} bytes", flush=True)
            return
    raise SystemExit(f"{folder}: no seed gives varied outputs")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", default=os.path.join(ROOT, "tests", "fixtures"))
    parser.add_argument("names", nargs="*", default=list(FOLDERS))
    args = parser.parse_args()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(1)
    for name in args.names or FOLDERS:
        make(name, args.output)


if __name__ == "__main__":
    main()
