#!/usr/bin/env python3
"""Euros for a million sentences, from measured throughput and the prices in perf/prices.json.

usage: perf/cost.py PEERS_JSONL [PRICES_JSON]     (PEERS_JSONL: OUTDIR/peers.jsonl of perf/peers/peers.sh)

Writes perf/cost.md. A CPU row takes the sentences a second that were measured with as many threads as the instance has
cores; an instance of another number of cores, and every GPU, says "not measured" and gets no figure.
"""

import json
import pathlib
import statistics
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "peers"))

from peers_stats import NAMES, latencies, pick, print_table, read_records, systems_of, throughput_rounds  # noqa: E402

# What the authors of aggressive decoding's first product say of it (see HEAD).
CLAIM = 2 / 3
HEAD = """# What a million sentences cost

Throughput of commit {commit}, {date}, {cpu}, {threads} threads (load average {load:.1f} at the start of the run), from
[results/peers.md](results/peers.md); command: `perf/cost.py OUTDIR/peers.jsonl`. Sentences of about 25 tokens with 0 to
3 mistakes. Prices are inputs, in `perf/prices.json`, with their source: put in your own.

    euros = dollars an hour * {euros} euros a dollar / (sentences an hour * {busy} busy share) * 1000000
"""
CLAIM_TEXT = """
## The published claim

Microsoft says of its grammar checker that aggressive decoding and ONNX Runtime together saved two thirds of the cost
of serving (about 200 % more speed), against the production model before it: *Achieving Zero-COGS with Microsoft Editor
Neural Grammar Checker*, Microsoft Research blog, May 2023. That compares two whole systems; what aggressive decoding
alone saves is the difference between greedy and aggressive below, with the same kernels and the same model. Shares of
the cost saved; where one is negative, aggressive decoding costs more:"""
PRICES = """
## Prices
"""


def rate_of(records, shape, system, batch, sentences):
    """Sentences a second."""
    if batch == 1:
        by = latencies(records, shape, system, "text_ms")
        return 1e3 * len(by) / sum(statistics.median(ms) for ms in by.values())
    return 1e3 * sentences / statistics.median(throughput_rounds(records, shape, system, batch))


def euros_for_a_million(rate, instance, prices):
    hours = 1e6 / (3600 * rate * prices["busy_share"]["value"])
    return hours * instance["dollars_per_hour"] * prices["euros_per_dollar"]["value"]


def is_measured(instance, machine):
    return instance["device"] == "cpu" and instance["cores"] == machine["threads"]


def cost_rows(records, prices, made):
    shape, rows = made["shape"], []
    for instance in prices["instances"]:
        if not is_measured(instance, records["machine"][0]):
            rows.append([instance["name"], "stet"] + ["not measured"] * 3)
            continue
        for system in systems_of(records, shape):
            rates = (rate_of(records, shape, system, b, made["sentences"]) for b in (1, 32, 128))
            rows.append([instance["name"], NAMES[system]]
                        + [f"{euros_for_a_million(r, instance, prices):.2f}" for r in rates])
    return rows


def saved_rows(records):
    rows = []
    for made in records["shape"]:
        shape, size = made["shape"], made["sentences"]
        systems = systems_of(records, shape)
        for kind in ("int8", "float32"):
            for other in (f"stet-{kind}-greedy", f"onnxruntime-{kind}", f"ctranslate2-{kind}"):
                if other not in systems:
                    continue
                cells = []
                for batch in (1, 32, 128):
                    mine, theirs = (rate_of(records, shape, s, batch, size) for s in (f"stet-{kind}-aggressive", other))
                    cells.append(f"{100 * (1 - theirs / mine):.0f} %")
                rows.append([f"{shape}, {kind}", NAMES[other]] + cells + [f"{100 * CLAIM:.0f} %"])
    return rows


def print_report(records, prices):
    machine = records["machine"][0]
    print(HEAD.format(euros=prices["euros_per_dollar"]["value"], busy=prices["busy_share"]["value"], **machine), end="")
    for made in pick(records["shape"]):
        print(f"\n## Model `{made['shape']}` (its sizes: [results/peers.md](results/peers.md)), euros for a million"
              " sentences")
        print_table(("instance", "system", "one at a time", "batch 32", "batch 128"), cost_rows(records, prices, made))
    print(CLAIM_TEXT)
    print_table(("model", "aggressive stet instead of", "one at a time", "batch 32", "batch 128", "claim"),
                saved_rows(records))
    print(PRICES)
    print("GPU prices are listed so that a measurement has them at hand; no GPU was measured for this page.")
    print_table(("what", "value", "source", "date"),
                [[key.replace("_", " "), str(prices[key]["value"]), prices[key]["source"], prices[key]["date"]]
                 for key in ("euros_per_dollar", "busy_share")]
                + [[i["name"], f"{i['dollars_per_hour']} $/h", i["source"], i["date"]] for i in prices["instances"]])


def main():
    if len(sys.argv) not in (2, 3) or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    path = sys.argv[2] if len(sys.argv) == 3 else HERE / "prices.json"
    prices = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    records = read_records(sys.argv[1])
    with open(HERE / "cost.md", "w", encoding="utf-8") as sys.stdout:
        print_report(records, prices)
    sys.stdout = sys.__stdout__


if __name__ == "__main__":
    main()
