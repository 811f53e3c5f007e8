"""What peers_table.py, peers_plots.py and cost.py share: reading peers.jsonl, percentiles, ratios with intervals."""

import collections
import json
import pathlib
import random
import statistics
import sys

RESAMPLES = 1000
NAMES = {"stet-int8-aggressive": "stet int8, aggressive", "stet-int8-greedy": "stet int8, greedy",
         "ctranslate2-int8": "CTranslate2 int8", "onnxruntime-int8": "ONNX Runtime int8",
         "stet-float32-aggressive": "stet float32, aggressive", "stet-float32-greedy": "stet float32, greedy",
         "ctranslate2-float32": "CTranslate2 float32", "onnxruntime-float32": "ONNX Runtime float32",
         "transformers-float32": "transformers float32 (PyTorch, eager)"}


def read_records(path):
    """{kind: records in their order}."""
    out = collections.defaultdict(list)
    for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        out[record.pop("record")].append(record)
    if not out["end"]:
        sys.exit(f"{path}: the run that wrote it did not come to its end; repeat it")
    return out


def pick(records, **wanted):
    return [r for r in records if all(r[key] == value for key, value in wanted.items())]


def systems_of(records, shape):
    """In the order of NAMES, those that were measured."""
    there = {r["system"] for r in pick(records["latency"], shape=shape)}
    return [s for s in NAMES if s in there]


def kind_of(system):
    return "int8" if "int8" in system else "float32"


def base_of(system):
    """What a system's times are divided by: stet's aggressive decoding of the same type."""
    return f"stet-{kind_of(system)}-aggressive"


def percentile(values, p):
    """p in 0 .. 100, between the two nearest values."""
    values = sorted(values)
    at = (len(values) - 1) * p / 100
    low = int(at)
    high = min(low + 1, len(values) - 1)
    return values[low] + (at - low) * (values[high] - values[low])


def latencies(records, shape, system, key):
    """{sentence: its milliseconds in every round}."""
    out = collections.defaultdict(list)
    for r in pick(records["latency"], shape=shape, system=system):
        for i, ms in enumerate(r[key]):
            out[r["begin"] + i].append(ms)
    return out


def all_samples(by_sentence):
    return [ms for samples in by_sentence.values() for ms in samples]


def interval(draw, count, seed=1):
    """95 % of RESAMPLES values of draw(indices), for `count` things drawn with replacement."""
    rng, things = random.Random(seed), range(count)
    values = [draw(rng.choices(things, k=count)) for _ in range(RESAMPLES)]
    return percentile(values, 2.5), percentile(values, 97.5)


def median_ratio(above, below):
    """Ratio of the medians over sentences and its interval; the sentences are the same in both."""
    a, b = ([statistics.median(by[i]) for i in sorted(by)] for by in (above, below))

    def ratio(indices):
        return statistics.median(a[i] for i in indices) / statistics.median(b[i] for i in indices)
    return ratio(range(len(a))), interval(ratio, len(a))


def throughput_rounds(records, shape, system, batch):
    """Milliseconds of each round for all sentences, in the faster of the layouts that were measured."""
    rounds = collections.defaultdict(list)
    for r in pick(records["throughput"], shape=shape, system=system, batch=batch):
        rounds[r["layout"]].append(r["ms"])
    return min(rounds.values(), key=statistics.median)


def rounds_ratio(above, below):
    """Ratio of medians over rounds and its interval; a system with fewer rounds has them all in every draw."""
    def ratio(indices):
        return statistics.median(at(above, indices)) / statistics.median(at(below, indices))

    def at(values, indices):
        return values if len(values) < len(below) else [values[i] for i in indices]
    return ratio(range(len(below))), interval(ratio, len(below))


def ratio_text(found):
    value, (low, high) = found
    if low == high:  # compared with itself
        return f"{value:.0f}" if value == 1 else f"{value:.2f}"
    return f"{value:.2f} ({low:.2f} to {high:.2f})"


def ceiling_of(records):
    """The best of all measurements."""
    return {key: max(r[key] for r in records["ceiling"]) for key in records["ceiling"][0]}


def matrix_sizes(config):
    """Weights that a source token, and that an output token, is multiplied with."""
    d, decoder = config["d_model"], config["decoder_layers"]
    source = config["encoder_layers"] * (4 * d * d + 2 * d * config["encoder_ffn_dim"]) + decoder * 2 * d * d
    output = decoder * (6 * d * d + 2 * d * config["decoder_ffn_dim"]) + d * config["vocab_size"]
    return source, output


def print_table(heads, rows):
    print("\n| " + " | ".join(heads) + " |")
    print("|---|" + "---:|" * (len(heads) - 1))
    for row in rows:
        print("| " + " | ".join(row) + " |")
