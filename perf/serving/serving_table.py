#!/usr/bin/env python3
"""Makes perf/results/serving.md from what serving.sh measured.

usage: serving_table.py FOLDER ROUNDS SECONDS TARGET_MS BATCH
"""

import datetime
import json
import os
import pathlib
import statistics
import subprocess
import sys

HEAD = """# Serving: continuous batching, lock step, one at a time

Commit {commit}, {date}, {cpu}, {cpus} processors, load average {load} at the end.
Command: `perf/serving/serving.sh {rounds} {seconds}`. Default model (int8, two threads), {sentences} sentences of
`tests/replay/data/ewt.source.txt`, each a request. Every way of working is measured in turn, {rounds} times; medians.
Absolute figures hold for this machine, ratios travel better.

"In flight": requests handed in and not answered; `batch_size` is the same number. Lock step hands in a batch and
waits for all of it (`stet_correct_batch`); continuous batching hands in the next sentence whenever one is done
(`stet_submit`). Milliseconds from hand-in to answer.
"""
SAME = """
Text and score bits of all sentences in all ways, with 1, 8, 32 and 128 in flight, compared with one at a time:
{differ} differ.
"""
PASSES = """
## Decoder passes

With a draft window of 4, so that passes can be counted beforehand: `stet replay` gets the same sentences and the
answers that came out. Sentences whose output did not end by itself are left out here."""
LOAD = """
## Load

Poisson arrivals, {rounds} times {seconds} s for each load; every request has a deadline {target} ms after it came;
`batch_size` {batch}. Capacity, measured before each series with twice {batch} in flight: {capacity:.0f} sentences/s.
Goodput: answers within the {target} ms, a second. Refused: `STET_E_BUSY` from stet_submit, with the time that call
took. Missed: accepted, and not answered in time. Milliseconds of answers."""
NAMES = {"single": "one at a time", "lock_step": "lock step", "continuous": "continuous"}


def read_pairs(path):
    """One dict for each line of key=value pairs."""
    out = []
    for line in path.read_text(encoding="utf-8").splitlines():
        out.append(dict(word.split("=", 1) for word in line.split()))
    return out


def read_reports(path):
    """JSON values that stand one after the other."""
    text, decoder, at, out = path.read_text(encoding="utf-8"), json.JSONDecoder(), 0, []
    while at < len(text):
        value, at = decoder.raw_decode(text, at)
        out.append(value)
        while at < len(text) and text[at].isspace():
            at += 1
    return out


def median_of(rows, key):
    return statistics.median(float(row[key]) for row in rows)


def print_table(heads, rows):
    print("\n| " + " | ".join(heads) + " |")
    print("|---|" + "---:|" * (len(heads) - 1))
    for row in rows:
        print("| " + " | ".join(row) + " |")


def closed_rows(runs):
    """A row for each way and number in flight; the first is what the last column compares with."""
    rows, base = [], None
    for flight in (1, 8, 32, 128):
        for mode in ("single", "lock_step", "continuous"):
            same = [r for r in runs if r["mode"] == mode and int(r["in_flight"]) == flight]
            if not same:
                continue
            rate = median_of(same, "per_second")
            base = base or rate
            rows.append((str(flight), NAMES[mode], f"{rate:.0f}", f"{rate / base:.2f}",
                         *(f"{median_of(same, p):.1f}" for p in ("p50", "p95", "p99")),
                         f"{median_of(same, 'batch_passes'):.0f}", f"{median_of(same, 'encoder_calls'):.0f}"))
    return rows


def pass_rows(fixed, replays):
    rows = []
    for i, flight in enumerate((8, 32, 128)):
        both = {r["mode"]: int(r["batch_passes"]) for r in fixed if int(r["in_flight"]) == flight}
        lock, free = both["lock_step"], both["continuous"]
        policy = replays[i]["answers"][0]["policies"][0]
        want = policy["lock_step_passes"] / policy["continuous_passes"]
        got = lock / free
        rows.append((str(flight), f"{lock}", f"{free}", f"{got:.2f}", f"{policy['lock_step_passes']}",
                     f"{policy['continuous_passes']}", f"{want:.2f}", f"{100 * (got / want - 1):+.1f} %"))
    return rows


def load_rows(runs):
    rows = []
    best = max(median_of([r for r in runs if r["share"] == s], "goodput") for s in {r["share"] for r in runs})
    for share in sorted({r["share"] for r in runs}, key=float):
        same = [r for r in runs if r["share"] == share]
        offered = sum(int(r["offered"]) for r in same)
        refused = 100 * sum(int(r["busy"]) for r in same) / offered
        missed = 100 * sum(int(r["expired"]) + int(r["late"]) for r in same) / offered
        goodput = median_of(same, "goodput")
        lost = sum(int(r["lost"]) + int(r["failed"]) for r in same)
        rows.append((f"{share} %", f"{median_of(same, 'rate'):.0f}", f"{goodput:.0f}",
                     f"{100 * goodput / best:.0f} %", f"{refused:.1f} %", f"{missed:.1f} %", str(lost),
                     *(f"{median_of(same, p):.1f}" for p in ("p50", "p95", "p99")),
                     f"{median_of(same, 'refuse_us_p99'):.0f}"))
    return rows


def commit():
    """The commit that was built, marked when sources differ from it; results are not sources."""
    found = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    if found.returncode != 0:
        return "unknown"
    sources = ["host", "tokenizer", "models", "perf/serving"]
    changed = subprocess.run(["git", "status", "--porcelain", "--"] + sources, capture_output=True, text=True).stdout
    return found.stdout.strip() + (" with changes" if changed else "")


def cpu_name():
    for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown processor"


def main():
    folder, rounds, seconds, target, batch = pathlib.Path(sys.argv[1]), *sys.argv[2:6]
    closed = read_pairs(folder / "closed")
    checks = read_pairs(folder / "checks")
    loads = read_pairs(folder / "loads")
    capacity = [float(r["capacity"]) for r in loads if "capacity" in r]
    text = HEAD.format(commit=commit(), date=datetime.date.today(), cpu=cpu_name(), cpus=os.cpu_count(),
                       load=f"{os.getloadavg()[0]:.1f}", rounds=rounds, seconds=seconds,
                       sentences=closed[0]["sentences"])
    print(text, end="")
    print_table(("in flight", "way", "sentences/s", "to one at a time", "p50 ms", "p95 ms", "p99 ms", "decoder passes",
                 "encoder calls"), closed_rows(closed))
    print(SAME.format(differ=sum(int(r["differ"]) for r in checks)), end="")
    print(PASSES)
    print_table(("in flight", "lock step", "continuous", "factor", "replay: lock step", "replay: continuous",
                 "replay: factor", "difference"),
                pass_rows(read_pairs(folder / "fixed"), read_reports(folder / "replays")))
    print(LOAD.format(rounds=rounds, seconds=seconds, target=target, batch=batch,
                      capacity=statistics.median(capacity)))
    print_table(("load", "offered/s", "goodput/s", "of its peak", "refused", "missed", "lost", "p50 ms", "p95 ms",
                 "p99 ms", "refusal p99 µs"), load_rows([r for r in loads if "share" in r]))


main()
