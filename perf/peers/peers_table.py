#!/usr/bin/env python3
"""Prints perf/results/peers.md from what peers_run.py measured.

usage: peers_table.py PEERS_JSONL
"""

import statistics
import sys

from peers_stats import (NAMES, RESAMPLES, all_samples, base_of, ceiling_of, kind_of, latencies, matrix_sizes,
                         median_ratio, percentile, pick, print_table, ratio_text, read_records, rounds_ratio,
                         systems_of, throughput_rounds)

HEAD = """# stet beside its peers

Commit {commit}, {date}, {cpu}, {processors} processors, {threads} threads; load average {load:.1f} at the start,
{end:.1f} at the end. Command: `{command}`; how it measures: [perf/README.md](../README.md).

Versions: {versions}.

Same weights, sentences and cores in one run, systems in turn, {rounds} rounds (transformers: 1). All decode
greedily, one hypothesis; stet's aggressive decoding gives the same tokens. The models are made, not trained
(`perf/peers/make_copy_model.py`): random weights of full size that copy the source and replace known tokens, so that
every system can read them and speed and output can be compared; they say nothing about quality. A fourth each of the
sentences have 0, 1, 2 and 3 mistakes.

"times stet": this system's time divided by that of stet's aggressive decoding with the same type; above 1, stet takes
less. In brackets 95 % of {resamples} bootstrap resamples, of sentences for the latency, of rounds for the throughput
(of which there are few: read it as the spread). Marian is not in the tables: Debian has no package of it, and
`bergamot`, what PyPI has of it, has no wheel for this Python and does not build from its source package.
"""
SHAPE = """
## {name}

{encoder} + {decoder} layers of width {width}, {vocab} tokens, {weights:.1f} million weights in products and
embedding; {sentences} sentences of {mean:.1f} tokens with the end-of-sentence token."""
NOTES = {"edge": "`edge`: the sizes of the default model", "base": "`base`: Transformer base, 6 + 6 layers"}
LATENCY = """
### One sentence at a time, milliseconds

From text to text, tokenization inside; and the decoder alone, from token ids to token ids."""
THROUGHPUT = """
### Many sentences, a second

All sentences as ids at once, in batches of 32 and 128. CTranslate2 is measured with its threads in one batch and in
several batches at a time, and the faster is shown."""
FOOTPRINT = """
### Memory, start, size

Peak resident memory after {chunk} sentences one at a time, and when the same process had then decoded in batches of 32
and of 128 (all that it kept for the smaller ones included). Start: milliseconds from the start of the process to the
first corrected sentence, files in the page cache; and of that loading and the first sentence, without interpreter and
imports. Size: the folder that is read; and the system's own installed files, without Python and without what it
depends on (of transformers: with PyTorch)."""
OUTPUTS = """
### Outputs

Compared with stet's float32 greedy decoding, token by token: {tokens} tokens in {sentences} sentences in batches, and
{few_tokens} in {few} one at a time; the first row is what the text was made to give. These models answer with a wide
margin, so that systems that round differently still agree: a difference here would be a mistake of the set-up."""
LIMITS = """
### Share of what the processor can do

Measured on the same cores: {float32:.0f} GFLOP/s float32 and {int8:.0f} GOP/s int8 with all data in registers
(`bench_peak`), {read:.1f} GB/s read from memory (`bench_memory`). Useful work: the products of encoder and greedy
decoder, attention and drafts that were refused left out. Weights read: encoder once a sentence, decoder and output
layer once a pass; more than the memory gives means that they stayed in the caches."""
SWEEP = """
### More mistakes, more passes

stet int8, 64 sentences of about 28 tokens with so many mistakes each: decoder passes and milliseconds a sentence,
one at a time."""


def latency_rows(records, shape):
    systems, rows = systems_of(records, shape), []
    both = {s: {k: latencies(records, shape, s, k) for k in ("text_ms", "ids_ms")} for s in systems}
    for s in systems:
        cells = [NAMES[s]]
        for key in ("text_ms", "ids_ms"):
            samples = all_samples(both[s][key])
            cells += [f"{percentile(samples, p):.2f}" for p in (50, 95, 99)]
        rows.append(cells + [ratio_text(median_ratio(both[s][k], both[base_of(s)][k])) for k in ("text_ms", "ids_ms")])
    return rows


def throughput_rows(records, shape, sentences):
    rows = []
    for s in systems_of(records, shape):
        cells = [NAMES[s]]
        for batch in (32, 128):
            ms = throughput_rounds(records, shape, s, batch)
            base = throughput_rounds(records, shape, base_of(s), batch)
            cells += [f"{1e3 * sentences / statistics.median(ms):.0f}", ratio_text(rounds_ratio(ms, base))]
        rows.append(cells)
    return rows


def megabytes(value):
    return f"{value / 1e6:.1f}"


def footprint_rows(records, shape):
    rows = []
    for s in systems_of(records, shape):
        cold = pick(records["cold"], shape=shape, system=s)
        disk, = pick(records["disk"], shape=shape, system=s.removesuffix("-aggressive").removesuffix("-greedy"))
        rows.append([NAMES[s]]
                    + [megabytes(pick(records["memory"], shape=shape, system=s, batch=b)[0]["peak_resident_bytes"])
                       for b in (1, 32, 128)]
                    + [f"{statistics.median(r['ms'] for r in cold):.0f}",
                       f"{statistics.median(r['load_ms'] + r['first_ms'] for r in cold):.0f}",
                       megabytes(disk["model_bytes"]), megabytes(disk["runtime_bytes"])])
    return rows


def output_rows(records, shape):
    rows = []
    for s in ["made text"] + systems_of(records, shape):
        found = pick(records["outputs"], shape=shape, system=s)
        cells = [f"{r['tokens_differ']} in {r['sentences_differ']}" for r in sorted(found, key=lambda r: r["batch"])]
        rows.append([NAMES.get(s, s)] + cells + ["-"] * (3 - len(cells)))
    return rows


def passes_of(records, shape, system, tokens):
    """Decoder passes for all sentences, one at a time; who counts none takes one for each token."""
    counted = [r["passes"] for r in pick(records["latency"], shape=shape, system=system, round=0) if "passes" in r]
    return sum(counted) if counted else tokens


def limit_rows(records, shape, made):
    ceiling, config = ceiling_of(records), made["config"]
    source, output = matrix_sizes(config)
    gop = 2e-9 * (source * made["source_tokens"] + output * made["output_tokens"])
    alone, rows = pick(records["outputs"], shape=shape, batch=1)[0], []
    steps = alone["tokens"] + alone["sentences"]  # one token a sentence ends it
    gop_alone = 2e-9 * (source + output) * steps
    for s in systems_of(records, shape):
        peak, size = ceiling[f"{kind_of(s)}_gops"], 1 if kind_of(s) == "int8" else 4
        by = latencies(records, shape, s, "ids_ms")
        seconds = sum(statistics.median(x) for x in by.values()) / 1e3
        read = 1e-9 * size * (source * len(by) + output * passes_of(records, shape, s, steps)) / seconds
        cells = [NAMES[s], f"{gop_alone / seconds:.0f} ({100 * gop_alone / seconds / peak:.1f} %)"]
        for batch in (32, 128):
            rate = gop / (statistics.median(throughput_rounds(records, shape, s, batch)) / 1e3)
            cells.append(f"{rate:.0f} ({100 * rate / peak:.1f} %)")
        rows.append(cells + [f"{read:.1f} ({100 * read / ceiling['read_gb_per_second']:.0f} %)"])
    return rows


def sweep_rows(records, shape):
    rows = []
    mine = pick(records["sweep"], shape=shape)
    for edits in sorted({r["edits"] for r in mine}):
        cells = [str(edits)]
        for decoding, window in (("greedy", "auto"), ("aggressive", "0"), ("aggressive", "auto")):
            found = pick(mine, edits=edits, decoding=decoding, window=window)
            ms = statistics.median(sum(r["ids_ms"]) / r["sentences"] for r in found)
            cells += [f"{statistics.median(r['passes'] / r['sentences'] for r in found):.2f}", f"{ms:.2f}"]
        rows.append(cells)
    return rows


def print_shape(records, made):
    shape, config = made["shape"], made["config"]
    weights = sum(matrix_sizes(config))
    print(SHAPE.format(name=NOTES.get(shape, f"`{shape}`"), encoder=config["encoder_layers"],
                       decoder=config["decoder_layers"], width=config["d_model"], vocab=config["vocab_size"],
                       weights=weights / 1e6, sentences=made["sentences"],
                       mean=made["output_tokens"] / made["sentences"]))
    print(LATENCY)
    percentiles = ("p50", "p95", "p99")
    print_table(("system",) + tuple(f"{kind} {p}" for kind in ("text", "ids") for p in percentiles)
                + ("times stet, text", "times stet, ids"), latency_rows(records, shape))
    print(THROUGHPUT)
    print_table(("system", "batch 32", "times stet", "batch 128", "times stet"),
                throughput_rows(records, shape, made["sentences"]))
    print(FOOTPRINT.format(chunk=32))
    print_table(("system", "MB one at a time", "MB batch 32", "MB batch 128", "start ms", "load and first ms",
                 "model MB", "installed MB"), footprint_rows(records, shape))
    outputs = pick(records["outputs"], shape=shape)
    batches, alone = (pick(outputs, batch=b)[0] for b in (32, 1))
    print(OUTPUTS.format(tokens=batches["tokens"], sentences=batches["sentences"], few_tokens=alone["tokens"],
                         few=alone["sentences"]))
    print_table(("tokens that differ, in sentences", "one at a time", "batch 32", "batch 128"),
                output_rows(records, shape))
    ceiling = ceiling_of(records)
    print(LIMITS.format(float32=ceiling["float32_gops"], int8=ceiling["int8_gops"],
                        read=ceiling["read_gb_per_second"]))
    print_table(("system", "GOP/s one at a time", "batch 32", "batch 128", "GB/s of weights, one at a time"),
                limit_rows(records, shape, made))
    print(SWEEP)
    print_table(("mistakes", "greedy passes", "ms", "no window: passes", "ms", "own window: passes", "ms"),
                sweep_rows(records, shape))


def versions_of(records):
    found = {}
    for r in records["ready"]:
        found.setdefault(NAMES[r["system"]].split(" int8")[0].split(" float32")[0], r["version"])
    return ", ".join(f"{name} {version}" for name, version in found.items())


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    records = read_records(sys.argv[1])
    print(HEAD.format(versions=versions_of(records), resamples=RESAMPLES, end=records["end"][0]["load"],
                      **records["machine"][0]), end="")
    for made in records["shape"]:
        print_shape(records, made)
    print("\n![latency percentiles](latency.svg)\n\n![passes against mistakes](passes.svg)")


if __name__ == "__main__":
    main()
